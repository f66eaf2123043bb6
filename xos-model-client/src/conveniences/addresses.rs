//! Address pools: one address for one taker.

use super::turns::{Turn, turn};
use crate::accessor::{Guard, Op, Target, Touch};
use crate::client::{ModelClient, fields_to_set};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Model as _;
use crate::models::AddressPool;
use crate::record::Record;
use crate::value::ObjectId;

/// So many times somebody else may come first.
const MOST_TRIES: usize = 1000;

impl ModelClient {
    /// Takes the first address of a pool that is free, and notes it as the first one in use; `None` when all are taken.
    ///
    /// The pool keeps them as XOS does, as texts with spaces between: `addresses` has the free ones, `inuse` the taken.
    /// A free one that is also noted as in use is passed over. Keep the address in a field of your own object, and look
    /// there first: a step may run twice.
    ///
    /// # Guarantees
    ///
    /// No two takers get one address, and none is lost, however many take at once: on an embedded core a pool that was
    /// changed meanwhile is read again (see [`Guard::Revision`]). A real core has no such check. There, takers within
    /// one process wait for each other, and what was stored is read back; left is this: two *processes* that take from
    /// one pool within the same few milliseconds may get the same address. One synchronizer for each pool has no such
    /// problem.
    ///
    /// # Errors
    ///
    /// No such pool, or it is deleted; a core that is away. After
    /// [`OutcomeUnknown`](ErrorKind::OutcomeUnknown), an address may be taken that nobody has.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::AddressPool};
    /// # async fn example(client: &ModelClient) -> Result<()> {
    /// let pool = client.objects::<AddressPool>().filter(AddressPool::NAME.eq("public")).one().await?;
    /// if let Some(address) = client.acquire_address(&pool).await? {
    ///     client.release_address(&pool, &address).await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn acquire_address(&self, pool: impl Into<ObjectId>) -> Result<Option<String>> {
        let is_kept = |taken: &Option<String>, lists: &Lists| match taken {
            Some(address) => lists.in_use.contains(address) && !lists.free.contains(address),
            None => true,
        };
        self.change_pool(pool.into(), Lists::take, is_kept).await
    }

    /// Gives an address back: it becomes the first free one of the pool, and is in use no more. An address that is free
    /// already stays so; one that the pool never had is added to it.
    ///
    /// # Errors
    ///
    /// As [`acquire_address`](ModelClient::acquire_address); it may be called again after each of them.
    pub async fn release_address(&self, pool: impl Into<ObjectId>, address: &str) -> Result<()> {
        let address = address.trim();
        if address.is_empty() || address.contains(char::is_whitespace) {
            let fault =
                crate::error::FieldFault::of("addresses", "expected one address, found none or several");
            return Err(Error::invalid(AddressPool::MODEL_NAME, pool.into(), vec![fault]));
        }
        let is_kept =
            |(): &(), lists: &Lists| lists.free.iter().any(|free| free == address) && !lists.is_used(address);
        self.change_pool(pool.into(), |lists| lists.put(address), is_kept).await
    }

    /// Changes the lists of a pool as if nobody else did at the same time.
    async fn change_pool<T>(
        &self,
        id: ObjectId,
        change: impl Fn(&mut Lists) -> T,
        is_kept: impl Fn(&T, &Lists) -> bool,
    ) -> Result<T> {
        let _turn = turn(Turn::Pool, id).await;
        let guards = self.accessor().abilities().guards;
        let mut tries = 0;
        loop {
            let pool = self.live_pool(id).await?;
            let mut lists = Lists::of(&pool);
            let changed = change(&mut lists);
            let mut next = pool.clone();
            lists.write(&mut next);
            let fields = fields_to_set(&next)?;
            if fields.is_empty() {
                return Ok(changed);
            }
            let revision = pool.origin().record().and_then(Record::revision).filter(|_| guards);
            let guard = revision.map_or(Guard::None, Guard::Revision);
            let op = Op::Set { fields, touch: Touch::AsTheRulesSay };
            tries += 1;
            match self.write_guarded::<AddressPool>(Target::Object(id), op, guard).await {
                Err(error) if matches!(error.kind(), ErrorKind::Superseded { .. }) && tries < MOST_TRIES => {}
                Err(error) => return Err(error),
                Ok(_) if revision.is_some() => return Ok(changed),
                // Nobody checked: somebody else may have written over it.
                Ok(_) => {
                    if tries >= MOST_TRIES || is_kept(&changed, &Lists::of(&self.live_pool(id).await?)) {
                        return Ok(changed);
                    }
                }
            }
        }
    }

    async fn live_pool(&self, id: ObjectId) -> Result<AddressPool> {
        let pool: AddressPool = self.get(id).await?;
        if pool.deleted {
            return Err(ErrorKind::NotFound { model: AddressPool::MODEL_NAME.into(), id }.into());
        }
        Ok(pool)
    }
}

impl From<&AddressPool> for ObjectId {
    fn from(pool: &AddressPool) -> Self {
        pool.id
    }
}

/// The addresses of a pool.
struct Lists {
    free: Vec<String>,
    in_use: Vec<String>,
}

impl Lists {
    fn of(pool: &AddressPool) -> Self {
        let list = |text: &Option<String>| {
            text.as_deref().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        Lists { free: list(&pool.addresses), in_use: list(&pool.inuse) }
    }

    fn is_used(&self, address: &str) -> bool {
        self.in_use.iter().any(|used| used == address)
    }

    fn take(&mut self) -> Option<String> {
        let at = self.free.iter().position(|free| !self.is_used(free))?;
        let address = self.free.remove(at);
        self.in_use.insert(0, address.clone());
        Some(address)
    }

    fn put(&mut self, address: &str) {
        self.in_use.retain(|used| used != address);
        if !self.free.iter().any(|free| free == address) {
            self.free.insert(0, address.to_owned());
        }
    }

    /// Only a list that differs is touched, so that another form of the same is left as it is.
    fn write(&self, pool: &mut AddressPool) {
        let before = Lists::of(pool);
        if before.free != self.free {
            pool.addresses = Some(self.free.join(" "));
        }
        if before.in_use != self.in_use {
            pool.inuse = Some(self.in_use.join(" "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(free: &str, in_use: &str, change: impl Fn(&mut Lists), expected: (&str, &str)) {
        let mut pool =
            AddressPool { addresses: Some(free.into()), inuse: Some(in_use.into()), ..Default::default() };
        let mut lists = Lists::of(&pool);
        change(&mut lists);
        lists.write(&mut pool);
        assert_eq!((pool.addresses.as_deref(), pool.inuse.as_deref()), (Some(expected.0), Some(expected.1)));
    }

    fn take(expected: Option<&'static str>) -> impl Fn(&mut Lists) {
        move |lists| assert_eq!(lists.take().as_deref(), expected)
    }

    #[test]
    fn the_first_free_address_is_taken() {
        check("a b c", "", take(Some("a")), ("b c", "a"));
        check("b c", "a", take(Some("b")), ("c", "b a"));
        check("a b", "a", take(Some("b")), ("a", "b a"));
        check("", "a b", take(None), ("", "a b"));
        check("a", "a", take(None), ("a", "a"));
    }

    #[test]
    fn an_address_that_is_given_back_is_the_first_free_one() {
        let put = |lists: &mut Lists| lists.put("a");
        check("c", "b a", put, ("a c", "b"));
        check("c", "a  b", put, ("a c", "b"));
        check("c a", "", put, ("c a", ""));
        check("c a", "a", put, ("c a", ""));
        check("c", "", put, ("a c", ""));
    }
}
