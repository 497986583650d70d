//! Removes the header of an empty section from a git configuration file.
//!
//! git does so when it unsets the last value, but libgit2 leaves the header. A user who uninstalls
//! tinyci should not find an empty `[receive]` in the file.

/// Returns the text without the empty headers of this section, or `None` if it has none.
pub(in crate::repo) fn without(text: &[u8], section: &str) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let mut kept: Vec<u8> = Vec::with_capacity(text.len());
    let mut next = 0;
    let mut continues = false;
    while let Some(line) = lines.get(next) {
        let end = lines.iter().skip(next + 1).position(|line| !line.trim_ascii().is_empty());
        let end = end.map_or(lines.len(), |blank| next + 1 + blank);
        let is_last = lines.get(end).is_none_or(|line| line.trim_ascii_start().starts_with(b"["));
        if !continues && is_last && names(line, section) {
            next = end;
            continue;
        }
        kept.extend_from_slice(line);
        // A line that continues a value is never a header.
        continues = line.trim_ascii_end().ends_with(b"\\");
        next += 1;
    }
    (kept.len() < text.len()).then_some(kept)
}

/// Returns true if a line is only the header of this section: `[receive]`, `[remote "origin"]`. The
/// first part matches in any case.
fn names(line: &[u8], section: &str) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let inner = line.trim().strip_prefix('[').and_then(|line| line.strip_suffix(']'));
    let Some(inner) = inner else { return false };
    match (inner.split_once(' '), section.split_once('.')) {
        (None, None) => inner.eq_ignore_ascii_case(section),
        (Some((head, quoted)), Some((name, rest))) => {
            let escaped = rest.replace('\\', "\\\\").replace('"', "\\\"");
            head.eq_ignore_ascii_case(name) && quoted.trim() == format!("\"{escaped}\"")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(section: &str, before: &str, after: &str) {
        let found = without(before.as_bytes(), section);
        let found = found.map(|text| String::from_utf8(text).unwrap());
        let expected = (before != after).then(|| after.to_owned());
        assert_eq!(found, expected, "{section} in {before:?}");
    }

    #[test]
    fn only_what_says_nothing_goes() {
        check("receive", "[core]\n\ta = b\n[receive]\n", "[core]\n\ta = b\n");
        check("receive", "[Receive]\n\n[core]\n\ta = b\n", "[core]\n\ta = b\n");
        check("receive", "[receive]\n[receive]\n\tx = y\n", "[receive]\n\tx = y\n");
        check("receive", "[receive]", "");
        for kept in [
            "[receive]\n\tx = y\n",
            "[receive] x = y\n",
            "[receive]\n# why\n",
            "[receive \"x\"]\n",
            "[receiver]\n",
            "[a]\n\tb = c \\\n[receive]\n",
            "",
        ] {
            check("receive", kept, kept);
        }
    }

    #[test]
    fn names_in_quotes_are_told_apart() {
        check(
            "remote.origin",
            "[remote \"origin\"]\n[remote \"Origin\"]\n",
            "[remote \"Origin\"]\n",
        );
        check("remote.a.b", "[remote \"a.b\"]\n", "");
        check("remote.a\"\\b", "[remote \"a\\\"\\\\b\"]\n", "");
    }
}
