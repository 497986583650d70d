//! Which builds are kept as they are, and which are old enough to be compacted. Pure.

use crate::commit::CommitId;

/// As few digits of an id as git takes for one.
const SHORT_ID_LENGTH_MIN: usize = 4;

/// The name of a build's folder: `<commit time>_<full id>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BuildName<'a> {
    /// Compared as a number: as a text, nine digits (before September 2001) are newer than ten.
    time: i64,
    name: &'a str,
}

impl<'a> BuildName<'a> {
    /// Takes a name apart; none where it is not exactly what tinyci writes.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let (time, id) = name.split_once('_')?;
        let (time, id): (i64, CommitId) = (time.parse().ok()?, id.parse().ok()?);
        (format!("{time}_{id}") == name).then_some(Self { time, name })
    }

    /// The whole name.
    pub(crate) fn as_str(self) -> &'a str {
        self.name
    }

    fn id(self) -> &'a str {
        self.name.split_once('_').map_or("", |(_, id)| id)
    }
}

/// What is to become of builds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Retention<'a> {
    /// To be compacted, oldest first.
    pub(crate) old: Vec<BuildName<'a>>,
    /// What was to be left and names none of the builds. Compacted builds of long ago are among
    /// them, so this is worth a word and no more.
    pub(crate) unmatched: Vec<&'a str>,
}

/// Sorts builds into those to keep and those to compact.
///
/// Kept are the newest `newest`, and beside them all that `leave` names: by folder name, by any
/// path that leads through a folder of that name (a deployment's link, resolved, ends in its
/// `export`), or by a commit's full or short id. A short id that fits several builds keeps them all.
pub(crate) fn retention<'a>(
    builds: impl IntoIterator<Item = &'a str>,
    newest: usize,
    leave: &'a [String],
) -> Retention<'a> {
    let mut builds: Vec<BuildName<'a>> = builds.into_iter().filter_map(BuildName::parse).collect();
    builds.sort_unstable();
    let leave: Vec<&str> = leave.iter().map(|word| word.trim()).collect();
    let unmatched = leave
        .iter()
        .copied()
        .filter(|word| !word.is_empty() && !builds.iter().any(|build| names(word, *build)));
    let unmatched = unmatched.collect();
    builds.truncate(builds.len().saturating_sub(newest));
    builds.retain(|build| !leave.iter().any(|word| names(word, *build)));
    Retention { old: builds, unmatched }
}

/// Whether this word of a person names this build.
fn names(word: &str, build: BuildName<'_>) -> bool {
    let is_short_id = word.len() >= SHORT_ID_LENGTH_MIN;
    word.split('/').any(|part| part == build.name)
        || (is_short_id && build.id().starts_with(&word.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(time: &str, digit: char) -> String {
        format!("{time}_{}", digit.to_string().repeat(40))
    }

    #[test]
    fn only_names_of_builds_are_names_of_builds() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        for good in [format!("0_{id}"), format!("1539792869_{id}"), format!("-1_{id}")] {
            assert_eq!(BuildName::parse(&good).map(BuildName::as_str), Some(&*good));
        }
        let bad = [
            String::new(),
            id.into(),
            format!("_{id}"),
            format!("1_{}", &id[1..]),
            format!("1_{id}0"),
            format!("1_{}", id.to_uppercase()),
            format!("007_{id}"),
            format!("+1_{id}"),
            format!("1x_{id}"),
            format!("1_{id}.tar.gz"),
            format!("99999999999999999999999_{id}"),
            format!("1_2_{}", &id[2..]),
            "tinyci.log".into(),
        ];
        for bad in bad {
            assert_eq!(BuildName::parse(&bad), None, "{bad}");
        }
    }

    /// `leave` with the builds of 2001 (a), 2018 (b, c) and 2019 (d), and a foreign folder.
    fn old(newest: usize, leave: &[&str]) -> (String, Vec<String>) {
        let builds = [
            name("1550000000", 'd'),
            name("999999999", 'a'),
            "notes".into(),
            name("1540000001", 'c'),
            name("1540000000", 'b'),
        ];
        let leave: Vec<String> = leave.iter().map(|&word| word.into()).collect();
        let retention = retention(builds.iter().map(String::as_str), newest, &leave);
        let old = retention.old.iter().filter_map(|build| build.id().chars().next()).collect();
        (old, retention.unmatched.into_iter().map(Into::into).collect())
    }

    #[test]
    fn the_newest_stay_and_the_rest_goes_oldest_first() {
        for (newest, expected) in [(0, "abcd"), (1, "abc"), (3, "a"), (4, ""), (usize::MAX, "")] {
            assert_eq!(old(newest, &[]).0, expected, "{newest}");
        }
    }

    #[test]
    fn whatever_names_a_build_keeps_it() {
        let b = name("1540000000", 'b');
        let words = [
            b.clone(),
            format!("{b}/"),
            format!("/srv/x.git/builds/{b}/export"),
            format!("builds/{b}/export/public/index.html"),
            format!(" {b}\n"),
            "b".repeat(40),
            "bbbb".into(),
            "BBBBBBB".into(),
        ];
        for word in &words {
            assert_eq!(old(1, &[word]), ("ac".into(), vec![]), "{word}");
        }
        assert_eq!(old(0, &["aaaa", "dddd"]).0, "bc");
        assert_eq!(old(1, &["dddd"]).0, "abc", "one that is new anyway takes no place");
    }

    #[test]
    fn what_names_nothing_is_told() {
        let other = format!("/srv/builds/{}/export", name("1", 'e'));
        for word in ["bbb", "feed", "/srv/production", "1540000000", &other] {
            assert_eq!(old(1, &[word]), ("abc".into(), vec![word.to_owned()]), "{word}");
        }
        assert_eq!(old(1, &["", " "]), ("abc".into(), vec![]));
    }
}
