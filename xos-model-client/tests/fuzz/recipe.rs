//! Recipes: each fault says where it is, none shows a secret, and what is accepted can be stored.

use std::sync::LazyLock;

use xos_model_client::tosca::{Recipe, RecipeFault};
use xos_model_client::{Schema, models};

use crate::choices::{Choices, damaged, words};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(models::core_models()).unwrap());

/// Stands where only a secret stands.
const SECRET: &str = "hunter2";

const WORDS: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    "\n      ",
    "\n        ",
    "- ",
    ": ",
    ":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "tosca_definitions_version",
    "tosca_simple_yaml_1_0",
    "topology_template",
    "node_templates",
    "type",
    "tosca.nodes.Site",
    "tosca.nodes.",
    "properties",
    "requirements",
    "name",
    "must-exist",
    "node",
    "relationship",
    "owner",
    "true",
    "yes",
    "null",
    "~",
    "1",
    "-1.5",
    ".nan",
    ".inf",
    "1e400",
    "0x1F",
    "0o17",
    "99999999999999999999",
    "''",
    "'",
    "\"",
    "\"\\x41\\u263a\"",
    "|\n",
    ">-\n",
    "# c",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "!!binary ",
    "!x ",
    "? ",
    "---",
    "...",
    "%YAML 1.2",
    "\t",
    "\r\n",
    "é",
    "\u{0}",
    "\u{feff}",
    "\u{2028}",
    "@",
    "`",
    "2024-05-01",
    "12:30:45",
    "1_000",
    "description",
    "inputs",
    "imports",
];

const TYPES: &[&str] = &[
    "Site",
    "Service",
    "ServiceInstance",
    "User",
    "Slice",
    "Network",
    "NetworkTemplate",
    "Privilege",
    "XOSBase",
    "Nope",
    "ServiceGraphConstraint",
    "AddressPool",
    "ServiceInstanceLink",
    "Port",
    "Tag",
];

const SAMPLES: &[&str] = &[include_str!("recipe/hello-world.yaml"), include_str!("recipe/everything.yaml")];

#[test]
fn fuzz() {
    bolero::check!().with_iterations(3_000).for_each(|bytes: &[u8]| {
        let mut choices = Choices(bytes);
        match choices.below(4) {
            0 => check(&choices.text(), false),
            1 => check(&words(&mut choices, WORDS), false),
            2 => {
                let mut grammar = Grammar { choices, text: String::new(), nodes: 0 };
                grammar.file();
                check(&grammar.text, true);
            }
            _ => {
                let sample = choices.below(SAMPLES.len());
                check(&damaged(&mut choices, SAMPLES[sample], WORDS), false);
            }
        }
    });
}

/// Reads a text and compares it with the models. In some texts a secret stands only where it is known to be one.
pub(crate) fn check(text: &str, secret_is_known: bool) {
    let recipe = match Recipe::parse(text, "r.yaml") {
        Ok(recipe) => recipe,
        Err(fault) => return check_fault(text, &fault, secret_is_known),
    };
    assert_eq!(recipe.file(), "r.yaml");
    let shown = format!("{recipe:?}");
    for (node, model) in recipe.nodes().take(3) {
        assert!(shown.contains(&format!("{node:?}: {model:?}")));
    }
    assert!(!secret_is_known || !shown.contains(SECRET), "{shown}");
    match recipe.check(&SCHEMA) {
        Ok(()) => assert!(!recipe.nodes().any(|(_, model)| SCHEMA.model(model).is_none())),
        Err(fault) => check_fault(text, &fault, secret_is_known),
    }
}

fn check_fault(text: &str, fault: &RecipeFault, secret_is_known: bool) {
    assert!(!fault.faults().is_empty());
    let said = fault.to_string();
    assert!(!secret_is_known || !said.contains(SECRET), "it shows the secret: {said}\n{text}");
    // A line ends as YAML has it: `\n`, `\r` or both.
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = lines.split('\n').collect();
    for one in fault.faults() {
        assert!(!one.problem.is_empty());
        let (Some(line), Some(column)) = (one.line, one.column) else { panic!("nowhere: {said}\n{text:?}") };
        // What is missing at the end is missed one line behind it.
        let there =
            lines.get(line as usize - 1).copied().or((line as usize == lines.len() + 1).then_some(""));
        let Some(there) = there else { panic!("there are {} lines: {said}\n{text:?}", lines.len()) };
        let columns = there.chars().count() + 1;
        assert!((1..=columns).contains(&(column as usize)), "{columns} columns: {said}\n{text:?}");
    }
}

