// Arguments have names.
#[xos_sync::main(flavour = "current_thread")]
async fn main() -> xos_sync::Result<()> {
    Ok(())
}

