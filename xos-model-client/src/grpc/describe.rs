//! What the core says of its models: the answer of `GetSchema`, as a [`Schema`](crate::Schema).
