//! A recipe compared with the models: everything that can be known to be wrong without looking at objects.

use std::collections::{BTreeMap, HashMap};

use super::convert::convert;
use super::fault::{Fault, Position, RecipeFault};
use super::order::order;
use super::recipe::{Recipe, Requirement, Template};
use super::yaml::{Entry, Yaml};
use crate::accessor::FieldPos;
use crate::error::closest;
use crate::model::{DefaultValue, Kind, ModelName};
use crate::schema::{FieldInfo, ModelId, ModelInfo, Schema};
use crate::value::Value;

/// A recipe without faults, in the order in which its nodes are processed.
pub(super) struct Checked {
    pub(super) nodes: Vec<CheckedNode>,
}

/// A node without faults.
pub(super) struct CheckedNode {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) model: ModelId,
    pub(super) model_name: ModelName,
    pub(super) must_exist: bool,
    pub(super) settings: Vec<Setting>,
}

/// What a field is to be.
pub(super) struct Setting {
    pub(super) field: String,
    pub(super) position: FieldPos,
    pub(super) at: Position,
    pub(super) asked: Asked,
    /// Whether the object is found by it.
    pub(super) key: bool,
}

/// What a field is to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// A value.
    Value(Value),
    /// A link to the object of another node, by its place in the processing order.
    Node(usize),
}

/// What only the core and the engine write. A recipe may set the other bookkeeping fields, such as `no_sync`.
pub(super) const KEPT: [&str; 12] = [
    "id",
    "created",
    "updated",
    "enacted",
    "policed",
    "deleted",
    "leaf_model_name",
    "changed_by_step",
    "changed_by_policy",
    "backend_need_delete",
    "backend_need_reap",
    "backend_need_delete_policy",
];

/// The link that the core sets by itself where a model has an owner class.
pub(super) const OWNER: &str = "owner";

const MUST_EXIST: &str = "must-exist";

/// A recipe with more faults than these gets no more names that may have been meant: each is looked for among all.
const MOST_ADVISED: usize = 100;

/// The most nodes of a cycle that are named.
const MOST_NAMED: usize = 12;

impl Recipe {
    /// Compares the recipe with the models, without looking at any objects.
    ///
    /// # Errors
    ///
    /// All faults that can be seen in this way: unknown types and properties, wrong values, requirements that lead
    /// nowhere or to the wrong model, cycles, nodes without a key.
    pub fn check(&self, schema: &Schema) -> Result<(), RecipeFault> {
        self.checked(schema).map(drop)
    }

    pub(super) fn checked(&self, schema: &Schema) -> Result<Checked, RecipeFault> {
        let mut checker = Checker::new(schema, &self.templates);
        let places = checker.order();
        let mut nodes: Vec<Option<CheckedNode>> = self.templates.iter().map(|_| None).collect();
        for (template, place) in self.templates.iter().zip(&places) {
            nodes[*place] = checker.node(template, &places);
        }
        let nodes: Vec<CheckedNode> = nodes.into_iter().flatten().collect();
        if checker.faults.is_empty() {
            checker.check_twins(&nodes);
        }
        if checker.faults.is_empty() {
            Ok(Checked { nodes })
        } else {
            Err(RecipeFault::new(&self.file, checker.faults))
        }
    }
}

