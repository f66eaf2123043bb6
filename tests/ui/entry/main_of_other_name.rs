// `main` is called main.
#[xos_sync::main]
async fn start() -> xos_sync::Result<()> {
    Ok(())
}

