//! The object that a person means.

use xos_model_client::{
    Condition, ModelAccessor, ModelInfo, ObjectId, Operator, Page, Query, QueryKind, Record, Schema, Value,
    closest,
};

use crate::error::{ErrorKind, Result};

/// How many names are compared with one that is misspelt, and how many ids are listed.
const COMPARED: usize = 1000;
const LISTED: usize = 10;

/// The object of this model with this id, or else with this name.
///
/// # Errors
///
/// No such model, none or several such objects: what there is instead.
pub(super) async fn object(
    accessor: &dyn ModelAccessor,
    schema: &Schema,
    model: &str,
    object: &str,
) -> Result<Record> {
    let model = schema.expect_model(model)?;
    if model.def.is_abstract {
        let problem = format!("{} has no objects; name the model of the object, such as Site", model.name());
        return Err(ErrorKind::Verb(problem).into());
    }
    if let Ok(id) = object.parse()
        && let Some(record) = accessor.get(&model.shape, &[ObjectId::new(id)]).await?.pop().flatten()
    {
        return Ok(record);
    }
    let mut found = by_name(accessor, model, object).await?;
    match (found.len(), found.pop()) {
        (1, Some(record)) => Ok(record),
        (0, _) | (_, None) => Err(ErrorKind::Verb(nothing(accessor, model, object).await?).into()),
        (_, Some(last)) => {
            let ids: Vec<String> =
                found.iter().chain([&last]).take(LISTED).map(|record| record.id().to_string()).collect();
            let problem = format!(
                "several {} are called \"{object}\"; give one of their ids: {}",
                model.plural,
                ids.join(", ")
            );
            Err(ErrorKind::Verb(problem).into())
        }
    }
}

/// The name of an object, where it has one.
pub(super) fn name_of(record: &Record) -> Option<&str> {
    record.get("name").and_then(Value::as_text).filter(|name| !name.is_empty())
}

/// Live and soft-deleted objects of this name.
async fn by_name(accessor: &dyn ModelAccessor, model: &ModelInfo, name: &str) -> Result<Vec<Record>> {
    if model.field("name").is_none() {
        return Ok(Vec::new());
    }
    let condition = Condition {
        field: "name".into(),
        operator: Operator::Equal,
        value: Value::Text(name.to_owned()),
        invert: false,
    };
    let mut found = Vec::new();
    for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
        let query = Query::live(model.shape.clone()).of_kind(kind).with(condition.clone());
        found.extend(accessor.find(&query, Page::first(LISTED + 1)).await?.records);
    }
    Ok(found)
}

/// There is no such object: which there are.
async fn nothing(accessor: &dyn ModelAccessor, model: &ModelInfo, object: &str) -> Result<String> {
    let query = Query::live(model.shape.clone());
    let records = accessor.find(&query, Page::first(COMPARED)).await?.records;
    let plural = &model.plural;
    let problem = format!("there is no {} with the id or name \"{object}\"", model.name());
    if records.is_empty() {
        return Ok(format!("{problem}; there are no {plural} at all"));
    }
    if let Some(name) = closest(object, records.iter().filter_map(name_of)) {
        return Ok(format!("{problem} (did you mean \"{name}\"?)"));
    }
    let ids: Vec<String> = records.iter().take(LISTED).map(|record| record.id().to_string()).collect();
    let more = if records.len() > LISTED { ", …" } else { "" };
    Ok(format!("{problem}; the ids are {}{more}: list {} shows them", ids.join(", "), model.name()))
}
