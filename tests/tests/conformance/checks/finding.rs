//! Queries: operators, paths, kinds, pages.

use std::sync::Arc;

use xos_model_client::{
    Condition, Error, ErrorKind, Kind, ObjectId, Operator, Page, Query, QueryKind, Shape, ShapeField,
    Timestamp, Value,
};

use crate::subject::Subject;
use crate::tools::{field, links, model, on, text};

async fn names(subject: &Subject, model: &str, conditions: &[Condition]) -> String {
    let mut query = Query::live(subject.shape(model));
    query.conditions = conditions.to_vec();
    let names: Vec<_> = subject.all(&query).await.iter().map(|record| text(record, "name")).collect();
    names.join(",")
}

async fn error(subject: &Subject, model: &str, condition: Condition) -> Error {
    let query = Query::live(subject.shape(model)).with(condition);
    subject.core.find(&query, Page::default()).await.unwrap_err()
}

async fn three(subject: &Subject) -> [ObjectId; 3] {
    let mut ids = [ObjectId::UNSET; 3];
    let all = [("Jon Snow", Some("Stark")), ("arya", Some("stark")), ("TYRION", None)];
    for (id, (name, description)) in ids.iter_mut().zip(all) {
        let mut fields = vec![("name", Value::from(name))];
        fields.extend(description.map(|text| ("description", Value::from(text))));
        *id = subject.create("Service", &fields).await;
    }
    ids
}

pub(crate) async fn every_operator_compares_as_it_says(subject: &Subject) {
    use Operator::*;
    let [first, second, _] = three(subject).await;
    let (first, second) = (Value::Int(first.get().into()), Value::Int(second.get().into()));
    for (condition, found) in [
        (on("name", Equal, "arya"), "arya"),
        (on("name", Equal, "Arya"), ""),
        (on("name", IExact, "ARYA"), "arya"),
        (on("name", Contains, "Sn"), "Jon Snow"),
        (on("name", Contains, "sn"), ""),
        (on("name", IContains, "RY"), "arya,TYRION".split(',').next().unwrap()),
        (on("name", Regex, "^[A-Z]+$"), "TYRION"),
        (on("name", IRegex, "^[a-z]+$"), "arya,TYRION"),
        (on("name", GreaterThan, "TYRION"), "arya"),
        (on("name", GreaterThanOrEqual, "TYRION"), "arya,TYRION"),
        (on("name", LessThan, "TYRION"), "Jon Snow"),
        (on("name", LessThanOrEqual, "Jon Snow"), "Jon Snow"),
        (on("id", GreaterThanOrEqual, second.clone()), "arya,TYRION"),
        (on("id", LessThan, second.clone()), "Jon Snow"),
        (on("id", GreaterThan, second.clone()), "TYRION"),
        (on("id", LessThanOrEqual, first), "Jon Snow"),
        (on("pk", Equal, second), "arya"),
        (on("enabled", Equal, true), "Jon Snow,arya,TYRION"),
        (on("enabled", Equal, 0), ""),
        (on("enabled", Equal, "True"), "Jon Snow,arya,TYRION"),
        (on("!name", Equal, "arya"), "Jon Snow,TYRION"),
        (on("created", GreaterThan, Timestamp::from_seconds(1.0)), "Jon Snow,arya,TYRION"),
        (on("created", LessThan, "2001-01-01T00:00:00Z"), ""),
        (on("created", GreaterThan, "2001-01-01 00:00:00"), "Jon Snow,arya,TYRION"),
    ] {
        let told = names(subject, "Service", std::slice::from_ref(&condition)).await;
        assert_eq!(told, found, "{condition:?}");
    }
}

pub(crate) async fn nothing_fulfils_no_condition_and_each_inversion(subject: &Subject) {
    use Operator::*;
    three(subject).await;
    for (condition, found) in [
        (on("description", Equal, "Stark"), "Jon Snow"),
        (on("!description", Equal, "Stark"), "arya,TYRION"),
        (on("!description", Regex, "."), "TYRION"),
        (on("description", Equal, Value::Null), "TYRION"),
        (on("!description", Equal, Value::Null), "Jon Snow,arya"),
    ] {
        let told = names(subject, "Service", std::slice::from_ref(&condition)).await;
        assert_eq!(told, found, "{condition:?}");
    }
}

pub(crate) async fn all_conditions_must_hold(subject: &Subject) {
    three(subject).await;
    let both = [on("description", Operator::IExact, "stark"), on("!name", Operator::Equal, "arya")];
    assert_eq!(names(subject, "Service", &both).await, "Jon Snow");
    let same = [on("!name", Operator::Equal, "arya"), on("!name", Operator::Equal, "TYRION")];
    assert_eq!(names(subject, "Service", &same).await, "Jon Snow");
}

