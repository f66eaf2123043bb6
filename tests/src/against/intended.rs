//! The one list of differences that are meant to be: `tests/differences.md`.

use std::cell::Cell;

use crate::stand_in::BoxError;

/// The list, as a table with the columns *calls*, *difference* and *why*.
#[derive(Debug)]
pub struct Intended {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    line: usize,
    calls: Vec<String>,
    difference: String,
    used: Cell<usize>,
}

impl Intended {
    /// Reads the tables of a Markdown text.
    ///
    /// # Errors
    ///
    /// A row without three columns, or without a reason.
    pub fn read(text: &str) -> Result<Self, BoxError> {
        let mut rows = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.starts_with("| `") {
                continue;
            }
            let columns: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [calls, difference, why] = columns.as_slice() else {
                return Err(format!("line {}: expected 3 columns, found {}", at + 1, columns.len()).into());
            };
            if why.is_empty() {
                return Err(format!("line {}: a difference needs a reason", at + 1).into());
            }
            rows.push(Row {
                line: at + 1,
                calls: calls.split(", ").map(|call| call.trim_matches('`').to_owned()).collect(),
                difference: difference.trim_matches('`').to_owned(),
                used: Cell::new(0),
            });
        }
        Ok(Intended { rows })
    }

    /// Whether this difference of a call is meant to be.
    pub fn has(&self, call: &str, difference: &str) -> bool {
        let mut found = self.rows.iter().filter(|row| {
            row.calls.iter().any(|pattern| matches(pattern, call)) && matches(&row.difference, difference)
        });
        let row = found.next();
        if let Some(row) = row {
            row.used.set(row.used.get() + 1);
        }
        row.is_some()
    }

    /// The rows that nothing was found for.
    pub fn unused(&self) -> Vec<String> {
        let unused = self.rows.iter().filter(|row| row.used.get() == 0);
        unused.map(|row| format!("line {}: {} {}", row.line, row.calls.join(", "), row.difference)).collect()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Whether a text is like a pattern, in which `*` is anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let Some((_, after)) = rest.split_once(before) else { return false };
            rest = after;
        }
    }
    match last {
        Some(last) => rest.ends_with(last),
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_anything() {
        for (pattern, text, is_like) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--c", false),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), is_like, "{pattern} {text}");
        }
    }

    #[test]
    fn each_row_is_used_or_told() {
        let text = "# x\n| calls | difference | why |\n|---|---|---|\n| `a`, `b.*` | `code: *` | because |\n\
                    | `c` | `*` | because |";
        let list = Intended::read(text).unwrap();
        assert_eq!(list.len(), 2);
        assert!(
            list.has("b.x", "code: there A, here B") && !list.has("x", "code: ") && !list.has("a", "id: ")
        );
        assert_eq!(list.unused(), ["line 5: c *"]);
        assert!(Intended::read("| `a` | `b` |").is_err());
    }
}
