//! `exists`: one query for all objects of a call.
//!
//! A case of the formula is a list of parts. Those that compare a field with what is known before (`ctx.user.id`, a
//! text) become conditions of the query; those that compare a field with something of the object (`obj.site.id`) are
//! matched through a table of the objects; only what is left is evaluated for each pair of an object and a row.

use std::collections::HashMap;

use xos_model_client::{
    Condition, ErrorKind, FieldName, ModelAccessor as _, Operator, Page, Query, Result, Value,
};

use super::evaluate::{Env, Evaluation};
use super::node::{Exists, Expr, Node, Sort, Start, Tri, Val};

/// How many rows are read at once.
const PAGE: usize = 1000;

/// So many pairs of an object and a row are looked at one by one; then it is not told.
const MOST_PAIRS: usize = 1_000_000;

/// What a row and an object are matched by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Bool(bool),
    Int(i64),
    Text(String),
}

impl Key {
    fn of(value: &Val) -> Option<Self> {
        match value {
            Val::Bool(value) => Some(Key::Bool(*value)),
            Val::Int(int) => Some(Key::Int(*int)),
            Val::Text(text) => Some(Key::Text(text.clone())),
            Val::Object(_, id) => Some(Key::Int(id.get().into())),
            _ => None,
        }
    }
}

/// The parts of a case, by what is done with them.
#[derive(Default)]
struct Case {
    /// Do not speak of the row.
    outside: Vec<Node>,
    conditions: Vec<Condition>,
    /// A term of the row, and one of the object.
    matched: Vec<(Expr, Expr)>,
    /// The rest.
    left: Vec<Node>,
}

impl Evaluation<'_> {
    /// Whether there is such an object, in each of these environments.
    pub(super) async fn exists(&mut self, exists: &Exists, envs: &[Env]) -> Result<Vec<Tri>> {
        let whole = || vec![vec![exists.body.clone()]];
        let cases = exists.body.clone().cases().unwrap_or_else(whole);
        let mut results = vec![Tri::False; envs.len()];
        for case in cases {
            let case = Case::of(case, exists);
            match self.case(exists, case, envs, &mut results).await {
                Err(error) if is_mistake(&error) => {
                    tracing::warn!(error = %error, "a policy asks for what cannot be queried; it denies");
                    results.iter_mut().filter(|result| **result == Tri::False).for_each(|result| {
                        *result = Tri::Unknown;
                    });
                }
                other => other?,
            }
        }
        Ok(results)
    }

    async fn case(&mut self, exists: &Exists, case: Case, envs: &[Env], results: &mut [Tri]) -> Result<()> {
        let Case { outside, mut conditions, mut matched, left } = case;
        // Each object that is still open, and what it becomes when there is a row.
        let mut open: Vec<(usize, Tri)> =
            (0..envs.len()).filter(|at| results[*at] != Tri::True).map(|at| (at, Tri::True)).collect();
        for part in &outside {
            let these: Vec<Env> = open.iter().map(|(at, _)| envs[*at].clone()).collect();
            let said = self.all(part, &these).await?;
            let worst = |((at, so_far), said): ((usize, Tri), Tri)| match said {
                Tri::True => Some((at, so_far)),
                Tri::Unknown => Some((at, Tri::Unknown)),
                Tri::False => None,
            };
            open = open.into_iter().zip(said).filter_map(worst).collect();
        }
        let mut table = self.table(&matched, envs, open, results).await?;
        if table.len() == 1
            && let Some(keys) = table.keys().next()
            && let Some(more) = as_conditions(&matched, keys)
        {
            // One object, or several that agree: the query can ask for just these rows.
            conditions.extend(more);
            let all = table.drain().flat_map(|(_, objects)| objects).collect();
            table = HashMap::from([(Vec::new(), all)]);
            matched.clear();
        }
        if exists.expires {
            conditions.push(Condition {
                field: "expires".into(),
                operator: Operator::LessThanOrEqual,
                value: Value::Time(self.core.now()),
                invert: true,
            });
        }
        let query = Query { conditions, ..Query::live(exists.shape.clone()) };
        let any_will_do = matched.is_empty() && left.is_empty();
        let mut page = Some(Page::first(if any_will_do { 1 } else { PAGE }));
        let mut pairs_left = MOST_PAIRS;
        while let Some(next) = page.filter(|_| !table.is_empty()) {
            self.reads += 1;
            let found = self.core.find(&query, next).await?;
            page = found.next.filter(|_| !any_will_do);
            let rows: Vec<Env> =
                found.records.iter().map(|row| Env::only(exists.depth, row.clone())).collect();
            let keys = self.keys(matched.iter().map(|(row, _)| row), &rows).await?;
            let mut pairs: Vec<(usize, Tri, Env)> = Vec::new();
            for (row, key) in found.records.into_iter().zip(keys) {
                let Ok(key) = key else { continue };
                if left.is_empty() {
                    for (at, becomes) in table.remove(&key).unwrap_or_default() {
                        results[at] = results[at].max(becomes);
                    }
                    continue;
                }
                for (at, becomes) in table.get(&key).into_iter().flatten() {
                    if results[*at] != Tri::True {
                        pairs.push((*at, *becomes, envs[*at].with(exists.depth, row.clone())));
                    }
                }
            }
            if pairs.len() > pairs_left {
                tracing::warn!(model = %exists.shape.model(), "a policy compares too many objects one by one; it denies");
                table.into_values().flatten().for_each(|(at, _)| results[at] = results[at].max(Tri::Unknown));
                return Ok(());
            }
            pairs_left -= pairs.len();
            self.pairs(&left, pairs, results).await?;
        }
        Ok(())
    }

    /// The objects by what they are matched by. One that lacks something of it has no row; of one where it cannot be
    /// told, nothing can.
    async fn table(
        &mut self,
        matched: &[(Expr, Expr)],
        envs: &[Env],
        open: Vec<(usize, Tri)>,
        results: &mut [Tri],
    ) -> Result<HashMap<Vec<Key>, Vec<(usize, Tri)>>> {
        let these: Vec<Env> = open.iter().map(|(at, _)| envs[*at].clone()).collect();
        let keys = self.keys(matched.iter().map(|(_, object)| object), &these).await?;
        let mut table: HashMap<Vec<Key>, Vec<(usize, Tri)>> = HashMap::new();
        for ((at, becomes), key) in open.into_iter().zip(keys) {
            match key {
                Ok(key) => table.entry(key).or_default().push((at, becomes)),
                Err(said) => results[at] = results[at].max(said),
            }
        }
        Ok(table)
    }

    /// What each environment is matched by; or what is to be said of it when it cannot be matched.
    async fn keys(
        &mut self,
        exprs: impl Iterator<Item = &Expr>,
        envs: &[Env],
    ) -> Result<Vec<Result<Vec<Key>, Tri>>> {
        let exprs: Vec<&Expr> = exprs.collect();
        let mut keys: Vec<Result<Vec<Key>, Tri>> = vec![Ok(Vec::with_capacity(exprs.len())); envs.len()];
        for expr in exprs {
            for (key, value) in keys.iter_mut().zip(self.values(expr, envs).await?) {
                match (Key::of(&value), value) {
                    (Some(part), _) => {
                        if let Ok(key) = key {
                            key.push(part);
                        }
                    }
                    (None, Val::Null) => *key = Err(Tri::False),
                    (None, _) if *key != Err(Tri::False) => *key = Err(Tri::Unknown),
                    _ => {}
                }
            }
        }
        Ok(keys)
    }

    /// What is left to say of pairs of an object and a row.
    async fn pairs(
        &mut self,
        left: &[Node],
        pairs: Vec<(usize, Tri, Env)>,
        results: &mut [Tri],
    ) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let (objects, envs): (Vec<(usize, Tri)>, Vec<Env>) =
            pairs.into_iter().map(|(at, becomes, env)| ((at, becomes), env)).unzip();
        let said = self.all(&Node::all(left.iter().cloned()), &envs).await?;
        for ((at, becomes), said) in objects.into_iter().zip(said) {
            results[at] = results[at].max(becomes.min(said));
        }
        Ok(())
    }
}

