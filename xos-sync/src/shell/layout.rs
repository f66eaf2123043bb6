//! Which steps take which objects, and where the fields that the engine needs are.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use xos_model_client::{ModelDef, ModelId, ModelInfo, ModelName, QueryKind, Record, Schema, Shape, Value};

use crate::engine::{self, Lane};
use crate::error::{ErrorKind, Result};
use crate::step::{AnyHook, AnyPolicy, AnyStep};
use crate::synchronizer::Synchronizer;

/// Everything the shell looks up by leaf model, made once for a schema.
pub(crate) struct Layout {
    pub(crate) schema: Arc<Schema>,
    leaves: Vec<Option<Leaf>>,
    observed_roots: HashSet<ModelId>,
    /// What the engine has to know of each model.
    pub(crate) models: Vec<engine::Model>,
    pub(crate) limits: Vec<engine::Limit>,
    /// The models whose changes are wanted.
    pub(crate) feed: Vec<ModelName>,
}

/// How objects of one leaf model are handled.
pub(crate) struct Leaf {
    pub(crate) id: ModelId,
    pub(crate) name: ModelName,
    pub(crate) shape: Arc<Shape>,
    pub(crate) root: ModelId,
    pub(crate) at: Positions,
    /// Links to observed models: where they are, and the root of their target.
    pub(crate) links: Vec<(usize, ModelId)>,
    /// Dependencies that the dependency graph names by a way back: the model that has the link, and its field.
    pub(crate) reverse: Arc<[ReverseDependency]>,
    /// The steps that take it; none where only policies look at it.
    pub(crate) handlers: Arc<[Handler]>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) policies: Arc<[Policy]>,
    pub(crate) policy_hooks: Vec<Hook>,
    /// The shortest `requested_interval` of its handlers.
    pub(crate) recheck: Option<Duration>,
}

/// Objects of another model that link to this one must be done first.
#[derive(Clone)]
pub(crate) struct ReverseDependency {
    pub(crate) shape: Arc<Shape>,
    pub(crate) root: ModelId,
    pub(crate) field: String,
}

/// One step, and how a record of the leaf becomes one of the step's model.
#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) step: Arc<dyn AnyStep>,
    pub(crate) projection: Projection,
}

/// One policy, with its projection.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) policy: Arc<dyn AnyPolicy>,
    pub(crate) projection: Projection,
}

/// One hook, with its projection.
#[derive(Clone)]
pub(crate) struct Hook {
    pub(crate) hook: Arc<dyn AnyHook>,
    pub(crate) projection: Projection,
}

/// Where each field of one shape is in another.
#[derive(Clone)]
pub(crate) struct Projection {
    shape: Arc<Shape>,
    from: Option<Arc<[Option<usize>]>>,
}

impl Projection {
    fn new(from: &Shape, to: &Arc<Shape>) -> Self {
        let same = from.fields().len() == to.fields().len()
            && from.fields().iter().zip(to.fields()).all(|(one, other)| one.name == other.name);
        let positions = || to.fields().iter().map(|field| from.position(&field.name)).collect();
        Projection { shape: to.clone(), from: if same { None } else { Some(positions()) } }
    }

    /// The record in the other shape.
    pub(crate) fn of(&self, record: Record) -> Record {
        if Arc::ptr_eq(record.shape(), &self.shape) {
            return record;
        }
        let Some(from) = &self.from else { return record.with_shape(self.shape.clone()) };
        let value =
            |at: &Option<usize>| at.and_then(|at| record.values().get(at)).cloned().unwrap_or_default();
        let projected = Record::new(self.shape.clone(), from.iter().map(value).collect());
        match record.revision() {
            Some(revision) => projected.at_revision(revision),
            None => projected,
        }
    }

    /// Whether both shapes have the same fields in the same order.
    fn is_same(&self) -> bool {
        self.from.is_none()
    }
}

