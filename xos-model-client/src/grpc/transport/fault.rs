//! How a call can fail.

use std::fmt;
use std::time::Duration;

use crate::grpc::status::Code;
use crate::secret::Masks;

/// Why a call failed, before it is known what it was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The request was not processed: there was no connection, or the core refused it unread.
    NotSent {
        /// What was tried, what happened, and what to do.
        reason: String,
        /// What it looks like.
        hint: Hint,
    },
    /// The connection broke after the request was sent: it may have been processed.
    Lost {
        /// What happened.
        reason: String,
    },
    /// There was no answer within this time; the request may have been processed.
    Deadline(Duration),
    /// The core answered with an error.
    Status {
        /// Its code.
        code: Code,
        /// The core's words, without secrets.
        details: String,
    },
    /// The request is larger than the core accepts; it was not sent.
    RequestTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most the core accepts.
        limit: usize,
    },
    /// The answer is larger than this client accepts. The request was processed.
    AnswerTooLarge {
        /// The answer's size in bytes, where known.
        size: Option<u64>,
        /// The most this client accepts.
        limit: usize,
    },
    /// The core does not accept the credentials, or there are none; the request was not processed.
    Auth {
        /// As whom, and what to check; never the password.
        reason: String,
    },
}

/// What a failure to connect looks like.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// The host's name has no address.
    UnknownHost,
    /// Nothing listens there.
    Refused,
    /// There is no answer at all.
    Silent,
    /// The certificate is of a CA that is not trusted.
    UnknownIssuer,
    /// The certificate is for another name.
    WrongName,
    /// The certificate's time is over, or has not come.
    Expired,
    /// The certificate cannot be used for another reason.
    BadCertificate,
    /// The core asks for a certificate of the client, or refuses the one it was shown.
    ClientCertificate,
    /// TLS was spoken to a port without it.
    PlaintextServer,
    /// Plaintext was spoken to a port with TLS.
    TlsServer,
    /// Something listens there that is no gRPC server.
    NotGrpc,
    /// The core is stopping, or refuses more calls.
    Stopping,
    /// None of these.
    Other,
}

impl Hint {
    /// Whether it takes a person to mend it: trying again at once is of no use.
    pub fn is_lasting(self) -> bool {
        !matches!(self, Hint::Refused | Hint::Silent | Hint::Stopping | Hint::Other | Hint::UnknownHost)
    }
}

impl CallError {
    /// The same error, the core's words without the secrets that were sent to it: its database quotes values.
    pub fn without(self, masks: &Masks) -> Self {
        let clean = |text: String| masks.clean(text).into_owned();
        match self {
            CallError::Status { code, details } => CallError::Status { code, details: clean(details) },
            CallError::Lost { reason } => CallError::Lost { reason: clean(reason) },
            CallError::NotSent { reason, hint } => CallError::NotSent { reason: clean(reason), hint },
            other => other,
        }
    }

    /// Whether the way to the core broke, and not the core's own answer.
    pub fn is_connection(&self) -> bool {
        matches!(self, CallError::NotSent { .. } | CallError::Lost { .. } | CallError::Deadline(_))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::NotSent { reason, .. } | CallError::Lost { reason } | CallError::Auth { reason } => {
                f.write_str(reason)
            }
            CallError::Deadline(after) => write!(f, "no answer within {} s", after.as_secs_f32()),
            CallError::Status { code, details } if details.is_empty() => write!(f, "{code}"),
            CallError::Status { code, details } => write!(f, "{code}: {details}"),
            CallError::RequestTooLarge { size, limit } => {
                write!(f, "the request has {size} bytes, and the core accepts {limit}: send less at once")
            }
            CallError::AnswerTooLarge { size, limit } => {
                match size {
                    Some(size) => write!(f, "the answer has {size} bytes")?,
                    None => write!(f, "the answer is too large")?,
                }
                write!(
                    f,
                    ", and this client accepts {limit}: raise max_message_size, or ask for less at once"
                )
            }
        }
    }
}

impl std::error::Error for CallError {}
