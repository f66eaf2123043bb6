//! What Ansible and ssh are told of the target.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::target::{Host, HostKeys, Place, Target};
use crate::config::{Ansible, Proxy};

/// How ssh's configuration calls the host in between.
const JUMP: &str = "xos-sync-jump";

/// The inventory: one host.
pub(super) fn inventory(target: &Target) -> String {
    let mut host = Map::new();
    let mut set = |name: &str, value: Json| host.insert(format!("ansible_{name}"), value);
    match &target.place {
        Place::Host(to) => {
            set("host", to.address.as_str().into());
            if let Some(user) = &to.user {
                set("user", user.as_str().into());
            }
            if let Some(port) = to.port {
                set("port", port.into());
            }
        }
        Place::Local | Place::Nowhere => {
            set("connection", "local".into());
            // That of the system may be without what Ansible needs.
            set("python_interpreter", "{{ ansible_playbook_python }}".into());
        }
    }
    if let Some(python) = &target.python {
        set("python_interpreter", python.as_str().into());
    }
    let mut hosts = Map::new();
    hosts.insert(target.instance_name().into_owned(), Json::Object(host));
    format!("{:#}\n", json!({"all": {"hosts": hosts}}))
}

/// The configuration of ssh, where it is used. Checks the keys.
pub(super) fn ssh_config(target: &Target, settings: &Ansible) -> Result<Option<String>, String> {
    let Place::Host(host) = &target.place else { return Ok(None) };
    let key = host.key.as_deref().or(settings.node_key.as_deref());
    let mut config = "# Made by the synchronizer for one run.\n".to_owned();
    if let Some(jump) = &host.jump
        && settings.proxy != Proxy::Off
    {
        let (user, own) = match &settings.proxy {
            Proxy::On { user, key } => (Some(user.as_str()), key.as_deref()),
            Proxy::AsTheStepSays | Proxy::Off => (None, None),
        };
        let _ = writeln!(config, "Host {JUMP}\n  HostName {}", escape_percent(&jump.address));
        if let Some(user) = jump.user.as_deref().or(user) {
            let _ = writeln!(config, "  User \"{user}\"");
        }
        if let Some(port) = jump.port {
            let _ = writeln!(config, "  Port {port}");
        }
        config.push_str("  BatchMode yes\n");
        write_key(&mut config, jump.key.as_deref().or(own).or(key))?;
        write_host_keys(&mut config, host)?;
        let _ = writeln!(config, "Host * !{JUMP}\n  ProxyJump {JUMP}");
    }
    let _ = writeln!(config, "Host * !{JUMP}");
    write_key(&mut config, key)?;
    write_host_keys(&mut config, host)?;
    // The first word on a matter counts: what people have told ssh fills in the rest.
    config.push_str(
        "Host *\n  ServerAliveInterval 30\n  Include ~/.ssh/config\n  Include /etc/ssh/ssh_config\n",
    );
    Ok(Some(config))
}

fn write_key(config: &mut String, key: Option<&Path>) -> Result<(), String> {
    let Some(key) = key else { return Ok(()) };
    check_key(key)?;
    let _ = writeln!(config, "  IdentityFile {}\n  IdentitiesOnly yes", quoted(key)?);
    Ok(())
}

fn write_host_keys(config: &mut String, host: &Host) -> Result<(), String> {
    let _ = match &host.known {
        HostKeys::Known => writeln!(config, "  StrictHostKeyChecking yes"),
        HostKeys::KnownIn(file) => writeln!(
            config,
            "  StrictHostKeyChecking yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null",
            quoted(file)?
        ),
        HostKeys::AcceptNew(file) => writeln!(
            config,
            "  StrictHostKeyChecking accept-new\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null",
            quoted(file)?
        ),
        HostKeys::Unchecked => writeln!(
            config,
            "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  GlobalKnownHostsFile /dev/null\n  LogLevel \
             ERROR"
        ),
    };
    Ok(())
}

/// A path as ssh reads it; a relative one starts at the current folder of the synchronizer, not of ssh.
fn quoted(path: &Path) -> Result<String, String> {
    let path = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match path.to_str() {
        Some(text) if !text.contains(['"', '\n', '\\', '$']) => Ok(format!("\"{}\"", escape_percent(text))),
        _ => Err(format!("the path {} cannot be given to ssh: it has one of \" $ \\ in it", path.display())),
    }
}

fn escape_percent(text: &str) -> String {
    text.replace('%', "%%")
}

