//! A client on a network that does not hold still.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use xos_model_client::Caller;
use xos_sync::model_client::ErrorKind;

use crate::support::{HelloWorldServiceInstance, Lab, Random, assert_away, flap, greeting, recovers};

/// What a client believes of its objects.
#[derive(Default)]
struct Believed {
    created: Vec<String>,
    unknown: Vec<String>,
    not_created: Vec<String>,
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_is_made_twice() {
    for seed in 1..=3 {
        let (lab, made) = Lab::with_greetings(10).await;
        let client = lab.connect(lab.options_within(Duration::from_millis(500)), Caller::Client).await;
        let mut believed = Believed::default();
        let mut last: HashMap<usize, Vec<String>> = HashMap::new();
        let mut changes = 0;
        let working = async {
            let mut random = Random::new(seed + 100);
            for number in 0.. {
                let at = random.below(10) as usize;
                match random.below(4) {
                    0 => {
                        let name = format!("created {number}");
                        match client.create(greeting(&name)).await {
                            Ok(_) => believed.created.push(name),
                            Err(error) if matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }) => {
                                believed.unknown.push(name);
                            }
                            Err(error) => {
                                assert_away(&error);
                                believed.not_created.push(name);
                            }
                        }
                    }
                    1 => match client.get::<HelloWorldServiceInstance>(made[at].id).await {
                        Ok(mut mine) => {
                            // Only this client writes: what it reads is what it wrote, or may have written, last.
                            let possible = last.entry(at).or_insert_with(|| vec![mine.hello_to.clone()]);
                            assert!(possible.contains(&mine.hello_to), "{possible:?}, {}", mine.hello_to);
                            let name = format!("changed {number}");
                            mine.hello_to.clone_from(&name);
                            changes += 1;
                            match client.save(&mut mine).await {
                                Ok(()) => *possible = vec![name],
                                Err(error) if matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }) => {
                                    possible.push(name);
                                }
                                Err(error) => assert_away(&error),
                            }
                        }
                        Err(error) => assert_away(&error),
                    },
                    2 => match client.objects::<HelloWorldServiceInstance>().all().await {
                        Ok(all) => assert!(all.len() >= 10 + believed.created.len()),
                        Err(error) => assert_away(&error),
                    },
                    _ => match client.get::<HelloWorldServiceInstance>(made[at].id).await {
                        Ok(one) => assert_eq!(one.id, made[at].id),
                        Err(error) => assert_away(&error),
                    },
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            () = working => {}
            () = flap(&lab.proxy, seed, 30) => {}
        }
        let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
        recovers(&format!("after flapping by seed {seed}"), Instant::now(), read).await;
        let creations = lab.creations();
        assert!(creations.values().all(|count| *count == 1), "seed {seed}: {creations:?}");
        for name in &believed.created {
            assert_eq!(lab.count(name).await, 1, "seed {seed}: {name}");
        }
        for name in &believed.not_created {
            assert_eq!(lab.count(name).await, 0, "seed {seed}: {name}");
        }
        for name in &believed.unknown {
            assert!(lab.count(name).await <= 1, "seed {seed}: {name}");
        }
        let sent = lab.core.count("UpdateHelloWorldServiceInstance");
        assert!(sent <= changes, "seed {seed}: {sent} of {changes}");
        println!(
            "seed {seed}: {} created, {} unknown, {} not, {changes} changes",
            believed.created.len(),
            believed.unknown.len(),
            believed.not_created.len()
        );
    }
}
