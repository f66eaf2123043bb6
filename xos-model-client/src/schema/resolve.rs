//! One model after the other: its chain, its fields, and the rules that each has to keep.

use std::collections::HashMap;
use std::sync::Arc;

use super::{FieldInfo, ModelId, ModelInfo, SchemaFault};
use crate::model::{DefaultValue, FieldDef, ModelDef, ModelName};
use crate::record::Shape;

pub(super) fn gap() -> ModelDef {
    ModelDef {
        name: "".into(),
        app_label: "".into(),
        version: "".into(),
        base: None,
        owner_class: None,
        is_abstract: true,
        plural: None,
        verbose_name: None,
        policy: None,
        validators: Vec::new().into(),
        custom_python: false,
        fields: Vec::new().into(),
        help: "".into(),
        needs: &[],
    }
}

pub(super) fn gap_info(id: ModelId, def: &ModelDef) -> ModelInfo {
    ModelInfo {
        id,
        def: def.clone(),
        chain: vec![id],
        root: id,
        fields: Vec::new(),
        shape: Arc::new(Shape::new("", [])),
        family: Vec::new(),
        reverse: Vec::new(),
        plural: String::new(),
    }
}

pub(super) fn fault(def: &ModelDef, field: Option<&FieldDef>, problem: impl Into<String>) -> SchemaFault {
    SchemaFault {
        model: def.name.clone(),
        field: field.map(|field| field.name.to_string()),
        problem: problem.into(),
    }
}

pub(super) fn resolve(
    def: &ModelDef,
    defs: &[&ModelDef],
    by_name: &HashMap<ModelName, ModelId>,
) -> Result<ModelInfo, SchemaFault> {
    let chain = chain_of(def, defs, by_name)?;
    if let Some(owner) = &def.owner_class {
        let Some(id) = by_name.get(owner) else {
            return Err(fault(
                def,
                None,
                format!("its owner class {owner} is not among the models; load it too"),
            ));
        };
        let is_service = chain_of(defs[id.0 as usize], defs, by_name)?
            .iter()
            .any(|id| defs[id.0 as usize].name == "Service");
        if !is_service {
            let problem =
                format!("its owner class {owner} is no Service; name the model of the service it belongs to");
            return Err(fault(def, None, problem));
        }
    }
    let mut fields: Vec<FieldInfo> = Vec::new();
    let mut with_fields = 0;
    for id in &chain {
        let level = defs[id.0 as usize];
        add_fields(def, level, *id, with_fields, by_name, &mut fields)?;
        with_fields += u16::from(level.fields.iter().any(|field| !field.is_id()));
    }
    let root = chain.iter().copied().find(|id| !defs[id.0 as usize].is_abstract);
    let shape = Arc::new(Shape::of_fields(def.name.clone(), fields.iter().map(|field| &field.def)));
    let id = by_name.get(&def.name).copied().unwrap_or(ModelId(0));
    let plural = def.plural.as_ref().map_or_else(|| format!("{}s", def.name), ToString::to_string);
    Ok(ModelInfo {
        id,
        def: def.clone(),
        root: root.unwrap_or(id),
        chain,
        fields,
        shape,
        family: Vec::new(),
        reverse: Vec::new(),
        plural,
    })
}

pub(super) fn chain_of(
    def: &ModelDef,
    defs: &[&ModelDef],
    by_name: &HashMap<ModelName, ModelId>,
) -> Result<Vec<ModelId>, SchemaFault> {
    let mut chain = Vec::new();
    let mut next = Some(&def.name);
    while let Some(name) = next {
        let Some(id) = by_name.get(name) else {
            return Err(fault(def, None, format!("its base {name} is not among the models; load it too")));
        };
        if chain.contains(id) {
            return Err(fault(def, None, format!("inherits from itself through {name}")));
        }
        chain.push(*id);
        next = defs[id.0 as usize].base.as_ref();
    }
    chain.reverse();
    Ok(chain)
}

/// A model's own field `n` has the wire number `n + 100·k`, `k` being the number of models above it in the chain that
/// have fields.
fn add_fields(
    def: &ModelDef,
    level: &ModelDef,
    id: ModelId,
    with_fields: u16,
    by_name: &HashMap<ModelName, ModelId>,
    fields: &mut Vec<FieldInfo>,
) -> Result<(), SchemaFault> {
    let own = def.name == level.name;
    for field in level.fields.iter() {
        if own && !field.is_id() && !(1..=99).contains(&field.number) {
            let problem = format!("only field numbers from 1 to 99 are permitted, found {}", field.number);
            return Err(fault(def, Some(field), problem));
        }
        if let Some(twin) = fields.iter().find(|twin| twin.def.name == field.name) {
            let problem = format!("{} has a field of this name already", defs_name(twin, by_name));
            return Err(fault(def, Some(field), problem));
        }
        let twin = |twin: &&FieldInfo| twin.declared_in == id && twin.def.number == field.number;
        if let Some(twin) = fields.iter().find(twin) {
            let problem = format!(
                "number {} is used by \"{}\" already; give each field a number of its own",
                field.number, twin.def.name
            );
            return Err(fault(def, Some(field), problem));
        }
        if own {
            check_field(def, level, field)?;
        }
        let target = match &field.link {
            None => None,
            Some(link) => Some(*by_name.get(&link.target).ok_or_else(|| {
                fault(
                    def,
                    Some(field),
                    format!("links to {}, which is not among the models; load it too", link.target),
                )
            })?),
        };
        let wire_number = if field.is_id() { 1 } else { field.number + 100 * with_fields };
        fields.push(FieldInfo { def: field.clone(), declared_in: id, wire_number, target });
    }
    Ok(())
}

fn check_field(def: &ModelDef, level: &ModelDef, field: &FieldDef) -> Result<(), SchemaFault> {
    if field.name.is_empty() || !field.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(fault(def, Some(field), "a field's name has letters, digits and underscores only"));
    }
    if field.max_length == Some(0) {
        return Err(fault(def, Some(field), "max_length should not be zero"));
    }
    if let Some(number) = field.link.as_ref().and_then(|link| link.reverse_number)
        && !(1000..=1899).contains(&number)
    {
        return Err(fault(def, Some(field), format!("reverse numbers are 1000 to 1899, found {number}")));
    }
    if field.is_secret() {
        let problem = if !field.kind.is_text() {
            Some(format!("is {}, and only a text can be a secret", field.kind.describe()))
        } else if field.default.as_ref().is_some_and(|default| *default != DefaultValue::Null) {
            Some("is a secret and has a default, which everybody can read; leave the default out".to_owned())
        } else if field.tosca_key || field.tosca_key_one_of.is_some() {
            Some(
                "is a secret and a key of recipes, which are remembered; use another field as key".to_owned(),
            )
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(fault(def, Some(field), problem));
        }
    }
    let others = field.unique_with.iter().chain(&field.tosca_key_one_of);
    for other in others {
        if !level.fields.iter().any(|field| field.name == *other) {
            return Err(fault(
                def,
                Some(field),
                format!("names the field \"{other}\", which {} does not have", level.name),
            ));
        }
    }
    Ok(())
}

fn defs_name(field: &FieldInfo, by_name: &HashMap<ModelName, ModelId>) -> String {
    by_name
        .iter()
        .find(|(_, id)| **id == field.declared_in)
        .map_or_else(|| "the model".to_owned(), |(name, _)| name.to_string())
}