/// Whether ssh will take a key file; its own words on this come late, and not from the place of the mistake.
pub(super) fn check_key(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let found = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("the ssh key {shown} does not exist"),
        _ => format!("cannot look at the ssh key {shown}: {error}"),
    })?;
    if !found.is_file() {
        return Err(format!("the ssh key {shown} is not a file"));
    }
    let mode = found.mode() & 0o777;
    // ssh looks at the mode of its user's own files only.
    if mode & 0o077 != 0 && found.uid() == rustix::process::geteuid().as_raw() {
        return Err(format!(
            "the ssh key {shown} has mode {mode:04o}, so that others may use it, and ssh refuses it; run: chmod 600 \
             {shown}"
        ));
    }
    std::fs::File::open(path).map_err(|error| format!("cannot read the ssh key {shown}: {error}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ansible::Jump;
    use std::os::unix::fs::PermissionsExt as _;

    fn key(folder: &Path, name: &str, mode: u32) -> std::path::PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, "a key").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_inventory_has_one_host() {
        let local: Json = serde_json::from_str(&inventory(&Target::local())).unwrap();
        assert_eq!(local.pointer("/all/hosts/localhost/ansible_connection"), Some(&json!("local")));
        let there =
            Target::host("10.0.0.7").named("web-1").user("ubuntu").port(2222).python("/usr/bin/python3");
        let there: Json = serde_json::from_str(&inventory(&there)).unwrap();
        let expected = json!({"ansible_host": "10.0.0.7", "ansible_user": "ubuntu", "ansible_port": 2222,
            "ansible_python_interpreter": "/usr/bin/python3"});
        assert_eq!(there.pointer("/all/hosts/web-1"), Some(&expected));
        assert_eq!(Target::host("fe80::1%eth0").instance_name(), "fe80--1-eth0");
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for bad in ["a:b", "", "all", "a b", "-x", "a,b", "a\nb", "{{x}}"] {
            assert!(Target::local().named(bad).check().is_err(), "{bad}");
        }
        for bad in ["-oProxyCommand=id", "a b", "a\nb", "", "$(id)", "{{ x }}"] {
            assert!(Target::host(bad).named("x").check().is_err(), "{bad}");
            assert!(Target::host("h").user(bad).check().is_err(), "{bad}");
            assert!(Target::host("h").through(Jump::host(bad)).check().is_err(), "{bad}");
        }
        assert!(Target::host("fe80::1%eth0").user("DOMAIN\\me").check().is_ok());
    }

    #[test]
    fn host_keys_are_checked_unless_told_otherwise() {
        let config =
            |keys| ssh_config(&Target::host("h").host_keys(keys), &Ansible::default()).unwrap().unwrap();
        assert!(config(HostKeys::Known).contains("StrictHostKeyChecking yes"));
        assert!(config(HostKeys::Unchecked).contains("StrictHostKeyChecking no"));
        assert!(config(HostKeys::KnownIn("/k%h".into())).contains("UserKnownHostsFile \"/k%%h\""));
        assert!(ssh_config(&Target::local(), &Ansible::default()).unwrap().is_none());
    }

    #[test]
    fn the_configuration_gives_what_the_step_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let [node, proxy] = ["node", "proxy"].map(|name| key(folder.path(), name, 0o600));
        let mut settings = Ansible { node_key: Some(node.clone()), ..Ansible::default() };
        let target = Target::host("h").through(Jump::host("gate"));
        settings.proxy = Proxy::On { user: "root".to_owned(), key: Some(proxy.clone()) };
        let config = ssh_config(&target, &settings).unwrap().unwrap();
        let [jump, rest] = config.splitn(2, "Host * !").collect::<Vec<_>>().try_into().unwrap();
        let has = |part: &str, words: &[&str]| words.iter().all(|word| part.contains(word));
        assert!(has(jump, &["HostName gate", "User \"root\"", "StrictHostKeyChecking yes"]), "{config}");
        assert!(jump.contains(proxy.to_str().unwrap()), "{config}");
        assert!(has(rest, &["ProxyJump xos-sync-jump", node.to_str().unwrap()]), "{config}");
        settings.proxy = Proxy::Off;
        assert!(!ssh_config(&target, &settings).unwrap().unwrap().contains("ProxyJump"));
    }

    #[test]
    fn a_key_that_ssh_would_refuse_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let open = key(folder.path(), "open", 0o644);
        let error = check_key(&open).unwrap_err();
        let shown = open.display();
        assert_eq!(
            error,
            format!(
                "the ssh key {shown} has mode 0644, so that others may use it, and ssh refuses it; run: chmod 600 {shown}"
            )
        );
        let missing = folder.path().join("missing");
        assert_eq!(
            check_key(&missing).unwrap_err(),
            format!("the ssh key {} does not exist", missing.display())
        );
        assert!(check_key(folder.path()).unwrap_err().ends_with("is not a file"));
        assert!(check_key(&key(folder.path(), "good", 0o400)).is_ok());
    }
}
