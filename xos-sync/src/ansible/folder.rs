//! Files of one object: what was applied to it last, the output that is kept, and the rendered files of a run.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process_group};
use sha2::{Digest as _, Sha256};

/// How the folder of a run is called.
const RUN: &str = "run-";

/// How it is called when it is kept.
const KEPT: &str = "kept-";

/// The file in it that names the process at work.
pub(super) const PID: &str = "pid";

/// How long a run that was told to end may take for it, before it is ended from here.
const ENDING: Duration = Duration::from_secs(10);

/// The folders beside a playbook that Ansible knows.
const BESIDE: [&str; 16] = [
    "action_plugins",
    "collections",
    "defaults",
    "files",
    "filter_plugins",
    "group_vars",
    "handlers",
    "host_vars",
    "library",
    "lookup_plugins",
    "meta",
    "module_utils",
    "roles",
    "tasks",
    "templates",
    "vars",
];

/// The most files beside a playbook that are looked at for changes.
const MOST_FILES: usize = 10_000;

/// The folder of one object.
#[derive(Clone, Debug)]
pub(super) struct ObjectFolder {
    path: PathBuf,
}

impl ObjectFolder {
    /// `<sys_dir>/<step>/<tag>`, made when it is first used.
    pub(super) fn new(sys_dir: &Path, step: &str, tag: &str) -> Self {
        ObjectFolder { path: sys_dir.join(file_name(step)).join(file_name(tag)) }
    }

    /// What was applied last.
    pub(super) fn applied(&self) -> Option<String> {
        std::fs::read_to_string(self.path.join("applied")).ok().map(|text| text.trim().to_owned())
    }

    /// Remembers what was applied. Written aside first: half a hash would be a wrong one.
    pub(super) fn set_applied(&self, hash: &str) -> Result<(), String> {
        let aside = self.path.join("applied.new");
        let write = || {
            let mut file = private(&aside)?;
            writeln!(file, "{hash}")?;
            std::fs::rename(&aside, self.path.join("applied"))
        };
        write().map_err(|error| format!("cannot write {}: {error}", self.path.join("applied").display()))
    }

    /// Nothing is known to be applied.
    pub(super) fn forget_applied(&self) -> Result<(), String> {
        match std::fs::remove_file(self.path.join("applied")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {error}", self.path.join("applied").display()))
            }
            _ => Ok(()),
        }
    }

    /// The object is gone: so is the folder, unless something was to be kept in it.
    pub(super) fn remove(&self) {
        let _ = self.forget_applied();
        let _ = std::fs::remove_dir(&self.path);
    }

    /// Where the output of the last run is kept.
    pub(super) fn output(&self) -> PathBuf {
        self.path.join("output.txt")
    }

    /// A new folder for the files of one run, when the one before has ended, however it did. Blocks.
    pub(super) fn run(&self) -> Result<RunFolder, String> {
        let failed = |error| format!("cannot make the folder {}: {error}", self.path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        for entry in std::fs::read_dir(&self.path).map_err(failed)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(RUN) {
                end_earlier(&entry.path());
            }
        }
        let mut make = tempfile::Builder::new();
        let folder = make.prefix(RUN).permissions(owner_only()).tempdir_in(&self.path).map_err(failed)?;
        // Ansible works in another folder than the synchronizer.
        let path = std::path::absolute(folder.path()).map_err(failed)?;
        Ok(RunFolder { folder: Some(folder), path })
    }
}

/// A run that is still ending is waited for: two on one object would work against each other.
fn end_earlier(path: &Path) {
    let pid = std::fs::read_to_string(path.join(PID)).unwrap_or_default().trim().to_owned();
    // Not another process with the same number: the folder is one of its arguments.
    let folder = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let lives = || {
        if pid.is_empty() {
            return false;
        }
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == folder.as_os_str().as_encoded_bytes())
    };
    let begun = std::time::Instant::now();
    while lives() && begun.elapsed() < ENDING {
        std::thread::sleep(Duration::from_millis(50));
    }
    if lives()
        && let Some(pid) = pid.parse().ok().and_then(Pid::from_raw)
    {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = std::fs::remove_dir_all(path);
}

/// The files of one run. Removed when this is dropped.
#[derive(Debug)]
pub(super) struct RunFolder {
    folder: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl RunFolder {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only its owner can read.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.path.join(name);
        let write = || private(&path)?.write_all(text.as_bytes());
        write().map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    }

