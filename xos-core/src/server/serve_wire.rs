//! gRPC as it travels over HTTP/2: one framed message in, one framed message and trailers out.

use std::convert::Infallible;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::call::Answer;

/// The bytes before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Up to this size an answer is copied once more to travel in one frame with its prefix.
const SMALL: usize = 16 << 10;

/// Up to this size a request is not counted.
const UNCOUNTED: usize = 16 << 10;

/// A request message, and its share of what the connection may have in memory.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) bytes: Bytes,
    pub(super) memory: Option<OwnedSemaphorePermit>,
}

/// Reads the only message of a request.
///
/// # Errors
///
/// The status to answer: the message is longer than `longest`, is compressed in a way that is not known, or is not one
/// whole message.
pub(super) async fn read_message<B>(
    body: B,
    headers: &HeaderMap,
    longest: usize,
    memory: &Arc<Semaphore>,
) -> Result<Message, Status>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let (mut whole, mut read, mut counted) = (Bytes::new(), BytesMut::new(), None);
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| Status::cancelled(format!("the request was cut off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        // Most requests come in one piece, which is not copied.
        if whole.is_empty() && read.is_empty() {
            whole = data;
        } else {
            if read.is_empty() {
                read.extend_from_slice(&whole);
            }
            read.extend_from_slice(&data);
        }
        let so_far: &[u8] = if read.is_empty() { &whole } else { &read };
        let Some(length) = length(so_far) else { continue };
        if length > longest {
            return Err(too_large(length, longest));
        }
        if so_far.len() > PREFIX + length {
            return Err(Status::internal("the request has more than one message"));
        }
        if length > UNCOUNTED && counted.is_none() {
            counted = memory.clone().acquire_many_owned(length as u32).await.ok();
            if !read.is_empty() {
                read.reserve(PREFIX + length - read.len());
            }
        }
    }
    let whole = if read.is_empty() { whole } else { read.freeze() };
    match length(&whole) {
        Some(length) if whole.len() == PREFIX + length => {
            let bytes = whole.slice(PREFIX..);
            let compressed = whole.first().is_some_and(|flag| *flag != 0);
            let bytes = if compressed { decompressed(bytes, headers, longest).await? } else { bytes };
            Ok(Message { bytes, memory: counted })
        }
        _ => Err(Status::internal("the request has no whole message")),
    }
}

fn length(read: &[u8]) -> Option<usize> {
    let prefix = read.get(1..PREFIX)?;
    Some(u32::from_be_bytes(prefix.try_into().ok()?) as usize)
}

fn too_large(length: usize, longest: usize) -> Status {
    Status::resource_exhausted(format!("Received message larger than max ({length} vs. {longest})"))
}

/// The message of a compressed one.
async fn decompressed(bytes: Bytes, headers: &HeaderMap, longest: usize) -> Result<Bytes, Status> {
    match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
        Some(b"gzip") => {}
        None | Some(b"identity") => {
            return Err(Status::internal("the message is compressed, but grpc-encoding does not say how"));
        }
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            let mut status = Status::unimplemented(format!(
                "messages compressed by {} are not known here; expected gzip or identity",
                other.escape_debug()
            ));
            let accepted = tonic::metadata::MetadataValue::from_static("identity,gzip");
            status.metadata_mut().insert("grpc-accept-encoding", accepted);
            return Err(status);
        }
    }
    let task = tokio::task::spawn_blocking(move || {
        let mut message = Vec::new();
        // A few bytes can become gigabytes.
        let decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
        let read = decoder.take(longest as u64 + 1).read_to_end(&mut message);
        match read {
            Ok(_) if message.len() > longest => Err(too_large(message.len(), longest)),
            Ok(_) => Ok(message.into()),
            Err(error) => Err(Status::internal(format!("the message is no gzip: {error}"))),
        }
    });
    task.await.unwrap_or_else(|_| Err(Status::internal("the message could not be decompressed")))
}

/// The deadline that a client gives a call.
///
/// # Errors
///
/// The status of a call whose deadline cannot be read.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let wrong = || {
        let found = String::from_utf8_lossy(value.as_bytes());
        let found = found.escape_debug();
        Status::invalid_argument(format!(
            "grpc-timeout is \"{found}\"; expected digits and a unit, such as 30S"
        ))
    };
    let text = value.to_str().map_err(|_| wrong())?;
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    Ok(Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return Err(wrong()),
    }))
}

