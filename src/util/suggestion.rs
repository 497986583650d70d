//! Suggestions in messages: the known word closest to an unknown one, or a command that helps.

/// The longest word to compare. A longer one is not a typo, and comparing costs the product of both
/// lengths.
const WORD_LENGTH_MAX: usize = 40;

/// Returns `; did you mean …?` to append to a sentence, or an empty string if no known word is
/// similar.
///
/// Ignores case, and the difference between `-` and `_`. Two swapped letters count as one typo.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = nearest(word, known);
    nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// Does the same, but lists all known words if none is similar.
pub(crate) fn did_you_mean_or_list(word: &str, known: &[&str]) -> String {
    let hint = did_you_mean(word, known.iter().copied());
    if hint.is_empty() { format!(" (there are {})", known.join(", ")) } else { hint }
}

/// Appends a hint, a command that helps, to a message on a separate line.
///
/// All hints are made here, so that a terminal, a log, JSON and C show the same text.
pub(crate) fn hinted(message: &str, hint: &str) -> String {
    format!("{message}\nhint: {hint}")
}

fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > WORD_LENGTH_MAX {
        return None;
    }
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let word = plain(word);
    let typos_max = (length / 3).max(1);
    let distances =
        known.into_iter().map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), known));
    let near = distances.filter(|(typos, known)| *typos <= typos_max && *typos < known.len());
    near.min_by_key(|(typos, _)| *typos).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_recognized_and_other_words_are_not() {
        let known = ["build", "test", "before_build", "after_build_success"];
        let cases = [
            ("biuld", Some("build")),
            ("Build", Some("build")),
            ("tests", Some("test")),
            ("before-build", Some("before_build")),
            ("after_build_succes", Some("after_build_success")),
            ("deploy", None),
            ("", None),
            ("x", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest("logslimit", ["grace", "logLimit"]), Some("logLimit"));
        assert_eq!(did_you_mean("tset", known), "; did you mean `test`?");
        assert_eq!(did_you_mean(&"build".repeat(10_000), known), "");
    }
}
