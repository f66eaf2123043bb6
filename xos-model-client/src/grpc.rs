//! A core on the network: gRPC, as the core 4.0.4 speaks it.

mod codec;
mod describe;
mod options;
#[doc(hidden)]
pub mod status;
#[doc(hidden)]
pub mod transport;
mod wire;

pub use options::{ClientCertificate, CoreOptions, Credentials, LoginBy, Password};
