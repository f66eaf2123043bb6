//! Tags: named values of any object.

use super::generic::{content_type, means, model_of};
use super::turns::{Turn, turn};
use crate::client::ModelClient;
use crate::error::{ErrorKind, Result};
use crate::link::Link;
use crate::model::{IsA, Model};
use crate::models::{Service, Tag};
use crate::value::ObjectId;

impl ModelClient {
    /// The tags of an object.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn tags_of<M: Model>(&self, object: &M) -> Result<Vec<Tag>> {
        let schema = self.accessor().schema();
        let mut tags = self.objects::<Tag>().filter(Tag::OBJECT_ID.eq(number(object))).all().await?;
        tags.retain(|tag| means::<M>(&schema, &tag.content_type));
        Ok(tags)
    }

    /// The value of an object's tag with this name; of several, that of the oldest.
    ///
    /// # Errors
    ///
    /// A core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::{Service, Slice}};
    /// # async fn example(client: &ModelClient, slice: &Slice, service: &Service) -> Result<()> {
    /// client.set_tag(slice, service, "rack", "7").await?;
    /// assert_eq!(client.tag(slice, "rack").await?.as_deref(), Some("7"));
    /// # Ok(()) }
    /// ```
    pub async fn tag<M: Model>(&self, object: &M, name: &str) -> Result<Option<String>> {
        Ok(self.find_tag(object, name).await?.map(|tag| tag.value))
    }

    /// Gives an object a tag, or the one that it has with this name another value. `service` is the one that
    /// understands a new tag. Nothing is written when the tag has the value already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a value of more than 1,024 characters or none; [`ErrorKind::NotFound`] for an object
    /// that was not created yet; a core that is away.
    pub async fn set_tag<M, S>(&self, object: &M, service: &S, name: &str, value: &str) -> Result<Tag>
    where
        M: Model,
        S: Model + IsA<Service>,
    {
        if !object.id().is_set() {
            return Err(ErrorKind::NotFound { model: M::MODEL_NAME.into(), id: object.id() }.into());
        }
        let _turn = turn(Turn::Tag, object.id()).await;
        if let Some(mut tag) = self.find_tag(object, name).await? {
            value.clone_into(&mut tag.value);
            self.save(&mut tag).await?;
            return Ok(tag);
        }
        let content_type = content_type(self.accessor().schema().expect_model(M::MODEL_NAME)?);
        self.create(Tag {
            service: Link::of(service),
            name: name.to_owned(),
            value: value.to_owned(),
            content_type,
            object_id: number(object),
            ..Tag::default()
        })
        .await
    }

    async fn find_tag<M: Model>(&self, object: &M, name: &str) -> Result<Option<Tag>> {
        let schema = self.accessor().schema();
        let named =
            self.objects::<Tag>().filter(Tag::OBJECT_ID.eq(number(object))).filter(Tag::NAME.eq(name));
        Ok(named.all().await?.into_iter().find(|tag| means::<M>(&schema, &tag.content_type)))
    }
}

impl Tag {
    /// The object that has the tag, as a `T`: its model, or one that this inherits from.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ContentType`] when the tag is of no model that the core has, or of one that is no `T`;
    /// [`ErrorKind::NotFound`] when the object is gone; a core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::{Slice, Tag}};
    /// # async fn example(client: &ModelClient, tag: &Tag) -> Result<()> {
    /// let slice: Slice = tag.content_object(client).await?;
    /// # Ok(()) }
    /// ```
    pub async fn content_object<T: Model>(&self, client: &ModelClient) -> Result<T> {
        let schema = client.accessor().schema();
        let fault = |expected: Option<&'static str>| ErrorKind::ContentType {
            found: self.content_type.clone(),
            expected: expected.map(Into::into),
        };
        if model_of(&schema, &self.content_type).is_none() {
            return Err(fault(None).into());
        }
        if !means::<T>(&schema, &self.content_type) {
            return Err(fault(Some(T::MODEL_NAME)).into());
        }
        client.get(ObjectId::new(i32::try_from(self.object_id).unwrap_or(0))).await
    }
}

/// An id as generic links keep it.
pub(super) fn number<M: Model>(object: &M) -> u32 {
    u32::try_from(object.id().get()).unwrap_or(0)
}
