//! How to reach a core, and how long to wait for it.

mod credentials;
mod endpoint;

use std::path::PathBuf;
use std::time::Duration;

pub use credentials::{Credentials, LoginBy, Password};
pub(crate) use endpoint::{Endpoint, Scheme};

use crate::error::{ErrorKind, Result};

/// How to reach a core on the network.
///
/// # Examples
///
/// ```
/// use xos_model_client::grpc::{CoreOptions, Credentials, Password};
///
/// let mut options = CoreOptions::new("xos-core:50051");
/// options.credentials = Some(Credentials::new("admin@opencord.org", Password::file("/run/secrets/core")));
/// options.in_flight = 2;
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct CoreOptions {
    /// `host:port` or `https://host:port` for TLS; `http://host:port` sends everything in the clear. An IPv6 address
    /// is written in brackets, such as `[::1]:50051`. `unix:path` or `unix:///path` is the Unix socket of an embedded
    /// core on this machine: no TLS, and no credentials are needed.
    pub endpoint: String,
    /// The name that the core's certificate must be for, where that is not the endpoint's host.
    pub server_name: Option<String>,
    /// The certificates that are trusted, PEM. Unset: `/usr/local/share/ca-certificates/local_certs.crt` where that
    /// exists, else what this system trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate that this client shows, where the core asks for one.
    pub client_certificate: Option<ClientCertificate>,
    /// As whom to call. Without it only what needs no authentication works: the schema, the version. On a Unix socket
    /// everything works without.
    pub credentials: Option<Credentials>,
    /// How the credentials are shown.
    pub login: LoginBy,
    /// How long one call may take, retries included; 30 s.
    pub call_deadline: Duration,
    /// How long a call that reads many objects may take; 300 s.
    pub list_deadline: Duration,
    /// How long the core may take to accept a connection, and again to complete TLS; 5 s.
    pub connect_timeout: Duration,
    /// How many calls may be under way at once; 4. A core 4.0.4 gets slower, not faster, above that.
    pub in_flight: usize,
    /// The largest answer that is accepted, in bytes; 64 MiB, about 200,000 objects.
    pub max_message_size: usize,
    /// How long a connection with calls under way may be silent before it is asked for a sign of life; 75 s.
    ///
    /// A core 4.0.4 hangs up on the fourth question within five minutes without data, so not less than 75 s there.
    pub keep_alive: Duration,
    /// How long that sign of life may take; 20 s.
    pub keep_alive_timeout: Duration,
}

/// A certificate with its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and those that lead from it to its CA, PEM.
    pub cert_file: PathBuf,
    /// Its private key, PEM.
    pub key_file: PathBuf,
}

impl CoreOptions {
    /// Everything at its default but the endpoint.
    pub fn new(endpoint: impl Into<String>) -> Self {
        CoreOptions { endpoint: endpoint.into(), ..CoreOptions::default() }
    }

    /// Checks what can be checked without reaching for anything.
    pub(crate) fn check(&self) -> Result<Endpoint> {
        let endpoint = Endpoint::parse(&self.endpoint).map_err(|problem| fault("endpoint", problem))?;
        if self.in_flight == 0 {
            return Err(fault("in_flight", "is 0: no call could ever be made; the default is 4"));
        }
        if self.max_message_size < 1 << 20 {
            let found = self.max_message_size;
            let problem =
                format!("is {found} bytes: the schema alone takes about 400,000; the least is 1 MiB");
            return Err(fault("max_message_size", problem));
        }
        let durations = [
            ("call_deadline", self.call_deadline),
            ("list_deadline", self.list_deadline),
            ("connect_timeout", self.connect_timeout),
            ("keep_alive", self.keep_alive),
            ("keep_alive_timeout", self.keep_alive_timeout),
        ];
        if let Some((option, _)) = durations.iter().find(|(_, duration)| duration.is_zero()) {
            return Err(fault(option, "is 0 s: nothing could ever be in time"));
        }
        if let Some(credentials) = &self.credentials {
            credentials.check(self.login).map_err(|problem| fault("credentials", problem))?;
        }
        Ok(endpoint)
    }
}

impl Default for CoreOptions {
    /// The core of a Kubernetes deployment: `xos-core:50051`, without credentials.
    fn default() -> Self {
        CoreOptions {
            endpoint: "xos-core:50051".to_owned(),
            server_name: None,
            ca_file: None,
            client_certificate: None,
            credentials: None,
            login: LoginBy::Auto,
            call_deadline: Duration::from_secs(30),
            list_deadline: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(5),
            in_flight: 4,
            max_message_size: 64 << 20,
            keep_alive: Duration::from_secs(75),
            keep_alive_timeout: Duration::from_secs(20),
        }
    }
}

/// An option that cannot be used.
pub(crate) fn fault(option: &'static str, problem: impl Into<String>) -> crate::Error {
    ErrorKind::Connection { option, problem: problem.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut CoreOptions)) -> String {
        let mut options = CoreOptions::default();
        change(&mut options);
        options.check().map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    }

    #[test]
    fn options_that_could_never_work_say_so() {
        assert_eq!(check(|_| ()), "fine");
        assert_eq!(
            check(|o| o.in_flight = 0),
            "cannot connect to the core: in_flight is 0: no call could ever be made; the default is 4"
        );
        assert!(check(|o| o.call_deadline = Duration::ZERO).contains("call_deadline is 0 s"));
        assert!(check(|o| o.max_message_size = 10).contains("max_message_size is 10 bytes"));
        assert!(check(|o| o.endpoint = "xos-core".into()).contains("endpoint"));
    }

    #[test]
    fn a_password_is_never_shown() {
        let credentials = Some(Credentials::new("admin", Password::literal("letmein-1")));
        let options = CoreOptions { credentials, ..CoreOptions::default() };
        assert!(!format!("{options:?}").contains("letmein"), "{options:?}");
        assert!(format!("{options:?}").contains("admin"));
    }
}
