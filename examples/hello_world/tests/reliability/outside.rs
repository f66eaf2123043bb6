//! What the program did to the world, as far as its log tells: who was greeted, and whose greeting was taken back.
//!
//! Each line reaches the file before the step goes on, so that the log survives `kill -9` as a real effect would.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// What was done for one object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Whom it greeted, in order.
    pub(crate) hellos: Vec<String>,
    /// How often its greeting was taken back.
    pub(crate) deletions: usize,
    /// It was greeted after that.
    pub(crate) after_deletion: bool,
}

/// What was done, by the name of the object.
#[derive(Debug)]
pub(crate) struct Outside {
    path: PathBuf,
    read: u64,
    pub(crate) shown: HashMap<String, Shown>,
    /// Lines that are errors.
    pub(crate) errors: Vec<String>,
    /// Panics, which no line of the log is.
    pub(crate) panics: Vec<String>,
}

impl Outside {
    pub(crate) fn new(path: PathBuf) -> Self {
        Outside { path, read: 0, shown: HashMap::new(), errors: Vec::new(), panics: Vec::new() }
    }

    /// Reads what was written since the last time.
    pub(crate) fn read(&mut self) {
        let mut file = std::fs::File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        // A line that is being written is read the next time.
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.read += end as u64;
        for line in String::from_utf8_lossy(&bytes[..end]).lines() {
            self.line(line);
        }
    }

    fn line(&mut self, line: &str) {
        let Ok(read) = serde_json::from_str::<serde_json::Value>(line) else {
            if line.contains("panicked at") {
                self.panics.push(line.to_owned());
            }
            return;
        };
        let event = read["event"].as_str().unwrap_or_default();
        if read["level"] == "error" {
            self.errors.push(line.to_owned());
        }
        let object = read["object"].as_str().unwrap_or_default();
        if let Some((_, hello_to)) = event.split_once(" is saying hello to ") {
            let shown = self.shown.entry(object.to_owned()).or_default();
            shown.after_deletion |= shown.deletions > 0;
            shown.hellos.push(hello_to.to_owned());
        } else if event == "HelloWorldServiceInstance has been deleted!" {
            self.shown.entry(object.to_owned()).or_default().deletions += 1;
        }
    }

    /// How often somebody was greeted once more, though nothing had changed.
    pub(crate) fn repeated(&self) -> usize {
        self.shown.values().map(|shown| shown.hellos.windows(2).filter(|two| two[0] == two[1]).count()).sum()
    }

    /// How many greetings there were.
    pub(crate) fn hellos(&self) -> usize {
        self.shown.values().map(|shown| shown.hellos.len()).sum()
    }

    /// Fails when a line says that something panicked.
    pub(crate) fn assert_no_panic(&self) {
        assert!(self.panics.is_empty(), "the program panicked: {:?}", self.panics);
    }
}
