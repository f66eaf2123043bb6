//! The rules of numbering and naming, on the core models and on models of a service: a test for each rule that
//! `reference.rs` checks against the recorded core.
#![allow(clippy::unwrap_used)] // A test may stop where it is.

use xos_model_client::models::{
    ComputeServiceInstance, Service, Slice, SliceNetwork, User, XosBase, XosCore, core_models,
};
use xos_model_client::{DefaultValue, Kind, Link, Model, ModelDef, Presence, Schema, XosModel};

/// A service without fields of its own: it adds no hundred.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "cube", crate = xos_model_client)]
struct CubeService {
    #[xos(base)]
    service: Service,
}

/// A third level below `XOSBase`.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "cube", owner_class = CubeService, crate = xos_model_client)]
struct CubeServiceInstance {
    #[xos(base)]
    compute: ComputeServiceInstance,
    /// Its address
    #[xos(number = 1, ip)]
    pod_ip: Option<String>,
}

/// A level without fields in between.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "cube", crate = xos_model_client)]
struct BigCubeService {
    #[xos(base)]
    cube: CubeService,
    /// How big
    #[xos(number = 7)]
    size: i32,
}

/// Links to a level whose ancestors have ways back, with and without a number.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "cube", crate = xos_model_client)]
struct CubeVolume {
    #[xos(base)]
    base: XosBase,
    /// Where it is mounted
    #[xos(number = 1, reverse = "volumes", reverse_number = 1001)]
    instance: Link<CubeServiceInstance>,
    /// The one it is a copy for
    #[xos(number = 2, reverse = "copies")]
    copy_for: Option<Link<CubeServiceInstance>>,
    /// A second one without a number
    #[xos(number = 3, reverse = "more_copies")]
    more_for: Option<Link<CubeServiceInstance>>,
    /// No way back at all
    #[xos(number = 4)]
    service: Option<Link<CubeService>>,
    /// `_` means the same
    #[xos(number = 5, reverse = "_")]
    other_service: Option<Link<CubeService>>,
}

fn schema() -> Schema {
    let own: [&ModelDef; 4] =
        [CubeService::def(), CubeServiceInstance::def(), BigCubeService::def(), CubeVolume::def()];
    Schema::new(core_models().chain(own)).unwrap()
}

#[test]
fn there_are_35_core_models_in_the_order_of_the_core() {
    let names: Vec<&str> = core_models().map(|def| def.name.as_ref()).collect();
    assert_eq!(names.len(), 35);
    assert_eq!(names[..3], ["XOSBase", "User", "Privilege"]);
    assert_eq!(names[32..], ["XOSCore", "XOSGuiExtension", "ServiceGraphConstraint"]);
}

#[test]
fn wire_numbers_grow_by_a_hundred_with_each_level_that_has_fields() {
    let schema = schema();
    for (model, field, number) in [
        // The root's own numbers are as written, and `id` is always 1.
        ("ServiceInstance", "id", 1),
        ("ServiceInstance", "created", 2),
        ("ServiceInstance", "changed_by_policy", 23),
        ("User", "id", 1),
        ("User", "email", 2),
        ("User", "changed_by_policy", 40),
        // One level above.
        ("ServiceInstance", "name", 101),
        ("ServiceInstance", "master_serviceinstance", 112),
        ("Network", "permitted_slices", 118),
        ("Node", "bridgeId", 103),
        // Two.
        ("ComputeServiceInstance", "name", 101),
        ("ComputeServiceInstance", "slice", 201),
        ("ComputeServiceInstance", "image", 202),
        // Three.
        ("CubeServiceInstance", "owner", 102),
        ("CubeServiceInstance", "image", 202),
        ("CubeServiceInstance", "pod_ip", 301),
        // A level without fields does not count.
        ("CubeService", "name", 104),
        ("BigCubeService", "name", 104),
        ("BigCubeService", "size", 207),
    ] {
        let info = schema.model(model).unwrap();
        assert_eq!(info.field(field).unwrap().wire_number, number, "{model}.{field}");
    }
}

#[test]
fn ways_back_grow_by_a_hundred_with_each_level_above_that_has_ways_back() {
    let schema = schema();
    for (model, name, from, number) in [
        ("Site", "users", "User", 1001),
        ("Site", "service", "Service", 1012),
        ("User", "slices", "Slice", 1004),
        ("Service", "service_instances", "ServiceInstance", 1009),
        ("ServiceInstance", "child_serviceinstances", "ServiceInstance", 1002),
        // A many-to-many list has a way back like any link.
        ("Slice", "availableNetworks", "Network", 1005),
        ("Node", "nodelabels", "NodeLabel", 1002),
        // ServiceInstance has ways back, ComputeServiceInstance has none: one hundred, not two.
        ("CubeServiceInstance", "volumes", "CubeVolume", 1101),
        ("CubeServiceInstance", "copies", "CubeVolume", 1900),
        ("CubeServiceInstance", "more_copies", "CubeVolume", 1901),
    ] {
        let info = schema.model(model).unwrap();
        let link = info.reverse.iter().find(|link| link.name == name).unwrap();
        assert_eq!(schema.by_id(link.from).unwrap().name(), from, "{model}.{name}");
        assert_eq!(link.wire_number, number, "{model}.{name}");
    }
    assert_eq!(schema.model("CubeService").unwrap().reverse, []);
}

