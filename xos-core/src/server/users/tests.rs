#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tonic::Code;
use xos_model_client::models::{Role, Site, User};
use xos_model_client::{Caller, ErrorKind, Link, ModelClient, Timestamp};

use super::sessions::LIFETIME;
use super::*;
use crate::Options;

const ADMIN: &str = "admin@opencord.org";
const PASSWORD: &str = "let me:in, please";

/// A core with an administrator, and a clock that stands until it is moved.
struct World {
    core: EmbeddedCore,
    users: Users,
    clock: Arc<AtomicI64>,
}

impl World {
    async fn new() -> Self {
        Self::with(|options| EmbeddedCore::in_memory_with(options).unwrap()).await
    }

    async fn with(open: impl FnOnce(Options) -> EmbeddedCore) -> Self {
        let clock = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        let now = clock.clone();
        let core = open(Options {
            clock: Arc::new(move || Timestamp::from_micros(now.load(Ordering::SeqCst))),
            ..Options::default()
        });
        Accounts::first_start(&core, Some(PASSWORD.into())).await.unwrap();
        World { users: Users::new(core.clone()), core, clock }
    }

    fn passes(&self, seconds: f64) {
        self.clock.fetch_add((seconds * 1e6) as i64, Ordering::SeqCst);
    }

    fn client(&self) -> ModelClient {
        ModelClient::new(Arc::new(self.core.clone()), Caller::Client)
    }

    async fn add(&self, email: &str, password: &str) {
        let accounts = Accounts::new(Arc::new(self.core.clone()));
        accounts.add(NewAccount::new(email, password.into())).await.unwrap();
    }

    async fn user(&self, email: &str) -> User {
        self.client().objects::<User>().filter(User::EMAIL.eq(email)).one().await.unwrap()
    }

    async fn basic(&self, email: &str, password: &str) -> Result<Who, Status> {
        self.users.caller(&basic(email, password)).await
    }

    async fn login(&self, email: &str, password: &str) -> Result<String, Status> {
        self.users.login(email, password, peer("10.0.0.1")).await
    }

    async fn session(&self, session: &str) -> Result<Who, Status> {
        self.users.caller(&call("x-xossession", session)).await
    }
}

fn peer(address: &str) -> Peer {
    Peer::Network(format!("{address}:4000").parse().unwrap())
}

fn call(key: &'static str, value: &str) -> Call {
    let mut headers = HeaderMap::new();
    if !key.is_empty() {
        headers.insert(key, HeaderValue::from_str(value).unwrap());
    }
    Call { path: "/xos.xos/ListSite".into(), headers, message: Bytes::new(), peer: peer("10.0.0.1") }
}

fn basic(email: &str, password: &str) -> Call {
    call("authorization", &format!("Basic {}", STANDARD.encode(format!("{email}:{password}"))))
}

fn email(who: Result<Who, Status>) -> String {
    match who.unwrap() {
        Who::Local => "local".to_owned(),
        Who::User(person) => person.email.clone(),
    }
}

fn fails<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, text: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(text), "{status:?}");
}

#[tokio::test]
async fn credentials_are_those_of_a_user_or_refused_without_the_password() {
    let world = World::new().await;
    assert_eq!(email(world.basic(ADMIN, PASSWORD).await), ADMIN);
    let Who::User(person) = world.basic(ADMIN, PASSWORD).await.unwrap() else { panic!() };
    assert!(person.is_admin && person.id.is_set(), "{person:?}");
    for (user, password) in [(ADMIN, "wrong horse"), ("nobody@x", PASSWORD), (ADMIN, ""), ("", "")] {
        let status = world.basic(user, password).await.unwrap_err();
        let text = format!(
            "{{\"fields\": {{}}, \"specific_error\": \"failed to authenticate {user}\", \"error\": \"XOSPermissionDenied\"}}"
        );
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, text.as_str()));
    }
}

#[tokio::test]
async fn what_is_no_credentials_is_told_as_the_core_does() {
    let world = World::new().await;
    let unpack = "Exception calling application: need more than 1 value to unpack";
    for value in ["Basic", "Basic ***", "Basic YWRtaW5sZXRtZWlu"] {
        fails(world.users.caller(&call("authorization", value)).await, Code::Unknown, unpack);
    }
    let none = "This API requires authentication";
    fails(world.users.caller(&call("authorization", "Bearer abc")).await, Code::Unauthenticated, none);
    fails(world.users.caller(&call("", "")).await, Code::Unauthenticated, none);
    let unknown = "failed to authenticate token deadbeef";
    fails(world.session("deadbeef").await, Code::PermissionDenied, unknown);
}