/// The HTTP response that carries an answer.
pub(super) fn response(answer: Answer) -> Response<tonic::body::Body> {
    // A status without a message travels in the headers alone.
    let message = match answer {
        Ok(message) => message,
        Err(status) => return status.into_http(),
    };
    let Ok(length) = u32::try_from(message.len()) else {
        return Status::resource_exhausted("the answer is longer than 4 GiB: ask for less").into_http();
    };
    let small = message.len() <= SMALL;
    let mut head = BytesMut::with_capacity(PREFIX + if small { message.len() } else { 0 });
    head.put_u8(0);
    head.put_u32(length);
    let rest = if small {
        head.extend_from_slice(&message);
        None
    } else {
        Some(message)
    };
    let body = Frames { head: Some(head.freeze()), rest, ended: false };
    let mut response = Response::new(tonic::body::Body::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A message, and the trailers of a call that went well.
struct Frames {
    head: Option<Bytes>,
    rest: Option<Bytes>,
    ended: bool,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.head.take().or_else(|| self.rest.take());
        if let Some(data) = next {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::Write as _;

    use super::*;

    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    async fn read(pieces: &[&[u8]], encoding: Option<&'static str>) -> Result<Vec<u8>, String> {
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert("grpc-encoding", HeaderValue::from_static(encoding));
        }
        let body = Pieces(pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect());
        let memory = Arc::new(Semaphore::new(1 << 20));
        match read_message(body, &headers, 50_000, &memory).await {
            Ok(message) => Ok(message.bytes.to_vec()),
            Err(status) => Err(format!("{:?}: {}", status.code(), status.message())),
        }
    }

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let mut framed = vec![flag];
        framed.extend((message.len() as u32).to_be_bytes());
        framed.extend(message);
        framed
    }

    #[tokio::test]
    async fn a_message_is_read_however_it_is_cut() {
        let long = framed(0, &vec![7; 40_000]);
        for cut in [0, 1, 4, 5, 6, 20_000, 40_005] {
            let (one, two) = long.split_at(cut);
            assert_eq!(read(&[one, two], None).await.unwrap().len(), 40_000, "{cut}");
        }
        assert_eq!(read(&[&framed(0, b"")], None).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn what_is_not_one_whole_message_is_refused() {
        for bad in [b"".as_slice(), b"\0\0\0", b"\0\0\0\0\x03ab"] {
            assert_eq!(read(&[bad], None).await.unwrap_err(), "Internal: the request has no whole message");
        }
        let error = read(&[&framed(0, b"ab"), &framed(0, b"c")], None).await.unwrap_err();
        assert_eq!(error, "Internal: the request has more than one message");
        let error = read(&[b"\0\0\0\xc3\x51"], None).await.unwrap_err();
        assert_eq!(error, "ResourceExhausted: Received message larger than max (50001 vs. 50000)");
    }

    #[tokio::test]
    async fn gzip_is_read_up_to_the_limit() {
        let zip = |message: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(message).unwrap();
            framed(1, &encoder.finish().unwrap())
        };
        assert_eq!(read(&[&zip(b"hello")], Some("gzip")).await.unwrap(), b"hello");
        let bomb = read(&[&zip(&vec![0; 10 << 20])], Some("gzip")).await.unwrap_err();
        assert_eq!(bomb, "ResourceExhausted: Received message larger than max (50001 vs. 50000)");
        let broken = read(&[&framed(1, b"hello")], Some("gzip")).await.unwrap_err();
        assert!(broken.starts_with("Internal: the message is no gzip"), "{broken}");
        let unknown = read(&[&framed(1, b"hello")], Some("snappy")).await.unwrap_err();
        assert!(unknown.starts_with("Unimplemented: messages compressed by snappy"), "{unknown}");
        assert!(read(&[&framed(1, b"hello")], None).await.unwrap_err().starts_with("Internal"));
    }

    #[test]
    fn a_deadline_is_digits_and_a_unit() {
        let check = |text: &'static str| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-timeout"),
                HeaderValue::from_static(text),
            )]);
            timeout(&headers).map_err(|status| status.code())
        };
        assert_eq!(timeout(&HeaderMap::new()).unwrap(), None);
        assert_eq!(check("2H"), Ok(Some(Duration::from_secs(7200))));
        assert_eq!(check("3M"), Ok(Some(Duration::from_secs(180))));
        assert_eq!(check("30S"), Ok(Some(Duration::from_secs(30))));
        assert_eq!(check("99999999m"), Ok(Some(Duration::from_millis(99_999_999))));
        assert_eq!(check("1u"), Ok(Some(Duration::from_micros(1))));
        assert_eq!(check("1n"), Ok(Some(Duration::from_nanos(1))));
        for bad in ["", "S", "1", "-1S", "1X", "123456789S", "1 S", "1.5S"] {
            assert_eq!(check(bad), Err(tonic::Code::InvalidArgument), "{bad}");
        }
    }
}
