// `#[xos_sync::test]` brings `#[test]`.
#[xos_sync::test]
#[test]
async fn arya_is_greeted() {}

fn main() {}

