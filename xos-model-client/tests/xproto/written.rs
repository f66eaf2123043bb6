//! What is written for derived models: the recorded texts, and what the checks accept.

use xos_model_client::models::{Service, ServiceInstance, Site, core_models};
use xos_model_client::xproto::{self, Describe, WriteOptions};
use xos_model_client::{DefaultValue, Link, Model, ModelDef, XosModel};

use crate::{read, recordings, same_as_file};

/// Says hello to everybody.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", crate = xos_model_client)]
pub(crate) struct HelloWorldService {
    #[xos(base)]
    pub(crate) service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    pub(crate) hello_from: String,
}

/// One greeting.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService, crate = xos_model_client)]
pub(crate) struct HelloWorldServiceInstance {
    #[xos(base)]
    pub(crate) service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    pub(crate) hello_to: String,
}

fn hello_world() -> [&'static ModelDef; 2] {
    [HelloWorldService::def(), HelloWorldServiceInstance::def()]
}

/// The tokens of a text that has no strings with white space that matters: comments and white space are gone.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for line in text.lines().map(|line| line.split("//").next().unwrap()) {
        // Every second part of a line stands between quotes.
        for (at, part) in line.split('"').enumerate() {
            if at % 2 == 1 {
                tokens.push(format!("\"{part}\""));
                continue;
            }
            let mut word = String::new();
            for char in part.chars() {
                if char.is_alphanumeric() || char == '_' {
                    word.push(char);
                    continue;
                }
                tokens.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                tokens.extend((!char.is_whitespace()).then(|| char.to_string()));
            }
            tokens.extend((!word.is_empty()).then_some(word));
        }
    }
    tokens
}

#[test]
fn hello_world_is_written_as_it_was_sent() {
    let text = xproto::write(hello_world(), &WriteOptions::default()).unwrap();
    // The reference text of the tutorial has the same tokens as the recorded call.
    assert_eq!(tokens(&text), tokens(&read("hello-world.xproto")));
    if let Some(sent) = recordings::sent_xproto() {
        assert_eq!(tokens(&text), tokens(&sent));
    }
    // Frozen: a changed text restarts a core for everybody.
    same_as_file("written-hello-world.xproto", &text);
}

#[test]
fn a_description_can_be_shown_in_the_gui() {
    let options = WriteOptions { describe: Describe::InOption, ..WriteOptions::default() };
    let text = xproto::write(hello_world(), &options).unwrap();
    assert!(text.contains("option description = \"One greeting.\";"), "{text}");
    assert!(!text.contains("//"));
}

#[test]
fn core_models_come_back_as_they_were() {
    // Their policies are those of the core, and not in the text.
    let models: Vec<ModelDef> = core_models().cloned().collect();
    let text = xproto::write(&models, &WriteOptions::default()).unwrap();
    let document = xproto::parse("core.xproto", &text).unwrap();
    let read = document.models().unwrap();
    for (read, model) in read.iter().zip(&models) {
        if model.base.is_some() {
            assert_eq!(read, model);
        }
    }
    let findings = document.check();
    // A user of Django is no model of a service.
    assert!(findings.refusals().all(|finding| finding.of == "User"), "{findings}");
    assert_eq!(findings.lint_errors().count(), 0, "{findings}");
    assert!(text.is_ascii());
    same_as_file("written-core.xproto", &text);
}

#[test]
fn policies_can_be_written_too() {
    let document = xproto::parse("everything.xproto", &read("everything.xproto")).unwrap();
    let models = document.models().unwrap();
    let options =
        WriteOptions { policies: document.policies().cloned().collect(), ..WriteOptions::default() };
    let text = xproto::write(&models, &options).unwrap();
    let again = xproto::parse("again.xproto", &text).unwrap();
    assert_eq!(again.models().unwrap(), models);
    assert!(again.policies().eq(document.policies()));
    let findings = again.check();
    assert_eq!(findings.refusals().count(), 0, "{findings}");
}

#[test]
fn what_xproto_cannot_say_is_refused_with_the_reason() {
    let def = HelloWorldService::def().clone();
    let with = |change: &dyn Fn(&mut ModelDef)| {
        let mut def = def.clone();
        change(&mut def);
        xproto::write([&def], &WriteOptions::default()).unwrap_err().to_string()
    };
    let check = |change: &dyn Fn(&mut ModelDef), part: &str| {
        let error = with(change);
        assert!(error.contains(part), "{error}");
    };
    check(&|def| def.fields.to_mut()[0].name = "to".into(), "`to` is a word of xproto");
    check(&|def| def.fields.to_mut()[0].name = "a b".into(), "`a b` is no name");
    check(&|def| def.fields.to_mut()[0].help = "é".into(), "xproto is ASCII only, found `é`");
    check(&|def| def.help = "naïve".into(), "found `ï`");
    check(
        &|def| def.fields.to_mut()[0].default = Some(DefaultValue::Text("uuid()".into())),
        "the core would call a function",
    );
    check(&|def| def.fields.to_mut()[0].default = Some(DefaultValue::Float(f32::NAN)), "cannot be written");
    check(
        &|def| def.fields.to_mut()[0].default = Some(DefaultValue::Int(5)),
        "a text in double quotes, found 5",
    );
    check(&|def| def.fields.to_mut()[0].number = 100, "field numbers are from 1 to 99");
    check(&|def| def.base = Some("No Base".into()), "`No Base` is no name");
    check(&|def| def.app_label = "".into(), "has no app_label");
}

/// A link whose default is the first object of a model that the core has no such function for.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "links", crate = xos_model_client)]
struct Linked {
    #[xos(base)]
    base: xos_model_client::models::XosBase,
    /// No way back
    #[xos(number = 1)]
    service: Option<Link<Service>>,
    /// No way back either
    #[xos(number = 2, reverse = "_")]
    other: Option<Link<Service>>,
    /// The first one
    #[xos(number = 3, default = first, reverse = "linked")]
    site: Link<Site>,
}

#[test]
fn a_link_without_a_way_back_does_not_break_the_generator() {
    let text = xproto::write([Linked::def()], &WriteOptions::default()).unwrap();
    assert!(text.contains("service->Service:+ = 1 ["), "{text}");
    assert!(text.contains("other->Service:+ = 2 ["), "{text}");
    assert!(
        text.contains("site->Site:linked = 3 [help_text = \"The first one\", default = get_first_site"),
        "{text}"
    );
    let findings = xproto::parse("a.xproto", &text).unwrap().check();
    assert!(findings.is_empty(), "{findings}");
}

#[test]
fn names_of_fields_that_are_not_ascii_are_refused_wherever_they_stand() {
    for option in ["unique_with = \"owner,s\u{ef}te\"", "tosca_key_one_of = \"s\u{ef}te\""] {
        let text = format!(
            "option app_label = \"a\";\nmessage A (XOSBase) {{ required string name = 1 [max_length = 9, {option}]; }}"
        );
        let models = xproto::parse("a.xproto", &text).unwrap().models().unwrap();
        let refused = xproto::write(&models, &WriteOptions::default()).unwrap_err().to_string();
        assert!(refused.contains("xproto is ASCII only"), "{refused}");
    }
}
