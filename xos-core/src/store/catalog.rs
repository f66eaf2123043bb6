//! The models as the store sees them: tables, columns, links back, and rules.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use xos_model_client::{Error, FieldInfo, ModelDef, ModelId, ModelInfo, Schema, SchemaFault};

use super::values::{Storage, quoted};
use crate::rules::Rule;

/// A model as it is kept in the database.
#[derive(Clone, Debug)]
pub(crate) struct StoredModel {
    pub(crate) def: ModelDef,
    /// The service that loaded it.
    pub(crate) service: String,
    /// Its table, not quoted.
    pub(crate) table: String,
}

/// All models of one generation of the schema.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// Goes up with each change of the models.
    pub(crate) generation: u64,
    pub(crate) schema: Arc<Schema>,
    /// By model id; unset for a model that was unloaded.
    pub(crate) stored: Vec<Option<StoredModel>>,
    layouts: Vec<Option<Layout>>,
    /// The models without base, each with a table of identities.
    pub(crate) bottoms: Vec<ModelId>,
}

/// Where a model's objects are.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) id: ModelId,
    /// Its own table, quoted and not.
    pub(crate) table: String,
    pub(crate) plain: String,
    /// The model without base that its chain begins with, and that model's table, quoted.
    pub(crate) bottom: ModelId,
    pub(crate) bottom_table: String,
    /// Where the values are, in the order of the model's fields.
    pub(crate) columns: Vec<Column>,
    /// The fields that the model declares itself, without `id`.
    pub(crate) own: Range<usize>,
    /// Its chain's tables, quoted: the bottom's first, its own last.
    pub(crate) tables: Vec<String>,
    /// The models of its family that can have objects.
    pub(crate) leaves: Vec<ModelId>,
    /// Links of other objects that lead to its objects.
    pub(crate) backlinks: Vec<BackLink>,
    /// The tables of pairs in which its objects are targets, quoted.
    pub(crate) pairs_to: Vec<String>,
    /// Its own fields whose values together must be unique.
    pub(crate) unique_groups: Vec<Vec<usize>>,
    /// Where the bookkeeping of the bottom is.
    pub(crate) kept: Kept,
    /// What is done and checked when an object is saved, besides what the fields say.
    pub(crate) rules: Vec<Rule>,
    /// The statement that makes a row in its own table.
    pub(crate) insert: String,
}

/// Where the values of a field are.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// The column, or the table of pairs of a many-to-many field, quoted.
    pub(crate) name: String,
    /// The field's name.
    pub(crate) plain: String,
    /// The place of its table in the chain.
    pub(crate) level: usize,
    pub(crate) storage: Storage,
    pub(crate) target: Option<ModelId>,
    /// Whether only a synchronizer may change it.
    pub(crate) feedback: bool,
    /// Whether a change of it by a step or policy is one that the other has to look at.
    pub(crate) important: bool,
    /// Whether an equality with it finds few objects, through an index.
    pub(crate) selective: bool,
}

/// A link that leads to objects of a model.
#[derive(Clone, Debug)]
pub(crate) struct BackLink {
    /// The model that declares it.
    pub(crate) from: ModelId,
    /// Gives identity and flags of the objects that link to `?1`.
    pub(crate) select: String,
}

/// The places of the bookkeeping fields among the fields.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) created: usize,
    pub(crate) updated: usize,
    pub(crate) enacted: usize,
    pub(crate) policed: usize,
    pub(crate) deleted: usize,
    pub(crate) leaf_model_name: usize,
    pub(crate) by_step: usize,
    pub(crate) by_policy: usize,
    pub(crate) need_delete: usize,
    pub(crate) need_reap: usize,
    pub(crate) need_delete_policy: usize,
}

impl Catalog {
    /// Resolves models. The place of a model in the list is its id.
    pub(crate) fn new(generation: u64, stored: Vec<Option<StoredModel>>) -> Result<Self, Error> {
        let schema = Schema::with_gaps(stored.iter().map(|model| model.as_ref().map(|model| &model.def)))?;
        let mut layouts = Vec::with_capacity(stored.len());
        for (info, model) in schema.models().iter().zip(&stored) {
            layouts.push(match model {
                Some(model) => Some(layout(&schema, info, model, &stored)?),
                None => None,
            });
        }
        let bottoms =
            layouts.iter().flatten().filter(|layout| layout.is_bottom()).map(|layout| layout.id).collect();
        let mut catalog = Catalog { generation, schema: Arc::new(schema), stored, layouts, bottoms };
        catalog.set_backlinks();
        Ok(catalog)
    }

