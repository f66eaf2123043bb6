//! What must hold at any moment, whatever was killed: between what was promised, what is stored and what was done.

use crate::driver::{Asked, Model, REFUSED};
use crate::inside::{Inside, Row};
use crate::outside::{Outside, Shown};

/// When one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// While the program works: the log was read after the database, so it may know more.
    Running,
    /// While it does not run: both are of the same moment.
    Dead,
}

/// What is wrong between the database and what was done outside.
pub(crate) fn inside_and_outside(inside: &Inside, outside: &Outside, when: When) -> Vec<String> {
    let mut wrong = inside.faults.clone();
    let nothing = Shown::default();
    for row in inside.rows.values().filter(|row| row.name.starts_with('o')) {
        let shown = outside.shown.get(&row.name).unwrap_or(&nothing);
        wrong.extend(
            of_row(row, shown, when).map(|what| format!("{}: {what}; {row:?}, outside {shown:?}", row.name)),
        );
    }
    for (name, shown) in &outside.shown {
        if shown.after_deletion {
            wrong.push(format!("{name} was greeted after its greeting was taken back: {shown:?}"));
        }
        let is_touched = !shown.hellos.is_empty() && shown.deletions == 0;
        if when == When::Dead && is_touched && name.starts_with('o') && !inside.rows.contains_key(name) {
            wrong.push(format!("{name} is gone, and its greeting was never taken back: {shown:?}"));
        }
    }
    wrong
}

fn of_row(row: &Row, shown: &Shown, when: When) -> Option<&'static str> {
    if row.enacted.is_some_and(|enacted| enacted > row.version) {
        return Some("a version was enacted that never was");
    }
    if !row.deleted && row.is_clean() {
        if row.status != "OK" || row.code != 1 {
            return Some("it is clean but not OK");
        }
        let is_shown = match when {
            When::Dead => shown.hellos.last() == Some(&row.hello_to),
            When::Running => shown.hellos.contains(&row.hello_to),
        };
        if !is_shown {
            return Some("it is said to be OK, and the outside does not show it");
        }
    }
    if !row.deleted && shown.deletions > 0 && when == When::Dead {
        return Some("its greeting was taken back though it lives");
    }
    let is_touched = !shown.hellos.is_empty();
    // While it runs, the log is newer than the database: it may just have been claimed.
    if is_touched && !row.need_delete && when == When::Dead {
        return Some("it was touched outside and would not be deleted there");
    }
    let known = ["Maybe not", "Maybe later", "nothing was stored"];
    if row.code == 2 && !known.iter().any(|text| row.status.contains(text)) {
        return Some("it failed for a reason of its own");
    }
    None
}

/// What is wrong between what was promised and the database; what was not known becomes known.
pub(crate) fn promises(model: &mut Model, inside: &Inside) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut never_made = Vec::new();
    for (serial, wanted) in model.iter_mut() {
        let row = inside.rows.get(&format!("o{serial}"));
        let live = row.filter(|row| !row.deleted);
        match (wanted.creation, wanted.deletion, live) {
            (Asked::Maybe, _, None) => never_made.push(*serial),
            (_, Asked::Acknowledged | Asked::Maybe, None) => wanted.deletion = Asked::Acknowledged,
            (_, Asked::Acknowledged, Some(row)) => {
                wrong.push(format!("o{serial} lives though its deletion was acknowledged: {row:?}"));
            }
            (_, Asked::No, None) => wrong.push(format!("o{serial} is missing: {wanted:?}")),
            (_, _, Some(row)) => {
                let is_known =
                    row.hello_to == wanted.hello_to || wanted.maybe.as_ref() == Some(&row.hello_to);
                if !is_known || wanted.id.is_some_and(|id| id != row.id) {
                    wrong.push(format!("o{serial} lost an acknowledged change: {wanted:?}, found {row:?}"));
                }
                wanted.hello_to.clone_from(&row.hello_to);
                wanted.id = Some(row.id);
                (wanted.maybe, wanted.creation, wanted.deletion) = (None, Asked::Acknowledged, Asked::No);
            }
        }
    }
    for serial in never_made {
        model.remove(&serial);
    }
    for row in inside.rows.values() {
        let serial = row.name.strip_prefix('o').and_then(|serial| serial.parse::<usize>().ok());
        if serial.is_some_and(|serial| !model.contains_key(&serial)) && !row.deleted {
            wrong.push(format!("nobody asked for {row:?}"));
        }
    }
    wrong
}

/// What is wrong when all work is done and the program has ended: inside, outside and what was wanted are the same.
pub(crate) fn converged(model: &Model, inside: &Inside, outside: &Outside) -> Vec<String> {
    let mut wrong = inside_and_outside(inside, outside, When::Dead);
    for row in inside.rows.values() {
        if row.deleted || !row.is_clean() {
            wrong.push(format!("not done: {row:?}"));
        }
        if REFUSED.contains(&row.hello_to.as_str()) {
            wrong.push(format!("refused, and yet done: {row:?}"));
        }
    }
    for (serial, wanted) in model {
        let name = format!("o{serial}");
        let shown = outside.shown.get(&name);
        if wanted.deletion == Asked::Acknowledged {
            if shown.is_some_and(|shown| shown.deletions == 0) {
                wrong.push(format!("{name} was deleted, and its greeting never taken back: {shown:?}"));
            }
        } else if shown.and_then(|shown| shown.hellos.last()) != Some(&wanted.hello_to) {
            wrong.push(format!("{name} is not greeted as it has to be: {wanted:?}, {shown:?}"));
        }
    }
    wrong
}

/// Fails with the first ones of what is wrong.
pub(crate) fn assert_none(wrong: &[String], when: &str) {
    let first: Vec<&str> = wrong.iter().take(10).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{when}: {} violations, such as\n{}", wrong.len(), first.join("\n"));
}
