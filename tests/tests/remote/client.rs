//! What a client reads and writes, and what it says to the core for that.

use std::sync::Arc;

use xos_model_client::grpc::CoreClient;
use xos_model_client::models::{
    Node, NodeLabel, Service, ServiceGraphConstraint, ServiceInstance, ServiceKind, Site, Slice, User,
    XosBase,
};
use xos_model_client::{
    Caller, Cond, Deleted, Error, Guard, IsA, Link, ModelAccessor as _, ModelClient, Op, Revision, Target,
    Touch, Value, Write,
};
use xos_sync::model_client::{ErrorKind, Model, ObjectId};
use xos_sync_tests::stand_in::Called;

use crate::support::{HelloWorldService, HelloWorldServiceInstance, Lab, greeting, named, options, service};

/// A core with the service `Jon` (greets) and the instance `Arya`.
async fn with_arya() -> (Lab, HelloWorldServiceInstance) {
    let lab = Lab::new().await;
    let client = lab.core.client();
    client.create(service("Jon")).await.unwrap();
    let arya = client.create(greeting("Arya")).await.unwrap();
    (lab, arya)
}

fn keys(lab: &Lab, called: &Called) -> Vec<String> {
    lab.sent(called).into_keys().collect()
}

fn faults(error: &Error) -> Vec<(String, String)> {
    match error.kind() {
        ErrorKind::Invalid { faults, .. } => {
            faults.iter().map(|it| (it.field.clone().unwrap_or_default(), it.message.clone())).collect()
        }
        _ => panic!("{error}"),
    }
}

#[tokio::test]
async fn only_what_was_set_is_sent_to_create_an_object() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    let jon = client.create(service("Jon")).await.unwrap();
    assert_eq!((jon.name.as_str(), jon.hello_from.as_str(), jon.backend_code), ("Jon", "Jon", 0));
    assert_eq!(jon.leaf_model_name, "HelloWorldService");
    let created = lab.only("CreateHelloWorldService");
    assert_eq!(keys(&lab, &created), ["hello_from", "name"]);
    let told: Vec<&str> = created.metadata.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(told, ["grpc-timeout"]);
    let again: HelloWorldService = client.get(jon.id).await.unwrap();
    assert_eq!(again.values(), jon.values());
    assert_eq!(lab.core.client().get::<HelloWorldService>(jon.id).await.unwrap().values(), jon.values());
}

#[tokio::test]
async fn only_what_changed_is_sent_and_who_says_so() {
    let (lab, arya) = with_arya().await;
    for (caller, fields, flags) in [
        (Caller::Client, "hello_to,updated", [None, None, None]),
        (Caller::Step, "hello_to", [Some("synchronizer"), Some("1"), None]),
        (Caller::Policy, "hello_to", [Some("synchronizer"), None, Some("1")]),
        (Caller::Pull, "hello_to", [Some("synchronizer"), None, None]),
        (Caller::Engine, "hello_to", [Some("synchronizer"), None, None]),
    ] {
        let client = lab.connect_as(caller).await;
        let mut mine: HelloWorldServiceInstance = client.get(arya.id).await.unwrap();
        let before = mine.updated;
        lab.core.forget_calls();
        mine.hello_to = format!("for {caller:?}");
        client.save(&mut mine).await.unwrap();
        let update = lab.only("UpdateHelloWorldServiceInstance");
        assert_eq!(keys(&lab, &update), ["hello_to", "id"], "{caller:?}");
        assert_eq!(update.metadata("update_fields"), Some(fields), "{caller:?}");
        let told = ["caller_kind", "is_sync_save", "is_policy_save"].map(|key| update.metadata(key));
        assert_eq!(told, flags, "{caller:?}");
        assert_eq!(update.metadata("always_update_timestamp"), None);
        assert_eq!(mine.updated != before, caller == Caller::Client, "{caller:?}");
        // Nothing changed: nothing is said.
        client.save(&mut mine).await.unwrap();
        assert_eq!(lab.core.count("UpdateHelloWorldServiceInstance"), 1);
    }
}

