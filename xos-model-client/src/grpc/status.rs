//! What the core's errors mean: code and words together, as half of them come as `UNKNOWN` with Python's words.

mod code;
mod python;

use serde_json::Value as Json;

pub use code::Code;
use python::Python;

use crate::error::{Error, ErrorKind, Faults, FieldFault, closest};
use crate::grpc::transport::CallError;
use crate::model::ModelName;
use crate::value::ObjectId;

/// The most of the core's words that is repeated, in bytes: some list all fields of a model.
const LONGEST: usize = 600;

/// What the core puts before an exception that it did not expect.
const UNEXPECTED: &str = "Exception calling application: ";

/// What a call was about.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The model; empty where the call was about none.
    pub model: &'a str,
    /// The object, unset for a new one or for several.
    pub id: ObjectId,
    /// What was done with it.
    pub doing: Doing,
}

/// What a call does. It decides on what is known when there was no answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It reads.
    Read,
    /// It writes something.
    Write,
    /// It loads or unloads the models of a service; `model` is the service's name.
    Onboard,
}

impl About<'_> {
    fn model(&self) -> ModelName {
        ModelName::Owned(self.model.to_owned())
    }

    fn invalid(&self, faults: Vec<FieldFault>) -> Error {
        match self.doing {
            Doing::Onboard => {
                let faults: Vec<_> = faults.into_iter().map(|fault| fault.message).collect();
                self.onboarding(&format!("were refused: {}", faults.join("; ")))
            }
            Doing::Read | Doing::Write => Error::invalid(self.model(), self.id, faults),
        }
    }

    fn query(&self, reason: String) -> Error {
        ErrorKind::Query { model: self.model(), field: "the conditions given".to_owned(), reason }.into()
    }

    fn onboarding(&self, problem: &str) -> Error {
        ErrorKind::Onboarding { service: self.model.to_owned(), problem: problem.to_owned() }.into()
    }

    /// The error of a call that may have been processed.
    fn unknown(&self, reason: String) -> Error {
        match self.doing {
            Doing::Read => ErrorKind::Away { reason }.into(),
            Doing::Write | Doing::Onboard => ErrorKind::OutcomeUnknown { reason }.into(),
        }
    }
}

/// What the failure of a call means.
pub fn explain(error: CallError, about: &About<'_>) -> Error {
    match error {
        CallError::NotSent { reason, .. } => ErrorKind::Away { reason }.into(),
        CallError::Lost { reason } => about.unknown(reason),
        CallError::Deadline(after) if about.doing == Doing::Read => ErrorKind::Deadline(after).into(),
        CallError::Auth { reason } => ErrorKind::Unauthenticated { reason }.into(),
        CallError::RequestTooLarge { .. } => about.invalid(vec![FieldFault::whole(error.to_string())]),
        CallError::AnswerTooLarge { .. } if about.doing == Doing::Read => {
            ErrorKind::Core { code: Code::RESOURCE_EXHAUSTED.name(), reason: error.to_string() }.into()
        }
        CallError::Deadline(_) | CallError::AnswerTooLarge { .. } => about.unknown(error.to_string()),
        CallError::Status { code, details } => classify(code, &details, about),
    }
}

/// Whether the core says that it does not know this user, or not with this password.
pub fn is_auth_refusal(code: Code, details: &str) -> bool {
    code == Code::UNAUTHENTICATED
        || code == Code::PERMISSION_DENIED
            && CoreError::read(details).text.starts_with("failed to authenticate")
}

/// What a code and the words that came with it mean.
pub fn classify(code: Code, details: &str, about: &About<'_>) -> Error {
    if is_auth_refusal(code, details) {
        return ErrorKind::Unauthenticated { reason: "check the username and the password".to_owned() }
            .into();
    }
    let said = CoreError::read(details);
    let text = shorten(&said.text);
    match code {
        Code::NOT_FOUND => {
            ErrorKind::NotFound { model: about.model(), id: said.id.map_or(about.id, ObjectId::new) }.into()
        }
        Code::PERMISSION_DENIED => {
            ErrorKind::Denied { model: about.model(), id: about.id, reason: text }.into()
        }
        Code::INVALID_ARGUMENT if about.doing == Doing::Onboard => about.onboarding(&format!("were refused: {text}")),
        Code::INVALID_ARGUMENT => about.invalid(said.faults(text)),
        Code::ALREADY_EXISTS => match details {
            "ERROR_LIVE_MODELS" => about.onboarding(
                "cannot be unloaded: they have live objects; delete these first, or unload with automatic cleaning",
            ),
            "ERROR_DELETION_IN_PROGRESS" => about.onboarding(
                "cannot be unloaded yet: their objects are being deleted; try again when these are gone",
            ),
            _ => about.invalid(vec![FieldFault::whole(text)]),
        },
        Code::UNIMPLEMENTED if about.doing != Doing::Onboard && !about.model.is_empty() => ErrorKind::NoSuchModel { model: about.model(), like: None }.into(),
        Code::DEADLINE_EXCEEDED | Code::UNAVAILABLE | Code::CANCELLED => about.unknown(format!("{code}: {text}")),
        Code::RESOURCE_EXHAUSTED if text.starts_with("Received message larger than max") => {
            about.invalid(vec![FieldFault::whole(format!("the request is too large for the core ({text}): send less"))])
        }
        Code::UNKNOWN => unknown(&said, text, about),
        _ => ErrorKind::Core { code: code.name(), reason: text }.into(),
    }
}

