//! `when`: decides whether a step or a pipeline of a YAML config runs for a commit.

use crate::{
    model::{
        error::Error,
        pipeline::{Phase, Pipeline, StepName, When},
        record::{LeftOut, LeftOutBy},
        step::Facts,
    },
    rules::glob,
};

/// A condition that is not met, and the reason in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Unmet {
    pub(in crate::engine) by: LeftOutBy,
    pub(in crate::engine) reason: String,
}

impl Unmet {
    /// Returns the reason that no path changed that these globs match.
    pub(super) fn by_changed(globs: &[String]) -> Self {
        let globs = globs.join(", ");
        let reason = format!("no changes in {globs} since the nearest green ancestor");
        Self { by: LeftOutBy::Changed, reason }
    }
}

/// Returns the first condition of a step that is not met, if there is one.
///
/// `changed` comes first, because a step without changes counts as passed whatever else holds. If
/// `forced`, as in a retry, `changed` and `message` are ignored.
pub(in crate::engine) fn unmet(
    facts: &Facts,
    when: &When,
    forced: bool,
    changed: &dyn Fn(&[String]) -> Result<bool, Error>,
) -> Result<Option<Unmet>, Error> {
    if !when.changed.is_empty() && !forced && !changed(&when.changed)? {
        return Ok(Some(Unmet::by_changed(&when.changed)));
    }
    Ok(unmet_except_changed(facts, when, forced))
}

/// Returns the first condition of the pipeline itself that is not met. Runs, plans and pipeline
/// tests call it before anything else, and skip the whole commit for it.
pub(in crate::engine) fn whole_commit_unmet(
    pipeline: &Pipeline,
    facts: &Facts,
    forced: bool,
) -> Option<Unmet> {
    unmet_except_changed(facts, &pipeline.when, forced)
}

/// Returns the tag that a step uses. Without a condition on tags, that is the tag that requested
/// the job. With one, it is a matching tag: the requesting one, else the newest.
pub(super) fn step_tag(pipeline: &Pipeline, facts: &Facts, name: StepName) -> Option<String> {
    match tag_condition(pipeline, name) {
        Some(globs) => facts.tag_for(|tag| matches(globs, tag)),
        None => facts.tag.clone(),
    }
}

/// Returns the condition that selects the tags of a step: its own, else that of its phase, else
/// that of the pipeline.
pub(in crate::engine) fn tag_condition(pipeline: &Pipeline, name: StepName) -> Option<&[String]> {
    let of_step = |name: StepName| pipeline.step(name).map(|step| &*step.when.tag);
    let own = [of_step(name), name.phase().and_then(|it| of_step(it.into()))];
    let conditions = own.into_iter().flatten().chain([&*pipeline.when.tag]);
    conditions.into_iter().find(|tag| !tag.is_empty())
}

/// Returns the build and the test of a commit that is skipped as a whole.
pub(in crate::engine) fn all_left_out(pipeline: &Pipeline, by: LeftOutBy) -> Vec<LeftOut> {
    let phases = [Phase::Build, Phase::Test].map(StepName::from).into_iter();
    let configured = phases.filter(|phase| pipeline.step(*phase).is_some());
    configured.map(|step| LeftOut { step, by }).collect()
}

/// Returns a sentence such as `build and test left out: it has no tag v*`.
pub(in crate::engine) fn left_out_sentence(left_out: &[LeftOut], why: &str) -> String {
    let names: Vec<&str> = left_out.iter().map(|it| it.step.as_str()).collect();
    let names = names.join(" and ");
    format!("{names}{}left out: {why}", if names.is_empty() { "" } else { " " })
}

/// Returns the message that a retry ignores this condition.
pub(in crate::engine) fn ignored(what: &str, unmet: &Unmet) -> String {
    format!(
        "{what} runs despite its condition ({}): a retry ignores `{}`",
        unmet.reason,
        unmet.by.name()
    )
}

fn unmet_except_changed(facts: &Facts, when: &When, forced: bool) -> Option<Unmet> {
    // git ends a message with a line break that its author did not write.
    let message_matches = forced || matches(&when.message, facts.message.trim());
    unmet_by_ref(facts, when).or_else(|| {
        let reason = format!("its message does not match {}", when.message.join(", "));
        (!message_matches).then_some(Unmet { by: LeftOutBy::Message, reason })
    })
}

/// Checks the conditions that depend on the ref alone: branch and tag.
fn unmet_by_ref(facts: &Facts, when: &When) -> Option<Unmet> {
    let branch = facts.branch.as_deref();
    if !matches(&when.branch, branch.unwrap_or_default()) {
        let on = branch.map_or("no branch".to_owned(), |branch| format!("branch `{branch}`"));
        let reason = format!("it is on {on}, not on {}", when.branch.join(", "));
        return Some(Unmet { by: LeftOutBy::Branch, reason });
    }
    if !when.tag.is_empty() && !facts.tags.iter().any(|tag| matches(&when.tag, tag)) {
        let reason = format!("it has no tag {}", when.tag.join(", "));
        return Some(Unmet { by: LeftOutBy::Tag, reason });
    }
    None
}

fn matches(globs: &[String], value: &str) -> bool {
    globs.is_empty() || glob::text_matches_list(globs.iter().map(String::as_str), value)
}
