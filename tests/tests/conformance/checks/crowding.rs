//! Many objects, and many callers at once.

use std::sync::Arc;

use futures_util::future::join_all;
use xos_model_client::{Caller, Query, QueryKind, Value};

use crate::subject::Subject;
use crate::tools::*;

pub(crate) async fn a_large_batch_has_an_answer_for_each(on: &Subject) {
    let owner = on.service("hello").await;
    let name = |at: usize| Value::from(format!("i{at}"));
    let writes = (0..1500)
        .map(|at| {
            // Every hundredth is refused.
            if at % 100 == 99 {
                on.a_create("Service", &[("name", "hello".into())])
            } else {
                on.a_create("ServiceInstance", &[("name", name(at)), ("owner", owner.into())])
            }
        })
        .collect();
    let answers = on.write_all(writes).await;
    assert_eq!(answers.len(), 1500);
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_ok(), at % 100 != 99, "{at}");
    }
    let records = on.all(&Query::live(on.shape("ServiceInstance"))).await;
    assert_eq!(records.len(), 1485);
    assert!(records.is_sorted_by_key(xos_model_client::Record::id));
    for (answer, record) in answers.iter().filter_map(|answer| answer.as_ref().ok()).zip(&records) {
        assert_eq!(answer.id, record.id());
        assert_eq!(text(answer.record.as_ref().unwrap(), "name"), text(record, "name"));
    }
    on.delete("Service", owner).await;
    on.gone("Service", owner).await;
    assert_eq!(on.of_kind("ServiceInstance", QueryKind::Live).await, []);
}

pub(crate) async fn writers_of_different_fields_lose_no_update(on: &Subject) {
    let fields = (1..=8).map(|number| field(number, &format!("f{number}"), xos_model_client::Kind::Int32));
    on.load(vec![model("Paper", "XOSBase", fields.collect())]).await;
    let id = on.create("Paper", &[]).await;
    let shape = on.shape("Paper");
    let tasks = (1..=8).map(|task| {
        let (core, shape) = (on.core.clone(), shape.clone());
        tokio::spawn(async move {
            let at = place(&shape, &format!("f{task}"));
            for round in 1..=20 {
                let op = xos_model_client::Op::Set {
                    fields: vec![(at, Value::Int(round))],
                    touch: xos_model_client::Touch::AsTheRulesSay,
                };
                let write = xos_model_client::Write {
                    shape: shape.clone(),
                    target: xos_model_client::Target::Object(id),
                    op,
                    by: if task % 2 == 0 { Caller::Step } else { Caller::Client },
                    guard: xos_model_client::Guard::None,
                };
                let written = core.write(vec![write]).await.pop().unwrap().unwrap();
                // The answer has what was written, whatever the others did.
                assert_eq!(written.record.unwrap().values()[usize::from(at)], Value::Int(round));
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let record = on.get("Paper", id).await;
    for task in 1..=8 {
        assert_eq!(record.get(&format!("f{task}")), Some(&Value::Int(20)), "f{task}");
    }
}

pub(crate) async fn one_of_many_gets_a_unique_name(on: &Subject) {
    let writes = (0..8).map(|_| on.write(on.a_create("Service", &[("name", "mine".into())])));
    let answers = join_all(writes).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for error in answers.into_iter().filter_map(Result::err) {
        fault_of(&error, "name");
    }
    assert_eq!(on.of_kind("Service", QueryKind::Live).await.len(), 1);
}

pub(crate) async fn readers_see_whole_objects_while_others_write(on: &Subject) {
    let id = on.service("s").await;
    let other = on.again().await;
    let shape = shape_of(&*other, "Service");
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reading = {
        let done = done.clone();
        tokio::spawn(async move {
            let mut seen = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let got = other.get(&shape, &[id]).await.unwrap().pop().unwrap().unwrap();
                // Both were written by one write.
                assert_eq!(got.get("description"), got.get("versionNumber"));
                seen += 1;
                tokio::task::yield_now().await;
            }
            seen
        })
    };
    for round in 0..60 {
        let both =
            [("description", Value::from(format!("{round}"))), ("versionNumber", format!("{round}").into())];
        on.set("Service", id, &both, Caller::Client).await;
        tokio::task::yield_now().await;
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(reading.await.unwrap() > 0);
}

pub(crate) async fn objects_are_purged_while_others_are_made(on: &Subject) {
    let all = (0..8).map(|task| async move {
        for round in 0..5 {
            let service = on.service(&format!("s{task}.{round}")).await;
            let instance = on.instance("i", service).await;
            assert!(on.delete("Service", service).await.changed);
            on.gone("ServiceInstance", instance).await;
            on.gone("Service", service).await;
        }
    });
    join_all(all).await;
    for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
        assert_eq!(on.of_kind("ServiceInstance", kind).await, []);
        assert_eq!(on.of_kind("Service", kind).await, []);
    }
}
