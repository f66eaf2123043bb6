//! gRPC as it travels over HTTP/2: one framed message in, one framed message and trailers out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tonic::{Code, Status};

/// What a core answers to one call: the bytes of a message, or a status.
pub type Answer = Result<Bytes, Status>;

/// The bytes before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Reads the only message of a request.
///
/// # Errors
///
/// The status to answer: the message is longer than `longest`, is compressed, or was cut off.
pub async fn read_message<B>(body: B, longest: usize) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::cancelled(format!("the request was cut off: {error}")))?;
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
        if let Some(length) = length(&read)
            && length > longest
        {
            let text = format!("Received message larger than max ({length} vs. {longest})");
            return Err(Status::resource_exhausted(text));
        }
    }
    match length(&read) {
        Some(_) if read[0] != 0 => Err(Status::unimplemented("compressed messages are not known here")),
        Some(length) if read.len() >= PREFIX + length => Ok(read.freeze().slice(PREFIX..PREFIX + length)),
        _ => Err(Status::internal("the request has no whole message")),
    }
}

fn length(read: &[u8]) -> Option<usize> {
    let prefix = read.get(1..PREFIX)?;
    Some(u32::from_be_bytes(prefix.try_into().ok()?) as usize)
}

/// The HTTP response that carries an answer.
pub fn response(answer: Answer) -> Response<tonic::body::Body> {
    let (frames, early) = match answer {
        Ok(message) => {
            let mut framed = BytesMut::with_capacity(PREFIX + message.len());
            framed.put_u8(0);
            framed.put_u32(message.len() as u32);
            framed.extend_from_slice(&message);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            (VecDeque::from([Frame::data(framed.freeze()), Frame::trailers(trailers)]), None)
        }
        Err(status) => (VecDeque::new(), Some(status)),
    };
    let mut response = Response::new(tonic::body::Body::new(Frames(frames)));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    if let Some(status) = early {
        // A status without a message travels in the headers alone.
        let code = HeaderValue::from(status.code() as i32);
        headers.insert("grpc-status", code);
        if let Ok(text) = HeaderValue::from_str(&percent_encoded(status.message())) {
            headers.insert("grpc-message", text);
        }
    }
    response
}

/// The text of a status as a header may carry it.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => {
                let _ = std::fmt::Write::write_fmt(&mut encoded, format_args!("%{byte:02X}"));
            }
        }
    }
    encoded
}

/// The code with this name, as recordings write it.
pub fn code_of(name: &str) -> Option<Code> {
    let codes = [
        ("OK", Code::Ok),
        ("CANCELLED", Code::Cancelled),
        ("UNKNOWN", Code::Unknown),
        ("INVALID_ARGUMENT", Code::InvalidArgument),
        ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
        ("NOT_FOUND", Code::NotFound),
        ("ALREADY_EXISTS", Code::AlreadyExists),
        ("PERMISSION_DENIED", Code::PermissionDenied),
        ("RESOURCE_EXHAUSTED", Code::ResourceExhausted),
        ("FAILED_PRECONDITION", Code::FailedPrecondition),
        ("ABORTED", Code::Aborted),
        ("OUT_OF_RANGE", Code::OutOfRange),
        ("UNIMPLEMENTED", Code::Unimplemented),
        ("INTERNAL", Code::Internal),
        ("UNAVAILABLE", Code::Unavailable),
        ("DATA_LOSS", Code::DataLoss),
        ("UNAUTHENTICATED", Code::Unauthenticated),
    ];
    codes.iter().find(|(known, _)| *known == name).map(|(_, code)| *code)
}

/// A body whose frames are all known.
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_a_header_is_ascii() {
        assert_eq!(percent_encoded("50% \u{e9}\n"), "50%25 %C3%A9%0A");
    }

    #[tokio::test]
    async fn a_request_is_one_message_and_not_too_long() {
        let body = |bytes: &'static [u8]| http_body_util::Full::new(Bytes::from_static(bytes));
        let read = read_message(body(b"\0\0\0\0\x02ab"), 2).await.unwrap();
        assert_eq!(&read[..], b"ab");
        let error = read_message(body(b"\0\0\0\0\x03abc"), 2).await.unwrap_err();
        assert_eq!(error.message(), "Received message larger than max (3 vs. 2)");
        for bad in [b"".as_slice(), b"\0\0\0", b"\0\0\0\0\x03ab", b"\x01\0\0\0\x01a"] {
            assert!(read_message(body(bad), 9).await.is_err(), "{bad:?}");
        }
    }
}
