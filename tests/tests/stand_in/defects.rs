//! What is odd about the real core, and so about its stand-in.

use prost_reflect::Value;
use tonic::Code;

use super::client::{Pair, RawClient, basic, id, ids, text, told};

const INSTANCE: &str = "HelloWorldServiceInstance";
const BY_STEP: [(&str, &str); 2] = [("caller_kind", "synchronizer"), ("is_sync_save", "1")];

fn with<'a>(flags: &[(&'a str, &'a str)], update_fields: &'a str) -> Vec<(&'a str, &'a str)> {
    flags.iter().copied().chain([("update_fields", update_fields)]).collect()
}

/// The ids of the live objects that a synchronizer has to look at.
async fn dirty(pair: &Pair) -> Vec<i32> {
    pair.of_kind(INSTANCE, 2).await.unwrap().iter().map(id).collect()
}

/// Marks an object as synchronized.
async fn enact(pair: &Pair, object: i32) {
    let now = pair.get(INSTANCE, object).await.unwrap()["updated"].clone();
    let fields = [("id", Value::I32(object)), ("enacted", now), ("backend_code", Value::I32(1))];
    pair.update(INSTANCE, &with(&BY_STEP, "enacted,backend_code"), &fields).await.unwrap();
    assert_eq!(dirty(pair).await, Vec::<i32>::new());
}

#[tokio::test]
async fn what_has_no_value_is_absent_and_zero_is_there() {
    let pair = Pair::new().await;
    let object = pair.instance().await;
    let fields = pair.get(INSTANCE, object).await.unwrap();
    for absent in ["enacted", "policed", "changed_by_step", "backend_handle", "master_serviceinstance_id"] {
        assert!(!fields.contains_key(absent), "{absent}");
    }
    assert_eq!(fields["backend_code"], Value::I32(0));
    assert_eq!(fields["deleted"], Value::Bool(false));
    assert_eq!(fields["link_deleted_count"], Value::U32(0));
    assert_eq!(fields["backend_status"], text("Provisioning in progress"));
    assert!(matches!(fields["updated"], Value::F64(_)));
    let names = "HelloWorldServiceInstance,ServiceInstance,ServiceInstance_decl,XOSBase";
    assert_eq!(fields["class_names"], text(names));
    let owner = fields["owner_id"].as_i32().unwrap();
    let service = pair.get("Service", owner).await.unwrap();
    assert_eq!(service["service_instances_ids"], ids(&[object]));
}

