//! Formulas that are ready to be evaluated: names resolved, what is known of the caller put in.

use std::collections::BTreeSet;
use std::sync::Arc;

use xos_model_client::{FieldName, Kind, ModelId, ObjectId, Shape};

use super::Access;
use crate::server::users::Person;

/// True, false, or not to be told: then nothing is allowed, whatever stands around it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tri {
    False,
    Unknown,
    True,
}

impl Tri {
    pub(super) fn not(self) -> Self {
        match self {
            Tri::True => Tri::False,
            Tri::False => Tri::True,
            Tri::Unknown => Tri::Unknown,
        }
    }
}

impl From<bool> for Tri {
    fn from(value: bool) -> Self {
        if value { Tri::True } else { Tri::False }
    }
}

/// What a term is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Val {
    /// It cannot be told.
    Unknown,
    /// Nothing: equal to nothing, not even to itself.
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    /// An object: the root of its model, and its id.
    Object(ModelId, ObjectId),
    Objects(ModelId, Vec<ObjectId>),
    /// A time or a fraction: only whether there is one.
    Other,
}

impl Val {
    pub(super) fn truth(&self) -> Tri {
        match self {
            Val::Unknown => Tri::Unknown,
            Val::Null => Tri::False,
            Val::Bool(value) => (*value).into(),
            Val::Int(value) => (*value != 0).into(),
            Val::Text(text) => (!text.is_empty()).into(),
            Val::Object(..) | Val::Other => Tri::True,
            Val::Objects(_, ids) => (!ids.is_empty()).into(),
        }
    }

    /// Whether both are the same. Things that cannot be compared are a mistake of the formula.
    pub(super) fn equal(&self, other: &Val) -> Tri {
        match (self, other) {
            (Val::Unknown, _) | (_, Val::Unknown) => Tri::Unknown,
            (Val::Null, _) | (_, Val::Null) => Tri::False,
            (Val::Bool(one), Val::Bool(other)) => (one == other).into(),
            (Val::Int(one), Val::Int(other)) => (one == other).into(),
            (Val::Text(one), Val::Text(other)) => (one == other).into(),
            (Val::Object(root, one), Val::Object(other_root, other)) => {
                (root == other_root && one == other).into()
            }
            (Val::Object(_, id), Val::Int(int)) | (Val::Int(int), Val::Object(_, id)) => {
                (i64::from(id.get()) == *int).into()
            }
            _ => Tri::Unknown,
        }
    }

    /// Whether it is one of a list.
    pub(super) fn within(&self, list: &Val) -> Tri {
        match (self, list) {
            (Val::Null, Val::Objects(..)) | (_, Val::Null) => Tri::False,
            (Val::Object(root, id), Val::Objects(roots, ids)) => (root == roots && ids.contains(id)).into(),
            (Val::Int(int), Val::Objects(_, ids)) => ids.iter().any(|id| i64::from(id.get()) == *int).into(),
            _ => Tri::Unknown,
        }
    }
}

/// Where a path begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// `obj`
    Object,
    /// `ctx.user`
    User,
    /// What `exists` or `forall` speaks of, by how deep it stands.
    Bound(usize),
}

/// One name of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) field: FieldName,
    pub(super) kind: Kind,
    /// Where a link leads: the model, and the root of it.
    pub(super) target: Option<(ModelId, ModelId)>,
}

/// A term.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Known(Val),
    /// Whether the caller wants to do this.
    Wants(Access),
    Path {
        start: Start,
        model: ModelId,
        root: ModelId,
        steps: Vec<Step>,
    },
}

/// What can be compared in a set of rows.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Bool,
    Int,
    Text,
    Object(ModelId),
}

impl Expr {
    pub(super) fn sort(&self) -> Option<Sort> {
        match self {
            Expr::Known(Val::Bool(_)) | Expr::Wants(_) => Some(Sort::Bool),
            Expr::Known(Val::Int(_)) => Some(Sort::Int),
            Expr::Known(Val::Text(_)) => Some(Sort::Text),
            Expr::Known(Val::Object(root, _)) => Some(Sort::Object(*root)),
            Expr::Known(_) => None,
            Expr::Path { root, steps, .. } => match steps.last() {
                None => Some(Sort::Object(*root)),
                Some(Step { target: Some((_, root)), kind: Kind::Link, .. }) => Some(Sort::Object(*root)),
                Some(step) => match step.kind {
                    Kind::Bool => Some(Sort::Bool),
                    Kind::Int32 | Kind::UInt32 => Some(Sort::Int),
                    kind if kind.is_text() => Some(Sort::Text),
                    _ => None,
                },
            },
        }
    }

