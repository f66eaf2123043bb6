//! What can go wrong on the way to an object.

use std::fmt;
use std::time::Duration;

use strsim::osa_distance;

use crate::model::ModelName;
use crate::schema::SchemaFault;
use crate::value::ObjectId;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong on the way to an object; [`kind`](Error::kind) says what it was.
///
/// One word wide, so that a `Result<(), Error>` is cheap to pass on.
pub struct Error(Box<ErrorKind>);

/// One field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The field, or `None` when the rule is about the whole object.
    pub field: Option<String>,
    /// What was expected and what was found.
    pub message: String,
}

impl FieldFault {
    /// A fault of one field.
    pub fn of(field: impl Into<String>, message: impl Into<String>) -> Self {
        FieldFault { field: Some(field.into()), message: message.into() }
    }

    /// A fault of the whole object.
    pub fn whole(message: impl Into<String>) -> Self {
        FieldFault { field: None, message: message.into() }
    }
}

/// Whether a store that failed may do the same later.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum StoreTrouble {
    /// It lies around the store: a full disk, a file that was moved away or may not be written, another program that has
    /// it locked. Nothing was stored, and the same call may succeed when that is over.
    Passing,
    /// It lies in the store or in what was asked for: the same call fails again.
    Lasting,
}

/// What went wrong.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// The object breaks rules of its model; nothing was stored.
    #[error("{} is not valid: {}", Named(.model, *.id), Faults(.faults))]
    Invalid {
        /// The model.
        model: ModelName,
        /// The object, unset for a new one.
        id: ObjectId,
        /// Each rule that is broken.
        faults: Vec<FieldFault>,
    },
    /// There is no such object, live or soft-deleted.
    #[error("there is no {model} with id {id}")]
    NotFound {
        /// The model.
        model: ModelName,
        /// The id that was asked for.
        id: ObjectId,
    },
    /// A query for one object found none or several.
    #[error("expected one {model}, found {found}")]
    NotOne {
        /// The model.
        model: ModelName,
        /// How many there are (at least).
        found: usize,
    },
    /// The caller may not do this.
    #[error("not allowed on {}: {reason}", Named(.model, *.id))]
    Denied {
        /// The model.
        model: ModelName,
        /// The object, unset for a new one.
        id: ObjectId,
        /// Why.
        reason: String,
    },
    /// The write's guard does not hold any more; nothing was stored.
    #[error("{} was changed meanwhile: {reason}", Named(.model, *.id))]
    Superseded {
        /// The model.
        model: ModelName,
        /// The object.
        id: ObjectId,
        /// What does not hold.
        reason: String,
    },
    /// A name that the core's models do not have.
    #[error("{model} has no field \"{field}\"{}", Suggestion(.like))]
    NoSuchField {
        /// The model.
        model: ModelName,
        /// The name that was used.
        field: String,
        /// A name like it.
        like: Option<String>,
    },
    /// A model that is not loaded.
    #[error("the core has no model \"{model}\"{}; load it first", Suggestion(.like))]
    NoSuchModel {
        /// The name that was used.
        model: ModelName,
        /// A name like it.
        like: Option<String>,
    },
    /// A value that its field cannot hold.
    #[error("{}, field \"{field}\": expected {expected}, found {found}", Named(.model, *.id))]
    Convert {
        /// The model.
        model: ModelName,
        /// The object, unset for a new one.
        id: ObjectId,
        /// The field.
        field: String,
        /// What its type expects.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Nothing uses this service instance, so that there is no neighbour to ask.
    #[error(
        "ServiceInstance with id {id} has no westbound service instances, so \"{property}\" is not found"
    )]
    NoNeighbour {
        /// The instance at which the search ended.
        id: ObjectId,
        /// The field that was looked for.
        property: String,
    },
    /// A generic link leads to no model of the core, or to another one than was asked for.
    #[error("the content type \"{found}\" {}", Expected(.expected))]
    ContentType {
        /// What the object has.
        found: String,
        /// The model that was asked for; `None` when the core has no such model at all.
        expected: Option<ModelName>,
    },
    /// A query that means nothing.
    #[error("cannot query {model} by \"{field}\": {reason}")]
    Query {
        /// The model.
        model: ModelName,
        /// The field or path.
        field: String,
        /// Why.
        reason: String,
    },
    /// A field that a client may read but not change, was changed.
    #[error("{} cannot be saved: field \"{field}\" {reason}", Named(.model, *.id))]
    NotSendable {
        /// The model.
        model: ModelName,
        /// The object, unset for a new one.
        id: ObjectId,
        /// The field.
        field: String,
        /// Why.
        reason: &'static str,
    },
    /// Models that do not fit together, or with what the core holds.
    #[error(transparent)]
    Schema(#[from] SchemaFault),
    /// The core does not know this user, or not with this password. Nothing was stored.
    #[error("the core refuses to authenticate: {reason}")]
    Unauthenticated {
        /// As whom, and what to check; never a password.
        reason: String,
    },
    /// An option of the connection to a core cannot be used.
    #[error("cannot connect to the core: {option} {problem}")]
    Connection {
        /// The option, such as `endpoint`.
        option: &'static str,
        /// What was expected, what was found, and what to do.
        problem: String,
    },
    /// A core cannot be served: nothing listens.
    #[error("cannot serve the core on {door}: {problem}")]
    Serving {
        /// The address or the path of the socket.
        door: String,
        /// What is wrong, and what to do.
        problem: String,
        /// The operating system's own error.
        #[source]
        source: Option<std::io::Error>,
    },
    /// The core failed to do what was asked, for a reason of its own.
    #[error("the core failed: {code}: {reason}")]
    Core {
        /// The gRPC status code, such as `INTERNAL`.
        code: &'static str,
        /// The core's words.
        reason: String,
    },
    /// The models of a service cannot be loaded or unloaded; nothing was changed.
    #[error("the models of {service} {problem}")]
    Onboarding {
        /// The service.
        service: String,
        /// What was asked for, why it cannot be done, and what to do.
        problem: String,
    },
    /// The accessor cannot do this.
    #[error("this core cannot {0}")]
    Unsupported(String),
    /// The core cannot be reached now. What was asked for did not happen.
    #[error("the core is away: {reason}")]
    Away {
        /// Why.
        reason: String,
    },
    /// The connection was lost after the request was sent: it may have happened.
    #[error("the core went away before it answered; whether it happened is unknown: {reason}")]
    OutcomeUnknown {
        /// Why.
        reason: String,
    },
    /// This replica leads no longer; nothing was stored.
    #[error("this replica does not lead any more")]
    LeadershipLost,
    /// The synchronizer is stopping; nothing was stored.
    #[error("the synchronizer is stopping")]
    ShuttingDown,
    /// The call took longer than its deadline.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Deadline(Duration),
    /// The store of an embedded core failed.
    #[error("the database {path} {problem}")]
    Store {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
        /// Whether the same call may succeed later.
        trouble: StoreTrouble,
        /// The store's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Whether the cause lies not in what was asked for but in the way to the core: the same call may succeed when
    /// the core is back. A step that fails with such an error was *interrupted*: no failure is counted.
    pub fn is_interruption(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Away { .. }
                | ErrorKind::OutcomeUnknown { .. }
                | ErrorKind::Deadline(_)
                | ErrorKind::Unauthenticated { .. }
                | ErrorKind::LeadershipLost
                | ErrorKind::ShuttingDown
        )
    }

    /// Whether the store of an embedded core cannot do it now, and may later: see [`StoreTrouble::Passing`].
    pub fn is_passing_trouble(&self) -> bool {
        matches!(self.kind(), ErrorKind::Store { trouble: StoreTrouble::Passing, .. })
    }

    /// Whether there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind(), ErrorKind::NotFound { .. })
    }

    /// An object that breaks one rule.
    pub fn invalid(model: impl Into<ModelName>, id: ObjectId, faults: Vec<FieldFault>) -> Self {
        ErrorKind::Invalid { model: model.into(), id, faults }.into()
    }

    /// A core that cannot be reached.
    pub fn away(reason: impl Into<String>) -> Self {
        ErrorKind::Away { reason: reason.into() }.into()
    }
}

