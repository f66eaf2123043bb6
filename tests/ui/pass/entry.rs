// `main` and `test` as an author writes them.

/// The program.
#[xos_sync::main]
async fn main() -> xos_sync::Result<()> {
    std::future::ready(Ok(())).await
}

#[test]
fn main_is_a_plain_function_with_an_exit_code() {
    assert_eq!(format!("{:?}", main()), format!("{:?}", std::process::ExitCode::SUCCESS));
}

#[xos_sync::test]
async fn a_test_can_wait() {
    std::future::ready(()).await;
}

#[xos_sync::test]
async fn a_test_can_return_a_result() -> Result<(), std::num::ParseIntError> {
    assert_eq!("5".parse::<i32>()?, 5);
    Ok(())
}

#[xos_sync::test]
#[should_panic(expected = "as it should")]
async fn a_test_can_panic() {
    panic!("as it should");
}
