//! A pattern of topics in the words of librdkafka, which takes the regular expressions of POSIX.
//!
//! Both languages are read by different programs; to be sure that they agree, the pattern is taken apart and written
//! anew. Names of topics have 65 characters to choose from, which makes every class of characters a short list.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// The characters of a topic's name; the last one has no meaning of its own at the end of a list.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

/// The most repetitions that POSIX promises.
const REPETITIONS: u32 = 255;

/// The pattern as librdkafka takes it: a beginning that topics have in common.
///
/// # Errors
///
/// What POSIX has no words for.
pub(super) fn posix(pattern: &str) -> Result<String, String> {
    let hir = regex_syntax::parse(pattern).map_err(|error| error.to_string())?;
    let mut text = "^".to_owned();
    write(&hir, &mut text)?;
    Ok(text)
}

fn write(hir: &Hir, text: &mut String) -> Result<(), String> {
    match hir.kind() {
        HirKind::Empty => text.push_str("()"),
        HirKind::Literal(literal) => {
            let literal = std::str::from_utf8(&literal.0)
                .map_err(|_| "it matches bytes that are no text".to_owned())?;
            group(text, |text| {
                for c in literal.chars() {
                    one_of(text, |known| known == c);
                }
                Ok(())
            })?;
        }
        HirKind::Class(Class::Unicode(class)) => {
            one_of(text, |c| class.ranges().iter().any(|range| range.start() <= c && c <= range.end()));
        }
        HirKind::Class(Class::Bytes(class)) => one_of(text, |c| {
            u8::try_from(c)
                .is_ok_and(|c| class.ranges().iter().any(|range| range.start() <= c && c <= range.end()))
        }),
        HirKind::Look(Look::Start | Look::StartLF | Look::StartCRLF) => text.push('^'),
        HirKind::Look(Look::End | Look::EndLF | Look::EndCRLF) => text.push('$'),
        HirKind::Look(_) => return Err("borders of words cannot be asked for with Kafka".to_owned()),
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            if *min > REPETITIONS || max.is_some_and(|max| max > REPETITIONS) {
                return Err(format!("with Kafka, at most {REPETITIONS} repetitions can be asked for"));
            }
            group(text, |text| write(sub, text))?;
            match max {
                None if *min == 0 => text.push('*'),
                None => text.extend(["{", &min.to_string(), ",}"]),
                Some(max) => text.extend(["{", &min.to_string(), ",", &max.to_string(), "}"]),
            }
        }
        HirKind::Capture(capture) => group(text, |text| write(&capture.sub, text))?,
        HirKind::Concat(parts) => group(text, |text| parts.iter().try_for_each(|part| write(part, text)))?,
        HirKind::Alternation(parts) => group(text, |text| {
            parts.iter().enumerate().try_for_each(|(at, part)| {
                if at > 0 {
                    text.push('|');
                }
                write(part, text)
            })
        })?,
    }
    Ok(())
}

fn group(text: &mut String, inner: impl FnOnce(&mut String) -> Result<(), String>) -> Result<(), String> {
    text.push('(');
    inner(text)?;
    text.push(')');
    Ok(())
}

/// The characters of names that are wanted; a list that no name has a character of, where there is none.
fn one_of(text: &mut String, is_wanted: impl Fn(char) -> bool) {
    let wanted: String = ALPHABET.chars().filter(|c| is_wanted(*c)).collect();
    if wanted.is_empty() {
        text.push_str("[^");
        text.push_str(ALPHABET);
    } else {
        text.push('[');
        text.push_str(&wanted);
    }
    text.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, expected: &str) {
        assert_eq!(posix(pattern).unwrap(), expected, "{pattern}");
    }

    #[test]
    fn a_pattern_is_written_in_the_words_of_posix() {
        check("onu\\.", "^([o][n][u][.])");
        check("^a$", "^(^([a])$)");
        check("[ab]\\d?", "^([ab]([0123456789]){0,1})");
        check("a+?(?:b|cd){2}", "^((([a])){1,}((([b])|([c][d]))){2,2})");
        check("é", "^([^ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-])");
        check("(?i)k", "^[Kk]");
        check("", "^()");
        assert!(posix(".*").unwrap().starts_with("^([ABC"));
    }

    #[test]
    fn what_posix_has_no_words_for_is_refused() {
        assert!(posix("a\\b").unwrap_err().contains("borders of words"));
        assert!(posix("a{300}").unwrap_err().contains("255"));
        assert!(posix("(").is_err());
    }
}
