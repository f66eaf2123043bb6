//! A `Query` message as a query of the store.

use prost_reflect::{DynamicMessage, Value as Wire};
use tonic::Status;
use xos_model_client::{
    Condition, FieldInfo, Kind, ModelInfo, Operator, Query, QueryKind, Schema, Timestamp, Value,
};

use super::python;
use super::status::exception;

/// A query, and what of it the store cannot do and has to be looked at in what it found.
pub struct Asked {
    /// What the store is asked.
    pub query: Query,
    /// What else must hold for each object that it finds.
    pub also: Vec<PartOfNumber>,
}

/// A number whose digits have this part: a database that casts can ask that.
pub struct PartOfNumber {
    field: usize,
    part: String,
    invert: bool,
}

impl PartOfNumber {
    /// Whether it holds for an object with these values.
    pub fn holds(&self, values: &[Value]) -> bool {
        let digits = values.get(self.field).map(Value::to_string).unwrap_or_default();
        digits.contains(&self.part) != self.invert
    }
}

/// What a `Query` message asks for.
///
/// # Errors
///
/// The status of what a core does not understand.
pub fn asked(schema: &Schema, model: &ModelInfo, message: &DynamicMessage) -> Result<Asked, Status> {
    let number = |name: &str| match message.get_field_by_name(name).as_deref() {
        Some(Wire::EnumNumber(number)) => *number,
        _ => 0,
    };
    let elements: Vec<DynamicMessage> = match message.get_field_by_name("elements").as_deref() {
        Some(Wire::List(elements)) => elements.iter().filter_map(|it| it.as_message().cloned()).collect(),
        _ => Vec::new(),
    };
    let kind = match number("kind") {
        0 if elements.is_empty() => return Err(exception("'NoneType' object is not iterable")),
        0 | 1 => QueryKind::Live,
        2 => QueryKind::DirtyObjects,
        3 => QueryKind::DeletedObjects,
        4 => QueryKind::DirtyPolicies,
        5 => QueryKind::DeletedPolicies,
        _ => return Err(exception("local variable 'queryset' referenced before assignment")),
    };
    let mut asked = Asked { query: Query::live(model.shape.clone()).of_kind(kind), also: Vec::new() };
    // The kind ALL ignores its elements.
    for element in elements.iter().filter(|_| number("kind") != 1) {
        add(schema, model, element, &mut asked)?;
    }
    Ok(asked)
}

enum Given {
    Text(String),
    Number(i32),
}

fn add(
    schema: &Schema,
    model: &ModelInfo,
    element: &DynamicMessage,
    asked: &mut Asked,
) -> Result<(), Status> {
    let invert = element.get_field_by_name("invert").and_then(|it| it.as_bool()).unwrap_or_default();
    let name = element.get_field_by_name("name");
    let name = name.as_ref().and_then(|it| it.as_str()).unwrap_or_default();
    let given = if element.has_field_by_name("iValue") {
        Given::Number(element.get_field_by_name("iValue").and_then(|it| it.as_i32()).unwrap_or_default())
    } else if element.has_field_by_name("sValue") {
        let text = element.get_field_by_name("sValue");
        Given::Text(text.as_ref().and_then(|it| it.as_str()).unwrap_or_default().to_owned())
    } else {
        return Err(exception("must specify iValue or sValue"));
    };
    let operator = match element.get_field_by_name("operator").as_deref() {
        Some(Wire::EnumNumber(number)) => *number,
        _ => 0,
    };
    let operator = operator_of(operator).ok_or_else(|| exception("unknown operator"))?;
    let (path, lookup) = split_lookup(name);
    let (at, field) = resolve(schema, model, path)?;
    let (operator, given) = match lookup {
        None => (operator, given),
        Some("isnull") => {
            let wanted = !matches!(given, Given::Number(0));
            let condition = Condition {
                field: path.to_owned().into(),
                operator: Operator::Equal,
                value: Value::Null,
                invert: invert == wanted,
            };
            asked.query.conditions.push(condition);
            return Ok(());
        }
        Some(lookup) => looked_up(lookup, given),
    };
    let of_text = matches!(
        operator,
        Operator::IExact | Operator::Contains | Operator::IContains | Operator::Regex | Operator::IRegex
    );
    if of_text && !field.def.kind.is_text() {
        let part = match (&given, operator) {
            (Given::Number(number), Operator::Contains | Operator::IContains) => number.to_string(),
            (Given::Text(text), Operator::Contains | Operator::IContains) => text.clone(),
            _ => return Err(exception(no_operator(operator))),
        };
        let Some(field) = at else { return Err(exception(no_operator(operator))) };
        asked.also.push(PartOfNumber { field, part, invert });
        return Ok(());
    }
    let value = value_of(field, given)?;
    asked.query.conditions.push(Condition { field: path.to_owned().into(), operator, value, invert });
    Ok(())
}

fn operator_of(number: i32) -> Option<Operator> {
    Some(match number {
        0 => Operator::Equal,
        1 => Operator::GreaterThan,
        2 => Operator::LessThan,
        3 => Operator::GreaterThanOrEqual,
        4 => Operator::LessThanOrEqual,
        5 => Operator::IExact,
        6 => Operator::Contains,
        7 => Operator::IContains,
        8 => Operator::Regex,
        9 => Operator::IRegex,
        _ => return None,
    })
}

