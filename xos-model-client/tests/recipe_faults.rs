//! Everything that can be wrong with a recipe before any object is looked at, with the message for it.
#![allow(clippy::unwrap_used)] // A test may stop where it is.

use std::collections::HashSet;

use xos_model_client::models::{Service, ServiceInstance, core_models};
use xos_model_client::tosca::Recipe;
use xos_model_client::{Model, Schema, XosModel};

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", crate = xos_model_client)]
struct HelloWorldService {
    #[xos(base)]
    service: Service,
    /// The name of who is saying hello
    #[xos(number = 1, max_length = 20)]
    hello_from: String,
}

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService, crate = xos_model_client)]
struct HelloWorldServiceInstance {
    #[xos(base)]
    service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    hello_to: String,
}

fn schema() -> Schema {
    Schema::new(core_models().chain([HelloWorldService::def(), HelloWorldServiceInstance::def()])).unwrap()
}

/// What is wrong with a recipe, all of it.
fn faults(text: &str) -> String {
    let result = Recipe::parse(text, "r.yaml").and_then(|recipe| recipe.check(&schema()));
    result.err().map(|fault| fault.to_string()).unwrap_or_default()
}

/// What is wrong with these node templates. Their first line is line 4.
#[track_caller]
fn check(nodes: &str, expected: &str) {
    let head = "tosca_definitions_version: tosca_simple_yaml_1_0\ntopology_template:\n  node_templates:\n";
    let nodes: Vec<String> = nodes.lines().map(|line| format!("    {line}")).collect();
    let nodes = nodes.join("\n");
    assert_eq!(faults(&format!("{head}{nodes}")), expected);
}

#[test]
fn the_recipe_of_the_tutorial_is_sound() {
    let text = "
tosca_definitions_version: tosca_simple_yaml_1_0
imports:
  - custom_types/helloworldservice.yaml
description: Create an instance of HelloWorldService and one of HelloWorldServiceInstance
topology_template:
  node_templates:
    service:
      type: tosca.nodes.HelloWorldService
      properties:
        name: HelloWorld
        hello_from: Jhon Snow
    serviceinstance:
      type: tosca.nodes.HelloWorldServiceInstance
      properties:
        name: HelloWorld Service Instance
        hello_to: Daenerys Targaryen
    constraints:
      type: tosca.nodes.ServiceGraphConstraint
      properties:
        constraints: '[\"HelloWorld\"]'
";
    assert_eq!(faults(text), "");
    let recipe = Recipe::parse(text, "r.yaml").unwrap();
    assert!(recipe.description().unwrap().starts_with("Create an instance"));
    let models: HashSet<&str> = recipe.nodes().map(|(_, model)| model).collect();
    assert!(models.contains("ServiceGraphConstraint"));
}

#[test]
fn a_recipe_does_not_show_its_values() {
    let text = "tosca_definitions_version: tosca_simple_yaml_1_0\ntopology_template: {node_templates: {u: \
                {type: tosca.nodes.User, properties: {password: letmein}}}}";
    assert_eq!(format!("{:?}", Recipe::parse(text, "r.yaml").unwrap()), "Recipe(r.yaml: {\"u\": \"User\"})");
}

