//! A `Query` message as a query of the store.

use tonic::Status;
use xos_model_client::compared::{is_of_text, parse_time};
use xos_model_client::{
    Condition, FieldInfo, Kind, ModelInfo, Operator, Query, QueryKind, Schema, Timestamp, Value,
};

use crate::server::status::{cannot_resolve, exception, of_error, unicode};
use crate::server::wire::{Element, Operand, QueryMessage, is_secret};

/// More conditions than this are no query: each is a part of one statement.
const MOST_ELEMENTS: usize = 100;

/// A path leads over at most this many links.
const LONGEST_PATH: usize = 16;

/// A query, and what of it the store cannot do and has to be looked at in what it found.
#[derive(Debug)]
pub struct Asked {
    /// What the store is asked.
    pub query: Query,
    /// What else must hold for each object that it finds.
    pub also: Vec<PartOfNumber>,
}

/// A number whose digits have this part: a database that casts can ask that.
#[derive(Debug)]
pub struct PartOfNumber {
    field: usize,
    part: String,
    invert: bool,
}

impl PartOfNumber {
    /// Whether it holds for an object with these values.
    pub fn holds(&self, values: &[Value]) -> bool {
        let digits = values.get(self.field).filter(|value| !value.is_null());
        digits.is_some_and(|value| value.to_string().contains(&self.part)) != self.invert
    }
}

/// What a `Query` message asks for.
///
/// # Errors
///
/// The status of what a core does not understand.
pub fn asked(schema: &Schema, model: &ModelInfo, message: &QueryMessage) -> Result<Asked, Status> {
    let kind = match message.kind {
        0 | 1 => QueryKind::Live,
        2 => QueryKind::DirtyObjects,
        3 => QueryKind::DeletedObjects,
        4 => QueryKind::DirtyPolicies,
        5 => QueryKind::DeletedPolicies,
        _ => return Err(exception("local variable 'queryset' referenced before assignment")),
    };
    if message.elements.len() > MOST_ELEMENTS {
        let text = format!(
            "a query has at most {MOST_ELEMENTS} elements, found {}; ask for less at once",
            message.elements.len()
        );
        return Err(Status::invalid_argument(text));
    }
    let mut asked = Asked { query: Query::live(model.shape.clone()).of_kind(kind), also: Vec::new() };
    // The kind ALL ignores its elements.
    for element in message.elements.iter().filter(|_| message.kind != 1) {
        add(schema, model, element, &mut asked)?;
    }
    Ok(asked)
}

fn add(schema: &Schema, model: &ModelInfo, element: &Element, asked: &mut Asked) -> Result<(), Status> {
    let invert = element.invert;
    let Some(given) = element.value.clone() else { return Err(exception("must specify iValue or sValue")) };
    let operator = operator_of(element.operator).ok_or_else(|| exception("unknown operator"))?;
    let (path, lookup) = split_lookup(&element.name);
    let (at, field) = resolve(schema, model, path)?;
    let (operator, given) = match lookup {
        None => (operator, given),
        Some("isnull") => {
            let wanted = !matches!(given, Operand::Number(0));
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
    if is_of_text(operator) && !field.def.kind.is_text() {
        let part = match (given, operator) {
            (Operand::Number(number), Operator::Contains | Operator::IContains) => number.to_string(),
            (Operand::Text(text), Operator::Contains | Operator::IContains) => text,
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
            "function upper(integer) does not exist\nLINE 1: ...\nHINT:  No function matches the given name and argument types. {hint}"
        ),
        _ => {
            let sign = if operator == Operator::IRegex { "~*" } else { "~" };
            format!(
                "operator does not exist: text {sign} integer\nLINE 1: ...\nHINT:  No operator matches the given name and argument types. {hint}"
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

fn looked_up(lookup: &str, given: Operand) -> (Operator, Operand) {
    let pattern = |given: Operand, before: &str, after: &str| match given {
        Operand::Text(text) => Operand::Text(format!("{before}{}{after}", escaped(&text))),
        Operand::Number(number) => Operand::Text(format!("{before}{number}{after}")),
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
    let mut from = model;
    let mut names = path.split("__").enumerate().peekable();
    while let Some((at, name)) = names.next() {
        let name = if name == "pk" { "id" } else { name };
        let field = from.expect_field(name).map_err(|error| of_error(&error, schema, from))?;
        if is_secret(schema, from, &field.def.name) {
            // A pattern that fits or not would tell it letter by letter.
            return Err(cannot_resolve(schema, from, name));
        }
        let Some((_, next)) = names.peek() else {
            return Ok((from.shape.position(&field.def.name).filter(|_| at == 0), field));
        };
        let Some(target) = field.target.and_then(|target| schema.by_id(target)) else {
            let text = format!("Unsupported lookup '{next}' for field or join on the field not permitted.");
            return Err(exception(text));
        };
        if at == LONGEST_PATH {
            let text = format!("Unsupported lookup: a path leads over at most {LONGEST_PATH} links");
            return Err(exception(text));
        }
        from = target;
    }
    Err(cannot_resolve(schema, model, path))
}

fn value_of(field: &FieldInfo, given: Operand) -> Result<Value, Status> {
    Ok(match (field.def.kind, given) {
        (kind, Operand::Number(number)) if kind.is_text() => Value::Text(number.to_string()),
        (Kind::Date, Operand::Number(_)) => return Err(exception("expected string or buffer")),
        (Kind::Bool, Operand::Number(number)) => Value::Bool(number != 0),
        (_, Operand::Number(number)) => Value::Int(i64::from(number)),
        (Kind::Bool, Operand::Text(text)) => match text.as_str() {
            "True" | "t" | "1" => Value::Bool(true),
            "False" | "f" | "0" => Value::Bool(false),
            _ => {
                let text = format!("'{text}' value must be either True or False.");
                return Err(exception(format!("[{}]", unicode(&text))));
            }
        },
        (Kind::Date, Operand::Text(text)) => time(&text)?,
        (Kind::Int32 | Kind::UInt32 | Kind::Link | Kind::Links, Operand::Text(text)) => {
            match text.trim().parse() {
                Ok(number) => Value::Int(number),
                Err(_) => {
                    return Err(exception(format!("invalid literal for int() with base 10: '{text}'")));
                }
            }
        }
        (Kind::Float, Operand::Text(text)) => match text.trim().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => {
                let text = format!("Unsupported lookup: could not convert string to float: {text}");
                return Err(exception(text));
            }
        },
        (_, Operand::Text(text)) => Value::Text(text),
    })
}

fn time(text: &str) -> Result<Value, Status> {
    match parse_time(text) {
        Some(micros) => Ok(Value::Time(Timestamp::from_micros(micros))),
        None => {
            let text = format!(
                "'{text}' value has an invalid format. It must be in YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format."
            );
            Err(exception(format!("[{}]", unicode(&text))))
        }
    }
}