/// Where the fields are that decide whether an object is due.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions {
    pub(crate) id: Option<usize>,
    pub(crate) updated: Option<usize>,
    pub(crate) enacted: Option<usize>,
    pub(crate) changed_by_policy: Option<usize>,
    pub(crate) register: Option<usize>,
    pub(crate) status: Option<usize>,
    pub(crate) code: Option<usize>,
    pub(crate) need_delete: Option<usize>,
    pub(crate) need_reap: Option<usize>,
    pub(crate) deleted: Option<usize>,
    pub(crate) no_sync: Option<usize>,
    pub(crate) lazy_blocked: Option<usize>,
    pub(crate) name: Option<usize>,
    pub(crate) policed: Option<usize>,
    pub(crate) changed_by_step: Option<usize>,
    pub(crate) policy_status: Option<usize>,
    pub(crate) policy_code: Option<usize>,
    pub(crate) need_delete_policy: Option<usize>,
    pub(crate) no_policy: Option<usize>,
}

impl Positions {
    fn new(shape: &Shape) -> Self {
        let at = |name| shape.position(name);
        Positions {
            id: at("id"),
            updated: at("updated"),
            enacted: at("enacted"),
            changed_by_policy: at("changed_by_policy"),
            register: at("backend_register"),
            status: at("backend_status"),
            code: at("backend_code"),
            need_delete: at("backend_need_delete"),
            need_reap: at("backend_need_reap"),
            deleted: at("deleted"),
            no_sync: at("no_sync"),
            lazy_blocked: at("lazy_blocked"),
            name: at("name"),
            policed: at("policed"),
            changed_by_step: at("changed_by_step"),
            policy_status: at("policy_status"),
            policy_code: at("policy_code"),
            need_delete_policy: at("backend_need_delete_policy"),
            no_policy: at("no_policy"),
        }
    }
}

/// The value at a position that may be missing.
pub(crate) fn value(record: &Record, at: Option<usize>) -> &Value {
    at.and_then(|at| record.values().get(at)).unwrap_or(&Value::Null)
}

/// `{"A": [["B", "b", "a"]]}`: an A waits for the B that its field `b` leads to.
pub(crate) type DependencyGraph = HashMap<String, Vec<(String, String, String)>>;

