//! Finds globs of names that can never match. They contain characters that git does not allow in
//! refs, or full names instead of short ones, or the reverse.

use super::{
    glob_fault::{GlobFault, split_negation},
    names::text_matches,
};

/// The kind of names that a list of globs is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Branches, without `refs/heads/`.
    Branches,
    /// Tags, without `refs/tags/`.
    Tags,
    /// Whole messages, trimmed.
    Messages,
}

/// Returns the fault of the first glob that can never match, or of the whole list.
pub(crate) fn names_fault<S: AsRef<str>>(names: Names, globs: &[S]) -> Option<GlobFault> {
    let faults = globs.iter().enumerate().filter_map(|(index, glob)| {
        let why = fault(names, split_negation(glob.as_ref()).1)?;
        Some(GlobFault::never_matches(index, glob.as_ref(), &why))
    });
    let message = match globs {
        [] => "an empty array of globs can never match; write `*` for everything",
        _ if leaves_nothing(globs) => {
            "these globs can never match: later ones exclude what earlier ones match"
        }
        _ => return faults.into_iter().next(),
    };
    let of_list = GlobFault { index: 0, message: message.to_owned() };
    Some(faults.into_iter().next().unwrap_or(of_list))
}

/// Returns true if a later glob certainly removes the matches of each glob. Compares a `*` of the
/// earlier glob as a character, which only a `*` of the later one matches.
fn leaves_nothing<S: AsRef<str>>(globs: &[S]) -> bool {
    let all = globs.first().is_some_and(|first| split_negation(first.as_ref()).0);
    let added = globs.iter().map(AsRef::as_ref).enumerate().filter(|(_, it)| !split_negation(it).0);
    let mut added = added.chain(all.then_some((0, "*")));
    added.all(|(index, glob)| {
        let mut later = globs.iter().skip(index).map(|it| split_negation(it.as_ref()));
        later.any(|(is_taken_away, it)| {
            is_taken_away && text_matches(it.as_bytes(), glob.as_bytes())
        })
    })
}

fn fault(names: Names, glob: &str) -> Option<String> {
    match names {
        Names::Branches => branch_fault(glob),
        Names::Tags => tag_fault(glob),
        Names::Messages => message_fault(glob),
    }
}

fn branch_fault(glob: &str) -> Option<String> {
    if let Some(tag) = glob.strip_prefix("refs/tags/") {
        return Some(format!("it is a tag, not a branch; write `{}` in `tag`", or_all(tag)));
    }
    let prefixes = ["refs/heads/", "refs/remotes/origin/", "remotes/origin/", "heads/", "origin/"];
    if let Some(why) = fault_of_prefix("branch", glob, &prefixes) {
        return Some(why);
    }
    if glob.starts_with("refs/") {
        return Some("it is not a branch; write a branch name".to_owned());
    }
    match glob {
        "" => Some("a branch name is not empty; write `*` for any branch".to_owned()),
        "HEAD" => Some("a branch cannot have this name; write the name of the branch".to_owned()),
        _ => short_name_fault(glob, "branch"),
    }
}

fn tag_fault(glob: &str) -> Option<String> {
    if let Some(branch) = glob.strip_prefix("refs/heads/") {
        let branch = or_all(branch);
        return Some(format!("it is a branch, not a tag; write `{branch}` in `branch`"));
    }
    if let Some(why) = fault_of_prefix("tag", glob, &["refs/tags/", "tags/"]) {
        return Some(why);
    }
    if glob.starts_with("refs/") {
        return Some("it is not a tag; write a tag name".to_owned());
    }
    match glob {
        "" => Some("a tag name is not empty; write `*` for any tag".to_owned()),
        _ => short_name_fault(glob, "tag"),
    }
}

/// Returns the fault of a glob with a prefix that git shows elsewhere.
fn fault_of_prefix(what: &str, glob: &str, prefixes: &[&str]) -> Option<String> {
    let (prefix, name) =
        prefixes.iter().find_map(|prefix| Some((prefix, glob.strip_prefix(prefix)?)))?;
    let name = or_all(name);
    Some(format!("the name of a {what} does not include `{prefix}`; write `{name}`"))
}

