//! Regular expressions in PostgreSQL's words.
//!
//! A pattern is read as the crate `regex` reads it, down to its parts: literal characters, classes as ranges of
//! characters, places, repetitions. PostgreSQL has each of these parts, so the same texts match in both stores,
//! whatever the server's locale. Matching is a question of yes or no, so it does not matter which of several matches
//! would come first.

use std::fmt::Write;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// The most repetitions that PostgreSQL counts in one step.
const MOST: u32 = 255;

/// A longer one would take minutes to compile.
const LONGEST: usize = 200_000;

/// The pattern, or why there is no such one.
pub(crate) fn translate(pattern: &str) -> Result<String, String> {
    let hir = ParserBuilder::new().build().parse(pattern).map_err(|error| error.to_string())?;
    let mut out = Out { text: "***:".to_owned() };
    out.part(&hir)?;
    Ok(out.text)
}

struct Out {
    text: String,
}

impl Out {
    fn part(&mut self, hir: &Hir) -> Result<(), String> {
        if self.text.len() > LONGEST {
            return Err("is too large a regular expression for PostgreSQL: make it shorter, or repeat less"
                .to_owned());
        }
        match hir.kind() {
            HirKind::Empty => self.text.push_str("(?:)"),
            HirKind::Literal(literal) => {
                for c in String::from_utf8_lossy(&literal.0).chars() {
                    self.character(c);
                }
            }
            HirKind::Class(class) => self.class(class),
            HirKind::Look(look) => self.look(*look)?,
            HirKind::Repetition(repetition) => self.repetition(repetition)?,
            HirKind::Capture(capture) => self.group(&capture.sub)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.part(part))?,
            HirKind::Alternation(parts) => {
                self.text.push_str("(?:");
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        self.text.push('|');
                    }
                    self.part(part)?;
                }
                self.text.push(')');
            }
        }
        Ok(())
    }

    fn group(&mut self, inside: &Hir) -> Result<(), String> {
        self.text.push_str("(?:");
        self.part(inside)?;
        self.text.push(')');
        Ok(())
    }

    /// Letters and digits as they are, all else by its number.
    fn character(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            self.text.push(c);
        } else {
            let _ = write!(self.text, "\\U{:08x}", u32::from(c));
        }
    }

    fn class(&mut self, class: &Class) {
        let ranges: Vec<(char, char)> = match class {
            Class::Unicode(class) => class.iter().map(|range| (range.start(), range.end())).collect(),
            Class::Bytes(class) => {
                class.iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect()
            }
        };
        if ranges.is_empty() {
            // Nothing is in it: a place that is never there.
            self.text.push_str("(?:\\A(?!\\A))");
            return;
        }
        self.text.push('[');
        for (start, end) in ranges {
            // No text has the character NUL, and PostgreSQL no number for it.
            let start = start.max('\u{1}');
            if start > end {
                continue;
            }
            self.character(start);
            if start < end {
                self.text.push('-');
                self.character(end);
            }
        }
        if self.text.ends_with('[') {
            self.text.push_str("\\U00000001");
        }
        self.text.push(']');
    }

    fn look(&mut self, look: Look) -> Result<(), String> {
        const ASCII: &str = "[0-9A-Za-z_]";
        let text = match look {
            Look::Start => "\\A".to_owned(),
            Look::End => "\\Z".to_owned(),
            Look::StartLF => "(?:\\A|(?<=\\n))".to_owned(),
            Look::EndLF => "(?:\\Z|(?=\\n))".to_owned(),
            Look::WordAscii => boundary(ASCII, true),
            Look::WordAsciiNegate => boundary(ASCII, false),
            Look::WordUnicode => boundary(&word()?, true),
            Look::WordUnicodeNegate => boundary(&word()?, false),
            Look::WordStartUnicode | Look::WordStartAscii => {
                let word = if look == Look::WordStartAscii { ASCII.to_owned() } else { word()? };
                format!("(?:(?<!{word})(?={word}))")
            }
            Look::WordEndUnicode | Look::WordEndAscii => {
                let word = if look == Look::WordEndAscii { ASCII.to_owned() } else { word()? };
                format!("(?:(?<={word})(?!{word}))")
            }
            _ => {
                return Err("has a kind of boundary that PostgreSQL does not know; use \\b, ^ or $".to_owned());
            }
        };
        self.text.push_str(&text);
        Ok(())
    }

    /// In steps that PostgreSQL can count.
    fn repetition(&mut self, repetition: &Repetition) -> Result<(), String> {
        let mut inside = Out { text: String::new() };
        inside.group(&repetition.sub)?;
        let inside = inside.text;
        let (mut least, most) = (repetition.min, repetition.max);
        if (least.max(most.unwrap_or(0)) / MOST) as usize * inside.len() > LONGEST {
            return Err("repeats too often for PostgreSQL: repeat less".to_owned());
        }
        let mut optional = most.map(|most| most - least);
        self.text.push_str("(?:");
        while least > MOST {
            let _ = write!(self.text, "{inside}{{{MOST}}}");
            least -= MOST;
        }
        match optional.as_mut() {
            None => {
                let _ = write!(self.text, "{inside}{{{least},}}");
            }
            Some(optional) => {
                let _ = write!(self.text, "{inside}{{{least}}}");
                while *optional > 0 {
                    let step = MOST.min(*optional);
                    let _ = write!(self.text, "{inside}{{0,{step}}}");
                    *optional -= step;
                }
            }
        }
        self.text.push(')');
        Ok(())
    }
}

/// What \w matches, in all alphabets.
fn word() -> Result<String, String> {
    let hir = ParserBuilder::new().build().parse("\\w").map_err(|error| error.to_string())?;
    let mut out = Out { text: String::new() };
    out.part(&hir)?;
    Ok(out.text)
}

fn boundary(word: &str, is: bool) -> String {
    if is {
        format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))")
    } else {
        format!("(?:(?<={word})(?={word})|(?<!{word})(?!{word}))")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, expected: &str) {
        assert_eq!(translate(pattern).unwrap(), format!("***:{expected}"));
    }

    #[test]
    fn each_part_has_its_word() {
        check("^a.c$", "\\Aa[\\U00000001-\\U00000009\\U0000000b-\\U0010ffff]c\\Z");
        check("(?i)k", "[Kk\\U0000212a]");
        check("a{3}|b*", "(?:(?:(?:a){3})|(?:(?:b){0,}))");
        check("(a|bc)+?", "(?:(?:(?:(?:a|bc))){1,})");
        check("a{300,600}", "(?:(?:a){255}(?:a){45}(?:a){0,255}(?:a){0,45})");
        check("\\.", "\\U0000002e");
    }

    #[test]
    fn what_would_be_too_large_says_so() {
        assert!(translate(&"\\w{250}".repeat(200)).unwrap_err().contains("PostgreSQL"));
    }
}
