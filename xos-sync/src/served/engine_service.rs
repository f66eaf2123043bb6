//! The service `xos_sync.Engine`: another process of this user asks the engine why.

use async_trait::async_trait;
use serde_json::Value as Json;
use xos_core::EmbeddedCore;
use xos_core::server::Extension;
use xos_model_client::{ModelAccessor as _, ObjectId};

use crate::door::ENGINE;
use crate::shell::questions::Desk;

/// The engine of this program, as another process asks it.
pub(super) struct EngineService {
    core: EmbeddedCore,
    desk: Desk,
}

impl EngineService {
    pub(super) fn new(core: EmbeddedCore, desk: Desk) -> Self {
        EngineService { core, desk }
    }
}

#[async_trait]
impl Extension for EngineService {
    fn service(&self) -> &'static str {
        ENGINE
    }

    /// `Explain`: a model and an id in, a sentence out.
    async fn call(&self, method: &str, message: &[u8]) -> Result<Vec<u8>, String> {
        if method != "Explain" {
            return Err(format!("{ENGINE} has no method {method}; expected Explain"));
        }
        let asked = || {
            let message: Json = serde_json::from_slice(message).ok()?;
            let id = i32::try_from(message.get("id")?.as_i64()?).ok()?;
            Some((message.get("model")?.as_str()?.to_owned(), ObjectId::new(id)))
        };
        let (model, id) = asked().ok_or("expected a model and an id as JSON")?;
        let schema = self.core.schema();
        let model = schema.expect_model(&model).map_err(|error| error.to_string())?;
        let answer = self.desk.ask(model.id, id).await;
        answer.map(String::into_bytes).ok_or_else(|| {
            "the engine does not answer: it is starting, stopping, or has much to do; ask again".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::questions::desk;

    #[tokio::test(start_paused = true)]
    async fn nonsense_and_silence_are_told() {
        let (desk, questions) = desk();
        let service = EngineService::new(EmbeddedCore::in_memory().unwrap(), desk);
        let ask = async |message: &str| service.call("Explain", message.as_bytes()).await.unwrap_err();
        assert!(ask("[").await.contains("JSON"));
        assert!(ask(r#"{"model": "Site", "id": 99999999999}"#).await.contains("JSON"));
        assert!(ask(r#"{"model": "Sitte", "id": 1}"#).await.contains("did you mean \"Site\"?"));
        assert!(ask(r#"{"model": "Site", "id": 1}"#).await.contains("does not answer"));
        drop(questions);
        assert!(ask(r#"{"model": "Site", "id": 1}"#).await.contains("does not answer"));
        assert!(service.call("Fly", b"").await.unwrap_err().contains("Fly"));
    }
}