    fn start(&self) -> Option<Start> {
        if let Expr::Path { start, .. } = self { Some(*start) } else { None }
    }

    fn specialise(&self, ctx: &Ctx<'_>) -> Expr {
        match self {
            Expr::Wants(access) => Expr::Known(Val::Bool(*access == ctx.access)),
            Expr::Path { start: Start::User, root, steps, .. } => {
                let names: Vec<&str> = steps.iter().map(|step| step.field.as_ref()).collect();
                let known = match (names.as_slice(), ctx.user) {
                    (["is_admin"], _) => Some(Val::Bool(ctx.is_admin)),
                    ([], Some(user)) => Some(Val::Object(*root, user.id)),
                    (["id"], Some(user)) => Some(Val::Int(user.id.get().into())),
                    (["email"], Some(user)) => Some(Val::Text(user.email.clone())),
                    _ => None,
                };
                known.map_or_else(|| self.clone(), Expr::Known)
            }
            other => other.clone(),
        }
    }
}

/// What is known before an object is looked at.
pub(super) struct Ctx<'a> {
    pub(super) access: Access,
    pub(super) is_admin: bool,
    pub(super) user: Option<&'a Person>,
}

/// A formula.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Known(Tri),
    Truth(Expr),
    Equal(Expr, Expr),
    In(Expr, Expr),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    Exists(Box<Exists>),
    /// What another formula says of a linked object.
    Of(Expr, Arc<Node>),
}

/// There is such an object.
#[derive(Clone, Debug)]
pub(super) struct Exists {
    /// How deep it stands.
    pub(super) depth: usize,
    /// The model, with the fields that are looked at.
    pub(super) shape: Arc<Shape>,
    /// Whether the objects end at a time: privileges do.
    pub(super) expires: bool,
    pub(super) body: Node,
}

impl Node {
    pub(super) fn not(self) -> Node {
        match self {
            Node::Known(known) => Node::Known(known.not()),
            Node::Not(inner) => *inner,
            other => Node::Not(Box::new(other)),
        }
    }

    /// All of these. Cheap ones are looked at first.
    pub(super) fn all(parts: impl IntoIterator<Item = Node>) -> Node {
        Self::joined(parts, Tri::False)
    }

    /// One of these.
    pub(super) fn any(parts: impl IntoIterator<Item = Node>) -> Node {
        Self::joined(parts, Tri::True)
    }

    /// Joined so that one that is `decides` decides.
    fn joined(parts: impl IntoIterator<Item = Node>, decides: Tri) -> Node {
        let mut joined = Vec::new();
        for part in parts {
            match (part, decides) {
                (Node::Known(known), _) if known == decides => return Node::Known(decides),
                (Node::Known(known), _) if known == decides.not() => {}
                (Node::All(inner), Tri::False) | (Node::Any(inner), Tri::True) => joined.extend(inner),
                (other, _) => joined.push(other),
            }
        }
        joined.sort_by_key(Node::cost);
        match (joined.pop(), decides) {
            (None, _) => Node::Known(decides.not()),
            (Some(only), _) if joined.is_empty() => only,
            (Some(last), Tri::False) => {
                joined.push(last);
                Node::All(joined)
            }
            (Some(last), _) => {
                joined.push(last);
                Node::Any(joined)
            }
        }
    }

    /// How much has to be read for it.
    fn cost(&self) -> u32 {
        let of = |expr: &Expr| match expr {
            Expr::Path { start: Start::User, .. } => 2,
            Expr::Path { steps, .. } if steps.len() > 1 => 2,
            _ => 1,
        };
        match self {
            Node::Known(_) => 0,
            Node::Truth(expr) => of(expr),
            Node::Equal(one, other) | Node::In(one, other) => of(one).max(of(other)),
            Node::Not(inner) => inner.cost(),
            Node::All(parts) | Node::Any(parts) => parts.iter().map(Node::cost).sum(),
            Node::Exists(_) => 10,
            Node::Of(_, inner) => 3 + inner.cost(),
        }
    }

