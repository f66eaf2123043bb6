//! Get, List and Filter.

use bytes::Bytes;
use tonic::Status;
use xos_model_client::{ModelAccessor as _, ObjectId, Page, Query};

use super::ask::Ask;
use super::linking::Linking;
use super::query::{Asked, asked};
use crate::server::call::Answer;
use crate::server::policies::Access;
use crate::server::status::malformed;
use crate::server::wire::{QueryMessage, read_empty, read_id};

/// How many objects are read and encoded at once, before other calls have a turn.
const PAGE: usize = 1000;

impl Ask<'_> {
    pub(super) async fn get(&self, message: &Bytes) -> Answer {
        let id = read_id(message).map_err(malformed)?;
        let record = self.expect(id).await?;
        self.world.policies.check(&self.who, Access::Read, self.model, &record).await?;
        self.tell(&record).await
    }

    pub(super) async fn list(&self, message: &Bytes) -> Answer {
        read_empty(message).map_err(malformed)?;
        self.many(Asked { query: Query::live(self.model.shape.clone()), also: Vec::new() }).await
    }

    pub(super) async fn filter(&self, message: &Bytes) -> Answer {
        let query = QueryMessage::read(message).map_err(malformed)?;
        self.many(asked(&self.served.schema, self.model, &query)?).await
    }

    /// The objects that are asked for: page after page, each encoded as it comes.
    async fn many(&self, asked: Asked) -> Answer {
        let how = self.how()?;
        let is_open = self.world.policies.is_open(&self.who, Access::Read, self.model);
        let mut out = Vec::new();
        let mut ways_back = Vec::new();
        let mut all_links = None;
        let mut page = Page::first(PAGE);
        loop {
            let found = self.world.core.find(&asked.query, page).await.map_err(|error| self.told(&error))?;
            let mut records = found.records;
            if !asked.also.is_empty() {
                records.retain(|record| asked.also.iter().all(|part| part.holds(record.values())));
            }
            if !is_open {
                records = self.world.policies.readable(&self.who, self.model, records).await?;
            }
            // The first page is all there is, as a rule. Where it is not, the links are read once for all pages.
            if all_links.is_none() && found.next.is_some() {
                all_links = Some(self.linking(None).await?);
            }
            let links = match &all_links {
                Some(links) => links,
                None => {
                    &self.linking(Some(records.iter().map(xos_model_client::Record::id).collect())).await?
                }
            };
            for record in &records {
                links.fill(record.id(), &mut ways_back);
                how.table.put_item(&mut out, record.values(), &ways_back);
            }
            match found.next {
                Some(next) => page = next,
                None => return Ok(Bytes::from(out)),
            }
            tokio::task::yield_now().await;
        }
    }

    /// What leads to these objects, or to all of the model.
    async fn linking(&self, ids: Option<Vec<ObjectId>>) -> Result<Linking, Status> {
        let (core, how) = (&self.world.core, self.how()?);
        let linking = match ids {
            Some(ids) => Linking::to(core, how, &ids).await,
            None => Linking::to_all(core, how).await,
        };
        linking.map_err(|error| self.told(&error))
    }
}