/// What the database says when something that only texts have is asked of a number.
fn no_operator(operator: Operator) -> String {
    let hint = "You might need to add explicit type casts.\n";
    match operator {
        Operator::IExact => format!(
            "function upper(integer) does not exist\nHINT:  No function matches the given name and argument types. {hint}"
        ),
        _ => {
            let sign = if operator == Operator::IRegex { "~*" } else { "~" };
            format!(
                "operator does not exist: text {sign} integer\nHINT:  No operator matches the given name and argument types. {hint}"
            )
        }
    }
}

/// The lookup of Django that a name may end in.
fn split_lookup(name: &str) -> (&str, Option<&str>) {
    const LOOKUPS: [&str; 15] = [
        "exact",
        "iexact",
        "contains",
        "icontains",
        "startswith",
        "istartswith",
        "endswith",
        "iendswith",
        "regex",
        "iregex",
        "gt",
        "gte",
        "lt",
        "lte",
        "isnull",
    ];
    match name.rsplit_once("__") {
        Some((path, last)) if LOOKUPS.contains(&last) => (path, Some(last)),
        _ => (name, None),
    }
}

fn looked_up(lookup: &str, given: Given) -> (Operator, Given) {
    let pattern = |given: Given, before: &str, after: &str| match given {
        Given::Text(text) => Given::Text(format!("{before}{}{after}", escaped(&text))),
        Given::Number(number) => Given::Text(format!("{before}{number}{after}")),
    };
    match lookup {
        "iexact" => (Operator::IExact, given),
        "contains" => (Operator::Contains, given),
        "icontains" => (Operator::IContains, given),
        "regex" => (Operator::Regex, given),
        "iregex" => (Operator::IRegex, given),
        "gt" => (Operator::GreaterThan, given),
        "gte" => (Operator::GreaterThanOrEqual, given),
        "lt" => (Operator::LessThan, given),
        "lte" => (Operator::LessThanOrEqual, given),
        "startswith" => (Operator::Regex, pattern(given, "^", "")),
        "istartswith" => (Operator::IRegex, pattern(given, "^", "")),
        "endswith" => (Operator::Regex, pattern(given, "", "$")),
        "iendswith" => (Operator::IRegex, pattern(given, "", "$")),
        _ => (Operator::Equal, given),
    }
}

/// A text as a pattern that only matches itself.
fn escaped(text: &str) -> String {
    let special = |character: char| character.is_ascii_punctuation() && character != '_';
    text.chars().flat_map(|it| special(it).then_some('\\').into_iter().chain([it])).collect()
}

/// The field at the end of a path, and its place when it is one of the model itself.
fn resolve<'a>(
    schema: &'a Schema,
    model: &'a ModelInfo,
    path: &str,
) -> Result<(Option<usize>, &'a FieldInfo), Status> {
    let mut model = model;
    let mut names = path.split("__").peekable();
    let mut first = true;
    loop {
        let name = names.next().unwrap_or_default();
        let name = if name == "pk" { "id" } else { name };
        let field =
            model.expect_field(name).map_err(|error| super::status::of_error(&error, schema, model))?;
        if names.peek().is_none() {
            return Ok((model.shape.position(&field.def.name).filter(|_| first), field));
        }
        let Some(target) = field.target.and_then(|target| schema.by_id(target)) else {
            let next = names.peek().copied().unwrap_or_default();
            let text = format!("Unsupported lookup '{next}' for field or join on the field not permitted.");
            return Err(exception(text));
        };
        (model, first) = (target, false);
    }
}

fn value_of(field: &FieldInfo, given: Given) -> Result<Value, Status> {
    Ok(match (field.def.kind, given) {
        (kind, Given::Number(number)) if kind.is_text() => Value::Text(number.to_string()),
        (Kind::Date, Given::Number(_)) => return Err(exception("expected string or buffer")),
        (Kind::Bool, Given::Number(number)) => Value::Bool(number != 0),
        (_, Given::Number(number)) => Value::Int(i64::from(number)),
        (Kind::Bool, Given::Text(text)) => match text.as_str() {
            "True" | "t" | "1" => Value::Bool(true),
            "False" | "f" | "0" => Value::Bool(false),
            _ => {
                let text = format!("'{text}' value must be either True or False.");
                return Err(exception(format!("[{}]", python::unicode(&text))));
            }
        },
        (Kind::Date, Given::Text(text)) => time(&text)?,
        (Kind::Int32 | Kind::UInt32 | Kind::Link | Kind::Links, Given::Text(text)) => {
            match text.trim().parse() {
                Ok(number) => Value::Int(number),
                Err(_) => {
                    return Err(exception(format!("invalid literal for int() with base 10: '{text}'")));
                }
            }
        }
        (Kind::Float, Given::Text(text)) => match text.trim().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => return Err(exception(format!("could not convert string to float: {text}"))),
        },
        (_, Given::Text(text)) => Value::Text(text),
    })
}

fn time(text: &str) -> Result<Value, Status> {
    let wrong = || {
        let text = format!(
            "'{text}' value has an invalid format. It must be in YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format."
        );
        exception(format!("[{}]", python::unicode(&text)))
    };
    let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    });
    Ok(Value::Time(Timestamp::from_micros(instant.ok_or_else(wrong)?.as_microsecond())))
}
