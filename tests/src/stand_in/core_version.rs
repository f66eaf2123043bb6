//! Whether a core is of the version that a service asks for, with the words of the core.

use std::cmp::Ordering;

use tonic::Status;
use xos_core::CORE_VERSION;

use super::status::{exception, unicode};

/// Checks an expression such as `>=4.0.0`, or two with `~` between them; an empty one means `>=2.2.1`.
pub(super) fn check(service: &str, wanted: &str) -> Result<(), Status> {
    let wanted = if wanted.is_empty() { ">=2.2.1" } else { wanted };
    let (fits, asked) = match wanted.split_once('~') {
        Some((low, high)) => (matches(low)? && matches(high)?, format!("between {low} and {high}")),
        None => (matches(wanted)?, wanted.to_owned()),
    };
    if fits {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "Service {service} is requesting core version {asked} but actual version is {CORE_VERSION}"
    )))
}

fn matches(expression: &str) -> Result<bool, Status> {
    let operators = [">=", "<=", "==", "!=", ">", "<"];
    let Some(operator) = operators.iter().find(|operator| expression.starts_with(**operator)) else {
        return Err(exception(format!(
            "match_expr parameter should be in format <op><ver>, where <op> is one of ['<', '>', '==', '<=', '>=', '!=']. You provided: {}",
            unicode(expression)
        )));
    };
    let text = &expression[operator.len()..];
    let wrong = || exception(format!("{text} is not valid SemVer string"));
    let order = version(CORE_VERSION).ok_or_else(wrong)?.cmp(&version(text).ok_or_else(wrong)?);
    Ok(match *operator {
        ">=" => order != Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        "<" => order == Ordering::Less,
        "==" => order == Ordering::Equal,
        _ => order != Ordering::Equal,
    })
}

/// `x.y.z` with an optional `-pre`, which is older than the same without.
fn version(text: &str) -> Option<([u64; 3], bool, String)> {
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
    let mut parts = numbers.split('.').map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then(|| (numbers, pre.is_none(), pre.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_are_those_of_the_core() {
        for fits in ["", ">=4.0.0", ">=4.0.0~<5.0.0", ">4.0.4-dev"] {
            assert!(check("s", fits).is_ok(), "{fits}");
        }
        let text = |wanted| check("s", wanted).unwrap_err().message().to_owned();
        assert_eq!(
            text(">=5.0.0"),
            "Service s is requesting core version >=5.0.0 but actual version is 4.0.4"
        );
        assert!(text(">=5.0.0~<6.0.0").contains("between >=5.0.0 and <6.0.0 but"));
        assert!(text("4.0").ends_with("You provided: u'4.0'"));
        assert!(text(">=4.0").ends_with("4.0 is not valid SemVer string"));
    }
}
