//! Formulas of services.

use super::*;

fn learn(policies: &Policies, text: &str) {
    policies.learn("svc", &xproto::parse("svc.xproto", text).unwrap());
}

/// A world with a model of a service whose policy is this formula.
async fn with_policy(formula: &str) -> (World, ModelInfo, Record) {
    let world = World::new().await;
    let thing = Service::def();
    let def = ModelDef {
        name: "SvcService".into(),
        app_label: "svc".into(),
        base: Some("Service".into()),
        policy: Some("svc_policy".into()),
        fields: Vec::new().into(),
        ..thing.clone()
    };
    let load = LoadModels {
        name: "svc".into(),
        version: "1".into(),
        models: vec![def],
        core_version: None,
        files: ServiceFiles::default(),
    };
    world.core.onboard(&Onboard::Load(load)).await.unwrap();
    learn(
        &world.policies,
        &format!("policy svc_policy < {formula} >\nmessage SvcService::svc_policy (Service) {{}}"),
    );
    let model = world.model("SvcService");
    let shape = model.shape.clone();
    let at = shape.position("name").unwrap() as u16;
    let write = xos_model_client::Write {
        shape,
        target: xos_model_client::Target::New,
        op: xos_model_client::Op::Create(vec![(at, "svc".into())]),
        by: Caller::Client,
        guard: xos_model_client::Guard::None,
    };
    let written = world.core.write(vec![write]).await.pop().unwrap().unwrap();
    (world, model, written.record.unwrap())
}

/// Who of administrator, joe and ann may read and write the object of a model with this policy.
async fn says(formula: &str) -> String {
    let (world, model, object) = with_policy(formula).await;
    world.privilege("joe", ("Service", object.id().get()), "role:admin").await;
    let mut said = String::new();
    for (email, letter) in [("admin", 'a'), ("joe", 'j'), ("ann", 'n')] {
        for (access, letter) in [(Access::Read, letter), (Access::Write, letter.to_ascii_uppercase())] {
            if world.policies.check(world.who(email), access, &model, &object).await.is_ok() {
                said.push(letter);
            }
        }
    }
    said
}

#[tokio::test]
async fn formulas_of_services_are_evaluated() {
    for (formula, expected) in [
        ("True", "aAjJnN"),
        ("False", ""),
        ("ctx.user.is_admin | ctx.read_access", "aAjn"),
        ("*service_policy(obj)", "aAjJ"),
        ("not *service_policy(obj)", "nN"),
        ("obj.name = \"svc\" & ctx.user.email = \"ann\"", "nN"),
        ("ctx.user.site.name = \"two\"", "nN"),
        ("ctx.user.is_staff & ctx.user.firstname = \"joe\"", "jJ"),
        ("exists Slice: (Slice.creator = ctx.user & Slice.name = \"one_joe\")", "jJ"),
        ("exists Slice: (Slice.creator = ctx.user & not Slice.name = \"two_joe\")", "jJnN"),
        (
            "exists Slice: (Slice.creator.site = Slice.site & Slice.creator = ctx.user & Slice.name = \"two_joe\")",
            "",
        ),
        (
            "exists Slice: (Slice.creator.site.id = ctx.user.site.id & Slice.site.name = \"two\" & Slice.enabled)",
            "aAjJnN",
        ),
        (
            "exists Slice: (Slice.name = obj.name | (Slice.name = \"two_ann\" & Slice.creator = ctx.user))",
            "nN",
        ),
        ("forall Slice: (Slice.creator = ctx.user | Slice.enabled)", "aAjJnN"),
        ("forall Slice: Slice.creator = ctx.user", ""),
        ("exists Slice: (Slice.creator = ctx.user & exists Network: Network.owner = Slice)", "jJnN"),
        (
            "exists Site: (Site.name = \"two\" & not exists Slice: (Slice.site = Site & Slice.creator = ctx.user))",
            "aA",
        ),
        ("exists Node: Node.site = ctx.user.site", ""),
        ("ctx.write_access -> ctx.user.email = \"joe\"", "ajJn"),
    ] {
        assert_eq!(says(formula).await, expected, "{formula}");
    }
}

#[tokio::test]
async fn what_cannot_be_evaluated_denies_unless_the_rest_decides() {
    for (formula, expected) in [
        ("{{ True }}", ""),
        ("not {{ True }}", ""),
        ("ctx.user.is_admin | {{ obj.anything() }}", "aA"),
        ("ctx.user.email = \"joe\" & not obj.no_such_field", ""),
        ("*no_such_policy(obj)", ""),
        ("not *no_such_policy(obj)", ""),
        ("exists NoSuchModel: NoSuchModel.id = 1", ""),
        ("not exists Slice: Slice.no_such_field = 1", ""),
        ("not obj.name = 1", ""),
        ("ctx.somebody", ""),
        ("not ctx.user.delete()", ""),
        ("*svc_policy(obj)", ""),
        ("not *svc_policy(obj) | ctx.user.is_admin", "aA"),
    ] {
        assert_eq!(says(formula).await, expected, "{formula}");
    }
}

#[tokio::test]
async fn a_service_s_policy_is_learnt_again_and_forgotten() {
    let (world, model, object) = with_policy("False").await;
    let may = async || world.policies.check(world.who("joe"), Access::Read, &model, &object).await.is_ok();
    assert!(!may().await);
    learn(&world.policies, "policy svc_policy < True > message SvcService::svc_policy (Service) {}");
    assert!(may().await);
    assert!(world.policies.is_open(world.who("joe"), Access::Write, &model));
    world.policies.forget("svc");
    assert!(!may().await, "a policy that nobody knows denies");
    // No service takes the place of the core's policies for the core's models.
    learn(&world.policies, "policy site_policy < True >");
    let site = world.all("Site").await.remove(0);
    assert!(!world.may("joe", Access::Write, "Site", &site).await);
}
