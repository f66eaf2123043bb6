//! The served protobuf, against what a real core served.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use bytes::Bytes;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor, Value,
};
use xos_sync_tests::{skipped, workspace};

use super::client::{Pair, RawClient};

/// The pool of a `GetSchema` answer, made of what it holds itself.
fn pool_of(core: &Pair, answer: &[u8]) -> (DescriptorPool, Vec<String>) {
    let descriptor = core.core.descriptors().message("schema.Schemas").unwrap();
    let schemas = DynamicMessage::decode(descriptor, answer).unwrap();
    let mut pool = DescriptorPool::new();
    let mut names = Vec::new();
    for file in schemas.get_field_by_name("protos").unwrap().as_list().unwrap() {
        let file = file.as_message().unwrap();
        names.push(file.get_field_by_name("file_name").unwrap().as_str().unwrap().to_owned());
        assert!(file.get_field_by_name("proto").unwrap().as_str().unwrap().contains("proto3"));
        let packed = file.get_field_by_name("descriptor").unwrap().as_bytes().unwrap().clone();
        let mut set = Vec::new();
        flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut set).unwrap();
        pool.decode_file_descriptor_set(set.as_slice()).unwrap();
    }
    (pool, names)
}

fn described(field: &FieldDescriptor) -> (u32, String, String, BTreeMap<String, String>) {
    let mut options: BTreeMap<String, String> = field
        .options()
        .extensions()
        .map(|(extension, value)| (extension.name().to_owned(), sorted(value)))
        .collect();
    // The recordings' hello-world says `null = False` in so many words; a schema only knows "required".
    if let Some(rule) = options.get_mut("val") {
        *rule = rule.replace("nonNull: Bool(true),", "");
        if rule.is_empty() {
            options.remove("val");
        }
    }
    let oneof = field.containing_oneof().map(|oneof| oneof.name().to_owned()).unwrap_or_default();
    let kind = format!("{:?} {:?}", field.cardinality(), field.kind());
    (field.number(), kind, oneof, options)
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Message(message) => {
            let mut text = String::new();
            for (field, value) in message.fields() {
                let _ = write!(text, "{}: {value:?},", field.name());
            }
            text
        }
        other => format!("{other:?}"),
    }
}

/// The fields of two messages that differ, and how many are equal.
fn differences(ours: &MessageDescriptor, theirs: &MessageDescriptor) -> (usize, Vec<String>) {
    let (mut equal, mut different) = (0, Vec::new());
    for field in theirs.fields() {
        match ours.get_field_by_name(field.name()) {
            None => different.push(format!("{} is missing", field.full_name())),
            Some(our) if described(&our) == described(&field) => equal += 1,
            Some(our) => different.push(format!(
                "{}: {:?}, here {:?}",
                field.full_name(),
                described(&field),
                described(&our)
            )),
        }
    }
    let surplus = ours.fields().filter(|field| theirs.get_field_by_name(field.name()).is_none());
    different.extend(surplus.map(|field| format!("{} is there here only", field.full_name())));
    let option = |message: &MessageDescriptor| -> Vec<String> {
        message.options().extensions().map(|(it, value)| format!("{} {value:?}", it.name())).collect()
    };
    if option(ours) != option(theirs) {
        different.push(format!("{}: {:?}, here {:?}", ours.full_name(), option(theirs), option(ours)));
    }
    (equal, different)
}

/// Where clients of REST find a method.
fn rest(method: &MethodDescriptor) -> Vec<String> {
    method.options().extensions().map(|(it, value)| format!("{} {}", it.full_name(), sorted(value))).collect()
}