fn or_all(glob: &str) -> &str {
    if glob.is_empty() { "*" } else { glob }
}

fn message_fault(glob: &str) -> Option<String> {
    let trimmed = glob.trim();
    let why = "messages are compared without whitespace at their ends";
    (trimmed.len() < glob.len()).then(|| format!("{why}; write `{trimmed}`"))
}

/// Returns the fault of a glob that no branch or tag name can match.
fn short_name_fault(glob: &str, what: &str) -> Option<String> {
    let has_alternatives =
        glob.split_once('{').is_some_and(|(_, rest)| rest.contains(',') && rest.contains('}'));
    if has_alternatives || glob.contains(['?', '[']) {
        let why = "globs of names support only `*`; write an array of globs";
        return Some(why.to_owned());
    }
    let why = name_fault(glob)?;
    let trimmed = glob.trim().trim_matches('/');
    let is_right = !trimmed.is_empty() && name_fault(trimmed).is_none();
    let right = if is_right { format!("; write `{trimmed}`") } else { String::new() };
    Some(format!("git does not allow a {what} name that {why}{right}"))
}

/// Returns why git rejects a name (`git check-ref-format`), as the end of a sentence. `*` can match
/// any characters, so it makes a name valid whenever some characters do.
fn name_fault(glob: &str) -> Option<&'static str> {
    let name = glob.replace('*', "x");
    let mut parts = name.split('/');
    let forbidden = |letter: char| letter.is_ascii_control() || " ~^:?[\\".contains(letter);
    Some(match () {
        () if name.contains(' ') => "has a space",
        () if name.contains(forbidden) => "has one of `~^:?[\\` or a control character",
        () if name.contains("..") => "has `..`",
        () if name.contains("@{") => "has `@{`",
        () if parts.clone().any(str::is_empty) => "begins or ends with `/` or has `//`",
        () if name.ends_with('.') => "ends with `.`",
        () if parts.any(|part| part.starts_with('.') || part.ends_with(".lock")) => {
            "has a part that begins with `.` or ends with `.lock`"
        }
        () => return None,
    })
}

/// Returns the fault of a glob of full refs, as the end of a sentence.
pub(crate) fn ref_fault(glob: &str) -> Option<String> {
    let shown = "takes full ref names such as `refs/heads/main` or `refs/heads/*`";
    let all = ["refs/heads", "refs/tags", "refs/remotes", "refs"];
    let bare = glob.trim_end_matches('/');
    if all.contains(&bare) {
        return Some(format!("{shown}; write `{bare}/*`"));
    }
    if !glob.starts_with("refs/") {
        return Some(format!("{shown}{}", full_name(glob)));
    }
    let why = name_fault(glob)?;
    Some(format!("{shown}, and git does not allow a ref name that {why}"))
}

/// Returns the same if only branches and tags are compared, as for secrets.
pub(crate) fn secret_ref_fault(glob: &str) -> Option<String> {
    let (begin, rest) = glob.split_once('*').map_or((glob, None), |(it, rest)| (it, Some(rest)));
    let may_be =
        |prefix: &&str| begin.starts_with(*prefix) || (rest.is_some() && prefix.starts_with(begin));
    let is_compared = ["refs/heads/", "refs/tags/"].iter().any(may_be);
    ref_fault(glob).or_else(|| {
        let why = "takes only branches (`refs/heads/…`) and tags (`refs/tags/…`)";
        (!is_compared).then(|| why.to_owned())
    })
}

/// Returns the full name that a short one probably means.
fn full_name(glob: &str) -> String {
    let tag = glob.strip_prefix("tags/").filter(|it| !it.is_empty());
    let branch =
        ["heads/", "remotes/origin/", "origin/"].iter().find_map(|it| glob.strip_prefix(it));
    let (space, name) = tag.map_or(("heads", branch.unwrap_or(glob)), |tag| ("tags", tag));
    let is_right = !name.is_empty() && !name.starts_with('!') && name_fault(name).is_none();
    if is_right { format!("; write `refs/{space}/{name}`") } else { String::new() }
}
