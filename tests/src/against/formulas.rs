//! Two formulas of a policy, side by side: what one asks for and the other does not.

use std::collections::BTreeMap;
use std::mem::discriminant;

use xos_model_client::xproto::{Document, Formula};

use super::compare::shown;

/// What differs between the policies of two documents, by their names.
pub(super) fn policies(theirs: &Document, ours: &Document) -> Vec<String> {
    let all = |document: &Document| -> BTreeMap<String, Formula> {
        document.policies().map(|policy| (policy.name.clone(), policy.formula.clone())).collect()
    };
    let (there, here) = (all(theirs), all(ours));
    let mut found = Vec::new();
    for (name, there) in &there {
        match here.get(name) {
            Some(here) => {
                let mut told = Vec::new();
                compare(&normal(there), &normal(here), &mut told);
                if lacks_brackets(there) != lacks_brackets(here) {
                    told.push("`exists` reaches to other ends".to_owned());
                }
                found.extend(told.into_iter().map(|told| format!("xproto.policy.{name}: {told}")));
            }
            None => found.push(format!("xproto.policy: without {name}")),
        }
    }
    let more = here.keys().filter(|name| !there.contains_key(*name));
    found.extend(more.map(|name| format!("xproto.policy: with {name}")));
    found
}

/// A formula in one of the ways to write it: the parts of `&`, `|` and `=` in order, and what is said of an object after
/// `exists` under it, also where the brackets that would say so are missing.
fn normal(formula: &Formula) -> Formula {
    match ordered(formula) {
        Formula::And(parts) => {
            let mut parts: Vec<Formula> = parts.iter().map(normal).collect();
            let Some(at) = parts.iter().position(|part| matches!(part, Formula::Exists { .. })) else {
                return ordered(&Formula::and(parts));
            };
            let Formula::Exists { variable, body } = parts.remove(at) else { return Formula::And(parts) };
            let about = format!("{variable}.");
            let (of_it, mut rest): (Vec<_>, Vec<_>) =
                parts.into_iter().partition(|part| part.to_string().contains(&about));
            let body = ordered(&Formula::and([*body].into_iter().chain(of_it)));
            rest.push(Formula::Exists { variable, body: Box::new(body) });
            ordered(&Formula::and(rest))
        }
        Formula::Or(parts) => ordered(&Formula::or(parts.iter().map(normal))),
        Formula::Not(inner) => Formula::Not(Box::new(normal(&inner))),
        Formula::Implies(when, then) => Formula::Implies(Box::new(normal(&when)), Box::new(normal(&then))),
        Formula::Exists { variable, body } => Formula::Exists { variable, body: Box::new(normal(&body)) },
        Formula::ForAll { variable, body } => Formula::ForAll { variable, body: Box::new(normal(&body)) },
        other => other,
    }
}

/// The parts of a formula in the order of their texts.
fn ordered(formula: &Formula) -> Formula {
    let sorted = |parts: &[Formula]| {
        let mut parts: Vec<Formula> = parts.iter().map(ordered).collect();
        parts.sort_by_key(ToString::to_string);
        parts
    };
    match formula {
        Formula::And(parts) => Formula::and(sorted(parts)),
        Formula::Or(parts) => Formula::or(sorted(parts)),
        Formula::Equal(one, other) if one.to_string() > other.to_string() => {
            Formula::Equal(other.clone(), one.clone())
        }
        Formula::Not(inner) => Formula::Not(Box::new(ordered(inner))),
        Formula::Implies(when, then) => Formula::Implies(Box::new(ordered(when)), Box::new(ordered(then))),
        Formula::Exists { variable, body } => {
            Formula::Exists { variable: variable.clone(), body: Box::new(ordered(body)) }
        }
        Formula::ForAll { variable, body } => {
            Formula::ForAll { variable: variable.clone(), body: Box::new(ordered(body)) }
        }
        other => other.clone(),
    }
}

/// Whether what is said of an object after `exists` does not stand under it.
fn lacks_brackets(formula: &Formula) -> bool {
    ordered(formula) != normal(formula)
}

/// The smallest parts in which two formulas differ.
fn compare(there: &Formula, here: &Formula, found: &mut Vec<String>) {
    if there == here {
        return;
    }
    match (there, here) {
        (Formula::And(there), Formula::And(here)) | (Formula::Or(there), Formula::Or(here)) => {
            let without = |parts: &[Formula], others: &[Formula]| -> Vec<Formula> {
                parts.iter().filter(|part| !others.contains(part)).cloned().collect()
            };
            let (theirs, mut ours) = (without(there, here), without(here, there));
            for there in theirs {
                match ours.iter().position(|here| discriminant(here) == discriminant(&there)) {
                    Some(at) => compare(&there, &ours.remove(at), found),
                    None => found.push(format!("there {}, here nothing", shown(&there.to_string()))),
                }
            }
            found.extend(ours.iter().map(|here| format!("there nothing, here {}", shown(&here.to_string()))));
        }
        (Formula::Exists { variable: one, body: there }, Formula::Exists { variable: other, body: here })
        | (Formula::ForAll { variable: one, body: there }, Formula::ForAll { variable: other, body: here })
            if one == other =>
        {
            compare(there, here, found);
        }
        (Formula::Implies(when, then), Formula::Implies(our_when, ours)) => {
            compare(when, our_when, found);
            compare(then, ours, found);
        }
        (Formula::Not(there), Formula::Not(here)) => compare(there, here, found),
        _ => found.push(format!("there {}, here {}", shown(&there.to_string()), shown(&here.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xos_model_client::xproto;

    fn found(theirs: &str, ours: &str) -> Vec<String> {
        let read = |formula: &str| xproto::parse("a", &format!("policy p < {formula} >")).unwrap();
        policies(&read(theirs), &read(ours))
    }

    #[test]
    fn the_order_of_parts_says_nothing() {
        assert!(found("a | b & c = d", "d = c & b | a").is_empty());
        assert!(found("exists P: (P.a = b & P.c)", "exists P: (P.c & b = P.a)").is_empty());
    }

    #[test]
    fn each_difference_is_told_by_its_smallest_part() {
        for (theirs, ours, expected) in [
            ("a | b", "a", "there a | b, here a"),
            ("a & b & c", "a & b & d", "there c, here d"),
            ("a | b & c", "a | b & c & d", "there nothing, here d"),
            ("a | exists P: P.x = 1", "a | exists P: P.x = 2", "there 1 = P.x, here 2 = P.x"),
            ("a -> exists P: P.x & P.y", "a -> exists P: (P.x & P.z)", "there P.y, here P.z"),
            ("a & exists P: P.x & P.y", "a & exists P: (P.x & P.y)", "`exists` reaches to other ends"),
            ("a & not b", "a & b", "there not b, here nothing"),
        ] {
            let told = found(theirs, ours);
            let expected = format!("xproto.policy.p: {expected}");
            assert!(told.contains(&expected), "{expected}: {told:?}");
        }
    }
}
