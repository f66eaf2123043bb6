//! Server reflection, in both versions.

use prost_reflect::DescriptorPool;
use tonic_reflection::pb;
use xos_model_client::models::core_models;
use xos_model_client::{LoadModels, ModelAccessor as _, ModelDef, Onboard, ServiceFiles};

use crate::lab::Lab;

/// A client of one version: each question is asked on a stream of its own.
macro_rules! client {
    ($version:ident) => {
        mod $version {
            use super::pb::$version::ServerReflectionRequest;
            use super::pb::$version::server_reflection_client::ServerReflectionClient;
            pub(super) use super::pb::$version::server_reflection_request::MessageRequest as Ask;
            pub(super) use super::pb::$version::server_reflection_response::MessageResponse as Told;

            pub(super) async fn ask(lab: &super::Lab, ask: Ask) -> Told {
                let mut client = ServerReflectionClient::new(lab.channel.clone());
                let request = ServerReflectionRequest { host: "h".into(), message_request: Some(ask) };
                let asked = futures_util::stream::iter([request.clone()]);
                let mut answers = client.server_reflection_info(asked).await.unwrap().into_inner();
                let answer = answers.message().await.unwrap().unwrap();
                assert_eq!((answer.valid_host.as_str(), &answer.original_request), ("h", &Some(request)));
                assert!(answers.message().await.unwrap().is_none());
                answer.message_response.unwrap()
            }

            pub(super) async fn files(lab: &super::Lab, question: Ask) -> Vec<Vec<u8>> {
                match ask(lab, question.clone()).await {
                    Told::FileDescriptorResponse(files) => files.file_descriptor_proto,
                    other => panic!("{question:?}: {other:?}"),
                }
            }

            pub(super) async fn error(lab: &super::Lab, question: Ask) -> i32 {
                match ask(lab, question.clone()).await {
                    Told::ErrorResponse(error) => error.error_code,
                    other => panic!("{question:?}: {other:?}"),
                }
            }
        }
    };
}

client!(v1);
client!(v1alpha);

/// The pool of files of which each may come before what it needs.
fn pool(files: &[Vec<u8>]) -> DescriptorPool {
    let mut set = Vec::new();
    for file in files {
        xos_model_client::grpc::__wire::put_bytes(&mut set, 1, file);
    }
    DescriptorPool::decode(set.as_slice()).unwrap()
}

#[tokio::test]
async fn whoever_asks_is_told_what_is_served() {
    use v1::Ask;

    let lab = Lab::new().await;
    let services = v1::ask(&lab, Ask::ListServices(String::new())).await;
    let v1::Told::ListServicesResponse(services) = services else { panic!("{services:?}") };
    let names: Vec<&str> = services.service.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "schema.SchemaService",
            "xos.dynamicload",
            "xos.modeldefs",
            "xos.utility",
            "xos.xos",
        ]
    );
    for name in names {
        assert!(
            pool(&v1::files(&lab, Ask::FileContainingSymbol(name.into())).await)
                .get_service_by_name(name)
                .is_some()
        );
    }
    for (symbol, file) in [
        ("xos.Site", "xos.proto"),
        ("xos.Site.login_base", "xos.proto"),
        ("xos.Site.login_base_present", "xos.proto"),
        ("xos.xos.GetSite", "xos.proto"),
        ("xos.Query.QueryKind", "common.proto"),
        ("xos.Query.SYNCHRONIZER_DIRTY_OBJECTS", "common.proto"),
        ("xos.foreignKey", "xosoptions.proto"),
        ("google.api.http", "google/api/annotations.proto"),
    ] {
        let files = v1::files(&lab, Ask::FileContainingSymbol(symbol.into())).await;
        assert!(pool(&files[..]).get_file_by_name(file).is_some(), "{symbol}");
        let by_name = v1::files(&lab, Ask::FileByFilename(file.into())).await;
        assert!(by_name == files, "{symbol}");
    }
    let options = |name: &str| name.to_owned();
    let asked = pb::v1::ExtensionRequest {
        containing_type: options("google.protobuf.FieldOptions"),
        extension_number: 1002,
    };
    let files = v1::files(&lab, Ask::FileContainingExtension(asked.clone())).await;
    assert!(pool(&files).get_extension_by_name("xos.foreignKey").is_some());
    let numbers = Ask::AllExtensionNumbersOfType("google.protobuf.FieldOptions".into());
    let v1::Told::AllExtensionNumbersResponse(numbers) = v1::ask(&lab, numbers).await else { panic!() };
    assert_eq!(numbers.extension_number, (1001..=1007).collect::<Vec<_>>());

    for nothing in [
        Ask::FileByFilename("no.proto".into()),
        Ask::FileContainingSymbol("xos.NoSuch".into()),
        Ask::FileContainingSymbol(String::new()),
        Ask::FileContainingExtension(pb::v1::ExtensionRequest { extension_number: -1, ..asked }),
        Ask::AllExtensionNumbersOfType("xos.NoSuch".into()),
    ] {
        assert_eq!(v1::error(&lab, nothing).await, 5);
    }
}

#[tokio::test]
async fn the_older_version_sees_a_model_that_was_loaded_meanwhile() {
    use v1alpha::Ask;

    let lab = Lab::new().await;
    let symbol = || Ask::FileContainingSymbol("xos.Late".into());
    assert_eq!(v1alpha::error(&lab, symbol()).await, 5);
    let def = core_models().find(|def| def.name == "XOSGuiExtension").unwrap();
    let def = ModelDef { name: "Late".into(), app_label: "other".into(), policy: None, ..def.clone() };
    let load = LoadModels {
        name: "other".into(),
        version: "1".into(),
        models: vec![def],
        core_version: None,
        files: ServiceFiles::default(),
    };
    lab.core.onboard(&Onboard::Load(load)).await.unwrap();
    let pool = pool(&v1alpha::files(&lab, symbol()).await);
    assert!(pool.get_message_by_name("xos.Late").is_some());
    let service = pool.get_service_by_name("xos.xos").unwrap();
    assert!(service.methods().any(|method| method.name() == "UpdateLate"));
}
