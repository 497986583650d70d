//! Decides whether a commit with the verdict `skipped` may be tested again, and for which ref.
//!
//! A commit is tested again for a ref that would run a build or test that has never run for it. So
//! it has at most three jobs: a retest that runs nothing new is the last one until a retry.

use std::collections::BTreeSet;

use crate::model::{
    commit::GitString,
    job::Trigger,
    outcome::Outcome,
    pipeline::{Phase, Pipeline, StepName},
    record::{LeftOut, LeftOutBy, Record},
};

/// A ref that a commit can be tested for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TestedRef {
    /// A branch, without `refs/heads/`.
    Branch(GitString),
    /// A tag, without `refs/tags/`.
    Tag(GitString),
}

impl TestedRef {
    /// Returns the branch or tag with this full ref name, or `None` for other refs.
    pub(crate) fn of_ref(name: &GitString) -> Option<Self> {
        let stripped = |prefix: &[u8]| name.as_bytes().strip_prefix(prefix).map(GitString::new);
        let branch = stripped(b"refs/heads/").map(TestedRef::Branch);
        branch.or_else(|| stripped(b"refs/tags/").map(TestedRef::Tag))
    }

    /// Returns the name without its prefix.
    pub(crate) fn short(&self) -> &GitString {
        match self {
            TestedRef::Branch(name) | TestedRef::Tag(name) => name,
        }
    }

    /// Returns the tag's name, or `None` for a branch.
    pub(crate) fn tag(&self) -> Option<&GitString> {
        match self {
            TestedRef::Branch(_) => None,
            TestedRef::Tag(name) => Some(name),
        }
    }
}

/// The jobs of a commit that had a verdict. The last one was skipped.
#[derive(Clone, Debug, Default)]
pub(crate) struct PastJobs {
    ran: BTreeSet<StepName>,
    refs: BTreeSet<TestedRef>,
    /// True if the steps may depend on the ref although no condition says so.
    asked_for_ref: bool,
    /// The branch of the last job.
    branch: Option<GitString>,
    left_out: Vec<LeftOut>,
}

impl PastJobs {
    /// Collects the jobs in these records, oldest first.
    ///
    /// Returns `None` if the commit must not be tested again for any ref. It was not skipped, a
    /// person or a push skipped it, or a retest ran nothing new.
    pub(crate) fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Self> {
        let mut past = Self::default();
        let (mut last, mut jobs, mut is_over) = (None, 0, false);
        for record in records.into_iter().filter(|record| record.verdict().is_some()) {
            match record.trigger.as_deref() {
                Some(again) if again == Trigger::Retest.name() => {}
                // After a retry, retests are allowed again.
                Some(retry) if retry == Trigger::Retry.name() => (jobs, is_over) = (0, false),
                // A first test: the earlier verdict was removed.
                _ => (past, jobs, is_over) = (Self::default(), 0, false),
            }
            let known = past.ran.len();
            past.add(record);
            is_over |= jobs > 0 && past.ran.len() == known;
            (last, jobs) = (Some(record), jobs + 1);
        }
        let decided = |it: &LeftOut| matches!(it.by, LeftOutBy::Person | LeftOutBy::PushOption);
        let last = last.filter(|last| last.outcome == Outcome::Skipped && !is_over)?;
        let is_intended = last.intervention.is_some() || last.left_out.iter().any(decided);
        (!is_intended).then_some(past)
    }

    fn add(&mut self, record: &Record) {
        let ran = record.steps.iter().filter(|step| step.outcome != Outcome::Skipped);
        self.ran.extend(ran.map(|step| step.name));
        self.refs.extend(record.branch.iter().cloned().map(TestedRef::Branch));
        self.refs.extend(record.tags.iter().cloned().map(TestedRef::Tag));
        let by_ref =
            |it: &LeftOut| matches!(it.by, LeftOutBy::Branch | LeftOutBy::Tag | LeftOutBy::Secret);
        self.asked_for_ref |= record.asked_for_ref || record.left_out.iter().any(by_ref);
        self.branch = record.branch.clone();
        self.left_out = record.left_out.clone();
    }

    /// Returns the branch of a retest: that of the ref, or of the last job.
    pub(crate) fn branch_for(&self, tested_ref: &TestedRef) -> Option<GitString> {
        match tested_ref {
            TestedRef::Branch(name) => Some(name.clone()),
            TestedRef::Tag(_) => self.branch.clone(),
        }
    }

    /// Returns true if the last job was for this branch.
    pub(crate) fn is_of(&self, branch: &GitString) -> bool {
        self.branch.as_ref() == Some(branch)
    }

    /// Returns true if a script may behave differently for this ref.
    pub(crate) fn may_differ_for(&self, tested_ref: &TestedRef) -> bool {
        self.asked_for_ref && !self.refs.contains(tested_ref)
    }

    /// Returns the steps that have never run and can make a commit green: builds, tests, and
    /// `before_*` hooks without a phase that were left out. Steps that `changed` left out last time
    /// count as passed, because they are the same for every ref.
    pub(crate) fn missing_steps(&self, pipeline: &Pipeline) -> Vec<StepName> {
        let phases = [Phase::Build, Phase::Test].map(StepName::from);
        let hooks = self.left_out.iter().map(|it| it.step).filter(|it| !phases.contains(it));
        let passed = |step: &StepName| {
            self.left_out.iter().any(|it| it.step == *step && it.by.counts_as_passed())
        };
        let steps = phases.into_iter().chain(hooks).filter(|step| pipeline.step(*step).is_some());
        steps.filter(|step| !self.ran.contains(step) && !passed(step)).collect()
    }

