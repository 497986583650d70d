//! `when`: whether a step or a pipeline of a YAML config runs for a commit, and what leaves it out.

use crate::{error::Error, glob, pipeline::When, record::LeftOutBy, step::Facts};

/// What leaves a step out, and why in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Unmet {
    pub(in crate::engine) by: LeftOutBy,
    pub(in crate::engine) reason: String,
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
        let globs = when.changed.join(", ");
        let reason = format!("nothing changed in {globs} since the nearest green ancestor");
        return Ok(Some(Unmet { by: LeftOutBy::Changed, reason }));
    }
    let of_ref = unmet_by_ref(facts, when);
    // git ends a message with a line break that its author did not write.
    let says = forced || holds(&when.message, facts.message.trim());
    Ok(of_ref.or_else(|| {
        let reason = format!("its message is not {}", when.message.join(", "));
        (!says).then_some(Unmet { by: LeftOutBy::Message, reason })
    }))
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
