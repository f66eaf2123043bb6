//! Links and their ways back.

use std::collections::HashMap;

use super::{Checker, hint};
use crate::xproto::document::{Link, LinkKind, Message, Part};
use crate::xproto::models::last_name;

impl<'a> Checker<'a> {
    pub(super) fn link(&mut self, message: &Message, link: &Link) {
        self.lint_link(message, link);
        let at = (message, link.name.as_str());
        self.own_number(at, &link.number, link.place);
        self.options(at, &link.options, link.kind.as_str());
        let (of, field) = (message.name.as_str(), Some(link.name.as_str()));
        let target = last_name(&link.target);
        if !self.is_model(target) {
            let help = format!("leads to `{target}`, which {}{}", super::NO_MODEL, hint(self.like(target)));
            self.refuse(of, field, link.place, help);
        }
        if link.reverse.is_none() {
            let help = "has no name for the way back, and the core's generator fails on that; write \
                        `Model:reverse_name`, or `Model:+` for no way back";
            self.refuse(of, field, link.place, help);
        }
        if let Some(number) = &link.reverse_number
            && !number.as_int().is_some_and(|int| (1000..=1899).contains(&int))
        {
            let help = format!("reverse numbers are 1000 to 1899, found {number}");
            self.refuse(of, field, link.place, help);
        }
        if link.kind == LinkKind::OneToOne {
            self.doubt(
                of,
                field,
                link.place,
                "onetoone is hardly tested in the core; use manytoone and unique = True",
            );
        }
    }

    /// Ways back must differ in name and number for each model that links lead to.
    pub(super) fn links(&mut self) {
        let mut names: HashMap<(&'a str, &'a str), String> = HashMap::new();
        let mut numbers: HashMap<(&'a str, i64), String> = HashMap::new();
        let known: Vec<_> = self.known.values().copied().collect();
        for model in known {
            for field in model.fields.iter() {
                let Some(link) = &field.link else { continue };
                let from = || format!("{}.{}", model.name, field.name);
                let Some(reverse) = link.reverse.as_deref() else { continue };
                names.insert((&link.target, reverse), from());
                if let Some(number) = link.reverse_number {
                    numbers.insert((&link.target, i64::from(number)), from());
                }
            }
        }
        for message in self.document.messages() {
            for part in &message.parts {
                let Part::Link(link) = part else { continue };
                let Some(reverse) = link.reverse.as_deref().filter(|reverse| *reverse != "+") else {
                    continue;
                };
                let target = last_name(&link.target);
                let (of, field) = (message.name.as_str(), Some(link.name.as_str()));
                let from = format!("{of}.{}", link.name);
                if let Some(twin) = names.insert((target, reverse), from.clone()) {
                    let help = format!(
                        "the way back from `{target}` is called `{reverse}`, and so is that of `{twin}`"
                    );
                    self.refuse(of, field, link.place, help);
                } else if self.level(target).is_some_and(|level| self.has(level, reverse)) {
                    let help = format!(
                        "the way back is called `{reverse}`, and `{target}` has a field of that name"
                    );
                    self.refuse(of, field, link.place, help);
                }
                if reverse == "_" {
                    let help =
                        "the way back is called `_`, which makes a field `__ids`; write `+` for no way back";
                    self.doubt(of, field, link.place, help);
                }
                let number = link.reverse_number.as_ref().and_then(crate::xproto::Number::as_int);
                if let Some(number) = number
                    && let Some(twin) = numbers.insert((target, number), from)
                {
                    let help = format!(
                        "number {number} of `{target}` is that of the way back of `{twin}`; take another"
                    );
                    self.refuse(of, field, link.place, help);
                }
            }
        }
    }
}
