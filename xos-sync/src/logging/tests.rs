//! Whole log lines, from `tracing` macros to bytes.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tracing::{debug, error, info, info_span, warn};
use tracing_subscriber::filter::Filtered;

use super::*;
use crate::config::{Color, LogOutput, LogTarget, Rotation};

const TEXT: LogFormat = LogFormat::Text(Color::Never);

/// What was written, readable afterwards.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn noon() -> Timestamp {
    Timestamp::from_second(1_795_262_400).unwrap()
}

fn fixed(outputs: Vec<Output>, level: LogLevel) -> Filtered<LogLayer, Threshold, Registry> {
    LogLayer::new(outputs).with_clock(noon).with_filter(Threshold(level))
}

/// The lines that `body` logs.
fn lines(format: LogFormat, level: LogLevel, body: impl FnOnce()) -> Vec<String> {
    let buffer = Buffer::default();
    let layer = fixed(vec![Output::to(format, Box::new(buffer.clone()))], level);
    tracing::subscriber::with_default(Registry::default().with(layer), body);
    let bytes = buffer.0.lock().unwrap();
    String::from_utf8(bytes.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn sync_one() {
    let _all = info_span!("synchronizer", synchronizer_name = "hello-world").entered();
    let object =
        info_span!("object", model_name = "HelloWorldService", pk = 1, attempt = tracing::field::Empty);
    let _object = object.enter();
    info!("Syncing object");
    object.record("attempt", 2);
    error!(e = "Maybe not", pk = 2, "sync step failed!");
}

#[test]
fn text_lines_carry_the_keys_of_the_spans_around_them() {
    let expected = [
        "2026-11-21T12:00:00.000000Z [info     ] Syncing object                 model_name=HelloWorldService pk=1 \
         synchronizer_name=hello-world",
        "2026-11-21T12:00:00.000000Z [error    ] sync step failed!              attempt=2 e=\"Maybe not\" \
         model_name=HelloWorldService pk=2 synchronizer_name=hello-world",
    ];
    assert_eq!(lines(TEXT, LogLevel::Info, sync_one), expected);
}

#[test]
fn json_lines_carry_them_too() {
    let expected = [
        r#"{"event":"Syncing object","level":"info","timestamp":"2026-11-21T12:00:00.000000Z","model_name":"HelloWorldService","pk":1,"synchronizer_name":"hello-world"}"#,
        r#"{"event":"sync step failed!","level":"error","timestamp":"2026-11-21T12:00:00.000000Z","attempt":2,"e":"Maybe not","model_name":"HelloWorldService","pk":2,"synchronizer_name":"hello-world"}"#,
    ];
    assert_eq!(lines(LogFormat::Json, LogLevel::Info, sync_one), expected);
}

#[test]
fn a_level_drops_lines_but_not_the_keys_of_spans() {
    let lines = lines(TEXT, LogLevel::Error, sync_one);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("synchronizer_name=hello-world"), "{lines:?}");
}

#[test]
fn libraries_are_heard_from_warnings_up() {
    let lines = lines(TEXT, LogLevel::Trace, || {
        debug!(target: "h2::codec", "no");
        info!(target: "rustls", "no");
        warn!(target: "rustls::conn", "yes 1");
        debug!(target: "h2_of_mine", "yes 2");
        debug!("yes 3");
    });
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn each_output_has_its_own_level() {
    let folder = tempfile::tempdir().unwrap();
    let output = |name: &str, level| LogOutput {
        handler: name.to_owned(),
        target: LogTarget::File { path: folder.path().join(name), rotation: None },
        format: TEXT,
        level,
    };
    let outputs = vec![output("all", LogLevel::Trace), output("errors", LogLevel::Error)];
    let logging = Logging { level: LogLevel::Info, outputs };
    let subscriber = Registry::default().with(layer(&logging).unwrap());
    tracing::subscriber::with_default(subscriber, sync_one);
    let count = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
    assert_eq!((count("all"), count("errors")), (2, 1));
}

#[test]
fn an_error_is_shown_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot greet")]
    struct Outer(#[source] io::Error);
    let error = Outer(io::Error::other("no voice"));
    let lines = lines(TEXT, LogLevel::Info, || {
        error!(e = &error as &dyn std::error::Error, r#type = "x", "failed");
    });
    assert!(
        lines[0].ends_with("failed                         e=\"cannot greet: no voice\" type=x"),
        "{lines:?}"
    );
}

#[test]
fn a_file_is_put_aside_when_it_is_large_and_whole_lines_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xos.log");
    let rotation = Some(Rotation { max_bytes: 200, backups: 2 });
    let target = LogTarget::File { path: path.clone(), rotation };
    let output =
        LogOutput { handler: "file".to_owned(), target, format: LogFormat::Json, level: LogLevel::Info };
    let subscriber = Registry::default().with(fixed(vec![Output::open(&output).unwrap()], LogLevel::Info));
    tracing::subscriber::with_default(subscriber, || (0..40).for_each(|number| info!(number, "line")));
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["xos.log", "xos.log.1", "xos.log.2"]);
    for name in names {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(text.len() <= 300, "{}", text.len());
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
    }
    assert!(std::fs::read_to_string(path).unwrap().contains("\"number\":39"));
}

#[test]
fn a_file_that_cannot_be_put_aside_goes_on_growing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xos.log");
    // A folder in the way of `xos.log.1`.
    std::fs::create_dir_all(folder.path().join("xos.log.1/x")).unwrap();
    let rotation = Some(Rotation { max_bytes: 10, backups: 1 });
    let target = LogTarget::File { path: path.clone(), rotation };
    let output = LogOutput { handler: "file".to_owned(), target, format: TEXT, level: LogLevel::Info };
    let subscriber = Registry::default().with(fixed(vec![Output::open(&output).unwrap()], LogLevel::Info));
    tracing::subscriber::with_default(subscriber, || (0..5).for_each(|number| info!(number, "line")));
    assert!(std::fs::read_to_string(path).unwrap().contains("number=4"));
}

#[test]
fn a_log_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/xos.log");
    let target = LogTarget::File { path: path.clone(), rotation: None };
    let output = LogOutput { handler: "file".to_owned(), target, format: TEXT, level: LogLevel::Info };
    let logging = Logging { level: LogLevel::Info, outputs: vec![output] };
    let Err(error) = layer::<Registry>(&logging).map(drop) else { panic!("opened") };
    let expected = format!(
        "logging.handlers.file: cannot open the log file {}: No such file or directory (os error 2)",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn starting_twice_is_harmless() {
    let mut config = Config::in_memory();
    config.logging.level = LogLevel::Error;
    assert!(init(&config).is_ok());
    assert_eq!(init(&config).unwrap(), Started::AlreadySet);
}

#[test]
fn lines_of_many_threads_do_not_mix() {
    let buffer = Buffer::default();
    let layer = fixed(vec![Output::to(LogFormat::Json, Box::new(buffer.clone()))], LogLevel::Info);
    let dispatch = tracing::Dispatch::new(Registry::default().with(layer));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || (0..100).for_each(|_| sync_one()));
            });
        }
    });
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count(),
        800
    );
}
