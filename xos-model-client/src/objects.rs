//! Typed queries.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt};

use crate::accessor::{ModelAccessor, Page};
use crate::error::{ErrorKind, Result};
use crate::model::{IsA, Model};
use crate::query::{Cond, Query, QueryKind};
use crate::record::Record;
use crate::value::ObjectId;

/// A query for objects of model `M`, built step by step.
///
/// # Examples
///
/// ```no_run
/// # // no_run: needs a core.
/// # use xos_model_client::{ModelClient, Result, models::Slice};
/// # async fn example(client: &ModelClient) -> Result<()> {
/// let enabled = client.objects::<Slice>().filter(Slice::ENABLED.eq(true)).all().await?;
/// let deleted = client.objects::<Slice>().deleted().count().await?;
/// # Ok(()) }
/// ```
#[must_use = "a query does nothing until it is asked for its objects"]
pub struct Objects<M> {
    accessor: Arc<dyn ModelAccessor>,
    query: Query,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Objects<M> {
    pub(crate) fn new(accessor: Arc<dyn ModelAccessor>) -> Self {
        Objects { accessor, query: Query::live(M::shape().clone()), model: PhantomData }
    }

    /// Only objects that fulfil this condition, on a field of `M` or of a model it inherits from.
    pub fn filter<B>(mut self, condition: Cond<B>) -> Self
    where
        B: Model,
        M: IsA<B>,
    {
        self.query.conditions.push(condition.into_condition());
        self
    }

    /// Only objects that do not fulfil this condition.
    pub fn exclude<B>(self, condition: Cond<B>) -> Self
    where
        B: Model,
        M: IsA<B>,
    {
        self.filter(condition.not())
    }

    /// Soft-deleted objects instead of live ones.
    pub fn deleted(self) -> Self {
        self.of_kind(QueryKind::DeletedObjects)
    }

    /// Objects of this kind instead of live ones.
    pub fn of_kind(mut self, kind: QueryKind) -> Self {
        self.query.kind = kind;
        self
    }

    /// All of them, by ascending id.
    ///
    /// # Errors
    ///
    /// A core that is away; an object with a value that its field cannot hold. [`stream`](Objects::stream) goes on
    /// past such an object.
    pub async fn all(self) -> Result<Vec<M>> {
        let mut objects = Vec::new();
        let mut found = self.stream();
        while let Some(object) = found.next().await {
            objects.push(object?);
        }
        Ok(objects)
    }

    /// All of them, by ascending id, page by page: for more objects than should be in memory at once.
    pub fn stream(self) -> BoxStream<'static, Result<M>> {
        let pages = stream::unfold((self, Some(Page::default())), |(objects, page)| async move {
            let page = page?;
            match objects.accessor.find(&objects.query, page).await {
                Ok(found) => {
                    let next = found.next;
                    let records: Vec<Result<M>> = found.records.into_iter().map(M::from_record).collect();
                    Some((records, (objects, next)))
                }
                Err(error) => Some((vec![Err(error)], (objects, None))),
            }
        });
        pages.flat_map(stream::iter).boxed()
    }

    /// The one with the lowest id.
    ///
    /// # Errors
    ///
    /// As [`all`](Objects::all).
    pub async fn first(self) -> Result<Option<M>> {
        let found = self.accessor.find(&self.query, Page::first(1)).await?;
        found.records.into_iter().next().map(M::from_record).transpose()
    }

    /// The only one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotOne`] when there are none or several.
    pub async fn one(self) -> Result<M> {
        let mut found = self.accessor.find(&self.query, Page::first(2)).await?.records;
        match (found.pop(), found.len()) {
            (Some(record), 0) => M::from_record(record),
            (record, left) => {
                let found = left + usize::from(record.is_some());
                Err(ErrorKind::NotOne { model: M::MODEL_NAME.into(), found }.into())
            }
        }
    }

    /// Their ids, ascending.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn ids(self) -> Result<Vec<ObjectId>> {
        let mut ids = Vec::new();
        let mut page = Some(Page::default());
        while let Some(this) = page {
            let found = self.accessor.find(&self.query, this).await?;
            ids.extend(found.records.iter().map(Record::id));
            page = found.next;
        }
        Ok(ids)
    }

    /// Whether there is one.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn exists(self) -> Result<bool> {
        Ok(!self.accessor.find(&self.query, Page::first(1)).await?.records.is_empty())
    }

    /// How many there are.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn count(self) -> Result<usize> {
        let mut count = 0;
        let mut page = Some(Page::default());
        while let Some(this) = page {
            let found = self.accessor.find(&self.query, this).await?;
            count += found.records.len();
            page = found.next;
        }
        Ok(count)
    }
}

impl<M> Clone for Objects<M> {
    fn clone(&self) -> Self {
        Objects { accessor: self.accessor.clone(), query: self.query.clone(), model: PhantomData }
    }
}

impl<M> fmt::Debug for Objects<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Objects").field(&self.query).finish()
    }
}
