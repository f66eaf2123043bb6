//! Rust that was made of xproto: it is what a file shows, it compiles, and it says what the xproto says.

use xos_model_client::xproto::{self, RustOptions};
use xos_model_client::{Model, ModelDef};

use crate::{read, same_as_file};

// Compiled as they were made.
#[allow(unreachable_pub, reason = "what is made is public, as in a crate of its own")]
mod hello_world {
    include!("made-hello-world.rs");
}
#[allow(unreachable_pub, reason = "what is made is public, as in a crate of its own")]
mod kubernetes {
    include!("made-kubernetes.rs");
}
#[allow(unreachable_pub, reason = "what is made is public, as in a crate of its own")]
mod everything {
    include!("made-everything.rs");
}

fn document(name: &str) -> xproto::Document {
    xproto::parse(name, &read(name)).unwrap()
}

fn made(name: &str) -> String {
    let options = RustOptions { crate_path: "xos_model_client".to_owned() };
    xproto::to_rust(&document(name), &options).unwrap()
}

#[test]
fn hello_world_has_the_face_of_the_design() {
    let text = xproto::to_rust(&document("hello-world.xproto"), &RustOptions::default()).unwrap();
    same_as_file("face-hello-world.rs", &text);
}

#[test]
fn made_rust_is_what_was_compiled() {
    same_as_file("made-hello-world.rs", &made("hello-world.xproto"));
    same_as_file("made-kubernetes.rs", &made("kubernetes.xproto"));
    same_as_file("made-everything.rs", &made("everything.xproto"));
}

/// The compiled structs say what the xproto says.
fn compare(name: &str, compiled: &[&ModelDef]) {
    let models = document(name).models().unwrap();
    assert_eq!(models.len(), compiled.len());
    for (model, compiled) in models.iter().zip(compiled) {
        assert_eq!(model, *compiled);
    }
}

#[test]
fn compiled_models_are_those_of_the_text() {
    compare(
        "hello-world.xproto",
        &[hello_world::HelloWorldService::def(), hello_world::HelloWorldServiceInstance::def()],
    );
    compare(
        "kubernetes.xproto",
        &[
            kubernetes::KubernetesService::def(),
            kubernetes::KubernetesResourceInstance::def(),
            kubernetes::KubernetesServiceInstance::def(),
            kubernetes::KubernetesData::def(),
            kubernetes::KubernetesConfigMap::def(),
            kubernetes::KubernetesSecret::def(),
            kubernetes::KubernetesSecretVolumeMount::def(),
            kubernetes::KubernetesConfigVolumeMount::def(),
        ],
    );
    let mut expected = document("everything.xproto").models().unwrap();
    // What no enum can say is a text in Rust, with a comment.
    expected[0].fields.to_mut()[20].choices = std::borrow::Cow::Borrowed(&[]);
    let compiled = [
        everything::Widget::def(),
        everything::WidgetPlus::def(),
        everything::LowerCase::def(),
        everything::LinkModel::def(),
    ];
    for (model, compiled) in expected.iter().zip(compiled) {
        assert_eq!(model, compiled);
    }
}
