//! A raw client: calls by their path, messages as bytes, metadata by hand.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::stand_in::BoxError;

/// What came of a call.
pub type Outcome = Result<Bytes, Status>;

/// A client of anything that speaks gRPC.
#[derive(Clone, Debug)]
pub struct RawClient {
    channel: Channel,
    compresses: bool,
}

impl RawClient {
    /// A client of whatever listens at a URI, such as `http://127.0.0.1:40001`. It connects with the first call.
    ///
    /// # Errors
    ///
    /// What is no URI.
    pub fn to(uri: &str) -> Result<Self, BoxError> {
        let endpoint = Endpoint::from_shared(uri.to_owned())?;
        Ok(RawClient {
            channel: endpoint.connect_timeout(Duration::from_secs(5)).connect_lazy(),
            compresses: false,
        })
    }

    /// A client by a channel.
    pub fn of(channel: Channel) -> Self {
        RawClient { channel, compresses: false }
    }

    /// The same client, which compresses all that it sends by gzip.
    pub fn compressing(self) -> Self {
        RawClient { compresses: true, ..self }
    }

    /// A call with nothing but what is given.
    ///
    /// # Errors
    ///
    /// What is answered; `INTERNAL` for a path or metadata that cannot be sent.
    pub async fn bytes(&self, path: &str, metadata: &[(&str, &str)], message: Bytes) -> Outcome {
        let unsendable = |what: &dyn std::fmt::Display| Status::internal(format!("cannot be sent: {what}"));
        let mut grpc = tonic::client::Grpc::new(self.channel.clone())
            .max_decoding_message_size(64 << 20)
            .max_encoding_message_size(64 << 20);
        if self.compresses {
            grpc =
                grpc.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
        }
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(message);
        for (key, value) in metadata {
            let key = MetadataKey::from_bytes(key.as_bytes()).map_err(|error| unsendable(&error))?;
            let value = MetadataValue::try_from(*value).map_err(|error| unsendable(&error))?;
            request.metadata_mut().insert(key, value);
        }
        let path = http::uri::PathAndQuery::try_from(path).map_err(|error| unsendable(&error))?;
        Ok(grpc.unary(request, path, Raw).await?.into_inner())
    }
}

/// What the metadata `authorization` says for `name:password`.
pub fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

/// Messages as the bytes they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;
    fn encoder(&mut self) -> Raw {
        Raw
    }
    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
