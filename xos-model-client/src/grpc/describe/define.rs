//! From messages to definitions: what the core says, and from what the program knows that which no descriptor says.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::chain::{Base, XOS_BASE};
use super::messages::{Back, Member, Message};
use crate::model::{FieldDef, Kind, LinkDef, ModelDef, ModelName, Presence};
use crate::schema::{Told, ToldBack};

/// The models that the messages tell of, that of each message at its place and `XOSBase` behind them.
pub(super) fn models(
    messages: &[Message],
    xos_base: &[&Member],
    bases: &[Base],
    known: &HashMap<&str, &ModelDef>,
) -> Vec<Told> {
    let by_name = messages.iter().enumerate().map(|(at, message)| (message.name.as_str(), at)).collect();
    let define = Define { messages, xos_base, bases, known, by_name };
    let mut models: Vec<Told> = (0..messages.len()).map(|at| define.model(at)).collect();
    if !xos_base.is_empty() {
        models.push(define.xos_base());
    }
    models
}

struct Define<'a> {
    messages: &'a [Message],
    xos_base: &'a [&'a Member],
    bases: &'a [Base],
    known: &'a HashMap<&'a str, &'a ModelDef>,
    by_name: HashMap<&'a str, usize>,
}

impl Define<'_> {
    fn message(&self, name: &str) -> Option<&Message> {
        self.by_name.get(name).and_then(|at| self.messages.get(*at))
    }

    fn xos_base(&self) -> Told {
        let known = self.known.get(XOS_BASE).copied();
        let (fields, numbers) = self.fields(self.xos_base.iter().copied(), known, XOS_BASE, true);
        let mut def = start(known, XOS_BASE.to_owned().into());
        def.is_abstract = true;
        def.fields = fields.into();
        Told { def, numbers, backs: Vec::new(), plural: format!("{XOS_BASE}s") }
    }

    fn model(&self, at: usize) -> Told {
        let message = &self.messages[at];
        let known = self.known.get(message.name.as_str()).copied();
        let mut def = start(known, message.name.clone().into());
        if let Some(label) = message.app_label().filter(|label| *label != def.app_label) {
            def.app_label = label.to_owned().into();
        }
        def.is_abstract = false;
        def.base = match self.bases[at] {
            Base::None => None,
            Base::OfAll => Some(XOS_BASE.into()),
            Base::Message(base) => Some(self.messages[base].name.clone().into()),
        };
        def.owner_class = def.owner_class.filter(|owner| self.by_name.contains_key(owner.as_ref()));
        let inherited: HashSet<&str> = match self.bases[at] {
            Base::None => HashSet::new(),
            Base::OfAll => self.xos_base.iter().map(|member| member.name.as_str()).collect(),
            Base::Message(base) => {
                self.messages[base].members.iter().map(|member| member.name.as_str()).collect()
            }
        };
        let own = message.members.iter().filter(|member| !inherited.contains(member.name.as_str()));
        let (fields, numbers) = self.fields(own, known, &message.name, self.bases[at] == Base::None);
        def.fields = fields.into();
        Told { def, numbers, backs: self.backs(at), plural: message.plural.clone() }
    }

    /// Definitions of fields with their numbers: in the order of declaration where it is known, else by number.
    fn fields<'m>(
        &self,
        members: impl Iterator<Item = &'m Member>,
        known: Option<&ModelDef>,
        model: &str,
        is_root: bool,
    ) -> (Vec<FieldDef>, Vec<u16>) {
        let place: HashMap<&str, usize> = known
            .into_iter()
            .flat_map(|def| def.fields.iter().enumerate())
            .map(|(at, field)| (field.name.as_ref(), at))
            .collect();
        let mut members: Vec<&Member> = members.collect();
        members.sort_by_key(|member| {
            (place.get(member.name.as_str()).copied().unwrap_or(usize::MAX), member.number)
        });
        let names: HashSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
        let field = |member: &&Member| {
            let known = known.and_then(|def| def.fields.get(*place.get(member.name.as_str())?));
            let mut field = self.field(member, known, model, is_root);
            if field.unique_with.iter().any(|other| !names.contains(other.as_ref())) {
                let kept = field.unique_with.iter().filter(|other| names.contains(other.as_ref())).cloned();
                field.unique_with = kept.collect::<Vec<_>>().into();
            }
            field.tosca_key_one_of = field.tosca_key_one_of.filter(|other| names.contains(other.as_ref()));
            field
        };
        (members.iter().map(field).collect(), members.iter().map(|member| member.number).collect())
    }

    fn field(&self, member: &Member, known: Option<&FieldDef>, model: &str, is_root: bool) -> FieldDef {
        let known = known.filter(|known| agrees(member, known));
        let own_number = if member.number > 100 && !member.number.is_multiple_of(100) {
            member.number % 100
        } else {
            member.number
        };
        let mut field = known.cloned().unwrap_or_else(|| FieldDef {
            name: member.name.clone().into(),
            number: 0,
            kind: member.kind,
            presence: Presence::Optional,
            max_length: None,
            text: member.kind == Kind::Text && member.max_length.is_none(),
            default: None,
            choices: Cow::Borrowed(&[]),
            unique: false,
            unique_with: Cow::Borrowed(&[]),
            db_index: false,
            feedback: false,
            bookkeeping: false,
            gui_hidden: false,
            secret: false,
            auto_now_add: false,
            tosca_key: false,
            tosca_key_one_of: None,
            link: None,
            help: "".into(),
        });
        let is_id = is_root && member.name == "id";
        field.number = if is_id { 0 } else { own_number };
        if member.non_null {
            field.presence = Presence::Required;
        }
        field.max_length = member.max_length;
        field.unique |= member.unique;
        field.feedback = member.feedback;
        field.bookkeeping = member.bookkeeping;
        field.gui_hidden = member.gui_hidden;
        if let Some((target, back)) = &member.link {
            let told = back.clone().or_else(|| self.back_of_list(model, member, target, field.link.as_ref()));
            let known = field.link.take();
            let is_list = member.kind == Kind::Links;
            let reverse_number = known
                .as_ref()
                .filter(|known| known.reverse.as_deref() == told.as_deref())
                .and_then(|known| known.reverse_number);
            let reverse = told.map(Cow::Owned).or_else(|| known.filter(|_| !is_list)?.reverse);
            field.link = Some(LinkDef { target: target.clone().into(), reverse, reverse_number });
        }
        field
    }

    /// What the other end of a many-to-many list calls the way back. The list does not say: it is what the program
    /// knows; else, where it is the only list of this model that leads there, the only way back that no other link is
    /// the cause of.
    fn back_of_list(
        &self,
        model: &str,
        member: &Member,
        target: &str,
        known: Option<&LinkDef>,
    ) -> Option<String> {
        if member.kind != Kind::Links {
            return None;
        }
        let from = self.message(model)?;
        let mut backs = self.message(target)?.backs.iter().filter(|back| back.from == model);
        if let Some(known) = known {
            // What the program knows counts as long as the core has it.
            let known = known.reverse.as_deref()?;
            return backs.any(|back| back.name == known).then(|| known.to_owned());
        }
        let leads_there = |other: &&Member| {
            other.kind == Kind::Links && other.link.as_ref().is_some_and(|(other, _)| other == target)
        };
        if from.members.iter().filter(leads_there).count() > 1 {
            return None;
        }
        let taken = |back: &&Back| {
            let mut names = from.members.iter().filter_map(|other| other.link.as_ref()?.1.as_deref());
            names.any(|name| name == back.name)
        };
        let mut free = backs.filter(|back| !taken(back));
        let only = free.next()?;
        free.next().is_none().then(|| only.name.clone())
    }

    /// The ways back that a model does not inherit, each with the field that is the way there.
    fn backs(&self, at: usize) -> Vec<ToldBack> {
        let message = &self.messages[at];
        let inherited: HashSet<(&str, &str)> = match self.bases[at] {
            Base::Message(base) => {
                let backs = self.messages[base].backs.iter();
                backs.map(|back| (back.name.as_str(), back.from.as_str())).collect()
            }
            _ => HashSet::new(),
        };
        let own = message
            .backs
            .iter()
            .filter(|back| !inherited.contains(&(back.name.as_str(), back.from.as_str())));
        let told = own.filter_map(|back| {
            let field = self.way_there(&message.name, back)?;
            let (name, from) = (back.name.clone(), back.from.clone().into());
            Some(ToldBack { name, from, field, number: back.number })
        });
        told.collect()
    }

    /// The field of the model at the other end that leads to this one.
    fn way_there(&self, model: &str, back: &Back) -> Option<String> {
        let from = self.message(&back.from)?;
        let known = self.known.get(back.from.as_str()).copied();
        let named = from.members.iter().find(|member| {
            let Some((target, name)) = &member.link else { return false };
            let declared = known.and_then(|def| def.fields.iter().find(|field| field.name == member.name));
            let link = declared.filter(|field| agrees(member, field)).and_then(|field| field.link.as_ref());
            let name = name.clone().or_else(|| self.back_of_list(&from.name, member, target, link));
            target == model && name.as_deref() == Some(back.name.as_str())
        });
        named.map(|member| member.name.clone())
    }
}

/// What the program knows of a model, or nothing but its name.
fn start(known: Option<&ModelDef>, name: ModelName) -> ModelDef {
    let mut def = known.cloned().unwrap_or_else(|| ModelDef {
        name,
        app_label: "".into(),
        version: "".into(),
        base: None,
        owner_class: None,
        is_abstract: false,
        plural: None,
        verbose_name: None,
        policy: None,
        validators: Cow::Borrowed(&[]),
        custom_python: false,
        fields: Cow::Borrowed(&[]),
        help: "".into(),
        needs: &[],
    });
    def.needs = &[];
    def
}

/// Whether a field of the core can be what the program takes it for.
pub(super) fn agrees(member: &Member, known: &FieldDef) -> bool {
    let same_kind = if member.kind == Kind::Text { known.kind.is_text() } else { member.kind == known.kind };
    let target = member.link.as_ref().map(|(target, _)| target.as_str());
    same_kind && target == known.link.as_ref().map(|link| link.target.as_ref())
}
