//! What SQLite cannot do by itself: regular expressions, and comparing without regard to case.

use regex::Regex;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

/// The text with all letters in lower case, letter by letter, in all alphabets.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Makes the functions known to a connection: `xos_fold(text)` and `xos_matches(pattern, text)`.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("xos_fold", 1, flags, |context| Ok(text(context, 0).map(fold)))?;
    connection.create_scalar_function("xos_matches", 2, flags, |context| {
        // The pattern is the same for all rows: it is compiled for the first one and kept with the statement.
        let pattern = context.get_or_create_aux(0, |value| match value.as_str() {
            Ok(pattern) => Regex::new(pattern).map_err(Into::into),
            Err(error) => Err(Box::<dyn std::error::Error + Send + Sync>::from(error)),
        })?;
        Ok(text(context, 1).map(|text| pattern.is_match(text)))
    })
}

fn text<'a>(context: &'a Context<'_>, at: usize) -> Option<&'a str> {
    match context.get_raw(at) {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_folded_in_all_alphabets() {
        assert_eq!(fold("GRÜẞE Ж"), "grüße ж");
    }

    #[test]
    fn nothing_matches_no_pattern() {
        let db = Connection::open_in_memory().unwrap();
        register(&db).unwrap();
        let is = |sql: &str| db.query_row(sql, [], |row| row.get::<_, Option<bool>>(0)).unwrap();
        assert_eq!(is("SELECT xos_matches('^a.c$', 'abc')"), Some(true));
        assert_eq!(is("SELECT xos_matches('^a.c$', 'abd')"), Some(false));
        assert_eq!(is("SELECT xos_matches('^a.c$', NULL)"), None);
    }
}
