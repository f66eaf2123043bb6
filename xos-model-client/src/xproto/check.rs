//! Whether a core would take what a document says, and whether the generator's lint would.

mod links;
mod lint;
mod names;

use std::collections::{HashMap, HashSet};

use super::document::{Document, Field, Item, Link, Message, Part, Place, Policy, Scope, Setting};
use super::fault::{Finding, Findings, Rule, Severity};
use super::models::{MIXINS, last_name};
use super::value::Value;
use crate::error::closest;
use crate::model::ModelDef;
use crate::models::core_models;

/// How many models a chain of bases may have: with more, numbers of fields would reach those of the ways back.
const LONGEST_CHAIN: usize = 9;

/// The policies that a core 4.0.4 declares.
const CORE_POLICIES: &[&str] = &[
    "admin_policy",
    "grant_policy",
    "network_policy",
    "network_slice_policy",
    "network_slice_validator",
    "port_policy",
    "service_policy",
    "site_policy",
    "slice_has_creator",
    "slice_name_no_spaces",
    "slice_policy",
    "tag_policy",
    "user_policy",
];

impl Document {
    /// What a core 4.0.4 without other services, or `xosgenx --lint --strict-validation`, would not accept.
    ///
    /// A text with [`refusals`](Findings::refusals) must not be sent: the core's generator would fail on it, and the
    /// core would not come up again.
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_model_client::xproto;
    ///
    /// let text = "option app_label = \"a\";\nmessage A (ServiceInstanc) { required string b = 1 [text = True]; }";
    /// let findings = xproto::parse("a.xproto", text)?.check();
    /// assert_eq!(
    ///     findings.to_string(),
    ///     "[ERROR] a.xproto:2:9 A: its base `ServiceInstanc` is no model of the core, and none of this text; did you \
    ///      mean `ServiceInstance`?"
    /// );
    /// assert_eq!(findings.refusals().count(), 1);
    /// # Ok::<(), xproto::SyntaxErrors>(())
    /// ```
    pub fn check(&self) -> Findings {
        self.check_against(core_models())
    }

    /// What a core that has these models, or `xosgenx --lint --strict-validation`, would not accept.
    ///
    /// Models of the same name and `app_label` are taken to be replaced.
    pub fn check_against<'a, 'k: 'a>(&'a self, known: impl IntoIterator<Item = &'k ModelDef>) -> Findings {
        let mut checker = Checker::new(self, known);
        checker.files();
        checker.models();
        checker.links();
        let mut found = checker.found;
        found.sort_by_key(|finding| (finding.place.file, finding.place.line, finding.place.column));
        Findings(found)
    }
}

