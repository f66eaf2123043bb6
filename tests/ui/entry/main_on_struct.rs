// `main` is a function.
#[xos_sync::main]
struct Main;

fn main() {}

