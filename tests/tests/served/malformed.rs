//! Requests that are not as they should be: each has its code and its words, none harms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tonic::Code;
use xos_core::EmbeddedCore;
use xos_sync_tests::ours::{ADMIN, OurServer, PASSWORD};
use xos_sync_tests::raw::{RawClient, basic};

struct World {
    server: OurServer,
    client: RawClient,
    admin: String,
}

impl World {
    async fn new() -> Self {
        let server = OurServer::start(EmbeddedCore::in_memory().unwrap()).await.unwrap();
        let client = server.raw().unwrap();
        World { server, client, admin: basic(&format!("{ADMIN}:{PASSWORD}")) }
    }

    /// The code of a call as admin, and its details.
    async fn call(&self, path: &str, metadata: &[(&str, &str)], message: &[u8]) -> (Code, String) {
        let mut all = vec![("authorization", self.admin.as_str())];
        all.extend_from_slice(metadata);
        match self.client.bytes(path, &all, Bytes::copy_from_slice(message)).await {
            Ok(_) => (Code::Ok, String::new()),
            Err(status) => (status.code(), status.message().to_owned()),
        }
    }

    async fn still_works(&self) {
        assert_eq!(self.call("/xos.xos/ListSite", &[], b"").await.0, Code::Ok);
        assert_eq!(self.call("/xos.utility/AuthenticatedNoOp", &[], b"").await.0, Code::Ok);
    }
}

/// A field of a message: its number, its wire type, its bytes.
fn part(number: u8, wire_type: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | wire_type];
    out.extend_from_slice(bytes);
    out
}

fn text(number: u8, text: &[u8]) -> Vec<u8> {
    part(number, 2, &[&[text.len() as u8], text].concat())
}

#[tokio::test]
async fn methods_that_there_are_none_of() {
    let world = World::new().await;
    for path in [
        "/xos.xos/GetNothing",
        "/xos.xos/getsite",
        "/xos.xos/Get",
        "/xos.xos/PurgeSite",
        "/xos.xos/GetXOSBase",
        "/xos.nothing/GetSite",
        "/xos.utility/Nothing",
        "/xos.dynamicload/Nothing",
        "/xos.modeldefs/Nothing",
        "/schema.SchemaService/Nothing",
        "/xos_sync.Engine/Explain",
        "/nothing",
        "/a/b/c",
        "/",
    ] {
        let (code, details) = world.call(path, &[], b"").await;
        assert_eq!((code, details.as_str()), (Code::Unimplemented, "Method not found!"), "{path}");
    }
    world.still_works().await;
}

#[tokio::test]
async fn messages_that_are_none() {
    let world = World::new().await;
    let messages: [&[u8]; 9] = [
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x0a\x05ab",
        b"\x08",
        b"\x00\x01",
        b"\x0f",
        // A group that does not end, and one that was not begun.
        b"\x0b",
        b"\x0c",
        // A length of 2^64 - 1.
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        // Half a number of eight bytes.
        b"\x09\x00\x00",
    ];
    for path in [
        "/xos.xos/GetSite",
        "/xos.xos/CreateSite",
        "/xos.xos/UpdateSite",
        "/xos.xos/DeleteSite",
        "/xos.xos/FilterSite",
        "/xos.xos/ListSite",
        "/xos.utility/Login",
        "/xos.utility/SetDirtyModels",
        "/xos.dynamicload/LoadModels",
        "/xos.dynamicload/UnloadModels",
        "/schema.SchemaService/GetSchema",
        "/xos.modeldefs/ListModelDefs",
    ] {
        for message in messages {
            let (code, details) = world.call(path, &[], message).await;
            assert_eq!(code, Code::InvalidArgument, "{path} {message:x?}: {details}");
            assert!(details.starts_with("the request cannot be read: "), "{path} {message:x?}: {details}");
        }
    }
    world.still_works().await;
}

#[tokio::test]
async fn fields_of_another_type_and_texts_that_are_none() {
    let world = World::new().await;
    for (path, message) in [
        // id = 1 is an int32.
        ("/xos.xos/GetSite", text(1, b"1")),
        ("/xos.xos/UpdateSite", part(1, 1, &[0; 8])),
        // kind = 1 is an enum, elements = 2 are messages.
        ("/xos.xos/FilterSite", text(1, b"x")),
        ("/xos.xos/FilterSite", part(2, 0, &[1])),
        ("/xos.xos/FilterSite", text(2, &text(3, b"\xff\xfe"))),
        ("/xos.utility/Login", text(1, b"\xff\xfe")),
        ("/xos.dynamicload/LoadModels", text(1, b"\xc3\x28")),
    ] {
        let (code, details) = world.call(path, &[], &message).await;
        // protobuf takes a field of another type for an unknown one; what is no text is no message.
        assert!(
            matches!(
                code,
                Code::Ok | Code::InvalidArgument | Code::NotFound | Code::Unknown | Code::Unauthenticated
            ),
            "{path} {message:x?}: {code:?} {details}"
        );
        assert!(!details.contains("panicked"), "{details}");
        if message.contains(&0xff) || message.contains(&0xc3) {
            assert_eq!(code, Code::InvalidArgument, "{path} {message:x?}: {details}");
        }
    }
    world.still_works().await;
}

