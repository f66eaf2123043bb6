//! What really happened when a call failed: tonic's errors, looked through to the bottom.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error as TlsError};
use tonic::{ConnectError, Status, TimeoutExpired};

use super::dial::{Dial, DialFault, Heard, Line};
use super::fault::{CallError, Hint};
use crate::grpc::options::Scheme;
use crate::grpc::status::Code;

/// A call gave up by itself.
#[derive(Debug)]
pub(super) struct OwnDeadline;

impl fmt::Display for OwnDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer in time")
    }
}

impl Error for OwnDeadline {}

/// Why a call failed.
pub(super) struct Cause {
    pub(super) error: CallError,
    /// Whether this side gave up: the connection may be dead.
    pub(super) own_deadline: bool,
}

/// Tells from the error of a call what it means.
pub(super) fn explain(status: &Status, dial: &Dial, line: &Line, deadline: Duration) -> Cause {
    let told = |error| Cause { error, own_deadline: false };
    let Some(source) = status.source() else { return told(answered(status, dial, deadline)) };
    let not_sent = |hint, problem: &str| {
        told(CallError::NotSent { reason: format!("{}: {problem}", dial.target()), hint })
    };
    for cause in sources(source) {
        if cause.is::<OwnDeadline>() || cause.is::<TimeoutExpired>() {
            return Cause { error: CallError::Deadline(deadline), own_deadline: true };
        }
        if let Some(fault) = cause.downcast_ref::<DialFault>() {
            return not_sent(fault.hint, &fault.to_string());
        }
        if let Some(error) = cause.downcast_ref::<ConnectError>()
            && !sources(error).any(<dyn Error>::is::<DialFault>)
        {
            let (hint, problem) = handshake(error, dial);
            return not_sent(hint, &problem);
        }
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return not_sent(Hint::Stopping, "the connection was closed before the request was sent");
        }
        if let Some(error) = cause.downcast_ref::<h2::Error>() {
            let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            if error.is_remote() && (refused || error.is_go_away()) {
                return not_sent(Hint::Stopping, "the core is stopping, or takes no more calls");
            }
        }
    }
    let reason = chain(source);
    // The core looks at a client's certificate after the client is done with TLS, and reads nothing before that. Other
    // alerts can come at any time.
    let alert = reason.split_once("fatal alert: ").map_or("", |(_, alert)| alert);
    if alert.contains("Certificate") || alert.starts_with("UnknownCA") || alert.starts_with("AccessDenied") {
        return not_sent(Hint::ClientCertificate, &refused_client(&reason));
    }
    match (dial.target().scheme, line.heard()) {
        (Scheme::Plaintext, Heard::Tls) => not_sent(
            Hint::TlsServer,
            "TLS is spoken there, plaintext was expected: write the endpoint without http://, or take the \
             plaintext port (50055)",
        ),
        (Scheme::Plaintext, Heard::Other) => not_sent(
            Hint::NotGrpc,
            "what listens there is no gRPC server: check the port in the endpoint (50051 with TLS, 50055 \
             without)",
        ),
        (Scheme::Unix, Heard::Tls | Heard::Other) => {
            not_sent(Hint::NotGrpc, "what listens there is no core: check the path in the endpoint")
        }
        (Scheme::Plaintext, Heard::Nothing) => told(CallError::Lost {
            reason: format!("{reason}; {} never said a word: is it a port with TLS?", dial.target()),
        }),
        _ => told(CallError::Lost { reason }),
    }
}

/// What an answer means that came from the core, or that tonic made of one.
fn answered(status: &Status, dial: &Dial, deadline: Duration) -> CallError {
    let (code, text) = (Code::from_number(status.code() as i32), status.message());
    if let Some(rest) = text.strip_prefix("Error, decoded message length too large: found ") {
        let size = rest.split(' ').next().and_then(|size| size.parse().ok());
        return CallError::AnswerTooLarge { size, limit: dial.limit };
    }
    if text.starts_with("grpc-status header missing") || text.starts_with("protocol error: ") {
        return CallError::Lost { reason: format!("{} did not answer as gRPC: {text}", dial.target()) };
    }
    match code {
        Code::DEADLINE_EXCEEDED => CallError::Deadline(deadline),
        Code::UNAVAILABLE | Code::CANCELLED => {
            CallError::Lost { reason: format!("the core: {code}: {text}") }
        }
        _ => CallError::Status { code, details: text.to_owned() },
    }
}

/// Why TLS was not set up.
fn handshake(error: &ConnectError, dial: &Dial) -> (Hint, String) {
    let text = chain(error);
    let Some(tls) = tls_error(error) else {
        return if text.contains("handshake timeout") {
            (Hint::Silent, "no answer to TLS in time: is it a port without TLS? (http://…)".to_owned())
        } else if text.contains("HTTP/2 was not negotiated") {
            (Hint::NotGrpc, "TLS is spoken there, but not HTTP/2: this is no gRPC server".to_owned())
        } else if sources(error).any(|cause| cause.downcast_ref::<io::Error>().is_some()) {
            (
                Hint::Other,
                format!("hung up during TLS ({text}): the core is starting, or this is a port without TLS"),
            )
        } else {
            (Hint::Other, text)
        };
    };
    let name = dial.server_name();
    match tls {
        TlsError::InvalidMessage(_) => (
            Hint::PlaintextServer,
            "no TLS is spoken there: take the core's TLS port (50051), or write http:// to send in the clear"
                .to_owned(),
        ),
        TlsError::InvalidCertificate(problem) => match problem {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                Hint::UnknownIssuer,
                format!(
                    "its certificate is of a CA that is not trusted; trusted are {}: set ca_file to the core's CA",
                    dial.trusted()
                ),
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                Hint::WrongName,
                format!(
                    "its certificate is not for \"{name}\" ({problem}): use the name in the certificate as host, or \
                     set server_name to it"
                ),
            ),
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => (
                Hint::Expired,
                format!("its certificate is not valid now ({problem}): renew it, or check both clocks"),
            ),
            problem => (
                Hint::BadCertificate,
                format!("its certificate cannot be used ({problem}); trusted are {}", dial.trusted()),
            ),
        },
        TlsError::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied,
        ) => (Hint::ClientCertificate, refused_client(&tls.to_string())),
        other => (Hint::Other, format!("TLS failed: {other}")),
    }
}

fn refused_client(words: &str) -> String {
    format!(
        "it does not accept this client ({words}): set cert_file and key_file to a certificate it accepts"
    )
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    sources(error).find_map(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause.downcast_ref().or_else(|| inner.and_then(|inner| inner.downcast_ref()))
    })
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// The words of an error and of all that caused it, each once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in sources(error) {
        let words = cause.to_string();
        if !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
    }
    text
}
