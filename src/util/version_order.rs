//! Comparing version names: `v1.10` is newer than `v1.9`.

use std::cmp::Ordering;

/// Returns the newest of these names.
pub(crate) fn newest<'n>(names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names.max_by(|one, other| compare(one, other))
}

/// Compares two names part by part: digits by their value, other characters one by one. If one name
/// is a prefix of the other, the longer one is newer. Exception: `-` or `~` marks a prerelease, so
/// `v1.0-rc1` is older than `v1.0`.
fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (number, rest) = split_number(one);
        let (other_number, other_rest) = split_number(other);
        // This is equal only if both numbers have the same leading zeros. So different names are
        // never equal.
        let order = by_value(number, other_number);
        if order != Ordering::Equal {
            return order;
        }
        let (mut letters, mut other_letters) = (rest.chars(), other_rest.chars());
        let (letter, other_letter) = (letters.next(), other_letters.next());
        match rank(letter).cmp(&rank(other_letter)).then(letter.cmp(&other_letter)) {
            Ordering::Equal if letter.is_none() => return Ordering::Equal,
            Ordering::Equal => (one, other) = (letters.as_str(), other_letters.as_str()),
            order => return order,
        }
    }
}

/// Splits the string after its leading digits.
fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Compares numbers of any length: without leading zeros, the longer one is greater.
fn by_value(one: &str, other: &str) -> Ordering {
    let (plain, other_plain) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    let lengths = plain.len().cmp(&other_plain.len());
    lengths.then(plain.cmp(other_plain)).then(one.len().cmp(&other.len()))
}

/// Orders prerelease marks first, then the end of the name, then other characters.
fn rank(letter: Option<char>) -> u8 {
    match letter {
        Some('-' | '~') => 0,
        None => 1,
        Some(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers_and_candidates_come_before_releases() {
        let sorted = [
            "release-2",
            "v1.0-alpha",
            "v1.0-rc2",
            "v1.0-rc10",
            "v1.0",
            "v1.0.1",
            "v1.9",
            "v1.10",
            "v1.010",
            "v2",
            "v18446744073709551617.0",
        ];
        for (index, one) in sorted.iter().enumerate() {
            for (other_index, other) in sorted.iter().enumerate() {
                assert_eq!(compare(one, other), index.cmp(&other_index), "{one} {other}");
            }
        }
        assert_eq!(newest(["v1.9", "v1.10", "v1.2"].into_iter()), Some("v1.10"));
        assert_eq!(newest(std::iter::empty()), None);
    }
}
