//! Create, Update and Delete.

use tonic::Code;
use xos_model_client::{Caller, ModelAccessor as _, ObjectId, Op, Record, Target, Touch, Value, Write};

use crate::lab::{Fields, Lab, id_message, link, links, text};

const SYNC: (&str, &str) = ("caller_kind", "synchronizer");

async fn service(lab: &Lab, name: &str) -> i32 {
    lab.create("Service", &[("name", text(name))]).await.unwrap()
}

/// What changed between two records, but for the values of times.
fn changes(before: &Record, after: &Record) -> Vec<String> {
    let fields = before.iter().zip(after.values());
    let changed = fields.filter(|((_, before), after)| before != after);
    let told = changed.map(|((field, _), after)| match after {
        Value::Time(_) => format!("{} moved", field.name),
        other => format!("{} = {other:?}", field.name),
    });
    told.collect()
}

#[tokio::test]
async fn a_write_through_the_server_does_what_it_does_in_process() {
    let lab = Lab::new().await;
    let client = lab.client().await;
    let owner = service(&lab, "owner").await;
    let nodes: Vec<i32> = {
        let site = lab
            .create(
                "Site",
                &[("name", text("s")), ("login_base", text("s")), ("abbreviated_name", text("s"))],
            )
            .await
            .unwrap();
        let mut nodes = Vec::new();
        for name in ["n1", "n2"] {
            nodes.push(lab.create("Node", &[("name", text(name)), ("site", link(site))]).await.unwrap());
        }
        nodes
    };
    let nothing: Fields<'_> = &[];
    let cases: [(&str, Fields<'_>, Fields<'_>); 9] = [
        ("ServiceInstance", &[("owner", link(owner))], &[("name", text("new"))]),
        (
            "ServiceInstance",
            &[("owner", link(owner))],
            &[("backend_status", text("OK")), ("backend_code", Value::Int(1))],
        ),
        ("ServiceInstance", &[("owner", link(owner)), ("name", text("n"))], &[("name", text("n"))]),
        ("ServiceInstance", &[("owner", link(owner))], &[("deleted", Value::Bool(true))]),
        ("ServiceInstance", &[("owner", link(owner))], nothing),
        (
            "ServiceInstance",
            &[("owner", link(owner)), ("master_serviceinstance", Value::Null)],
            &[("name", text("größer"))],
        ),
        ("NodeLabel", &[("name", text("label"))], &[("node", links(&nodes))]),
        ("NodeLabel", &[("name", text("label")), ("node", links(&nodes))], &[("node", links(&[]))]),
        (
            "NodeLabel",
            &[("name", text("label")), ("node", links(&nodes))],
            &[("node", links(&nodes)), ("no_sync", Value::Bool(true))],
        ),
    ];
    let callers = [Caller::Client, Caller::Step, Caller::Policy, Caller::Pull, Caller::Engine];
    let (mut compared, mut labels) = (0, 0);
    for (model, start, set) in cases {
        if set.iter().any(|(_, value)| value.as_text().is_some_and(|text| !text.is_ascii())) {
            // Our client does not send it to a core that may be a real one; any other client may.
            let id = lab.create(model, start).await.unwrap();
            assert_eq!(lab.update(model, &[], id, set).await.unwrap().value("name"), text("größer"));
            continue;
        }
        for by in callers {
            for touch in [Touch::AsTheRulesSay, Touch::Updated] {
                let mut told = Vec::new();
                for through_server in [false, true] {
                    // The name of a label is unique.
                    labels += 1;
                    let label = text(&format!("label {labels}"));
                    let named =
                        |value: &Value| if *value == text("label") { label.clone() } else { value.clone() };
                    let start: Vec<_> = start.iter().map(|(name, value)| (*name, named(value))).collect();
                    let new = Op::Create(lab.fields(model, &start));
                    let before = lab.write(model, Target::New, Caller::Client, new).await;
                    let op = Op::Set { fields: lab.fields(model, set), touch };
                    let guard = xos_model_client::Guard::None;
                    let target = Target::Object(before.id());
                    let write = Write { shape: before.shape().clone(), target, op, by, guard };
                    let written = if through_server {
                        client.write(vec![write]).await.pop().unwrap()
                    } else {
                        lab.core.write(vec![write]).await.pop().unwrap()
                    };
                    let error = written.err().map(|error| std::mem::discriminant(error.kind()));
                    let after =
                        lab.core.get(before.shape(), &[before.id()]).await.unwrap().remove(0).unwrap();
                    told.push((error, changes(&before, &after)));
                }
                assert_eq!(told[0], told[1], "{model} {set:?} by {by:?}, {touch:?}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 80);
}

#[tokio::test]
async fn an_update_stores_what_it_names() {
    let lab = Lab::new().await;
    let (one, two) = (service(&lab, "one").await, service(&lab, "two").await);
    let id = lab.create("ServiceInstance", &[("name", text("a")), ("owner", link(one))]).await.unwrap();
    let before = lab.get("ServiceInstance", id).await.unwrap();
    let sent = [("name", text("b")), ("owner", link(two))];
    for (names, name, owner) in [
        ("name", "b", one),
        ("owner", "a", two),
        ("owner_id", "a", two),
        ("owner_id,name", "b", two),
        ("updated", "a", one),
    ] {
        let seen = lab.update("ServiceInstance", &[("update_fields", names)], id, &sent).await.unwrap();
        assert_eq!((seen.value("name"), seen.value("owner")), (text(name), link(owner)), "{names}");
        assert_eq!(seen.value("updated") != before.value("updated"), names == "updated", "{names}");
        let again = [("name", text("a")), ("owner", link(one))];
        lab.update("ServiceInstance", &[("update_fields", "name,owner")], id, &again).await.unwrap();
    }
    // Without names all that is there is stored, and what is not there stays.
    let seen = lab.update("ServiceInstance", &[], id, &[("no_sync", Value::Bool(true))]).await.unwrap();
    assert_eq!((seen.value("name"), seen.value("no_sync")), (text("a"), Value::Bool(true)));
    assert_eq!(lab.get("ServiceInstance", id).await.unwrap().value("updated"), seen.value("updated"));
    assert_ne!(seen.value("updated"), before.value("updated"));
}

#[tokio::test]
async fn a_client_that_does_not_name_updated_does_not_move_it() {
    let lab = Lab::new().await;
    let id = service(&lab, "one").await;
    let before = lab.get("Service", id).await.unwrap();
    let quiet = [("update_fields", "name")];
    let seen = lab.update("Service", &quiet, id, &[("name", text("two"))]).await.unwrap();
    assert_eq!(seen.value("name"), text("two"));
    assert_eq!(seen.value("updated"), before.value("updated"));
    // It is no synchronizer all the same.
    let status = [("update_fields", "name,backend_status,policy_code")];
    let fields = [("backend_status", text("x")), ("policy_code", Value::Int(9)), ("name", text("three"))];
    let refused = lab.update("Service", &status, id, &fields).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("feedback_state: ['backend_status', 'policy_code']"), "{refused:?}");
    assert_eq!(lab.get("Service", id).await.unwrap().value("name"), text("two"));
    // Sent as it is, it changes nothing.
    let same = [("backend_status", before.value("backend_status")), ("name", text("three"))];
    let seen = lab.update("Service", &[("update_fields", "name,backend_status")], id, &same).await.unwrap();
    assert_eq!(seen.value("name"), text("three"));
    // A value that is not named is not stored, whatever it is: here the defect of the core is not copied.
    lab.update("Service", &quiet, id, &fields).await.unwrap();
    let seen = lab.update("Service", &[SYNC, status[0]], id, &fields).await.unwrap();
    assert_eq!((seen.value("backend_status"), seen.value("updated")), (text("x"), before.value("updated")));
}

#[tokio::test]
async fn a_name_that_is_no_field_is_refused_in_the_words_of_the_core() {
    let lab = Lab::new().await;
    let id = lab.create("NodeLabel", &[("name", text("l"))]).await.unwrap();
    for (names, told) in [
        ("no_such_field", "no_such_field"),
        ("", ""),
        ("name, updated", " updated"),
        ("node", "node"),
        ("id", "id"),
        ("a,name,b", "a, b"),
    ] {
        let status = lab
            .update("NodeLabel", &[("update_fields", names)], id, &[("name", text("x"))])
            .await
            .unwrap_err();
        let text = format!(
            "Exception calling application: The following fields do not exist in this model or are m2m fields: {told}"
        );
        assert_eq!((status.code(), status.message()), (Code::Unknown, text.as_str()), "{names}");
    }
    for id in [0, 99, -1] {
        let status = lab.update("NodeLabel", &[("update_fields", "nonsense")], id, &[]).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert!(status.message().contains(&format!("\"id\": {id}}}")), "{status:?}");
    }
}

#[tokio::test]
async fn a_list_is_what_the_message_says() {
    let lab = Lab::new().await;
    let site = lab
        .create("Site", &[("name", text("s")), ("login_base", text("s")), ("abbreviated_name", text("s"))])
        .await
        .unwrap();
    let mut nodes = Vec::new();
    for name in ["a", "b"] {
        nodes.push(lab.create("Node", &[("name", text(name)), ("site", link(site))]).await.unwrap());
    }
    let both = links(&nodes);
    let id = lab.create("NodeLabel", &[("name", text("l")), ("node", both.clone())]).await.unwrap();
    let way_back = lab
        .core
        .schema()
        .model("Node")
        .unwrap()
        .reverse
        .iter()
        .find(|it| it.name == "nodelabels")
        .unwrap()
        .wire_number;
    assert_eq!(lab.get("Node", nodes[0]).await.unwrap().ids(way_back), [id]);
    let named = [("update_fields", "node_ids")];
    // The same list, named: the core would clear it.
    assert_eq!(
        lab.update("NodeLabel", &named, id, &[("node", both.clone())]).await.unwrap().value("node"),
        both
    );
    // A list without members cannot be told from one that is not there, so it counts when it is named.
    assert_eq!(lab.update("NodeLabel", &[], id, &[("name", text("m"))]).await.unwrap().value("node"), both);
    let other = [("update_fields", "name")];
    let one = links(&nodes[..1]);
    assert_eq!(
        lab.update("NodeLabel", &other, id, &[("node", one.clone())]).await.unwrap().value("node"),
        one
    );
    assert_eq!(lab.update("NodeLabel", &named, id, &[]).await.unwrap().value("node"), Value::Null);
    assert_eq!(lab.get("Node", nodes[0]).await.unwrap().ids(way_back), [0; 0]);
}

#[tokio::test]
async fn what_is_deleted_is_missing_and_can_come_back() {
    let lab = Lab::new().await;
    let id = service(&lab, "one").await;
    let delete = async |id: i32| lab.call("DeleteService", &[], id_message(id)).await;
    assert_eq!(delete(id).await.unwrap().len(), 0);
    for missing in [id, 99, 0] {
        let status = delete(missing).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{missing}");
    }
    assert_eq!(lab.get("Service", id).await.unwrap().value("deleted"), Value::Bool(true));
    assert_eq!(lab.filter("Service", 1, &[]).await.unwrap(), [0; 0]);
    assert_eq!(lab.filter("Service", 3, &[]).await.unwrap(), [id]);
    let seen = lab.update("Service", &[], id, &[("deleted", Value::Bool(false))]).await.unwrap();
    assert_eq!(seen.value("deleted"), Value::Bool(false));
    assert_eq!(lab.filter("Service", 1, &[]).await.unwrap(), [id]);
    // A write-protected object stays, and nobody is told.
    lab.update("Service", &[], id, &[("write_protect", Value::Bool(true))]).await.unwrap();
    delete(id).await.unwrap();
    assert_eq!(lab.filter("Service", 1, &[]).await.unwrap(), [id]);
}

#[tokio::test]
async fn the_hash_of_a_password_is_told_to_nobody_and_lost_by_nobody() {
    let lab = Lab::new().await;
    let site = [("name", text("s")), ("login_base", text("s")), ("abbreviated_name", text("s"))];
    let site = lab.create("Site", &site).await.unwrap();
    let person = [
        ("email", text("a@b.c")),
        ("password", text("a long word")),
        ("firstname", text("A")),
        ("lastname", text("B")),
        ("site", link(site)),
    ];
    let id = lab.create("User", &person).await.unwrap();
    let stored = async || {
        let shape = lab.core.schema().model("User").unwrap().shape.clone();
        let record = lab.core.get(&shape, &[ObjectId::new(id)]).await.unwrap().remove(0).unwrap();
        record.get("password").unwrap().clone()
    };
    let hash = stored().await;
    assert!(hash.as_text().unwrap().len() > 20 && hash != text("a long word"), "{hash:?}");
    assert_eq!(lab.get("User", id).await.unwrap().value("password"), text(""));
    let list = lab.call("ListUser", &[], "").await.unwrap();
    assert_eq!(lab.items("User", &list)[0].value("password"), text(""));
    // A client that sends back all that it read.
    lab.update("User", &[], id, &[("password", text("")), ("firstname", text("C"))]).await.unwrap();
    assert_eq!(stored().await, hash);
    for name in ["password", "password__startswith", "password__isnull"] {
        let status = lab.filter("User", 0, &[(0, name, text("$"))]).await.unwrap_err();
        assert!(status.message().contains("Cannot resolve keyword 'password'"), "{status:?}");
    }
    let status = lab.filter("Slice", 0, &[(6, "creator__password", text("$"))]).await.unwrap_err();
    assert!(status.message().contains("Cannot resolve keyword 'password'"), "{status:?}");
}
