//! A client that compresses what it sends, over a connection.

use bytes::Bytes;
use tonic::Code;
use xos_core::EmbeddedCore;
use xos_model_client::{ModelAccessor as _, Page, Query, Value};
use xos_sync_tests::ours::{ADMIN, OurServer, PASSWORD};
use xos_sync_tests::raw::basic;

/// A message with one text.
fn message(number: u16, text: &str) -> Bytes {
    use prost_reflect::prost::encoding::string;
    let mut out = Vec::new();
    string::encode(u32::from(number), &text.to_owned(), &mut out);
    out.into()
}

#[tokio::test]
async fn requests_by_gzip_are_read_up_to_the_limit_of_messages() {
    let server = OurServer::start(EmbeddedCore::in_memory().unwrap()).await.unwrap();
    let client = server.raw().unwrap().compressing();
    let admin = basic(&format!("{ADMIN}:{PASSWORD}"));
    let metadata = [("authorization", admin.as_str())];
    client.bytes("/xos.xos/ListSite", &metadata, Bytes::new()).await.unwrap();

    let model = server.core.schema().expect_model("Service").unwrap().clone();
    let number = |field: &str| model.field(field).unwrap().wire_number;
    let long = "a description, ".repeat(100_000);
    let request = [message(number("name"), "vpn"), message(number("description"), &long)].concat();
    client.bytes("/xos.xos/CreateService", &metadata, request.into()).await.unwrap();
    let found = server.core.find(&Query::live(model.shape.clone()), Page::first(10)).await.unwrap();
    assert_eq!(found.records.len(), 1);
    assert_eq!(found.records[0].get("description"), Some(&Value::Text(long)));

    // A few kilobytes that would become 64 MiB: nothing is read beyond the limit, and the connection goes on.
    let bomb = client.bytes("/xos.xos/CreateService", &metadata, vec![0; 60 << 20].into()).await.unwrap_err();
    assert_eq!(bomb.code(), Code::ResourceExhausted, "{bomb:?}");
    assert_eq!(bomb.message(), "Received message larger than max (4194305 vs. 4194304)");
    client.bytes("/xos.utility/AuthenticatedNoOp", &metadata, Bytes::new()).await.unwrap();
}
