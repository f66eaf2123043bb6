//! Links between objects.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use crate::model::{IsA, Model};
use crate::value::ObjectId;

/// A link to one object of model `M` or of a model that inherits from it.
///
/// It holds the id only; [`ModelClient::leaf`](crate::ModelClient::leaf) follows it. `Link<M>` in a struct is
/// required, `Option<Link<M>>` optional.
///
/// # Examples
///
/// ```
/// use xos_model_client::{Link, models::Service};
///
/// let owner: Link<Service> = Link::to(5);
/// assert!(owner.is_set());
/// assert_eq!(owner.id().get(), 5);
/// ```
pub struct Link<M> {
    id: ObjectId,
    model: PhantomData<fn() -> M>,
}

impl<M> Link<M> {
    /// A link to the object with this id.
    pub fn to(id: impl Into<ObjectId>) -> Self {
        Link { id: id.into(), model: PhantomData }
    }

    /// A link to nothing: what a required link has before it is set.
    pub const fn unset() -> Self {
        Link { id: ObjectId::UNSET, model: PhantomData }
    }

    /// The id it leads to.
    pub const fn id(&self) -> ObjectId {
        self.id
    }

    /// Whether it leads anywhere.
    pub const fn is_set(&self) -> bool {
        self.id.is_set()
    }
}

impl<M: Model> Link<M> {
    /// A link to this object.
    pub fn of<L: Model + IsA<M>>(object: &L) -> Self {
        Link::to(object.id())
    }
}

impl<M> Clone for Link<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Link<M> {}

impl<M> Default for Link<M> {
    fn default() -> Self {
        Link::unset()
    }
}

impl<M> PartialEq for Link<M> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<M> Eq for Link<M> {}

impl<M> Hash for Link<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl<M> fmt::Debug for Link<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-> {}", self.id)
    }
}

impl<M> From<&Link<M>> for ObjectId {
    fn from(link: &Link<M>) -> Self {
        link.id
    }
}

impl<M> From<Link<M>> for ObjectId {
    fn from(link: Link<M>) -> Self {
        link.id
    }
}

/// A link that may lead to a `T`: to `T` itself, or to a model that `T` inherits from.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot lead to a `{T}`",
    label = "not a link to `{T}` or to a model it inherits from"
)]
pub trait LeadsTo<T: Model> {
    /// The id it leads to, unset when it leads nowhere.
    fn target_id(&self) -> ObjectId;
}

impl<T: Model + IsA<B>, B: Model> LeadsTo<T> for Link<B> {
    fn target_id(&self) -> ObjectId {
        self.id
    }
}

impl<T: Model + IsA<B>, B: Model> LeadsTo<T> for Option<Link<B>> {
    fn target_id(&self) -> ObjectId {
        self.map_or(ObjectId::UNSET, |link| link.id)
    }
}

/// What names one object of a model: a link to it, or the object itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no object",
    label = "expected an object of a model, a `Link`, or an `Option<Link>`"
)]
pub trait PointsAt {
    /// The model.
    type Object: Model;

    /// The object's id, unset when there is none.
    fn object_id(&self) -> ObjectId;
}

impl<M: Model> PointsAt for M {
    type Object = M;

    fn object_id(&self) -> ObjectId {
        self.id()
    }
}

impl<M: Model> PointsAt for Link<M> {
    type Object = M;

    fn object_id(&self) -> ObjectId {
        self.id
    }
}

impl<M: Model> PointsAt for Option<Link<M>> {
    type Object = M;

    fn object_id(&self) -> ObjectId {
        self.map_or(ObjectId::UNSET, |link| link.id)
    }
}

/// Links to many objects of model `M`: the writable end of a many-to-many relation.
///
/// The order is not kept by the core, and an object is in it once.
pub struct Links<M> {
    ids: Vec<ObjectId>,
    model: PhantomData<fn() -> M>,
}

impl<M> Links<M> {
    /// No links.
    pub const fn new() -> Self {
        Links { ids: Vec::new(), model: PhantomData }
    }

    /// The ids, ascending.
    pub fn ids(&self) -> &[ObjectId] {
        &self.ids
    }

    /// Whether it leads to this object.
    pub fn contains(&self, id: impl Into<ObjectId>) -> bool {
        self.ids.binary_search(&id.into()).is_ok()
    }

    /// Adds a link; `false` when it was there already.
    pub fn add(&mut self, id: impl Into<ObjectId>) -> bool {
        let id = id.into();
        match self.ids.binary_search(&id) {
            Ok(_) => false,
            Err(at) => {
                self.ids.insert(at, id);
                true
            }
        }
    }

    /// Removes a link; `false` when it was not there.
    pub fn remove(&mut self, id: impl Into<ObjectId>) -> bool {
        match self.ids.binary_search(&id.into()) {
            Ok(at) => {
                self.ids.remove(at);
                true
            }
            Err(_) => false,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Each as a link of its own.
    pub fn iter(&self) -> impl Iterator<Item = Link<M>> + '_ {
        self.ids.iter().map(|id| Link::to(*id))
    }
}

impl<M, I: Into<ObjectId>> FromIterator<I> for Links<M> {
    fn from_iter<T: IntoIterator<Item = I>>(ids: T) -> Self {
        let mut ids: Vec<ObjectId> = ids.into_iter().map(Into::into).collect();
        ids.sort_unstable();
        ids.dedup();
        Links { ids, model: PhantomData }
    }
}

impl<M> Clone for Links<M> {
    fn clone(&self) -> Self {
        Links { ids: self.ids.clone(), model: PhantomData }
    }
}

impl<M> Default for Links<M> {
    fn default() -> Self {
        Links::new()
    }
}

impl<M> PartialEq for Links<M> {
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids
    }
}

impl<M> Eq for Links<M> {}

impl<M> fmt::Debug for Links<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-> {:?}", self.ids)
    }
}
