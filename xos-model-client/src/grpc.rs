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

/// Protobuf and the types of fields on the wire, for the other end: the server of the embedded core.
#[doc(hidden)]
pub mod __wire {
    pub use super::codec::{Fault, Type, read};
    pub use super::wire::{
        Reader, WireFault, WireType, put_bool, put_bytes, put_double, put_float, put_int32, put_int32s,
        put_text, put_uint32, put_varint,
    };
}
