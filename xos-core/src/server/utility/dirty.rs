//! `ListDirtyModels` and `SetDirtyModels`: what a synchronizer has yet to look at, and making it look again.

use std::collections::{HashMap, HashSet};

use regex::Regex;
use tonic::Status;
use xos_model_client::{
    Caller, Guard, ModelAccessor as _, ModelInfo, ObjectId, Op, Page, Query, QueryKind, Record, Target,
    Touch, Write,
};

use super::messages::{ModelFilter, ModelList, ModelListEntry};
use crate::server::World;
use crate::server::files::told;
use crate::server::policies::Access;
use crate::server::proto::{declared_class, is_declared_apart};
use crate::server::users::Who;

/// How long a pattern may be, in bytes: the longest name of a model, twice.
const LONGEST_PATTERN: usize = 512;

/// The objects that a synchronizer has to look at, under each of their classes that is meant.
pub(super) async fn list(world: &World, who: &Who, filter: ModelFilter) -> Result<ModelList, Status> {
    let pattern = pattern(&filter.class_name)?;
    let schema = world.core.schema();
    let mut items = Vec::new();
    for (model, classes) in meant(schema.models(), &pattern) {
        let mut next = Some(Page::default());
        while let Some(page) = next {
            let (records, after) = readable(world, who, model, QueryKind::DirtyObjects, page).await?;
            next = after;
            for class in &classes {
                items.extend(records.iter().map(|record| entry(class, record.id(), "")));
            }
        }
    }
    Ok(ModelList { items })
}

/// Saves all objects of the models that are meant, as somebody would who changes nothing: they become dirty. Tells
/// which, and which could not be saved.
pub(super) async fn set(world: &World, who: &Who, filter: ModelFilter) -> Result<ModelList, Status> {
    let pattern = pattern(&filter.class_name)?;
    let schema = world.core.schema();
    let mut items = Vec::new();
    // An object is one of each model that it inherits from.
    let mut done: HashSet<(u16, ObjectId)> = HashSet::new();
    for (model, classes) in meant(schema.models(), &pattern) {
        let mut next = Some(Page::default());
        while let Some(page) = next {
            let (records, after) = readable(world, who, model, QueryKind::Live, page).await?;
            next = after;
            let left: Vec<&Record> =
                records.iter().filter(|record| done.insert((model.root.0, record.id()))).collect();
            let problems = touch_all(world, who, model, &left).await;
            let problem = |id| problems.get(&id).map_or("", String::as_str);
            for class in &classes {
                items.extend(records.iter().map(|record| entry(class, record.id(), problem(record.id()))));
            }
        }
    }
    Ok(ModelList { items })
}

/// Saves these objects, where the caller may; tells why which of them was not saved.
async fn touch_all(
    world: &World,
    who: &Who,
    model: &ModelInfo,
    records: &[&Record],
) -> HashMap<ObjectId, String> {
    let mut problems: HashMap<ObjectId, String> = HashMap::new();
    let mut ids = Vec::new();
    for record in records {
        match world.policies.check(who, Access::Write, model, record).await {
            Ok(()) => ids.push(record.id()),
            Err(status) => {
                problems.insert(record.id(), status.message().to_owned());
            }
        }
    }
    let writes = ids.iter().map(|id| touch(model, *id)).collect();
    for (id, answer) in ids.iter().zip(world.core.write(writes).await) {
        if let Err(error) = answer {
            problems.insert(*id, error.to_string());
        }
    }
    problems
}

/// A page of the objects of a model that the caller may read, and where the next one begins.
async fn readable(
    world: &World,
    who: &Who,
    model: &ModelInfo,
    kind: QueryKind,
    page: Page,
) -> Result<(Vec<Record>, Option<Page>), Status> {
    let query = Query::live(model.shape.clone()).of_kind(kind);
    let found = world.core.find(&query, page).await.map_err(|error| told(&error))?;
    Ok((world.policies.readable(who, model, found.records).await?, found.next))
}