#[tokio::test]
async fn a_touch_moves_updated() {
    let (lab, arya) = with_arya().await;
    let client = lab.connect_as(Caller::Pull).await;
    let mut mine: HelloWorldServiceInstance = client.get(arya.id).await.unwrap();
    client.save_and_touch(&mut mine).await.unwrap();
    let update = lab.only("UpdateHelloWorldServiceInstance");
    assert_eq!(update.metadata("always_update_timestamp"), Some("1"));
    assert_eq!(update.update_fields(), ["updated"]);
    assert_eq!(keys(&lab, &update), ["id"]);
    assert!(mine.updated > arya.updated);
}

#[tokio::test]
async fn a_timestamp_travels_bit_for_bit() {
    let (lab, arya) = with_arya().await;
    let core = lab.connect().await;
    let client = ModelClient::new(Arc::new(core.clone()), Caller::Engine);
    for micros in [1, 1_553_040_096_123_457, 1_700_000_000_999_999, 4_102_444_800_000_001] {
        let time = xos_model_client::Timestamp::from_micros(micros);
        let shape = HelloWorldServiceInstance::shape();
        let at = shape.position("enacted").unwrap() as u16;
        let op = Op::Set { fields: vec![(at, Value::Time(time))], touch: Touch::AsTheRulesSay };
        let write = Write {
            shape: shape.clone(),
            target: Target::Object(arya.id),
            op,
            by: Caller::Engine,
            guard: Guard::None,
        };
        core.write(vec![write]).await.remove(0).unwrap();
        let read: HelloWorldServiceInstance = client.get(arya.id).await.unwrap();
        assert_eq!(read.enacted.unwrap().seconds().to_bits(), time.seconds().to_bits());
        let stored: HelloWorldServiceInstance = lab.core.client().get(arya.id).await.unwrap();
        assert_eq!(stored.enacted.unwrap().seconds().to_bits(), time.seconds().to_bits());
    }
}

async fn node(client: &ModelClient, name: &str) -> Node {
    client.create(Node { name: name.into(), ..Node::default() }).await.unwrap()
}

#[tokio::test]
async fn a_list_of_links_is_sent_when_it_changes_and_named_when_it_is_emptied() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    let (one, two) = (node(&client, "one").await, node(&client, "two").await);
    let mut label = NodeLabel { name: "fast".into(), ..NodeLabel::default() };
    label.node.add(one.id);
    let mut label = client.create(label).await.unwrap();
    assert_eq!(label.node.ids(), [one.id]);
    let save = async |label: &mut NodeLabel| {
        lab.core.forget_calls();
        client.save(label).await.unwrap();
        let update = lab.only("UpdateNodeLabel");
        let stored: NodeLabel = lab.core.client().get(label.id).await.unwrap();
        assert_eq!(stored.node, label.node);
        (keys(&lab, &update), update.update_fields().join(","))
    };
    let sent = |names: &[&str], fields: &str| {
        (names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>(), fields.to_owned())
    };
    // The core would clear a list that is named and does not change.
    label.name = "slow".into();
    assert_eq!(save(&mut label).await, sent(&["id", "name"], "name,updated"));
    assert_eq!(label.node.ids(), [one.id]);
    label.node.add(two.id);
    assert_eq!(save(&mut label).await, sent(&["id", "node_ids"], "updated"));
    assert_eq!(label.node.ids(), [one.id, two.id]);
    label.node.remove(one.id);
    label.name = "odd".into();
    assert_eq!(save(&mut label).await, sent(&["id", "name", "node_ids"], "name,updated"));
    assert_eq!(label.node.ids(), [two.id]);
    label.node.remove(two.id);
    assert_eq!(save(&mut label).await, sent(&["id"], "node_ids,updated"));
    assert!(label.node.is_empty());
}

