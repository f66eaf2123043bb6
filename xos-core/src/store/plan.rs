//! What a shape means in this schema, resolved once.

use std::collections::HashMap;
use std::sync::Arc;

use xos_model_client::{Error, ModelId, Shape};

use super::catalog::Catalog;
use super::values::Storage;

/// The columns with which each row for a write begins.
pub(crate) const HEAD: &str = "t0.id, t0.revision, t0.leaf, t0.deleted, t0.updated, t0.enacted, t0.policed, \
     t0.changed_by_step, t0.changed_by_policy, t0.write_protect, t0.backend_need_delete, t0.backend_need_reap, \
     t0.backend_need_delete_policy";

/// How many they are.
pub(crate) const HEAD_COLUMNS: usize = 13;

/// A shape, resolved.
#[derive(Debug)]
pub(crate) struct ShapePlan {
    pub(crate) shape: Arc<Shape>,
    pub(crate) model: ModelId,
    /// The model's field at each position of the shape.
    pub(crate) fields: Vec<u16>,
    /// The position in the shape of each field of the model.
    pub(crate) positions: Vec<Option<u16>>,
    /// The positions that are read from columns, in the order of the statement, with their storage.
    pub(crate) columns: Vec<(u16, Storage)>,
    /// The positions that are lists.
    pub(crate) links: Vec<(u16, LinksSql)>,
    /// The columns, each with a comma before it.
    pub(crate) select: String,
    /// The tables these need, as bits.
    pub(crate) levels: u32,
    /// Reads head and values of the object `?1`.
    pub(crate) head_by_id: String,
    /// Reads `id`, `revision`, `leaf` and values of the object `?1`.
    pub(crate) get_by_id: String,
    /// The same of several objects, whose ids are `?1`, for a server.
    #[cfg(feature = "postgres")]
    pub(crate) get_by_ids: String,
}

/// The statements that read a list.
#[derive(Debug)]
pub(crate) struct LinksSql {
    /// Of the object `?1`.
    pub(crate) of_one: String,
    /// Of several objects, whose ids are `?1`, for a server: source and target.
    #[cfg(feature = "postgres")]
    pub(crate) of_many: String,
}

impl ShapePlan {
    fn new(catalog: &Catalog, shape: &Arc<Shape>) -> Result<Self, Error> {
        let info = catalog.schema.expect_model(shape.model())?;
        let layout = catalog.expect_layout(info.id)?;
        let mut plan = ShapePlan {
            shape: shape.clone(),
            model: info.id,
            fields: Vec::with_capacity(shape.fields().len()),
            positions: vec![None; info.fields.len()],
            columns: Vec::new(),
            links: Vec::new(),
            select: String::new(),
            levels: 1,
            head_by_id: String::new(),
            get_by_id: String::new(),
            #[cfg(feature = "postgres")]
            get_by_ids: String::new(),
        };
        for (position, field) in shape.fields().iter().enumerate() {
            let name = info.expect_field(&field.name)?.def.name.clone();
            let at = info.shape.position(&name).unwrap_or(0);
            let column = &layout.columns[at];
            plan.fields.push(at as u16);
            plan.positions[at] = Some(position as u16);
            if column.storage == Storage::Links {
                plan.links.push((position as u16, links_sql(catalog, column)));
            } else {
                plan.columns.push((position as u16, column.storage));
                plan.select.push_str(", ");
                plan.select.push_str(&column.qualified());
                plan.levels |= 1 << column.level;
            }
        }
        let from = layout.from(plan.levels);
        plan.head_by_id = format!("SELECT {HEAD}{} {from} WHERE t0.id = ?1", plan.select);
        let get = format!("SELECT t0.id, t0.revision, t0.leaf{} {from} WHERE t0.id", plan.select);
        plan.get_by_id = format!("{get} = ?1");
        #[cfg(feature = "postgres")]
        {
            plan.get_by_ids = format!("{get} = ANY(?1)");
        }
        Ok(plan)
    }

    /// The field at a position of the shape.
    pub(crate) fn field(&self, position: u16) -> Option<usize> {
        self.fields.get(position as usize).map(|field| *field as usize)
    }
}

/// The list of a many-to-many field: only live objects show, as in the lists of the core.
fn links_sql(catalog: &Catalog, column: &super::catalog::Column) -> LinksSql {
    let target = column.target.and_then(|target| catalog.layout(target));
    let bottom = target.map_or("", |layout| layout.bottom_table.as_str());
    let from =
        format!("FROM {} p JOIN {bottom} b ON b.id = p.target WHERE b.deleted = 0 AND p.source", column.name);
    LinksSql {
        of_one: format!("SELECT p.target {from} = ?1 ORDER BY p.target"),
        #[cfg(feature = "postgres")]
        of_many: format!("SELECT p.source, p.target {from} = ANY(?1) ORDER BY p.target"),
    }
}

/// The plans of one generation of the schema.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    generation: u64,
    by_shape: HashMap<u64, Arc<ShapePlan>>,
}

/// A caller that makes a new shape for each call must not fill the memory.
const MOST_PLANS: usize = 1024;

impl Plans {
    /// The plan for a shape.
    pub(crate) fn get(&mut self, catalog: &Catalog, shape: &Arc<Shape>) -> Result<Arc<ShapePlan>, Error> {
        if self.generation != catalog.generation {
            self.by_shape.clear();
            self.generation = catalog.generation;
        }
        if let Some(plan) = self.by_shape.get(&shape.id()) {
            return Ok(plan.clone());
        }
        if self.by_shape.len() >= MOST_PLANS {
            self.by_shape.clear();
        }
        let plan = Arc::new(ShapePlan::new(catalog, shape)?);
        self.by_shape.insert(shape.id(), plan.clone());
        Ok(plan)
    }
}
