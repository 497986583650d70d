//! [`Run`]: which step follows which outcome. Pure: no I/O, no clock.

use crate::{
    outcome::Outcome,
    pipeline::{Hook, Phase, StepName},
};

/// One commit's way through its steps.
///
/// A driver takes [`step`](Run::step), does what it says (an absent step succeeds at once), and
/// hands the outcome to [`finish`](Run::finish), until there is no step left. What stops the whole
/// run, its time limit or a cancel, is said with [`stop`](Run::stop), after which only `after_all`
/// is left.
///
/// ```
/// use tinyci::{Hook, Outcome, Phase, Run};
/// let mut run = Run::new();
/// run.finish(Outcome::Success);
/// assert_eq!(run.step(), Some(Phase::Build.into()));
/// run.finish(Outcome::Failure);
/// assert_eq!(run.step(), Some(Hook::AfterBuildFailure.into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    step: Option<StepName>,
    outcome: Outcome,
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

impl Run {
    /// A run before its first step.
    pub fn new() -> Self {
        Self { step: Some(Hook::BeforeBuild.into()), outcome: Outcome::Success }
    }

    /// The step to do now; none when the run is over.
    pub fn step(&self) -> Option<StepName> {
        self.step
    }

    /// What becomes of the commit, as far as it is known: final once no step is left.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Takes the outcome of the step in hand and moves on.
    ///
    /// `Skipped` from `before_build` makes the whole commit skipped; from any other step it means
    /// that the step counts as absent. `Canceled` and `NoVerdict` leave only `after_all`.
    pub fn finish(&mut self, outcome: Outcome) {
        let Some(step) = self.step else { return };
        if step == Hook::AfterAll.into() {
            self.step = None;
        } else if matches!(outcome, Outcome::Canceled | Outcome::NoVerdict) {
            self.stop(outcome);
        } else {
            self.judge(step, outcome);
            self.step = Some(self.after(step, outcome));
        }
    }

    /// Ends the run early: its time limit passed, it was canceled, or the machinery failed.
    ///
    /// Only `after_all` is left. A cancel replaces any earlier outcome; what `after_all` itself
    /// does changes nothing any more.
    pub fn stop(&mut self, outcome: Outcome) {
        let Some(step) = self.step else { return };
        self.outcome = outcome;
        if step != Hook::AfterAll.into() {
            self.step = Some(Hook::AfterAll.into());
        }
    }

    /// Phases and `before_*` hooks decide the verdict; other hooks never do.
    fn judge(&mut self, step: StepName, outcome: Outcome) {
        let decides = matches!(
            step,
            StepName::Phase(_) | StepName::Hook(Hook::BeforeBuild | Hook::BeforeTest)
        );
        let skips_commit = step == Hook::BeforeBuild.into() && outcome == Outcome::Skipped;
        if skips_commit || (decides && failed(outcome)) {
            self.outcome = outcome;
        }
    }

    fn after(&self, step: StepName, outcome: Outcome) -> StepName {
        use Hook::{
            AfterAll, AfterBuild, AfterBuildFailure, AfterBuildSuccess, AfterTest,
            AfterTestFailure, AfterTestSuccess, BeforeBuild, BeforeTest,
        };
        let red = failed(self.outcome);
        match step {
            StepName::Hook(BeforeBuild) if self.outcome != Outcome::Success => AfterAll.into(),
            StepName::Hook(BeforeBuild) => Phase::Build.into(),
            StepName::Phase(Phase::Build) if failed(outcome) => AfterBuildFailure.into(),
            StepName::Phase(Phase::Build) => AfterBuildSuccess.into(),
            StepName::Hook(AfterBuildSuccess | AfterBuildFailure) => AfterBuild.into(),
            StepName::Hook(AfterBuild | BeforeTest) if red => AfterAll.into(),
            StepName::Hook(AfterBuild) => BeforeTest.into(),
            StepName::Hook(BeforeTest) => Phase::Test.into(),
            StepName::Phase(Phase::Test) if failed(outcome) => AfterTestFailure.into(),
            StepName::Phase(Phase::Test) => AfterTestSuccess.into(),
            StepName::Hook(AfterTestSuccess | AfterTestFailure) => AfterTest.into(),
            // A deployment is no part of a run.
            StepName::Hook(AfterTest | AfterAll) | StepName::Phase(Phase::Deploy) => {
                AfterAll.into()
            }
        }
    }
}

