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

/// An oracle that sees nothing wrong proves nothing.
mod self_test {
    use super::{inside_and_outside, promises};
    use crate::driver::{Asked, Model, Wanted};
    use crate::inside::{Inside, Row};
    use crate::oracle::{When, converged};
    use crate::outside::{Outside, Shown};

    /// One object in its second version, all as it should be; a test breaks one thing.
    struct Picture {
        row: Option<Row>,
        shown: Shown,
        wanted: Wanted,
    }

    fn good() -> Picture {
        let row = Row {
            id: 7,
            name: "o1".into(),
            hello_to: "o1.2".into(),
            version: 5.0,
            enacted: Some(5.0),
            status: "OK".into(),
            code: 1,
            deleted: false,
            need_delete: true,
        };
        let hellos = vec!["o1.1".to_owned(), "o1.2".to_owned()];
        let wanted = Wanted { id: Some(7), hello_to: "o1.2".into(), ..Wanted::first(1) };
        Picture { row: Some(row), shown: Shown { hellos, ..Shown::default() }, wanted }
    }

    /// Breaks it, and expects this to be noticed, of an object at work or one at rest.
    fn check(says: &str, break_it: impl FnOnce(&mut Picture)) {
        let mut picture = good();
        break_it(&mut picture);
        let rows = picture.row.into_iter().map(|row| (row.name.clone(), row)).collect();
        let inside = Inside { rows, faults: Vec::new() };
        let mut outside = Outside::new("none".into());
        outside.shown.insert("o1".into(), picture.shown);
        let mut model = Model::from([(1, picture.wanted)]);
        let mut wrong = converged(&model, &inside, &outside);
        wrong.extend(inside_and_outside(&inside, &outside, When::Dead));
        wrong.extend(promises(&mut model, &inside));
        if says.is_empty() {
            assert!(wrong.is_empty(), "{wrong:?}");
        } else {
            assert!(wrong.iter().any(|what| what.contains(says)), "expected {says:?}: {wrong:?}");
        }
    }

    fn row(picture: &mut Picture) -> &mut Row {
        picture.row.as_mut().unwrap()
    }

    #[test]
    fn each_violation_is_noticed() {
        check("", |_| {});
        check("a version was enacted that never was", |all| row(all).enacted = Some(6.0));
        check("it is clean but not OK", |all| row(all).status = "Provisioning in progress".into());
        check("it is clean but not OK", |all| row(all).code = 2);
        check("the outside does not show it", |all| drop(all.shown.hellos.pop()));
        check("the outside does not show it", |all| all.shown.hellos.push("o1.1".into()));
        check("was taken back though it lives", |all| all.shown.deletions = 1);
        check("would not be deleted there", |all| row(all).need_delete = false);
        check("was greeted after", |all| all.shown.after_deletion = true);
        check("its greeting was never taken back", |all| all.row = None);
        check("it failed for a reason of its own", |all| {
            let row = row(all);
            (row.enacted, row.code, row.status) = (None, 2, "the step panicked".into());
        });
        check("not done", |all| row(all).enacted = Some(4.0));
        check("not done", |all| row(all).deleted = true);
        check("refused, and yet done", |all| row(all).hello_to = "Joffrey Baratheon".into());
        check("is missing", |all| all.row = None);
        check("lost an acknowledged change", |all| row(all).hello_to = "o1.1".into());
        check("lost an acknowledged change", |all| row(all).id = 8);
        check("lives though its deletion was acknowledged", |all| all.wanted.deletion = Asked::Acknowledged);
        check("never taken back", |all| {
            (all.row, all.wanted.deletion) = (None, Asked::Acknowledged);
        });
        check("is not greeted as it has to be", |all| all.shown.hellos.push("o1.3".into()));
        check("nobody asked for", |all| row(all).name = "o2".into());
    }
}
