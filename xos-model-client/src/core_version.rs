//! Which versions of the core a service asks for.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Which versions of the core a service asks for: an expression such as `>=4.0.0`, or two with `~` between them that
/// must both hold.
///
/// # Examples
///
/// ```
/// use xos_model_client::CoreVersion;
///
/// let wanted: CoreVersion = ">=4.0.0~<5.0.0".parse()?;
/// assert!(wanted.is_met_by("4.0.4") && !wanted.is_met_by("5.0.0"));
/// assert!("^4.0".parse::<CoreVersion>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreVersion {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    text: String,
    operator: &'static str,
    version: Version,
}

/// `x.y.z` with an optional `-pre`; one with is older than the same one without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u64; 3], bool, String);

impl CoreVersion {
    /// Whether a core of this version will do.
    pub fn is_met_by(&self, version: &str) -> bool {
        let Some(actual) = parse(version) else { return false };
        self.parts.iter().all(|part| {
            let order = actual.cmp(&part.version);
            match part.operator {
                ">=" => order != Ordering::Less,
                "<=" => order != Ordering::Greater,
                ">" => order == Ordering::Greater,
                "<" => order == Ordering::Less,
                "==" => order == Ordering::Equal,
                _ => order != Ordering::Equal,
            }
        })
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// As the core words it: `>=4.0.0`, `between >=4.0.0 and <5.0.0`.
impl fmt::Display for CoreVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts.as_slice() {
            [low, high] => write!(f, "between {} and {}", low.text, high.text),
            _ => f.write_str(&self.text),
        }
    }
}

impl FromStr for CoreVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let parts = match text.split_once('~') {
            Some((low, high)) if !low.is_empty() => vec![part(low)?, part(high)?],
            _ => vec![part(text)?],
        };
        Ok(CoreVersion { text: text.to_owned(), parts })
    }
}

fn part(expression: &str) -> Result<Part, String> {
    let expression = expression.trim();
    let wrong = || {
        format!(
            "\"{expression}\" asks for no core version; expected an operator (>=, <=, >, <, == or !=) and a version such as 4.0.0"
        )
    };
    let operators = [">=", "<=", "==", "!=", ">", "<"];
    let operator =
        operators.into_iter().find(|operator| expression.starts_with(*operator)).ok_or_else(wrong)?;
    let version = parse(expression[operator.len()..].trim()).ok_or_else(wrong)?;
    Ok(Part { text: expression.to_owned(), operator, version })
}

fn parse(version: &str) -> Option<Version> {
    let (numbers, pre) = match version.split_once('-') {
        Some((numbers, pre)) if !pre.is_empty() => (numbers, Some(pre)),
        Some(_) => return None,
        None => (version, None),
    };
    let mut parts = numbers.split('.').map(|part| part.parse::<u64>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then(|| Version(numbers, pre.is_none(), pre.unwrap_or("").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (">=4.0.0~<5.0.0", true),
            (">=4.0.0~<4.0.4", false),
        ] {
            let wanted: CoreVersion = expression.parse().unwrap();
            assert_eq!(wanted.is_met_by("4.0.4"), fits, "{expression}");
        }
        for bad in
            ["^4.0", "~4.0", "4.0.0", ">=4.0", ">=4.0.0.0", ">=", ">=4.0.x", ">=4.0.0-", ">=4.0.0, <5.0.0"]
        {
            assert!(bad.parse::<CoreVersion>().is_err(), "{bad}");
        }
    }

    #[test]
    fn two_expressions_are_worded_as_the_core_words_them() {
        assert_eq!(">=4.0.0".parse::<CoreVersion>().unwrap().to_string(), ">=4.0.0");
        let both: CoreVersion = ">=4.0.0~<5.0.0".parse().unwrap();
        assert_eq!(both.to_string(), "between >=4.0.0 and <5.0.0");
    }
}