/// Reads the file that `dependency_graph` names.
///
/// # Errors
///
/// A file that cannot be read, or is not of that form.
pub(crate) fn read_dependency_graph(path: &Path) -> Result<DependencyGraph> {
    let fault = |problem: String| ErrorKind::File { path: path.display().to_string(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
    let graph = serde_json::from_str(&text).map_err(|error| {
        fault(format!(
            "is no dependency graph: {error}; expected {{\"A\": [[\"B\", \"field of A\", \"field of B\"]]}}"
        ))
    });
    Ok(graph?)
}

impl Layout {
    /// What the steps and policies of this synchronizer need of this schema.
    pub(crate) fn new(schema: Arc<Schema>, service: &Synchronizer, graph: &DependencyGraph) -> Self {
        let mut leaves: Vec<Option<Leaf>> =
            schema.models().iter().map(|model| leaf(&schema, model, service)).collect();
        let observed: HashSet<ModelId> = leaves.iter().flatten().map(|leaf| leaf.id).collect();
        let mut needs: HashMap<ModelId, HashSet<ModelId>> = HashMap::new();
        for leaf in leaves.iter().flatten() {
            let Some(model) = schema.by_id(leaf.id) else { continue };
            for target in model.fields.iter().filter_map(|field| field.target) {
                let family = schema.by_id(target).map(|target| target.family.clone()).unwrap_or_default();
                needs
                    .entry(leaf.id)
                    .or_default()
                    .extend(family.into_iter().filter(|id| observed.contains(id)));
            }
        }
        add_graph(&schema, graph, &observed, &mut leaves, &mut needs);
        for leaf in leaves.iter_mut().flatten() {
            let Some(model) = schema.by_id(leaf.id) else { continue };
            leaf.links = links_of(&schema, model, needs.get(&leaf.id));
        }
        let models = schema.models().iter().map(|model| engine::Model {
            name: model.name().to_string(),
            observed: observed.contains(&model.id),
            needs: sorted(needs.get(&model.id)),
        });
        let limit = |model: &ModelDef, lane, at_most: Option<usize>| {
            let family = &schema.model(&model.name)?.family;
            let models =
                family.iter().filter(|id| observed.contains(id)).map(|id| engine::ModelId(id.0)).collect();
            Some(engine::Limit { models, lane, at_most: at_most? })
        };
        let steps =
            service.steps.iter().filter_map(|step| limit(step.model(), Lane::Sync, step.concurrency()));
        let policies = service
            .policies
            .iter()
            .filter_map(|policy| limit(policy.model(), Lane::Policy, policy.concurrency()));
        let models: Vec<_> = models.collect();
        let limits = steps.chain(policies).collect();
        // All changes are wanted of models that are observed; of others a step may wait for one object, so the feed
        // tells them all, and those nobody waits for cost one look-up.
        let observed_roots = leaves.iter().flatten().map(|leaf| leaf.root).collect();
        Layout { leaves, observed_roots, models, limits, feed: Vec::new(), schema }
    }

    /// How objects of this leaf model are handled; `None` when neither steps nor policies look at them.
    pub(crate) fn leaf(&self, id: ModelId) -> Option<&Leaf> {
        self.leaves.get(id.0 as usize)?.as_ref()
    }

    /// All leaf models that a step takes or a policy looks at.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.leaves.iter().flatten()
    }

    /// Whether a step takes, or a policy looks at, any objects under this root.
    pub(crate) fn is_observed(&self, root: ModelId) -> bool {
        self.observed_roots.contains(&root)
    }

    /// The name of a model.
    pub(crate) fn name(&self, id: ModelId) -> &str {
        self.schema.by_id(id).map_or("?", |model| model.name())
    }
}

fn sorted(ids: Option<&HashSet<ModelId>>) -> Vec<engine::ModelId> {
    let mut ids: Vec<_> = ids.into_iter().flatten().map(|id| engine::ModelId(id.0)).collect();
    ids.sort_unstable();
    ids
}

impl Leaf {
    /// The lists that a scan reads, one after the other, each after this one. Every record is told with what is due in
    /// both lanes, wherever it was found.
    ///
    /// Of deleted objects all are read, also where only policies look at them: `DeletedPolicies` would leave out one
    /// whose policy stored what it had seen while the object was being deleted.
    pub(crate) fn next_list(&self, kind: QueryKind) -> Option<QueryKind> {
        match kind {
            QueryKind::DirtyPolicies if !self.handlers.is_empty() => Some(QueryKind::DirtyObjects),
            QueryKind::DeletedObjects => None,
            _ => Some(QueryKind::DeletedObjects),
        }
    }

    /// The first list that a scan reads; `with_clean` objects, it is all that live.
    pub(crate) fn first_list(&self, with_clean: bool) -> QueryKind {
        match self.policies.is_empty() {
            _ if with_clean => QueryKind::Live,
            true => QueryKind::DirtyObjects,
            false => QueryKind::DirtyPolicies,
        }
    }

    /// Where a lane's status and code are.
    pub(crate) fn shown_at(&self, lane: Lane) -> (Option<usize>, Option<usize>) {
        match lane {
            Lane::Sync => (self.at.status, self.at.code),
            Lane::Policy => (self.at.policy_status, self.at.policy_code),
        }
    }

    /// Whether a record shows this status and code of a lane.
    pub(crate) fn shows(&self, record: &Record, lane: Lane, status: &str, code: i64) -> bool {
        let (status_at, code_at) = self.shown_at(lane);
        value(record, status_at).as_text() == Some(status) && value(record, code_at).as_int() == Some(code)
    }

    /// Whether a step is known to take every object, so that one that is dirty will be worked on.
    pub(crate) fn takes_all(&self) -> bool {
        self.handlers.iter().any(|handler| handler.step.takes_all())
    }
}

fn leaf(schema: &Schema, model: &ModelInfo, service: &Synchronizer) -> Option<Leaf> {
    let takes = |of: &ModelDef| schema.model(&of.name).is_some_and(|base| schema.is_a(model.id, base.id));
    let projection = |shape: &Arc<Shape>| Projection::new(&model.shape, shape);
    let handlers: Arc<[Handler]> = service
        .steps
        .iter()
        .filter(|step| takes(step.model()))
        .map(|step| Handler { step: step.clone(), projection: projection(step.shape()) })
        .collect();
    let policies: Arc<[Policy]> = service
        .policies
        .iter()
        .filter(|policy| takes(policy.model()))
        .map(|policy| Policy { policy: policy.clone(), projection: projection(policy.shape()) })
        .collect();
    if (handlers.is_empty() && policies.is_empty()) || model.def.is_abstract {
        return None;
    }
    let hooks_of = |hooks: &[Arc<dyn AnyHook>]| {
        let own = hooks.iter().filter(|hook| takes(hook.model()));
        own.map(|hook| Hook { hook: hook.clone(), projection: projection(hook.shape()) }).collect()
    };
    // Records are read in the shape that the model's own step or policy wants, if there is one: nothing has to be
    // projected then.
    let wanted = handlers
        .iter()
        .map(|handler| (handler.step.model(), handler.step.shape(), &handler.projection))
        .chain(
            policies.iter().map(|policy| (policy.policy.model(), policy.policy.shape(), &policy.projection)),
        )
        .find(|(of, _, projection)| projection.is_same() && of.name == *model.name());
    let shape = wanted.map_or(&model.shape, |(_, shape, _)| shape).clone();
    Some(Leaf {
        id: model.id,
        name: model.name().clone(),
        shape,
        root: model.root,
        at: Positions::new(&model.shape),
        links: Vec::new(),
        reverse: Arc::new([]),
        recheck: handlers.iter().filter_map(|handler| handler.step.requested_interval()).min(),
        hooks: hooks_of(&service.hooks),
        policy_hooks: hooks_of(&service.policy_hooks),
        handlers,
        policies,
    })
}

/// The links of a leaf that lead to models it waits for.
fn links_of(schema: &Schema, model: &ModelInfo, needs: Option<&HashSet<ModelId>>) -> Vec<(usize, ModelId)> {
    let waits_for = |target: ModelId| {
        let family = schema.by_id(target).map(|target| target.family.as_slice()).unwrap_or_default();
        needs.is_some_and(|needs| family.iter().any(|id| needs.contains(id)))
    };
    let fields = model.fields.iter().enumerate();
    fields
        .filter_map(|(at, field)| {
            let target = field.target.filter(|target| waits_for(*target))?;
            Some((at, schema.by_id(target)?.root))
        })
        .collect()
}

/// The dependency graph adds what links do not say. Where it says the opposite of a link, it counts.
fn add_graph(
    schema: &Schema,
    graph: &DependencyGraph,
    observed: &HashSet<ModelId>,
    leaves: &mut [Option<Leaf>],
    needs: &mut HashMap<ModelId, HashSet<ModelId>>,
) {
    let mut dependants: Vec<_> = graph.iter().collect();
    dependants.sort();
    for (name, targets) in dependants {
        let Some(model) = schema.model(name) else {
            warn!(model_name = name, "dependency_graph: unknown model, ignored");
            continue;
        };
        for (target_name, accessor, _) in targets {
            let Some(target) = schema.model(target_name) else {
                warn!(model_name = target_name, "dependency_graph: unknown model, ignored");
                continue;
            };
            let accessor = accessor.strip_suffix("_ids").or(accessor.strip_suffix("_id")).unwrap_or(accessor);
            let is_link = model.field(accessor).is_some_and(|field| field.target.is_some());
            let back = model
                .chain
                .iter()
                .filter_map(|id| schema.by_id(*id))
                .find_map(|level| level.reverse.iter().find(|link| link.name == *accessor));
            if !is_link && back.is_none() {
                warn!(model_name = name, accessor, "dependency_graph: the model has no such link, ignored");
                continue;
            }
            if model.id == target.id || is_link {
                continue;
            }
            let Some(back) = back else { continue };
            let sources = schema.by_id(back.from).map(|from| from.family.clone()).unwrap_or_default();
            for id in model.family.iter().filter(|id| observed.contains(id)) {
                let Some(leaf) = leaves.get_mut(id.0 as usize).and_then(Option::as_mut) else { continue };
                let Some(from) = schema.by_id(back.from) else { continue };
                let more = ReverseDependency {
                    shape: from.shape.clone(),
                    root: from.root,
                    field: back.field.clone(),
                };
                leaf.reverse = leaf.reverse.iter().cloned().chain([more]).collect();
                needs.entry(*id).or_default().extend(sources.iter().filter(|id| observed.contains(id)));
                for source in &sources {
                    if let Some(needs) = needs.get_mut(source) {
                        needs.remove(id);
                    }
                }
            }
        }
    }
}
