// A test is async.
#[xos_sync::test]
fn arya_is_greeted() {}

fn main() {}