#[tokio::test]
async fn unknown_fields_are_left_alone() {
    let world = World::new().await;
    for unknown in [part(15, 0, &[1]), text(15, b"x"), part(15, 5, &[0; 4]), part(15, 1, &[0; 8])] {
        for (path, message) in [
            ("/xos.xos/GetSite", part(1, 0, &[1])),
            ("/xos.xos/ListSite", Vec::new()),
            ("/xos.xos/FilterSite", part(1, 0, &[1])),
            ("/schema.SchemaService/GetSchema", Vec::new()),
        ] {
            let (code, details) = world.call(path, &[], &[message, unknown.clone()].concat()).await;
            assert_eq!(code, Code::Ok, "{path} {unknown:x?}: {details}");
        }
    }
}

#[tokio::test]
async fn questions_that_mean_nothing() {
    let world = World::new().await;
    let element = |parts: &[Vec<u8>]| text(2, &parts.concat());
    let name = |name: &str| text(3, name.as_bytes());
    for (what, query, code) in [
        ("no such field", element(&[name("nmae"), text(4, b"x")]), Code::Unknown),
        ("no value", element(&[name("name")]), Code::Unknown),
        ("no name", element(&[text(4, b"x")]), Code::Unknown),
        // Which a core 4.0.4 fails at.
        ("no elements", Vec::new(), Code::Ok),
        ("a pattern that is none", element(&[part(1, 0, &[8]), name("name"), text(4, b"(")]), Code::Unknown),
        (
            "an operator that there is none of",
            element(&[part(1, 0, &[99]), name("name"), text(4, b"x")]),
            Code::Unknown,
        ),
        ("a kind that there is none of", part(1, 0, &[9]), Code::Unknown),
        ("an id that is none", element(&[name("id"), text(4, b"x")]), Code::Unknown),
        ("a path through no link", element(&[name("name__name"), text(4, b"x")]), Code::Unknown),
        (
            "a path without end",
            element(&[name("users__site__users__site__users__nothing"), text(4, b"x")]),
            Code::Unknown,
        ),
    ] {
        let (found, details) = world.call("/xos.xos/FilterSite", &[], &query).await;
        assert_eq!(found, code, "{what}: {details}");
        assert!(
            (code == Code::Ok) == details.is_empty() && !details.contains("panicked"),
            "{what}: {details}"
        );
    }
    world.still_works().await;
}

#[tokio::test]
async fn credentials_and_metadata_that_are_none() {
    let world = World::new().await;
    let client = &world.client;
    let long = "x".repeat(20_000);
    for (header, value, expected) in [
        ("authorization", "Basic".to_owned(), None),
        ("authorization", "Basic ".to_owned(), None),
        ("authorization", "Basic !!!".to_owned(), None),
        ("authorization", format!("Basic {}", STANDARD.encode("no colon")), None),
        ("authorization", format!("Basic {}", STANDARD.encode(b"\xff\xfe:\xff")), None),
        ("authorization", format!("Basic {}", STANDARD.encode(format!("{ADMIN}:{long}"))), None),
        ("authorization", basic("nobody@example.com:letmein"), Some(Code::PermissionDenied)),
        ("authorization", basic(&format!("{ADMIN}:wrong")), Some(Code::PermissionDenied)),
        ("authorization", "Bearer x".to_owned(), None),
        ("x-xossession", "deadbeef".to_owned(), Some(Code::PermissionDenied)),
        ("x-xossession", long.clone(), Some(Code::PermissionDenied)),
    ] {
        let status = client.bytes("/xos.xos/ListSite", &[(header, &value)], Bytes::new()).await.unwrap_err();
        let shown: String = value.chars().take(60).collect();
        assert!(
            matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated | Code::Unknown),
            "{header} {shown}: {status:?}"
        );
        assert!(expected.is_none_or(|code| code == status.code()), "{header} {shown}: {status:?}");
        assert!(!status.message().contains("wrong") && !status.message().contains("letmein"), "{status:?}");
    }
    let site = part(1, 0, &[1]);
    for (header, value, code) in [
        ("update_fields", "no_such_field", Code::Unknown),
        ("update_fields", "", Code::Unknown),
        ("update_fields", "name, site_url", Code::Unknown),
        ("update_fields", "name,,site_url", Code::Unknown),
        ("caller_kind", "nobody that is known", Code::Ok),
        ("always_update_timestamp", "what", Code::Ok),
    ] {
        let (found, details) = world.call("/xos.xos/UpdateSite", &[(header, value)], &site).await;
        assert_eq!(found, code, "{header}: {value}: {details}");
    }
    world.still_works().await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_told_how_long_it_may_be() {
    let world = World::new().await;
    for size in [(4 << 20) + 1, 5_242_881] {
        for path in ["/xos.xos/CreateSite", "/xos.dynamicload/LoadModels"] {
            let (code, details) = world.call(path, &[], &vec![0; size]).await;
            assert_eq!(code, Code::ResourceExhausted, "{details}");
            assert_eq!(details, format!("Received message larger than max ({size} vs. 4194304)"));
        }
    }
    let answer = world.client.bytes("/xos.utility/NoOp", &[], Bytes::new()).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert!(world.server.serving.tcp_address().is_some());
    world.still_works().await;
}
