//! What has to be done to the tables so that they hold other models, and what would lose data.

use xos_model_client::{DefaultValue, FieldDef, Kind, ModelId, ModelInfo};

use super::alter::{Alteration, old_group, tables};
use super::refused;
use crate::store::{Catalog, Column, Layout, Outcome, Storage, Store, constant};

/// The steps from the old models to the new ones. Refused, with all reasons, when one would lose data.
pub(super) fn alterations(
    store: &Store,
    old: &Catalog,
    next: &Catalog,
    changed: &[ModelId],
    service: &str,
) -> Outcome<Vec<Alteration>> {
    let mut steps = Vec::new();
    let mut reasons = Vec::new();
    for id in changed {
        let Some(layout) = old.layout(*id) else {
            steps.push(Alteration::Create(*id));
            continue;
        };
        let change = Change {
            store,
            old: layout,
            old_info: old.info(*id)?,
            new: next.expect_layout(*id)?,
            new_info: next.info(*id)?,
            objects: count(store, &layout.table, "1 = 1")?,
        };
        if change.objects == 0 && !layout.is_bottom() {
            // Nothing can be lost; making the table again also allows what cannot be altered.
            steps.push(tables(layout));
            steps.push(Alteration::Create(*id));
        } else {
            change.compare(&mut steps, &mut reasons)?;
        }
    }
    if reasons.is_empty() {
        return Ok(steps);
    }
    let problem = format!(
        "cannot be loaded, since objects would lose data: {}; or delete the objects first, or begin with another database",
        reasons.join("; ")
    );
    Err(refused(service, problem))
}

/// One model that is there and is to be another.
struct Change<'a> {
    store: &'a Store,
    old: &'a Layout,
    old_info: &'a ModelInfo,
    new: &'a Layout,
    new_info: &'a ModelInfo,
    /// How many objects there are, live or soft-deleted.
    objects: u64,
}

