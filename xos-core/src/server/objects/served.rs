//! What is served of one generation of the schema.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use tonic::Status;
use xos_model_client::{Kind, ModelId, ModelInfo, Schema, Shape, ShapeField};

use super::Operation;
use crate::server::descriptors::Descriptors;
use crate::server::proto::served;
use crate::server::wire::Table;
use crate::store::WaysBack;

/// The words that the methods of a model begin with.
const OPERATIONS: [(&str, Operation); 6] = [
    ("List", Operation::List),
    ("Filter", Operation::Filter),
    ("Get", Operation::Get),
    ("Create", Operation::Create),
    ("Update", Operation::Update),
    ("Delete", Operation::Delete),
];

/// What is served of one generation of the schema.
pub(crate) struct Served {
    pub(crate) schema: Arc<Schema>,
    /// A name for these models, the same in every server that has them: clients see by it that others were loaded.
    pub(crate) fingerprint: HeaderValue,
    /// By method, such as `GetSite`.
    operations: HashMap<String, (Operation, ModelId)>,
    models: HashMap<ModelId, Model>,
    /// Compiled when somebody asks for them.
    descriptors: OnceCell<Arc<Descriptors>>,
}

/// How one model is served.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) table: Table,
    /// The links that lead to it, in the order of the table's ways back.
    pub(crate) ways_back: Arc<WaysBack>,
    /// For each of them the model that has the link: its id, and the link.
    pub(crate) linking: Vec<Arc<Shape>>,
}

impl Served {
    pub(super) fn new(schema: Arc<Schema>) -> Self {
        let mut operations = HashMap::new();
        let mut models = HashMap::new();
        for model in served(&schema) {
            for (word, operation) in OPERATIONS {
                operations.insert(format!("{word}{}", model.name()), (operation, model.id));
            }
            let table = Table::new(&schema, model);
            let linking = linking(&schema, model);
            let links =
                linking.iter().map(|shape| (shape.model().clone(), shape.fields()[1].name.to_string()));
            let ways_back = Arc::new(WaysBack::new(links.collect()));
            models.insert(model.id, Model { table, ways_back, linking });
        }
        let fingerprint = fingerprint(&schema);
        Served { schema, fingerprint, operations, models, descriptors: OnceCell::new() }
    }

    /// What a method does, and with which model; `None` when there is no such method.
    pub(super) fn operation(&self, method: &str) -> Option<(Operation, &ModelInfo)> {
        let (operation, model) = self.operations.get(method)?;
        Some((*operation, self.schema.by_id(*model)?))
    }

    /// How a model is served; `None` when it is not, being abstract.
    pub(crate) fn model(&self, model: ModelId) -> Option<&Model> {
        self.models.get(&model)
    }

    /// The compiled files, made at the first call.
    pub(crate) async fn descriptors(&self) -> Result<Arc<Descriptors>, Status> {
        let compile = || async {
            let schema = self.schema.clone();
            let compiled = tokio::task::spawn_blocking(move || compile(&schema)).await;
            compiled.map_err(|error| error.to_string()).flatten()
        };
        let compiled = self.descriptors.get_or_try_init(compile).await;
        compiled.cloned().map_err(|error| {
            tracing::error!(reason = %error, "the descriptors of the models cannot be made");
            Status::internal("the descriptors of the models cannot be made; the core's log says why")
        })
    }
}

fn compile(schema: &Schema) -> Result<Arc<Descriptors>, String> {
    let others = [
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
    ];
    let compiled = others.into_iter().try_fold(Descriptors::compile(schema)?, Descriptors::with_files)?;
    Ok(Arc::new(compiled))
}

/// The models that link to one, each with its id and the link.
fn linking(schema: &Schema, model: &ModelInfo) -> Vec<Arc<Shape>> {
    let chain = model.chain.iter().filter_map(|id| schema.by_id(*id));
    let ways = chain.flat_map(|level| &level.reverse).map(|reverse| {
        let from = schema.by_id(reverse.from);
        let name = from.map(|from| from.name().clone()).unwrap_or_default();
        let kind =
            from.and_then(|from| from.field(&reverse.field)).map_or(Kind::Link, |field| field.def.kind);
        let fields = [
            ShapeField { name: "id".into(), kind: Kind::Int32 },
            ShapeField { name: reverse.field.clone().into(), kind },
        ];
        Arc::new(Shape::new(name, fields))
    });
    ways.collect()
}

/// What is alike for the same models, however they came to be loaded.
fn fingerprint(schema: &Schema) -> HeaderValue {
    let mut models: Vec<&ModelInfo> = schema.models().iter().collect();
    models.sort_by(|one, other| one.name().cmp(other.name()));
    let mut hash = Sha256::new();
    for model in models {
        // A definition is plain data: it always has a JSON form.
        hash.update(serde_json::to_vec(&model.def).unwrap_or_default());
    }
    let hash: [u8; 32] = hash.finalize().into();
    let short = hash.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    HeaderValue::from(short)
}
