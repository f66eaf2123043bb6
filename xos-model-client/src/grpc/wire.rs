//! Protobuf on the wire: varints, tags, slices.
