//! Chooses the points of a crash by a seed, and tries them on all processors.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::support::Chance;

/// Chooses among calls that are numbered from 1. Chooses no call twice before it has chosen each
/// call once.
pub(super) fn choose(calls: u64, points: usize, seed: u64) -> Vec<u64> {
    let mut chance = Chance::new(seed);
    let mut chosen = Vec::new();
    while chosen.len() < points {
        let mut round: Vec<u64> = (1..=calls).collect();
        while !round.is_empty() && chosen.len() < points {
            chosen.push(round.swap_remove(chance.below(round.len())));
        }
    }
    chosen
}

/// Tries something at each point. Panics at the end if an attempt failed, and names the calls at
/// which it failed.
pub(super) fn try_each(what: &str, points: &[u64], attempt: impl Fn(usize, u64) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(point) = points.get(index) else { return };
            if catch_unwind(AssertUnwindSafe(|| attempt(index, *point))).is_err() {
                eprintln!("failed: {what}, at call {point}, which is number {index} of the points");
                failed.lock().unwrap().push(*point);
            }
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from).min(points.len());
    thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    eprintln!("{what}: {} points, {} failed", points.len(), failed.len());
    assert!(failed.is_empty(), "{what}: failed at the calls {failed:?}");
}
