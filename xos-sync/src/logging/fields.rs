//! The keys of a log line: an event's fields and those of the spans around it.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};

/// A field's value, kept as typed as JSON can say it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Switch(bool),
    Signed(i64),
    Unsigned(u64),
    Number(f64),
}

/// The fields of one event or span, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields {
    /// The event's text.
    pub(crate) event: String,
    pub(crate) keys: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Lays `inner` over this: of two keys of one name the inner one stays.
    pub(crate) fn overlay(&mut self, inner: Fields) {
        self.event = inner.event;
        for (name, value) in inner.keys {
            self.put(name, value);
        }
    }

    fn put(&mut self, name: &'static str, value: Value) {
        match self.keys.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.keys.push((name, value)),
        }
    }

    fn record(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text)) => self.event = text,
            (name, value) => self.put(name.strip_prefix("r#").unwrap_or(name), value),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record(field, Value::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, Value::Text(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, Value::Switch(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, Value::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, Value::Number(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.record(field, Value::Text(text));
    }
}