#[tokio::test]
async fn a_link_is_set_changed_and_unset() {
    let (lab, arya) = with_arya().await;
    let client = lab.connect_as(Caller::Client).await;
    let other = client.create(greeting("Bran")).await.unwrap();
    let mut arya: HelloWorldServiceInstance = client.get(arya.id).await.unwrap();
    assert_eq!(arya.master_serviceinstance, None);
    for wanted in [Some(Link::of(&other)), None, Some(Link::of(&other))] {
        lab.core.forget_calls();
        arya.master_serviceinstance = wanted;
        client.save(&mut arya).await.unwrap();
        let update = lab.only("UpdateHelloWorldServiceInstance");
        assert_eq!(keys(&lab, &update), ["id", "master_serviceinstance_id"]);
        assert_eq!(update.update_fields(), ["master_serviceinstance", "updated"]);
        assert_eq!(arya.master_serviceinstance, wanted);
        let stored: HelloWorldServiceInstance = lab.core.client().get(arya.id).await.unwrap();
        assert_eq!(stored.master_serviceinstance, wanted);
    }
}

/// The names of what a query finds.
async fn found<M: Model + IsA<B>, B: Model>(
    client: &ModelClient,
    condition: Cond<B>,
    name: fn(&M) -> String,
) -> Vec<String> {
    let mut names: Vec<String> =
        client.objects::<M>().filter(condition).all().await.unwrap().iter().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_operator_on_texts_and_its_opposite() {
    type Instance = HelloWorldServiceInstance;
    let lab = Lab::new().await;
    lab.core.client().create(service("Jon")).await.unwrap();
    let all = ["Arya", "arya", "Bran", "Sansa"];
    for name in all {
        lab.core.client().create(greeting(name)).await.unwrap();
    }
    let client = lab.connect_as(Caller::Client).await;
    let field = || Instance::HELLO_TO;
    for (condition, expected) in [
        (field().eq("Arya"), &["Arya"][..]),
        (field().iexact("ARYA"), &["Arya", "arya"]),
        (field().contains("ans"), &["Sansa"]),
        (field().icontains("A"), &["Arya", "Bran", "Sansa", "arya"]),
        (field().regex("^[A-Z]r"), &["Arya", "Bran"]),
        (field().iregex("^a"), &["Arya", "arya"]),
    ] {
        let text = format!("{condition:?}");
        assert_eq!(
            found(&client, condition.clone(), |it: &Instance| it.hello_to.clone()).await,
            expected,
            "{text}"
        );
        let mut others: Vec<&str> = all.into_iter().filter(|name| !expected.contains(name)).collect();
        others.sort_unstable();
        assert_eq!(
            found(&client, condition.not(), |it: &Instance| it.hello_to.clone()).await,
            others,
            "not {text}"
        );
    }
}

#[tokio::test]
async fn every_operator_on_numbers_times_booleans_and_links() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    for priority in [1, 2, 3] {
        let constraint = ServiceGraphConstraint {
            constraints: priority.to_string(),
            priority: Some(priority),
            ..ServiceGraphConstraint::default()
        };
        client.create(constraint).await.unwrap();
    }
    let field = || ServiceGraphConstraint::PRIORITY;
    for (condition, expected) in [
        (field().eq(2), &["2"][..]),
        (field().gt(2), &["3"]),
        (field().ge(2), &["2", "3"]),
        (field().lt(2), &["1"]),
        (field().le(2), &["1", "2"]),
        (field().eq(2).not(), &["1", "3"]),
    ] {
        let text = format!("{condition:?}");
        assert_eq!(
            found(&client, condition, |it: &ServiceGraphConstraint| it.constraints.clone()).await,
            expected,
            "{text}"
        );
    }
    let second: ServiceGraphConstraint = client.objects().filter(field().eq(2)).one().await.unwrap();
    let created = || XosBase::CREATED;
    let name = |it: &ServiceGraphConstraint| it.constraints.clone();
    assert_eq!(found(&client, created().gt(second.created), name).await, ["3"]);
    assert_eq!(found(&client, created().le(second.created), name).await, ["1", "2"]);
    assert_eq!(found(&client, XosBase::NO_SYNC.eq(false), name).await, ["1", "2", "3"]);
    assert_eq!(found(&client, XosBase::NO_SYNC.eq(true), name).await, Vec::<String>::new());
}

