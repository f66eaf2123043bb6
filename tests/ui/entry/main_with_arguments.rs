// `main` takes no arguments.
#[xos_sync::main]
async fn main(config: xos_sync::Config) -> xos_sync::Result<()> {
    Ok(())
}

