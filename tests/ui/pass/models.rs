// Models as an author writes them, and what they get.
use xos_sync::model_client::{DefaultValue, Kind, Model, Presence};
use xos_sync::models::*;
use xos_sync::prelude::*;

use super::choices::Mood;

type Name = String;

/// Says hello
/// to everybody.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "hello-world", verbose_name = "Hello World", plural = "HelloWorldServices", extensible)]
#[xos(policy = "service_policy", validator("named", "give it a name"))]
pub struct HelloWorldService {
    #[xos(base)]
    pub service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    pub hello_from: String,
}

/// One greeting.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService)]
pub struct HelloWorldServiceInstance {
    #[xos(base)]
    pub service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1, max_length = 254, stripped, default = "Arya", tosca_key)]
    pub hello_to: Name,
    #[xos(number = 2, default = -3, feedback)]
    pub times: Option<i32>,
    #[xos(number = 3, default = 1)]
    pub volume: f32,
    #[xos(number = 4, default = none, bookkeeping, gui_hidden)]
    pub since: Option<Timestamp>,
    #[xos(number = 5, default = now)]
    pub until: Timestamp,
    #[xos(number = 6, reverse = "answers", reverse_number = 1001, unique_with = "hello_to")]
    pub answer_to: Option<Link<Self>>,
    #[xos(number = 7)]
    pub slices: Links<Slice>,
    #[xos(number = 8, default = "happy")]
    pub mood: Mood,
    #[xos(number = 9)]
    pub r#type: Option<Mood>,
    #[xos(number = 99, name = "loudNess", unique, index)]
    loudness: u32,
}

/// Three levels above its root.
#[derive(XosModel, Clone, Debug)]
pub struct Deeper {
    #[xos(base)]
    base: HelloWorldService,
    #[xos(number = 1, text)]
    notes: Option<String>,
}

fn field(name: &str) -> &'static xos_sync::model_client::FieldDef {
    HelloWorldServiceInstance::def().fields.iter().find(|field| field.name == name).unwrap()
}

