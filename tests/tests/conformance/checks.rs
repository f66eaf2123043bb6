//! The checks, by what they are about.

pub(crate) mod creating;
pub(crate) mod crowding;
pub(crate) mod deleting;
pub(crate) mod feeding;
pub(crate) mod finding;
pub(crate) mod getting;
pub(crate) mod linking;
pub(crate) mod loading;
pub(crate) mod setting;
pub(crate) mod texts;