struct Checker<'a> {
    schema: &'a Schema,
    templates: &'a [Template],
    by_name: HashMap<&'a str, usize>,
    /// The templates of each model.
    by_model: BTreeMap<ModelId, Vec<usize>>,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    fn new(schema: &'a Schema, templates: &'a [Template]) -> Self {
        let by_name =
            templates.iter().enumerate().map(|(at, template)| (template.name.as_str(), at)).collect();
        let mut by_model: BTreeMap<ModelId, Vec<usize>> = BTreeMap::new();
        for (at, template) in templates.iter().enumerate() {
            if let Some(model) = schema.model(&template.model) {
                by_model.entry(model.id).or_default().push(at);
            }
        }
        Checker { schema, templates, by_name, by_model, faults: Vec::new() }
    }

    /// The place of each template in the processing order. Where there is a cycle, the order does not matter.
    fn order(&mut self) -> Vec<usize> {
        let names: Vec<&str> = self.templates.iter().map(|template| template.name.as_str()).collect();
        let targets = |template: &Template| {
            template
                .requirements
                .iter()
                .filter_map(|link| self.by_name.get(link.target.as_str()).copied())
                .collect()
        };
        let written: Vec<Vec<usize>> = self.templates.iter().map(targets).collect();
        let mut all = written.clone();
        for (template, targets) in self.templates.iter().zip(&mut all) {
            self.add_defaults(template, targets);
        }
        // What the core may fill in by itself is a wish for the order, never the reason of a cycle.
        match order(&names, &all).or_else(|_| order(&names, &written)) {
            Ok(ordered) => {
                let mut places = vec![0; ordered.len()];
                for (place, template) in ordered.into_iter().enumerate() {
                    places[template] = place;
                }
                places
            }
            Err(cycles) => {
                for cycle in cycles {
                    let problem = format!(
                        "requires itself: {}; leave one of these requirements out",
                        way_of(&names, &cycle)
                    );
                    if let Some(first) = cycle.first().map(|first| &self.templates[*first]) {
                        self.faults.push(Fault::at(first.at, problem).node(&first.name));
                    }
                }
                (0..names.len()).collect()
            }
        }
    }

    /// Adds the nodes that the core may take for links that are not given: an owner of the right class, or the first
    /// object of a model. They should be there by then.
    fn add_defaults(&self, template: &Template, targets: &mut Vec<usize>) {
        let Some(info) = self.schema.model(&template.model) else { return };
        let owner_class = info.owner_class(self.schema).and_then(|name| self.schema.model(name));
        for field in &info.fields {
            let name = field.def.name.as_ref();
            let given = template
                .requirements
                .iter()
                .any(|link| info.field(&link.link).is_some_and(|to| to.def.name == name));
            let taken = match owner_class {
                Some(class) if name == OWNER => Some(class.id),
                _ => field.target.filter(|_| field.def.default == Some(DefaultValue::First)),
            };
            let Some(taken) = taken.filter(|_| !given) else { continue };
            let fitting = self.by_model.iter().filter(|(model, _)| self.schema.is_a(**model, taken));
            let others = fitting.flat_map(|(_, templates)| templates);
            targets.extend(others.filter(|other| self.templates[**other].name != template.name));
        }
    }

    fn node(&mut self, template: &Template, places: &[usize]) -> Option<CheckedNode> {
        let before = self.faults.len();
        let node = self.node_parts(template, places);
        for fault in &mut self.faults[before..] {
            fault.node = Some(template.name.clone());
        }
        node
    }

    fn node_parts(&mut self, template: &Template, places: &[usize]) -> Option<CheckedNode> {
        let Some(info) = self.schema.model(&template.model) else {
            let names = self.schema.models().iter().map(|model| model.name().as_ref());
            let problem = match closest(&template.model, names) {
                Some(like) => {
                    format!("the core has no model \"{}\" (did you mean \"{like}\"?)", template.model)
                }
                None => format!("the core has no model \"{}\"; load it first", template.model),
            };
            self.faults.push(Fault::at(template.model_at, problem));
            return None;
        };
        if info.def.is_abstract {
            let problem =
                format!("{} has no objects of its own; name a model that inherits from it", info.name());
            self.faults.push(Fault::at(template.model_at, problem));
            return None;
        }
        let mut must_exist = false;
        let mut settings: Vec<Setting> = Vec::new();
        let mut wrong = Vec::new();
        for entry in &template.properties {
            if entry.key == MUST_EXIST {
                match &entry.node.value {
                    Yaml::Bool(bool) => must_exist = *bool,
                    Yaml::Text(text) if text.eq_ignore_ascii_case("yes") => must_exist = true,
                    Yaml::Text(text) if text.eq_ignore_ascii_case("no") => must_exist = false,
                    _ => wrong.push((entry.key.as_str(), entry.node.at, "expected true or false".to_owned())),
                }
                continue;
            }
            match property(self.schema, info, entry) {
                Ok(setting) => settings.push(setting),
                Err((at, problem)) => wrong.push((&entry.key, at, problem)),
            }
        }
        for link in &template.requirements {
            match self.requirement(info, link, places) {
                Ok(Some(setting)) => settings.push(setting),
                Ok(None) => {}
                Err((at, problem)) => wrong.push((&link.link, at, problem)),
            }
        }
        let sound = wrong.is_empty();
        self.faults
            .extend(wrong.into_iter().map(|(name, at, problem)| Fault::at(at, problem).property(name)));
        if !sound {
            return None;
        }
        self.mark_key(template, info, &mut settings)?;
        Some(CheckedNode {
            name: template.name.clone(),
            at: template.at,
            model: info.id,
            model_name: info.name().clone(),
            must_exist,
            settings,
        })
    }

    /// A requirement as a setting; `None` when what it leads to has faults of its own.
    fn requirement(
        &self,
        info: &ModelInfo,
        link: &Requirement,
        places: &[usize],
    ) -> Result<Option<Setting>, (Position, String)> {
        let links =
            || info.fields.iter().filter(|field| field.target.is_some()).map(|field| field.def.name.as_ref());
        let Some((position, field)) = field_at(info, &link.link) else {
            let advice = closest(&link.link, links()).map_or_else(
                || format!("; it has {}", list(&links().collect::<Vec<_>>())),
                |like| format!(" (did you mean \"{like}\"?)"),
            );
            let problem = format!("{} has no link \"{}\"{advice}", info.name(), link.link);
            return Err((link.at, problem));
        };
        let Some(expected) = field.target.and_then(|target| self.schema.by_id(target)) else {
            return Err((link.at, format!("is no link of {}; write it under properties", info.name())));
        };
        if field.def.kind == Kind::Links {
            return Err((link.at, "is a list of links, which a recipe cannot set; let a step set it".into()));
        }
        let Some(target) = self.by_name.get(link.target.as_str()) else {
            let names = self.by_name.keys().copied();
            let advised = self.faults.len() < MOST_ADVISED;
            let problem = match closest(&link.target, names.filter(|_| advised)) {
                Some(like) => format!("there is no node \"{}\" (did you mean \"{like}\"?)", link.target),
                None => format!(
                    "there is no node \"{}\"; add it, with \"must-exist: true\" when the object is there already",
                    link.target
                ),
            };
            return Err((link.target_at, problem));
        };
        let Some(found) = self.schema.model(&self.templates[*target].model) else { return Ok(None) };
        if !self.schema.is_a(found.id, expected.id) {
            let problem =
                format!("leads to {}, but node {} is {}", a(expected.name()), link.target, a(found.name()));
            return Err((link.target_at, problem));
        }
        Ok(Some(Setting {
            field: field.def.name.to_string(),
            position,
            at: link.at,
            asked: Asked::Node(places[*target]),
            key: false,
        }))
    }

    /// Marks what the object is found by.
    fn mark_key(&mut self, template: &Template, info: &ModelInfo, settings: &mut [Setting]) -> Option<()> {
        let keys = info.tosca_keys();
        let mut wrong = Vec::new();
        if keys.is_empty() {
            wrong.push(format!(
                "Model {} doesn't have a tosca_key specified: nothing says by which fields an object is found",
                info.name()
            ));
        }
        for group in keys {
            let given: Vec<&str> = group
                .iter()
                .copied()
                .filter(|key| settings.iter().any(|setting| setting.field == **key))
                .collect();
            match given.as_slice() {
                [] => {
                    let what = if group.len() == 1 { "tosca_key" } else { "tosca_key_one_of" };
                    let fields = group.join(", ");
                    let link =
                        group.iter().all(|key| info.field(key).is_some_and(|field| field.target.is_some()));
                    let place = if link { "requirements" } else { "properties" };
                    wrong.push(format!(
                        "Model {} doesn't have a property for the specified {what} ({fields}): \
                         the object is found by it; add it under {place}",
                        info.name()
                    ));
                }
                [one] => {
                    for setting in settings.iter_mut().filter(|setting| setting.field == *one) {
                        setting.key = true;
                    }
                }
                several => wrong.push(format!("only one of {} may be given", several.join(", "))),
            }
        }
        let sound = wrong.is_empty();
        self.faults.extend(wrong.into_iter().map(|problem| Fault::at(template.at, problem)));
        sound.then_some(())
    }

    /// Two nodes with the same key would be one object, with the values of whichever came last.
    fn check_twins(&mut self, nodes: &[CheckedNode]) {
        let mut known: HashMap<(ModelId, String), Vec<&CheckedNode>> = HashMap::new();
        for node in nodes {
            let like = known.entry((node.model, rough_key(node))).or_default();
            let mut same = like.iter().filter(|other| key(other).eq(key(node)));
            let twin = same.find(|other| !(other.must_exist && node.must_exist)).copied();
            // The first of them stands for all.
            if twin.is_none() && !like.iter().any(|other| key(other).eq(key(node))) {
                like.push(node);
            }
            if let Some(twin) = twin {
                let fields: Vec<&str> = key(node).map(|(field, _)| field).collect();
                let problem =
                    format!("has the same {} as node {}: they would be one object", list(&fields), twin.name);
                self.faults.push(Fault::at(node.at, problem).node(&node.name));
            }
        }
    }
}