/// A recipe, but for mistakes here and there; its lines stand where they belong, so that a secret is known to be one.
struct Grammar<'a> {
    choices: Choices<'a>,
    text: String,
    nodes: usize,
}

impl Grammar<'_> {
    fn line(&mut self, indent: usize, key: &str, value: &str) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str(key);
        self.text.push(':');
        if !value.is_empty() {
            self.text.push(' ');
            self.text.push_str(value);
        }
        self.text.push('\n');
    }

    fn file(&mut self) {
        if !self.choices.one_in(30) {
            self.line(0, "tosca_definitions_version", "tosca_simple_yaml_1_0");
        }
        if self.choices.one_in(4) {
            self.line(0, "description", "what it makes");
        }
        self.line(0, "topology_template", "");
        self.line(2, "node_templates", "");
        while !self.choices.is_over() {
            self.node();
        }
    }

    fn node(&mut self) {
        let name = match self.choices.below(12) {
            0 => "site".to_owned(),
            1 => "2".to_owned(),
            _ => format!("n{}", self.nodes),
        };
        self.nodes += 1;
        self.line(4, &name, "");
        let model = self.choices.pick(TYPES);
        self.line(6, "type", &format!("tosca.nodes.{model}"));
        self.line(6, "properties", "");
        while !self.choices.is_over() && !self.choices.one_in(4) {
            self.property(model);
        }
        if self.choices.one_in(2) {
            self.line(6, "requirements", "");
            while !self.choices.is_over() && !self.choices.one_in(3) {
                self.requirement();
            }
        }
    }

    fn property(&mut self, model: &str) {
        if self.choices.one_in(6) {
            let secret = match self.choices.below(8) {
                0 => SECRET.to_owned(),
                1 => format!("'{SECRET}'"),
                2 => format!("{{{SECRET}: {SECRET}}}"),
                3 => format!("[{SECRET}, 1]"),
                4 => format!("|\n          {SECRET}"),
                5 => format!("'{SECRET}"),
                6 => format!("\"{SECRET}\\q\""),
                _ => format!("@{SECRET}"),
            };
            // Of `User` it is a secret; all others have no such property.
            return self.line(8, if model == "User" { "password" } else { "pasword" }, &secret);
        }
        let own: Vec<&str> = SCHEMA
            .model(model)
            .map(|model| model.fields.iter().map(|field| field.def.name.as_ref()).collect())
            .unwrap_or_default();
        let key = match self.choices.below(8) {
            0 => "name",
            1 => "must-exist",
            2 | 3 if own.is_empty() => "nme",
            _ if own.is_empty() => "name",
            _ => own[self.choices.below(own.len())],
        };
        let value = self.choices.pick(&[
            "a",
            "true",
            "no",
            "5",
            "-1",
            "1.5",
            "''",
            "'a b'",
            "\"\\u00e9\"",
            "null",
            "~",
            "",
            "[a, b]",
            "{a: b}",
            ".nan",
            ".inf",
            "-.inf",
            "1e400",
            "1e39",
            "4294967295",
            "99999999999999999999999999999999999999999",
            "10.0.0.0/24",
            "::1",
            "2024-05-01T12:00:00Z",
            "2024-99-01",
            "'[\"a\"]'",
            "&x a",
            "*x",
            "!!str 5",
            "|\n          text",
            "é",
        ]);
        self.line(8, key, value);
    }

    fn requirement(&mut self) {
        let link = self
            .choices
            .pick(&["owner", "site", "slice", "network", "user", "- owner", "template", "provider"]);
        let target = self.choices.below(self.nodes + 2);
        let (key, value) = match self.choices.below(6) {
            0 => (format!("- {link}"), format!("n{target}")),
            1 => (format!("- {link}"), format!("{{relationship: x, node: n{target}}}")),
            2 => (format!("- {link}"), "{relationship: tosca.relationships.BelongsToOne}".to_owned()),
            3 => (link.to_owned(), format!("{{node: n{target}}}")),
            _ => (format!("- {link}"), format!("{{node: n{target}}}")),
        };
        self.line(8, &key, &value);
    }
}