pub(crate) async fn a_path_leads_over_links(subject: &Subject) {
    subject.load(vec![model("Leaf", "ServiceInstance", vec![links(1, "services", "Service")])]).await;
    let (a, b) = (subject.service("a").await, subject.service("b").await);
    let one = subject.instance("one", a).await;
    subject.instance("two", b).await;
    let fields = [
        ("name", Value::from("three")),
        ("owner", b.into()),
        ("master_serviceinstance", one.into()),
        ("services", Value::Links(vec![a])),
    ];
    subject.create("Leaf", &fields).await;
    let by = |field: &str, value: Value| on(field, Operator::Equal, value);
    for (model, condition, found) in [
        ("ServiceInstance", by("owner", b.into()), "two,three"),
        ("ServiceInstance", by("owner_id", b.into()), "two,three"),
        ("ServiceInstance", by("owner__name", "b".into()), "two,three"),
        ("ServiceInstance", by("!owner__name", "b".into()), "one"),
        ("ServiceInstance", by("owner__id", Value::Int(a.get().into())), "one"),
        ("ServiceInstance", by("master_serviceinstance__owner__name", "a".into()), "three"),
        ("ServiceInstance", by("!master_serviceinstance__owner__name", "a".into()), "one,two"),
        (
            "ServiceInstance",
            on("owner__updated", Operator::GreaterThan, Timestamp::from_seconds(5.0)),
            "one,two,three",
        ),
        ("Leaf", by("services", a.into()), "three"),
        ("Leaf", by("services", b.into()), ""),
        ("Leaf", by("services__name", "a".into()), "three"),
        ("Leaf", by("services", Value::Null), ""),
        ("Leaf", by("owner__name", "b".into()), "three"),
    ] {
        let told = names(subject, model, std::slice::from_ref(&condition)).await;
        assert_eq!(told, found, "{condition:?}");
    }
}

pub(crate) async fn a_question_that_means_nothing_is_an_error_that_says_why(subject: &Subject) {
    use Operator::*;
    three(subject).await;
    let unknown = error(subject, "Service", on("nmae", Equal, "x")).await;
    assert!(
        matches!(unknown.kind(), ErrorKind::NoSuchField { like: Some(like), .. } if like == "name"),
        "{unknown}"
    );
    let unknown = error(subject, "ServiceInstance", on("owner__nmae", Equal, "x")).await;
    assert!(matches!(unknown.kind(), ErrorKind::NoSuchField { field, .. } if field == "nmae"), "{unknown}");
    for (condition, reason) in [
        (on("name", Regex, "("), "regular expression"),
        (on("name", Equal, 5), "expected a text, found an integer"),
        (on("id", Contains, "1"), "is no text"),
        (on("enabled", GreaterThan, true), "can only be asked for with \"equal\""),
        (on("enabled", Equal, "yes"), "expected true or false"),
        (on("created", Equal, "soon"), "expected a time such as"),
        (on("site", Equal, "mysite"), "expected the id of an object"),
        (on("name__x", Equal, "mysite"), "is no link"),
        (on("name", GreaterThan, Value::Null), "only be asked for with \"equal\""),
    ] {
        let error = error(subject, "Service", condition.clone()).await;
        assert!(matches!(error.kind(), ErrorKind::Query { .. }), "{condition:?}: {error}");
        assert!(error.to_string().contains(reason), "{condition:?}: {error}");
    }
}

pub(crate) async fn a_shape_may_ask_for_a_few_fields_in_any_order(subject: &Subject) {
    let [first, second, _] = three(subject).await;
    let wanted =
        ["name", "id", "backend_code"].map(|name| ShapeField { name: name.into(), kind: Kind::Text });
    let shape = Arc::new(Shape::new("Service", wanted));
    let found = subject.all(&Query::live(shape.clone())).await;
    let id = Value::Int(first.get().into());
    assert_eq!(found[0].values(), [Value::from("Jon Snow"), id, Value::Int(0)]);
    let got = subject.core.get(&shape, &[ObjectId::new(999), second]).await.unwrap();
    assert!(got[0].is_none());
    assert_eq!(got[1].as_ref().unwrap().get("name"), Some(&Value::from("arya")));
    // An answer to a write is laid out the same way.
    let op = xos_model_client::Op::Create(vec![(0, "Bran".into())]);
    let mut write = subject.a_create("Service", &[]);
    (write.shape, write.op) = (shape.clone(), op);
    let record = subject.write(write).await.unwrap().record.unwrap();
    assert_eq!((record.values().len(), &record.values()[0]), (3, &Value::from("Bran")));
}

