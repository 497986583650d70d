//! What a message suggests: the known word most like an unknown one, or a command that helps.

/// A longer word is no slip of the fingers, and comparing costs the product of both lengths.
const WORD_LENGTH_MAX: usize = 40;

/// `; did you mean …?` as the end of a sentence, or nothing where no known word is near.
///
/// Case and `-` for `_` count as no difference, two swapped letters as one.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = nearest(word, known);
    nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// The same, or all that is known where no word of it is near.
pub(crate) fn did_you_mean_or_list(word: &str, known: &[&str]) -> String {
    let hint = did_you_mean(word, known.iter().copied());
    if hint.is_empty() { format!(" (there are {})", known.join(", ")) } else { hint }
}

/// A message with a command that helps, on a line of its own.
///
/// Every hint is made here, so that a terminal, a log, JSON and C show the same text.
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
    let slips_max = (length / 3).max(1);
    let distances =
        known.into_iter().map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), known));
    let near = distances.filter(|(slips, known)| *slips <= slips_max && *slips < known.len());
    near.min_by_key(|(slips, _)| *slips).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_fingers_are_recognized_and_other_words_are_not() {
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
