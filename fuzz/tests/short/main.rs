//! A short run of every target from a fixed seed, and every kept case.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail where it stands"
)]

mod brittle;

use std::sync::{Mutex, MutexGuard, PoisonError};

use sluice_fuzz::{
    corpus,
    run::{Tally, run},
    target::run_case,
    targets,
    under_way::UnderWay,
};

/// What a case costs is measured for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The same cases in every run.
const SEED: u64 = 7;

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn short(name: &str, cases: u64) -> Tally {
    let _alone = alone();
    let mut target = targets::by_name(name).unwrap();
    for folder in [corpus::REGRESSIONS, corpus::CORPUS] {
        for (file, case) in corpus::kept(folder, name).unwrap() {
            if let Err(what) = run_case(target.as_mut(), &case) {
                panic!("{folder}/{name}/{file}: {what}");
            }
        }
    }
    let kept = corpus::kept(corpus::CORPUS, name).unwrap();
    let kept = kept.into_iter().map(|(_, case)| case).collect();
    let under_way = UnderWay::of_run(target.name(), SEED).unwrap();
    let before = |case: &[u8]| under_way.set(case).unwrap();
    let outcome = run(target.as_mut(), kept, SEED, cases, before, |_, _, _| {});
    under_way.done();
    match outcome {
        Ok(tally) => tally,
        Err(broken) => panic!("{}", broken.told(name, SEED).unwrap()),
    }
}

/// A run whose cases are all refused at the door shows nothing.
fn assert_deep(tally: &Tally, depth: &str, percent: u64) {
    let reached = tally.depths.get(depth).copied().unwrap_or_default();
    assert!(reached * 100 >= tally.cases * percent, "{depth}: {tally}");
}

#[test]
fn quantities() {
    let tally = short("quantity", 100_000);
    assert_deep(&tally, "read", 15);
    assert_deep(&tally, "refused", 20);
}

#[test]
fn schedules() {
    let tally = short("schedule", 20_000);
    assert_deep(&tally, "runs", 10);
    assert_deep(&tally, "refused", 20);
}

#[test]
fn expressions() {
    let tally = short("expression", 3_000);
    assert_deep(&tally, "answered", 8);
    assert_deep(&tally, "refused", 20);
}

#[test]
fn policy_files() {
    let tally = short("policy", 600);
    assert_deep(&tally, "compiled", 5);
    assert_deep(&tally, "refused", 20);
}

#[test]
fn manifests() {
    let tally = short("manifest", 1_000);
    assert_deep(&tally, "judged", 20);
}

#[test]
fn bodies_of_reviews() {
    let tally = short("admission", 2_000);
    assert_deep(&tally, "refused", 5);
    assert_deep(&tally, "no review", 5);
}
