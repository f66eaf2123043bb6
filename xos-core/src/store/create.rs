//! Creating an object.

use xos_model_client::{Caller, DefaultValue, ErrorKind, FieldPos, ObjectId, Value, Written};

use super::draft::Draft;
use super::fault::{Fault, Outcome};
use super::plan::ShapePlan;
use super::values::{Storage, bound};
use super::{Store, caller_number, write};
use crate::hub::What;
use crate::rules::{self, explain_constraint, normalise};
use crate::sql::Sql;

impl Store {
    /// Creates an object with defaults for what is not given.
    pub(super) fn create(
        &mut self,
        plan: &ShapePlan,
        fields: Vec<(FieldPos, Value)>,
        by: Caller,
    ) -> Outcome<Written> {
        let catalog = self.db.catalog.clone();
        let info = catalog.info(plan.model)?;
        let layout = catalog.expect_layout(plan.model)?;
        if info.def.is_abstract {
            let what = format!(
                "create objects of {}: it is abstract; create one of a model that inherits from it",
                info.name()
            );
            return Err(ErrorKind::Unsupported(what).into());
        }
        let mut draft = Draft::new(info, layout, ObjectId::UNSET, false);
        write::take(&mut draft, plan, fields, |_| None)?;
        self.set_defaults(&mut draft)?;
        draft.doomed = false;
        rules::apply(&mut draft, &self.db, false)?;
        let id = self.insert(&draft, by)?;
        let record = self.db.object(plan, id)?;
        if draft.get(layout.kept.deleted) == Some(&Value::Bool(true)) {
            self.candidates.insert((layout.bottom, id.get()));
        }
        Ok(Written { id, record, changed: true })
    }

    /// Gives a value to each field that has none yet, and their times to those that the core keeps.
    fn set_defaults(&self, draft: &mut Draft<'_>) -> Outcome<()> {
        let now = Value::Time(self.now());
        let kept = draft.layout.kept;
        for (field, info) in draft.info.fields.iter().enumerate().skip(1) {
            let def = &info.def;
            if field == kept.updated || field == kept.created || def.auto_now_add {
                draft.put(field, now.clone());
            } else if field == kept.leaf_model_name {
                draft.put(field, Value::Text(draft.info.name().to_string()));
            } else if draft.get(field).is_none() {
                let value = match (&def.default, info.target) {
                    (Some(DefaultValue::Now), _) => now.clone(),
                    (Some(DefaultValue::First), Some(target)) => {
                        self.db.first_live(target)?.map_or(Value::Null, Value::Link)
                    }
                    (Some(default), _) => default.constant().unwrap_or_default(),
                    (None, _) => Value::Null,
                };
                // A fault of a value that was given is told already; a default has none.
                draft.put(field, normalise(def, value).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn insert(&mut self, draft: &Draft<'_>, by: Caller) -> Outcome<ObjectId> {
        match self.all_or_nothing(|store| store.insert_rows(draft, by)) {
            Err(Fault::Sql(error)) => Err(match explain_constraint(&error, draft.info, &self.db.catalog) {
                Some(faults) => Fault::invalid(draft.info.name(), draft.id, faults),
                None => Fault::Sql(error),
            }),
            result => result,
        }
    }

    fn insert_rows(&mut self, draft: &Draft<'_>, by: Caller) -> Outcome<ObjectId> {
        let catalog = self.db.catalog.clone();
        let mut id = ObjectId::UNSET;
        for (level, model) in draft.info.chain.iter().enumerate() {
            let layout = catalog.expect_layout(*model)?;
            let own = draft.changes().filter_map(|(field, value)| {
                let column = draft.column(field);
                (column.level == level && column.storage != Storage::Links).then(|| bound(value))
            });
            if level == 0 {
                let first = [draft.info.id.0.into(), (self.revision + 1).into(), caller_number(by).into()];
                let given = self.db.connection.insert(&layout.insert, first.into_iter().chain(own))?;
                let Ok(number) = i32::try_from(given) else {
                    let what = "give out another id: all 2,147,483,647 were used".to_owned();
                    return Err(ErrorKind::Unsupported(what).into());
                };
                id = ObjectId::new(number);
                // What the core gave by itself; the rest was there when the object was made.
                let given = [0, layout.kept.updated, layout.kept.leaf_model_name].into_iter().collect();
                self.next_revision(draft.info.root, number, draft.info.id, What::Saved(by), given);
            } else {
                self.db.connection.execute(&layout.insert, [Sql::from(id.get())].into_iter().chain(own))?;
            }
        }
        self.store_lists(draft, id)?;
        Ok(id)
    }
}