    /// Where a model's objects are; `None` for a model that was unloaded.
    pub(crate) fn layout(&self, id: ModelId) -> Option<&Layout> {
        self.layouts.get(id.0 as usize)?.as_ref()
    }

    /// The same for a model of which is known that it is there.
    pub(crate) fn expect_layout(&self, id: ModelId) -> Result<&Layout, Error> {
        self.layout(id).ok_or_else(|| {
            let model = format!("#{}", id.0).into();
            xos_model_client::ErrorKind::NoSuchModel { model, like: None }.into()
        })
    }

    /// A model, resolved.
    pub(crate) fn info(&self, id: ModelId) -> Result<&ModelInfo, Error> {
        self.schema.by_id(id).filter(|info| !info.def.name.is_empty()).ok_or_else(|| {
            let model = format!("#{}", id.0).into();
            xos_model_client::ErrorKind::NoSuchModel { model, like: None }.into()
        })
    }

    /// All models that are loaded.
    pub(crate) fn layouts(&self) -> impl Iterator<Item = &Layout> {
        self.layouts.iter().flatten()
    }

    fn set_backlinks(&mut self) {
        let mut links: Vec<(ModelId, BackLink)> = Vec::new();
        let mut pairs: Vec<(ModelId, String)> = Vec::new();
        for layout in self.layouts() {
            for column in &layout.columns[layout.own.clone()] {
                let Some(target) = column.target else { continue };
                if column.storage == Storage::Links {
                    pairs.push((target, column.name.clone()));
                } else {
                    links.push((target, backlink(layout, column)));
                }
            }
        }
        for layout in self.layouts.iter_mut().flatten() {
            let chain = self.schema.by_id(layout.id).map(|info| info.chain.clone()).unwrap_or_default();
            let to_it = |target: &ModelId| chain.contains(target);
            layout.backlinks =
                links.iter().filter(|(target, _)| to_it(target)).map(|(_, link)| link.clone()).collect();
            layout.pairs_to =
                pairs.iter().filter(|(target, _)| to_it(target)).map(|(_, pair)| pair.clone()).collect();
        }
    }
}

impl Layout {
    /// Whether it has no base.
    pub(crate) fn is_bottom(&self) -> bool {
        self.id == self.bottom
    }

    /// The tables that a statement about this model's objects needs for some levels; the bottom's is always there.
    pub(crate) fn from(&self, levels: u32) -> String {
        let mut text = format!("FROM {} t0", self.bottom_table);
        for (level, table) in self.tables.iter().enumerate().skip(1) {
            if levels & (1 << level) != 0 {
                let _ = write!(text, " JOIN {table} t{level} ON t{level}.id = t0.id");
            }
        }
        text
    }
}

impl Column {
    /// The column in a statement that has the tables of [`Layout::from`].
    pub(crate) fn qualified(&self) -> String {
        format!("t{}.{}", self.level, self.name)
    }
}

fn backlink(layout: &Layout, column: &Column) -> BackLink {
    let select = if layout.is_bottom() {
        format!(
            "SELECT b.id, b.leaf, b.deleted, b.backend_need_delete, b.backend_need_reap, b.backend_need_delete_policy \
             FROM {} b WHERE b.{} = ?1",
            layout.table, column.name
        )
    } else {
        format!(
            "SELECT b.id, b.leaf, b.deleted, b.backend_need_delete, b.backend_need_reap, b.backend_need_delete_policy \
             FROM {} s JOIN {} b ON b.id = s.id WHERE s.{} = ?1",
            layout.table, layout.bottom_table, column.name
        )
    };
    BackLink { from: layout.id, select }
}