/// What is known while a document is checked.
struct Checker<'a> {
    document: &'a Document,
    scope: Scope<'a>,
    /// Models of the core, but for those that the document replaces.
    known: HashMap<&'a str, &'a ModelDef>,
    /// Messages of the document, with the names of their fields.
    own: HashMap<&'a str, Own<'a>>,
    /// Policies that were declared so far.
    policies: HashSet<&'a str>,
    found: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn new<'k: 'a>(document: &'a Document, known: impl IntoIterator<Item = &'k ModelDef>) -> Self {
        let scope = document.scope();
        let known = known.into_iter().map(|model| (model.name.as_ref(), model)).collect();
        let own = |message: &'a Message| {
            let names = fields(message).map(|(name, _)| name).collect();
            (message.name.as_str(), Own { message, names })
        };
        let own = document.messages().map(own).collect();
        Checker { document, scope, known, own, policies: HashSet::new(), found: Vec::new() }
    }

    fn add(
        &mut self,
        (severity, rule): (Severity, Rule),
        (of, field, place): (&str, Option<&str>, Place),
        message: String,
    ) {
        self.found.push(Finding {
            severity,
            rule,
            file: self.document.file_name(place),
            place,
            of: of.to_owned(),
            field: field.map(str::to_owned),
            message,
        });
    }

    /// The core would refuse it, or fail on it.
    fn refuse(&mut self, of: &str, field: Option<&str>, place: Place, message: impl Into<String>) {
        self.add((Severity::Error, Rule::Core), (of, field, place), message.into());
    }

    /// The core would take it, but hardly as it is meant.
    fn doubt(&mut self, of: &str, field: Option<&str>, place: Place, message: impl Into<String>) {
        self.add((Severity::Warning, Rule::Core), (of, field, place), message.into());
    }

    /// What stands outside of messages.
    fn files(&mut self) {
        for (at, file) in self.document.files.iter().enumerate() {
            if let Some((line, column, found)) = not_ascii(&file.text) {
                let place = Place { file: at as u32, line, column };
                self.refuse(
                    &file.name,
                    None,
                    place,
                    format!("xproto is ASCII only, found `{found}`; rewrite it"),
                );
            }
        }
        for item in self.document.items() {
            match item {
                Item::Option(option) => self.option("option", option),
                Item::Policy(policy) => self.policy(policy),
                Item::Extend(extend) => {
                    let help = "the core's generator loses its fields; write them into the message";
                    self.refuse(&format!("extend {}", extend.name), None, extend.place, help);
                }
                Item::Map(lambda) | Item::Reduce(lambda) if !lambda.body.starts_with("lambda") => {
                    let help = "must start with `<lambda`, without a space between, as it is read as Python";
                    self.refuse(&lambda.name, None, lambda.place, help);
                }
                _ => {}
            }
        }
    }

    /// An option of a file or message.
    fn option(&mut self, of: &str, option: &Setting) {
        if matches!(option.value, Value::Number(_) | Value::True | Value::False) {
            let Setting { name, value, place } = option;
            let help = format!(
                "the core's generator fails on `{name} = {value}`; write `True`, `False` or a text in double quotes"
            );
            self.refuse(of, None, *place, help);
        }
    }

    fn policy(&mut self, policy: &'a Policy) {
        let mut calls = Vec::new();
        policy.formula.calls(&mut calls);
        // A policy may call itself, and those before it.
        let again = !self.policies.insert(&policy.name);
        if again {
            self.doubt(&policy.name, None, policy.place, "is declared already; the last one counts");
        }
        for called in calls {
            if !self.policies.contains(called) {
                let message = format!("calls the policy `{called}`, which is not declared before it");
                self.refuse(&policy.name, None, policy.place, message);
            }
        }
    }

    /// A policy that a message names.
    fn named_policy(&mut self, message: &Message, policy: &str, place: Place) {
        if self.policies.contains(policy) {
            return;
        }
        if CORE_POLICIES.contains(&policy) {
            let help = format!("the policy `{policy}` is one of the core's; declare it in this text too");
            self.doubt(&message.name, None, place, help);
            return;
        }
        let like = if self.found.len() < MOST_HINTS {
            closest(policy, self.policies.iter().copied().chain(CORE_POLICIES.iter().copied()))
        } else {
            None
        };
        self.refuse(
            &message.name,
            None,
            place,
            format!("the policy `{policy}` is not declared{}", hint(like)),
        );
    }

    /// Each message by itself.
    fn models(&mut self) {
        let mut lower_case = HashMap::new();
        for at in self.scope.messages.clone() {
            let message = at.1;
            self.replace(at);
            if let Some(twin) = lower_case.insert(message.name.to_ascii_lowercase(), &message.name) {
                let help = format!("`{twin}` is there already; names must differ, and not in capitals only");
                self.refuse(&message.name, None, message.place, help);
            }
        }
        for at in self.scope.messages.clone() {
            self.message(at);
        }
    }

    /// A model of the core that has the name of this one is either replaced by it, or in its way.
    fn replace(&mut self, at: (usize, &'a Message)) {
        let message = at.1;
        let Some(known) = self.known.get(message.name.as_str()) else { return };
        let label = self.scope.option(at, "app_label").or_else(|| self.scope.option(at, "name"));
        let same =
            label.and_then(|label| label.value.as_text()).is_some_and(|label| label == known.app_label);
        if same {
            self.known.remove(message.name.as_str());
        } else {
            let help =
                format!("the service `{}` has a model of this name; give this one another", known.app_label);
            self.refuse(&message.name, None, message.place, help);
        }
    }

    fn message(&mut self, at: (usize, &'a Message)) {
        let message = at.1;
        let name = message.name.as_str();
        self.model_name(message);
        if self.scope.option(at, "app_label").or_else(|| self.scope.option(at, "name")).is_none() {
            let help = "has no app_label; write `option app_label = \"service-name\";` at the top";
            self.doubt(name, None, message.place, help);
        }
        self.bases(message);
        if let Some(policy) = &message.policy {
            self.named_policy(message, policy, message.place);
        }
        if let Some(validators) = self.scope.option(at, "validators") {
            self.validators(message, validators);
        }
        if let Some(owner) = self.scope.option(at, "owner_class_name") {
            let class = owner.value.as_text().unwrap_or_default();
            if !self.is_model(&class) {
                let help = format!("its owner class `{class}` {}{}", NO_MODEL, hint(self.like(&class)));
                self.refuse(name, None, owner.place, help);
            }
        }
        for part in &message.parts {
            match part {
                Part::Option(option) => self.option(name, option),
                Part::Field(field) => self.field(message, field),
                Part::Link(link) => self.link(message, link),
                Part::Message(inner) => {
                    let help = "the core's generator mixes up messages within messages; move it out";
                    self.refuse(&inner.name, None, inner.place, help);
                }
                Part::Extend(extend) => {
                    let help = "the core's generator mixes up what is extended within a message; move it out";
                    self.refuse(&format!("extend {}", extend.name), None, extend.place, help);
                }
                Part::Enum(_) | Part::Extensions { .. } => {}
            }
        }
        self.numbers_and_names(message);
    }

    fn field(&mut self, message: &Message, field: &Field) {
        self.lint_field(message, field);
        let at = (message, field.name.as_str());
        self.own_number(at, &field.number, field.place);
        self.options(at, &field.options, &field.kind);
    }

    fn bases(&mut self, message: &'a Message) {
        let mut models = 0;
        for base in message.bases.iter().map(|base| last_name(base)) {
            if self.is_model(base) {
                models += 1;
            } else if !MIXINS.contains(&base) {
                let help = format!("its base `{base}` {}{}", NO_MODEL, hint(self.like(base)));
                self.refuse(&message.name, None, message.place, help);
            }
        }
        let is_root =
            message.bases.iter().any(|base| MIXINS.contains(&base.as_str())) || message.name == "XOSBase";
        if models == 0 && message.bases.is_empty() && !is_root {
            let help = "has no base; write `(XOSBase)`, `(Service)` or `(ServiceInstance)` behind its name";
            self.refuse(&message.name, None, message.place, help);
        }
        match self.chain(message) {
            Chain::Ends(_) => {}
            Chain::Circle => {
                self.refuse(&message.name, None, message.place, "inherits from itself");
            }
            Chain::Long => {
                let help =
                    format!("has more than {LONGEST_CHAIN} bases above each other; the numbers do not reach");
                self.refuse(&message.name, None, message.place, help);
            }
        }
    }

    /// The models above a message, nearest first.
    fn chain(&self, message: &'a Message) -> Chain<'a> {
        let mut chain: Vec<Level<'a>> = Vec::new();
        let mut level = Some(Level::Own(message));
        while let Some(now) = level {
            level = match now {
                Level::Own(message) => message.bases.iter().find_map(|base| self.level(last_name(base))),
                Level::Known(model) => model.base.as_deref().and_then(|base| self.level(base)),
            };
            if let Some(next) = level {
                if next.name() == message.name {
                    return Chain::Circle;
                }
                if chain.len() >= LONGEST_CHAIN {
                    return Chain::Long;
                }
                chain.push(next);
            }
        }
        Chain::Ends(chain)
    }

    fn level(&self, name: &str) -> Option<Level<'a>> {
        match self.own.get(name) {
            Some(own) => Some(Level::Own(own.message)),
            None => self.known.get(name).map(|model| Level::Known(model)),
        }
    }

    /// Whether a model has a field of its own with that name.
    fn has(&self, level: Level<'a>, name: &str) -> bool {
        match level {
            Level::Own(message) => {
                self.own.get(message.name.as_str()).is_some_and(|own| own.names.contains(name))
            }
            Level::Known(model) => model.fields.iter().any(|field| field.name == name),
        }
    }

    fn is_model(&self, name: &str) -> bool {
        self.level(name).is_some()
    }

    /// A model with a name like this. To look for one takes a while, so that only the first mistakes get a hint.
    fn like(&self, name: &str) -> Option<String> {
        if self.found.len() >= MOST_HINTS {
            return None;
        }
        closest(name, self.own.keys().chain(self.known.keys()).copied())
    }

    fn validators(&mut self, message: &Message, option: &Setting) {
        let all = option.value.as_text().unwrap_or_default().into_owned();
        for one in all.split(',') {
            match one.split_once(':') {
                Some((policy, words)) if !words.contains(':') => {
                    self.named_policy(message, policy.trim(), option.place);
                }
                _ => {
                    let help = format!(
                        "validators are written `policy:message, policy:message`, without `,` and `:` in a message; \
                         found `{}`",
                        one.trim()
                    );
                    self.refuse(&message.name, None, option.place, help);
                }
            }
        }
    }
}

/// How many findings there may be before hints are left out.
const MOST_HINTS: usize = 20;
const NO_MODEL: &str = "is no model of the core, and none of this text";

/// "did you mean", when there is a name like it.
fn hint(like: Option<String>) -> String {
    like.map(|like| format!("; did you mean `{like}`?")).unwrap_or_default()
}

/// A message of the document.
struct Own<'a> {
    message: &'a Message,
    names: HashSet<&'a str>,
}

/// One model of a chain.
#[derive(Copy, Clone)]
enum Level<'a> {
    Own(&'a Message),
    Known(&'a ModelDef),
}

impl<'a> Level<'a> {
    fn name(self) -> &'a str {
        match self {
            Level::Own(message) => &message.name,
            Level::Known(model) => &model.name,
        }
    }
}

enum Chain<'a> {
    Ends(Vec<Level<'a>>),
    Circle,
    Long,
}

/// The names of a message's fields and links, with their places.
fn fields(message: &Message) -> impl Iterator<Item = (&str, Place)> {
    message.parts.iter().filter_map(|part| match part {
        Part::Field(Field { name, place, .. }) | Part::Link(Link { name, place, .. }) => {
            Some((name.as_str(), *place))
        }
        _ => None,
    })
}

/// The first character that is not ASCII, with its line and column.
fn not_ascii(text: &str) -> Option<(u32, u32, char)> {
    let (at, found) = text.char_indices().find(|(_, char)| !char.is_ascii())?;
    let before = &text[..at];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = at - before.rfind('\n').map_or(0, |end| end + 1) + 1;
    Some((line as u32, column as u32, found))
}