/// What `UNKNOWN` means: validation, a missing object, a broken database, or a fault of the said.
fn unknown(said: &CoreError, text: String, about: &About<'_>) -> Error {
    if said.name.is_some() {
        // An exception of the core's own that it has no code for: XOSMissingField, XOSConflictingField and others.
        return about.invalid(said.faults(text));
    }
    let has = |words: &str| said.text.contains(words);
    if let Some(faults) = Python::parse(&said.text).and_then(faults_of) {
        return match about.doing {
            // A value in a condition that its field cannot have.
            Doing::Read => about.query(Faults(&faults).to_string()),
            Doing::Write | Doing::Onboard => about.invalid(faults),
        };
    }
    if let Some(missing) = said.text.strip_suffix(" matching query does not exist.") {
        // A write can also fail because what it links to is gone.
        let missing = missing.trim_end_matches("_decl");
        return match about.doing {
            Doing::Write if missing != about.model => about.invalid(vec![FieldFault::whole(text)]),
            _ => ErrorKind::NotFound { model: ModelName::Owned(missing.to_owned()), id: about.id }.into(),
        };
    }
    if has("values to unpack") || has("value to unpack") {
        let reason = "the core could not read the credentials; log in by session".to_owned();
        return ErrorKind::Unauthenticated { reason }.into();
    }
    if has("'ascii' codec can't encode") {
        return poisoned(said, about);
    }
    if let Some(field) =
        said.text.strip_prefix("The following fields do not exist in this model or are m2m fields:")
    {
        let field = field.strip_prefix(' ').unwrap_or(field);
        let field = field.split(',').next().unwrap_or(field);
        return ErrorKind::NoSuchField { model: about.model(), field: field.to_owned(), like: None }.into();
    }
    if let Some(rest) = said.text.strip_prefix("Cannot resolve keyword '") {
        let (field, rest) = rest.split_once('\'').unwrap_or((rest, ""));
        let choices = rest.split_once("Choices are: ").map_or("", |(_, choices)| choices);
        let like = closest(field, choices.split(", "));
        return ErrorKind::NoSuchField { model: about.model(), field: field.to_owned(), like }.into();
    }
    // A fault in the core's own Python; what follows looks at words that it may have, too.
    if has("object has no attribute") {
        return ErrorKind::Core { code: Code::UNKNOWN.name(), reason: text }.into();
    }
    if TRANSIENT.iter().any(|words| has(words)) {
        return about.unknown(format!("the core's database: {text}"));
    }
    match about.doing {
        Doing::Onboard => about.onboarding(&format!("were refused: {text}")),
        Doing::Write if REFUSED_WRITES.iter().any(|words| has(words)) => {
            about.invalid(vec![FieldFault::whole(text)])
        }
        Doing::Read if REFUSED_QUERIES.iter().any(|words| has(words)) => about.query(text),
        Doing::Read | Doing::Write => ErrorKind::Core { code: Code::UNKNOWN.name(), reason: text }.into(),
    }
}

/// What the core's database and its driver say when the same call may work later.
const TRANSIENT: [&str; 16] = [
    "OperationalError",
    "InterfaceError",
    "server closed the connection",
    "could not connect",
    "connection already closed",
    "connection not open",
    "connection has been closed",
    "terminating connection",
    "SSL connection has been closed",
    "deadlock detected",
    "could not serialize access",
    "too many connections",
    "too many clients",
    "the database system is ",
    "could not obtain lock",
    "canceling statement due to",
];

