//! A recipe as it was written.

use std::fmt;

use super::fault::{Fault, Position, RecipeFault};
use super::yaml::{Entry, Node, Yaml};
use crate::error::closest;

/// A recipe as it was written: its YAML is sound, but it was not compared with any models.
///
/// # Examples
///
/// ```
/// use xos_model_client::{Schema, models, tosca::Recipe};
///
/// let text = "
/// tosca_definitions_version: tosca_simple_yaml_1_0
/// topology_template:
///   node_templates:
///     site:
///       type: tosca.nodes.Site
///       properties:
///         name: mysite
///         login_bse: my
/// ";
/// let recipe = Recipe::parse(text, "site.yaml")?;
/// let schema = Schema::new(models::core_models()).unwrap();
/// let fault = recipe.check(&schema).unwrap_err();
/// assert_eq!(
///     fault.to_string(),
///     "site.yaml:9:9: node site: login_bse: Site has no property \"login_bse\" (did you mean \"login_base\"?)"
/// );
/// # Ok::<(), xos_model_client::tosca::RecipeFault>(())
/// ```
#[derive(Clone)]
pub struct Recipe {
    pub(super) file: String,
    description: Option<String>,
    pub(super) templates: Vec<Template>,
}

/// One node template.
#[derive(Clone)]
pub(super) struct Template {
    pub(super) name: String,
    pub(super) at: Position,
    /// Without `tosca.nodes.`.
    pub(super) model: String,
    pub(super) model_at: Position,
    pub(super) properties: Vec<Entry>,
    pub(super) requirements: Vec<Requirement>,
}

/// One requirement: a link to another node.
#[derive(Clone)]
pub(super) struct Requirement {
    pub(super) link: String,
    pub(super) at: Position,
    pub(super) target: String,
    pub(super) target_at: Position,
}

const TYPE_PREFIX: &str = "tosca.nodes.";

impl Recipe {
    /// Reads a recipe. `file` is its name, for faults.
    ///
    /// # Errors
    ///
    /// All faults that can be seen without knowing the models: bad YAML, an empty recipe, unknown keys, two nodes of
    /// one name.
    pub fn parse(text: &str, file: &str) -> Result<Recipe, RecipeFault> {
        let root = Node::parse(text).map_err(|fault| RecipeFault::new(file, vec![fault]))?;
        let mut reader = Reader { faults: Vec::new() };
        let (description, templates) = reader.recipe(&root);
        if reader.faults.is_empty() {
            Ok(Recipe { file: file.to_owned(), description, templates })
        } else {
            Err(RecipeFault::new(file, reader.faults))
        }
    }

    /// The same recipe without nodes.
    pub(super) fn emptied(&self) -> Recipe {
        Recipe { file: self.file.clone(), description: self.description.clone(), templates: Vec::new() }
    }

    /// The name of the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What the recipe says about itself.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The names of its nodes and their models, in the order in which they were written.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.templates.iter().map(|template| (template.name.as_str(), template.model.as_str()))
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Properties may be secrets: a recipe shows its nodes, not what they hold.
        write!(f, "Recipe({}: ", self.file)?;
        f.debug_map().entries(self.nodes()).finish()?;
        f.write_str(")")
    }
}