impl<E: Into<ErrorKind>> From<E> for Error {
    fn from(kind: E) -> Self {
        Error(Box::new(kind.into()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

struct Named<'a>(&'a ModelName, ObjectId);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1.is_set() { write!(f, "{} {}", self.0, self.1) } else { write!(f, "a new {}", self.0) }
    }
}

pub(crate) struct Faults<'a>(pub(crate) &'a [FieldFault]);

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            match &fault.field {
                Some(field) => write!(f, "{field}: {}", fault.message)?,
                None => f.write_str(&fault.message)?,
            }
        }
        Ok(())
    }
}

struct Expected<'a>(&'a Option<ModelName>);

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(model) => write!(f, "is not that of a {model}: ask for the model that it names"),
            None => f.write_str("is that of no model that this core has: load the model first"),
        }
    }
}

struct Suggestion<'a>(&'a Option<String>);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(like) => write!(f, " (did you mean \"{like}\"?)"),
            None => Ok(()),
        }
    }
}

/// The candidate that is most like a misspelt name, for "did you mean".
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let length = name.chars().count();
    let limit = (length / 3).clamp(1, 3);
    let name = name.to_lowercase();
    candidates
        .into_iter()
        // A text of another length is no misspelling; comparing takes a time that grows with both.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (osa_distance(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let fields = ["hello_to", "hello_from", "name"];
        assert_eq!(closest("helo_to", fields), Some("hello_to".into()));
        assert_eq!(closest("hello_ot", fields), Some("hello_to".into()));
        assert_eq!(closest("Name", fields), Some("name".into()));
        assert_eq!(closest("colour", fields), None);
    }

    #[test]
    fn an_invalid_object_names_every_fault() {
        let faults =
            vec![FieldFault::of("name", "this field cannot be blank"), FieldFault::whole("no owner")];
        let error = Error::invalid("Slice", ObjectId::new(7), faults);
        assert_eq!(error.to_string(), "Slice 7 is not valid: name: this field cannot be blank; no owner");
        assert_eq!(std::mem::size_of::<Result<()>>(), std::mem::size_of::<usize>());
    }
}
