//! The few calls that need no schema, written by hand.

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;

use super::{CallError, CallKind, CallMeta, Queue, Transport};
use crate::grpc::status::Code;

/// How long the core may take to tell its schema: it does so while it starts, too.
const SCHEMA: Duration = Duration::from_secs(30);

pub(super) const GET_SCHEMA: &str = "/schema.SchemaService/GetSchema";
pub(super) const NO_OP: &str = "/xos.utility/NoOp";

impl Transport {
    /// The bytes of `schema.Schemas`. Needs no authentication.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn get_schema(&self) -> Result<Bytes, CallError> {
        self.ask(GET_SCHEMA, CallKind::Long(SCHEMA), Queue::Wait).await
    }

    /// The xproto text of all models the core serves. Needs no authentication.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; an answer that is no text is one of them.
    pub async fn get_xproto(&self) -> Result<String, CallError> {
        let answer = self.ask("/xos.utility/GetXproto", CallKind::Read, Queue::Wait).await?;
        text_field(&answer, 1).ok_or_else(|| CallError::Status {
            code: Code::INTERNAL,
            details: "the answer to GetXproto is no text".to_owned(),
        })
    }

    /// Asks for nothing: the cheapest way to find out whether the core answers. Needs no authentication.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn noop(&self) -> Result<(), CallError> {
        self.ask(NO_OP, CallKind::Read, Queue::Wait).await.map(drop)
    }

    /// Finds out whether the core answers at all, within this time, whatever other calls do.
    pub(super) async fn sign_of_life(&self, within: Duration) -> Result<(), CallError> {
        self.ask(NO_OP, CallKind::Long(within), Queue::Pass).await.map(drop)
    }

    /// The schema, whatever other calls do.
    pub(super) async fn schema_at_once(&self) -> Result<Bytes, CallError> {
        let within = SCHEMA.min(self.options().list_deadline);
        self.ask(GET_SCHEMA, CallKind::Long(within), Queue::Pass).await
    }

    async fn ask(&self, path: &'static str, kind: CallKind, queue: Queue<'_>) -> Result<Bytes, CallError> {
        let path = PathAndQuery::from_static(path);
        self.send(&path, &Bytes::new(), &CallMeta::default(), kind, None, queue).await
    }
}

/// Appends a text (or bytes) as this field of a protobuf message.
pub(super) fn put_bytes(message: &mut Vec<u8>, field: u8, value: &[u8]) {
    message.push(field << 3 | 2);
    let mut length = value.len();
    while length >= 0x80 {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(value);
}

/// Appends a text as this field of a protobuf message.
pub(super) fn put_text(message: &mut Vec<u8>, field: u8, value: &str) {
    put_bytes(message, field, value.as_bytes());
}

/// The fields of a protobuf message that are texts, bytes or messages; `None` ends what cannot be read.
pub(super) struct Chunks<'a>(pub(super) &'a [u8]);

impl<'a> Chunks<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, count: usize) -> Option<&'a [u8]> {
        let (skipped, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(skipped)
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.varint()?;
            match key & 7 {
                0 => _ = self.varint()?,
                1 => _ = self.skip(8)?,
                2 => {
                    let length = usize::try_from(self.varint()?).ok()?;
                    return Some((key >> 3, self.skip(length)?));
                }
                5 => _ = self.skip(4)?,
                _ => return None,
            }
        }
    }
}

/// The text of this field.
pub(super) fn text_field(message: &[u8], field: u64) -> Option<String> {
    let (_, text) = Chunks(message).filter(|(found, _)| *found == field).last()?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_out_as_they_come_in() {
        let long = "x".repeat(300);
        let mut message = vec![0x18, 0xff, 0x01];
        put_text(&mut message, 1, "admin@opencord.org");
        put_text(&mut message, 2, &long);
        message.extend([0x25, 1, 2, 3, 4]);
        assert_eq!(text_field(&message, 1).as_deref(), Some("admin@opencord.org"));
        assert_eq!(text_field(&message, 2).as_deref(), Some(long.as_str()));
        assert_eq!(text_field(&message, 3), None);
        for end in 0..message.len() {
            let _ = text_field(&message[..end], 2);
        }
    }

    #[test]
    fn login_is_written_as_the_core_was_sent_it() {
        let mut message = Vec::new();
        put_text(&mut message, 1, "admin@opencord.org");
        put_text(&mut message, 2, "letmein");
        assert_eq!(message, b"\n\x12admin@opencord.org\x12\x07letmein");
    }
}