#[test]
fn plurals_follow_the_core() {
    let schema = schema();
    for (model, plural) in [
        ("ServiceDependency", "ServiceDependencys"),
        ("XOSCore", "XOSCores"),
        ("CubeService", "CubeServices"),
    ] {
        assert_eq!(schema.model(model).unwrap().plural, plural);
    }
}

#[test]
fn tosca_keys_are_marked_fields_groups_or_the_name() {
    let schema = schema();
    let check = |model: &str, expected: &[&[&str]]| {
        assert_eq!(schema.model(model).unwrap().tosca_keys(), expected, "{model}");
    };
    check("Site", &[&["name"]]);
    check("User", &[&["email"]]);
    check("XOSCore", &[&["maintenance_mode"]]);
    check("NetworkSlice", &[&["network"], &["slice"]]);
    check("BackupOperation", &[]);
    check("CubeServiceInstance", &[&["name"]]);
    check(
        "ServiceInstanceLink",
        &[
            &["provider_service_instance"],
            &["subscriber_network", "subscriber_service", "subscriber_service_instance"],
        ],
    );
}

#[test]
fn unique_with_makes_groups() {
    let schema = schema();
    let check = |model: &str, expected: &[&[&str]]| {
        assert_eq!(schema.model(model).unwrap().unique_together(), expected, "{model}");
    };
    check("Image", &[&["name", "tag"]]);
    check("Port", &[&["network", "service_instance"]]);
    check("InterfaceType", &[&["direction", "name"]]);
    check("Site", &[]);
}

#[test]
fn options_of_fields_are_kept() {
    let schema = schema();
    let field = |model: &str, field: &str| schema.model(model).unwrap().field(field).unwrap().def.clone();
    let kind = field("Service", "kind");
    assert_eq!((kind.kind, kind.max_length, kind.presence), (Kind::Stripped, Some(30), Presence::Required));
    assert_eq!(kind.default, Some(DefaultValue::Text("generic".into())));
    let labels: Vec<_> =
        kind.choices.iter().map(|choice| (choice.value.as_deref(), choice.label.as_ref())).collect();
    assert_eq!(labels[1], (Some("data"), "Data Plane"));
    let network = field("Slice", "network");
    assert_eq!((network.choices[0].value.as_deref(), network.choices[0].label.as_ref()), (None, "Default"));
    assert_eq!(network.choices.len(), 4);
    assert_eq!(field("Node", "site").default, Some(DefaultValue::First));
    assert_eq!(field("Site", "updated").default, Some(DefaultValue::Now));
    assert_eq!(field("Site", "enacted").default, Some(DefaultValue::Null));
    assert_eq!(field("Slice", "site").default, None);
    assert_eq!(field("Port", "ip").kind, Kind::Ip);
    assert_eq!(field("User", "user_url").kind, Kind::Url);
    assert!(field("ServiceAttribute", "value").text);
    assert!(field("Service", "icon_url").gui_hidden);
    assert!(field("BackupFile", "status").feedback);
    assert!(field("BackupOperation", "uuid").bookkeeping);
    assert!(field("Privilege", "granted").auto_now_add);
    assert!(field("Slice", "name").unique && field("TrustDomain", "name").db_index);
    let slice = Slice::def();
    assert_eq!(slice.policy.as_deref(), Some("slice_policy"));
    assert_eq!(slice.validators[0].message, "Slice name contains spaces");
    assert!(slice.custom_python && !User::def().custom_python);
    assert_eq!(
        schema.model("XOSGuiExtension").unwrap().def.verbose_name.as_deref(),
        Some("XOS GUI Extension")
    );
}

#[test]
fn every_core_model_has_help_in_ascii() {
    for def in core_models() {
        let texts = def.fields.iter().map(|field| &field.help).chain([&def.help]);
        for help in texts {
            assert!(!help.is_empty() && help.is_ascii(), "{}: {help:?}", def.name);
        }
    }
}

#[test]
fn defaults_are_those_of_the_schema() {
    let slice = Slice::default();
    assert_eq!((slice.max_instances, slice.enabled, slice.network.clone()), (10, true, None));
    assert_eq!(slice.mount_data_sets.as_deref(), Some("GenBank"));
    assert_eq!(slice.backend_status, "Provisioning in progress");
    assert_eq!(User::default().timezone, "America/New_York");
    assert_eq!(XosCore::default().name, "XOS");
    assert_ne!(slice.network, Some(SliceNetwork::Host));
}

#[test]
fn a_user_does_not_show_the_password() {
    let user = User { email: "ann@example.org".into(), password: "letmein".into(), ..Default::default() };
    let shown = format!("{user:?}");
    assert!(shown.contains("ann@example.org") && !shown.contains("letmein"), "{shown}");
}
