//! Where an embedded core is served, beside serving the program itself: a part of the section `accessor`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::SecretString;

use super::accessor::{AccessorKind, needs_the_other, read_secret};
use super::error::Problem;
use super::tree::Tree;

/// Where an embedded core is served to other programs. On a Unix socket beside its database, unless told otherwise;
/// on the network only when told so.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Serving {
    /// The Unix socket; unset: the database's name with `.sock` behind it. None for PostgreSQL, unless it is given.
    pub socket: Option<PathBuf>,
    /// The address and port of the network to listen at; unset: none.
    pub listen: Option<SocketAddr>,
    /// Certificate for that address, PEM. Without one the address has to be of this machine.
    pub listen_cert: Option<PathBuf>,
    /// Key of that certificate, PEM.
    pub listen_key: Option<PathBuf>,
    /// The password that the first user gets when there is none yet; never printed.
    pub admin_password: Option<SecretString>,
}

/// The keys that only mean something to an embedded core.
pub(super) const KEYS: [&str; 5] = [
    "accessor.socket",
    "accessor.listen",
    "accessor.listen_cert",
    "accessor.listen_key",
    "accessor.admin_password",
];

impl Serving {
    /// What the section says; problems go to `tree`.
    pub(super) fn read(tree: &mut Tree, kind: AccessorKind) -> Self {
        if kind == AccessorKind::Grpcapi {
            return Serving::default();
        }
        needs_the_other(tree, ["accessor.listen_cert", "accessor.listen_key"]);
        for key in ["accessor.listen_cert", "accessor.listen_key", "accessor.admin_password"] {
            if let (Some(origin), None) = (tree.origin(key), tree.node("accessor.listen")) {
                tree.problem(Problem::new(&origin, format!("{key} needs accessor.listen")).key(key));
            }
        }
        let has_certificate = tree.node("accessor.listen_cert").is_some();
        Serving {
            socket: tree.get("accessor.socket"),
            listen: read_listen(tree, has_certificate),
            listen_cert: tree.get("accessor.listen_cert"),
            listen_key: tree.get("accessor.listen_key"),
            admin_password: read_secret(tree, "accessor.admin_password").0,
        }
    }
}

fn read_listen(tree: &mut Tree, has_certificate: bool) -> Option<SocketAddr> {
    const KEY: &str = "accessor.listen";
    let node = tree.node(KEY)?;
    let (origin, text) = (node.origin.clone(), node.text()?.to_owned());
    let mut refuse = |message: String, hint: &str| {
        tree.problem(Problem::new(&origin, message).key(KEY).hint(hint));
        None
    };
    let Some(address) = address(&text) else {
        return refuse(
            format!("{KEY} must be an address of this machine and a port, not \"{text}\""),
            "write 127.0.0.1:50055 for programs of this machine, 0.0.0.0:50051 for all",
        );
    };
    if !address.ip().is_loopback() && !has_certificate {
        return refuse(
            format!("{KEY}: at {address} passwords would cross the network in the clear"),
            "give accessor.listen_cert and accessor.listen_key, or listen at 127.0.0.1",
        );
    }
    Some(address)
}

/// `IP:PORT`, or `localhost:PORT`.
fn address(text: &str) -> Option<SocketAddr> {
    let local = || {
        let port = text.strip_prefix("localhost:")?.parse().ok()?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    text.parse().ok().or_else(local)
}