fn layout(
    schema: &Schema,
    info: &ModelInfo,
    model: &StoredModel,
    stored: &[Option<StoredModel>],
) -> Result<Layout, Error> {
    let table_of = |id: &ModelId| {
        let stored = stored.get(id.0 as usize).and_then(Option::as_ref);
        stored.map(|model| quoted(&model.table)).unwrap_or_default()
    };
    let bottom = info.chain.first().copied().unwrap_or(info.id);
    let columns: Vec<Column> = info.fields.iter().map(|field| column(info, field, stored)).collect();
    let first = info.fields.iter().position(|field| field.declared_in == info.id && !field.def.is_id());
    let own = first.unwrap_or(info.fields.len())..info.fields.len();
    let kept = kept(schema, bottom)?;
    let concrete = |id: &&ModelId| schema.by_id(**id).is_some_and(|model| !model.def.is_abstract);
    let own_names = |group: &Vec<&str>| -> Option<Vec<usize>> {
        let fields: Option<Vec<usize>> = group.iter().map(|name| info.shape.position(name)).collect();
        fields.filter(|fields| fields.iter().all(|field| own.contains(field)))
    };
    let mut layout = Layout {
        id: info.id,
        table: quoted(&model.table),
        plain: model.table.clone(),
        bottom,
        bottom_table: table_of(&bottom),
        tables: info.chain.iter().map(table_of).collect(),
        leaves: info.family.iter().filter(concrete).copied().collect(),
        backlinks: Vec::new(),
        pairs_to: Vec::new(),
        unique_groups: info.unique_together().iter().filter_map(own_names).collect(),
        kept,
        rules: Rule::of(schema, info),
        insert: String::new(),
        own,
        columns,
    };
    layout.insert = insert(&layout);
    Ok(layout)
}

/// What the engine moves is no change that anybody has to look at, and neither is a status.
const BY_ENGINE: [&str; 5] = ["policed", "updated", "enacted", "changed_by_step", "changed_by_policy"];

fn column(info: &ModelInfo, field: &FieldInfo, stored: &[Option<StoredModel>]) -> Column {
    let def = &field.def;
    let storage = Storage::of(def.kind);
    let level = info.chain.iter().position(|id| *id == field.declared_in).unwrap_or(0);
    let name = if storage == Storage::Links {
        let table =
            stored.get(field.declared_in.0 as usize).and_then(Option::as_ref).map(|model| &model.table);
        format!("{}__{}", table.map_or("", |table| table), def.name)
    } else if def.is_id() {
        "id".to_owned()
    } else {
        def.name.to_string()
    };
    let unimportant = BY_ENGINE.contains(&def.name.as_ref())
        || def.name.starts_with("backend_")
        || def.name.starts_with("policy_")
        || def.is_id();
    Column {
        name: quoted(&name),
        plain: def.name.to_string(),
        level: if def.is_id() { 0 } else { level },
        storage,
        target: field.target,
        feedback: def.feedback,
        important: !unimportant,
        selective: def.is_id() || def.unique || def.db_index || field.target.is_some(),
    }
}

fn insert(layout: &Layout) -> String {
    let own = layout.columns[layout.own.clone()].iter().filter(|column| column.storage != Storage::Links);
    let mut names: Vec<&str> =
        if layout.is_bottom() { vec!["leaf", "revision", "by_whom"] } else { vec!["id"] };
    names.extend(own.map(|column| column.name.as_str()));
    let places: Vec<String> = (1..=names.len()).map(|place| format!("?{place}")).collect();
    format!("INSERT INTO {} ({}) VALUES ({})", layout.table, names.join(", "), places.join(", "))
}

fn kept(schema: &Schema, bottom: ModelId) -> Result<Kept, Error> {
    let Some(info) = schema.by_id(bottom) else { return Ok(Kept::default()) };
    let place = |name: &str| {
        info.shape.position(name).ok_or_else(|| SchemaFault {
            model: info.name().clone(),
            field: None,
            problem: format!(
                "has no base and no field \"{name}\"; let it inherit from XOSBase, where that bookkeeping is"
            ),
        })
    };
    for name in ["write_protect", "no_sync", "lazy_blocked", "no_policy"] {
        place(name)?;
    }
    Ok(Kept {
        created: place("created")?,
        updated: place("updated")?,
        enacted: place("enacted")?,
        policed: place("policed")?,
        deleted: place("deleted")?,
        leaf_model_name: place("leaf_model_name")?,
        by_step: place("changed_by_step")?,
        by_policy: place("changed_by_policy")?,
        need_delete: place("backend_need_delete")?,
        need_reap: place("backend_need_reap")?,
        need_delete_policy: place("backend_need_delete_policy")?,
    })
}
