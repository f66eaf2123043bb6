//! A set of models that fit together, resolved.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, closest};
use crate::model::{FieldDef, ModelDef, ModelName};
use crate::record::Shape;
use crate::value::ObjectId;

mod resolve;
#[cfg(feature = "grpc")]
mod told;

#[cfg(feature = "grpc")]
use resolve::chain_of;
use resolve::{fault, gap, gap_info, resolve};
#[cfg(feature = "grpc")]
pub(crate) use told::{Told, ToldBack};

/// A model within one schema, and within all later schemas of the same accessor.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModelId(pub u16);

/// The identity of an object across the views on it: `HelloWorldService` 5 *is* `Service` 5, `Slice` 5 is neither.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The first model of the chain that has objects: `Service`, not `HelloWorldService`, and not `XOSBase`.
    pub root: ModelId,
    /// The id, unique within the root.
    pub id: ObjectId,
}

/// A rule that a set of models breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model {model}{}: {problem}", FieldPart(.field))]
pub struct SchemaFault {
    /// The model.
    pub model: ModelName,
    /// The field, when the rule is about one.
    pub field: Option<String>,
    /// What was expected, what was found, and what to do.
    pub problem: String,
}

struct FieldPart<'a>(&'a Option<String>);

impl fmt::Display for FieldPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(field) => write!(f, ", field \"{field}\""),
            None => Ok(()),
        }
    }
}

/// One field of a model, own or inherited, resolved.
#[derive(Clone, Debug)]
pub struct FieldInfo {
    /// As its author declared it.
    pub def: FieldDef,
    /// The model that declares it.
    pub declared_in: ModelId,
    /// Its number on the wire.
    pub wire_number: u16,
    /// Where a link leads.
    pub target: Option<ModelId>,
}

/// The way back of a link, as the model at its other end sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseLink {
    /// Its name, without `_ids`.
    pub name: String,
    /// The model that has the link.
    pub from: ModelId,
    /// The link's field there.
    pub field: String,
    /// Its number on the wire of the model that declares it.
    pub wire_number: u16,
}

/// One model of a schema, resolved.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Its id in the schema.
    pub id: ModelId,
    /// As its author declared it.
    pub def: ModelDef,
    /// The chain it inherits along, the root of all first, itself last.
    pub chain: Vec<ModelId>,
    /// The first model of the chain that has objects.
    pub root: ModelId,
    /// All fields: `id` first, then those of each model of the chain.
    pub fields: Vec<FieldInfo>,
    /// All fields, as a shape.
    pub shape: Arc<Shape>,
    /// The models that inherit from it, directly or not, itself first.
    pub family: Vec<ModelId>,
    /// The ways back of the links that lead to it.
    pub reverse: Vec<ReverseLink>,
    /// Its plural, as the core's generator makes it.
    pub plural: String,
}

impl ModelInfo {
    /// The name.
    pub fn name(&self) -> &ModelName {
        &self.def.name
    }

    /// The field with this name; a link is also found with `_id` behind its name, as on the wire.
    pub fn field(&self, name: &str) -> Option<&FieldInfo> {
        let at = self.shape.position(name).or_else(|| {
            let at = self.shape.position(name.strip_suffix("_ids").or(name.strip_suffix("_id"))?)?;
            self.fields.get(at)?.target.map(|_| at)
        })?;
        self.fields.get(at)
    }

    /// The field with this name, or an error that suggests one like it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchField`].
    pub fn expect_field(&self, name: &str) -> Result<&FieldInfo, Error> {
        self.field(name).ok_or_else(|| {
            let like = closest(name, self.fields.iter().map(|field| field.def.name.as_ref()));
            ErrorKind::NoSuchField { model: self.name().clone(), field: name.to_owned(), like }.into()
        })
    }