#[tokio::test]
async fn the_unix_socket_needs_no_credentials_and_takes_them() {
    let world = World::new().await;
    world.add("joe@example.com", "secret12").await;
    let local = |call: Call| Call { peer: Peer::Local, ..call };
    assert_eq!(email(world.users.caller(&local(call("", ""))).await), "local");
    let joe = local(basic("joe@example.com", "secret12"));
    assert_eq!(email(world.users.caller(&joe).await), "joe@example.com");
    for _ in 0..20 {
        let wrong = local(basic("joe@example.com", "secret13"));
        fails(world.users.caller(&wrong).await, Code::PermissionDenied, "failed to authenticate");
    }
    assert_eq!(email(world.users.caller(&joe).await), "joe@example.com");
}

#[tokio::test]
async fn somebody_without_a_password_or_no_longer_active_cannot_log_in() {
    let world = World::new().await;
    let site = Link::to(1);
    let user =
        User { email: "joe@x".into(), firstname: "J".into(), lastname: "X".into(), site, ..User::default() };
    let mut joe = world.client().create(user).await.unwrap();
    assert_eq!(joe.password, "Something");
    fails(world.basic("joe@x", "Something").await, Code::PermissionDenied, "joe@x");
    fails(
        world.login("joe@x", "Something").await,
        Code::Unauthenticated,
        "Failed to authenticate user joe@x",
    );
    joe.password = "secret12".into();
    world.client().save(&mut joe).await.unwrap();
    assert_eq!(email(world.basic("joe@x", "secret12").await), "joe@x");
    let session = world.login("joe@x", "secret12").await.unwrap();
    assert_eq!(email(world.session(&session).await), "joe@x");
    joe.is_active = false;
    world.client().save(&mut joe).await.unwrap();
    fails(world.basic("joe@x", "secret12").await, Code::PermissionDenied, "joe@x");
    fails(world.session(&session).await, Code::PermissionDenied, "failed to authenticate token");
    joe.is_active = true;
    world.client().save(&mut joe).await.unwrap();
    assert_eq!(email(world.session(&session).await), "joe@x");
    world.client().delete(&joe).await.unwrap();
    fails(world.basic("joe@x", "secret12").await, Code::PermissionDenied, "joe@x");
    fails(world.session(&session).await, Code::PermissionDenied, "failed to authenticate token");
}

#[tokio::test]
async fn a_session_counts_until_it_is_ended() {
    let world = World::new().await;
    fails(world.login("", PASSWORD).await, Code::Unauthenticated, "No username");
    fails(
        world.login(ADMIN, "wrong").await,
        Code::Unauthenticated,
        "Failed to authenticate user admin@opencord.org",
    );
    let (one, other) =
        (world.login(ADMIN, PASSWORD).await.unwrap(), world.login(ADMIN, PASSWORD).await.unwrap());
    assert!(one.len() == 32 && one != other, "{one} {other}");
    assert_eq!(email(world.session(&one).await), ADMIN);
    world.users.logout(&call("x-xossession", &one)).await.unwrap();
    world.users.logout(&call("x-xossession", &one)).await.unwrap();
    world.users.logout(&call("", "")).await.unwrap();
    fails(world.session(&one).await, Code::PermissionDenied, "failed to authenticate token");
    assert_eq!(email(world.session(&other).await), ADMIN);
    // Another server of the same database knows it too.
    let elsewhere = Users::new(world.core.clone());
    assert_eq!(email(elsewhere.caller(&call("x-xossession", &other)).await), ADMIN);
    world.users.logout(&call("x-xossession", &other)).await.unwrap();
    world.passes(10.0);
    fails(elsewhere.caller(&call("x-xossession", &other)).await, Code::PermissionDenied, "token");
}

