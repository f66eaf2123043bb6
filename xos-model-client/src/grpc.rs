//! A core on the network: gRPC, as the core 4.0.4 speaks it.

mod codec;
mod describe;
mod transport;
mod wire;
