//! The ways back of links: what leads to the objects that are told.

use futures_util::future::try_join_all;
use xos_model_client::{
    Condition, Error, Found, ModelAccessor as _, ObjectId, Operator, Page, Query, Record, Value,
};

use super::served::{Model, WayBack};
use crate::EmbeddedCore;

/// For so many objects each one is asked for what leads to it, through an index; for more, all links are read once.
const FEW: usize = 256;

/// How many links to one object are read at once, on the thread of the call.
const FIRST_PAGE: Page = Page::first(200);

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
        if !Self::is_for_few(ids.len()) {
            return Self::to_all(core, model).await;
        }
        let asked = model.ways_back.iter().flat_map(|way| ids.iter().map(move |id| (way, *id)));
        let queries: Vec<Query> = asked.map(|(way, id)| leading_to(way, id)).collect();
        if queries.is_empty() {
            return Ok(Linking { pairs: vec![Vec::new(); model.ways_back.len()] });
        }
        let answers = core.find_each(queries.clone(), FIRST_PAGE).await?;
        let mut pairs = Vec::with_capacity(model.ways_back.len());
        for (queries, answers) in queries.chunks(ids.len()).zip(answers.chunks(ids.len())) {
            let mut found = Vec::new();
            for ((query, answer), id) in queries.iter().zip(answers).zip(ids) {
                take(&mut found, answer, Some(*id));
                if let Some(next) = answer.next {
                    let rest = Page { limit: PAGE.limit, ..next };
                    read(core, query, rest, Some(*id), &mut found).await?;
                }
            }
            found.sort_unstable();
            pairs.push(found);
        }
        Ok(Linking { pairs })
    }

    /// What leads to any object of the model.
    pub(super) async fn to_all(core: &EmbeddedCore, model: &Model) -> Result<Self, Error> {
        let ways = model.ways_back.iter().map(|way| async {
            let mut found = Vec::new();
            read(core, &Query::live(way.shape.clone()), PAGE, None, &mut found).await?;
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

    /// Whether so many objects are few.
    pub(super) fn is_for_few(count: usize) -> bool {
        count <= FEW
    }
}

/// The live objects that link to one.
fn leading_to(way: &WayBack, id: ObjectId) -> Query {
    Query::live(way.shape.clone()).with(Condition {
        field: way.field.clone().into(),
        operator: Operator::Equal,
        value: Value::Link(id),
        invert: false,
    })
}

/// Reads the links that a query finds from a page on: all of them, or those that lead to one object.
async fn read(
    core: &EmbeddedCore,
    query: &Query,
    mut page: Page,
    to: Option<ObjectId>,
    found: &mut Vec<(i32, i32)>,
) -> Result<(), Error> {
    loop {
        let answer = core.find(query, page).await?;
        take(found, &answer, to);
        match answer.next {
            Some(next) => page = next,
            None => return Ok(()),
        }
        tokio::task::yield_now().await;
    }
}

fn take(found: &mut Vec<(i32, i32)>, answer: &Found, to: Option<ObjectId>) {
    for record in &answer.records {
        add(found, record, to);
    }
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