#[tokio::test]
async fn a_text_that_is_not_ascii_poisons_its_model() {
    let pair = Pair::new().await;
    let object = pair.instance().await;
    let poison = pair.create(INSTANCE, &[("hello_to", text("J\u{f3}n"))]).await.unwrap_err();
    let expected = "Unknown Exception calling application: 'ascii' codec can't encode character u'\\xf3' in position 1: ordinal not in range(128)";
    assert_eq!(told(&poison), expected);
    // It was stored, and nobody can list the model any more.
    assert_eq!(told(&pair.list(INSTANCE).await.unwrap_err()), expected);
    assert_eq!(told(&pair.of_kind(INSTANCE, 2).await.unwrap_err()), expected);
    pair.get(INSTANCE, object).await.unwrap();
    let all = pair.list("ServiceInstance").await.unwrap();
    assert_eq!(all.len(), 2, "the base model has no such field");
    let poisoned = all.iter().map(id).max().unwrap();
    pair.update(INSTANCE, &[], &[("id", Value::I32(poisoned)), ("hello_to", text("Jon"))]).await.unwrap();
    assert_eq!(pair.list(INSTANCE).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_change_without_updated_makes_nothing_dirty() {
    let pair = Pair::new().await;
    let object = pair.instance().await;
    enact(&pair, object).await;
    let fields = [("id", Value::I32(object)), ("hello_to", text("Bran"))];
    let stored = pair.update(INSTANCE, &[("update_fields", "hello_to")], &fields).await.unwrap();
    assert_eq!(stored["hello_to"], text("Bran"));
    assert_eq!(dirty(&pair).await, Vec::<i32>::new());
    pair.update(INSTANCE, &[("update_fields", "hello_to,updated")], &fields).await.unwrap();
    assert_eq!(dirty(&pair).await, [object]);
    enact(&pair, object).await;
    pair.update(INSTANCE, &[("caller_kind", "synchronizer")], &fields).await.unwrap();
    assert_eq!(dirty(&pair).await, Vec::<i32>::new(), "a synchronizer moves nothing");
    let flags = [("caller_kind", "synchronizer"), ("always_update_timestamp", "0")];
    pair.update(INSTANCE, &with(&flags, "backend_status"), &fields).await.unwrap();
    assert_eq!(dirty(&pair).await, Vec::<i32>::new(), "not even with the flag, when it is not named");
    pair.update(INSTANCE, &with(&flags, "name,updated"), &fields).await.unwrap();
    assert_eq!(dirty(&pair).await, [object], "that the flag is there counts, not its value");
}

#[tokio::test]
async fn a_stale_copy_of_another_field_counts_as_a_change_by_the_step() {
    let pair = Pair::new().await;
    let object = pair.instance().await;
    let fields = [("id", Value::I32(object)), ("backend_code", Value::I32(1))];
    let names = with(&BY_STEP, "backend_code");
    let stored = pair.update(INSTANCE, &names, &fields).await.unwrap();
    assert!(!stored.contains_key("changed_by_step"), "only what is named was sent");
    let echo = [("id", Value::I32(object)), ("backend_code", Value::I32(1)), ("name", text("stale"))];
    let stored = pair.update(INSTANCE, &names, &echo).await.unwrap();
    assert!(stored.contains_key("changed_by_step"));
    assert_eq!(stored["name"], text("one"), "what is not named is not stored");
    let policy = [("caller_kind", "synchronizer"), ("is_policy_save", "1")];
    let change = [("id", Value::I32(object)), ("name", text("by policy"))];
    let stored = pair.update(INSTANCE, &with(&policy, "name"), &change).await.unwrap();
    assert!(stored.contains_key("changed_by_policy"));
}

#[tokio::test]
async fn a_list_that_is_named_and_does_not_change_is_cleared() {
    let pair = Pair::new().await;
    let site = [("name", text("n")), ("site_id", Value::I32(1))];
    let node = id(&pair.create("Node", &site).await.unwrap());
    let other = [("name", text("m")), ("site_id", Value::I32(1))];
    let other = id(&pair.create("Node", &other).await.unwrap());
    let label = [("name", text("label")), ("node_ids", ids(&[node]))];
    let label = id(&pair.create("NodeLabel", &label).await.unwrap());
    let set = |list: &[i32]| [("id", Value::I32(label)), ("node_ids", ids(list))];
    let named = [("update_fields", "node_ids")];
    let stored = pair.update("NodeLabel", &named, &set(&[node, other])).await.unwrap();
    assert_eq!(stored["node_ids"], ids(&[node, other]));
    let stored = pair.update("NodeLabel", &[], &set(&[other, node])).await.unwrap();
    assert_eq!(stored["node_ids"], ids(&[node, other]), "not named: as it says");
    let stored = pair.update("NodeLabel", &named, &set(&[node, other])).await.unwrap();
    assert!(!stored.contains_key("node_ids"), "{stored:?}");
    pair.update("NodeLabel", &[], &set(&[node])).await.unwrap();
    let kept = pair.update("NodeLabel", &[], &[("id", Value::I32(label))]).await.unwrap();
    assert_eq!(kept["node_ids"], ids(&[node]), "an empty list that is not named changes nothing");
    let cleared = pair.update("NodeLabel", &named, &[("id", Value::I32(label))]).await.unwrap();
    assert!(!cleared.contains_key("node_ids"));
}

#[tokio::test]
async fn an_object_that_was_never_synchronized_is_purged_at_once() {
    let pair = Pair::new().await;
    let (one, two) = (pair.instance().await, {
        let fields = [("name", text("two")), ("hello_to", text("Bran"))];
        id(&pair.create(INSTANCE, &fields).await.unwrap())
    });
    let flag = |field, object| [("id", Value::I32(object)), (field, Value::Bool(true))];
    let claimed = with(&BY_STEP, "backend_need_delete");
    pair.update(INSTANCE, &claimed, &flag("backend_need_delete", one)).await.unwrap();
    for object in [one, two] {
        pair.delete(INSTANCE, object).await.unwrap();
        let again = pair.delete(INSTANCE, object).await.unwrap_err();
        let text =
            "Unknown Exception calling application: HelloWorldServiceInstance matching query does not exist.";
        assert_eq!(told(&again), text);
    }
    pair.core.reap().await.unwrap();
    let gone = pair.get(INSTANCE, two).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let json = "{\"fields\": {\"message\": \"HelloWorldServiceInstance matching query does not exist.\", \"id\": 2}, \"specific_error\": \"object not found\", \"error\": \"XOSNotFound\"}";
    assert_eq!(gone.message(), json.replace("\"id\": 2", &format!("\"id\": {two}")));
    let waiting = pair.of_kind(INSTANCE, 3).await.unwrap();
    assert_eq!(waiting.iter().map(id).collect::<Vec<_>>(), [one]);
    assert!(pair.list(INSTANCE).await.unwrap().is_empty());
    let reap = with(&BY_STEP, "backend_need_reap");
    pair.update(INSTANCE, &reap, &flag("backend_need_reap", one)).await.unwrap();
    pair.core.reap().await.unwrap();
    assert_eq!(pair.get(INSTANCE, one).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn the_answer_for_a_deleted_object_is_what_was_sent() {
    let pair = Pair::new().await;
    let object = pair.instance().await;
    let flag = [("id", Value::I32(object)), ("backend_need_delete", Value::Bool(true))];
    pair.update(INSTANCE, &with(&BY_STEP, "backend_need_delete"), &flag).await.unwrap();
    pair.delete(INSTANCE, object).await.unwrap();
    let fields =
        [("id", Value::I32(object)), ("backend_code", Value::I32(2)), ("backend_status", text("no"))];
    let told = pair.update(INSTANCE, &with(&BY_STEP, "backend_status"), &fields).await.unwrap();
    assert_eq!((&told["backend_code"], &told["backend_status"]), (&Value::I32(2), &text("no")));
    let stored = pair.get(INSTANCE, object).await.unwrap();
    assert_eq!((&stored["backend_code"], &stored["backend_status"]), (&Value::I32(0), &text("no")));
    let back = [("id", Value::I32(object)), ("deleted", Value::Bool(false))];
    pair.update(INSTANCE, &[], &back).await.unwrap();
    assert_eq!(pair.list(INSTANCE).await.unwrap().len(), 1, "deleted = false brings it back");
}

#[tokio::test]
async fn lists_have_no_order_but_that_of_the_last_change() {
    let pair = Pair::new().await;
    let one = pair.instance().await;
    let two = id(&pair.create(INSTANCE, &[("name", text("two")), ("hello_to", text("B"))]).await.unwrap());
    let order = || async { pair.list(INSTANCE).await.unwrap().iter().map(id).collect::<Vec<_>>() };
    assert_eq!(order().await, [one, two]);
    pair.update(INSTANCE, &[], &[("id", Value::I32(one)), ("hello_to", text("C"))]).await.unwrap();
    assert_eq!(order().await, [two, one]);
}

#[tokio::test]
async fn errors_are_python_texts_with_the_code_unknown() {
    let pair = Pair::new().await;
    let object = pair.instance().await;
    let prefix = "Unknown Exception calling application: ";
    let told_by = |outcome: Result<super::client::Fields, tonic::Status>| told(&outcome.unwrap_err());
    let blank = pair.create(INSTANCE, &[("name", text("x"))]).await;
    assert_eq!(told_by(blank), format!("{prefix}{{'hello_to': [u'This field cannot be blank.']}}"));
    let long = [("id", Value::I32(object)), ("backend_status", text(&"x".repeat(1025)))];
    let long = pair.update(INSTANCE, &with(&BY_STEP, "backend_status"), &long).await;
    let problem = "Ensure this value has at most 1024 characters (it has 1025).";
    assert_eq!(told_by(long), format!("{prefix}{{'backend_status': [u'{problem}']}}"));
    let twin = pair.create("HelloWorldService", &[("name", text("hello")), ("hello_from", text("x"))]).await;
    assert_eq!(
        told_by(twin),
        format!("{prefix}{{'name': [u'Service_decl with this Name already exists.']}}")
    );
    let kind = pair.create("Service", &[("name", text("k")), ("kind", text("bogus"))]).await;
    assert_eq!(told_by(kind), format!("{prefix}{{'kind': [u\"Value u'bogus' is not a valid choice.\"]}}"));
    let unknown = pair.update(INSTANCE, &[("update_fields", "no_such")], &[("id", Value::I32(object))]).await;
    let problem = "The following fields do not exist in this model or are m2m fields: no_such";
    assert_eq!(told_by(unknown), format!("{prefix}{problem}"));
    let empty = pair.of_kind(INSTANCE, 0).await;
    assert_eq!(told(&empty.unwrap_err()), format!("{prefix}'NoneType' object is not iterable"));
    let code =
        pair.update(INSTANCE, &[], &[("id", Value::I32(object)), ("backend_code", Value::I32(2))]).await;
    let problem = "A non Synchronizer is trying to update fields marked as feedback_state: ['backend_code']";
    let json = format!(
        "PermissionDenied {{\"fields\": {{}}, \"specific_error\": \"{problem}\", \"error\": \"XOSPermissionDenied\"}}"
    );
    assert_eq!(told_by(code), json);
    let service = pair.list("HelloWorldService").await.unwrap();
    pair.delete("HelloWorldService", id(&service[0])).await.unwrap();
    let lonely = pair.create(INSTANCE, &[("name", text("x")), ("hello_to", text("y"))]).await.unwrap_err();
    assert_eq!(lonely.code(), Code::InvalidArgument);
    assert!(lonely.message().contains("Cannot find eligible owner of class HelloWorldService\""), "{lonely}");
}

#[tokio::test]
async fn who_calls_is_asked_for_where_it_counts() {
    let pair = Pair::new().await;
    let nobody = |path: &'static str| pair.client.bytes(path, &[], bytes::Bytes::new());
    nobody("/xos.utility/NoOp").await.unwrap();
    nobody("/schema.SchemaService/GetSchema").await.unwrap();
    let refused = nobody("/xos.xos/ListSite").await.unwrap_err();
    let json = "{\"fields\": {}, \"specific_error\": \"This API requires authentication\", \"error\": \"XOSNotAuthenticated\"}";
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, json));
    let wrong = basic("admin@opencord.org:wrong");
    let credentials = [("authorization", wrong.as_str())];
    let wrong = pair.client.bytes("/xos.xos/ListSite", &credentials, bytes::Bytes::new()).await.unwrap_err();
    assert_eq!(wrong.code(), Code::PermissionDenied);
    assert!(wrong.message().contains("failed to authenticate admin@opencord.org:wrong"));
    let login = [("username", text("admin@opencord.org")), ("password", text("letmein"))];
    let login = pair.message("LoginRequest", &login);
    let session = pair.client.bytes("/xos.utility/Login", &[], login).await.unwrap();
    let session = pair.fields("LoginResponse", &session)["sessionid"].as_str().unwrap().to_owned();
    pair.core.restart().await.unwrap();
    // The old connection is gone with the old core; the session is not.
    let client = RawClient::to(&pair.core.uri());
    let metadata = [("x-xossession", session.as_str())];
    client.bytes("/xos.xos/ListSite", &metadata, bytes::Bytes::new()).await.unwrap();
}

#[tokio::test]
async fn an_unknown_method_and_a_long_message_are_refused() {
    let pair = Pair::new().await;
    let unknown = pair.client.call("/xos.xos/GetNoSuch", &[], bytes::Bytes::new()).await.unwrap_err();
    assert_eq!(told(&unknown), "Unimplemented Method not found!");
    let long = bytes::Bytes::from(vec![0; 5_242_886]);
    let long = pair.client.call("/xos.xos/CreateFlavor", &[], long).await.unwrap_err();
    assert_eq!(told(&long), "ResourceExhausted Received message larger than max (5242886 vs. 4194304)");
}
