//! A core on the network: gRPC, as the core 4.0.4 speaks it.

mod client;
mod codec;
mod describe;
mod models;
mod onboard;
mod options;
mod reads;
mod state;
#[doc(hidden)]
pub mod status;
#[doc(hidden)]
pub mod transport;
mod wire;
mod writes;

pub use client::CoreClient;
pub use options::{ClientCertificate, CoreOptions, Credentials, LoginBy, Password};

/// Records and bytes, for the tests and benches of this crate.
#[doc(hidden)]
pub mod __codec {
    pub use super::codec::{Codec, NonAscii, Plan, SetMessage, encode_id};
    pub use super::describe::{Difference, Method, Paths, RemoteSchema, Served};
}
