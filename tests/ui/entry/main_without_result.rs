// `main` returns a result.
#[xos_sync::main]
async fn main() {}

