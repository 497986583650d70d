//! `when`: whether a step or a pipeline of a YAML config runs for a commit, and what leaves it out.

use crate::{
    model::{
        error::Error,
        pipeline::{Phase, Pipeline, StepName, When},
        record::{LeftOut, LeftOutBy},
        step::Facts,
    },
    rules::glob,
};

/// What leaves a step out, and why in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Unmet {
    pub(in crate::engine) by: LeftOutBy,
    pub(in crate::engine) reason: String,
}

impl Unmet {
    /// Nothing changed that these globs match.
    pub(super) fn by_changed(globs: &[String]) -> Self {
        let globs = globs.join(", ");
        let reason = format!("no changes in {globs} since the nearest green ancestor");
        Self { by: LeftOutBy::Changed, reason }
    }
}

/// Finds out what leaves a step out: the first of its conditions that does not hold.
///
/// `changed` comes first: a step for which nothing changed counts as passed, whatever else holds.
/// A retry is `forced`: it asks for neither `changed` nor `message`.
pub(in crate::engine) fn unmet(
    facts: &Facts,
    when: &When,
    forced: bool,
    changed: &dyn Fn(&[String]) -> Result<bool, Error>,
) -> Result<Option<Unmet>, Error> {
    if !when.changed.is_empty() && !forced && !changed(&when.changed)? {
        return Ok(Some(Unmet::by_changed(&when.changed)));
    }
    Ok(unmet_beside_changed(facts, when, forced))
}

/// Finds out what leaves out a whole commit: the first of the pipeline's own conditions that does
/// not hold. Runs, plans and pipeline tests ask this before anything else.
pub(in crate::engine) fn whole_commit_unmet(
    pipeline: &Pipeline,
    facts: &Facts,
    forced: bool,
) -> Option<Unmet> {
    unmet_beside_changed(facts, &pipeline.when, forced)
}

/// Finds out the same, and tells of the condition that a retry ignores.
pub(in crate::engine) fn whole_commit_unmet_telling(
    pipeline: &Pipeline,
    facts: &Facts,
    forced: bool,
    tell_ignored: impl FnOnce(&str, &Unmet),
) -> Option<Unmet> {
    let found = whole_commit_unmet(pipeline, facts, forced);
    if forced
        && found.is_none()
        && let Some(ignored) = whole_commit_unmet(pipeline, facts, false)
    {
        tell_ignored("the commit", &ignored);
    }
    found
}

/// Finds the tag that a step is for: the one that asks for the job, unless conditions say which tags
/// count. Then it is of those: the one that asks for the job, else the newest.
pub(super) fn step_tag(pipeline: &Pipeline, facts: &Facts, name: StepName) -> Option<String> {
    match tag_condition(pipeline, name) {
        Some(globs) => facts.tag_for(|tag| holds(globs, tag)),
        None => facts.tag.clone(),
    }
}

/// The condition that says which tags a step is for: its own, else that of its phase, else that of
/// the whole commit.
pub(in crate::engine) fn tag_condition(pipeline: &Pipeline, name: StepName) -> Option<&[String]> {
    let of_step = |name: StepName| pipeline.step(name).map(|step| &*step.when.tag);
    let own = [of_step(name), name.phase().and_then(|it| of_step(it.into()))];
    let conditions = own.into_iter().flatten().chain([&*pipeline.when.tag]);
    conditions.into_iter().find(|tag| !tag.is_empty())
}

/// The builds and tests that go with a whole commit.
pub(in crate::engine) fn all_left_out(pipeline: &Pipeline, by: LeftOutBy) -> Vec<LeftOut> {
    let phases = [Phase::Build, Phase::Test].map(StepName::from).into_iter();
    let configured = phases.filter(|phase| pipeline.step(*phase).is_some());
    configured.map(|step| LeftOut { step, by }).collect()
}

/// `build and test left out: it has no tag v*`
pub(in crate::engine) fn left_out_sentence(left_out: &[LeftOut], why: &str) -> String {
    let names: Vec<&str> = left_out.iter().map(|it| it.step.as_str()).collect();
    let names = names.join(" and ");
    format!("{names}{}left out: {why}", if names.is_empty() { "" } else { " " })
}

/// What a retry says of a condition that would have left something out, if one would have.
pub(in crate::engine) fn ignored(what: &str, unmet: &Unmet) -> String {
    format!(
        "{what} runs despite its condition ({}): a retry ignores `{}`",
        unmet.reason,
        unmet.by.name()
    )
}

fn unmet_beside_changed(facts: &Facts, when: &When, forced: bool) -> Option<Unmet> {
    // git ends a message with a line break that its author did not write.
    let says = forced || holds(&when.message, facts.message.trim());
    unmet_by_ref(facts, when).or_else(|| {
        let reason = format!("its message does not match {}", when.message.join(", "));
        (!says).then_some(Unmet { by: LeftOutBy::Message, reason })
    })
}

/// The same for what depends on the ref alone: branch and tag.
fn unmet_by_ref(facts: &Facts, when: &When) -> Option<Unmet> {
    let branch = facts.branch.as_deref();
    if !holds(&when.branch, branch.unwrap_or_default()) {
        let on = branch.map_or("no branch".to_owned(), |branch| format!("branch `{branch}`"));
        let reason = format!("it is on {on}, not on {}", when.branch.join(", "));
        return Some(Unmet { by: LeftOutBy::Branch, reason });
    }
    if !when.tag.is_empty() && !facts.tags.iter().any(|tag| holds(&when.tag, tag)) {
        let reason = format!("it has no tag {}", when.tag.join(", "));
        return Some(Unmet { by: LeftOutBy::Tag, reason });
    }
    None
}

fn holds(globs: &[String], value: &str) -> bool {
    globs.is_empty() || glob::text_matches_list(globs.iter().map(String::as_str), value)
}
