//! Sends `kill -9` before a system call that changes something, for each command that changes
//! something. The next command succeeds, each commit has its only verdict, and nothing unfinished
//! is left.
//!
//! First, a run that is not killed counts the calls. Then a seed chooses among them.

use super::{
    points::{choose, try_each},
    scene::{Act, Scene},
    traced::{Whom, traced},
};
use crate::support::random::seed;

/// Kills the chosen processes at this number of points of each command.
fn kill_at(acts: &[Act], whoms: &[Whom], points: usize, default_seed: u64) {
    let seed = seed(default_seed);
    for act in acts {
        let scene = Scene::new(*act, false);
        let calls = traced(&scene.copy().path(), act.words(), Whom::Engine, 0).calls;
        assert!(calls > 20, "{act:?} changes something: {calls} calls");
        for whom in whoms {
            let what = format!("{act:?}, {whom:?} killed, {calls} calls, seed {seed}");
            try_each(&what, &choose(calls, points, seed), |_, point| {
                let victim = scene.copy();
                traced(&victim.path(), act.words(), *whom, point);
                let verdicts = victim.verdicts();
                victim.assert_recovers(&verdicts);
            });
        }
    }
}

#[test]
fn a_killed_engine_loses_nothing_and_leaves_nothing() {
    kill_at(&Act::ALL, &[Whom::Engine], 2, 18);
}

#[test]
fn a_guard_that_is_killed_alone_or_with_its_engine_loses_nothing() {
    kill_at(&[Act::Run, Act::Deploy], &[Whom::Guard, Whom::Both], 1, 18);
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn an_engine_killed_at_60_points_of_each_command() {
    kill_at(&Act::ALL, &[Whom::Engine], 60, 2);
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn a_guard_killed_at_30_points_of_each_command_that_has_one() {
    kill_at(&Act::WITH_GUARD, &[Whom::Guard, Whom::Both], 30, 2);
}

#[test]
#[ignore = "takes half an hour: by hand"]
fn an_engine_killed_at_500_points_of_each_command() {
    kill_at(&Act::ALL, &[Whom::Engine], 500, 1);
}

#[test]
#[ignore = "takes half an hour: by hand"]
fn a_guard_killed_at_500_points_of_each_command_that_has_one() {
    kill_at(&Act::WITH_GUARD, &[Whom::Guard, Whom::Both], 500, 1);
}
