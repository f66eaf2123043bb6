//! Where log lines go, and how: what the section `logging` comes down to.

use std::path::PathBuf;

/// Where log lines go: the Python logging dictionary, brought down to what it means here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logging {
    /// Lines below this level are dropped before any output sees them.
    pub level: LogLevel,
    /// Where the lines go.
    pub outputs: Vec<LogOutput>,
}

impl Default for Logging {
    /// Readable text on stderr, level info.
    fn default() -> Self {
        Self { level: LogLevel::Info, outputs: vec![LogOutput::default()] }
    }
}

impl Logging {
    /// Logs everything from `level` up, whatever the outputs were set to.
    pub fn set_level(&mut self, level: LogLevel) {
        self.level = level;
        for output in &mut self.outputs {
            output.level = output.level.min(level);
        }
    }
}

/// One place where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogOutput {
    /// Name of the handler in the config file.
    pub handler: String,
    /// Where the lines go.
    pub target: LogTarget,
    /// How a line looks.
    pub format: LogFormat,
    /// Lines below this level are not written here, whatever [`Logging::level`] lets through.
    pub level: LogLevel,
}

impl Default for LogOutput {
    fn default() -> Self {
        Self {
            handler: "console".to_owned(),
            target: LogTarget::Stderr,
            format: LogFormat::Text(Color::Terminal),
            level: LogLevel::Trace,
        }
    }
}

/// Where one output writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogTarget {
    /// The standard error stream.
    Stderr,
    /// The standard output stream.
    Stdout,
    /// A file, appended to.
    File {
        /// The file; its folder must exist.
        path: PathBuf,
        /// When the file is put aside; `None`: never.
        rotation: Option<Rotation>,
    },
}

/// When a log file is put aside as `<file>.1`, `<file>.2`, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Size after which the file is put aside, in bytes.
    pub max_bytes: usize,
    /// How many old files are kept.
    pub backups: usize,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// Time, level, event and sorted `key=value` pairs, for people.
    Text(Color),
    /// One JSON object, for programs.
    Json,
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Where the output is a terminal.
    Terminal,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How important a line must be to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What a developer wants to know.
    Debug,
    /// What an operator wants to know.
    Info,
    /// What may need attention.
    #[value(alias = "warning")]
    Warn,
    /// What failed.
    Error,
}
