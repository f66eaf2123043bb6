//! Whether this core is of the version that a service asks for.

use std::cmp::Ordering;

use crate::CORE_VERSION;
use crate::onboard::refused;
use crate::store::Outcome;

/// Checks an expression such as `>=4.0.0`, or two with `~` between them. None means: any core from 2.2.1 on.
pub(super) fn check(service: &str, wanted: Option<&str>) -> Outcome<()> {
    let wanted = wanted.map(str::trim).filter(|wanted| !wanted.is_empty()).unwrap_or(">=2.2.1");
    let told = |problem: String| refused(service, format!("cannot be loaded: {problem}"));
    let (fits, asked) = match wanted.split_once('~') {
        Some((low, high)) if !low.is_empty() => {
            let fits = matches(low).map_err(told)? && matches(high).map_err(told)?;
            (fits, format!("between {low} and {high}"))
        }
        _ => (matches(wanted).map_err(told)?, wanted.to_owned()),
    };
    if fits {
        return Ok(());
    }
    Err(told(format!(
        "Service {service} is requesting core version {asked} but actual version is {CORE_VERSION}"
    )))
}

fn matches(expression: &str) -> Result<bool, String> {
    let expression = expression.trim();
    let wrong = || {
        format!(
            "\"{expression}\" asks for no core version; expected an operator (>=, <=, >, <, == or !=) and a version such as 4.0.0"
        )
    };
    let operators = [">=", "<=", "==", "!=", ">", "<"];
    let operator = operators.iter().find(|operator| expression.starts_with(**operator)).ok_or_else(wrong)?;
    let version = parse(expression[operator.len()..].trim()).ok_or_else(wrong)?;
    let actual = parse(CORE_VERSION).ok_or_else(wrong)?;
    let order = actual.cmp(&version);
    Ok(match *operator {
        ">=" => order != Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        "<" => order == Ordering::Less,
        "==" => order == Ordering::Equal,
        _ => order != Ordering::Equal,
    })
}

/// `x.y.z` with an optional `-pre`; one with is older than the same one without.
fn parse(version: &str) -> Option<([u64; 3], bool, String)> {
    let (numbers, pre) = match version.split_once('-') {
        Some((numbers, pre)) if !pre.is_empty() => (numbers, Some(pre)),
        Some(_) => return None,
        None => (version, None),
    };
    let mut parts = numbers.split('.').map(|part| part.parse::<u64>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then(|| (numbers, pre.is_none(), pre.unwrap_or("").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn expressions_are_those_of_the_core() {
        for (expression, fits) in [
            (">=4.0.0", true),
            ("==4.0.4", true),
            ("<4.0.4", false),
            (">4.0.4-dev", true),
            ("!=4.0.4", false),
            ("<=4.0.4", true),
            (">=5.0.0", false),
        ] {
            assert_eq!(matches(expression), Ok(fits), "{expression}");
        }
        for bad in ["^4.0", "~4.0", "4.0.0", ">=4.0", ">=4.0.0.0", ">=", ">=4.0.x", ">=4.0.0-"] {
            assert!(matches(bad).is_err(), "{bad}");
        }
    }
}
