//! A core, its server on a Unix socket, and clients of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};
use xos_core::server::__wire::{Given, Table};
use xos_core::server::{Server, Serving};
use xos_core::{EmbeddedCore, Options, Reap};
use xos_model_client::grpc::__wire::{Reader, WireType, put_bool, put_bytes, put_int32, put_text};
use xos_model_client::grpc::{CoreClient, CoreOptions};
use xos_model_client::{
    Caller, FieldPos, Guard, ModelAccessor as _, ObjectId, Op, Record, Target, Timestamp, Value, Write,
};

use crate::raw;

pub(crate) struct Lab {
    pub(crate) core: EmbeddedCore,
    pub(crate) server: Serving,
    pub(crate) channel: Channel,
    folder: tempfile::TempDir,
}

/// Fields by name.
pub(crate) type Fields<'a> = &'a [(&'a str, Value)];

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn link(id: i32) -> Value {
    Value::Link(ObjectId::new(id))
}

pub(crate) fn links(ids: &[i32]) -> Value {
    Value::Links(ids.iter().copied().map(ObjectId::new).collect())
}

/// A message with an id.
pub(crate) fn id_message(id: i32) -> Bytes {
    let mut out = Vec::new();
    put_int32(&mut out, 1, id);
    out.into()
}

/// A `Query` message: its kind, and operator, name and value of its elements.
pub(crate) fn query(kind: i32, elements: &[(i32, &str, Value)]) -> Bytes {
    let mut out = Vec::new();
    put_int32(&mut out, 1, kind);
    for (operator, name, value) in elements {
        let mut element = Vec::new();
        put_int32(&mut element, 1, *operator);
        put_bool(&mut element, 2, false);
        put_text(&mut element, 3, name);
        match value {
            Value::Text(text) => put_text(&mut element, 4, text),
            Value::Int(number) => put_int32(&mut element, 5, *number as i32),
            other => panic!("{other:?}"),
        }
        put_bytes(&mut out, 2, &element);
    }
    out.into()
}

impl Lab {
    pub(crate) async fn new() -> Self {
        // Each question for the time gets a later one, so that a time that moved is told from one that did not.
        let ticks = Arc::new(AtomicU64::new(1_700_000_000));
        let clock = Arc::new(move || Timestamp::from_seconds(ticks.fetch_add(1, Ordering::SeqCst) as f64));
        let options = Options { reap: Reap::Manual, clock, ..Options::default() };
        let core = EmbeddedCore::in_memory_with(options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(core.clone())
            .unix(folder.path().join("s"))
            .tcp(([127, 0, 0, 1], 0).into())
            .start()
            .await
            .unwrap();
        let channel = raw::connect_unix(server.unix_path().unwrap()).await;
        Lab { core, server, channel, folder }
    }

    /// A client of the server.
    pub(crate) async fn client(&self) -> CoreClient {
        let path = self.folder.path().join("s");
        let client = CoreClient::new(CoreOptions::new(format!("unix:{}", path.display()))).unwrap();
        client.ready().await.unwrap();
        client
    }

    /// Makes a call of `xos.xos`.
    pub(crate) async fn call(
        &self,
        method: &str,
        metadata: &[(&str, &str)],
        message: impl Into<Bytes>,
    ) -> Result<Bytes, Status> {
        let mut request = Request::new(message.into());
        for (key, value) in metadata {
            let key = MetadataKey::from_bytes(key.as_bytes()).unwrap();
            request.metadata_mut().insert(key, MetadataValue::try_from(*value).unwrap());
        }
        let mut grpc = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(1 << 30);
        grpc.ready().await.unwrap();
        let path = http::uri::PathAndQuery::try_from(format!("/xos.xos/{method}")).unwrap();
        grpc.unary(request, path, raw::Raw).await.map(tonic::Response::into_inner)
    }

    fn table(&self, model: &str) -> Table {
        let schema = self.core.schema();
        Table::new(&schema, schema.model(model).unwrap())
    }

    /// The message of an object with these fields.
    pub(crate) fn message(&self, model: &str, fields: Fields<'_>) -> Vec<u8> {
        let schema = self.core.schema();
        let shape = &schema.model(model).unwrap().shape;
        let mut values = vec![Value::Null; shape.fields().len()];
        for (name, value) in fields {
            values[shape.position(name).unwrap()] = value.clone();
        }
        let mut out = Vec::new();
        self.table(model).put(&mut out, &values, &[]);
        // Of a password the server's own codec tells nothing.
        if let Some(word) =
            fields.iter().find(|(name, _)| *name == "password").and_then(|(_, it)| it.as_text())
        {
            put_text(&mut out, schema.model(model).unwrap().field("password").unwrap().wire_number, word);
        }
        out
    }

    /// The fields of a message, with its id among them.
    pub(crate) fn read(&self, model: &str, bytes: &[u8]) -> Seen {
        let names: Vec<String> = self
            .core
            .schema()
            .model(model)
            .unwrap()
            .fields
            .iter()
            .map(|it| it.def.name.to_string())
            .collect();
        let given = self.table(model).read(bytes).unwrap();
        Seen { names, given, bytes: bytes.to_vec() }
    }

    pub(crate) fn items(&self, model: &str, bytes: &[u8]) -> Vec<Seen> {
        let mut found = Vec::new();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire_type)) = reader.tag().unwrap() {
            assert_eq!((number, wire_type), (1, WireType::Bytes));
            found.push(self.read(model, reader.bytes().unwrap()));
        }
        found
    }

    pub(crate) async fn create(&self, model: &str, fields: Fields<'_>) -> Result<i32, Status> {
        let answer = self.call(&format!("Create{model}"), &[], self.message(model, fields)).await?;
        Ok(self.read(model, &answer).given.id)
    }

    pub(crate) async fn get(&self, model: &str, id: i32) -> Result<Seen, Status> {
        let answer = self.call(&format!("Get{model}"), &[], id_message(id)).await?;
        Ok(self.read(model, &answer))
    }

    pub(crate) async fn update(
        &self,
        model: &str,
        metadata: &[(&str, &str)],
        id: i32,
        fields: Fields<'_>,
    ) -> Result<Seen, Status> {
        let mut message = id_message(id).to_vec();
        message.extend(self.message(model, fields));
        let answer = self.call(&format!("Update{model}"), metadata, message).await?;
        Ok(self.read(model, &answer))
    }

    pub(crate) async fn filter(
        &self,
        model: &str,
        kind: i32,
        elements: &[(i32, &str, Value)],
    ) -> Result<Vec<i32>, Status> {
        let answer = self.call(&format!("Filter{model}"), &[], query(kind, elements)).await?;
        Ok(self.items(model, &answer).iter().map(|seen| seen.given.id).collect())
    }

    /// Writes in process, and the object afterwards.
    pub(crate) async fn write(&self, model: &str, target: Target, by: Caller, op: Op) -> Record {
        let shape = self.core.schema().model(model).unwrap().shape.clone();
        let write = Write { shape, target, op, by, guard: Guard::None };
        self.core.write(vec![write]).await.pop().unwrap().unwrap().record.unwrap()
    }

    pub(crate) fn fields(&self, model: &str, fields: Fields<'_>) -> Vec<(FieldPos, Value)> {
        let schema = self.core.schema();
        let shape = &schema.model(model).unwrap().shape;
        fields
            .iter()
            .map(|(name, value)| (shape.position(name).unwrap() as FieldPos, value.clone()))
            .collect()
    }
}

/// An object as a message tells it.
#[derive(Debug)]
pub(crate) struct Seen {
    names: Vec<String>,
    pub(crate) given: Given,
    bytes: Vec<u8>,
}

impl Seen {
    pub(crate) fn value(&self, name: &str) -> Value {
        let at = self.names.iter().position(|known| known == name).unwrap();
        let found = self.given.fields.iter().find(|(field, _)| usize::from(*field) == at);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The numbers in a field that is no field of the model, such as a way back.
    pub(crate) fn ids(&self, number: u16) -> Vec<i32> {
        let mut found = Vec::new();
        let mut reader = Reader::new(&self.bytes);
        while let Some((at, wire_type)) = reader.tag().unwrap() {
            if at != u32::from(number) {
                reader.skip(at, wire_type).unwrap();
                continue;
            }
            let packed = reader.bytes().unwrap();
            let mut list = Reader::new(packed);
            while list.offset() < packed.len() {
                found.push(list.varint().unwrap() as i32);
            }
        }
        found
    }

    pub(crate) fn text(&self, number: u16) -> String {
        let mut reader = Reader::new(&self.bytes);
        while let Some((at, wire_type)) = reader.tag().unwrap() {
            if at == u32::from(number) {
                return String::from_utf8(reader.bytes().unwrap().to_vec()).unwrap();
            }
            reader.skip(at, wire_type).unwrap();
        }
        String::new()
    }
}
