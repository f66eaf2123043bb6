//! Loading and unloading models, and all that can be in the way of it.

use std::sync::Arc;
use std::time::Duration;

use xos_model_client::{
    Cleanup, LoadModels, LoadState, ModelAccessor as _, ModelDef, ModelsStatus, Onboard, Onboarded,
    ServiceFiles,
};
use xos_sync::config::DesiredState;
use xos_sync::model_client::{ErrorKind, Model};
use xos_sync::prelude::*;
use xos_sync_tests::stand_in::{Options, StandIn};

use crate::support::{
    HelloWorldService, HelloWorldServiceInstance, Lab, Program, advance, greeting, models, options, service,
    until,
};

/// Another service, to be loaded beside hello world.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "goodbye")]
struct GoodbyeService {
    #[xos(base)]
    service: Service,
    /// What it says
    #[xos(number = 1)]
    words: Option<String>,
}

/// Hello world as another version of it would be.
mod other {
    use xos_sync::prelude::*;

    #[derive(XosModel, Clone, Debug)]
    #[xos(app_label = "hello-world")]
    pub(super) struct HelloWorldServiceInstance {
        #[xos(base)]
        pub(super) service_instance: ServiceInstance,
        /// The number of who is being greeted
        #[xos(number = 1)]
        pub(super) hello_to: i32,
    }
}

