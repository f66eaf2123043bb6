//! Embedded cores with sites in them.

use std::path::Path;
use std::sync::Arc;

use xos_core::{EmbeddedCore, Options};
use xos_sync::model_client::{
    Caller, FieldPos, Guard, Model as _, ModelAccessor, ObjectId, Op, Page, Query, QueryKind, Target, Touch,
    Write,
};
use xos_sync::models::Site;

/// How many are created in one call.
const BATCH: usize = 500;

/// A core in memory with this many sites, with the ids from 1 on, all dirty.
pub async fn embedded_in_memory(count: usize) -> Arc<dyn ModelAccessor> {
    let core = Arc::new(EmbeddedCore::in_memory().expect("a core in memory"));
    create(core.as_ref(), count).await;
    core
}

/// A core on a new file with this many sites, with the ids from 1 on, all dirty.
pub async fn embedded_on(path: &Path, count: usize) -> Arc<EmbeddedCore> {
    let core = Arc::new(EmbeddedCore::open(path, Options::default()).expect("a database"));
    create(core.as_ref(), count).await;
    core
}

/// Creates sites; the first id of an empty core is 1.
pub async fn create(core: &dyn ModelAccessor, count: usize) {
    let shape = Site::shape();
    let write = |number: &usize| Write {
        shape: shape.clone(),
        target: Target::New,
        op: Op::Create(vec![
            (at("name"), format!("site {number}").into()),
            (at("login_base"), format!("site{number}").into()),
            (at("abbreviated_name"), format!("s{number}").into()),
        ]),
        by: Caller::Client,
        guard: Guard::None,
    };
    let numbers: Vec<usize> = (1..=count).collect();
    for some in numbers.chunks(BATCH) {
        for answer in core.write(some.iter().map(write).collect()).await {
            let id = answer.expect("a site is created").id;
            assert!(id.get() as usize <= count, "the ids begin with 1");
        }
    }
}

/// Edits these sites as a client does, so that they are dirty.
pub async fn edit(core: &dyn ModelAccessor, ids: &[usize], text: &str) {
    let shape = Site::shape();
    let write = |id: &usize| Write {
        shape: shape.clone(),
        target: Target::Object(ObjectId::new(*id as i32)),
        op: Op::Set {
            fields: vec![(at("abbreviated_name"), format!("{text} {id}").into())],
            touch: Touch::default(),
        },
        by: Caller::Client,
        guard: Guard::None,
    };
    for some in ids.chunks(BATCH) {
        for answer in core.write(some.iter().map(write).collect()).await {
            answer.expect("a site is edited");
        }
    }
}

/// Whether any site is dirty.
pub async fn any_dirty(core: &dyn ModelAccessor) -> bool {
    let query = Query::live(Site::shape().clone()).of_kind(QueryKind::DirtyObjects);
    !core.find(&query, Page::first(1)).await.expect("a list").records.is_empty()
}

fn at(name: &str) -> FieldPos {
    Site::shape().position(name).expect(name) as FieldPos
}