#[tokio::test]
async fn it_serves_the_protobuf_that_the_real_core_served() {
    let pair = Pair::new().await;
    let recorded = workspace().join("../shared/wire/GetSchema.response.bin");
    let Ok(recorded) = std::fs::read(recorded) else {
        return skipped("../shared/wire/GetSchema.response.bin is not there to compare with");
    };
    let answer = pair.client.bytes("/schema.SchemaService/GetSchema", &[], Bytes::new()).await.unwrap();
    let schemas = |bytes: &[u8]| {
        let descriptor = pair.core.descriptors().message("schema.Schemas").unwrap();
        let mut message = DynamicMessage::decode(descriptor, bytes).unwrap();
        message.clear_field_by_name("protos");
        message
    };
    assert_eq!(schemas(&answer), schemas(&recorded));
    let (ours, our_names) = pool_of(&pair, &answer);
    let (theirs, their_names) = pool_of(&pair, &recorded);
    assert_eq!(our_names, their_names);
    let (mut messages, mut fields, mut different) = (0, 0, Vec::new());
    for message in theirs.all_messages().filter(|message| message.package_name() == "xos") {
        let Some(our) = ours.get_message_by_name(message.full_name()) else {
            different.push(format!("{} is missing", message.full_name()));
            continue;
        };
        let (equal, differs) = differences(&our, &message);
        fields += equal;
        messages += usize::from(differs.is_empty());
        different.extend(differs);
    }
    let surplus = ours.all_messages().filter(|message| {
        message.package_name() == "xos" && theirs.get_message_by_name(message.full_name()).is_none()
    });
    different.extend(surplus.map(|message| format!("{} is there here only", message.full_name())));
    let mut methods = 0;
    for service in theirs.services().filter(|service| service.package_name() == "xos") {
        let our = ours.get_service_by_name(service.full_name()).unwrap();
        for method in service.methods() {
            let found = our.methods().find(|found| found.name() == method.name()).unwrap();
            assert_eq!(found.input().full_name(), method.input().full_name());
            assert_eq!(found.output().full_name(), method.output().full_name());
            assert_eq!(rest(&found), rest(&method), "{}", method.full_name());
            methods += 1;
        }
        assert_eq!(our.methods().len(), service.methods().len());
    }
    println!("{messages} messages, {fields} fields, {methods} methods are equal; {} differ", different.len());
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(messages > 70 && fields > 1000 && methods > 200);
}

#[tokio::test]
async fn a_client_can_build_messages_from_what_is_served() {
    let pair = Pair::new().await;
    let answer = pair.client.bytes("/schema.SchemaService/GetSchema", &[], Bytes::new()).await.unwrap();
    let (pool, names) = pool_of(&pair, &answer);
    assert_eq!(names[0], "xos.proto");
    let model = pool.get_message_by_name("xos.HelloWorldServiceInstance").unwrap();
    assert_eq!(model.get_field_by_name("hello_to").unwrap().number(), 201);
    assert_eq!(model.get_field_by_name("owner_id").unwrap().number(), 102);
    assert_eq!(model.get_field_by_name("provided_links_ids").unwrap().number(), 1003);
    assert_eq!(model.get_field_by_name("class_names").unwrap().number(), 2046);
    assert!(pool.get_message_by_name("xos.XOSBase").is_none());
    assert!(pool.get_message_by_name("xos.ServiceDependencys").is_some());
}

#[tokio::test]
async fn it_tells_its_files_by_reflection_too() {
    use tonic_reflection::pb::v1alpha::ServerReflectionRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse;

    let pair = Pair::new().await;
    let channel = tonic::transport::Endpoint::from_shared(pair.core.uri()).unwrap().connect_lazy();
    let mut client = ServerReflectionClient::new(channel);
    let ask = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let answers = client.server_reflection_info(futures_util::stream::iter([request])).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let names: Vec<String> = services.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"xos.xos".to_owned()) && names.contains(&"xos.utility".to_owned()), "{names:?}");
}

#[tokio::test]
async fn it_speaks_tls_with_the_name_of_a_core() {
    use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

    let pair = Pair::new().await;
    for name in ["xos-core", "127.0.0.1"] {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(pair.core.authority()))
            .domain_name(name);
        let endpoint = Endpoint::from_shared(pair.core.secure_uri()).unwrap().tls_config(tls).unwrap();
        let client = RawClient::of(endpoint.connect().await.unwrap());
        client.bytes("/xos.utility/NoOp", &[], Bytes::new()).await.unwrap();
    }
    assert_eq!(pair.core.count("NoOp"), 2);
}