    /// Returns why the commit is tested again for a ref, as the end of a sentence.
    pub(crate) fn why_again(&self, tested_ref: &TestedRef) -> String {
        let skipped = self.left_out.iter().filter(|it| !it.by.counts_as_passed());
        let steps: Vec<&str> = skipped.map(|it| it.step.as_str()).collect();
        let verb = if steps.len() == 1 { "was" } else { "were" };
        let branch = self.branch.as_ref().map_or("no branch".to_owned(), GitString::to_string);
        format!(
            "for {}: its {} {verb} left out on {branch}",
            tested_ref.short(),
            steps.join(" and ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{pipeline::Format, record::StepRecord};

    const LINE: &str = r#"{"finished":"2026-11-24T19:50:00.123Z","outcome":"skipped","job_id":"r1","commit":"f40785cbc4422f39c36118fbae071932774cb5b6","tree":"4b825dc642cb6eb9a060e54bf8d69288fbee4904","branch":"topic"}"#;

    fn record(trigger: &str, ran: &[Phase], left_out: &[(Phase, LeftOutBy)]) -> Record {
        let step = |phase: &Phase| StepRecord {
            name: (*phase).into(),
            outcome: Outcome::Success,
            error: None,
            duration: std::time::Duration::ZERO,
            commands: Vec::new(),
            failures: Vec::new(),
            omitted_commands: 0,
            omitted_failures: 0,
        };
        let left_out = left_out.iter().map(|(step, by)| LeftOut { step: (*step).into(), by: *by });
        Record {
            trigger: Some(trigger.to_owned()),
            steps: ran.iter().map(step).collect(),
            left_out: left_out.collect(),
            ..Record::from_json(LINE).unwrap()
        }
    }

    fn missing_steps(records: &[Record]) -> Option<String> {
        let pipeline = Pipeline::parse("build: a\ntest: b\n", Format::Yaml, "x").unwrap();
        let steps = PastJobs::of(records)?.missing_steps(&pipeline);
        Some(steps.iter().map(|step| step.as_str()).collect::<Vec<_>>().join(" "))
    }

    use LeftOutBy::{Branch, Changed, Person, PushOption};
    use Phase::{Build, Test};

    #[test]
    fn what_never_ran_is_lacking_until_a_re_test_adds_nothing() {
        let first = || record("pending", &[Build], &[(Test, Branch)]);
        assert_eq!(missing_steps(&[]), None);
        assert_eq!(missing_steps(&[first()]).as_deref(), Some("test"));
        let none = record("pending", &[], &[(Build, Branch), (Test, Branch)]);
        assert_eq!(missing_steps(std::slice::from_ref(&none)).as_deref(), Some("build test"));
        let second = record("retest", &[Build], &[(Test, Branch)]);
        assert_eq!(missing_steps(&[none.clone(), second.clone()]).as_deref(), Some("test"));
        assert_eq!(missing_steps(&[first(), second.clone()]), None, "it ran nothing new");
        let other = record("retest", &[Test], &[(Build, Branch)]);
        let all = [none, second.clone(), other];
        assert_eq!(missing_steps(&all).as_deref(), Some(""), "no ref runs both");
        let unchanged = record("pending", &[], &[(Build, Changed), (Test, Branch)]);
        assert_eq!(
            missing_steps(&[unchanged]).as_deref(),
            Some("test"),
            "no ref would run the build"
        );
        let anew = record("interrupted", &[Build], &[(Test, Branch)]);
        assert_eq!(
            missing_steps(&[first(), anew]).as_deref(),
            Some("test"),
            "a verdict was taken away"
        );
        let retry = record("retry", &[Build], &[(Test, Branch)]);
        assert_eq!(missing_steps(&[first(), second, retry]).as_deref(), Some("test"));
    }

    #[test]
    fn what_has_another_verdict_or_was_skipped_by_somebody_is_not_tested_again() {
        let green = Record { outcome: Outcome::Success, ..record("pending", &[Build], &[]) };
        assert_eq!(missing_steps(&[green]), None);
        for by in [Person, PushOption] {
            assert_eq!(missing_steps(&[record("pending", &[], &[(Test, by)])]), None);
        }
        let canceled = Record { outcome: Outcome::Canceled, ..record("pending", &[Test], &[]) };
        let skipped = record("pending", &[], &[(Build, Branch), (Test, Branch)]);
        assert_eq!(missing_steps(&[skipped, canceled]).as_deref(), Some("build test"));
    }

    #[test]
    fn the_sentence_names_the_ref_and_what_was_left_out() {
        let past = PastJobs::of(&[record("pending", &[Build], &[(Test, Branch)])]).unwrap();
        let release = TestedRef::of_ref(&GitString::from("refs/heads/release/1")).unwrap();
        assert_eq!(past.why_again(&release), "for release/1: its test was left out on topic");
        assert!(past.may_differ_for(&release));
        assert!(!past.may_differ_for(&TestedRef::Branch("topic".into())));
        assert_eq!(past.branch_for(&TestedRef::Tag("v1".into())), Some("topic".into()));
        assert_eq!(TestedRef::of_ref(&GitString::from("refs/pull/1/head")), None);
    }
}
