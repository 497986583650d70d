//! [`StepSequence`]: which step follows which outcome. It uses no I/O and no clock.

use crate::model::{
    outcome::Outcome,
    pipeline::{Hook, Phase, StepName},
};

/// The sequence of one commit's steps.
///
/// Take [`step`](StepSequence::step), run it (a missing step succeeds at once), and pass its
/// outcome to [`finish`](StepSequence::finish), until no step is left. If something stops the whole
/// job, such as its time limit or a cancellation, call [`stop`](StepSequence::stop). Then only
/// `after_all` is left.
///
/// ```
/// use tinyci::{Hook, Outcome, pipeline::{Phase, StepSequence}};
/// let mut run = StepSequence::new();
/// run.finish(Outcome::Success);
/// assert_eq!(run.step(), Some(Phase::Build.into()));
/// run.finish(Outcome::Failure);
/// assert_eq!(run.step(), Some(Hook::AfterBuildFailure.into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StepSequence {
    step: Option<StepName>,
    outcome: Outcome,
}

impl Default for StepSequence {
    fn default() -> Self {
        Self::new()
    }
}

impl StepSequence {
    /// Returns a sequence before its first step.
    pub fn new() -> Self {
        Self { step: Some(Hook::BeforeBuild.into()), outcome: Outcome::Success }
    }

    /// Returns the step to run now, or `None` at the end.
    pub fn step(&self) -> Option<StepName> {
        self.step
    }

    /// Returns the commit's outcome so far, which is final if no step is left.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Records the outcome of the current step and moves to the next one.
    ///
    /// `Skipped` from `before_build` leaves out build and test. From any other step of a phase, it
    /// leaves out that phase, as [`leave_out`](StepSequence::leave_out) does. From a hook after a
    /// phase, it has no effect. After `Canceled` and `Error`, only `after_all` is left.
    pub fn finish(&mut self, outcome: Outcome) {
        let Some(step) = self.step else { return };
        if step == Hook::AfterAll.into() {
            self.step = None;
        } else if matches!(outcome, Outcome::Canceled | Outcome::Error) {
            self.stop(outcome);
        } else if outcome == Outcome::Skipped && step.decides().is_some() {
            self.leave_out(false);
            if step == Hook::BeforeBuild.into() {
                self.step = Some(Hook::AfterAll.into());
            }
        } else {
            self.record_outcome(step, outcome);
            self.step = Some(self.after(step, outcome));
        }
    }

    /// Leaves out the current phase with its remaining hooks.
    ///
    /// Unless the phase counts as passed, the commit can no longer be green.
    ///
    /// ```
    /// use tinyci::{Hook, Outcome, pipeline::{Phase, StepSequence}};
    /// let mut run = StepSequence::new();
    /// run.leave_out(false);
    /// assert_eq!(run.step(), Some(Hook::BeforeTest.into()));
    /// run.leave_out(true);
    /// assert_eq!(run.step(), Some(Hook::AfterAll.into()));
    /// run.finish(Outcome::Success);
    /// assert_eq!(run.outcome(), Outcome::Skipped);
    /// ```
    pub fn leave_out(&mut self, counts_as_passed: bool) {
        let next = match self.step {
            Some(StepName::Hook(Hook::BeforeBuild) | StepName::Phase(Phase::Build)) => {
                Hook::BeforeTest
            }
            Some(StepName::Hook(Hook::BeforeTest) | StepName::Phase(Phase::Test)) => Hook::AfterAll,
            _ => return,
        };
        if !counts_as_passed && self.outcome == Outcome::Success {
            self.outcome = Outcome::Skipped;
        }
        self.step = Some(next.into());
    }

    /// Stops the job early: its time limit passed, it was canceled, or tinyci had an error.
    ///
    /// Only `after_all` is left. A cancellation replaces any earlier outcome. The outcome of
    /// `after_all` no longer changes anything.
    pub fn stop(&mut self, outcome: Outcome) {
        let Some(step) = self.step else { return };
        self.outcome = outcome;
        if step != Hook::AfterAll.into() {
            self.step = Some(Hook::AfterAll.into());
        }
    }

