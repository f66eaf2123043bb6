//! One call, without its transport.

use std::net::SocketAddr;

use bytes::Bytes;
use http::HeaderMap;
use tonic::Status;

/// What is answered: the bytes of a message, or a status.
pub(crate) type Answer = Result<Bytes, Status>;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The method, such as `/xos.xos/GetSite`.
    pub(crate) path: String,
    /// The metadata.
    pub(crate) headers: HeaderMap,
    /// The request message.
    pub(crate) message: Bytes,
    /// Where it came from.
    pub(crate) peer: Peer,
}

/// Where a call came from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The Unix socket: only who may read and write the database's files can open it, so nobody is asked to log in.
    Local,
    /// A network address.
    Network(SocketAddr),
}

impl Call {
    /// The service's full name, and the method.
    pub(crate) fn service_and_method(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix('/')?.split_once('/')
    }

    /// A value of the metadata, when it is text.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.headers.get(key).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn is_local(&self) -> bool {
        self.peer == Peer::Local
    }
}
