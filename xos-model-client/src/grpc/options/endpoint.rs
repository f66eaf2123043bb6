//! Where a core listens.

use std::fmt;

use http::Uri;

/// What the way to the core is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Tls,
    Plaintext,
    /// A Unix socket: it does not leave this machine, and who may open it needs no credentials.
    Unix,
}

/// A host, a port, and whether TLS is spoken there; or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) scheme: Scheme,
    /// A name or an address, an IPv6 one without its brackets; the path of a Unix socket.
    pub(crate) host: String,
    /// 0 of a Unix socket.
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads `host:port`, `https://host:port`, `http://host:port`, `unix:path` or `unix:///path`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = |found: &str| {
            Err(format!(
                "\"{text}\" {found}; expected host:port or https://host:port, such as xos-core:50051"
            ))
        };
        if text.is_empty() {
            return Err("is empty; expected host:port, such as xos-core:50051".to_owned());
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(text, path);
        }
        if text.starts_with('@') {
            return wrong("names a service in Consul, which is not looked up");
        }
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Tls, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Tls, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Plaintext, rest),
            Some((scheme, _)) => return wrong(&format!("has the scheme \"{scheme}\"")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            // It may hold a password: not repeated.
            return Err(
                "has a user before the host; expected host:port, and the user in the credentials".into()
            );
        }
        if rest.contains(['/', '?', '#']) {
            return wrong("has a path");
        }
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"') {
            return wrong("has white space in it");
        }
        let Some((host, port)) = rest.rsplit_once(':') else {
            return wrong("has no port");
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            Some(_) => return wrong("has no IPv6 address in its brackets"),
            None if host.contains(':') => return wrong("has an IPv6 address without brackets"),
            None => host,
        };
        if host.is_empty() {
            return wrong("has no host");
        }
        match port.parse() {
            Ok(0) | Err(_) => wrong(&format!("has no port from 1 to 65535 but \"{port}\"")),
            Ok(port) => {
                let endpoint = Endpoint { scheme, host: host.to_owned(), port };
                endpoint.uri().map_err(|error| format!("\"{text}\" is no address: {error}"))?;
                Ok(endpoint)
            }
        }
    }

    fn unix(text: &str, path: &str) -> Result<Self, String> {
        let path = match path.strip_prefix("//") {
            None => path,
            Some(path) if path.starts_with('/') => path,
            Some(_) => {
                return Err(format!(
                    "\"{text}\" has a host; expected unix: and the path of a socket, such as unix:///run/core.db.sock"
                ));
            }
        };
        if path.is_empty() || path.contains('\0') {
            return Err(format!(
                "\"{}\" has no path; expected unix: and the path of a socket, such as unix:core.db.sock",
                text.escape_debug()
            ));
        }
        Ok(Endpoint { scheme: Scheme::Unix, host: path.to_owned(), port: 0 })
    }

    /// The same as a URI. A Unix socket has none: the core is told that it is called here.
    pub(crate) fn uri(&self) -> Result<Uri, http::uri::InvalidUri> {
        let scheme = match self.scheme {
            Scheme::Tls => "https",
            Scheme::Plaintext => "http",
            Scheme::Unix => return "http://localhost".parse(),
        };
        format!("{scheme}://{self}").parse()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == Scheme::Unix {
            write!(f, "unix:{}", self.host)
        } else if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, scheme: Scheme, host: &str, port: u16) {
        assert_eq!(Endpoint::parse(text), Ok(Endpoint { scheme, host: host.to_owned(), port }), "{text}");
    }

    fn refused(text: &str, expected: &str) {
        let problem = Endpoint::parse(text).unwrap_err();
        assert!(problem.contains(expected), "{text}: {problem}");
    }

    #[test]
    fn every_way_to_write_an_endpoint() {
        check("xos-core:50051", Scheme::Tls, "xos-core", 50051);
        check(" xos-core.seba.svc:50051 ", Scheme::Tls, "xos-core.seba.svc", 50051);
        check("https://10.0.0.1:50051/", Scheme::Tls, "10.0.0.1", 50051);
        check("HTTP://localhost:50055", Scheme::Plaintext, "localhost", 50055);
        check("[::1]:50051", Scheme::Tls, "::1", 50051);
        check("http://[fe80::1]:1", Scheme::Plaintext, "fe80::1", 1);
        check("unix:core.db.sock", Scheme::Unix, "core.db.sock", 0);
        check("unix:/run/x y/core:1.sock", Scheme::Unix, "/run/x y/core:1.sock", 0);
        check("unix:///run/core.db.sock", Scheme::Unix, "/run/core.db.sock", 0);
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        refused("", "is empty");
        refused("xos-core", "has no port; expected host:port or https://host:port, such as xos-core:50051");
        refused("grpc://xos-core:50051", "has the scheme \"grpc\"");
        refused("xos-core:50051/xos", "has a path");
        refused("xos-core:http", "but \"http\"");
        refused("xos-core:0", "from 1 to 65535");
        refused("xos-core:70000", "from 1 to 65535");
        refused(":50051", "has no host");
        refused("::1:50051", "without brackets");
        refused("[xos]:50051", "no IPv6 address");
        refused("@xos-core", "Consul");
        refused("xos core:50051", "white space");
        refused("xos<core:50051", "is no address");
        refused("unix:", "has no path; expected unix: and the path of a socket");
        refused("unix://host/core.sock", "has a host");
        refused("https://me:secret@core:50051", "has a user before the host");
        assert!(!Endpoint::parse("https://me:secret@core:50051").unwrap_err().contains("secret"));
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["[::1]:50051", "xos-core:50051", "unix:/run/core.db.sock"] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), text);
        }
    }
}
