//! Where the models of the core and those of this program differ.

use std::fmt;

use super::RemoteSchema;
use crate::model::{FieldDef, Kind, ModelDef, ModelName, Presence};
use crate::schema::{FieldInfo, ModelInfo};

/// One difference between a model of this program and the core's model of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The model.
    pub model: ModelName,
    /// The field, when it is about one.
    pub field: Option<String>,
    /// What the core has, and what this program has.
    pub what: String,
    /// Whether reading or writing objects would fail or go wrong.
    pub matters: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "model {}", self.model)?;
        if let Some(field) = &self.field {
            write!(f, ", field \"{field}\"")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl RemoteSchema {
    /// Where the core's models and these differ, in the order of these. None means that all can be read and written.
    pub fn differences(&self, own: &[&ModelDef]) -> Vec<Difference> {
        let mut found = Vec::new();
        for def in own {
            let mut list = List { model: &def.name, found: &mut found };
            match self.schema.model(&def.name) {
                None => list.add(None, true, "the core does not have it; load it first".to_owned()),
                Some(info) => self.compare(info, def, &mut list),
            }
        }
        found
    }

    fn compare(&self, info: &ModelInfo, own: &ModelDef, list: &mut List<'_>) {
        let base = info.def.base.as_deref();
        if base != own.base.as_deref() {
            let name = |base: Option<&str>| base.map_or_else(|| "nothing".to_owned(), str::to_owned);
            let what = format!(
                "in the core it inherits from {}, in this program from {}",
                name(base),
                name(own.base.as_deref())
            );
            // Objects are told apart by their root: `Service` 5 and `Slice` 5 are two objects.
            let base = own.base.as_ref().map(|base| self.schema.model(base));
            let matters = match base {
                None => false,
                Some(None) => true,
                Some(Some(base)) => !base.def.is_abstract && base.root != info.root,
            };
            list.add(None, matters, what);
        }
        for field in own.fields.iter().filter(|field| !field.is_id()) {
            match info.field(&field.name) {
                None => list.add(Some(field), true, self.missing(info, field)),
                Some(theirs) => compare_field(theirs, field, list),
            }
        }
        for theirs in info.fields.iter().filter(|theirs| theirs.declared_in == info.id && !theirs.def.is_id())
        {
            if !own.fields.iter().any(|field| field.name == theirs.def.name) {
                list.add(Some(&theirs.def), false, "the core has it, this program does not".to_owned());
            }
        }
    }

    fn missing(&self, info: &ModelInfo, field: &FieldDef) -> String {
        let unread = self.served(info.id).map(|served| served.unread.as_slice()).unwrap_or_default();
        let starts =
            [format!("{} ", field.name), format!("{}_id ", field.name), format!("{}_ids ", field.name)];
        match unread.iter().find(|unread| starts.iter().any(|start| unread.starts_with(start))) {
            Some(unread) => format!("this program cannot read it: {unread}"),
            None => "the core does not have it".to_owned(),
        }
    }
}

struct List<'a> {
    model: &'a ModelName,
    found: &'a mut Vec<Difference>,
}

impl List<'_> {
    fn add(&mut self, field: Option<&FieldDef>, matters: bool, what: String) {
        let field = field.map(|field| field.name.to_string());
        self.found.push(Difference { model: self.model.clone(), field, what, matters });
    }
}

fn compare_field(theirs: &FieldInfo, own: &FieldDef, list: &mut List<'_>) {
    let theirs = &theirs.def;
    if wire_kind(theirs.kind) != wire_kind(own.kind) {
        let what =
            format!("in the core it is {}, in this program {}", theirs.kind.describe(), own.kind.describe());
        list.add(Some(own), true, what);
        return;
    }
    let target = |def: &FieldDef| def.link.as_ref().map(|link| link.target.to_string()).unwrap_or_default();
    if target(theirs) != target(own) {
        let what = format!("in the core it leads to {}, in this program to {}", target(theirs), target(own));
        list.add(Some(own), true, what);
    }
    if theirs.presence == Presence::Required && own.presence == Presence::Optional {
        let what = "the core requires a value, this program does not".to_owned();
        list.add(Some(own), false, what);
    } else if theirs.presence != own.presence {
        list.add(Some(own), false, "this program requires a value, the core does not".to_owned());
    }
    if theirs.max_length != own.max_length {
        let length = |def: &FieldDef| {
            def.max_length.map_or_else(|| "any number of".to_owned(), |most| most.to_string())
        };
        let what = format!("the core takes {} characters, this program {}", length(theirs), length(own));
        list.add(Some(own), false, what);
    }
    for (name, theirs, own_flag) in [
        ("unique", theirs.unique, own.unique),
        ("feedback", theirs.feedback, own.feedback),
        ("bookkeeping", theirs.bookkeeping, own.bookkeeping),
        ("gui_hidden", theirs.gui_hidden, own.gui_hidden),
    ] {
        if theirs != own_flag {
            let (there, here) = if theirs {
                ("in the core", "not in this program")
            } else {
                ("in this program", "not in the core")
            };
            list.add(Some(own), false, format!("it is {name} {there}, {here}"));
        }
    }
    let values = |def: &FieldDef| {
        def.choices
            .iter()
            .map(|choice| choice.value.as_deref().unwrap_or("(none)").to_owned())
            .collect::<Vec<_>>()
    };
    if values(theirs) != values(own) {
        let shown = |def: &FieldDef| {
            if def.choices.is_empty() { "anything".to_owned() } else { values(def).join(", ") }
        };
        let what = format!("the core takes {}, this program {}", shown(theirs), shown(own));
        list.add(Some(own), false, what);
    }
}

/// Kinds that are one on the wire.
fn wire_kind(kind: Kind) -> Kind {
    if kind.is_text() { Kind::Text } else { kind }
}
