//! From the text of a policy to a formula whose names are resolved.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use xos_model_client::xproto::{Document, Formula, Term};
use xos_model_client::{Kind, ModelInfo, Schema, Shape, ShapeField};

use super::Access;
use super::node::{Ctx, Exists, Expr, Node, Start, Step, Tri, Val};

/// So many policies may call one another in a chain.
const DEEPEST: usize = 16;

/// So many parts a formula may have, with those of the policies that it calls.
const LARGEST: usize = 10_000;

/// The policies of the core, under the name that no service has.
pub(super) const CORE: &str = "";

/// The texts of policies, by the service that brought them.
#[derive(Debug, Default)]
pub(super) struct Texts {
    scopes: HashMap<String, Scope>,
}

#[derive(Debug)]
struct Scope {
    policies: HashMap<String, Formula>,
    models: HashSet<String>,
}

impl Texts {
    /// Takes the policies of a service, in place of those that it brought before.
    pub(super) fn learn(&mut self, service: &str, document: &Document) {
        let policies = document.policies().map(|policy| (policy.name.clone(), policy.formula.clone()));
        let models = document.messages().map(|message| message.name.clone());
        let scope = Scope { policies: policies.collect(), models: models.collect() };
        self.scopes.insert(service.to_owned(), scope);
    }

    pub(super) fn forget(&mut self, service: &str) {
        self.scopes.remove(service);
    }

    /// The policies of a service that cannot be evaluated, each with the reason.
    pub(super) fn mistakes(&self, service: &str) -> Vec<(String, String)> {
        let Some(scope) = self.scopes.get(service) else { return Vec::new() };
        let mut mistakes = Vec::new();
        for (name, formula) in &scope.policies {
            if let Some(problem) = self.mistake(service, formula) {
                mistakes.push((name.clone(), problem));
            }
        }
        mistakes.sort();
        mistakes
    }

    fn mistake(&self, service: &str, formula: &Formula) -> Option<String> {
        let term = |term: &Term| match term {
            Term::Python(python) => Some(python_problem(python)),
            Term::Call { policy, .. } if self.find(service, policy).is_none() => {
                Some(format!("there is no policy {policy}"))
            }
            _ => None,
        };
        match formula {
            Formula::Term(one) => term(one),
            Formula::Equal(one, other) | Formula::In(one, other) => term(one).or_else(|| term(other)),
            Formula::Not(inner) => self.mistake(service, inner),
            Formula::And(parts) | Formula::Or(parts) => {
                parts.iter().find_map(|part| self.mistake(service, part))
            }
            Formula::Implies(when, then) => {
                self.mistake(service, when).or_else(|| self.mistake(service, then))
            }
            Formula::Exists { body, .. } | Formula::ForAll { body, .. } => self.mistake(service, body),
        }
    }

    /// The policy of that name, as a service means it: its own, or the core's.
    fn find<'a>(&'a self, service: &'a str, name: &str) -> Option<(&'a str, &'a Formula)> {
        [service, CORE]
            .into_iter()
            .find_map(|scope| Some((scope, self.scopes.get(scope)?.policies.get(name)?)))
    }

    /// The service that a model is declared by.
    fn service_of(&self, model: &str) -> &str {
        let found = self.scopes.iter().find(|(_, scope)| scope.models.contains(model));
        found.map_or(CORE, |(service, _)| service)
    }
}

fn python_problem(python: &str) -> String {
    format!("{{{{ {python} }}}} is Python, which is not run here")
}

/// The policy of a model, ready.
#[derive(Debug)]
pub(super) struct Compiled {
    /// Its name.
    pub(super) name: String,
    pub(super) node: Node,
    /// What of it cannot be evaluated, and why.
    pub(super) problems: Vec<String>,
    /// Whether it lets everybody, and every administrator, read and write all objects.
    everybody: [bool; 2],
    administrators: [bool; 2],
}

impl Compiled {
    pub(super) fn is_open(&self, access: Access, is_admin: bool) -> bool {
        let whom = if is_admin { self.administrators } else { self.everybody };
        whom[usize::from(access == Access::Write)]
    }
}