#[tokio::test]
async fn queries_follow_links_and_find_the_deleted() {
    let (lab, arya) = with_arya().await;
    let client = lab.connect_as(Caller::Client).await;
    let bran = client.create(greeting("Bran")).await.unwrap();
    let hello = |it: &HelloWorldServiceInstance| it.hello_to.clone();
    let by_owner = ServiceInstance::OWNER.to(Service::NAME);
    assert_eq!(found(&client, by_owner.clone().eq("Jon"), hello).await, ["Arya", "Bran"]);
    assert!(found(&client, by_owner.eq("Ygritte"), hello).await.is_empty());
    assert_eq!(found(&client, ServiceInstance::OWNER.eq(arya.owner.id()), hello).await, ["Arya", "Bran"]);
    // Deleted by somebody whose steps ran: it stays until the reaper may have it.
    let mut engine = lab.connect_as(Caller::Engine).await;
    let mut mine: HelloWorldServiceInstance = engine.get(bran.id).await.unwrap();
    mine.backend_need_delete = true;
    engine.save(&mut mine).await.unwrap();
    engine = lab.connect_as(Caller::Client).await;
    engine.delete(&mine).await.unwrap();
    let live: Vec<_> = client.objects::<HelloWorldServiceInstance>().all().await.unwrap();
    assert_eq!(live.iter().map(hello).collect::<Vec<_>>(), ["Arya"]);
    let deleted: Vec<_> = client.objects::<HelloWorldServiceInstance>().deleted().all().await.unwrap();
    assert_eq!(deleted.iter().map(hello).collect::<Vec<_>>(), ["Bran"]);
    assert!(client.get::<HelloWorldServiceInstance>(bran.id).await.unwrap().deleted);
}

#[tokio::test]
async fn no_filter_is_sent_that_a_core_cannot_answer() {
    let (lab, _) = with_arya().await;
    let client = lab.connect_as(Caller::Client).await;
    lab.core.forget_calls();
    assert_eq!(client.objects::<HelloWorldServiceInstance>().count().await.unwrap(), 1);
    assert!(client.objects::<HelloWorldServiceInstance>().exists().await.unwrap());
    assert_eq!(
        client.objects::<HelloWorldServiceInstance>().first().await.unwrap().unwrap().hello_to,
        "Arya"
    );
    assert!(lab.core.count("ListHelloWorldServiceInstance") >= 1);
    assert_eq!(lab.core.count("FilterHelloWorldServiceInstance"), 0);
    assert_eq!(client.objects::<HelloWorldServiceInstance>().deleted().count().await.unwrap(), 0);
    assert_eq!(lab.core.count("FilterHelloWorldServiceInstance"), 1);
}

