//! B8: planning and ordering of objects that depend on each other, in chains of three.
//!
//! Ours is the bare engine: every object is due, the dependent ones are told first; the clock stops when all have been
//! started, each after what it depends on, where every step ends at once. Then 1 % change, then one.

use std::time::Instant;

use crate::args::Args;
use crate::measure::{Sample, in_turns, micros, millis};
use crate::planner::{Object, Planner, chains, is_ordered};
use crate::python::Python;
use crate::report::{Report, Row};

/// What the framework that is replaced takes to order objects: recorded on another day on a machine like this.
const RECORDED: [(usize, f64); 1] = [(2_000, 16_200.0)];

/// Changes of one object, whose mean is taken.
const SINGLE_CHANGES: usize = 1_000;

pub fn run(args: &Args, python: Option<&Python>, report: &Report) -> Vec<Row> {
    let sizes: &[usize] = if args.quick { &[2_000, 10_000] } else { &[2_000, 10_000, 100_000] };
    if python.is_none() {
        report.skipped("B8 beside networkx", &Python::how_to_install());
    }
    let mut rows = Vec::new();
    for count in sizes {
        let mut networkx = || python.map_or_else(Vec::new, |python| python.plan(*count));
        let [ours, peer] = in_turns(args.repeats(), [&mut || ours(*count), &mut networkx]);
        let mut cold = Row::new(format!("{count} objects, cold"), "ms").ours(&ours[0]);
        let mut changed = Row::new(format!("{count} objects, 1 % changed"), "ms").ours(&ours[1]);
        let mut one = Row::new(format!("{count} objects, one changed"), "ms").ours(&ours[2]);
        if let [built, again] = &peer[..] {
            cold = cold.beside("networkx (build and sort)", built);
            changed = changed.beside("networkx (sort again)", again);
            one = one.beside("networkx (sort again)", again);
        }
        if let Some((_, recorded)) = RECORDED.iter().find(|(size, _)| size == count) {
            cold = cold.beside("XOS 4.0.4 (recorded)", &Sample::new(vec![*recorded]));
        }
        rows.extend([cold, changed.at_most(50.0), one]);
    }
    rows
}

/// Milliseconds: cold, after 1 % changed, after one changed.
fn ours(count: usize) -> Vec<f64> {
    let objects = chains(count);
    let mut planner = Planner::new(64);
    let cold = planned(&objects, || {
        planner.scan(&objects);
        planner.run_all()
    });
    let some: Vec<Object> = objects.iter().step_by(100).copied().collect();
    let changed = planned(&some, || {
        planner.change(&some, 2);
        planner.run_all()
    });
    let start = Instant::now();
    let step = (objects.len() / SINGLE_CHANGES).max(1);
    let mut changes = 0;
    for object in objects.iter().step_by(step).take(SINGLE_CHANGES) {
        planner.change(std::slice::from_ref(object), 3);
        assert_eq!(planner.run_all().len(), 1, "one object runs");
        changes += 1;
    }
    let one = micros(start.elapsed()) / f64::from(changes) / 1e3;
    vec![cold, changed, one]
}

/// Milliseconds until all were started in order.
fn planned(objects: &[Object], plan: impl FnOnce() -> Vec<xos_sync::engine::ObjectKey>) -> f64 {
    let start = Instant::now();
    let started = plan();
    let took = millis(start.elapsed());
    assert!(is_ordered(objects, &started), "every object starts once, after what it depends on");
    took
}
