//! A raw client: messages by name, metadata by hand.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use tonic::Status;
use tonic::transport::Channel;
use xos_sync_tests::raw;
pub(crate) use xos_sync_tests::raw::{Outcome, basic};
use xos_sync_tests::stand_in::StandIn;

pub(crate) const ADMIN: &str = "admin@opencord.org:letmein";

/// A client of a stand-in, or of anything that listens at an address.
#[derive(Clone)]
pub(crate) struct RawClient(raw::RawClient);

impl RawClient {
    pub(crate) fn to(uri: &str) -> Self {
        RawClient(raw::RawClient::to(uri).unwrap())
    }

    pub(crate) fn of(channel: Channel) -> Self {
        RawClient(raw::RawClient::of(channel))
    }

    /// A call with nothing but what is given.
    pub(crate) async fn bytes(&self, path: &str, metadata: &[(&str, &str)], message: Bytes) -> Outcome {
        self.0.bytes(path, metadata, message).await
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
