//! The calls that are not about objects: logging in, versions, what is loaded.

use prost_reflect::{DynamicMessage, Value as Wire};
use tonic::Status;
use xos_core::CORE_VERSION;
use xos_model_client::{Query, QueryKind};

use super::core::{Core, encode, id_of};
use super::onboarding::text;
use super::proto::{declared_class, is_declared_apart, served};
use super::server::Call;
use super::status::{exception, of_error};
use super::wire::Answer;

/// The methods that need no credentials.
const OPEN: [&str; 7] = [
    "/schema.SchemaService/GetSchema",
    "/xos.utility/Login",
    "/xos.utility/Logout",
    "/xos.utility/NoOp",
    "/xos.utility/GetVersion",
    "/xos.utility/GetDatabaseInfo",
    "/xos.utility/GetXproto",
];

/// The methods that need them.
const GUARDED: [&str; 7] = [
    "/xos.utility/AuthenticatedNoOp",
    "/xos.utility/ListDirtyModels",
    "/xos.utility/SetDirtyModels",
    "/xos.dynamicload/LoadModels",
    "/xos.dynamicload/UnloadModels",
    "/xos.dynamicload/GetLoadStatus",
    "/xos.dynamicload/GetConvenienceMethods",
];

/// Whether there is such a method here.
pub(super) fn knows(method: &str) -> bool {
    OPEN.contains(&method) || GUARDED.contains(&method)
}

impl Core {
    pub(super) async fn on_the_rest(&self, call: &Call) -> Option<Answer> {
        if !OPEN.contains(&call.method.as_str())
            && let Err(status) = self.accounts.caller(call)
        {
            return Some(Err(status));
        }
        let request = match self.request(call) {
            Ok(request) => request,
            Err(status) => return Some(Err(status)),
        };
        match call.method.as_str() {
            "/schema.SchemaService/GetSchema" => Some(Ok(self.served().descriptors.answer())),
            "/xos.utility/Login" => Some(self.login(&request)),
            "/xos.utility/Logout" => {
                self.accounts.logout(call);
                Some(Ok(encode(None)))
            }
            "/xos.utility/GetVersion" => Some(self.tell(
                "VersionInfo",
                &[
                    ("version", CORE_VERSION),
                    ("pythonVersion", "2.7.18"),
                    ("os", "linux"),
                    ("arch", "x86_64"),
                    ("djangoVersion", "1.11.29.final.0"),
                ],
            )),
            "/xos.utility/GetDatabaseInfo" => Some(self.database_info()),
            "/xos.utility/GetXproto" => Some(self.xproto()),
            "/xos.utility/ListDirtyModels" => Some(self.dirty_models(&text(&request, "class_name")).await),
            "/xos.dynamicload/LoadModels" => self.load_models(&request),
            "/xos.dynamicload/UnloadModels" => Some(self.unload_models(&request).await),
            "/xos.dynamicload/GetLoadStatus" => Some(self.load_status()),
            "/xos.dynamicload/GetConvenienceMethods" => Some(self.convenience_methods()),
            // NoOp, AuthenticatedNoOp, SetDirtyModels.
            _ => Some(Ok(encode(None))),
        }
    }

    fn request(&self, call: &Call) -> Result<DynamicMessage, Status> {
        let descriptors = self.served().descriptors.clone();
        let descriptor =
            descriptors.request_of(&call.method).ok_or_else(|| Status::unimplemented("Method not found!"))?;
        Ok(DynamicMessage::decode(descriptor.clone(), call.message.clone())
            .unwrap_or_else(|_| DynamicMessage::new(descriptor)))
    }

    fn login(&self, request: &DynamicMessage) -> Answer {
        let session = self.accounts.login(&text(request, "username"), &text(request, "password"))?;
        self.tell("LoginResponse", &[("sessionid", &session)])
    }

    fn tell(&self, name: &str, fields: &[(&str, &str)]) -> Answer {
        let mut message = self.served().descriptors.new_message(name).map_err(exception)?;
        for (field, text) in fields {
            message.set_field_by_name(field, Wire::String((*text).to_owned()));
        }
        Ok(encode(Some(message)))
    }

    fn database_info(&self) -> Answer {
        let mut message = self.served().descriptors.new_message("DatabaseInfo").map_err(exception)?;
        message.set_field_by_name("name", Wire::String("xos".to_owned()));
        message.set_field_by_name("status", Wire::EnumNumber(1));
        Ok(encode(Some(message)))
    }

    /// The objects that a synchronizer has to look at, of the models whose names a pattern with `*` matches.
    async fn dirty_models(&self, pattern: &str) -> Answer {
        let served_now = self.served();
        let mut items = Vec::new();
        let mut models: Vec<_> = served(&served_now.schema).collect();
        models.sort_by_key(|model| model.name());
        for model in models {
            let fits = match pattern.split_once('*') {
                None => pattern.is_empty() || pattern == model.name(),
                Some((before, after)) => model.name().starts_with(before) && model.name().ends_with(after),
            };
            let dirty = Query::live(model.shape.clone()).of_kind(QueryKind::DirtyObjects);
            let found = if fits { self.find(&dirty).await } else { Ok(Vec::new()) };
            for values in found.map_err(|error| of_error(&error, &served_now.schema, model))? {
                // Its generated class is listed, too.
                let generated = is_declared_apart(model).then(|| declared_class(model));
                for class in generated.into_iter().chain([model.name().to_string()]) {
                    let mut entry =
                        served_now.descriptors.new_message("ModelListEntry").map_err(exception)?;
                    entry.set_field_by_name("class_name", Wire::String(class));
                    entry.set_field_by_name("id", Wire::I32(id_of(&values)));
                    items.push(Wire::Message(entry));
                }
            }
        }
        let mut list = served_now.descriptors.new_message("ModelList").map_err(exception)?;
        list.set_field_by_name("items", Wire::List(items));
        Ok(encode(Some(list)))
    }
}