pub(crate) async fn pages_follow_each_other_by_id_over_a_family(subject: &Subject) {
    subject.load(vec![model("A", "Service", vec![]), model("B", "A", vec![])]).await;
    let mut all = Vec::new();
    for at in 0..23 {
        let model = ["Service", "A", "B"][at * 7 % 3];
        all.push(subject.create(model, &[("name", format!("s{at}").into())]).await);
    }
    // One that was changed last keeps its place.
    subject.set("Service", all[3], &[("description", "d".into())], xos_model_client::Caller::Client).await;
    let query = Query::live(subject.shape("Service"));
    let mut has_pages = false;
    for limit in [1, 5, 22, 23, 24] {
        let (mut found, mut page, mut pages) = (Vec::new(), Some(Page::first(limit)), 0);
        while let Some(this) = page {
            let answer = subject.core.find(&query, this).await.unwrap();
            found.extend(answer.records.iter().map(xos_model_client::Record::id));
            page = answer.next;
            pages += 1;
        }
        assert_eq!(found, all);
        has_pages |= pages > 1;
        // A core that has no pages answers with all.
        assert!(pages == 1 || pages == all.len().div_ceil(limit), "{limit}: {pages}");
    }
    assert_eq!(has_pages, subject.core.abilities().push, "the stores have pages, a core 4.0.4 has none");
    let after = Page { after: all[10], limit: 1000 };
    let rest = subject.core.find(&query, after).await.unwrap();
    assert_eq!(rest.records.iter().map(xos_model_client::Record::id).collect::<Vec<_>>(), all[11..]);
}

pub(crate) async fn kinds_and_conditions_go_together(subject: &Subject) {
    let [one, two, three] = three(subject).await;
    subject.claim("Service", three).await;
    subject.delete("Service", three).await;
    subject.enact("Service", two).await;
    for (kind, field, value, found) in [
        (QueryKind::DirtyObjects, "name", "Jon Snow", vec![one]),
        (QueryKind::DirtyObjects, "name", "arya", vec![]),
        (QueryKind::DirtyObjects, "!name", "x", vec![one]),
        (QueryKind::DeletedObjects, "name", "TYRION", vec![three]),
        (QueryKind::DeletedObjects, "!name", "TYRION", vec![]),
        (QueryKind::DirtyPolicies, "!name", "Jon Snow", vec![two]),
        (QueryKind::DeletedPolicies, "name", "TYRION", vec![three]),
        (QueryKind::Live, "name", "TYRION", vec![]),
    ] {
        let query =
            Query::live(subject.shape("Service")).of_kind(kind).with(on(field, Operator::Equal, value));
        assert_eq!(subject.ids(query).await, found, "{kind:?} {field} {value}");
    }
}

pub(crate) async fn patterns_are_taken_literally(subject: &Subject) {
    let odd = ["100%", "a_b", "back\\slash", "q'uote", "do\"uble", "[x]*", "tab\tend"];
    for name in odd {
        subject.service(name).await;
    }
    for (part, found) in [
        ("%", "100%"),
        ("_", "a_b"),
        ("\\", "back\\slash"),
        ("'", "q'uote"),
        ("\"", "do\"uble"),
        ("[x]*", "[x]*"),
        ("\t", "tab\tend"),
    ] {
        for operator in [Operator::Contains, Operator::IContains] {
            assert_eq!(names(subject, "Service", &[on("name", operator, part)]).await, found, "{operator:?}");
        }
        for operator in [Operator::Equal, Operator::IExact] {
            assert_eq!(
                names(subject, "Service", &[on("name", operator, found)]).await,
                found,
                "{operator:?}"
            );
        }
    }
    assert_eq!(names(subject, "Service", &[on("name", Operator::IExact, "%")]).await, "");
}

pub(crate) async fn a_leaf_is_asked_for_by_its_name(subject: &Subject) {
    let color = field(1, "color", Kind::Text);
    subject.load(vec![model("Leaf", "Service", vec![color])]).await;
    let base = subject.service("base").await;
    let leaf = subject.create("Leaf", &[("name", "leaf".into())]).await;
    let by =
        |name: &str| Query::live(subject.shape("Service")).with(on("leaf_model_name", Operator::Equal, name));
    assert_eq!(subject.ids(by("Service")).await, [base]);
    assert_eq!(subject.ids(by("Leaf")).await, [leaf]);
}