impl Case {
    fn of(parts: Vec<Node>, exists: &Exists) -> Self {
        let mut case = Case::default();
        for part in parts {
            if !part.mentions(exists.depth) {
                case.outside.push(part);
                continue;
            }
            // A bool by itself is one that is true.
            let part = match part {
                Node::Truth(expr) if expr.sort() == Some(Sort::Bool) => {
                    Node::Equal(expr, Expr::Known(Val::Bool(true)))
                }
                other => other,
            };
            let Node::Equal(one, other) = &part else {
                case.left.push(part);
                continue;
            };
            let about = |expr: &Expr| matches!(expr, Expr::Path { start: Start::Bound(at), .. } if *at == exists.depth);
            let (row, object) = match (about(one), about(other)) {
                (true, false) => (one, other),
                (false, true) => (other, one),
                _ => {
                    case.left.push(part);
                    continue;
                }
            };
            if !comparable(row, object) {
                case.left.push(part);
            } else if let Expr::Known(known) = object
                && let Some(key) = Key::of(known)
                && let Some(condition) = condition(row, &key)
            {
                case.conditions.push(condition);
            } else {
                case.matched.push((row.clone(), object.clone()));
            }
        }
        case
    }
}

/// Whether two terms can be matched by their keys.
fn comparable(one: &Expr, other: &Expr) -> bool {
    match (one.sort(), other.sort()) {
        (Some(Sort::Object(_)), Some(Sort::Int)) | (Some(Sort::Int), Some(Sort::Object(_))) => true,
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

fn as_conditions(matched: &[(Expr, Expr)], keys: &[Key]) -> Option<Vec<Condition>> {
    matched.iter().zip(keys).map(|((row, _), key)| condition(row, key)).collect()
}

/// A term of the row is this.
fn condition(row: &Expr, key: &Key) -> Option<Condition> {
    let Expr::Path { steps, .. } = row else { return None };
    let names: Vec<&str> = steps.iter().map(|step| step.field.as_ref()).collect();
    let field: FieldName = if names.is_empty() { "id".into() } else { names.join("__").into() };
    let value = match key {
        Key::Bool(value) => Value::Bool(*value),
        Key::Int(int) => Value::Int(*int),
        Key::Text(text) => Value::Text(text.clone()),
    };
    Some(Condition { field, operator: Operator::Equal, value, invert: false })
}

/// Whether the formula asks for what cannot be asked.
fn is_mistake(error: &xos_model_client::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Query { .. }
            | ErrorKind::NoSuchField { .. }
            | ErrorKind::NoSuchModel { .. }
            | ErrorKind::Convert { .. }
    )
}