    /// The names of the fields that only a synchronizer may change.
    ///
    /// Unlike in the real core, where a model's own feedback fields replace the inherited ones, all of them are
    /// guarded.
    pub fn feedback_fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|field| field.def.feedback).map(|field| field.def.name.as_ref())
    }

    /// The class that owns new objects: of the most specific model of the chain that names one.
    pub fn owner_class<'a>(&'a self, schema: &'a Schema) -> Option<&'a ModelName> {
        self.chain.iter().rev().find_map(|id| schema.by_id(*id)?.def.owner_class.as_ref())
    }

    /// What a recipe finds an object by: each a list of fields of which exactly one is to be given. Empty when the
    /// model has no key.
    pub fn tosca_keys(&self) -> Vec<Vec<&str>> {
        let mut keys: Vec<Vec<&str>> = Vec::new();
        for field in &self.fields {
            if field.def.tosca_key {
                keys.push(vec![field.def.name.as_ref()]);
            }
            if let Some(with) = field.def.tosca_key_one_of.as_deref() {
                let name = field.def.name.as_ref();
                match keys.iter_mut().find(|group| group.contains(&with) || group.contains(&name)) {
                    Some(group) => group.extend([name, with]),
                    None => keys.push(vec![name, with]),
                }
            }
        }
        for group in &mut keys {
            group.sort_unstable();
            group.dedup();
        }
        if keys.is_empty() && self.field("name").is_some() {
            keys.push(vec!["name"]);
        }
        keys
    }

    /// Groups of fields whose values together must be unique: `unique_with`, taken transitively.
    pub fn unique_together(&self) -> Vec<Vec<&str>> {
        let mut groups: Vec<Vec<&str>> = Vec::new();
        for field in &self.fields {
            for with in field.def.unique_with.iter() {
                let pair = [field.def.name.as_ref(), with.as_ref()];
                let (mut joined, rest): (Vec<_>, Vec<_>) =
                    groups.into_iter().partition(|group| pair.iter().any(|name| group.contains(name)));
                let mut group: Vec<&str> = joined.drain(..).flatten().chain(pair).collect();
                group.sort_unstable();
                group.dedup();
                groups = rest;
                groups.push(group);
            }
        }
        groups
    }
}

/// A set of models that fit together: names resolved, numbers given out.
///
/// # Examples
///
/// ```
/// use xos_model_client::{Schema, models};
///
/// let schema = Schema::new(models::core_models())?;
/// let instance = schema.model("ServiceInstance").unwrap();
/// assert_eq!(instance.field("owner").unwrap().wire_number, 102);
/// # Ok::<(), xos_model_client::SchemaFault>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Schema {
    models: Vec<ModelInfo>,
    by_name: HashMap<ModelName, ModelId>,
}