    /// Updates the outcome. Only phases and `before_*` hooks decide the verdict; other hooks never
    /// do.
    fn record_outcome(&mut self, step: StepName, outcome: Outcome) {
        if step.decides().is_some() && failed(outcome) {
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
            StepName::Hook(BeforeBuild | AfterBuild | BeforeTest) if red => AfterAll.into(),
            StepName::Hook(BeforeBuild) => Phase::Build.into(),
            StepName::Phase(Phase::Build) if failed(outcome) => AfterBuildFailure.into(),
            StepName::Phase(Phase::Build) => AfterBuildSuccess.into(),
            StepName::Hook(AfterBuildSuccess | AfterBuildFailure) => AfterBuild.into(),
            StepName::Hook(AfterBuild) => BeforeTest.into(),
            StepName::Hook(BeforeTest) => Phase::Test.into(),
            StepName::Phase(Phase::Test) if failed(outcome) => AfterTestFailure.into(),
            StepName::Phase(Phase::Test) => AfterTestSuccess.into(),
            StepName::Hook(AfterTestSuccess | AfterTestFailure) => AfterTest.into(),
            // A deployment is not part of a job.
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

    /// One possible end of a step.
    #[derive(Clone, Copy, Debug)]
    enum Ending {
        Finish(Outcome),
        Stop(Outcome),
        LeaveOut { counts_as_passed: bool },
    }

    use Ending::{Finish, LeaveOut, Stop};

    const ENDINGS: [Ending; 11] = [
        Finish(Outcome::Success),
        Finish(Outcome::Failure),
        Finish(Outcome::TimedOut),
        Finish(Outcome::Skipped),
        Finish(Outcome::Error),
        Finish(Outcome::Canceled),
        Stop(Outcome::TimedOut),
        Stop(Outcome::Canceled),
        Stop(Outcome::Error),
        LeaveOut { counts_as_passed: false },
        LeaveOut { counts_as_passed: true },
    ];

    type Ended = (StepName, Ending);

    /// Visits all possible sequences and passes each finished one to `check` with its outcome.
    fn walk(run: StepSequence, path: &mut Vec<Ended>, check: &mut impl FnMut(&[Ended], Outcome)) {
        let Some(step) = run.step() else { return check(path, run.outcome()) };
        assert!(path.len() < StepName::ALL.len(), "no step comes twice: {path:?}");
        for ending in ENDINGS {
            let mut next = run.clone();
            match ending {
                Finish(outcome) => next.finish(outcome),
                Stop(outcome) => {
                    next.stop(outcome);
                    if step == Hook::AfterAll.into() {
                        next.finish(outcome);
                    }
                }
                LeaveOut { counts_as_passed } => next.leave_out(counts_as_passed),
            }
            // There is nothing to leave out after a phase.
            if next != run {
                path.push((step, ending));
                walk(next, path, check);
                path.pop();
            }
        }
    }

    fn all_sequences(mut check: impl FnMut(&[Ended], Outcome)) {
        let mut count = 0;
        walk(StepSequence::new(), &mut Vec::new(), &mut |path, outcome| {
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

    /// The same rule in other words: the worst outcome of the steps that decide.
    #[test]
    fn a_commit_is_green_only_if_every_phase_ran_and_passed_or_counts_as_passed() {
        all_sequences(|path, outcome| {
            let says = |(step, ending): &Ended| match (step, ending) {
                (StepName::Hook(Hook::AfterAll), Finish(_)) => Outcome::Success,
                (_, Stop(outcome)) => *outcome,
                (_, Finish(outcome @ (Outcome::Canceled | Outcome::Error))) => *outcome,
                (_, LeaveOut { counts_as_passed: false }) => Outcome::Skipped,
                (_, LeaveOut { counts_as_passed: true }) => Outcome::Success,
                (step, Finish(outcome)) if step.decides().is_some() => *outcome,
                _ => Outcome::Success,
            };
            let spoiled = path.iter().map(says).any(|says| says != Outcome::Success);
            assert_eq!(outcome.passed(), !spoiled, "{path:?} ended {outcome}");
            let red = path.iter().map(says).any(failed);
            assert!(outcome != Outcome::Skipped || !red, "{path:?} hides a failure");
        });
    }

    #[test]
    fn a_stop_or_a_failing_before_hook_leaves_only_after_all() {
        all_sequences(|path, _| {
            for pair in path.windows(2) {
                let (step, ending) = pair[0];
                let before = matches!(step, StepName::Hook(Hook::BeforeBuild | Hook::BeforeTest));
                let halts = match ending {
                    Stop(_) | Finish(Outcome::Canceled | Outcome::Error) => true,
                    Finish(outcome) => before && failed(outcome),
                    LeaveOut { .. } => false,
                };
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
                let ((step, ending), next) = (pair[0], pair[1].0);
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
                match ending {
                    Finish(Outcome::Success) => assert_eq!(next, success.into()),
                    Finish(Outcome::Failure | Outcome::TimedOut) => {
                        assert_eq!(next, failure.into());
                    }
                    _ => {}
                }
            }
        });
    }

    #[test]
    fn a_phase_that_is_left_out_runs_no_hook_any_more() {
        let of_build = [Hook::AfterBuildSuccess, Hook::AfterBuildFailure, Hook::AfterBuild];
        let of_test = [Hook::AfterTestSuccess, Hook::AfterTestFailure, Hook::AfterTest];
        all_sequences(|path, _| {
            for (place, (step, ending)) in path.iter().enumerate() {
                if !matches!(ending, LeaveOut { .. } | Finish(Outcome::Skipped))
                    || step.decides().is_none()
                {
                    continue;
                }
                let begins_build = *step == Hook::BeforeBuild.into();
                let all_of_it = begins_build && matches!(ending, Finish(_));
                let build = begins_build || *step == Phase::Build.into();
                let is_gone = |(later, _): &Ended| match later {
                    StepName::Phase(Phase::Build) => true,
                    StepName::Phase(_) => all_of_it || !build,
                    StepName::Hook(hook) if of_build.contains(hook) => build,
                    StepName::Hook(hook) if of_test.contains(hook) => all_of_it || !build,
                    StepName::Hook(hook) => all_of_it && *hook == Hook::BeforeTest,
                };
                assert!(!path[place + 1..].iter().any(is_gone), "{path:?}");
            }
        });
    }

    #[test]
    fn a_finished_run_ignores_what_comes_late() {
        let mut run = StepSequence::new();
        run.stop(Outcome::Canceled);
        run.finish(Outcome::Success);
        let over = run.clone();
        run.finish(Outcome::Failure);
        run.stop(Outcome::TimedOut);
        run.leave_out(false);
        assert_eq!((run.step(), run.outcome()), (None, Outcome::Canceled));
        assert_eq!(run, over);
    }
}
