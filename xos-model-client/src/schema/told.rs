//! A schema whose numbers were told by a core, instead of computed from declarations.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{
    FieldInfo, ModelId, ModelInfo, ReverseLink, Schema, SchemaFault, chain_of, fault, gap, gap_info,
};
use crate::model::{ModelDef, ModelName};
use crate::record::Shape;

/// One model, as a core told of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// The model, with its own fields as the core has them.
    pub(crate) def: ModelDef,
    /// The number on the wire of each of its own fields.
    pub(crate) numbers: Vec<u16>,
    /// The ways back of the links that lead to it, not the inherited ones.
    pub(crate) backs: Vec<ToldBack>,
    /// Its plural.
    pub(crate) plural: String,
}

/// The way back of a link, as a core told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToldBack {
    /// Its name, without `_ids`.
    pub(crate) name: String,
    /// The model that has the link.
    pub(crate) from: ModelName,
    /// The link's field there.
    pub(crate) field: String,
    /// Its number on the wire.
    pub(crate) number: u16,
}

impl Schema {
    /// The schema of models that a core told of; a model's id is its place in the list, `None` a model that is gone.
    ///
    /// What a core serves is right by definition, so the rules for declarations are not checked. A link to a model
    /// that the core does not serve has no target.
    pub(crate) fn told(models: &[Option<Told>]) -> Result<Self, SchemaFault> {
        let gap = gap();
        let defs: Vec<&ModelDef> =
            models.iter().map(|model| model.as_ref().map_or(&gap, |model| &model.def)).collect();
        let mut by_name = HashMap::new();
        for (at, def) in defs.iter().enumerate().filter(|(_, def)| !def.name.is_empty()) {
            if by_name.insert(def.name.clone(), ModelId(at as u16)).is_some() {
                return Err(fault(def, None, "the core has two models of this name"));
            }
        }
        let infos = models.iter().zip(0..).map(|(told, id)| match told {
            Some(told) => info(told, ModelId(id), models, &defs, &by_name),
            None => Ok(gap_info(ModelId(id), &gap)),
        });
        let mut schema = Schema { models: infos.collect::<Result<_, _>>()?, by_name };
        schema.set_families();
        Ok(schema)
    }
}

fn info(
    told: &Told,
    id: ModelId,
    models: &[Option<Told>],
    defs: &[&ModelDef],
    by_name: &HashMap<ModelName, ModelId>,
) -> Result<ModelInfo, SchemaFault> {
    let def = &told.def;
    let chain = chain_of(def, defs, by_name)?;
    let mut fields: Vec<FieldInfo> = Vec::new();
    let mut names = HashSet::new();
    for level in &chain {
        let Some(Some(model)) = models.get(level.0 as usize) else { continue };
        for (field, wire_number) in model.def.fields.iter().zip(&model.numbers) {
            if !names.insert(field.name.clone()) {
                return Err(fault(def, Some(field), "the core has two fields of this name"));
            }
            let target = field.link.as_ref().and_then(|link| by_name.get(&link.target).copied());
            let wire_number = *wire_number;
            fields.push(FieldInfo { def: field.clone(), declared_in: *level, wire_number, target });
        }
    }
    let shape = Arc::new(Shape::of_fields(def.name.clone(), fields.iter().map(|field| &field.def)));
    let reverse = told.backs.iter().filter_map(|back| {
        let from = *by_name.get(&back.from)?;
        let (name, field) = (back.name.clone(), back.field.clone());
        Some(ReverseLink { name, from, field, wire_number: back.number })
    });
    let root = chain.iter().copied().find(|id| !defs[id.0 as usize].is_abstract);
    Ok(ModelInfo {
        id,
        def: def.clone(),
        root: root.unwrap_or(id),
        fields,
        shape,
        family: Vec::new(),
        reverse: reverse.collect(),
        plural: told.plural.clone(),
        chain,
    })
}
