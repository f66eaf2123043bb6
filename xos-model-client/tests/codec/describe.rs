//! From a core's descriptors to models.

use std::sync::Arc;

use xos_model_client::grpc::__codec::{Method, RemoteSchema};
use xos_model_client::models::core_models;
use xos_model_client::{Kind, ModelDef, Presence, Schema};

use crate::{WORLD, known, proto};

/// A file with models that inherit from `XOSBase`: name, plural, fields.
fn file(models: &[(&str, &str, &str)]) -> String {
    let models: Vec<(&str, &str, String)> = models
        .iter()
        .map(|(name, plural, fields)| (*name, *plural, format!("{}{fields}", proto::BASE)))
        .collect();
    proto::file(&models)
}

fn read(text: &str, known: &[&ModelDef], previous: Option<&RemoteSchema>) -> RemoteSchema {
    RemoteSchema::read(&proto::answer(&proto::compile(text)), known, previous).unwrap()
}

fn chain(remote: &RemoteSchema, model: &str) -> String {
    let info = remote.schema.model(model).unwrap_or_else(|| panic!("no {model}"));
    let names: Vec<&str> =
        info.chain.iter().map(|id| remote.schema.by_id(*id).unwrap().name().as_ref()).collect();
    names.join(" ")
}

fn text(name: &str, number: u16) -> String {
    format!("oneof {name}_present {{ string {name} = {number} [(val).maxLength = 200]; }}\n")
}

fn label(label: &str) -> String {
    format!("option (contentTypeId) = \"{label}.x\";\n")
}

#[test]
fn the_models_of_the_core_come_back_from_their_descriptors() {
    let truth = Schema::new(core_models()).unwrap();
    for known in [known(), Vec::new()] {
        let remote = read(&proto::file_of(&truth), &known, None);
        for ours in truth.models() {
            let theirs = remote.schema.model(ours.name()).unwrap();
            let names = |schema: &Schema, ids: &[xos_model_client::ModelId]| {
                ids.iter().map(|id| schema.by_id(*id).unwrap().name().to_string()).collect::<Vec<_>>()
            };
            assert_eq!(names(&remote.schema, &theirs.chain), names(&truth, &ours.chain), "{}", ours.name());
            assert_eq!(names(&remote.schema, &[theirs.root]), names(&truth, &[ours.root]));
            let mut families = [names(&remote.schema, &theirs.family), names(&truth, &ours.family)];
            families[0].sort();
            families[1].sort();
            assert_eq!(families[0], families[1]);
            assert_eq!(theirs.reverse.len(), ours.reverse.len(), "{}", ours.name());
            for field in &ours.fields {
                let found = theirs.field(&field.def.name).unwrap();
                assert_eq!((found.wire_number, found.def.number), (field.wire_number, field.def.number));
                if !known.is_empty() {
                    assert_eq!(found.def, field.def);
                }
            }
        }
    }
}

#[test]
fn plurals_numbers_and_calls_are_those_of_the_core() {
    let node =
        text("name", 101) + "repeated int32 hosts_ids = 1907 [(reverseForeignKey).modelName = \"Host\"];";
    let host = r#"oneof node_present { int32 node_id = 177 [(foreignKey).modelName = "Node", (foreignKey).reverseFieldName = "hosts"]; }"#;
    let remote = read(&file(&[("Node", "Nodeses", &node), ("Host", "Hostii", host)]), &known(), None);
    let node = remote.schema.model("Node").unwrap();
    assert_eq!(node.plural, "Nodeses");
    assert_eq!(node.field("name").unwrap().wire_number, 101);
    let back = &node.reverse[0];
    let host = remote.schema.model("Host").unwrap();
    assert_eq!(
        (back.name.as_str(), back.from, back.field.as_str(), back.wire_number),
        ("hosts", host.id, "node", 1907)
    );
    let link = host.field("node").unwrap();
    assert_eq!(
        (link.wire_number, link.def.number, link.target, link.def.kind),
        (177, 77, Some(node.id), Kind::Link)
    );
    let paths = &remote.served(host.id).unwrap().paths;
    assert_eq!(paths.get(Method::Filter).unwrap().as_str(), "/xos.xos/FilterHost");
    assert!(remote.served(remote.schema.model("XOSBase").unwrap().id).is_none());
}

