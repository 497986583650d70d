//! Globs of names: branches, tags, full refs, messages and commands. `*` matches any characters
//! including slashes, as in git's refspecs. There are no other special characters.

use super::glob_fault::split_negation;

/// Returns true if a string matches.
pub(crate) fn text_matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else { return pattern == text };
    let Some(rest) = text.strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    for part in parts {
        let found =
            (0..=rest.len()).find(|at| rest.get(*at..).is_some_and(|r| r.starts_with(part)));
        let Some(after) = found.and_then(|at| rest.get(at + part.len()..)) else { return false };
        rest = after;
    }
    true
}

/// Returns true if a string matches a list. `!pattern` removes matches. A list with only such
/// patterns starts with all strings.
pub(crate) fn text_matches_list<'g>(
    patterns: impl IntoIterator<Item = &'g str>,
    text: &str,
) -> bool {
    let mut patterns = patterns.into_iter().peekable();
    let all = patterns.peek().is_some_and(|first| first.starts_with('!'));
    patterns.fold(all, |matched, pattern| match split_negation(pattern) {
        (true, but) => matched && !text_matches(but.as_bytes(), text.as_bytes()),
        (false, pattern) => matched || text_matches(pattern.as_bytes(), text.as_bytes()),
    })
}

/// Returns true if certainly no string matches both lists. An empty list matches every string.
pub(crate) fn texts_are_disjoint(one: &[String], other: &[String]) -> bool {
    let holds = |list: &[String], text: &str| {
        list.is_empty() || text_matches_list(list.iter().map(String::as_str), text)
    };
    let may_meet = |one_glob: &str, other_glob: &str| match (
        one_glob.split_once('*'),
        other_glob.split_once('*'),
    ) {
        (None, _) => holds(one, one_glob) && holds(other, one_glob),
        (_, None) => holds(one, other_glob) && holds(other, other_glob),
        (Some((begin, _)), Some((other_begin, _))) => {
            let (end, other_end) = (after_last_star(one_glob), after_last_star(other_glob));
            (begin.starts_with(other_begin) || other_begin.starts_with(begin))
                && (end.ends_with(other_end) || other_end.ends_with(end))
        }
    };
    let others = widest(other);
    !widest(one).iter().any(|glob| others.iter().any(|other| may_meet(glob, other)))
}

/// Returns globs that match at least what a list matches. They ignore the patterns that remove
/// matches.
fn widest(list: &[String]) -> Vec<&str> {
    let begins_with_all = list.first().is_none_or(|first| first.starts_with('!'));
    let added = list.iter().map(String::as_str).filter(|glob| !glob.starts_with('!'));
    begins_with_all.then_some("*").into_iter().chain(added).collect()
}

fn after_last_star(glob: &str) -> &str {
    glob.rsplit('*').next().unwrap_or_default()
}
