// `main` is async.
#[xos_sync::main]
fn main() -> xos_sync::Result<()> {
    Ok(())
}

