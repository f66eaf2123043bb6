//! A raw client: messages by name, metadata by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BufMut as _, Bytes};
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use xos_sync_tests::stand_in::StandIn;

/// Messages as the bytes they are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raw;

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

pub(crate) const ADMIN: &str = "admin@opencord.org:letmein";

pub(crate) fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

/// A client of a stand-in, or of anything that listens at an address.
#[derive(Clone)]
pub(crate) struct RawClient {
    channel: Channel,
}

/// What came of a call.
pub(crate) type Outcome = Result<Bytes, Status>;

impl RawClient {
    pub(crate) fn to(uri: &str) -> Self {
        let endpoint = Endpoint::from_shared(uri.to_owned()).unwrap();
        RawClient { channel: endpoint.connect_timeout(Duration::from_secs(5)).connect_lazy() }
    }

    pub(crate) fn of(channel: Channel) -> Self {
        RawClient { channel }
    }

    /// A call with nothing but what is given.
    pub(crate) async fn bytes(&self, path: &str, metadata: &[(&str, &str)], message: Bytes) -> Outcome {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone())
            .max_decoding_message_size(64 << 20)
            .max_encoding_message_size(64 << 20);
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(message);
        for (key, value) in metadata {
            let key = MetadataKey::from_bytes(key.as_bytes()).unwrap();
            request.metadata_mut().insert(key, MetadataValue::try_from(*value).unwrap());
        }
        let path = http::uri::PathAndQuery::try_from(path).unwrap();
        Ok(grpc.unary(request, path, Raw).await?.into_inner())
    }

    /// A call as admin.
    pub(crate) async fn call(&self, path: &str, metadata: &[(&str, &str)], message: Bytes) -> Outcome {
        let basic = basic(ADMIN);
        let mut all = vec![("authorization", basic.as_str())];
        all.extend_from_slice(metadata);
        self.bytes(path, &all, message).await
    }
}

/// The fields of a message, by name.
pub(crate) type Fields = BTreeMap<String, Value>;

/// A stand-in, and a raw client of it.
pub(crate) struct Pair {
    pub(crate) core: StandIn,
    pub(crate) client: RawClient,
    /// Whether models were loaded or unloaded since it was last seen to come back.
    pub(crate) is_due_to_restart: bool,
}

pub(crate) fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub(crate) fn ids(ids: &[i32]) -> Value {
    Value::List(ids.iter().copied().map(Value::I32).collect())
}

impl Pair {
    pub(crate) async fn new() -> Self {
        Self::of(super::models::started().await)
    }

    pub(crate) fn of(core: StandIn) -> Self {
        let client = RawClient::to(&core.uri());
        Pair { core, client, is_due_to_restart: false }
    }

    /// Forgets a connection that may be gone.
    pub(crate) fn connect_anew(&mut self) {
        self.client = RawClient::to(&self.core.uri());
    }

    /// A message of a model with these fields set.
    pub(crate) fn message(&self, model: &str, fields: &[(&str, Value)]) -> Bytes {
        let mut message = self.core.descriptors().new_message(model).unwrap();
        for (name, value) in fields {
            message.set_field_by_name(name, value.clone());
        }
        message.encode_to_vec().into()
    }

    pub(crate) fn fields(&self, model: &str, bytes: &Bytes) -> Fields {
        let descriptor = self.core.descriptors().message(&format!("xos.{model}")).unwrap();
        let message = DynamicMessage::decode(descriptor, bytes.clone()).unwrap();
        message.fields().map(|(field, value)| (field.name().to_owned(), value.clone())).collect()
    }

    pub(crate) async fn create(&self, model: &str, fields: &[(&str, Value)]) -> Result<Fields, Status> {
        let message = self.message(model, fields);
        let answer = self.client.call(&format!("/xos.xos/Create{model}"), &[], message).await?;
        Ok(self.fields(model, &answer))
    }

    pub(crate) async fn update(
        &self,
        model: &str,
        metadata: &[(&str, &str)],
        fields: &[(&str, Value)],
    ) -> Result<Fields, Status> {
        let message = self.message(model, fields);
        let answer = self.client.call(&format!("/xos.xos/Update{model}"), metadata, message).await?;
        Ok(self.fields(model, &answer))
    }

    pub(crate) async fn get(&self, model: &str, id: i32) -> Result<Fields, Status> {
        let message = self.message("ID", &[("id", Value::I32(id))]);
        let answer = self.client.call(&format!("/xos.xos/Get{model}"), &[], message).await?;
        Ok(self.fields(model, &answer))
    }

    pub(crate) async fn delete(&self, model: &str, id: i32) -> Result<(), Status> {
        let message = self.message("ID", &[("id", Value::I32(id))]);
        self.client.call(&format!("/xos.xos/Delete{model}"), &[], message).await.map(|_| ())
    }

    pub(crate) async fn list(&self, model: &str) -> Result<Vec<Fields>, Status> {
        let answer = self.client.call(&format!("/xos.xos/List{model}"), &[], Bytes::new()).await?;
        Ok(self.items(model, &answer))
    }

    pub(crate) async fn of_kind(&self, model: &str, kind: i32) -> Result<Vec<Fields>, Status> {
        let query = self.message("Query", &[("kind", Value::EnumNumber(kind))]);
        let answer = self.client.call(&format!("/xos.xos/Filter{model}"), &[], query).await?;
        Ok(self.items(model, &answer))
    }

    fn items(&self, model: &str, bytes: &Bytes) -> Vec<Fields> {
        let list = self.fields(&format!("{model}s"), bytes);
        let items = list.get("items").and_then(|items| items.as_list().map(<[Value]>::to_vec));
        let items = items.unwrap_or_default();
        let fields = |item: &Value| {
            let message = item.as_message().unwrap();
            message.fields().map(|(field, value)| (field.name().to_owned(), value.clone())).collect()
        };
        items.iter().map(fields).collect()
    }

    /// A service and one instance of it; the instance's id.
    pub(crate) async fn instance(&self) -> i32 {
        self.create("HelloWorldService", &[("name", text("hello")), ("hello_from", text("Jon"))])
            .await
            .unwrap();
        let fields = [("name", text("one")), ("hello_to", text("Arya"))];
        id(&self.create("HelloWorldServiceInstance", &fields).await.unwrap())
    }
}

pub(crate) fn id(fields: &Fields) -> i32 {
    fields["id"].as_i32().unwrap()
}

pub(crate) fn told(status: &Status) -> String {
    format!("{:?} {}", status.code(), status.message())
}