#[test]
fn what_is_no_recipe_is_refused() {
    for (text, expected) in [
        ("", "r.yaml:1:1: the recipe is empty; to remove all that it made, write \"node_templates: {}\""),
        (
            "# nothing\n",
            "r.yaml:2:1: the recipe is empty; to remove all that it made, write \"node_templates: {}\"",
        ),
        ("- a\n", "r.yaml:1:1: a recipe is a map with \"topology_template\", found a list"),
        (
            "topology_template: {node_templates: {}}",
            "r.yaml:1:1: \"tosca_definitions_version: tosca_simple_yaml_1_0\" is missing",
        ),
        (
            "tosca_definitions_version: 1\ntopology_template: {node_templates: {}}",
            "r.yaml:1:28: expected tosca_simple_yaml_1_0",
        ),
        (
            "tosca_definitions_version: tosca_simple_yaml_1_0\n",
            "r.yaml:1:1: \"topology_template\" with \"node_templates\" is missing",
        ),
        (
            "tosca_definitions_version: tosca_simple_yaml_1_0\ntopolgy_template: {}\ntopology_template: 5\n",
            "r.yaml:2:1: a recipe has no key \"topolgy_template\"; did you mean \"topology_template\"?\n\
             r.yaml:3:1: topology_template should have \"node_templates\", found an integer",
        ),
        (
            "tosca_definitions_version: tosca_simple_yaml_1_0\ntopology_template:\n  inputs: {}\n  node_templates:\n",
            "r.yaml:3:3: inputs are not supported; write values where they are used\n\
             r.yaml:4:3: no nodes follow; to remove all that this recipe made, write \"node_templates: {}\"",
        ),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
}

#[test]
fn bad_yaml_is_shown_where_it_is() {
    for (text, expected) in [
        (
            "a:\n  b: [1,2\nc: d\n",
            "r.yaml:3:2: this is not YAML: illegal placement of ':' indicator\n3 | c: *\n  |  ^",
        ),
        (
            "a: b\n---\nc: d\n",
            "r.yaml:3:1: a recipe is one YAML document, found a second one; remove the line \"---\"\n3 | c: *\n  | ^",
        ),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
}

#[test]
fn an_empty_map_of_nodes_is_a_recipe() {
    check(
        "",
        "r.yaml:3:3: no nodes follow; to remove all that this recipe made, write \"node_templates: {}\"",
    );
    assert_eq!(
        faults("tosca_definitions_version: tosca_simple_yaml_1_0\ntopology_template: {node_templates: {}}"),
        ""
    );
}

#[test]
fn nodes_have_a_type_and_known_keys() {
    check(
        "a:",
        "r.yaml:4:5: node a: a node has \"type\", \"properties\" and \"requirements\", found nothing",
    );
    check("a: {}", "r.yaml:4:5: node a: \"type: tosca.nodes.<Model>\" is missing");
    check("a: {type: Site}", "r.yaml:4:15: node a: type should be tosca.nodes.<Model>, found \"Site\"");
    check(
        "a:\n  type: tosca.nodes.HelloWorldServce",
        "r.yaml:5:13: node a: the core has no model \"HelloWorldServce\" (did you mean \"HelloWorldService\"?)",
    );
    check(
        "a:\n  type: tosca.nodes.Teapot",
        "r.yaml:5:13: node a: the core has no model \"Teapot\"; load it first",
    );
    check(
        "a:\n  type: tosca.nodes.XOSBase",
        "r.yaml:5:13: node a: XOSBase has no objects of its own; name a model that inherits from it",
    );
    check(
        "a:\n  type: tosca.nodes.Site\n  propertys: {}\n  properties: {name: x}",
        "r.yaml:6:7: node a: a node has no key \"propertys\"; did you mean \"properties\"?",
    );
    check(
        "a: {type: tosca.nodes.Site, properties: {name: x}}\na: {type: tosca.nodes.Site, properties: {name: y}}",
        "r.yaml:5:5: node \"a\" is there twice, first in line 4",
    );
}

#[test]
fn properties_are_fields_of_the_model() {
    let node =
        |properties: &str| format!("a:\n  type: tosca.nodes.HelloWorldService\n  properties: {properties}");
    for (properties, expected) in [
        (
            "{name: x, helo_from: y}",
            "r.yaml:6:29: node a: helo_from: HelloWorldService has no property \"helo_from\" (did you mean \"hello_from\"?)",
        ),
        ("{name: x, colour: y}", "r.yaml:6:29: node a: colour: HelloWorldService has no property \"colour\""),
        ("{name: x, name: y}", "r.yaml:6:29: node a: property \"name\" is there twice, first in line 6"),
        (
            "{name: x, must_exist: true}",
            "r.yaml:6:29: node a: must_exist: HelloWorldService has no property \"must_exist\" (did you mean \"must-exist\"?)",
        ),
        ("{name: x, must-exist: maybe}", "r.yaml:6:41: node a: must-exist: expected true or false"),
        ("{name: x, updated: 5}", "r.yaml:6:29: node a: updated: is kept by the core; leave it out"),
        (
            "{name: x, backend_status: OK}",
            "r.yaml:6:29: node a: backend_status: is written by a synchronizer only; leave it out",
        ),
        (
            "{name: x, site_id: 5}",
            "r.yaml:6:29: node a: site_id: is a link; write \"- site: {node: <name>, relationship: \
             tosca.relationships.BelongsToOne}\" under requirements, where <name> is a node of type \
             tosca.nodes.Site, with \"must-exist: true\" when the object is there already",
        ),
        ("[name]", "r.yaml:6:19: node a: properties should be a map, found a list"),
        (
            "{hello_from: x}",
            "r.yaml:4:5: node a: Model HelloWorldService doesn't have a property for the specified tosca_key (name): \
             the object is found by it; add it under properties",
        ),
        ("{name: x, no_sync: true}", ""),
    ] {
        check(&node(properties), expected);
    }
}

#[test]
fn values_have_the_type_of_their_field() {
    let node = |value: &str| format!("a: {{type: tosca.nodes.Slice, properties: {{name: x, {value}}}}}");
    for (value, expected) in [
        ("description: 5", "description: expected a text, found an integer; put it in quotes"),
        ("description: 1.10", "description: expected a text, found a number; put it in quotes"),
        ("description: true", "description: expected a text, found true or false; put it in quotes"),
        ("description: ", "description: has no value; write '' for an empty text, or leave the line out"),
        ("description: [a]", "description: expected a text, found a list"),
        (
            "description: {get_property: [a, name]}",
            "description: expected a text, found a map; functions such as get_property are not supported",
        ),
        ("max_instances: ten", "max_instances: expected an integer (32 bits), found \"ten\""),
        ("max_instances: 1.5", "max_instances: expected an integer (32 bits), found a number"),
        ("max_instances: 3000000000", "max_instances: expected an integer (32 bits), found 3000000000"),
        ("max_instances: ", "max_instances: has no value; give it one, or leave the line out"),
        ("enabled: 1", "enabled: expected true or false, found an integer"),
        ("network: houst", "network: expected one of host, bridged, noauto; found \"houst\""),
        ("mount_data_sets: ''", ""),
        ("default_isolation: ''", "default_isolation: should not be empty"),
        ("max_instances: '12'", ""),
        ("enabled: yes", ""),
        ("enabled: 'False'", ""),
        ("description: '5'", ""),
    ] {
        let line = |fault: String| if fault.is_empty() { fault } else { format!(": node a: {fault}") };
        let text = format!(
            "tosca_definitions_version: tosca_simple_yaml_1_0\ntopology_template:\n  node_templates:\n    {}\n",
            node(value)
        );
        let found = faults(&text);
        assert!(
            found.ends_with(&line(expected.to_owned())) && found.is_empty() == expected.is_empty(),
            "{value}: {found}"
        );
    }
}

#[test]
fn values_keep_the_limits_of_their_field() {
    check(
        "a:\n  type: tosca.nodes.HelloWorldService\n  properties:\n    name: x\n    hello_from: a long name, much too long",
        "r.yaml:8:21: node a: hello_from: has 26 characters; 20 are allowed",
    );
    check(
        "a:\n  type: tosca.nodes.Site\n  properties:\n    name: '  '\n    longitude: 1e300",
        "r.yaml:7:15: node a: name: should not be empty\nr.yaml:8:20: node a: longitude: expected a number that is finite",
    );
    check(
        "a:\n  type: tosca.nodes.Privilege\n  properties: {permission: all, expires: tomorrow}",
        "r.yaml:6:46: node a: expires: expected a time such as 2024-05-01T12:00:00Z",
    );
}

#[test]
fn requirements_are_links_to_nodes_of_the_recipe() {
    let node = |requirements: &str| {
        format!(
            "a:\n  type: tosca.nodes.ServiceInstance\n  properties: {{name: x}}\n  requirements: {requirements}\n\
             s: {{type: tosca.nodes.HelloWorldService, properties: {{name: x}}}}\n\
             site: {{type: tosca.nodes.Site, properties: {{name: x}}}}"
        )
    };
    for (requirements, expected) in [
        ("[{owner: {node: s, relationship: tosca.relationships.BelongsToOne}}]", ""),
        ("[{owner: s}]", ""),
        ("[owner: s]", ""),
        (
            "{owner: s}",
            "r.yaml:7:21: node a: requirements should be a list such as \"- owner: ...\", found a map",
        ),
        ("[owner]", "r.yaml:7:22: node a: a requirement is \"<link>: {node: <name>}\", found a text"),
        ("[{owner: {relationship: x}}]", "r.yaml:7:23: node a: owner: \"node: <name>\" is missing"),
        (
            "[{owner: 5}]",
            "r.yaml:7:30: node a: owner: expected the name of a node, or \"{node: <name>}\", found an integer",
        ),
        (
            "[{owner: {nod: s}}]",
            "r.yaml:7:23: node a: owner: \"node: <name>\" is missing\nr.yaml:7:31: node a: owner: a requirement has no key \"nod\"; did you mean \"node\"?",
        ),
        (
            "[{owner: nobody}]",
            "r.yaml:7:30: node a: owner: there is no node \"nobody\"; add it, with \"must-exist: true\" when the object is there already",
        ),
        ("[{owner: sit}]", "r.yaml:7:30: node a: owner: there is no node \"sit\" (did you mean \"site\"?)"),
        ("[{owner: site}]", "r.yaml:7:30: node a: owner: leads to a Service, but node site is a Site"),
        (
            "[{ownr: s}]",
            "r.yaml:7:23: node a: ownr: ServiceInstance has no link \"ownr\" (did you mean \"owner\"?)",
        ),
        (
            "[{colour: s}]",
            "r.yaml:7:23: node a: colour: ServiceInstance has no link \"colour\"; it has owner and master_serviceinstance",
        ),
        (
            "[{name: s}]",
            "r.yaml:7:23: node a: name: is no link of ServiceInstance; write it under properties",
        ),
        (
            "[{owner: s}, {owner: s}]",
            "r.yaml:7:35: node a: owner: is required twice; a link leads to one node",
        ),
    ] {
        check(&node(requirements), expected);
    }
    check(
        "a:\n  type: tosca.nodes.Network\n  properties: {name: x}\n  requirements: [permitted_slices: b]\n\
         b: {type: tosca.nodes.Slice, properties: {name: x}}",
        "r.yaml:7:22: node a: permitted_slices: is a list of links, which a recipe cannot set; let a step set it",
    );
}

#[test]
fn cycles_are_named() {
    check(
        "a: {type: tosca.nodes.ServiceInstance, properties: {name: a}, requirements: [master_serviceinstance: b]}\n\
         b: {type: tosca.nodes.ServiceInstance, properties: {name: b}, requirements: [master_serviceinstance: c]}\n\
         c: {type: tosca.nodes.ServiceInstance, properties: {name: c}, requirements: [master_serviceinstance: a]}",
        "r.yaml:4:5: node a: requires itself: a -> b -> c -> a; leave one of these requirements out",
    );
    check(
        "a: {type: tosca.nodes.ServiceInstance, properties: {name: a}, requirements: [master_serviceinstance: a]}",
        "r.yaml:4:5: node a: requires itself: a -> a; leave one of these requirements out",
    );
}

#[test]
fn objects_are_found_by_their_keys() {
    check(
        "a: {type: tosca.nodes.BackupOperation}",
        "r.yaml:4:5: node a: Model BackupOperation doesn't have a tosca_key specified: \
         nothing says by which fields an object is found",
    );
    let link = |subscribers: &str| {
        format!(
            "s: {{type: tosca.nodes.Service, properties: {{name: s}}}}\n\
             n: {{type: tosca.nodes.Network, properties: {{name: n}}}}\n\
             i: {{type: tosca.nodes.ServiceInstance, properties: {{name: i}}}}\n\
             l: {{type: tosca.nodes.ServiceInstanceLink, requirements: [provider_service_instance: i{subscribers}]}}"
        )
    };
    check(&link(", subscriber_service: s"), "");
    check(&link(", subscriber_network: n"), "");
    check(
        &link(""),
        "r.yaml:7:5: node l: Model ServiceInstanceLink doesn't have a property for the specified tosca_key_one_of \
         (subscriber_network, subscriber_service, subscriber_service_instance): the object is found by it; \
         add it under requirements",
    );
    check(
        &link(", subscriber_service: s, subscriber_network: n"),
        "r.yaml:7:5: node l: only one of subscriber_network, subscriber_service may be given",
    );
    check(
        "a: {type: tosca.nodes.Site, properties: {name: x}}\nb: {type: tosca.nodes.Site, properties: {name: x}}",
        "r.yaml:5:5: node b: has the same name as node a: they would be one object",
    );
    check(
        "a: {type: tosca.nodes.Site, properties: {name: x, must-exist: true}}\n\
         b: {type: tosca.nodes.Site, properties: {name: x, must-exist: true}}",
        "",
    );
}

#[test]
fn a_graph_constraint_is_a_json_array() {
    let node = |text: &str| {
        format!("a:\n  type: tosca.nodes.ServiceGraphConstraint\n  properties:\n    constraints: {text}")
    };
    let expected = "r.yaml:7:22: node a: constraints: expected a JSON array of service names in quotes, \
                    such as '[\"volt\", [\"vsg\", \"vrouter\"]]'";
    check(&node("'[\"a\", [\"b\", \"c\"]]'"), "");
    check(&node("'{}'"), expected);
    check(&node("'[a]'"), &format!("{expected}: expected value at line 1 column 2"));
}

#[test]
fn all_faults_are_reported_together() {
    check(
        "a: {type: tosca.nodes.Sit}\n\
         b: {type: tosca.nodes.Site, properties: {nam: x, enabled: 5}}\n\
         c: {type: tosca.nodes.Slice, properties: {name: x}, requirements: [site: nobody]}",
        "r.yaml:4:15: node a: the core has no model \"Sit\" (did you mean \"Site\"?)\n\
         r.yaml:5:46: node b: nam: Site has no property \"nam\" (did you mean \"name\"?)\n\
         r.yaml:5:63: node b: enabled: expected true or false, found an integer\n\
         r.yaml:6:78: node c: site: there is no node \"nobody\"; add it, with \"must-exist: true\" when \
         the object is there already",
    );
}

mod any_text {
    use proptest::prelude::*;

    use super::{faults, schema};

    const RECIPE: &str = "tosca_definitions_version: tosca_simple_yaml_1_0
topology_template:
  node_templates:
    s: {type: tosca.nodes.HelloWorldService, properties: {name: x, hello_from: y}}
    i:
      type: tosca.nodes.HelloWorldServiceInstance
      properties: {name: x, hello_to: 'y'}
      requirements: [{owner: {node: s, relationship: tosca.relationships.BelongsToOne}}]
";

    proptest! {
        // Invariant: any text is either a sound recipe or has faults that say something, and nothing panics.
        #[test]
        fn is_a_recipe_or_has_faults(text in "\\PC*") {
            prop_assert!(!faults(&text).is_empty());
        }

        // Invariant: the same for a recipe with a piece cut out or put in, as an editor saves it half-way.
        #[test]
        fn half_written_recipes_do_not_panic(from in 0..RECIPE.len(), len in 0..40usize, put in "[-:{}\\[\\]'\"#a \n\t]{0,3}") {
            let to = (from + len).min(RECIPE.len());
            let text = format!("{}{put}{}", &RECIPE[..from], &RECIPE[to..]);
            let recipe = xos_model_client::tosca::Recipe::parse(&text, "r.yaml");
            let result = recipe.and_then(|recipe| recipe.check(&schema()));
            if let Err(fault) = result {
                prop_assert!(fault.faults().iter().all(|fault| !fault.problem.is_empty()));
                prop_assert!(fault.to_string().starts_with("r.yaml"));
            }
        }
    }
}
