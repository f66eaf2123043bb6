//! Records from the core, with the objects that the dependency graph makes them wait for.

use xos_model_client::{
    Condition, Error, ModelAccessor, ModelId, ObjectId, Operator, Page, Query, QueryKind, Record, Value,
};

use super::facts;
use super::layout::{Layout, ReverseDependency};
use crate::engine::ObjectKey;

/// How many objects one read asks for.
pub(super) const PAGE: usize = 1000;

/// Objects that changed, by leaf model.
pub(super) type Changed = Vec<(ModelId, Vec<ObjectId>)>;

/// What the core answered.
pub(super) struct Answer {
    pub(super) records: Vec<Option<Record>>,
    /// For each record, the objects that it waits for because they link to it; empty when the dependency graph has no
    /// such entry.
    pub(super) waits_for: Vec<Vec<ObjectKey>>,
    pub(super) next: Option<Page>,
}

/// What was read, with the objects that the dependency graph makes it wait for.
pub(super) async fn answer(
    accessor: &dyn ModelAccessor,
    reverse: &[ReverseDependency],
    records: Vec<Option<Record>>,
    next: Option<Page>,
) -> Result<Answer, Error> {
    let mut waits_for = Vec::new();
    if !reverse.is_empty() {
        for record in &records {
            waits_for.push(match record {
                Some(record) => linked_from(accessor, reverse, record.id()).await?,
                None => Vec::new(),
            });
        }
    }
    Ok(Answer { records, waits_for, next })
}

/// The objects that link to this one.
async fn linked_from(
    accessor: &dyn ModelAccessor,
    reverse: &[ReverseDependency],
    id: ObjectId,
) -> Result<Vec<ObjectKey>, Error> {
    let mut keys = Vec::new();
    for dependency in reverse {
        for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
            let query = Query::live(dependency.shape.clone()).of_kind(kind).with(Condition {
                field: dependency.field.clone().into(),
                operator: Operator::Equal,
                value: Value::Link(id),
                invert: false,
            });
            let mut page = Some(Page::first(PAGE));
            while let Some(this) = page {
                let found = accessor.find(&query, this).await?;
                keys.extend(found.records.iter().map(|record| facts::key_of(dependency.root, record.id())));
                page = found.next;
            }
        }
    }
    Ok(keys)
}

/// Objects of one model, by id.
pub(super) async fn read_objects(
    accessor: &dyn ModelAccessor,
    layout: &Layout,
    model: ModelId,
    ids: &[ObjectId],
) -> Result<Answer, Error> {
    let (mut records, mut waits_for) = (Vec::with_capacity(ids.len()), Vec::new());
    if let Some(leaf) = layout.leaf(model) {
        for some in ids.chunks(PAGE) {
            let found = accessor.get(&leaf.shape, some).await?;
            let more = answer(accessor, &leaf.reverse, found, None).await?;
            records.extend(more.records);
            waits_for.extend(more.waits_for);
        }
    }
    Ok(Answer { records, waits_for, next: None })
}

pub(super) async fn read_all(
    accessor: &dyn ModelAccessor,
    layout: &Layout,
    changed: &Changed,
) -> Result<Vec<(ModelId, Answer)>, Error> {
    let mut answers = Vec::with_capacity(changed.len());
    for (model, ids) in changed {
        answers.push((*model, read_objects(accessor, layout, *model, ids).await?));
    }
    Ok(answers)
}