fn load(name: &str, models: &[&'static ModelDef]) -> Onboard {
    Onboard::Load(LoadModels {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        models: models.iter().map(|&model| model.clone()).collect(),
        core_version: None,
        files: ServiceFiles::default(),
    })
}

fn unload(name: &str, cleanup: Cleanup) -> Onboard {
    Onboard::Unload { name: name.to_owned(), cleanup }
}

fn hello() -> Onboard {
    load("hello-world", &models())
}

fn goodbye() -> Onboard {
    load("goodbye", &[GoodbyeService::def()])
}

/// A core that knows what it is given, and has nothing loaded.
fn knowing_all() -> Options {
    Options::fast().knowing(models().into_iter().chain([GoodbyeService::def()]).cloned().collect())
}

fn serves(lab: &Lab, model: &str) -> bool {
    lab.core.descriptors().message(&format!("xos.{model}")).is_ok() && lab.core.is_up()
}

/// It ends soon after it was told to stop.
async fn stops_at_once(program: Program) {
    let end = tokio::time::timeout(Duration::from_secs(10), program.stop()).await;
    end.expect("it stops at once").unwrap();
}

#[tokio::test]
async fn models_are_loaded_and_then_nothing_changes() {
    let lab = Lab::on(options()).await;
    let client = lab.connect().await;
    let loaded = client.onboard(&hello()).await.unwrap();
    let names = vec!["HelloWorldService".into(), "HelloWorldServiceInstance".into()];
    assert_eq!(loaded, Onboarded::Loaded { models: names });
    assert!(client.schema().model("HelloWorldServiceInstance").is_some());
    assert_eq!(client.onboard(&hello()).await.unwrap(), Onboarded::NothingChanged);
    // Another program, later.
    assert_eq!(lab.connect().await.onboard(&hello()).await.unwrap(), Onboarded::NothingChanged);
    let Onboarded::Status(status) = client.onboard(&Onboard::Status).await.unwrap() else { panic!() };
    assert!(status.contains(&ModelsStatus {
        name: "hello-world".into(),
        version: "1.0.0".into(),
        state: LoadState::Present,
    }));
}

#[tokio::test]
async fn who_asks_before_the_restart_is_told_after_it() {
    let mut options = options();
    options.shutdown_delay = Duration::from_millis(300);
    let lab = Lab::on(options).await;
    let (one, two) = (lab.connect().await, lab.connect().await);
    let hello = hello();
    let (first, second) = tokio::join!(one.onboard(&hello), async {
        until("the first is answered", async || lab.core.count("LoadModels") == 1).await;
        two.onboard(&hello).await
    });
    assert!(matches!(first.unwrap(), Onboarded::Loaded { .. }));
    // The core says that nothing changed while the models are not served yet.
    assert_eq!(second.unwrap(), Onboarded::NothingChanged);
    for client in [one, two] {
        assert!(client.schema().model("HelloWorldServiceInstance").is_some());
    }
}

#[tokio::test]
async fn a_second_service_restarts_the_core_under_the_first() {
    let lab = Lab::on(knowing_all()).await;
    let program = lab.start();
    until("the models are served", async || serves(&lab, "HelloWorldServiceInstance")).await;
    lab.core.client().create(service("Jon")).await.unwrap();
    let arya = lab.core.client().create(greeting("Arya")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    let other = lab.connect().await;
    assert!(matches!(other.onboard(&goodbye()).await.unwrap(), Onboarded::Loaded { .. }));
    let bran = lab.core.client().create(greeting("Bran")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(bran.id, "1 OK").await;
    assert_eq!((lab.log.count("Jon greets Arya"), lab.log.count("Jon greets Bran")), (1, 1));
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_core_of_another_version_ends_the_program_with_its_own_words() {
    let mut lab = Lab::on(options()).await;
    lab.config.core_version = Some(">=5.0.0".into());
    let error = lab.start().end().await.unwrap_err();
    let words = "Service hello-world is requesting core version >=5.0.0 but actual version is 4.0.4";
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(lab.core.count("LoadModels"), 1);
}

#[tokio::test]
async fn a_core_version_that_means_nothing_is_not_sent() {
    let mut lab = Lab::on(options()).await;
    lab.config.core_version = Some("the newest".into());
    let error = lab.start().end().await.unwrap_err();
    assert!(error.to_string().contains("the newest"), "{error}");
    assert_eq!(lab.core.count("LoadModels"), 0);
}

#[tokio::test]
async fn a_fitting_core_version_is_sent_as_it_is() {
    let mut lab = Lab::on(options()).await;
    lab.config.core_version = Some(">=4.0.0".into());
    let program = lab.start();
    until("the models are served", async || serves(&lab, "HelloWorldService")).await;
    let sent = lab.sent(&lab.core.calls_of("LoadModels")[0]);
    assert_eq!(sent.get("core_version").map(String::as_str), Some("\">=4.0.0\""));
    assert_eq!(sent.get("name").map(String::as_str), Some("\"hello-world\""));
    stops_at_once(program).await;
}

#[tokio::test]
async fn a_load_whose_answer_was_lost_is_asked_again() {
    for cut in [StandIn::cut_before as fn(&StandIn, &str), StandIn::cut_after] {
        let lab = Lab::on(options()).await;
        cut(&lab.core, "LoadModels");
        lab.connect().await.onboard(&hello()).await.unwrap();
        assert!(serves(&lab, "HelloWorldServiceInstance"));
        assert_eq!(lab.core.count("LoadModels"), 2);
    }
}

#[tokio::test]
async fn a_core_that_restarts_during_the_load_is_asked_again() {
    let lab = Lab::on(options()).await;
    lab.core.hang("LoadModels");
    let client = lab.connect().await;
    let hello = hello();
    let (loaded, ()) = tokio::join!(client.onboard(&hello), async {
        until("it was asked", async || lab.core.count("LoadModels") == 1).await;
        lab.core.heal("LoadModels");
        lab.core.restart().await.unwrap();
    });
    assert!(matches!(loaded.unwrap(), Onboarded::Loaded { .. }));
}

#[tokio::test]
async fn a_load_that_is_not_answered_is_made_again() {
    let lab = Lab::on(options()).await;
    lab.core.hang("LoadModels");
    let program = lab.start();
    until("it was asked", async || lab.core.count("LoadModels") == 1).await;
    lab.core.heal("LoadModels");
    // Its deadline, and the wait after it.
    for seconds in [121, 11] {
        advance(Duration::from_secs(seconds)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until("the models are served", async || serves(&lab, "HelloWorldServiceInstance")).await;
    stops_at_once(program).await;
}

#[tokio::test]
async fn models_with_other_fields_are_told_field_by_field() {
    let known = vec![HelloWorldService::def().clone(), other::HelloWorldServiceInstance::def().clone()];
    let lab = Lab::on(Options::fast().knowing(known)).await;
    let error = lab.start().end().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("with other fields than those of this program"), "{text}");
    assert!(text.contains("HelloWorldServiceInstance") && text.contains("hello_to"), "{text}");
    assert!(!text.contains("HelloWorldService."), "{text}");
}

#[tokio::test]
async fn required_models_that_somebody_else_loads_are_waited_for() {
    let mut lab = Lab::on(knowing_all()).await;
    lab.config.required_models = vec!["HelloWorldService".into(), "GoodbyeService".into()];
    let program = lab.start();
    until("the models are served", async || serves(&lab, "HelloWorldServiceInstance")).await;
    lab.core.client().create(service("Jon")).await.unwrap();
    let arya = lab.core.client().create(greeting("Arya")).await.unwrap();
    let other = lab.connect().await;
    assert_eq!(lab.log.lines(), Vec::<String>::new());
    other.onboard(&goodbye()).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_core_with_models_of_others_is_waited_for_in_the_same_way() {
    // Its models are known, and then their xproto is asked for, before it is there for calls.
    let mut lab = Lab::on(
        knowing_all()
            .with_models([GoodbyeService::def()])
            .knowing(models().into_iter().chain([GoodbyeService::def()]).cloned().collect()),
    )
    .await;
    lab.config.required_models = vec!["Unheard".into()];
    lab.core.answer_late("GetXproto", Duration::from_millis(300));
    let program = lab.start();
    until("it was asked", async || lab.core.count("LoadModels") == 1).await;
    until("the models are served", async || serves(&lab, "HelloWorldServiceInstance")).await;
    until("their xproto was asked for", async || lab.core.count("GetXproto") >= 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!program.has_ended());
    stops_at_once(program).await;
}

#[tokio::test]
async fn a_core_that_is_not_there_is_waited_for() {
    let lab = Lab::on(options()).await;
    lab.core.kill().await;
    let program = lab.start();
    lab.core.resume().await.unwrap();
    until("the models are served", async || serves(&lab, "HelloWorldServiceInstance")).await;
    stops_at_once(program).await;
}

#[tokio::test]
async fn a_wrong_password_ends_the_program_and_is_not_told() {
    let mut lab = Lab::on(options()).await;
    lab.config.accessor.password = Some("tyrion-was-here".into());
    let error = lab.start().end().await.unwrap_err();
    let text = format!("{error} {error:?} {}", error.chain());
    assert!(text.contains("refuses to authenticate"), "{text}");
    assert!(!text.contains("tyrion"), "{text}");
}

#[tokio::test]
async fn without_credentials_the_core_says_no() {
    let mut lab = Lab::on(options()).await;
    (lab.config.accessor.username, lab.config.accessor.password) = (None, None);
    let error = lab.start().end().await.unwrap_err();
    assert!(error.to_string().contains("refuses to authenticate"), "{error}");
    assert!(error.to_string().contains("set username and password"), "{error}");
}

#[tokio::test]
async fn it_stops_at_once_while_it_waits_for_the_core() {
    let lab = Lab::on(options()).await;
    lab.core.kill().await;
    let program = lab.start();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stops_at_once(program).await;
}

#[tokio::test]
async fn it_stops_at_once_while_the_core_does_not_answer() {
    for method in ["NoOp", "GetSchema", "AuthenticatedNoOp", "LoadModels"] {
        let lab = Lab::on(options()).await;
        lab.core.hang(method);
        let program = lab.start();
        until("it was asked", async || lab.core.count(method) >= 1).await;
        stops_at_once(program).await;
    }
}

#[tokio::test]
async fn it_stops_at_once_while_the_core_restarts_to_serve_its_models() {
    let mut options = options();
    options.away = Duration::from_secs(600);
    let lab = Lab::on(options).await;
    let program = lab.start();
    until("the core went away", async || !lab.core.is_up()).await;
    stops_at_once(program).await;
}

#[tokio::test]
async fn it_stops_at_once_while_it_waits_for_required_models() {
    let mut lab = Lab::new().await;
    lab.config.required_models = vec!["GoodbyeService".into()];
    let program = lab.start();
    until("it was asked", async || lab.core.count("LoadModels") >= 1).await;
    until("it came back", async || lab.core.count("GetSchema") >= 2 && lab.core.is_up()).await;
    stops_at_once(program).await;
}

#[tokio::test]
async fn it_stops_at_once_while_the_core_is_away_from_a_program_at_work() {
    let lab = Lab::new().await;
    let jon = lab.core.client().create(service("Jon")).await.unwrap();
    let program = lab.start();
    lab.until_status::<HelloWorldService>(jon.id, "1 OK").await;
    lab.core.kill().await;
    stops_at_once(program).await;
}

#[tokio::test]
async fn models_without_objects_are_unloaded_at_once() {
    let mut lab = Lab::on(options()).await;
    lab.connect().await.onboard(&hello()).await.unwrap();
    lab.config.desired_state = DesiredState::Unload;
    lab.start().end().await.unwrap();
    until("they are not served any more", async || {
        lab.core.is_up() && !serves(&lab, "HelloWorldServiceInstance")
    })
    .await;
    assert_eq!(lab.core.count("UnloadModels"), 1);
    // Again: nothing, and no restart.
    lab.core.forget_calls();
    lab.start().end().await.unwrap();
    assert!(lab.core.is_up());
}

#[tokio::test]
async fn objects_are_deleted_by_their_steps_before_their_models_are_unloaded() {
    let mut lab = Lab::new().await;
    let jon = lab.core.client().create(service("Jon")).await.unwrap();
    let arya = lab.core.client().create(greeting("Arya")).await.unwrap();
    let program = lab.start();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    lab.until_status::<HelloWorldService>(jon.id, "1 OK").await;
    program.stop().await.unwrap();
    lab.config.desired_state = DesiredState::Unload;
    let program = lab.start();
    until("the steps have run", async || lab.log.count("delete service Jon") == 1).await;
    lab.until_status::<HelloWorldService>(jon.id, "gone").await;
    // It asks again after 5 s.
    until("it ends", async || {
        advance(Duration::from_secs(1)).await;
        program.has_ended()
    })
    .await;
    program.end().await.unwrap();
    assert_eq!((lab.log.count("delete Arya"), lab.log.count("delete service Jon")), (1, 1));
    until("they are not served any more", async || {
        lab.core.is_up() && !serves(&lab, "HelloWorldServiceInstance")
    })
    .await;
}

#[tokio::test]
async fn a_service_that_was_never_loaded_is_not_unloaded() {
    let mut lab = Lab::on(options()).await;
    lab.config.desired_state = DesiredState::Unload;
    lab.start().end().await.unwrap();
    // A core would say that this was a success, and restart for nothing.
    assert_eq!(lab.core.count("UnloadModels"), 0);
    assert!(lab.core.is_up());
}

#[tokio::test]
async fn an_unload_that_must_not_delete_says_what_is_in_the_way() {
    let lab = Lab::new().await;
    lab.core.client().create(service("Jon")).await.unwrap();
    let client = lab.connect().await;
    let error = client.onboard(&unload("hello-world", Cleanup::RequireClean)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Onboarding { .. }), "{error}");
    assert!(error.to_string().contains("they have live objects"), "{error}");
    assert!(serves(&lab, "HelloWorldService"));
}

#[tokio::test]
async fn an_unload_goes_on_when_the_core_was_away() {
    for cut in [StandIn::cut_before as fn(&StandIn, &str), StandIn::cut_after] {
        for method in ["GetLoadStatus", "UnloadModels"] {
            let mut lab = Lab::on(options()).await;
            lab.connect().await.onboard(&hello()).await.unwrap();
            lab.config.desired_state = DesiredState::Unload;
            cut(&lab.core, method);
            lab.start().end().await.unwrap();
            until("they are not served any more", async || {
                lab.core.is_up() && !serves(&lab, "HelloWorldServiceInstance")
            })
            .await;
        }
    }
}

#[tokio::test]
async fn it_stops_at_once_while_it_unloads() {
    for method in ["GetLoadStatus", "UnloadModels"] {
        let mut lab = Lab::new().await;
        lab.config.desired_state = DesiredState::Unload;
        lab.core.hang(method);
        let program = lab.start();
        until("it was asked", async || lab.core.count(method) >= 1).await;
        stops_at_once(program).await;
    }
}

#[tokio::test]
async fn it_stops_at_once_while_it_asks_again_to_unload() {
    // Nothing is ever gone, so that it has to ask again and again.
    let reap_every = Duration::from_secs(3600);
    let mut lab = Lab::on(Options { reap_every, ..options().with_models(models()) }).await;
    let jon = lab.core.client().create(service("Jon")).await.unwrap();
    let program = lab.start();
    lab.until_status::<HelloWorldService>(jon.id, "1 OK").await;
    program.stop().await.unwrap();
    lab.config.desired_state = DesiredState::Unload;
    let program = lab.start();
    let asked = async |answered: bool| {
        lab.core.calls_of("UnloadModels").last().is_some_and(|last| last.code.is_some() == answered)
    };
    until("it was asked", async || asked(true).await).await;
    lab.core.hang("UnloadModels");
    until("it was asked again", async || asked(false).await).await;
    let end = tokio::time::timeout(Duration::from_secs(10), program.stop()).await.expect("it stops at once");
    assert!(end.unwrap_err().to_string().contains("the models are still loaded"));
}

#[tokio::test]
async fn a_broken_xproto_never_reaches_the_core() {
    let lab = Lab::on(options()).await;
    let client = lab.connect().await;
    let Onboard::Load(mut load) = hello() else { panic!() };
    load.files.xprotos = vec![xos_model_client::ServiceFile {
        name: "hello-world.xproto".into(),
        contents: "message HelloWorldService (Service) {\n    required string hello_from = 1".into(),
    }];
    let error = client.onboard(&Onboard::Load(load)).await.unwrap_err();
    assert!(error.to_string().contains("hello-world.xproto:2"), "{error}");
    assert_eq!(lab.core.count("LoadModels"), 0);
}

#[tokio::test]
async fn several_clients_of_one_schema_see_it_change() {
    let lab = Lab::on(knowing_all()).await;
    let clients = [lab.connect().await, lab.connect().await];
    clients[0].onboard(&hello()).await.unwrap();
    for client in clients {
        until("it knows the model", async || client.schema().model("HelloWorldService").is_some()).await;
        let _: Arc<_> = client.schema();
    }
}
