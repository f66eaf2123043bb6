//! The ways back of links: what leads to the objects that are told.

use futures_util::future::try_join_all;
use xos_model_client::{
    Condition, Error, ModelAccessor as _, ObjectId, Operator, Page, Query, Record, Value,
};

use super::served::{Model, WayBack};
use crate::EmbeddedCore;

/// For so many objects each one is asked for what leads to it, through an index; for more, all links are read once.
const FEW: usize = 256;

/// How many links are read at once.
const PAGE: usize = 10_000;

/// What leads to some objects, by way back.
#[derive(Debug, Default)]
pub(super) struct Linking {
    /// For each way back: the object that is linked to, and the one that links; in order.
    pairs: Vec<Vec<(i32, i32)>>,
}

impl Linking {
    /// What leads to these objects, live ones only.
    pub(super) async fn to(core: &EmbeddedCore, model: &Model, ids: &[ObjectId]) -> Result<Self, Error> {
        let ways = model.ways_back.iter().map(|way| pairs(core, way, ids));
        Ok(Linking { pairs: try_join_all(ways).await? })
    }

    /// What leads to any object of the model.
    pub(super) async fn to_all(core: &EmbeddedCore, model: &Model) -> Result<Self, Error> {
        let ways = model.ways_back.iter().map(|way| all_pairs(core, way, None));
        Ok(Linking { pairs: try_join_all(ways).await? })
    }

    /// What leads to one object, by way back, into lists that are used again.
    pub(super) fn fill(&self, id: ObjectId, lists: &mut Vec<Vec<i32>>) {
        lists.resize_with(self.pairs.len(), Vec::new);
        for (pairs, list) in self.pairs.iter().zip(lists) {
            list.clear();
            let start = pairs.partition_point(|(target, _)| *target < id.get());
            let found = pairs[start..].iter().take_while(|(target, _)| *target == id.get());
            list.extend(found.map(|(_, source)| *source));
        }
    }

    /// Whether so many objects are few.
    pub(super) fn is_for_few(count: usize) -> bool {
        count <= FEW
    }
}

async fn pairs(core: &EmbeddedCore, way: &WayBack, ids: &[ObjectId]) -> Result<Vec<(i32, i32)>, Error> {
    if !Linking::is_for_few(ids.len()) {
        return all_pairs(core, way, None).await;
    }
    let mut found = Vec::new();
    for id in ids {
        found.append(&mut all_pairs(core, way, Some(*id)).await?);
    }
    found.sort_unstable();
    Ok(found)
}

/// The links of one field, or those of them that lead to one object; in order.
async fn all_pairs(
    core: &EmbeddedCore,
    way: &WayBack,
    to: Option<ObjectId>,
) -> Result<Vec<(i32, i32)>, Error> {
    let mut query = Query::live(way.shape.clone());
    if let Some(id) = to {
        query.conditions.push(Condition {
            field: way.field.clone().into(),
            operator: Operator::Equal,
            value: Value::Link(id),
            invert: false,
        });
    }
    let mut found = Vec::new();
    let mut page = Page::first(PAGE);
    loop {
        let answer = core.find(&query, page).await?;
        for record in &answer.records {
            add(&mut found, record, to);
        }
        match answer.next {
            Some(next) => page = next,
            None => break,
        }
        tokio::task::yield_now().await;
    }
    found.sort_unstable();
    Ok(found)
}

/// A link may be one of a list: of that, only what was asked for.
fn add(found: &mut Vec<(i32, i32)>, record: &Record, to: Option<ObjectId>) {
    let source = record.id().get();
    match record.values().get(1) {
        Some(Value::Link(target)) => found.push((target.get(), source)),
        Some(Value::Links(targets)) => {
            let wanted = targets.iter().filter(|target| to.is_none_or(|to| to == **target));
            found.extend(wanted.map(|target| (target.get(), source)));
        }
        _ => {}
    }
}
