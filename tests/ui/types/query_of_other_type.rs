// A field is compared with what it holds.
use xos_sync::prelude::*;

fn main() {
    let _ = Slice::ENABLED.eq("yes");
}