fn key(node: &CheckedNode) -> impl Iterator<Item = (&str, &Asked)> {
    node.settings.iter().filter(|setting| setting.key).map(|setting| (setting.field.as_str(), &setting.asked))
}

/// The same for nodes with the same key, and mostly another one for others.
fn rough_key(node: &CheckedNode) -> String {
    let mut rough = String::new();
    for (_, asked) in key(node) {
        match asked {
            Asked::Value(Value::Text(text)) => rough.push_str(text),
            Asked::Value(Value::Int(int)) => rough.push_str(&int.to_string()),
            Asked::Node(place) => rough.push_str(&place.to_string()),
            Asked::Value(_) => {}
        }
        rough.push('\0');
    }
    rough
}

/// The nodes along a cycle and back to the first one; of a long one those at its ends.
fn way_of(names: &[&str], cycle: &[usize]) -> String {
    let mut way: Vec<String> =
        cycle.iter().chain(cycle.first()).map(|node| names[*node].to_owned()).collect();
    if let Some(more) = way.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        way.splice(MOST_NAMED / 2..MOST_NAMED / 2 + more, [format!("({more} more)")]);
    }
    way.join(" -> ")
}

/// A property as a setting, or where and why it cannot be one.
fn property(schema: &Schema, info: &ModelInfo, entry: &Entry) -> Result<Setting, (Position, String)> {
    let Some((position, field)) = field_at(info, &entry.key) else {
        let names =
            info.fields.iter().filter(|field| field.target.is_none()).map(|field| field.def.name.as_ref());
        let problem = match closest(&entry.key, names.chain([MUST_EXIST])) {
            Some(like) => {
                format!("{} has no property \"{}\" (did you mean \"{like}\"?)", info.name(), entry.key)
            }
            None => format!("{} has no property \"{}\"", info.name(), entry.key),
        };
        return Err((entry.at, problem));
    };
    let def = &field.def;
    if let Some(target) = field.target.and_then(|target| schema.by_id(target)) {
        let problem = if def.kind == Kind::Links {
            "is a list of links, which a recipe cannot set; let a step set it".to_owned()
        } else {
            format!(
                "is a link; write \"- {}: {{node: <name>, relationship: tosca.relationships.BelongsToOne}}\" under \
                 requirements, where <name> is a node of type tosca.nodes.{}, with \"must-exist: true\" when the \
                 object is there already",
                def.name,
                target.name()
            )
        };
        return Err((entry.at, problem));
    }
    if KEPT.contains(&def.name.as_ref()) {
        return Err((entry.at, "is kept by the core; leave it out".into()));
    }
    if def.feedback {
        return Err((entry.at, "is written by a synchronizer only; leave it out".into()));
    }
    let value = convert(def, &entry.node).map_err(|problem| (entry.node.at, problem))?;
    if info.name() == "ServiceGraphConstraint" && def.name == "constraints" {
        check_constraints(&value).map_err(|problem| (entry.node.at, problem))?;
    }
    Ok(Setting {
        field: def.name.to_string(),
        position,
        at: entry.at,
        asked: Asked::Value(value),
        key: false,
    })
}

/// The GUI reads this text as JSON, and shows an empty graph when it cannot.
fn check_constraints(value: &Value) -> Result<(), String> {
    const EXAMPLE: &str =
        "expected a JSON array of service names in quotes, such as '[\"volt\", [\"vsg\", \"vrouter\"]]'";
    match serde_json::from_str(value.as_text().unwrap_or_default()) {
        Ok(serde_json::Value::Array(_)) => Ok(()),
        Ok(_) => Err(EXAMPLE.to_owned()),
        Err(error) => Err(format!("{EXAMPLE}: {error}")),
    }
}

/// A field by its name, or a link by its name with `_id`.
fn field_at<'a>(info: &'a ModelInfo, name: &str) -> Option<(FieldPos, &'a FieldInfo)> {
    let field = info.field(name)?;
    let position = info.shape.position(&field.def.name)?;
    Some((FieldPos::try_from(position).ok()?, field))
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn a(name: &str) -> String {
    let article = if name.starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" };
    format!("{article} {name}")
}
