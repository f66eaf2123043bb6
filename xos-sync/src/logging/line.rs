//! One log line, as text for people or as JSON for programs.

use std::fmt::Write as _;

use jiff::Timestamp;
use tracing::Level;

use super::fields::{Fields, Value};

/// Columns the event is padded to, so that the keys of short lines stand under each other.
const EVENT_WIDTH: usize = 30;

/// The keys every JSON line has; a field of such a name gets an underscore.
const OWN_KEYS: [&str; 3] = ["event", "level", "timestamp"];

/// What one line says.
pub(crate) struct Line<'a> {
    pub(crate) time: Timestamp,
    pub(crate) level: Level,
    /// Event and keys; the keys sorted.
    pub(crate) fields: &'a Fields,
}

impl Line<'_> {
    /// `<time> [level    ] event, padded   key=value key=value`, without an end of line.
    pub(crate) fn text(&self, colored: bool) -> String {
        let paint = |code: &'static str| if colored { code } else { "" };
        let (dim, bold, cyan, magenta) =
            (paint("\x1b[2m"), paint("\x1b[1m"), paint("\x1b[36m"), paint("\x1b[35m"));
        let reset = paint("\x1b[0m");
        let severity = paint(match self.level {
            Level::ERROR => "\x1b[31m",
            Level::WARN => "\x1b[33m",
            _ => "\x1b[32m",
        });
        let mut event = String::new();
        escape(&self.fields.event, &mut event);
        let width = if self.fields.keys.is_empty() { 0 } else { EVENT_WIDTH };
        let mut line = format!(
            "{dim}{:.6}{reset} [{severity}{:<9}{reset}] {bold}{event:<width$}{reset}",
            self.time,
            level_name(self.level),
        );
        for (name, value) in &self.fields.keys {
            let _ = write!(line, " {cyan}{name}{reset}={magenta}");
            match value {
                Value::Text(text) if is_plain(text) => line += text,
                Value::Text(text) => {
                    line.push('"');
                    escape(&text.replace('\\', "\\\\").replace('"', "\\\""), &mut line);
                    line.push('"');
                }
                Value::Switch(on) => _ = write!(line, "{on}"),
                Value::Signed(number) => _ = write!(line, "{number}"),
                Value::Unsigned(number) => _ = write!(line, "{number}"),
                Value::Number(number) => _ = write!(line, "{number}"),
            }
            line += reset;
        }
        line
    }

    /// One JSON object: `event`, `level`, `timestamp`, then the keys, sorted.
    pub(crate) fn json(&self) -> String {
        let mut line = String::from("{");
        let mut put = |name: &str, value: serde_json::Value| {
            let comma = if line.len() > 1 { "," } else { "" };
            let _ = write!(line, "{comma}{}:{value}", serde_json::Value::from(name));
        };
        put("event", self.fields.event.as_str().into());
        put("level", level_name(self.level).into());
        put("timestamp", format!("{:.6}", self.time).into());
        for (name, value) in &self.fields.keys {
            let value = match value {
                Value::Text(text) => text.as_str().into(),
                Value::Switch(on) => (*on).into(),
                Value::Signed(number) => (*number).into(),
                Value::Unsigned(number) => (*number).into(),
                Value::Number(number) => (*number).into(),
            };
            if OWN_KEYS.contains(name) {
                put(&format!("{name}_"), value);
            } else {
                put(name, value);
            }
        }
        line.push('}');
        line
    }
}

/// The level in Python's words.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Whether a value can be told from its surroundings without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '='))
}

/// Control characters are spelt out: a value can neither start a line of its own nor drive a terminal.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(event: &str, keys: Vec<(&'static str, Value)>) -> Fields {
        Fields { event: event.to_owned(), keys }
    }

    fn line(fields: &Fields) -> Line<'_> {
        Line { time: Timestamp::from_second(1_795_253_400).unwrap(), level: Level::INFO, fields }
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn text_lines() {
        let check = |fields: Fields, expected: &str| {
            assert_eq!(
                line(&fields).text(false),
                format!("2026-11-21T09:30:00.000000Z [info     ] {expected}")
            );
        };
        check(
            fields(
                "Syncing object",
                vec![("model_name", text("HelloWorldService")), ("pk", Value::Signed(1))],
            ),
            "Syncing object                 model_name=HelloWorldService pk=1",
        );
        check(fields("Starting", vec![]), "Starting");
        check(
            fields("An event that is longer than the columns", vec![("ok", Value::Switch(true))]),
            "An event that is longer than the columns ok=true",
        );
        check(
            fields(
                "x",
                vec![
                    ("a", text("Jon Snow")),
                    ("b", text("")),
                    ("c", text("say \"hi\" \\")),
                    ("d", text("1=2")),
                ],
            ),
            "x                              a=\"Jon Snow\" b=\"\" c=\"say \\\"hi\\\" \\\\\" d=\"1=2\"",
        );
        check(
            fields("two\nlines \x1b[31m", vec![("a", text("x\ny")), ("b", Value::Number(0.5))]),
            "two\\nlines \\u{1b}[31m          a=\"x\\ny\" b=0.5",
        );
        check(fields("Grüße", vec![("a", text("ö"))]), "Grüße                          a=ö");
    }

    #[test]
    fn coloured_text_says_the_same() {
        let fields = fields("Synced object", vec![("pk", Value::Unsigned(1))]);
        let colored = line(&fields).text(true);
        assert!(colored.contains("\x1b[32minfo     \x1b[0m"), "{colored:?}");
        let mut plain = colored;
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[35m", "\x1b[36m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, line(&fields).text(false));
    }

    #[test]
    fn json_lines() {
        let check = |fields: Fields, expected: &str| {
            let start = r#"{"event":"#;
            assert_eq!(line(&fields).json(), format!("{start}{expected}"));
            assert!(serde_json::from_str::<serde_json::Value>(&line(&fields).json()).is_ok());
        };
        check(
            fields("Synced object", vec![("model_name", text("A \"b\"")), ("pk", Value::Signed(-1))]),
            r#""Synced object","level":"info","timestamp":"2026-11-21T09:30:00.000000Z","model_name":"A \"b\"","pk":-1}"#,
        );
        check(
            fields(
                "a\nb",
                vec![("level", text("x")), ("nan", Value::Number(f64::NAN)), ("on", Value::Switch(true))],
            ),
            r#""a\nb","level":"info","timestamp":"2026-11-21T09:30:00.000000Z","level_":"x","nan":null,"on":true}"#,
        );
    }
}
