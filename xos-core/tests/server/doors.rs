//! Where a server listens, and how it ends.

use std::time::Duration;

use tonic::Code;
use xos_core::EmbeddedCore;
use xos_core::server::Server;

use crate::raw;

#[tokio::test]
async fn a_method_that_is_not_there_is_unimplemented_on_every_door() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("core.db.sock");
    let server = Server::new(EmbeddedCore::in_memory().unwrap())
        .unix(&socket)
        .tcp(([127, 0, 0, 1], 0).into())
        .start()
        .await
        .unwrap();
    let tcp = raw::connect(server.tcp_address().unwrap()).await;
    let unix = raw::connect_unix(server.unix_path().unwrap()).await;
    for channel in [tcp, unix] {
        for path in ["/xos.xos/GetNothing", "/no.such/Service", "/grpc.no.such/Service"] {
            let status = raw::call(&channel, path, "").await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{path}");
            assert_eq!(status.message(), "Method not found!", "{path}");
        }
    }
    server.stop(Duration::from_secs(5)).await;
    assert!(!socket.exists());
}
