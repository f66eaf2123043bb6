//! Changes that would give somebody more than he has.

use super::*;

#[tokio::test]
async fn nobody_moves_an_object_to_where_he_may_not_write() {
    let world = World::new().await;
    let slice = world.model("Slice");
    let sites = world.all("Site").await;
    let stored = world.all("Slice").await.remove(1);
    world.privilege("joe", ("Site", sites[0].id().get()), "role:admin").await;
    let update = async |email: &str, field: &str, value: Value| {
        let next = changed(&stored, field, value);
        world.policies.check_update(world.who(email), &slice, &stored, &next).await
    };
    assert!(update("joe", "description", "new".into()).await.is_ok());
    let status = update("joe", "site", Value::Link(sites[1].id())).await.unwrap_err();
    assert!(
        status.message().contains("Slice object") && status.message().contains("slice_policy"),
        "{status}"
    );
    assert!(update("admin", "site", Value::Link(sites[1].id())).await.is_ok());
    world.privilege("joe", ("Site", sites[1].id().get()), "role:admin").await;
    assert!(update("joe", "site", Value::Link(sites[1].id())).await.is_ok());
    // The creator stays, but for an administrator.
    let mine = world.all("Slice").await.remove(0);
    let next = changed(&mine, "creator", Value::Link(world.person("ann").id));
    let status = world.policies.check_update(world.who("joe"), &slice, &mine, &next).await.unwrap_err();
    assert!(status.message().contains("Insufficient privileges to change slice creator"), "{status}");
    assert!(world.policies.check_update(world.who("admin"), &slice, &mine, &next).await.is_ok());
}

#[tokio::test]
async fn nobody_makes_himself_an_administrator() {
    let world = World::new().await;
    let user = world.model("User");
    let users = world.all("User").await;
    let (admin, joe) = (&users[0], &users[1]);
    let promoted = changed(joe, "is_admin", Value::Bool(true));
    let renamed = changed(joe, "firstname", "Joseph".into());
    assert!(world.policies.check_update(world.who("joe"), &user, joe, &renamed).await.is_ok());
    assert!(world.policies.check_update(world.who("joe"), &user, joe, &promoted).await.is_err());
    assert!(world.policies.check_update(world.who("admin"), &user, joe, &promoted).await.is_ok());
    // Whoever administers the site reads its administrators and writes the others.
    world.privilege("joe", ("Site", 1), "role:admin").await;
    assert!(world.policies.check_update(world.who("joe"), &user, joe, &promoted).await.is_err());
    assert!(world.may("joe", Access::Read, "User", admin).await);
    assert!(!world.may("joe", Access::Write, "User", admin).await);
    assert!(!world.policies.is_open(world.who("joe"), Access::Write, &user));
}