/// Takes a document apart and collects what is wrong with it.
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, at: Position, problem: impl Into<String>) {
        self.faults.push(Fault::at(at, problem));
    }

    fn recipe(&mut self, root: &Node) -> (Option<String>, Vec<Template>) {
        let Yaml::Map(entries) = &root.value else {
            let problem = match root.value {
                Yaml::Null => {
                    "the recipe is empty; to remove all that it made, write \"node_templates: {}\"".into()
                }
                _ => format!("a recipe is a map with \"topology_template\", found {}", root.kind_name()),
            };
            self.fault(root.at, problem);
            return (None, Vec::new());
        };
        let known = ["tosca_definitions_version", "imports", "description", "metadata", "topology_template"];
        self.check_keys(entries, "a recipe", &known);
        match find(entries, "tosca_definitions_version") {
            None => self.fault(root.at, "\"tosca_definitions_version: tosca_simple_yaml_1_0\" is missing"),
            Some(entry)
                if entry.node.as_text().is_some_and(|text| text.starts_with("tosca_simple_yaml_1_")) => {}
            Some(entry) => self.fault(entry.node.at, "expected tosca_simple_yaml_1_0"),
        }
        let description =
            find(entries, "description").and_then(|entry| entry.node.as_text()).map(str::to_owned);
        let Some(topology) = find(entries, "topology_template") else {
            self.fault(root.at, "\"topology_template\" with \"node_templates\" is missing");
            return (description, Vec::new());
        };
        let Yaml::Map(parts) = &topology.node.value else {
            let found = topology.node.kind_name();
            self.fault(
                topology.at,
                format!("topology_template should have \"node_templates\", found {found}"),
            );
            return (description, Vec::new());
        };
        for part in parts.iter().filter(|part| ["inputs", "outputs"].contains(&part.key.as_str())) {
            self.fault(part.at, format!("{} are not supported; write values where they are used", part.key));
        }
        let rest: Vec<Entry> = parts
            .iter()
            .filter(|part| !["inputs", "outputs"].contains(&part.key.as_str()))
            .cloned()
            .collect();
        self.check_keys(&rest, "topology_template", &["node_templates", "description"]);
        let Some(nodes) = find(parts, "node_templates") else {
            self.fault(topology.at, "topology_template should have \"node_templates\"");
            return (description, Vec::new());
        };
        let Yaml::Map(nodes_by_name) = &nodes.node.value else {
            let problem = match nodes.node.value {
                Yaml::Null => {
                    "no nodes follow; to remove all that this recipe made, write \"node_templates: {}\""
                        .into()
                }
                _ => format!(
                    "node_templates should be a map from names to nodes, found {}",
                    nodes.node.kind_name()
                ),
            };
            self.fault(nodes.at, problem);
            return (description, Vec::new());
        };
        self.check_twice(nodes_by_name, "node");
        (description, nodes_by_name.iter().filter_map(|entry| self.template(entry)).collect())
    }

    fn template(&mut self, entry: &Entry) -> Option<Template> {
        let before = self.faults.len();
        let template = self.template_parts(entry);
        for fault in &mut self.faults[before..] {
            fault.node = Some(entry.key.clone());
        }
        template
    }

    fn template_parts(&mut self, entry: &Entry) -> Option<Template> {
        let Yaml::Map(parts) = &entry.node.value else {
            let found = entry.node.kind_name();
            self.fault(
                entry.at,
                format!("a node has \"type\", \"properties\" and \"requirements\", found {found}"),
            );
            return None;
        };
        self.check_keys(parts, "a node", &["type", "description", "properties", "requirements"]);
        let properties = match find(parts, "properties").map(|part| &part.node) {
            None | Some(Node { value: Yaml::Null, .. }) => Vec::new(),
            Some(Node { value: Yaml::Map(properties), .. }) => {
                self.check_twice(properties, "property");
                properties.clone()
            }
            Some(other) => {
                self.fault(other.at, format!("properties should be a map, found {}", other.kind_name()));
                Vec::new()
            }
        };
        let requirements = match find(parts, "requirements").map(|part| &part.node) {
            None | Some(Node { value: Yaml::Null, .. }) => Vec::new(),
            Some(Node { value: Yaml::List(items), .. }) => self.requirements(items),
            Some(other) => {
                let found = other.kind_name();
                self.fault(
                    other.at,
                    format!("requirements should be a list such as \"- owner: ...\", found {found}"),
                );
                Vec::new()
            }
        };
        let Some(kind) = find(parts, "type") else {
            self.fault(entry.at, "\"type: tosca.nodes.<Model>\" is missing");
            return None;
        };
        let Some(model) = kind.node.as_text() else {
            self.fault(
                kind.node.at,
                format!("type should be tosca.nodes.<Model>, found {}", kind.node.kind_name()),
            );
            return None;
        };
        let Some(model) = model.strip_prefix(TYPE_PREFIX) else {
            self.fault(kind.node.at, format!("type should be tosca.nodes.<Model>, found \"{model}\""));
            return None;
        };
        Some(Template {
            name: entry.key.clone(),
            at: entry.at,
            model: model.to_owned(),
            model_at: kind.node.at,
            properties,
            requirements,
        })
    }

    fn requirements(&mut self, items: &[Node]) -> Vec<Requirement> {
        let mut found: Vec<Requirement> = Vec::new();
        for item in items {
            let Yaml::Map(links) = &item.value else {
                self.fault(
                    item.at,
                    format!("a requirement is \"<link>: {{node: <name>}}\", found {}", item.kind_name()),
                );
                continue;
            };
            for link in links {
                let Some((target, target_at)) = self.target(link) else { continue };
                if found.iter().any(|other| other.link == link.key) {
                    self.faults.push(
                        Fault::at(link.at, "is required twice; a link leads to one node").property(&link.key),
                    );
                    continue;
                }
                found.push(Requirement { link: link.key.clone(), at: link.at, target, target_at });
            }
        }
        found
    }

    /// The node that a requirement names, in its long or its short form.
    fn target(&mut self, link: &Entry) -> Option<(String, Position)> {
        let before = self.faults.len();
        let target = match &link.node.value {
            Yaml::Text(name) => Some((name.clone(), link.node.at)),
            Yaml::Map(parts) => {
                // What kind of relationship it is follows from the model.
                self.check_keys(parts, "a requirement", &["node", "relationship", "capability"]);
                let node = find(parts, "node");
                if node.is_none() {
                    self.fault(link.at, "\"node: <name>\" is missing");
                }
                node.and_then(|node| {
                    let name = node.node.as_text();
                    if name.is_none() {
                        let found = node.node.kind_name();
                        self.fault(node.node.at, format!("expected the name of a node, found {found}"));
                    }
                    name.map(|name| (name.to_owned(), node.node.at))
                })
            }
            _ => {
                let found = link.node.kind_name();
                self.fault(
                    link.node.at,
                    format!("expected the name of a node, or \"{{node: <name>}}\", found {found}"),
                );
                None
            }
        };
        for fault in &mut self.faults[before..] {
            fault.property = Some(link.key.clone());
        }
        target
    }

    fn check_keys(&mut self, entries: &[Entry], of: &str, known: &[&str]) {
        self.check_twice(entries, "key");
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let what = match closest(&entry.key, known.iter().copied()) {
                    Some(like) => format!("did you mean \"{like}\"?"),
                    None => format!("it has {}", known.join(", ")),
                };
                self.fault(entry.at, format!("{of} has no key \"{}\"; {what}", entry.key));
            }
        }
    }

    fn check_twice(&mut self, entries: &[Entry], what: &str) {
        let mut seen = std::collections::HashMap::new();
        for entry in entries {
            if let Some(first) = seen.insert(entry.key.as_str(), entry.at) {
                let line = first.line;
                self.fault(
                    entry.at,
                    format!("{what} \"{}\" is there twice, first in line {line}", entry.key),
                );
            }
        }
    }
}

fn find<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.key == key)
}
