//! Messages that are the same in every core, read and written by their declarations.

use bytes::Bytes;
use prost::Message;
use tonic::Status;

use super::call::{Answer, Call};
use super::status::malformed;

/// A message without fields.
#[allow(clippy::unnecessary_wraps, reason = "it is what a call is answered with")]
pub(super) fn empty() -> Answer {
    Ok(Bytes::new())
}

/// The request of a call.
///
/// # Errors
///
/// The status of a message that is no protobuf, or of another type.
pub(super) fn request<M: Message + Default>(call: &Call) -> Result<M, Status> {
    M::decode(call.message.clone()).map_err(malformed)
}

/// The answer with this message.
#[allow(clippy::unnecessary_wraps, reason = "it is what a call is answered with")]
pub(super) fn reply(message: &impl Message) -> Answer {
    Ok(message.encode_to_vec().into())
}