/// What the core says of a write that breaks a rule.
const REFUSED_WRITES: [&str; 10] = [
    "violates foreign key constraint",
    "violates unique constraint",
    "violates not-null constraint",
    "violates check constraint",
    "value too long for type",
    "out of range",
    "Attempt to save object with deleted foreign key reference",
    " has no ",
    "invalid literal for",
    "must be a ",
];

/// What the core says of a query that it cannot run.
const REFUSED_QUERIES: [&str; 11] = [
    "does not exist\nLINE ",
    "operator does not exist: ",
    "invalid literal for int()",
    "must specify iValue or sValue",
    "unknown operator",
    "expected string or buffer",
    "invalid regular expression",
    "'NoneType' object is not iterable",
    "local variable 'queryset'",
    "Unsupported lookup",
    "Related Field got invalid lookup",
];

/// The core stored a text that it cannot send: from now on it cannot list this model.
fn poisoned(core: &CoreError, about: &About<'_>) -> Error {
    let character = core.text.split_once("character ").and_then(|(_, rest)| rest.split(' ').next());
    let character = character.unwrap_or("that is not ASCII");
    let reason = match about.doing {
        Doing::Write | Doing::Onboard => format!(
            "a text has the character {character}, which a core 4.0.4 stores but cannot send: it IS stored, and \
             from now on no object of the model can be listed; overwrite or delete it at once, and write ASCII only"
        ),
        Doing::Read => format!(
            "an object of the model has the character {character} in a text, which a core 4.0.4 cannot send: find \
             it by getting objects one by one, then overwrite or delete it"
        ),
    };
    match about.doing {
        Doing::Read => ErrorKind::Core { code: Code::UNKNOWN.name(), reason }.into(),
        Doing::Write | Doing::Onboard => about.invalid(vec![FieldFault::whole(reason)]),
    }
}

/// The field errors of Django: a dict of lists, or one list for the whole object.
fn faults_of(value: Python) -> Option<Vec<FieldFault>> {
    match value {
        Python::Dict(pairs) => {
            let mut faults = Vec::new();
            for (key, value) in pairs {
                let field = key.into_texts().join(", ");
                let field = (!matches!(field.as_str(), "__all__" | "")).then_some(field);
                let messages = value.into_texts();
                let messages = if messages.is_empty() { vec!["is not valid".to_owned()] } else { messages };
                faults.extend(
                    messages
                        .into_iter()
                        .map(|message| FieldFault { field: field.clone(), message: shorten(&message) }),
                );
            }
            Some(faults).filter(|faults| !faults.is_empty())
        }
        Python::List(_) => {
            let faults: Vec<_> =
                value.into_texts().iter().map(|message| FieldFault::whole(shorten(message))).collect();
            Some(faults).filter(|faults| !faults.is_empty())
        }
        Python::Text(_) | Python::Word(_) => None,
    }
}

/// The core's words: JSON for its own exceptions, plain text for all others.
struct CoreError {
    /// The class of the exception, such as `XOSValidationError`.
    name: Option<String>,
    text: String,
    fields: Vec<(String, String)>,
    id: Option<i32>,
}

impl CoreError {
    fn read(details: &str) -> Self {
        let Some(Json::Object(mut json)) =
            details.starts_with('{').then(|| serde_json::from_str(details).ok()).flatten()
        else {
            let text = details.strip_prefix(UNEXPECTED).unwrap_or(details).trim_end().to_owned();
            return CoreError { name: None, text, fields: Vec::new(), id: None };
        };
        let mut take = |key: &str| json.remove(key).unwrap_or_default();
        let words = |value: &Json| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let (name, specific, fields) = (take("error"), take("specific_error"), take("fields"));
        let fields = fields.as_object();
        CoreError {
            name: name.as_str().map(ToOwned::to_owned),
            text: specific.as_str().map_or_else(|| details.to_owned(), ToOwned::to_owned),
            id: fields.and_then(|fields| fields.get("id")?.as_i64()?.try_into().ok()),
            fields: fields.into_iter().flatten().map(|(key, value)| (key.clone(), words(value))).collect(),
        }
    }

    /// The faults of an exception of the core's own.
    fn faults(&self, text: String) -> Vec<FieldFault> {
        let named = self.fields.iter().filter(|(field, _)| !matches!(field.as_str(), "id" | "message"));
        let faults: Vec<_> = named.map(|(field, words)| FieldFault::of(field, shorten(words))).collect();
        if faults.is_empty() { vec![FieldFault::whole(text)] } else { faults }
    }
}

/// On one line, and not too long.
fn shorten(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > LONGEST {
        let mut end = LONGEST;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push_str(" …");
    }
    line
}