#[tokio::test]
async fn a_session_is_over_two_weeks_after_its_last_use_and_is_swept() {
    let world = World::new().await;
    let (used, idle) =
        (world.login(ADMIN, PASSWORD).await.unwrap(), world.login(ADMIN, PASSWORD).await.unwrap());
    for _ in 0..3 {
        world.passes(LIFETIME - 1.0);
        assert_eq!(email(world.session(&used).await), ADMIN);
    }
    fails(world.session(&idle).await, Code::PermissionDenied, "failed to authenticate token");
    assert_eq!(world.core.recall("session").await.unwrap().len(), 2);
    let third = world.login(ADMIN, PASSWORD).await.unwrap();
    assert_eq!(world.core.recall("session").await.unwrap().len(), 2, "the one that was over was swept");
    assert_eq!(email(world.session(&used).await), ADMIN);
    world.passes(LIFETIME);
    for session in [&used, &third] {
        fails(world.session(session).await, Code::PermissionDenied, "failed to authenticate token");
    }
    world.login(ADMIN, PASSWORD).await.unwrap();
    assert_eq!(world.core.recall("session").await.unwrap().len(), 1);
    assert_eq!(world.core.recall("session used").await.unwrap().len(), 0);
}

#[tokio::test]
async fn the_use_of_a_session_is_stored_once_an_hour() {
    let world = World::new().await;
    let session = world.login(ADMIN, PASSWORD).await.unwrap();
    let used = async || world.core.recall("session used").await.unwrap().into_values().next();
    for _ in 0..10 {
        world.passes(300.0);
        world.session(&session).await.unwrap();
        assert_eq!(used().await, None);
    }
    world.passes(600.0);
    world.session(&session).await.unwrap();
    let noted = used().await;
    assert_eq!(noted.as_ref().and_then(serde_json::Value::as_f64), Some(1_700_003_600.0));
    world.passes(3599.0);
    world.session(&session).await.unwrap();
    assert_eq!(used().await, noted);
}

#[tokio::test]
async fn a_new_password_counts_at_once_and_ends_the_sessions() {
    let world = World::new().await;
    let session = world.login(ADMIN, PASSWORD).await.unwrap();
    assert_eq!(email(world.basic(ADMIN, PASSWORD).await), ADMIN);
    let accounts = Accounts::new(Arc::new(world.core.clone()));
    accounts.set_password(ADMIN, &"a new one".into()).await.unwrap();
    fails(world.basic(ADMIN, PASSWORD).await, Code::PermissionDenied, ADMIN);
    fails(world.session(&session).await, Code::PermissionDenied, "failed to authenticate token");
    assert_eq!(email(world.basic(ADMIN, "a new one").await), ADMIN);
}

#[tokio::test]
async fn a_guesser_has_to_wait_and_is_told_for_how_long() {
    let world = World::new().await;
    world.add("joe@example.com", "secret12").await;
    for at in 0..5 {
        fails(world.login(ADMIN, &at.to_string()).await, Code::Unauthenticated, "Failed to authenticate");
    }
    fails(world.basic(ADMIN, "5").await, Code::ResourceExhausted, "try again in 15 s");
    fails(world.basic(ADMIN, PASSWORD).await, Code::ResourceExhausted, "try again in 15 s");
    assert_eq!(email(world.basic("joe@example.com", "secret12").await), "joe@example.com");
    world.passes(14.0);
    fails(world.basic(ADMIN, PASSWORD).await, Code::ResourceExhausted, "try again in 1 s");
    world.passes(1.0);
    assert_eq!(email(world.basic(ADMIN, PASSWORD).await), ADMIN);
    // Nobody is not told from somebody.
    for at in 0..5 {
        fails(
            world.login("nobody@x", &at.to_string()).await,
            Code::Unauthenticated,
            "Failed to authenticate",
        );
    }
    fails(world.login("nobody@x", "5").await, Code::ResourceExhausted, "try again in 15 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_credentials_are_checked_once() {
    let world = Arc::new(World::new().await);
    let calls = (0..32).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { email(world.basic(ADMIN, PASSWORD).await) })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), ADMIN);
    }
    assert_eq!(world.users.checks.made(), 1);
    world.passes(9.0);
    world.basic(ADMIN, PASSWORD).await.unwrap();
    assert_eq!(world.users.checks.made(), 1);
    world.passes(1.0);
    world.basic(ADMIN, PASSWORD).await.unwrap();
    assert_eq!(world.users.checks.made(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_guesses_at_once_are_not_more_than_one_after_the_other() {
    let world = Arc::new(World::new().await);
    let calls = (0..64).map(|at| {
        let world = world.clone();
        tokio::spawn(async move { world.basic(ADMIN, &at.to_string()).await.unwrap_err().code() })
    });
    let mut wrong = 0;
    for call in calls.collect::<Vec<_>>() {
        wrong += usize::from(call.await.unwrap() == Code::PermissionDenied);
    }
    // Two are checked at once: the second one may have begun when the fifth was wrong.
    assert!((5..=5 + crate::passwords::hash::AT_ONCE).contains(&wrong), "{wrong}");
}

#[tokio::test]
async fn nobody_can_set_a_hash_and_what_is_sent_back_changes_nothing() {
    let world = World::new().await;
    world.add("joe@example.com", "secret12").await;
    let (admin, mut joe) = (world.user(ADMIN).await, world.user("joe@example.com").await);
    let hash = joe.password.clone();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    joe.password = admin.password.clone();
    let error = world.client().save(&mut joe).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Invalid { .. }), "{error}");
    assert!(error.to_string().contains("looks like a hash") && !error.to_string().contains(&admin.password));
    // The hash is no password.
    fails(world.basic("joe@example.com", &hash).await, Code::PermissionDenied, "joe");
    // The same hash, or the same password, sent again.
    for same in [hash.clone(), "secret12".to_owned()] {
        joe.password = format!("{same} ");
        joe.password.pop();
        world.client().save(&mut joe).await.unwrap();
        assert_eq!(world.user("joe@example.com").await.password, hash);
    }
    joe.password = "x".repeat(257);
    let error = world.client().save(&mut joe).await.unwrap_err();
    assert!(error.to_string().contains("at most 256 characters (it has 257)"), "{error}");
    joe.password = "Something".into();
    world.client().save(&mut joe).await.unwrap();
    fails(world.basic("joe@example.com", "secret12").await, Code::PermissionDenied, "joe");
}

