//! What a step uses of the conveniences, through its context.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use xos_sync::prelude::*;
use xos_sync::testing::{Call, Fault, Rule};

/// A gateway for subscribers.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "gateway")]
struct GatewayService {
    #[xos(base)]
    service: Service,
}

/// One gateway.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "gateway", owner_class = GatewayService)]
struct GatewayServiceInstance {
    #[xos(base)]
    service_instance: ServiceInstance,
    /// Its address
    #[xos(number = 1, max_length = 39)]
    address: Option<String>,
}

/// Gives each subscriber a gateway, and each gateway an address of the pool of its service.
struct Connect;

impl SyncStep for Connect {
    type Model = ServiceInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut ServiceInstance) -> StepResult {
        let owner: Service = ctx.leaf(&o.owner).await?;
        let providers = owner.provider_services(ctx).await?;
        let service = providers.first().ok_or_else(|| StepError::deferred("no gateways yet"))?;
        let mut gateway: GatewayServiceInstance = ctx.acquire_service_instance(service, o, |_| ()).await?;
        if gateway.address.as_deref().unwrap_or_default().is_empty() {
            let pool = ctx.objects::<AddressPool>().filter(AddressPool::SERVICE.eq(service.id)).one().await?;
            let address = ctx.acquire_address(&pool).await?.ok_or("the pool is empty")?;
            gateway.address = Some(address);
            ctx.save(&mut gateway).await?;
        }
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &ServiceInstance) -> StepResult {
        Ok(())
    }
}

#[xos_sync::test]
async fn a_step_that_runs_twice_acquires_once() {
    let core = MockAccessor::new();
    let gateways = GatewayService { service: Service { name: "gateways".into(), ..Default::default() } };
    let gateways = core.create(gateways).await.unwrap();
    core.load::<GatewayServiceInstance>().await.unwrap();
    let owner = core.create(Service { name: "subscribers".into(), ..Default::default() }).await.unwrap();
    let needs = ServiceDependency {
        provider_service: Link::to(gateways.id),
        subscriber_service: Link::of(&owner),
        ..Default::default()
    };
    core.create(needs).await.unwrap();
    let pool = AddressPool {
        name: "public".into(),
        addresses: Some("10.0.0.2 10.0.0.3".into()),
        gateway_ip: "10.0.0.1".into(),
        gateway_mac: "02:42:0a:00:00:01".into(),
        cidr: "10.0.0.0/24".into(),
        service: Some(Link::to(gateways.id)),
        ..Default::default()
    };
    core.create(pool).await.unwrap();
    let arya = ServiceInstance { name: Some("Arya".into()), owner: Link::of(&owner), ..Default::default() };
    let mut arya = core.create(arya).await.unwrap();

    // The answers get lost, first to the instance, then to its link.
    for model in ["GatewayServiceInstance", "ServiceInstanceLink"] {
        core.inject(Rule::next(Fault::AnswerLost).call(Call::Create).model(model));
        let error = Connect.sync_record(&core.context(), &mut arya).await.unwrap_err();
        assert_eq!(error.kind(), &StepErrorKind::Interrupted);
    }
    for _ in 0..2 {
        Connect.sync_record(&core.context(), &mut arya).await.unwrap();
    }
    let gateway = core.objects::<GatewayServiceInstance>().one().await.unwrap();
    assert_eq!((gateway.address.as_deref(), gateway.owner.id()), (Some("10.0.0.2"), gateways.id));
    assert_eq!(core.objects::<ServiceInstanceLink>().count().await.unwrap(), 1);
    assert_eq!(arya.eastbound::<GatewayServiceInstance>(&core.client()).await.unwrap()[0].id, gateway.id);
}