#[test]
fn the_definition_has_what_the_author_wrote() {
    let service = HelloWorldService::def();
    assert_eq!((&*service.name, &*service.app_label), ("HelloWorldService", "hello-world"));
    assert_eq!(service.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(service.help, "Says hello to everybody.");
    assert_eq!(service.base.as_deref(), Some("Service"));
    assert_eq!(service.verbose_name.as_deref(), Some("Hello World"));
    assert_eq!(service.policy.as_deref(), Some("service_policy"));
    assert_eq!(
        (&*service.validators[0].policy, &*service.validators[0].message),
        ("named", "give it a name")
    );
    let instance = HelloWorldServiceInstance::def();
    assert_eq!(instance.owner_class.as_deref(), Some("HelloWorldService"));
    assert_eq!(Deeper::def().app_label, env!("CARGO_PKG_NAME"));

    let hello_to = field("hello_to");
    assert_eq!((hello_to.number, hello_to.kind, hello_to.presence), (1, Kind::Stripped, Presence::Required));
    assert_eq!((hello_to.max_length, hello_to.tosca_key), (Some(254), true));
    assert_eq!(hello_to.default, Some(DefaultValue::Text("Arya".into())));
    assert_eq!(hello_to.help, "The name of who is being greeted");
    assert_eq!(
        (field("times").default.clone(), field("times").feedback),
        (Some(DefaultValue::Int(-3)), true)
    );
    assert_eq!(field("volume").default, Some(DefaultValue::Float(1.0)));
    assert_eq!(
        (field("since").default.clone(), field("since").presence),
        (Some(DefaultValue::Null), Presence::Optional)
    );
    assert_eq!(field("until").default, Some(DefaultValue::Now));
    let answer_to = field("answer_to");
    let link = answer_to.link.as_ref().unwrap();
    assert_eq!((&*link.target, link.reverse.as_deref()), ("HelloWorldServiceInstance", Some("answers")));
    assert_eq!((link.reverse_number, &*answer_to.unique_with), (Some(1001), &["hello_to".into()][..]));
    assert_eq!((field("slices").kind, field("slices").presence), (Kind::Links, Presence::Optional));
    let labels = |name| field(name).choices.iter().map(|choice| choice.label.to_string()).collect::<Vec<_>>();
    assert_eq!(labels("mood"), ["Happy", "Very sad"]);
    assert_eq!(labels("type"), ["None at all", "Happy", "Very sad"]);
    let loudness = field("loudNess");
    assert_eq!((loudness.number, loudness.unique, loudness.db_index), (99, true, true));
}

#[test]
fn a_model_knows_what_it_needs() {
    let mut names: Vec<_> =
        HelloWorldServiceInstance::def().closure().iter().map(|def| def.name.to_string()).collect();
    names.sort_unstable();
    for name in
        ["HelloWorldService", "HelloWorldServiceInstance", "Service", "ServiceInstance", "Slice", "XOSBase"]
    {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
}

#[test]
fn default_is_what_the_schema_says() {
    let new = HelloWorldServiceInstance::default();
    assert_eq!((new.hello_to.as_str(), new.times, new.mood.clone()), ("Arya", Some(-3), Mood::Happy));
    assert_eq!(
        (new.since, new.until, new.answer_to, new.r#type.clone()),
        (None, Timestamp::UNSET, None, None)
    );
    assert_eq!((new.backend_status.as_str(), new.id.is_set()), ("Provisioning in progress", false));
    assert!((new.volume - 1.0).abs() < f32::EPSILON && new.loudness == 0);
}

#[test]
fn inherited_fields_are_there() {
    let mut deeper = Deeper { notes: Some("x".into()), ..Default::default() };
    assert_eq!(deeper.to_string(), "Deeper-0");
    deeper.name = "deep".into();
    deeper.hello_from = "Jon Snow".into();
    assert_eq!((deeper.base.service.name.as_str(), deeper.to_string()), ("deep", "deep".to_owned()));
    assert!(deeper.notes.is_some() && deeper.enabled);
}

#[test]
fn fields_are_constants_inherited_ones_too() {
    assert_eq!(HelloWorldServiceInstance::HELLO_TO.name(), "hello_to");
    assert_eq!(HelloWorldServiceInstance::NAME.name(), "name");
    assert_eq!(HelloWorldServiceInstance::BACKEND_CODE.name(), "backend_code");
    assert_eq!(HelloWorldServiceInstance::TYPE.name(), "type");
    assert_eq!(HelloWorldServiceInstance::LOUDNESS.name(), "loudNess");
    assert_eq!(Deeper::HELLO_FROM.name(), "hello_from");
    assert_eq!(HelloWorldServiceInstance::OWNER.to(HelloWorldService::NAME).name(), "owner__name");
    let _ = (HelloWorldServiceInstance::MOOD.eq(Mood::Happy), HelloWorldServiceInstance::TYPE.eq("happy"));
}

#[test]
fn values_are_in_the_order_of_the_shape() {
    let object = HelloWorldServiceInstance { hello_to: "Bran".into(), ..Default::default() };
    let values = object.values();
    let shape = HelloWorldServiceInstance::shape();
    assert_eq!((values.len(), shape.fields().len()), (HelloWorldServiceInstance::FIELD_COUNT, values.len()));
    assert_eq!((shape.position("id"), shape.fields()[1].name.as_ref()), (Some(0), "created"));
    assert_eq!(values[shape.position("hello_to").unwrap()].as_text(), Some("Bran"));

    let record = xos_sync::model_client::Record::new(shape.clone(), values);
    assert_eq!(HelloWorldServiceInstance::from_record(record).unwrap(), object);
}

/// What only its step may know.
#[derive(XosModel, Clone, Debug, PartialEq)]
pub struct Login {
    #[xos(base)]
    base: XosBase,
    /// The password
    #[xos(number = 1, secret, max_length = 64, unique)]
    password: Secret,
    #[xos(number = 2, text, default = none)]
    token: Option<Secret>,
}

#[test]
fn a_secret_is_a_text_that_is_not_shown() {
    let [password, token] = &*Login::def().fields else { panic!("two fields") };
    assert!(password.is_secret() && token.is_secret() && !field("type").is_secret());
    assert_eq!((password.kind, password.presence), (Kind::Text, Presence::Required));
    assert_eq!((token.kind, token.presence), (Kind::Text, Presence::Optional));
    let login = Login { password: "canary".into(), token: Some(Secret::default()), ..Default::default() };
    let shown = format!("{login:?} {:?} {login}", login.values());
    assert!(
        !shown.contains("canary") && shown.contains("Secret(set)") && shown.contains("Secret(empty)"),
        "{shown}"
    );
    let _ = (Login::PASSWORD.eq("canary"), Login::TOKEN.eq(login.password.clone()).not());
    let record = xos_sync::model_client::Record::new(Login::shape().clone(), login.values());
    assert_eq!(Login::from_record(record).unwrap(), login);
}