#[test]
fn options_come_from_the_core_and_the_rest_from_what_is_known() {
    let fields = r"
      oneof name_present { string name = 104 [(val).maxLength = 77, (guiHidden) = true]; }
      oneof kind_present { string kind = 103 [(val).nonNull = true, (val).unique = true]; }
      oneof icon_url_present { int32 icon_url = 108; }
    ";
    let remote = read(&file(&[("Service", "Services", fields)]), &known(), None);
    let service = remote.schema.model("Service").unwrap();
    let ours = core_models().find(|def| def.name == "Service").unwrap();
    let own = |name: &str| ours.fields.iter().find(|field| field.name == name).unwrap();
    let name = &service.field("name").unwrap().def;
    assert_eq!(
        (name.max_length, name.gui_hidden, name.help.as_ref()),
        (Some(77), true, own("name").help.as_ref())
    );
    let kind = &service.field("kind").unwrap().def;
    assert_eq!((&kind.choices, &kind.default), (&own("kind").choices, &own("kind").default));
    assert_eq!((kind.presence, kind.unique), (Presence::Required, true));
    // A field of another type is another field.
    let icon = &service.field("icon_url").unwrap().def;
    assert_eq!((icon.kind, icon.help.as_ref(), icon.presence), (Kind::Int32, "", Presence::Optional));
    assert!(service.field("description").is_none(), "this core does not have it");
    let status = service.field("backend_status").unwrap();
    assert!(status.def.feedback && !status.def.bookkeeping && status.def.default.is_some());
}

#[test]
fn a_chain_that_nobody_knows_is_inferred() {
    let back = "repeated int32 things_ids = 1001 [(reverseForeignKey).modelName = \"Thing\"];\n";
    let service = label("core") + &text("name", 101) + back;
    let thing = r#"oneof service_present { int32 service_id = 101 [(foreignKey).modelName = "MyService", (foreignKey).reverseFieldName = "things"]; }"#;
    let (a, b) = (text("a", 201), text("b", 301));
    let (name, mine) = (text("name", 101), label("mine"));
    let models = [
        ("Grandchild", "Grandchilds", format!("{mine}{name}{a}{b}{back}")),
        ("Child", "Childs", format!("{mine}{name}{a}{back}")),
        // Without fields of its own, and the same as `MyService`.
        ("Fieldless", "Fieldlesss", format!("{mine}{name}{back}")),
        ("MyService", "MyServices", service),
        ("Thing", "Things", thing.to_owned()),
        // By chance it has a field as `MyService` has, but nothing leads to it.
        ("Other", "Others", format!("{mine}{name}")),
        // Nothing that is served has its lower fields.
        ("Orphan", "Orphans", format!("{mine}{}{a}", text("elsewhere", 101))),
    ];
    let models: Vec<(&str, &str, &str)> =
        models.iter().map(|(name, plural, fields)| (*name, *plural, fields.as_str())).collect();
    let remote = read(&file(&models), &[], None);
    assert_eq!(chain(&remote, "Grandchild"), "XOSBase MyService Child Grandchild");
    assert_eq!(chain(&remote, "Child"), "XOSBase MyService Child");
    assert_eq!(chain(&remote, "Fieldless"), "XOSBase MyService Fieldless");
    assert_eq!(chain(&remote, "MyService"), "XOSBase MyService");
    assert_eq!(chain(&remote, "Other"), "XOSBase Other");
    assert_eq!(chain(&remote, "Orphan"), "XOSBase Orphan");
    assert_eq!(remote.schema.model("Orphan").unwrap().field("a").unwrap().wire_number, 201);
    // Inherited ways back are those of the model that the link leads to.
    assert_eq!(remote.schema.model("MyService").unwrap().reverse.len(), 1);
    assert_eq!(remote.schema.model("Grandchild").unwrap().reverse.len(), 0);
    assert_eq!(remote.schema.model("Child").unwrap().def.app_label, "mine");
}

#[test]
fn what_is_known_of_a_chain_counts_unless_the_fields_speak_against_it() {
    let def = |name: &'static str, base: &'static str| {
        let mut def = core_models().find(|def| def.name == "Role").unwrap().clone();
        (def.name, def.base, def.fields) = (name.into(), Some(base.into()), Vec::new().into());
        def
    };
    let name = text("name", 101);
    let text = file(&[("A", "As", &name), ("B", "Bs", &name), ("C", "Cs", &text("other", 101))]);
    let defs = [def("B", "A"), def("C", "A"), def("A", "B")];
    let known: Vec<&ModelDef> = defs[..2].iter().collect();
    let remote = read(&text, &known, None);
    assert_eq!((chain(&remote, "B").as_str(), chain(&remote, "C").as_str()), ("XOSBase A B", "XOSBase C"));
    // What goes round in a circle cannot be.
    let known: Vec<&ModelDef> = defs.iter().collect();
    let remote = read(&text, &known, None);
    assert!(chain(&remote, "B") == "XOSBase A B" || chain(&remote, "A") == "XOSBase B A");
}

#[test]
fn a_model_keeps_its_id_and_leaves_a_gap() {
    let fields = text("name", 101);
    let both = file(&[("A", "As", &fields), ("B", "Bs", &fields)]);
    let first = read(&both, &[], None);
    let id = |remote: &RemoteSchema, name: &str| remote.schema.model(name).map(|model| model.id);
    assert_eq!(first.schema.models()[0].name(), "XOSBase");

    let second = read(&file(&[("C", "Cs", &fields), ("B", "Bs", &fields)]), &[], Some(&first));
    assert_eq!((id(&second, "A"), id(&second, "B")), (None, id(&first, "B")));
    let gap = second.schema.by_id(id(&first, "A").unwrap()).unwrap();
    assert_eq!((gap.name().as_ref(), gap.fields.len()), ("", 0));
    assert_eq!(id(&second, "C").unwrap().0 as usize, first.schema.models().len(), "no id is used again");
    assert_ne!(first.fingerprint(), second.fingerprint());

    let third = read(&both, &[], Some(&second));
    assert_eq!(id(&third, "A"), id(&first, "A"), "what comes back is the same model");
    assert_eq!(third.schema.models().len(), second.schema.models().len());
}

