//! Invariant: a query finds exactly the objects that a plain look at each of them would.

use proptest::prelude::*;
use xos_core::EmbeddedCore;
use xos_model_client::{
    Condition, Kind, ModelAccessor, ObjectId, Operator, Page, Query, Record, Timestamp, Value,
};

use crate::common::*;

const TEXTS: [&str; 7] = ["", "a", "A", "ab", "Ünï", "ÜNÏ", "b.*"];

const OPERATORS: [Operator; 10] = [
    Operator::Equal,
    Operator::GreaterThan,
    Operator::LessThan,
    Operator::GreaterThanOrEqual,
    Operator::LessThanOrEqual,
    Operator::IExact,
    Operator::Contains,
    Operator::IContains,
    Operator::Regex,
    Operator::IRegex,
];

fn fields() -> Vec<xos_model_client::FieldDef> {
    vec![
        field(1, "text", Kind::Text),
        field(2, "int", Kind::Int32),
        field(3, "float", Kind::Float),
        field(4, "bool", Kind::Bool),
        field(5, "date", Kind::Date),
        link(6, "next", "Thing"),
        links(7, "many", "Thing"),
        xos_model_client::FieldDef { db_index: true, ..field(8, "indexed", Kind::Text) },
    ]
}

fn text_value() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), prop::sample::select(TEXTS.to_vec()).prop_map(Value::from)]
}

fn value(name: &'static str) -> BoxedStrategy<Value> {
    match name {
        "int" => prop_oneof![Just(Value::Null), (-2_i64..3).prop_map(Value::Int)].boxed(),
        "float" => {
            prop_oneof![Just(Value::Null), (-2_i8..3).prop_map(|n| Value::Float(f32::from(n) / 4.0))].boxed()
        }
        "bool" => any::<bool>().prop_map(Value::Bool).boxed(),
        "date" => prop_oneof![
            Just(Value::Null),
            (0_i8..3).prop_map(|n| Value::Time(Timestamp::from_seconds(f64::from(n))))
        ]
        .boxed(),
        "next" => {
            prop_oneof![Just(Value::Null), (1_i32..9).prop_map(|id| Value::Link(ObjectId::new(id)))].boxed()
        }
        "many" => (1_i32..9).prop_map(|id| Value::Link(ObjectId::new(id))).boxed(),
        _ => text_value().boxed(),
    }
}

const NAMES: [&str; 8] = ["text", "int", "float", "bool", "date", "next", "many", "indexed"];

fn condition() -> impl Strategy<Value = Condition> {
    let path = prop::sample::select(vec!["", "next__", "many__", "next__next__"]);
    let name = prop::sample::select(NAMES.to_vec());
    (path, name, prop::sample::select(OPERATORS.to_vec()), any::<bool>()).prop_flat_map(
        |(path, name, operator, invert)| {
            value(name).prop_map(move |value| Condition {
                field: format!("{path}{name}").into(),
                operator,
                value,
                invert,
            })
        },
    )
}

/// The values of one object, in the order of [`NAMES`].
type Values = (Value, Value, Value, Value, Value, Value, Vec<i32>, Value);

fn object() -> impl Strategy<Value = Values> {
    (
        value("text"),
        value("int"),
        value("float"),
        value("bool"),
        value("date"),
        value("next"),
        prop::collection::vec(1_i32..9, 0..3),
        value("indexed"),
    )
}

/// Whether a value fulfils a comparison; `None` when the comparison means nothing.
fn holds(stored: &Value, operator: Operator, with: &Value) -> Option<bool> {
    use Operator::*;
    if with.is_null() {
        return (operator == Equal).then(|| matches!(stored, Value::Null) || *stored == Value::Links(vec![]));
    }
    if let (Value::Links(ids), Value::Link(id)) = (stored, with) {
        return (operator == Equal).then(|| ids.contains(id));
    }
    let of_text = matches!(operator, IExact | Contains | IContains | Regex | IRegex);
    if of_text && with.as_text().is_none() || with.as_bool().is_some() && operator != Equal {
        return None;
    }
    if stored.is_null() {
        return Some(false);
    }
    if let (Value::Text(text), Value::Text(with)) = (stored, with) {
        let fold = |text: &str| text.to_lowercase();
        return Some(match operator {
            Equal => text == with,
            GreaterThan => text > with,
            LessThan => text < with,
            GreaterThanOrEqual => text >= with,
            LessThanOrEqual => text <= with,
            IExact => fold(text) == fold(with),
            Contains => text.contains(with.as_str()),
            IContains => fold(text).contains(&fold(with)),
            Regex => regex::Regex::new(with).unwrap().is_match(text),
            IRegex => regex::Regex::new(&format!("(?i){with}")).unwrap().is_match(text),
        });
    }
    let number = |value: &Value| match value {
        Value::Int(int) => *int as f64,
        Value::Float(float) => f64::from(*float),
        Value::Time(time) => time.seconds(),
        Value::Link(id) => f64::from(id.get()),
        Value::Bool(bool) => f64::from(u8::from(*bool)),
        other => panic!("no number: {other:?}"),
    };
    let (left, right) = (number(stored), number(with));
    Some(match operator {
        // Small whole numbers and quarters: exact.
        #[allow(clippy::float_cmp)]
        Equal => left == right,
        GreaterThan => left > right,
        LessThan => left < right,
        GreaterThanOrEqual => left >= right,
        LessThanOrEqual => left <= right,
        _ => return None,
    })
}