/// The policy of a model, or of the nearest one that it inherits from; `None` when none has one.
pub(super) fn compile(schema: &Schema, texts: &Texts, model: &ModelInfo) -> Option<Compiled> {
    let declared = model.chain.iter().rev().filter_map(|id| schema.by_id(*id));
    let (declaring, name) =
        declared.into_iter().find_map(|model| Some((model, model.def.policy.as_ref()?.to_string())))?;
    let mut compiler = Compiler { schema, texts, problems: Vec::new(), left: LARGEST };
    let node = compiler.policy(texts.service_of(declaring.name()), &name, model, 0);
    let open = |is_admin| {
        [Access::Read, Access::Write].map(|access| {
            let open = node.specialise(&Ctx { access, is_admin, user: None });
            matches!(open, Node::Known(Tri::True))
        })
    };
    let (everybody, administrators) = (open(false), open(true));
    Some(Compiled { name, problems: compiler.problems, everybody, administrators, node })
}

struct Compiler<'a> {
    schema: &'a Schema,
    texts: &'a Texts,
    problems: Vec<String>,
    left: usize,
}

/// Where a formula stands.
struct Place<'a> {
    service: &'a str,
    object: &'a ModelInfo,
    /// What `exists` and `forall` around it speak of.
    bound: Vec<&'a ModelInfo>,
    calls: usize,
}

impl<'a> Compiler<'a> {
    fn policy(&mut self, service: &'a str, name: &str, object: &'a ModelInfo, calls: usize) -> Node {
        let Some((service, formula)) = self.texts.find(service, name) else {
            return self.problem(format!("there is no policy {name}"));
        };
        if calls > DEEPEST {
            return self.problem(format!("{name} is called through more than {DEEPEST} others"));
        }
        self.formula(formula, &mut Place { service, object, bound: Vec::new(), calls })
    }

    fn problem(&mut self, problem: String) -> Node {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        Node::Known(Tri::Unknown)
    }

    fn formula(&mut self, formula: &'a Formula, place: &mut Place<'a>) -> Node {
        let Some(left) = self.left.checked_sub(1) else {
            return self.problem(format!("it has more than {LARGEST} parts"));
        };
        self.left = left;
        match formula {
            Formula::Term(Term::Call { policy, argument }) => self.call(policy, argument, place),
            Formula::Term(term) => match self.term(term, place) {
                Expr::Known(value) => Node::Known(value.truth()),
                expr => Node::Truth(expr),
            },
            Formula::Equal(one, other) => Node::Equal(self.term(one, place), self.term(other, place)),
            Formula::In(one, list) => Node::In(self.term(one, place), self.term(list, place)),
            Formula::Not(inner) => self.formula(inner, place).not(),
            Formula::And(parts) => {
                let parts: Vec<Node> = parts.iter().map(|part| self.formula(part, place)).collect();
                Node::all(parts)
            }
            Formula::Or(parts) => {
                let parts: Vec<Node> = parts.iter().map(|part| self.formula(part, place)).collect();
                Node::any(parts)
            }
            Formula::Implies(when, then) => {
                let parts = [self.formula(when, place).not(), self.formula(then, place)];
                Node::any(parts)
            }
            Formula::Exists { variable, body } => self.exists(variable, body, place, false),
            Formula::ForAll { variable, body } => self.exists(variable, body, place, true).not(),
        }
    }

    /// There is an object for which the formula holds, or, `inverted`, for which it does not.
    fn exists(&mut self, variable: &str, body: &'a Formula, place: &mut Place<'a>, inverted: bool) -> Node {
        let Some(model) = self.schema.model(variable).filter(|model| !model.def.is_abstract) else {
            return self.problem(format!("there is no model {variable}"));
        };
        let depth = place.bound.len();
        place.bound.push(model);
        let body = self.formula(body, place);
        place.bound.pop();
        let body = if inverted { body.not() } else { body };
        let mut terms = Vec::new();
        body.terms(&mut terms);
        let mut names = vec!["id".to_owned()];
        for term in terms {
            if let Expr::Path { start: Start::Bound(at), steps, .. } = term
                && *at == depth
                && let Some(step) = steps.first()
                && !names.iter().any(|name| *name == step.field)
            {
                names.push(step.field.to_string());
            }
        }
        let fields = names.iter().filter_map(|name| {
            let field = &model.field(name)?.def;
            Some(ShapeField { name: field.name.clone(), kind: field.kind })
        });
        let shape = Arc::new(Shape::new(model.name().clone(), fields));
        let expires = model.name() == "Privilege" && model.def.app_label == "core";
        Node::Exists(Box::new(Exists { depth, shape, expires, body }))
    }

