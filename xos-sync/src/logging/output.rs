//! Where log lines are written: a stream, or a file that is put aside when it is large.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use tracing::Level;

use super::line::Line;
use crate::config::{
    Color, ConfigError, LogFormat, LogLevel, LogOutput, LogTarget, Origin, Problem, Rotation,
};

/// One place where lines go, open.
pub(crate) struct Output {
    level: LogLevel,
    format: Format,
    writer: Mutex<Box<dyn Write + Send>>,
}

enum Format {
    Text { colored: bool },
    Json,
}

impl Output {
    /// Opens what the configuration names.
    pub(crate) fn open(output: &LogOutput) -> Result<Self, ConfigError> {
        let (writer, terminal): (Box<dyn Write + Send>, bool) = match &output.target {
            LogTarget::Stderr => (Box::new(io::stderr()), io::stderr().is_terminal()),
            LogTarget::Stdout => (Box::new(io::stdout()), io::stdout().is_terminal()),
            LogTarget::File { path, rotation } => {
                let opened = append(path).map(|file| -> Box<dyn Write + Send> {
                    match rotation {
                        Some(rotation) => Box::new(Rotating::new(path, *rotation)),
                        None => Box::new(file),
                    }
                });
                let name = &output.handler;
                let writer = opened.map_err(|error| {
                    let message = format!(
                        "logging.handlers.{name}: cannot open the log file {}: {error}",
                        path.display()
                    );
                    Problem::new(&Origin::Program, message).key(format!("logging.handlers.{name}.filename"))
                })?;
                (writer, false)
            }
        };
        let format = match output.format {
            LogFormat::Text(color) => Format::Text {
                colored: match color {
                    Color::Terminal => terminal,
                    Color::Always => true,
                    Color::Never => false,
                },
            },
            LogFormat::Json => Format::Json,
        };
        Ok(Self { level: output.level, format, writer: Mutex::new(writer) })
    }

    /// Writes every line to `writer`.
    pub(crate) fn to(format: LogFormat, writer: Box<dyn Write + Send>) -> Self {
        let format = match format {
            LogFormat::Text(color) => Format::Text { colored: color == Color::Always },
            LogFormat::Json => Format::Json,
        };
        Self { level: LogLevel::Trace, format, writer: Mutex::new(writer) }
    }

    /// Whether lines of this level are written here.
    pub(crate) fn takes(&self, level: Level) -> bool {
        level <= self.level.to_tracing()
    }

    /// Writes one line in one piece. A line that cannot be written is lost: there is nobody to tell.
    pub(crate) fn write(&self, line: &Line<'_>) {
        let mut text = match self.format {
            Format::Text { colored } => line.text(colored),
            Format::Json => line.json(),
        };
        text.push('\n');
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
    }
}

fn append(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

/// A file that is put aside as `<file>.1` when it has grown past its size.
///
/// The crate that moves the files panics when somebody else moves them at the same time, and drops lines when it may
/// not move them. A log file must neither end a step nor lose a line, so from then on the file just grows.
struct Rotating {
    path: PathBuf,
    files: Option<FileRotate<AppendCount>>,
}

impl Rotating {
    fn new(path: &Path, rotation: Rotation) -> Self {
        let limit = ContentLimit::BytesSurpassed(rotation.max_bytes.max(1));
        let suffix = AppendCount::new(rotation.backups);
        let files = catch_unwind(|| FileRotate::new(path, suffix, limit, Compression::None, None)).ok();
        Self { path: path.to_owned(), files }
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(files) = &mut self.files {
            if let Ok(Ok(())) = catch_unwind(AssertUnwindSafe(|| files.write_all(line))) {
                return Ok(line.len());
            }
            self.files = None;
        }
        append(&self.path)?.write_all(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.files.as_mut().map_or(Ok(()), Write::flush)
    }
}
