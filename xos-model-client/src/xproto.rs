//! xproto, the language that XOS describes models in: read, checked, written, and turned into Rust.