#[tokio::test]
async fn a_write_that_is_refused_leaves_the_others_of_its_call_in_order() {
    let world = World::new().await;
    let user = |email: &str, password: &str| {
        let shape = <User as xos_model_client::Model>::shape();
        let at = |name: &str| shape.position(name).unwrap() as u16;
        let fields = vec![
            (at("email"), email.into()),
            (at("password"), password.into()),
            (at("firstname"), "A".into()),
            (at("lastname"), "B".into()),
            (at("site"), xos_model_client::Value::Link(1.into())),
        ];
        xos_model_client::Write {
            shape: shape.clone(),
            target: xos_model_client::Target::New,
            op: xos_model_client::Op::Create(fields),
            by: Caller::Client,
            guard: xos_model_client::Guard::None,
        }
    };
    let writes =
        vec![user("a@x", "one"), user("b@x", "$argon2id$v=19$x"), user("c@x", ""), user("d@x", "two")];
    let answers = xos_model_client::ModelAccessor::write(&world.core, writes).await;
    assert!(
        answers[0].is_ok() && answers[1].is_err() && answers[2].is_err() && answers[3].is_ok(),
        "{answers:?}"
    );
    assert_eq!(email(world.basic("a@x", "one").await), "a@x");
    assert_eq!(email(world.basic("d@x", "two").await), "d@x");
}