    /// The same, with what is known put in.
    pub(super) fn specialise(&self, ctx: &Ctx<'_>) -> Node {
        match self {
            Node::Known(known) => Node::Known(*known),
            Node::Truth(expr) => match expr.specialise(ctx) {
                Expr::Known(value) => Node::Known(value.truth()),
                expr => Node::Truth(expr),
            },
            Node::Equal(one, other) => match (one.specialise(ctx), other.specialise(ctx)) {
                (Expr::Known(one), Expr::Known(other)) => Node::Known(one.equal(&other)),
                (one, other) => Node::Equal(one, other),
            },
            Node::In(one, list) => Node::In(one.specialise(ctx), list.specialise(ctx)),
            Node::Not(inner) => inner.specialise(ctx).not(),
            Node::All(parts) => Node::all(parts.iter().map(|part| part.specialise(ctx))),
            Node::Any(parts) => Node::any(parts.iter().map(|part| part.specialise(ctx))),
            Node::Exists(exists) => match exists.body.specialise(ctx) {
                Node::Known(known) if known != Tri::True => Node::Known(known),
                body => Node::Exists(Box::new(Exists { body, ..(**exists).clone() })),
            },
            Node::Of(expr, inner) => match inner.specialise(ctx) {
                Node::Known(known) => Node::Known(known),
                inner => Node::Of(expr.specialise(ctx), Arc::new(inner)),
            },
        }
    }

    /// Each term of it, but those of what it says of linked objects.
    pub(super) fn terms<'a>(&'a self, out: &mut Vec<&'a Expr>) {
        match self {
            Node::Known(_) => {}
            Node::Truth(expr) | Node::Of(expr, _) => out.push(expr),
            Node::Equal(one, other) | Node::In(one, other) => out.extend([one, other]),
            Node::Not(inner) => inner.terms(out),
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| part.terms(out)),
            Node::Exists(exists) => exists.body.terms(out),
        }
    }

    /// The fields of the object that it looks at.
    pub(super) fn fields(&self) -> BTreeSet<FieldName> {
        let mut terms = Vec::new();
        self.terms(&mut terms);
        let first = terms.into_iter().filter_map(|term| match term {
            Expr::Path { start: Start::Object, steps, .. } => Some(steps.first()?.field.clone()),
            _ => None,
        });
        first.collect()
    }

    /// Whether it speaks of what stands at this depth.
    pub(super) fn mentions(&self, depth: usize) -> bool {
        let mut terms = Vec::new();
        self.terms(&mut terms);
        terms.into_iter().any(|term| term.start() == Some(Start::Bound(depth)))
    }

    /// The formula as cases of which one must hold, each a list of parts that all must; `None` when there are too many.
    pub(super) fn cases(self) -> Option<Vec<Vec<Node>>> {
        /// More than a person writes.
        const MOST: usize = 64;
        match self {
            Node::Any(parts) => {
                let mut cases = Vec::new();
                for part in parts {
                    cases.extend(part.cases()?);
                }
                (cases.len() <= MOST).then_some(cases)
            }
            Node::All(parts) => {
                let mut cases: Vec<Vec<Node>> = vec![Vec::new()];
                for part in parts {
                    let more = part.cases()?;
                    if cases.len() * more.len() > MOST {
                        return None;
                    }
                    let join = |case: &Vec<Node>| {
                        let joined = more.iter().map(|more| case.iter().chain(more).cloned().collect());
                        joined.collect::<Vec<Vec<Node>>>()
                    };
                    cases = cases.iter().flat_map(join).collect();
                }
                Some(cases)
            }
            Node::Not(inner) => match *inner {
                Node::All(parts) => Node::any(parts.into_iter().map(Node::not)).cases(),
                Node::Any(parts) => Node::all(parts.into_iter().map(Node::not)).cases(),
                other => Some(vec![vec![other.not()]]),
            },
            other => Some(vec![vec![other]]),
        }
    }
}