/// Whether an object fulfils a path.
fn reaches(all: &[Record], record: &Record, path: &[&str], operator: Operator, with: &Value) -> Option<bool> {
    let (first, rest) = path.split_first().unwrap();
    let stored = record.get(first).unwrap();
    if rest.is_empty() {
        return holds(stored, operator, with);
    }
    let to = |id: &ObjectId| all.iter().find(|record| record.id() == *id).unwrap();
    let targets: Vec<&Record> = match stored {
        Value::Link(id) => vec![to(id)],
        Value::Links(ids) => ids.iter().map(to).collect(),
        _ => vec![],
    };
    let any = targets.iter().map(|target| reaches(all, target, rest, operator, with));
    let answers: Option<Vec<bool>> = any.collect();
    Some(answers?.contains(&true))
}

fn naive(all: &[Record], condition: &Condition, record: &Record) -> Option<bool> {
    let path: Vec<&str> = condition.field.split("__").collect();
    let holds = reaches(all, record, &path, condition.operator, &condition.value)?;
    Some(holds != condition.invert)
}

async fn build(objects: Vec<Values>) -> EmbeddedCore {
    let core = core_with(vec![model("Thing", "XOSBase", fields()), model("Heir", "Thing", vec![])]).await;
    let kind = |at: usize| if at.is_multiple_of(3) { "Heir" } else { "Thing" };
    for at in 0..8 {
        create(&core, kind(at), &[]).await.unwrap();
    }
    for (at, (text, int, float, bool, date, next, many, indexed)) in objects.into_iter().enumerate() {
        let many = Value::Links(many.into_iter().map(ObjectId::new).collect());
        let values = [
            ("text", text),
            ("int", int),
            ("float", float),
            ("bool", bool),
            ("date", date),
            ("next", next),
            ("many", many),
            ("indexed", indexed),
        ];
        let id = ObjectId::new(at as i32 + 1);
        set(&core, "Thing", id, &values, xos_model_client::Caller::Client).await.unwrap();
    }
    core
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::CASES * 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_query_finds_what_a_plain_look_finds(
        objects in prop::collection::vec(object(), 8),
        questions in prop::collection::vec(prop::collection::vec(condition(), 1..3), 12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let core = build(objects).await;
            let all = core.find(&Query::live(shape(&core, "Thing")), Page::default()).await.unwrap().records;
            assert_eq!(all.len(), 8);
            for conditions in questions {
                let mut query = Query::live(shape(&core, "Thing"));
                query.conditions = conditions.clone();
                let expected: Option<Vec<i32>> = all
                    .iter()
                    .map(|record| {
                        let each = conditions.iter().map(|condition| naive(&all, condition, record));
                        let each: Option<Vec<bool>> = each.collect();
                        Some((record.id().get(), each?.iter().all(|holds| *holds)))
                    })
                    .collect::<Option<Vec<_>>>()
                    .map(|found| found.into_iter().filter(|(_, holds)| *holds).map(|(id, _)| id).collect());
                match core.find(&query, Page::default()).await {
                    Ok(found) => {
                        let found: Vec<i32> = found.records.iter().map(|record| record.id().get()).collect();
                        // A path over no link at all hides from the plain look that its end means nothing.
                        if let Some(expected) = expected {
                            assert_eq!(found, expected, "{conditions:?}");
                        } else {
                            panic!("found {found:?} by {conditions:?}, which means nothing");
                        }
                    }
                    Err(error) => {
                        let by_path = conditions.iter().any(|condition| condition.field.contains("__"));
                        assert!(expected.is_none() || by_path, "{conditions:?}: {error}");
                    }
                }
            }
        });
    }
}
