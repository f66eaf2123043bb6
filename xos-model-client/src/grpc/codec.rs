//! From records to bytes and back, by a table that is made once per shape and schema.