fn entry(class: &str, id: ObjectId, info: &str) -> ModelListEntry {
    ModelListEntry { class_name: class.to_owned(), id: id.get(), info: info.to_owned() }
}

fn touch(model: &ModelInfo, id: ObjectId) -> Write {
    Write {
        shape: model.shape.clone(),
        target: Target::Object(id),
        op: Op::Set { fields: Vec::new(), touch: Touch::Updated },
        by: Caller::Client,
        guard: Guard::None,
    }
}

/// The models with objects, by name, whose classes are meant: the generated class of a model, and itself.
fn meant<'a>(models: &'a [ModelInfo], pattern: &Regex) -> Vec<(&'a ModelInfo, Vec<String>)> {
    let mut models: Vec<&ModelInfo> = models.iter().filter(|model| !model.def.is_abstract).collect();
    models.sort_by_key(|model| model.name());
    let classes = |model: &ModelInfo| {
        let declared = is_declared_apart(model).then(|| declared_class(model));
        let all = declared.into_iter().chain([model.name().to_string()]);
        all.filter(|class| pattern.is_match(class)).collect::<Vec<_>>()
    };
    let meant = models.into_iter().map(|model| (model, classes(model)));
    meant.filter(|(_, classes)| !classes.is_empty()).collect()
}

/// A pattern as a shell has it: `*`, `?`, `[abc]`, `[!a-c]`; an empty one is for all.
fn pattern(text: &str) -> Result<Regex, Status> {
    if text.len() > LONGEST_PATTERN {
        let length = text.len();
        return Err(Status::invalid_argument(format!(
            "class_name is a model's name or a pattern, {LONGEST_PATTERN} bytes at most, found {length}"
        )));
    }
    if text.is_empty() {
        return compiled("");
    }
    let mut expression = String::from("^(?s:");
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' => match set_of(rest.as_str()) {
                Some((set, after)) => {
                    expression.push_str(&set);
                    rest = after.chars();
                }
                None => expression.push_str("\\["),
            },
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push_str(")$");
    compiled(&expression)
}

/// The set that a text behind `[` begins with, as an expression, and what comes behind it.
fn set_of(text: &str) -> Option<(String, &str)> {
    let (not, set) = text.strip_prefix('!').map_or(("", text), |set| ("^", set));
    // A bracket that is the first member closes nothing.
    let from = set.chars().next()?.len_utf8();
    let end = from + set[from..].find(']')?;
    let mut members = String::new();
    for character in set[..end].chars() {
        if matches!(character, '\\' | '[' | ']' | '^' | '&' | '~') {
            members.push('\\');
        }
        members.push(character);
    }
    Some((format!("[{not}{members}]"), &set[end + 1..]))
}

fn compiled(expression: &str) -> Result<Regex, Status> {
    Regex::new(expression).map_err(|_| {
        Status::invalid_argument(
            "class_name is a model's name or a pattern with *, ? and [..], found neither",
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (text, fits, not) in [
            ("", "Site", None),
            ("Site", "Site", Some("Sites")),
            ("S*", "Site_decl", Some("Tag")),
            ("*Link", "ServiceInstanceLink", Some("ServiceInstance")),
            ("?ite", "Site", Some("ite")),
            ("[ST]*", "Tag", Some("User")),
            ("[!S]*", "Tag", Some("Site")),
            ("[!S", "[!S", Some("Tag")),
            ("[]]", "]", Some("[")),
            ("a.c", "a.c", Some("abc")),
            ("[a-c]x", "bx", Some("dx")),
            ("[^a]", "^", Some("b")),
        ] {
            let pattern = pattern(text).unwrap();
            assert!(pattern.is_match(fits), "{text} {pattern}");
            assert!(!not.is_some_and(|not| pattern.is_match(not)), "{text} {pattern}");
        }
        for wrong in ["[z-a]", &"*".repeat(600)] {
            assert_eq!(pattern(wrong).unwrap_err().code(), tonic::Code::InvalidArgument);
        }
    }
}
