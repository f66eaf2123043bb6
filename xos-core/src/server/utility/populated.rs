//! `GetPopulatedServiceInstances`: an instance with who uses it and whom it uses, for pictures of a service graph.

use tonic::Status;
use xos_model_client::{
    Condition, ModelAccessor as _, ModelInfo, ObjectId, Operator, Page, Query, Record, Value,
};

use super::messages::{Id, PopulatedServiceInstance};
use crate::server::World;
use crate::server::files::told;
use crate::server::policies::Access;
use crate::server::status::{does_not_exist, exception, no_method};
use crate::server::users::Who;

/// The instance with its links. (A core 4.0.4 fails when a service or a network uses the instance: it looks for the
/// instance that does.)
pub(super) async fn populated(
    world: &World,
    who: &Who,
    request: Id,
) -> Result<PopulatedServiceInstance, Status> {
    let schema = world.core.schema();
    let model = |name| schema.model(name).ok_or_else(no_method);
    let (instances, links) = (model("ServiceInstance")?, model("ServiceInstanceLink")?);
    let id = ObjectId::new(request.id);
    let found = world.core.get(&instances.shape, &[id]).await.map_err(|error| told(&error))?;
    let is_live = |object: &Record| object.get("deleted") != Some(&Value::Bool(true));
    let Some(object) = found.into_iter().flatten().find(is_live) else {
        return Err(exception(does_not_exist(instances)));
    };
    world.policies.check(who, Access::Read, instances, &object).await?;
    let mut answer = PopulatedServiceInstance {
        id: Some(request.id),
        leaf_model_name: text(&object, "leaf_model_name"),
        name: text(&object, "name"),
        owner_id: link(&object, "owner"),
        ..Default::default()
    };
    for used in links_of(world, who, links, "provider_service_instance", id).await? {
        answer.provided_service_instances.extend(link(&used, "subscriber_service_instance"));
        answer.subscribed_service.extend(link(&used, "subscriber_service"));
        answer.subscribed_network.extend(link(&used, "subscriber_network"));
    }
    for uses in links_of(world, who, links, "subscriber_service_instance", id).await? {
        answer.subscribed_service_instances.extend(link(&uses, "provider_service_instance"));
    }
    Ok(answer)
}

/// The live links with this instance at one end.
async fn links_of(
    world: &World,
    who: &Who,
    links: &ModelInfo,
    end: &'static str,
    id: ObjectId,
) -> Result<Vec<Record>, Status> {
    let at_end =
        Condition { field: end.into(), operator: Operator::Equal, value: Value::Link(id), invert: false };
    let query = Query::live(links.shape.clone()).with(at_end);
    let mut found = Vec::new();
    let mut next = Some(Page::default());
    while let Some(page) = next {
        let page = world.core.find(&query, page).await.map_err(|error| told(&error))?;
        next = page.next;
        found.extend(world.policies.readable(who, links, page.records).await?);
    }
    Ok(found)
}

fn text(object: &Record, field: &str) -> Option<String> {
    match object.get(field) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn link(object: &Record, field: &str) -> Option<i32> {
    match object.get(field) {
        Some(Value::Link(id)) if id.is_set() => Some(id.get()),
        _ => None,
    }
}