    /// Makes a folder in it.
    pub(super) fn make(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.path.join(name);
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| format!("cannot make the folder {}: {error}", path.display()))?;
        Ok(path)
    }

    /// Lets Ansible find what is beside the template.
    pub(super) fn link(&self, beside: &Path) -> Result<(), String> {
        let beside = std::path::absolute(beside).unwrap_or_else(|_| beside.to_owned());
        for name in BESIDE {
            let there = beside.join(name);
            if there.is_dir() {
                std::os::unix::fs::symlink(&there, self.path.join(name))
                    .map_err(|error| format!("cannot link to {}: {error}", there.display()))?;
            }
        }
        Ok(())
    }

    /// Leaves the files, under another name; gives that.
    pub(super) fn keep(self) -> PathBuf {
        let path = self.path.clone();
        self.leave();
        let name = path.file_name().map(|name| name.to_string_lossy().replacen(RUN, KEPT, 1));
        let kept = path.with_file_name(name.unwrap_or_default());
        match std::fs::rename(&path, &kept) {
            Ok(()) => kept,
            Err(_) => path,
        }
    }

    /// Leaves them to the process that works with them, which removes them when it ends.
    pub(super) fn leave(mut self) {
        if let Some(folder) = self.folder.take() {
            let _ = folder.keep();
        }
    }
}

/// The mode of a folder for its owner alone.
pub(super) fn owner_only() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o700)
}

/// A new file for its owner alone.
pub(super) fn private(path: &Path) -> std::io::Result<File> {
    // A file that is there keeps its mode when it is only opened.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A name for a file, that no other name has.
fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fits = !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(plain);
    if fits {
        return name.to_owned();
    }
    let start: String = name.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
    let hash = Fingerprint::default().add(name.as_bytes()).done();
    format!("{start}-{}", hash.get(..16).unwrap_or(&hash))
}

/// A hash over several parts.
#[derive(Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// One more part. Its length is in the hash too: `ab` and `c` are not `a` and `bc`.
    pub(super) fn add(mut self, part: &[u8]) -> Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// What is beside a playbook: names, sizes and times of the files in the folders that Ansible knows.
    pub(super) fn add_beside(mut self, beside: Option<&Path>) -> Self {
        let mut folders: Vec<PathBuf> =
            beside.map(|beside| BESIDE.map(|name| beside.join(name)).to_vec()).unwrap_or_default();
        let mut left = MOST_FILES;
        while let Some(folder) = folders.pop() {
            let mut entries: Vec<_> = std::fs::read_dir(&folder).into_iter().flatten().flatten().collect();
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                left = left.saturating_sub(1);
                if left == 0 {
                    return self;
                }
                let Ok(found) = entry.metadata() else { continue };
                if found.is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let time = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                self = self
                    .add(entry.path().as_os_str().as_encoded_bytes())
                    .add(&found.len().to_le_bytes())
                    .add(&time.unwrap_or_default().as_nanos().to_le_bytes());
            }
        }
        self
    }

    /// The hash in hexadecimal digits.
    pub(super) fn done(self) -> String {
        use std::fmt::Write as _;
        self.0.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_was_applied_is_remembered_until_it_is_forgotten() {
        let sys = tempfile::tempdir().unwrap();
        let object = ObjectFolder::new(sys.path(), "SyncWeb", "Web_1");
        assert_eq!(object.applied(), None);
        drop(object.run().unwrap());
        object.set_applied("abc").unwrap();
        assert_eq!(object.applied().as_deref(), Some("abc"));
        object.remove();
        assert!(!sys.path().join("SyncWeb/Web_1").exists());
    }

    #[test]
    fn files_of_a_run_are_private_and_go_away() {
        let sys = tempfile::tempdir().unwrap();
        let object = ObjectFolder::new(sys.path(), "s", "t");
        let run = object.run().unwrap();
        let file = run.write("variables.yaml", "x").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(run.path())), (0o600, 0o700));
        drop(run);
        assert!(!file.exists());
        let kept = object.run().unwrap().keep();
        drop(object.run().unwrap());
        assert!(kept.exists());
    }

    #[test]
    fn what_a_dead_run_left_is_removed() {
        let sys = tempfile::tempdir().unwrap();
        let object = ObjectFolder::new(sys.path(), "s", "t");
        let run = object.run().unwrap();
        run.write(PID, "999999999\n").unwrap();
        let path = run.path().to_owned();
        run.leave();
        drop(object.run().unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn no_name_leads_elsewhere() {
        assert_eq!(file_name("Web_1"), "Web_1");
        for name in ["../x", "..", "a/b", "", &"x".repeat(300), "é"] {
            let made = file_name(name);
            assert!(!made.contains('/') && made.len() < 100 && !made.starts_with('.'), "{made}");
        }
        assert_ne!(file_name("a/b"), file_name("ab"));
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        let of = |parts: &[&str]| {
            parts.iter().fold(Fingerprint::default(), |f, part| f.add(part.as_bytes())).done()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        let folder = tempfile::tempdir().unwrap();
        let beside = || Fingerprint::default().add_beside(Some(folder.path())).done();
        let before = beside();
        std::fs::create_dir_all(folder.path().join("roles/web")).unwrap();
        std::fs::write(folder.path().join("roles/web/x"), "1").unwrap();
        assert_ne!(before, beside());
    }
}
