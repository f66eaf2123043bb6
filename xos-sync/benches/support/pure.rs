//! The bare engine: `step(event, now)` without a shell.

use std::alloc::System;
use std::time::{Duration, Instant};

use stats_alloc::{Region, StatsAlloc};
use xos_sync::engine::{
    Action, Complete, Config, Due, Engine, Event, Fact, Model, ModelId, Moment, ObjectKey, Outcome, ReadId,
    Store, Term, Version,
};

use crate::report::Report;

/// How many facts the shell tells at once.
const BATCH: usize = 256;

fn config(models: usize) -> Config {
    let model = |at: usize| Model {
        name: format!("Model{at}"),
        observed: true,
        needs: if at == 0 { Vec::new() } else { vec![ModelId(at as u16 - 1)] },
    };
    Config { models: (0..models).map(model).collect(), ..Config::default() }
}

/// An engine that leads; its first scan is told to be under way.
fn leading(models: usize) -> (Engine, Vec<Action>) {
    let mut engine = Engine::new(config(models));
    let mut out = Vec::new();
    engine.step(Event::Leader(Term(1)), Moment(0), &mut out);
    out.clear();
    let all: Vec<ModelId> = (0..models as u16).map(ModelId).collect();
    for (at, model) in all.iter().enumerate() {
        engine.step(Event::ReadStarted(ReadId(at as u64 + 1), &[*model]), Moment(0), &mut out);
    }
    (engine, out)
}

fn dirty(model: u16, id: u32, version: u64, read: u64, links: &[ObjectKey]) -> Fact<'_> {
    let key = ObjectKey::new(ModelId(model), id);
    Fact {
        sync: Due::At(Version(version)),
        claimed: true,
        links,
        ..Fact::clean(key, ModelId(model), ReadId(read))
    }
}

/// Tells `count` dirty objects of one model in batches; the longest single step.
fn add(engine: &mut Engine, count: usize, out: &mut Vec<Action>) -> Duration {
    let mut worst = Duration::ZERO;
    let mut facts = Vec::with_capacity(BATCH);
    for start in (0..count).step_by(BATCH) {
        facts.clear();
        facts.extend((start..count.min(start + BATCH)).map(|id| dirty(0, id as u32 + 1, 1, 1, &[])));
        let before = Instant::now();
        engine.step(Event::Facts(&facts), Moment(1), out);
        worst = worst.max(before.elapsed());
    }
    worst
}

/// Carries out what the engine demands, every step a success at once, until it demands nothing. How many were stored.
fn run_all(engine: &mut Engine, mut now: u64, actions: &mut Vec<Action>) -> usize {
    let mut stored = 0;
    let mut next = Vec::new();
    while !actions.is_empty() {
        for action in actions.drain(..) {
            match action {
                Action::Start { run, .. } => {
                    engine.step(Event::Finished(run, Outcome::DONE), Moment(now), &mut next);
                }
                Action::Store { run, what: Store::Success { as_fetched }, .. } => {
                    stored += 1;
                    engine.step(Event::Stored(run, Ok(as_fetched)), Moment(now), &mut next);
                }
                Action::Wake(moment) if moment.0 <= now => engine.step(Event::Timer, Moment(now), &mut next),
                _ => {}
            }
        }
        now += 1;
        std::mem::swap(actions, &mut next);
    }
    stored
}

/// Adding and running, without a shell.
pub fn throughput(report: &Report, count: usize) {
    let mut rates = Vec::new();
    let mut worst = Duration::ZERO;
    for _ in 0..5 {
        let (mut engine, mut out) = leading(1);
        let start = Instant::now();
        worst = worst.max(add(&mut engine, count, &mut out));
        engine.step(Event::ReadEnded(ReadId(1), Complete::Whole), Moment(2), &mut out);
        let stored = run_all(&mut engine, 3, &mut out);
        assert_eq!(stored, count, "every object ran");
        rates.push(count as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let worst = worst.as_secs_f64() * 1e3;
    report.line("engine_bare", count, &[("objects_per_second", rates[2].round()), ("worst_step_ms", worst)]);
}

/// Planning chains of three, and planning again after 1 % of them changed.
pub fn planning(report: &Report) {
    const CHAINS: u32 = 33_334;
    let mut plans = Vec::new();
    let mut again = Vec::new();
    for _ in 0..5 {
        let (mut engine, mut out) = leading(3);
        let links: Vec<[ObjectKey; 1]> = (0..3)
            .flat_map(|model: u16| {
                (1..=CHAINS).map(move |id| [ObjectKey::new(ModelId(model.saturating_sub(1)), id)])
            })
            .collect();
        let facts: Vec<Fact<'_>> = (0..3u16)
            .flat_map(|model| (1..=CHAINS).map(move |id| (model, id)))
            .zip(&links)
            .map(|((model, id), link)| {
                let links: &[ObjectKey] = if model == 0 { &[] } else { link };
                dirty(model, id, 1, u64::from(model) + 1, links)
            })
            .collect();
        let start = Instant::now();
        for batch in facts.chunks(BATCH) {
            engine.step(Event::Facts(batch), Moment(1), &mut out);
        }
        plans.push(start.elapsed());
        engine.step(Event::ReadStarted(ReadId(9), &[]), Moment(1), &mut out);
        let changed: Vec<Fact<'_>> = facts
            .iter()
            .step_by(100)
            .map(|fact| Fact { sync: Due::At(Version(2)), read: ReadId(9), ..*fact })
            .collect();
        let start = Instant::now();
        engine.step(Event::Facts(&changed), Moment(2), &mut out);
        again.push(start.elapsed());
    }
    plans.sort();
    again.sort();
    let count = CHAINS as usize * 3;
    report.line("plan_chains", count, &[("ms", plans[2].as_secs_f64() * 1e3)]);
    report.line("plan_again_1_percent", count / 100, &[("ms", again[2].as_secs_f64() * 1e3)]);
}

/// What one dirty object takes, its record apart.
pub fn memory(report: &Report, allocator: &'static StatsAlloc<System>) {
    for count in [1_000, 100_000] {
        let region = Region::new(allocator);
        let (mut engine, mut out) = leading(1);
        let empty = in_use(&region);
        out.clear();
        add(&mut engine, count, &mut out);
        drop(out);
        let bytes = (in_use(&region) - empty) as f64 / count as f64;
        report.line("memory_per_dirty_object", count, &[("bytes", bytes)]);
        assert!(engine.counts().ready + engine.counts().running > 0, "the engine is alive");
    }
}

fn in_use(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change.bytes_allocated.saturating_sub(change.bytes_deallocated)
}
