//! The ways back of links: what leads to the objects that are told.

use futures_util::future::try_join_all;
use xos_model_client::{Error, ModelAccessor as _, ObjectId, Page, Query, Record, Value};

use super::served::Model;
use crate::EmbeddedCore;

/// How many links are read at once.
const PAGE: Page = Page::first(10_000);

/// What leads to some objects, by way back.
#[derive(Debug, Default)]
pub(super) struct Linking {
    /// For each way back: the object that is linked to, and the one that links; in order.
    pairs: Vec<Vec<(i32, i32)>>,
}

impl Linking {
    /// What leads to these objects, live ones only.
    pub(super) async fn to(core: &EmbeddedCore, model: &Model, ids: &[ObjectId]) -> Result<Self, Error> {
        Ok(Linking { pairs: core.leading_to(&model.ways_back, ids).await? })
    }

    /// What leads to any object of the model.
    pub(super) async fn to_all(core: &EmbeddedCore, model: &Model) -> Result<Self, Error> {
        let ways = model.linking.iter().map(|shape| async {
            let mut found = Vec::new();
            read(core, &Query::live(shape.clone()), &mut found).await?;
            found.sort_unstable();
            Ok::<_, Error>(found)
        });
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
}

/// Reads all links that a query finds.
async fn read(core: &EmbeddedCore, query: &Query, found: &mut Vec<(i32, i32)>) -> Result<(), Error> {
    let mut page = PAGE;
    loop {
        let answer = core.find(query, page).await?;
        answer.records.iter().for_each(|record| add(found, record));
        match answer.next {
            Some(next) => page = next,
            None => return Ok(()),
        }
        tokio::task::yield_now().await;
    }
}

/// A link may be one of a list.
fn add(found: &mut Vec<(i32, i32)>, record: &Record) {
    let source = record.id().get();
    match record.values().get(1) {
        Some(Value::Link(target)) => found.push((target.get(), source)),
        Some(Value::Links(targets)) => found.extend(targets.iter().map(|target| (target.get(), source))),
        _ => {}
    }
}
