//! A thousand objects: what they cost in calls.

use xos_sync_tests::stand_in::Options;

use crate::support::{HelloWorldService, HelloWorldServiceInstance, Lab, greeting, loaded, service, until};

const COUNT: usize = 1000;

#[tokio::test]
async fn a_thousand_objects_take_the_calls_they_must() {
    let options = Options { journal: 100_000, ..loaded() };
    let lab = Lab::on(options).await;
    let client = lab.core.client();
    let jon = client.create(service("Jon")).await.unwrap();
    let mut all = Vec::new();
    for number in 0..COUNT {
        all.push(client.create(greeting(&format!("number {number}"))).await.unwrap());
    }
    let program = lab.start();
    let are_ok = async || {
        let found = client.objects::<HelloWorldServiceInstance>().all().await.unwrap();
        found.iter().all(|it| it.enacted == Some(it.updated))
    };
    until("all are OK", are_ok).await;
    lab.until_status::<HelloWorldService>(jon.id, "1 OK").await;
    let count = |method: &str| lab.core.count(method);
    assert_eq!(count("UpdateHelloWorldServiceInstance"), 2 * COUNT);
    assert_eq!(count("UpdateHelloWorldService"), 2);
    assert!(count("FilterHelloWorldServiceInstance") <= 20, "{}", count("FilterHelloWorldServiceInstance"));
    // Each step reads its owner, once; those who wait for a free place share that.
    assert!(count("GetHelloWorldService") <= COUNT, "{}", count("GetHelloWorldService"));
    assert_eq!(count("GetHelloWorldServiceInstance"), 0);
    assert!(lab.core.most_in_flight() <= 4, "{}", lab.core.most_in_flight());

    lab.core.forget_calls();
    for one in &mut all {
        *one = client.get(one.id).await.unwrap();
        one.hello_to = format!("again {}", one.hello_to);
        client.save(one).await.unwrap();
    }
    until("all are OK again", are_ok).await;
    // Each is synced once, unless it was found between two of its versions: it has only these two.
    assert_eq!(count("UpdateHelloWorldServiceInstance"), COUNT);
    for number in 0..COUNT {
        assert_eq!(lab.log.count(&format!("Jon greets again number {number}")), 1);
    }
    program.stop().await.unwrap();
}