    fn call(&mut self, policy: &str, argument: &str, place: &mut Place<'a>) -> Node {
        // The field of the object; with or without the object's name before it.
        let path = if argument.split('.').next() == Some("obj") {
            argument.to_owned()
        } else {
            format!("obj.{argument}")
        };
        let expr = self.path(&path, place);
        let Expr::Path { steps, .. } = &expr else { return Node::Known(Tri::Unknown) };
        let target = match steps.last() {
            None => Some(place.object),
            Some(Step { kind: Kind::Link, target: Some((model, _)), .. }) => self.schema.by_id(*model),
            Some(_) => None,
        };
        let Some(target) = target else {
            return self.problem(format!("{argument} in *{policy}({argument}) is no link to one object"));
        };
        let inner = self.policy(place.service, policy, target, place.calls + 1);
        Node::Of(expr, Arc::new(inner))
    }

    fn term(&mut self, term: &Term, place: &Place<'a>) -> Expr {
        match term {
            Term::True => Expr::Known(Val::Bool(true)),
            Term::False => Expr::Known(Val::Bool(false)),
            Term::Number(number) => match number.as_int() {
                Some(int) => Expr::Known(Val::Int(int)),
                None => self.unknown(format!("{number} is no integer")),
            },
            Term::Text(text) => Expr::Known(Val::Text(text.text().into_owned())),
            Term::Path(path) => self.path(path, place),
            Term::Python(python) => self.unknown(python_problem(python)),
            Term::Call { policy, .. } => self.unknown(format!("*{policy}(..) stands where a value does")),
        }
    }

    fn unknown(&mut self, problem: String) -> Expr {
        self.problem(problem);
        Expr::Known(Val::Unknown)
    }

    fn path(&mut self, path: &str, place: &Place<'a>) -> Expr {
        let mut names = path.split('.');
        let (start, mut model) = match names.next() {
            Some("obj") => (Start::Object, place.object),
            Some("ctx") => match names.next() {
                Some("write_access") => return self.end(names, path, Expr::Wants(Access::Write)),
                Some("read_access") => return self.end(names, path, Expr::Wants(Access::Read)),
                // Nobody asks for the right to grant: a privilege is written like any object.
                Some("grant_access") => return self.end(names, path, Expr::Known(Val::Bool(false))),
                Some("user") => match self.schema.model("User") {
                    Some(user) => (Start::User, user),
                    None => return self.unknown("there is no model User".to_owned()),
                },
                _ => {
                    return self.unknown(format!(
                        "{path}: of the call only user, write_access and read_access are known"
                    ));
                }
            },
            Some(name) => match place.bound.iter().rposition(|model| model.name() == name) {
                Some(depth) => (Start::Bound(depth), place.bound[depth]),
                None => {
                    return self.unknown(format!(
                        "{path} begins neither with obj nor ctx, nor with what exists speaks of"
                    ));
                }
            },
            None => return self.unknown("a path is empty".to_owned()),
        };
        let (first, root) = (model.id, model.root);
        let mut steps: Vec<Step> = Vec::new();
        for name in names {
            if steps.last().is_some_and(|step| step.kind != Kind::Link) {
                return self.unknown(format!("{path}: nothing follows what is no link to one object"));
            }
            let Some(field) = model.field(if name == "pk" { "id" } else { name }) else {
                return self.unknown(format!("{path}: {} has no field {name}", model.name()));
            };
            let target = field.target.and_then(|target| self.schema.by_id(target));
            steps.push(Step {
                field: field.def.name.clone(),
                kind: field.def.kind,
                target: target.map(|target| (target.id, target.root)),
            });
            if let Some(target) = target {
                model = target;
                if name != field.def.name && field.def.kind == Kind::Link {
                    // `site_id` is `site.id`.
                    steps.push(Step { field: "id".into(), kind: Kind::Int32, target: None });
                }
            }
        }
        Expr::Path { start, model: first, root, steps }
    }

    fn end<'n>(&mut self, mut rest: impl Iterator<Item = &'n str>, path: &str, expr: Expr) -> Expr {
        if rest.next().is_none() { expr } else { self.unknown(format!("{path}: nothing follows it")) }
    }
}
