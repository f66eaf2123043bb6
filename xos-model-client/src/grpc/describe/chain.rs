//! Which model inherits from which: the one thing that a descriptor does not say.
//!
//! A message has its own fields and all inherited ones. A model's own fields have the numbers of one hundred, and
//! those that it inherits are below it. So the model that it inherits from is the one whose fields are all that is
//! below, with the same names, numbers and types. Where the program knows the model, it knows its base.

use std::collections::{HashMap, HashSet};

use super::messages::{Member, Message};
use crate::model::{Kind, ModelDef};

/// The name of the base of all models but `User`: it has no calls of its own, so that no message tells of it.
pub(super) const XOS_BASE: &str = "XOSBase";

/// What every `XOSBase` has: low numbers without them are something else.
const ALWAYS: [&str; 3] = ["updated", "enacted", "deleted"];

/// What a model inherits from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// Nothing.
    None,
    /// `XOSBase`.
    OfAll,
    /// The model of the message at this place.
    Message(usize),
}

/// What makes a field the same one in two messages.
type Mark<'a> = (u16, &'a str, Kind);

fn mark(member: &Member) -> Mark<'_> {
    (member.number, member.name.as_str(), member.kind)
}

/// The fields that `XOSBase` has in this core, by number, `id` among them; empty when there is none.
///
/// They are what most models begin with.
pub(super) fn xos_base<'a>(messages: &'a [Message], known: &HashMap<&str, &ModelDef>) -> Vec<&'a Member> {
    let is_root = |message: &Message| match known.get(message.name.as_str()) {
        Some(def) => def.base.is_none(),
        None => message.name == "User",
    };
    let mut votes: HashMap<Vec<Mark<'_>>, (usize, usize)> = HashMap::new();
    for (at, message) in messages.iter().enumerate().filter(|(_, message)| !is_root(message)) {
        let low: Vec<Mark<'_>> = low(message).map(mark).collect();
        if ALWAYS.iter().all(|name| low.iter().any(|field| field.1 == *name)) {
            votes.entry(low).or_insert((0, at)).0 += 1;
        }
    }
    // Of equally many the first: the answer must not depend on chance.
    let most = votes.into_values().max_by_key(|(count, at)| (*count, std::cmp::Reverse(*at)));
    most.and_then(|(_, at)| messages.get(at)).map(|message| low(message).collect()).unwrap_or_default()
}

/// The fields of the first hundred, by number.
fn low(message: &Message) -> impl Iterator<Item = &Member> {
    message.members.iter().filter(|member| member.number < 100)
}

/// What each message's model inherits from.
pub(super) fn bases(
    messages: &[Message],
    xos_base: &[&Member],
    known: &HashMap<&str, &ModelDef>,
) -> Vec<Base> {
    let find = Finder::new(messages, xos_base, known);
    let mut bases: Vec<Base> = (0..messages.len()).map(|at| find.base(at)).collect();
    // What the program was told may go round in a circle.
    for start in 0..bases.len() {
        let (mut at, mut steps) = (start, 0);
        while let Base::Message(next) = bases[at] {
            (at, steps) = (next, steps + 1);
            if steps > messages.len() {
                bases[start] = Base::OfAll;
                break;
            }
        }
    }
    bases
}

struct Finder<'a> {
    messages: &'a [Message],
    xos_base: Vec<Mark<'a>>,
    known: &'a HashMap<&'a str, &'a ModelDef>,
    by_name: HashMap<&'a str, usize>,
    by_fields: HashMap<Vec<Mark<'a>>, Vec<usize>>,
}

impl<'a> Finder<'a> {
    fn new(
        messages: &'a [Message],
        xos_base: &[&'a Member],
        known: &'a HashMap<&'a str, &'a ModelDef>,
    ) -> Self {
        let mut by_fields: HashMap<Vec<Mark<'_>>, Vec<usize>> = HashMap::new();
        for (at, message) in messages.iter().enumerate() {
            by_fields.entry(message.members.iter().map(mark).collect()).or_default().push(at);
        }
        Finder {
            messages,
            xos_base: xos_base.iter().map(|member| mark(member)).collect(),
            known,
            by_name: messages.iter().enumerate().map(|(at, message)| (message.name.as_str(), at)).collect(),
            by_fields,
        }
    }

    fn base(&self, at: usize) -> Base {
        let message = &self.messages[at];
        if self.xos_base.is_empty() || !low(message).map(mark).eq(self.xos_base.iter().copied()) {
            return Base::None;
        }
        if let Some(base) = self.known_base(message) {
            return base;
        }
        if let Some(twin) = self.twin(at) {
            return Base::Message(twin);
        }
        let highest = message.members.last().map_or(0, |member| member.number / 100);
        let below: Vec<Mark<'_>> =
            message.members.iter().filter(|member| member.number / 100 < highest).map(mark).collect();
        if below.len() <= self.xos_base.len() {
            return Base::OfAll;
        }
        let candidates = self.by_fields.get(&below).map(Vec::as_slice).unwrap_or_default();
        self.best(message, candidates.iter().copied()).map_or(Base::OfAll, Base::Message)
    }

    /// The base that the program knows of, when the core's fields do not speak against it.
    fn known_base(&self, message: &Message) -> Option<Base> {
        let base = self.known.get(message.name.as_str())?.base.as_deref();
        match base {
            None => Some(Base::None),
            Some(XOS_BASE) => Some(Base::OfAll),
            Some(base) => {
                let at = *self.by_name.get(base)?;
                let fields: HashSet<Mark<'_>> = message.members.iter().map(mark).collect();
                let has_all = self.messages[at].members.iter().all(|member| fields.contains(&mark(member)));
                has_all.then_some(Base::Message(at))
            }
        }
    }

    /// The model of the core that has the same fields: a model without own fields inherits from it.
    fn twin(&self, at: usize) -> Option<usize> {
        let message = &self.messages[at];
        if self.is_core(message) || message.members.len() <= self.xos_base.len() {
            return None;
        }
        let fields: Vec<Mark<'_>> = message.members.iter().map(mark).collect();
        let same = self.by_fields.get(&fields).map(Vec::as_slice).unwrap_or_default();
        // Two models may have the same fields by chance. Links that lead to the one and to the other are no chance.
        let twins = same.iter().copied().filter(|twin| {
            let twin = &self.messages[*twin];
            self.is_core(twin) && !twin.backs.is_empty()
        });
        self.best(message, twins)
    }

    /// The candidate with the most ways back, all of which the message has; of several the core's.
    fn best(&self, message: &Message, candidates: impl Iterator<Item = usize>) -> Option<usize> {
        let backs: HashSet<(&str, &str)> =
            message.backs.iter().map(|back| (back.name.as_str(), back.from.as_str())).collect();
        let fits = |at: &usize| {
            let candidate = &self.messages[*at];
            candidate.name != message.name
                && candidate
                    .backs
                    .iter()
                    .all(|back| backs.contains(&(back.name.as_str(), back.from.as_str())))
        };
        candidates.filter(fits).max_by_key(|at| {
            let candidate = &self.messages[*at];
            (candidate.backs.len(), self.is_core(candidate), std::cmp::Reverse(*at))
        })
    }

    fn is_core(&self, message: &Message) -> bool {
        let label = message.app_label();
        let known = || self.known.get(message.name.as_str()).map(|def| def.app_label.as_ref());
        label.or_else(known) == Some("core")
    }
}
