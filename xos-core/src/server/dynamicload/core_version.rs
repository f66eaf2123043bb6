//! Whether this core is of the version that a service asks for, with the words of the core.

use tonic::Status;
use xos_model_client::CoreVersion;

use crate::CORE_VERSION;
use crate::server::status::{exception, unicode};

/// What a service without a wish gets.
const ANY: &str = ">=2.2.1";

/// Checks an expression such as `>=4.0.0`, or two with `~` between them.
///
/// # Errors
///
/// Another version is asked for, or the expression cannot be read; a core has other codes for the two.
pub(super) fn check(service: &str, wanted: &str) -> Result<(), Status> {
    let wanted = if wanted.trim().is_empty() { ANY } else { wanted };
    let version: CoreVersion = wanted.parse().map_err(|_: String| unreadable(wanted))?;
    if version.is_met_by(CORE_VERSION) {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "Service {service} is requesting core version {version} but actual version is {CORE_VERSION}"
    )))
}

/// As the core's Python tells it of the first expression that is wrong.
fn unreadable(wanted: &str) -> Status {
    let wrong = |part: &&str| part.parse::<CoreVersion>().is_err();
    let parts = match wanted.split_once('~') {
        Some((low, high)) => vec![low, high],
        None => vec![wanted],
    };
    let part = parts.iter().find(|part| wrong(part)).unwrap_or(&wanted).trim();
    let rest = part.trim_start_matches(['<', '>', '=', '!']);
    let has_operator = [">=", "<=", "==", "!=", ">", "<"].contains(&&part[..part.len() - rest.len()]);
    if has_operator {
        return exception(format!("{} is not valid SemVer string", rest.trim()));
    }
    exception(format!(
        "match_expr parameter should be in format <op><ver>, where <op> is one of ['<', '>', '==', '<=', '>=', '!=']. You provided: {}",
        unicode(part)
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_answers_are_those_of_the_core() {
        for fits in ["", " ", ">=4.0.0", ">=4.0.0~<5.0.0", ">4.0.4-dev", "==4.0.4"] {
            assert!(check("s", fits).is_ok(), "{fits}");
        }
        for (wanted, code, text) in [
            (
                ">=5.0.0",
                tonic::Code::InvalidArgument,
                "Service s is requesting core version >=5.0.0 but actual version is 4.0.4",
            ),
            (
                ">=5.0.0~<6.0.0",
                tonic::Code::InvalidArgument,
                "Service s is requesting core version between >=5.0.0 and <6.0.0 but actual version is 4.0.4",
            ),
            (
                "4.0",
                tonic::Code::Unknown,
                "Exception calling application: match_expr parameter should be in format <op><ver>, where <op> is one of ['<', '>', '==', '<=', '>=', '!=']. You provided: u'4.0'",
            ),
            (
                ">=4.0.0~<5",
                tonic::Code::Unknown,
                "Exception calling application: 5 is not valid SemVer string",
            ),
        ] {
            let status = check("s", wanted).unwrap_err();
            assert_eq!((status.code(), status.message()), (code, text), "{wanted}");
        }
        for odd in ["~", "~~", "=", "é", ">=é~", "\u{0}", "<>4.0.0"] {
            assert_eq!(check("s", odd).unwrap_err().code(), tonic::Code::Unknown, "{odd}");
        }
    }
}
