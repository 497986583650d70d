//! `kill -9` before any call that changes something, of every command that changes something: the next
//! command succeeds, every verdict is there, each commit has one, and nothing is left.
//!
//! The calls are counted in a run that nobody kills, and a seed chooses among them.

use super::{
    scene::{Act, Scene},
    traced::{Random, Whom, seed, traced},
};

/// Kills at so many points of each command.
fn kill_at(acts: &[Act], whoms: &[Whom], points: u64, default_seed: u64) {
    let seed = seed(default_seed);
    for act in acts {
        let scene = Scene::new(*act, false);
        let calls = traced(&scene.copy().path(), act.words(), Whom::Engine, 0).calls;
        assert!(calls > 20, "{act:?} changes something: {calls} calls");
        let mut random = Random(seed);
        for _ in 0..points {
            let point = 1 + random.below(calls);
            for whom in whoms {
                eprintln!("{act:?}, {whom:?} killed at call {point} of {calls}, seed {seed}");
                let victim = scene.copy();
                traced(&victim.path(), act.words(), *whom, point);
                let verdicts = victim.verdicts();
                victim.assert_recovers(&verdicts);
            }
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
#[ignore = "takes an hour: .ci/long"]
fn a_killed_engine_at_500_points_of_each_command() {
    kill_at(&Act::ALL, &[Whom::Engine], 500, 1);
}

#[test]
#[ignore = "takes half an hour: .ci/long"]
fn a_killed_guard_at_500_points() {
    kill_at(&[Act::Run, Act::RunFour, Act::Deploy], &[Whom::Guard, Whom::Both], 250, 1);
}