#[tokio::test]
async fn a_deletion_says_what_it_came_to() {
    let (lab, arya) = with_arya().await;
    let client = lab.connect_as(Caller::Client).await;
    let engine = lab.connect_as(Caller::Engine).await;
    let mut mine: HelloWorldServiceInstance = engine.get(arya.id).await.unwrap();
    mine.backend_need_delete = true;
    engine.save(&mut mine).await.unwrap();
    assert_eq!(client.delete(&mine).await.unwrap(), Deleted::Yes);
    assert_eq!(client.delete(&mine).await.unwrap(), Deleted::No);
    let mut never = greeting("Nobody");
    never.id = ObjectId::new(4711);
    let error = client.delete(&never).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(error.to_string(), "there is no HelloWorldServiceInstance with id 4711");
    assert!(client.get::<HelloWorldServiceInstance>(never.id).await.unwrap_err().is_not_found());
    let mut protected = greeting("Hodor");
    protected.write_protect = true;
    let protected = lab.core.client().create(protected).await.unwrap();
    assert_eq!(client.delete(&protected).await.unwrap(), Deleted::No);
    assert!(!client.get::<HelloWorldServiceInstance>(protected.id).await.unwrap().deleted);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_made_again() {
    let (lab, arya) = with_arya().await;
    let client = lab.connect_as(Caller::Client).await;
    lab.core.cut_before("DeleteHelloWorldServiceInstance");
    assert_eq!(client.delete(&arya).await.unwrap(), Deleted::Yes);
    assert_eq!(lab.core.count("DeleteHelloWorldServiceInstance"), 2);
}

fn site(name: &str) -> Site {
    Site { name: name.into(), login_base: "a".into(), abbreviated_name: "a".into(), ..Site::default() }
}

#[tokio::test]
async fn what_breaks_rules_is_named_field_by_field() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    let long = client.create(site(&"x".repeat(201))).await.unwrap_err();
    assert_eq!(faults(&long), [named("name", "Ensure this value has at most 200 characters (it has 201).")]);
    let blank = client.create(Site { login_base: String::new(), ..site("one") }).await.unwrap_err();
    assert_eq!(faults(&blank), [named("login_base", "This field cannot be blank.")]);
    let twice = client.create(site("mysite")).await.unwrap_err();
    assert_eq!(faults(&twice)[0].0, "name");
    assert!(faults(&twice)[0].1.contains("already exists"), "{twice}");
    let mut odd = service("Jon");
    odd.kind = ServiceKind::Other("bogus".into());
    let odd = client.create(odd).await.unwrap_err();
    assert_eq!(faults(&odd), [named("kind", "Value u'bogus' is not a valid choice.")]);
    let both = Site { login_base: String::new(), ..site(&"x".repeat(201)) };
    let both = faults(&client.create(both).await.unwrap_err());
    let mut fields: Vec<&str> = both.iter().map(|(field, _)| field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["login_base", "name"]);
}

#[tokio::test]
async fn an_instance_without_a_service_is_refused_in_the_cores_words() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    let error = client.create(greeting("Arya")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Invalid { .. }), "{error}");
    assert!(error.to_string().contains("owner"), "{error}");
}

#[tokio::test]
async fn who_is_no_synchronizer_may_not_write_its_fields() {
    let (lab, arya) = with_arya().await;
    let client = lab.connect_as(Caller::Client).await;
    let mut mine: HelloWorldServiceInstance = client.get(arya.id).await.unwrap();
    mine.backend_code = 1;
    let error = client.save(&mut mine).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied { .. }), "{error}");
    assert!(error.to_string().contains("backend_code"), "{error}");
}

#[tokio::test]
async fn a_model_that_is_not_loaded_is_named() {
    let lab = Lab::on(options()).await;
    let client = lab.connect_as(Caller::Client).await;
    let error = client.get::<HelloWorldService>(ObjectId::new(1)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSuchModel { .. }), "{error}");
    assert!(error.to_string().contains("HelloWorldService"), "{error}");
    let error = client.objects::<HelloWorldService>().all().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSuchModel { .. }), "{error}");
}

#[tokio::test]
async fn a_guard_is_refused_before_anything_is_sent() {
    let (lab, arya) = with_arya().await;
    let core = lab.connect().await;
    lab.core.forget_calls();
    let write = Write {
        shape: HelloWorldServiceInstance::shape().clone(),
        target: Target::Object(arya.id),
        op: Op::Delete,
        by: Caller::Client,
        guard: Guard::Revision(Revision(1)),
    };
    let error = core.write(vec![write]).await.remove(0).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    assert!(lab.core.calls().is_empty());
}

