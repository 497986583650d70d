//! Globs over the paths of a commit, as `ctx.changed` and `when` take them.

mod artifact_pattern;

pub(crate) use self::artifact_pattern::{ArtifactPattern, select};

use gix_attributes::glob::{wildmatch, wildmatch::Mode};

/// Whether a path matches: `*` and `?` stay within a name, `**` crosses `/`. A glob without `/`
/// is matched against the last name of the path, as in `.gitignore`.
pub(crate) fn matches(glob: &str, path: &str) -> bool {
    let whole = glob.contains('/') || glob == "**";
    let value = if whole { path } else { path.rsplit('/').next().unwrap_or(path) };
    let glob = glob.strip_prefix('/').unwrap_or(glob);
    wildmatch(glob.into(), value.into(), Mode::NO_MATCH_SLASH_LITERAL)
}

/// Whether a path matches a list, in which `!glob` takes away what earlier globs matched; a list
/// that begins so begins with everything.
pub(crate) fn matches_list<'g>(globs: impl IntoIterator<Item = &'g str>, path: &str) -> bool {
    let mut globs = globs.into_iter().peekable();
    let all = globs.peek().is_some_and(|first| first.starts_with('!'));
    globs.fold(all, |matched, glob| match glob.strip_prefix('!') {
        Some(but) => matched && !matches(but, path),
        None => matched || matches(glob, path),
    })
}

/// Whether a text matches: `*` stands for any bytes, slashes included, as in git's refspecs;
/// nothing else is special.
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

/// The same for a list, in which `!pattern` takes away; one that only takes away begins with all.
pub(crate) fn text_matches_list<'g>(
    patterns: impl IntoIterator<Item = &'g str>,
    text: &str,
) -> bool {
    let mut patterns = patterns.into_iter().peekable();
    let all = patterns.peek().is_some_and(|first| first.starts_with('!'));
    patterns.fold(all, |matched, pattern| match pattern.strip_prefix('!') {
        Some(but) => matched && !text_matches(but.as_bytes(), text.as_bytes()),
        None => matched || text_matches(pattern.as_bytes(), text.as_bytes()),
    })
}

/// True if it is certain that no text matches both lists. An empty list asks for nothing.
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

/// Globs that match at least what a list does: what it takes away is not looked at.
fn widest(list: &[String]) -> Vec<&str> {
    let begins_with_all = list.first().is_none_or(|first| first.starts_with('!'));
    let added = list.iter().map(String::as_str).filter(|glob| !glob.starts_with('!'));
    begins_with_all.then_some("*").into_iter().chain(added).collect()
}

fn after_last_star(glob: &str) -> &str {
    glob.rsplit('*').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_in_a_name_and_two_do_not() {
        for (glob, path, expected) in [
            ("services/web/**", "services/web/a/b.rs", true),
            ("services/web/**", "services/website/a", false),
            ("**", "a/b", true),
            ("*.md", "README.md", true),
            ("*.md", "docs/a/README.md", true),
            ("docs/*.md", "docs/a/README.md", false),
            ("/*.md", "docs/README.md", false),
            ("src/**/x.rs", "src/x.rs", true),
            ("src/?.rs", "src/a.rs", true),
            ("[", "[", false),
        ] {
            assert_eq!(matches(glob, path), expected, "{glob} {path}");
        }
    }

    #[test]
    fn a_list_takes_away() {
        let globs = ["**", "!docs/**", "!*.md"];
        for (path, expected) in [("src/a.rs", true), ("docs/a.rs", false), ("a/README.md", false)] {
            assert_eq!(matches_list(globs, path), expected, "{path}");
        }
        assert!(!matches_list([], "a"));
        assert!(matches_list(["!*.md"], "a.rs") && !matches_list(["!*.md"], "a.md"));
    }

    #[test]
    fn a_list_over_texts_takes_away_too() {
        for (patterns, text, expected) in [
            (vec!["main", "release/*"], "release/a/b", true),
            (vec!["main"], "feature/main", false),
            (vec!["*", "!wip*"], "wip-1", false),
            (vec!["!*[skip ci]*"], "Add a [skip ci] b", false),
            (vec!["!*[skip ci]*"], "Add", true),
        ] {
            assert_eq!(text_matches_list(patterns.iter().copied(), text), expected, "{text}");
        }
    }
}