fn failed(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failure | Outcome::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way a step can end for the run: an outcome of its own, or the run's own stop.
    const ENDINGS: [(bool, Outcome); 9] = [
        (false, Outcome::Success),
        (false, Outcome::Failure),
        (false, Outcome::TimedOut),
        (false, Outcome::Skipped),
        (false, Outcome::NoVerdict),
        (false, Outcome::Canceled),
        (true, Outcome::TimedOut),
        (true, Outcome::Canceled),
        (true, Outcome::NoVerdict),
    ];

    type Ended = (StepName, bool, Outcome);

    /// Walks all sequences and hands each finished one over with its outcome.
    fn walk(run: Run, path: &mut Vec<Ended>, check: &mut impl FnMut(&[Ended], Outcome)) {
        let Some(step) = run.step() else { return check(path, run.outcome()) };
        assert!(path.len() < StepName::ALL.len(), "no step comes twice: {path:?}");
        for (stop, outcome) in ENDINGS {
            let mut next = run.clone();
            if stop {
                next.stop(outcome);
                if step == Hook::AfterAll.into() {
                    next.finish(outcome);
                }
            } else {
                next.finish(outcome);
            }
            path.push((step, stop, outcome));
            walk(next, path, check);
            path.pop();
        }
    }

    fn all_sequences(mut check: impl FnMut(&[Ended], Outcome)) {
        let mut count = 0;
        walk(Run::new(), &mut Vec::new(), &mut |path, outcome| {
            count += 1;
            check(path, outcome);
        });
        assert!(count > 10_000, "the walk reached {count} sequences");
    }

    #[test]
    fn after_all_runs_once_and_last_whatever_happens() {
        all_sequences(|path, _| {
            let of_after_all = path.iter().filter(|(step, ..)| *step == Hook::AfterAll.into());
            assert_eq!(of_after_all.count(), 1, "{path:?}");
            assert_eq!(path.last().map(|(step, ..)| *step), Some(Hook::AfterAll.into()));
        });
    }

    #[test]
    fn steps_come_in_the_order_of_the_list() {
        all_sequences(|path, _| {
            let places: Vec<_> = path
                .iter()
                .map(|(step, ..)| StepName::ALL.iter().position(|known| known == step))
                .collect();
            assert!(places.is_sorted(), "{path:?}");
        });
    }

    #[test]
    fn a_commit_is_green_only_if_every_deciding_step_was() {
        all_sequences(|path, outcome| {
            let spoiled = path.iter().any(|(step, stop, ended)| match step {
                _ if *stop => true,
                StepName::Phase(_) => !matches!(ended, Outcome::Success | Outcome::Skipped),
                StepName::Hook(Hook::BeforeBuild) => *ended != Outcome::Success,
                StepName::Hook(Hook::BeforeTest) => {
                    !matches!(ended, Outcome::Success | Outcome::Skipped)
                }
                StepName::Hook(Hook::AfterAll) => false,
                StepName::Hook(_) => matches!(ended, Outcome::NoVerdict | Outcome::Canceled),
            });
            assert_eq!(outcome.passed(), !spoiled, "{path:?} ended {outcome}");
        });
    }

    #[test]
    fn a_stop_or_a_failing_before_hook_leaves_only_after_all() {
        all_sequences(|path, _| {
            for pair in path.windows(2) {
                let (step, stop, ended) = pair[0];
                let before = matches!(step, StepName::Hook(Hook::BeforeBuild | Hook::BeforeTest));
                let halts = stop
                    || matches!(ended, Outcome::Canceled | Outcome::NoVerdict)
                    || (before && failed(ended));
                if halts {
                    assert_eq!(pair[1].0, Hook::AfterAll.into(), "{path:?}");
                }
            }
        });
    }

    #[test]
    fn a_red_phase_runs_its_failure_hook_and_a_green_one_its_success_hook() {
        all_sequences(|path, _| {
            for pair in path.windows(2) {
                let ((step, stop, ended), next) = (pair[0], pair[1].0);
                let (success, failure) = match step {
                    StepName::Phase(Phase::Build) => {
                        (Hook::AfterBuildSuccess, Hook::AfterBuildFailure)
                    }
                    StepName::Phase(Phase::Test) => {
                        (Hook::AfterTestSuccess, Hook::AfterTestFailure)
                    }
                    StepName::Phase(Phase::Deploy) => panic!("{path:?} deploys"),
                    StepName::Hook(_) => continue,
                };
                match ended {
                    _ if stop => {}
                    Outcome::Success | Outcome::Skipped => assert_eq!(next, success.into()),
                    Outcome::Failure | Outcome::TimedOut => assert_eq!(next, failure.into()),
                    _ => {}
                }
            }
        });
    }

    #[test]
    fn a_finished_run_ignores_what_comes_late() {
        let mut run = Run::new();
        run.stop(Outcome::Canceled);
        run.finish(Outcome::Success);
        let over = run.clone();
        run.finish(Outcome::Failure);
        run.stop(Outcome::TimedOut);
        assert_eq!((run.step(), run.outcome()), (None, Outcome::Canceled));
        assert_eq!(run, over);
    }
}
