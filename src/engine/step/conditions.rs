//! `when`: whether a step of a YAML config runs for a commit, and why not.

use std::sync::Arc;

use crate::{
    error::Error,
    glob,
    pipeline::When,
    step::{Changes, Facts},
};

/// Why a step is left out: the first of its conditions that does not hold.
pub(super) fn unmet(
    facts: &Facts,
    when: &When,
    changes: &dyn Fn() -> Result<Arc<Changes>, Error>,
) -> Result<Option<String>, Error> {
    let holds = |globs: &[String], value: &str| {
        globs.is_empty() || glob::text_matches_list(globs.iter().map(String::as_str), value)
    };
    let branch = facts.branch.as_deref();
    if !holds(&when.branch, branch.unwrap_or_default()) {
        let on = branch.map_or("no branch".to_owned(), |branch| format!("branch `{branch}`"));
        return Ok(Some(format!("it is on {on}, not on {}", when.branch.join(", "))));
    }
    if !when.tag.is_empty() && !facts.tags.iter().any(|tag| holds(&when.tag, tag)) {
        return Ok(Some(format!("it has no tag {}", when.tag.join(", "))));
    }
    // git ends a message with a line break that its author did not write.
    if !holds(&when.message, facts.message.trim()) {
        return Ok(Some(format!("its message is not {}", when.message.join(", "))));
    }
    if !when.changed.is_empty() && !changed(&*changes()?, &when.changed) {
        let globs = when.changed.join(", ");
        return Ok(Some(format!("nothing changed in {globs} since the nearest green ancestor")));
    }
    Ok(None)
}

/// Without a green ancestor everything has changed.
fn changed(changes: &Changes, globs: &[String]) -> bool {
    let matches = |path: &String| glob::matches_list(globs.iter().map(String::as_str), path);
    changes.base.is_none() || changes.paths.iter().any(matches)
}