impl Schema {
    /// The schema of these models. A model's id is its place in the list.
    ///
    /// # Errors
    ///
    /// The first rule that is broken: two models or two fields of one name, a number out of range or used twice, a
    /// base, owner class or target that is missing, a chain that inherits from itself.
    pub fn new<'a>(models: impl IntoIterator<Item = &'a ModelDef>) -> Result<Self, SchemaFault> {
        Self::with_gaps(models.into_iter().map(Some))
    }

    /// The schema of models of which some are gone: a model's id stays its place in the list, so that ids are never
    /// used again. A gap is listed as an abstract model without name and fields.
    ///
    /// # Errors
    ///
    /// As [`new`](Schema::new).
    pub fn with_gaps<'a>(
        models: impl IntoIterator<Item = Option<&'a ModelDef>>,
    ) -> Result<Self, SchemaFault> {
        let gap = gap();
        let defs: Vec<&ModelDef> = models.into_iter().map(|def| def.unwrap_or(&gap)).collect();
        let mut by_name = HashMap::new();
        for (at, def) in defs.iter().enumerate() {
            if !def.name.is_empty() && by_name.insert(def.name.clone(), ModelId(at as u16)).is_some() {
                return Err(fault(def, None, "two models have this name; give one of them another"));
            }
        }
        let mut models = Vec::with_capacity(defs.len());
        for (at, def) in defs.iter().enumerate() {
            let id = ModelId(at as u16);
            models.push(if def.name.is_empty() { gap_info(id, def) } else { resolve(def, &defs, &by_name)? });
        }
        let mut schema = Schema { models, by_name };
        schema.set_families();
        schema.set_reverse_links()?;
        Ok(schema)
    }

    /// The model with this name.
    pub fn model(&self, name: &str) -> Option<&ModelInfo> {
        self.by_name.get(name).and_then(|id| self.by_id(*id))
    }

    /// The model with this name, or an error that suggests one like it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchModel`].
    pub fn expect_model(&self, name: &str) -> Result<&ModelInfo, Error> {
        self.model(name).ok_or_else(|| {
            let like = closest(name, self.by_name.keys().map(AsRef::as_ref));
            ErrorKind::NoSuchModel { model: name.to_owned().into(), like }.into()
        })
    }

    /// The model with this id.
    pub fn by_id(&self, id: ModelId) -> Option<&ModelInfo> {
        self.models.get(id.0 as usize)
    }

    /// All models, in the order of their ids.
    pub fn models(&self) -> &[ModelInfo] {
        &self.models
    }

    /// Whether one model is another or inherits from it.
    pub fn is_a(&self, model: ModelId, base: ModelId) -> bool {
        self.by_id(model).is_some_and(|model| model.chain.contains(&base))
    }

    fn set_families(&mut self) {
        let chains: Vec<(ModelId, Vec<ModelId>)> =
            self.models.iter().map(|model| (model.id, model.chain.clone())).collect();
        for model in &mut self.models {
            model.family = vec![model.id];
            let heirs = chains.iter().filter(|(id, chain)| *id != model.id && chain.contains(&model.id));
            model.family.extend(heirs.map(|(id, _)| *id));
        }
    }

    /// Numbers of the ways back: an explicit one plus 100 for each model above in the chain that has ways back; else
    /// 1900 and up, in the order of declaration.
    fn set_reverse_links(&mut self) -> Result<(), SchemaFault> {
        let mut found: Vec<Vec<(ReverseLink, Option<u16>)>> = vec![Vec::new(); self.models.len()];
        for model in &self.models {
            for field in model.fields.iter().filter(|field| field.declared_in == model.id) {
                let (Some(target), Some(link)) = (field.target, &field.def.link) else { continue };
                let Some(name) = link.reverse.clone().filter(|name| name != "_") else { continue };
                let reverse = ReverseLink {
                    name: name.into_owned(),
                    from: model.id,
                    field: field.def.name.to_string(),
                    wire_number: 0,
                };
                found[target.0 as usize].push((reverse, link.reverse_number));
            }
        }
        let has_any: Vec<bool> = found.iter().map(|links| !links.is_empty()).collect();
        for (at, links) in found.into_iter().enumerate() {
            let model = &self.models[at];
            let above = model.chain.iter().filter(|id| id.0 as usize != at && has_any[id.0 as usize]).count();
            let mut next = 1900;
            let mut numbered: Vec<ReverseLink> = Vec::new();
            for (mut link, number) in links {
                link.wire_number = number.map_or(next, |number| number + 100 * above as u16);
                next += u16::from(number.is_none());
                if let Some(twin) = numbered
                    .iter()
                    .find(|twin| twin.name == link.name || twin.wire_number == link.wire_number)
                {
                    let from = |id: ModelId| self.by_id(id).map_or("?", |model| model.name().as_ref());
                    let problem = format!(
                        "the ways back \"{}\" (number {}, from {}.{}) and \"{}\" (number {}, from {}.{}) clash; give one another name or number",
                        twin.name,
                        twin.wire_number,
                        from(twin.from),
                        twin.field,
                        link.name,
                        link.wire_number,
                        from(link.from),
                        link.field
                    );
                    return Err(fault(&model.def, None, problem));
                }
                numbered.push(link);
            }
            self.models[at].reverse = numbered;
        }
        Ok(())
    }
}
