//! The connection: TLS, credentials, deadlines, calls in flight, and what went wrong.