#[tokio::test]
async fn a_text_that_would_poison_the_model_is_not_sent() {
    let (lab, arya) = with_arya().await;
    let client = lab.connect_as(Caller::Client).await;
    let mut zoe = greeting("Zoe");
    zoe.hello_to = "Zoë".into();
    let error = client.create(zoe).await.unwrap_err();
    assert_eq!(faults(&error)[0].0, "hello_to");
    assert!(error.to_string().contains("'ë'"), "{error}");
    let mut mine: HelloWorldServiceInstance = client.get(arya.id).await.unwrap();
    mine.name = Some("Zoë".into());
    let error = client.save(&mut mine).await.unwrap_err();
    assert_eq!(faults(&error)[0].0, "name");
    assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 0);
    assert_eq!(lab.core.count("UpdateHelloWorldServiceInstance"), 0);
}

#[tokio::test]
async fn a_poisoned_model_can_be_read_object_by_object_and_healed() {
    let (lab, arya) = with_arya().await;
    let zoe = lab.core.client().create(greeting("Zoë")).await.unwrap();
    let client = lab.connect_as(Caller::Client).await;
    let error = client.objects::<HelloWorldServiceInstance>().all().await.unwrap_err();
    assert!(error.to_string().contains("one by one"), "{error}");
    assert!(!error.is_interruption());
    assert_eq!(client.get::<HelloWorldServiceInstance>(arya.id).await.unwrap().hello_to, "Arya");
    let error = client.get::<HelloWorldServiceInstance>(zoe.id).await.unwrap_err();
    assert!(error.to_string().contains("is not ASCII") || error.to_string().contains("u'\\xeb'"), "{error}");
    assert_eq!(client.delete(&zoe).await.map_err(|error| error.to_string()), Ok(Deleted::Yes));
    lab.core.reap().await.unwrap();
    assert_eq!(client.objects::<HelloWorldServiceInstance>().count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_list_above_four_mebibytes_is_received() {
    let lab = Lab::new().await;
    let store = lab.core.client();
    store.create(service("Jon")).await.unwrap();
    for number in 0..50 {
        let mut big = greeting(&format!("number {number}"));
        big.service_specific_attribute = Some("x".repeat(100_000));
        store.create(big).await.unwrap();
    }
    let client = lab.connect_as(Caller::Client).await;
    let all = client.objects::<HelloWorldServiceInstance>().all().await.unwrap();
    assert_eq!(all.len(), 50);
    assert!(all.is_sorted_by_key(|it| it.id));
    let bytes: usize =
        all.iter().filter_map(|it| it.service_specific_attribute.as_ref()).map(String::len).sum();
    assert_eq!(bytes, 5_000_000);
}

#[tokio::test]
async fn an_answer_above_the_limit_says_what_to_do() {
    let (lab, mut arya) = with_arya().await;
    arya.service_specific_attribute = Some("x".repeat(2_000_000));
    lab.core.client().save(&mut arya).await.unwrap();
    let mut options = lab.core_options();
    options.max_message_size = 1 << 20;
    let core = CoreClient::new(options).unwrap();
    core.ready().await.unwrap();
    let client = ModelClient::new(Arc::new(core), Caller::Client);
    let error = client.get::<HelloWorldServiceInstance>(arya.id).await.unwrap_err();
    assert!(error.to_string().contains("max_message_size"), "{error}");
    assert!(!error.is_interruption());
}

#[tokio::test]
async fn other_models_of_the_core_are_there_too() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    let mysite: Site = client.objects().filter(Site::NAME.eq("mysite")).one().await.unwrap();
    let admin: User = client.objects().first().await.unwrap().unwrap();
    assert_eq!(admin.email, "admin@opencord.org");
    let slice = Slice {
        name: "mysite_one".into(),
        site: Link::of(&mysite),
        creator: Some(Link::of(&admin)),
        ..Slice::default()
    };
    let slice = client.create(slice).await.unwrap();
    let read: Slice = client.get(slice.id).await.unwrap();
    assert_eq!((read.max_instances, read.site.id()), (10, mysite.id));
}