#[tokio::test]
async fn neither_passwords_nor_sessions_stand_in_the_files_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let world = World::with(|options| EmbeddedCore::open(&path, options).unwrap()).await;
    world.add("joe@example.com", "horse battery staple").await;
    let mut joe = world.user("joe@example.com").await;
    joe.password = "another horse battery".into();
    world.client().save(&mut joe).await.unwrap();
    let session = world.login("joe@example.com", "another horse battery").await.unwrap();
    assert_eq!(email(world.session(&session).await), "joe@example.com");
    let stands = |folder: &Path, text: &str| {
        std::fs::read_dir(folder).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    };
    for closed in [false, true] {
        if closed {
            world.core.close();
        }
        assert!(stands(folder.path(), "$argon2id$v=19$m=19456,t=2,p=1$"));
        for secret in [PASSWORD, "horse battery staple", "another horse battery", &session] {
            assert!(!stands(folder.path(), secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn what_is_shown_for_debugging_has_no_password_and_no_hash() {
    let world = World::new().await;
    let admin = world.user(ADMIN).await;
    let known = world.users.people.by_email(ADMIN).await.unwrap().unwrap();
    let who = world.basic(ADMIN, PASSWORD).await.unwrap();
    let account = Accounts::new(Arc::new(world.core.clone())).list().await.unwrap();
    let new = NewAccount::new("joe@x", PASSWORD.into());
    let credentials = Credentials::parse(&format!("Basic {}", STANDARD.encode(format!("a:{PASSWORD}"))));
    let shown = format!("{admin:?} {known:?} {who:?} {account:?} {new:?} {:?}", credentials.unwrap());
    assert!(shown.contains(ADMIN), "{shown}");
    assert!(
        !shown.contains(PASSWORD) && !shown.contains("argon2") && !shown.contains(&admin.password),
        "{shown}"
    );
}

#[tokio::test]
async fn the_first_start_needs_a_password_and_the_next_ones_change_nothing() {
    let core = EmbeddedCore::in_memory().unwrap();
    let error = Accounts::first_start(&core, None).await.unwrap_err().to_string();
    assert!(error.contains("XOS_ADMIN_PASSWORD"), "{error}");
    for bad in ["", "Something", "$argon2id$v=19$m=1"] {
        Accounts::first_start(&core, Some(bad.into())).await.unwrap_err();
    }
    let client = ModelClient::new(Arc::new(core.clone()), Caller::Client);
    assert_eq!(client.objects::<Site>().count().await.unwrap(), 0, "nothing was made");
    let first = Accounts::first_start(&core, Some(PASSWORD.into())).await.unwrap();
    assert_eq!(first, FirstStart::Created);
    let sites = client.objects::<Site>().all().await.unwrap();
    let named: Vec<_> = sites.iter().map(|site| (site.id.get(), site.name.as_str())).collect();
    assert_eq!(named, [(1, "mysite")]);
    let roles = client.objects::<Role>().all().await.unwrap();
    let roles: Vec<_> =
        roles.iter().map(|role| (role.role_type.as_str(), role.role.as_deref().unwrap())).collect();
    assert_eq!(roles, [("site", "admin"), ("slice", "admin"), ("slice", "access")]);
    let cursor = xos_model_client::ModelAccessor::cursor(&core).await.unwrap();
    for password in [None, Some("another one".into())] {
        assert_eq!(Accounts::first_start(&core, password).await.unwrap(), FirstStart::Unchanged);
    }
    assert_eq!(xos_model_client::ModelAccessor::cursor(&core).await.unwrap(), cursor);
    let users = Users::new(core);
    assert_eq!(email(users.caller(&basic(ADMIN, PASSWORD)).await), ADMIN);
}

#[tokio::test]
async fn an_administrator_of_an_older_database_gets_the_password() {
    let core = EmbeddedCore::in_memory().unwrap();
    let client = ModelClient::new(Arc::new(core.clone()), Caller::Client);
    // Other objects came first: the site is not the first one.
    client.create(Role { role_type: "x".into(), ..Role::default() }).await.unwrap();
    assert_eq!(Accounts::first_start(&core, Some(PASSWORD.into())).await.unwrap(), FirstStart::Created);
    let mut admin = client.objects::<User>().one().await.unwrap();
    assert_eq!(admin.site.id(), client.objects::<Site>().one().await.unwrap().id);
    admin.password = "Something".into();
    client.save(&mut admin).await.unwrap();
    Accounts::first_start(&core, None).await.unwrap_err();
    assert_eq!(Accounts::first_start(&core, Some("again".into())).await.unwrap(), FirstStart::PasswordSet);
    assert_eq!(email(Users::new(core).caller(&basic(ADMIN, "again")).await), ADMIN);
}

#[tokio::test]
async fn accounts_are_added_once_and_listed() {
    let world = World::new().await;
    let accounts = Accounts::new(Arc::new(world.core.clone()));
    accounts.add(NewAccount::new("joe@x", "secret12".into())).await.unwrap();
    let mut elsewhere = NewAccount::new("ann@x", "secret12".into());
    elsewhere.site = Some("nowhere".into());
    for (account, problem) in [
        (NewAccount::new("joe@x", "secret12".into()), "there is a user joe@x already"),
        (NewAccount::new("a:b", "secret12".into()), "without a colon"),
        (NewAccount::new("ann@x", "".into()), "is empty"),
        (elsewhere, "no site named nowhere"),
    ] {
        let error = accounts.add(account).await.unwrap_err().to_string();
        assert!(error.contains(problem) && !error.contains("secret12"), "{error}");
    }
    let listed = accounts.list().await.unwrap();
    let emails: Vec<_> = listed.iter().map(|account| (account.email.as_str(), account.is_admin)).collect();
    assert_eq!(emails, [(ADMIN, true), ("joe@x", false)]);
    accounts.set_password("nobody@x", &"x".into()).await.unwrap_err();
}