impl Change<'_> {
    fn compare(&self, steps: &mut Vec<Alteration>, reasons: &mut Vec<String>) -> Outcome<()> {
        let name = self.new_info.name();
        let (old, new) = (&self.old_info.def, &self.new_info.def);
        if old.base != new.base || old.is_abstract != new.is_abstract {
            let base =
                |base: &Option<xos_model_client::ModelName>| base.as_deref().unwrap_or("nothing").to_owned();
            reasons.push(format!(
                "{name} inherits from {} and not from {} (it has {} objects): give the new one another name",
                base(&new.base),
                base(&old.base),
                self.objects
            ));
            return Ok(());
        }
        for field in self.old.own.clone() {
            let was = &self.old_info.fields[field].def;
            match self.new_info.shape.position(&was.name) {
                Some(now) => self.field(field, now, steps, reasons)?,
                None => reasons.push(format!(
                    "{name} has no field \"{}\" any more: keep it, it may be optional",
                    was.name
                )),
            }
        }
        for field in self.new.own.clone() {
            let def = &self.new_info.fields[field].def;
            if self.old_info.shape.position(&def.name).is_none() {
                self.added(field, def, steps, reasons);
            }
        }
        self.groups(steps, reasons)
    }

    /// A field that was there before.
    fn field(
        &self,
        old: usize,
        new: usize,
        steps: &mut Vec<Alteration>,
        reasons: &mut Vec<String>,
    ) -> Outcome<()> {
        let (was, is) = (&self.old_info.fields[old].def, &self.new_info.fields[new].def);
        let column = &self.old.columns[old];
        let what = format!("{}.{}", self.new_info.name(), is.name);
        if was.number != is.number {
            reasons.push(format!(
                "{what} has the number {} instead of {}, by which clients know it: keep the number",
                is.number, was.number
            ));
        }
        if let Some(reason) = self.retyped(was, is, column)? {
            reasons.push(format!("{what} {reason}"));
            return Ok(());
        }
        if column.storage == Storage::Links {
            return Ok(());
        }
        if let Some(longest) = is.max_length.filter(|longest| was.max_length.is_none_or(|was| was > *longest))
        {
            let longer = self.count(&format!("length({}) > {longest}", column.name))?;
            if longer > 0 {
                reasons.push(format!(
                    "{what} has at most {longest} characters, but {longer} objects have more: keep it longer"
                ));
            }
        }
        if is.is_required() && !was.is_required() {
            let empty = if column.storage == Storage::Text {
                format!("{0} IS NULL OR {0} = ''", column.name)
            } else {
                format!("{} IS NULL", column.name)
            };
            let without = self.count(&empty)?;
            if without > 0 {
                reasons.push(format!("{what} is required, but {without} objects have no value: leave it optional, or give them one"));
            }
        }
        if is.unique && !was.unique {
            let twice = self.duplicates(&column.name, &format!("{} IS NOT NULL", column.name))?;
            if twice > 0 {
                reasons.push(format!(
                    "{what} is unique, but {twice} values are there more than once: change them first"
                ));
            }
        }
        if is.unique != was.unique || is.db_index != was.db_index {
            steps.push(Alteration::Index(self.new.id, new));
        }
        Ok(())
    }

    /// Why the values cannot stay when the kind of a field changes.
    fn retyped(&self, was: &FieldDef, is: &FieldDef, column: &Column) -> Outcome<Option<String>> {
        let target = |def: &FieldDef| def.link.as_ref().map(|link| link.target.clone());
        if target(was) != target(is) {
            let name =
                |def: &FieldDef| target(def).map_or_else(|| "nothing".to_owned(), |name| name.to_string());
            return Ok(Some(format!(
                "leads to {} instead of {}: give the new link another name",
                name(is),
                name(was)
            )));
        }
        if Storage::of(was.kind) != Storage::of(is.kind) {
            return Ok(Some(format!(
                "is {} instead of {}: give the new field another name",
                is.kind.describe(),
                was.kind.describe()
            )));
        }
        let outside = match (was.kind, is.kind) {
            (Kind::Int32, Kind::UInt32) => format!("{} < 0", column.name),
            (Kind::UInt32, Kind::Int32) => format!("{} > {}", column.name, i32::MAX),
            _ => return Ok(None),
        };
        let outside = self.count(&outside)?;
        Ok((outside > 0)
            .then(|| format!("cannot hold the values of {outside} objects any more: keep its type")))
    }

    /// A field that was not there before.
    fn added(&self, field: usize, def: &FieldDef, steps: &mut Vec<Alteration>, reasons: &mut Vec<String>) {
        let is_now = def.auto_now_add || def.default == Some(DefaultValue::Now);
        let has_value = constant(def).is_some() || is_now;
        if self.objects > 0 && def.is_required() && !has_value {
            reasons.push(format!(
                "{}.{} is new and required, but has no default for the {} objects that are there: give it a default, or make it optional",
                self.new_info.name(),
                def.name,
                self.objects
            ));
            return;
        }
        if self.objects > 1 && def.unique && constant(def).is_some() {
            reasons.push(format!(
                "{}.{} is new and unique, but the {} objects that are there would all have its default: leave the default out and make it optional",
                self.new_info.name(),
                def.name,
                self.objects
            ));
            return;
        }
        steps.push(Alteration::Add(self.new.id, field));
        if is_now {
            steps.push(Alteration::FillWithNow(self.new.id, field));
        }
    }

    fn groups(&self, steps: &mut Vec<Alteration>, reasons: &mut Vec<String>) -> Outcome<()> {
        let names = |layout: &Layout, group: &Vec<usize>| -> Vec<String> {
            group.iter().map(|field| layout.columns[*field].name.clone()).collect()
        };
        let old: Vec<Vec<String>> =
            self.old.unique_groups.iter().map(|group| names(self.old, group)).collect();
        let new: Vec<Vec<String>> =
            self.new.unique_groups.iter().map(|group| names(self.new, group)).collect();
        for (group, names) in self.old.unique_groups.iter().zip(&old) {
            if !new.contains(names) {
                steps.push(Alteration::DropIndex(old_group(self.old, group)));
            }
        }
        for (group, names) in self.new.unique_groups.iter().zip(&new) {
            if old.contains(names) {
                continue;
            }
            let all_old = names.iter().all(|name| self.old.columns.iter().any(|column| column.name == *name));
            let set: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
            if all_old && self.duplicates(&names.join(", "), &set.join(" AND "))? > 0 {
                reasons.push(format!(
                    "{}: {} are unique together, but some objects have the same: change them first",
                    self.new_info.name(),
                    names.join(", ")
                ));
            }
            steps.push(Alteration::Group(self.new.id, group.clone()));
        }
        Ok(())
    }

    fn count(&self, condition: &str) -> Outcome<u64> {
        count(self.store, &self.old.table, condition)
    }

    fn duplicates(&self, columns: &str, condition: &str) -> Outcome<u64> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {condition} GROUP BY {columns} HAVING count(*) > 1) x",
            self.old.table
        );
        self.store.db.connection.number(&sql)
    }
}

fn count(store: &Store, table: &str, condition: &str) -> Outcome<u64> {
    let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
    store.db.connection.number(&sql)
}