#[test]
fn a_schema_that_did_not_change_stays_the_same_one() {
    let text = file(&[("A", "As", &text("name", 101))]);
    let answer = proto::answer(&proto::compile(&text));
    let first = RemoteSchema::read(&answer, &known(), None).unwrap();
    assert!(first.is_of(&answer));
    // The same in other bytes.
    let other = proto::answer(&proto::compile(
        &text.replace("{}", "{ }").replace("message ID", "message Other { }\nmessage ID"),
    ));
    assert!(!first.is_of(&other));
    let second = RemoteSchema::read(&other, &known(), Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&first.schema, &second.schema) && first.fingerprint() == second.fingerprint());
    for change in [
        ("maxLength = 200", "maxLength = 201"),
        ("= 101", "= 102"),
        ("As", "Ases"),
        ("rpc DeleteA(ID)", "rpc DropA(ID)"),
    ] {
        let changed = text.replace(change.0, change.1);
        assert_ne!(read(&changed, &known(), Some(&first)).fingerprint(), first.fingerprint(), "{change:?}");
    }
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let fields = format!(
        "{}oneof big_present {{ int64 big = 102; }} repeated string names = 103; string computed = 104;\n\
         oneof far_present {{ string far = 70000; }}\n\
         oneof away_present {{ int32 away_id = 105 [(foreignKey).modelName = \"Away\"]; }}",
        text("name", 101)
    );
    let remote = read(&file(&[("A", "As", &fields)]), &[], None);
    let info = remote.schema.model("A").unwrap();
    let own: Vec<&str> = info.def.fields.iter().map(|field| field.name.as_ref()).collect();
    assert_eq!(own, ["name", "away"]);
    let away = info.field("away").unwrap();
    assert_eq!((away.target, away.def.link.as_ref().unwrap().target.as_ref()), (None, "Away"));
    let unread = &remote.served(info.id).unwrap().unread;
    assert_eq!(unread.len(), 3, "{unread:?}");
    assert!(unread[0].starts_with("big is of the type"), "{unread:?}");
}

#[test]
fn files_of_server_reflection_are_read_in_any_order() {
    let pool = &WORLD.pool;
    let mut files: Vec<Vec<u8>> = pool.files().map(|file| file.encode_to_vec()).collect();
    files.reverse();
    files.extend(files.clone());
    let remote = RemoteSchema::read_files(&files, &known(), None).unwrap();
    assert_eq!(remote.fingerprint(), WORLD.remote.fingerprint());
}

#[test]
fn a_core_that_could_not_build_its_models_serves_none_and_gets_them_back() {
    let other = proto::file(&[]).replace("service xos", "service other");
    let answer = proto::answer(&proto::compile(&other));
    assert!(RemoteSchema::find(&answer, &known(), Some(&WORLD.remote)).unwrap().is_none());
    let none = RemoteSchema::without_models(Some(&WORLD.remote)).unwrap();
    assert!(none.schema.models().iter().all(|model| model.name().is_empty()));
    assert_ne!(none.fingerprint(), WORLD.remote.fingerprint());
    let files: Vec<Vec<u8>> = WORLD.pool.files().map(|file| file.encode_to_vec()).collect();
    let again = RemoteSchema::read_files(&files, &known(), Some(&none)).unwrap();
    for model in WORLD.remote.schema.models() {
        assert_eq!(again.schema.model(model.name()).unwrap().id, model.id, "{}", model.name());
    }
}

#[test]
fn an_answer_without_models_is_an_error_that_says_so() {
    let error = |answer: &[u8]| RemoteSchema::read(answer, &[], None).map(drop).unwrap_err().to_string();
    assert!(error(&[]).contains("no file of the answer of GetSchema has the service xos.xos"));
    let other = proto::file(&[]).replace("service xos", "service other");
    assert!(error(&proto::answer(&proto::compile(&other))).contains("has the service xos.xos"));
    assert!(error(&proto::answer(b"\x0a\x05x")).contains("the descriptor is not valid"));
    assert!(error(&[0x0a, 0x7f]).contains("no valid protobuf at byte 1"));
    assert!(error(&[0x0a, 0x03, 0x1a, 0x01, 0x00]).contains("cannot be inflated"));
    let files = RemoteSchema::read_files(&[vec![0xff]], &[], None).map(drop).unwrap_err().to_string();
    assert!(files.contains("the descriptor of a file is no valid protobuf"), "{files}");
}
