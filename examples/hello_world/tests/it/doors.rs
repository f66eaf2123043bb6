//! The doors of the running program: the socket beside its database, and an address where it is told to.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use xos_sync::model_client::ModelAccessor as _;
use xos_sync::model_client::grpc::{CoreClient, CoreOptions, Credentials, Password};
use xos_sync::tokio::runtime::Runtime;

use crate::support::{Stage, text};

#[test]
fn the_socket_is_its_owners_and_comes_and_goes_with_the_program() {
    let stage = Stage::new();
    let socket = stage.path("hello.db.sock");
    let mut program = stage.start(&[]);
    program.wait_for("Saved sync object");
    let found = std::fs::metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    // A client that stays connected does not keep the program from ending.
    let _client = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
    assert!(!socket.exists());
}

#[test]
fn a_socket_that_kill_9_left_is_in_nobodys_way() {
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    program.wait_for("Saved sync object");
    program.kill();
    assert!(stage.path("hello.db.sock").exists(), "kill -9 leaves it");
    assert!(stage.good(&["list"]).contains("HelloWorld Service Instance"), "the file is looked at");
    let recipe = stage.path("recipe.yaml").display().to_string();
    assert!(stage.good(&["apply", &recipe]).contains("nothing to change"), "the file is opened");
    let mut program = stage.start(&[]);
    program.wait_for("serving the core");
    assert!(stage.good(&["list"]).contains("HelloWorld Service Instance"));
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_a_warning() {
    let stage = Stage::new();
    let folder = stage.path(&"x".repeat(120));
    std::fs::create_dir(&folder).unwrap();
    let database = folder.join("hello.db").display().to_string();
    let recipe = stage.path("recipe.yaml").display().to_string();
    let run = |more: &[&str]| {
        let arguments = [&["--db", &database, "--recipe", &recipe, "--once"], more].concat();
        let output = stage.plain(&arguments).output().unwrap();
        (output.status.success(), text(&output.stderr))
    };
    let (ended_well, log) = run(&[]);
    assert!(ended_well && log.contains("other programs cannot reach this core"), "{log}");
    assert!(log.contains("accessor.socket"), "{log}");
    // The way out that it names.
    stage.write("config.yaml", &format!("accessor: {{socket: {}}}\n", stage.path("a.sock").display()));
    let (ended_well, log) = run(&["-C", &stage.path("config.yaml").display().to_string()]);
    assert!(ended_well && !log.contains("cannot reach") && log.contains("a.sock"), "{log}");
}

#[test]
fn an_owner_without_a_socket_is_explained() {
    let stage = Stage::new();
    let config = stage.path("config.yaml").display().to_string();
    stage.write("config.yaml", &format!("accessor: {{socket: {}}}\n", stage.path("else.sock").display()));
    let mut program = stage.start(&["-C", &config]);
    program.wait_for("Saved sync object");
    let recipe = stage.path("recipe.yaml").display().to_string();
    let pid = format!("process {}", program.id());
    stage.bad(&["apply", &recipe], 1, &[&pid, "nothing answers on", "hello.db.sock", "accessor.socket"]);
    assert!(stage.good(&["list"]).contains("OK"), "looking needs no socket");
    let why = stage.good(&["explain", "HelloWorldService", "HelloWorld"]);
    assert!(why.contains(&pid) && why.contains("another accessor.socket"), "{why}");
}

#[test]
fn on_the_network_people_log_in() {
    let stage = Stage::new();
    let config = stage.path("config.yaml").display().to_string();
    stage.write("config.yaml", "name: hello-world\naccessor: {listen: '127.0.0.1:0'}\n");
    let output = stage.run(&["-C", &config]);
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("accessor.admin_password"), "{printed}");

    stage.write("secret", "winter is coming\n");
    stage.write("config.yaml", "accessor: {listen: '127.0.0.1:0', admin_password: '@secret'}\n");
    let mut program = stage.start(&["-C", &config]);
    let line = program.wait_for("127.0.0.1:");
    let port: String =
        line.split("127.0.0.1:").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    program.wait_for("Saved sync object");
    let runtime = Runtime::new().unwrap();
    let login = |password: &str| {
        let mut options = CoreOptions::new(format!("http://127.0.0.1:{port}"));
        options.credentials = Some(Credentials::new("admin@opencord.org", Password::literal(password)));
        runtime.block_on(async {
            let core = CoreClient::new(options).unwrap();
            core.ready().await.map(|()| core.schema().model("HelloWorldService").is_some())
        })
    };
    assert!(login("winter is coming").unwrap());
    assert!(login("summer is coming").is_err());
    let (status, log) = program.interrupt();
    assert!(status.success() && !log.contains("winter is coming"), "{log}");
    // Later starts need no password.
    stage.write("config.yaml", "accessor: {listen: '127.0.0.1:0'}\n");
    let run = stage.run(&["-C", &config, "--once"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
}
