//! Decides which builds are kept, packed or removed.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use crate::model::commit::CommitId;

/// The minimum length of a short id, as in git.
const SHORT_ID_LENGTH_MIN: usize = 4;

/// The name of a build directory: `<commit time>_<full id>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BuildName<'a> {
    /// Compared as a number. As a string, nine digits (before September 2001) would be newer than
    /// ten.
    time: i64,
    name: &'a str,
}

impl<'a> BuildName<'a> {
    /// Parses a name, or returns `None` if it is not exactly what tinyci writes.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let (time, id) = name.split_once('_')?;
        let (time, id): (i64, CommitId) = (time.parse().ok()?, id.parse().ok()?);
        (format!("{time}_{id}") == name).then_some(Self { time, name })
    }

    /// Returns the whole name.
    pub(crate) fn as_str(self) -> &'a str {
        self.name
    }

    fn id(self) -> &'a str {
        self.name.split_once('_').map_or("", |(_, id)| id)
    }
}

/// The builds that are neither packed nor removed, each with reasons that follow its name in a
/// sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The reasons, by commit id.
    why: BTreeMap<String, Vec<String>>,
}

impl Kept {
    /// Keeps the build of a commit.
    pub(crate) fn commit(&mut self, id: CommitId, why: String) {
        let known = self.why.entry(id.to_string()).or_default();
        if !known.contains(&why) {
            known.push(why);
        }
    }

    /// Keeps the build in this directory. Ignores names of another form.
    pub(crate) fn build(&mut self, name: &str, why: String) {
        if let Some(build) = BuildName::parse(name) {
            self.why.entry(build.id().to_owned()).or_default().push(why);
        }
    }

    /// Returns why this build is kept, or `None` if it is not.
    pub(crate) fn why(&self, build: BuildName<'_>) -> Option<&[String]> {
        self.why.get(build.id()).map(Vec::as_slice)
    }

    /// Returns true if the build with this directory name is kept.
    pub(crate) fn has(&self, name: &str) -> bool {
        BuildName::parse(name).is_some_and(|build| self.why(build).is_some())
    }
}

/// The builds to pack.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Retention<'a> {
    /// The builds to pack, oldest first.
    pub(crate) old: Vec<BuildName<'a>>,
    /// The words of the user that name none of the builds. Builds that were packed long ago are
    /// among them, so this is only a warning.
    pub(crate) unmatched: Vec<&'a str>,
}

/// Selects the builds to pack.
///
/// Each build comes with the time of its last run, or `None` for builds of TinyCI 0.5. Only this
/// time decides which builds are newest; see [`run_order`].
///
/// The newest `newest` builds are kept, and all builds that `leave` names. It names builds by
/// directory name, by a path through such a directory, or by a commit's full or short id. For
/// example, the target of a deployment's link is such a path. A short id of several builds keeps
/// all of them. The builds in `kept` remain too.
pub(crate) fn retention<'a>(
    builds: impl IntoIterator<Item = (&'a str, Option<SystemTime>)>,
    newest: usize,
    leave: &'a [String],
    kept: &Kept,
) -> Retention<'a> {
    let dated = builds.into_iter();
    let dated = dated.filter_map(|(name, last_run)| Some((BuildName::parse(name)?, last_run)));
    let mut dated: Vec<_> = dated.collect();
    dated.sort_unstable_by_key(|(name, last_run)| run_order(*name, *last_run));
    let mut builds: Vec<BuildName<'a>> = dated.into_iter().map(|(name, _)| name).collect();
    let leave: Vec<&str> = leave.iter().map(|word| word.trim()).collect();
    let unmatched = leave
        .iter()
        .copied()
        .filter(|word| !word.is_empty() && !builds.iter().any(|build| names(word, *build)));
    let unmatched = unmatched.collect();
    builds.truncate(builds.len().saturating_sub(newest));
    builds.retain(|build| {
        kept.why(*build).is_none() && !leave.iter().any(|word| names(word, *build))
    });
    Retention { old: builds, unmatched }
}

/// Returns the sort key of builds, oldest first: the time that the job wrote into them. Commit
/// times depend on the clock of the author and only break ties, for example after a rebase. Builds
/// of TinyCI 0.5 have no time and are older than all others.
fn run_order(
    name: BuildName<'_>,
    last_run: Option<SystemTime>,
) -> (Option<SystemTime>, BuildName<'_>) {
    (last_run, name)
}

/// A build on the disk: a directory, an archive, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored<'a> {
    pub(crate) name: BuildName<'a>,
    /// The time of its last job, or `None` if it is unknown.
    pub(crate) last_run: Option<SystemTime>,
    /// The age of the build. If its last job's time is unknown, an estimate.
    pub(crate) age: Duration,
    pub(crate) bytes: u64,
}

/// The limits for builds. A missing limit keeps all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The number of builds to keep, those that were run last.
    pub(crate) keep: Option<usize>,
    /// The maximum time since the last run.
    pub(crate) max_age: Option<Duration>,
    /// The maximum total size in bytes. Builds that are kept for other reasons count first, then
    /// those that were run last.
    pub(crate) max_bytes: Option<u64>,
}

/// Why a build is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneReason {
    /// There are enough newer builds.
    Count,
    /// It was last run too long ago.
    Age,
    /// Newer builds already take the maximum size.
    Size,
}

impl PruneReason {
    /// Returns the name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Age => "age",
            Self::Size => "size",
        }
    }
}

/// Returns the builds beyond the limits, oldest first.
///
/// The builds in `kept` are never among them. They count as builds, and their sizes count before
/// all others.
pub(crate) fn surplus<'a>(
    mut builds: Vec<Stored<'a>>,
    rules: &Rules,
    kept: &Kept,
) -> Vec<(Stored<'a>, PruneReason)> {
    builds.sort_unstable_by_key(|build| Reverse(run_order(build.name, build.last_run)));
    let is_kept = |build: &Stored<'_>| kept.why(build.name).is_some();
    let mut bytes =
        builds.iter().filter(|build| is_kept(build)).map(|build| build.bytes).sum::<u64>();
    let (mut number, mut surplus) = (0, Vec::new());
    for build in builds {
        if is_kept(&build) {
            number += 1;
            continue;
        }
        let with_it = bytes.saturating_add(build.bytes);
        let reason = if rules.keep.is_some_and(|most| number >= most) {
            PruneReason::Count
        } else if rules.max_age.is_some_and(|most| build.age > most) {
            PruneReason::Age
        } else if rules.max_bytes.is_some_and(|most| with_it > most) {
            // All older builds are removed too, even small ones, so that the newest ones remain.
            bytes = u64::MAX;
            PruneReason::Size
        } else {
            (number, bytes) = (number + 1, with_it);
            continue;
        };
        surplus.push((build, reason));
    }
    surplus.reverse();
    surplus
}

/// Returns true if this word of a user names this build.
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

    /// Calls `retention` with the builds of 2001 (a), 2018 (b, c) and 2019 (d), and a directory
    /// that is not a build.
    fn old(newest: usize, leave: &[&str]) -> (String, Vec<String>) {
        let builds = [
            name("1550000000", 'd'),
            name("999999999", 'a'),
            "notes".into(),
            name("1540000001", 'c'),
            name("1540000000", 'b'),
        ];
        let leave: Vec<String> = leave.iter().map(|&word| word.into()).collect();
        let builds = builds.iter().map(|name| (name.as_str(), None));
        let retention = retention(builds, newest, &leave, &Kept::default());
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

    #[test]
    fn kept_builds_stay_and_are_not_told_of() {
        let builds = [name("1", 'a'), name("2", 'b'), name("3", 'c')];
        let kept = kept(&['a', 'f']);
        let dated = builds.iter().map(|name| (name.as_str(), None));
        let retention = retention(dated, 1, &[], &kept);
        let old: Vec<&str> = retention.old.iter().map(|build| build.as_str()).collect();
        assert_eq!((old, retention.unmatched), (vec![&*builds[1]], vec![]));
    }

    fn kept(digits: &[char]) -> Kept {
        let mut kept = Kept::default();
        let ids = digits.iter().flat_map(|digit| digit.to_string().repeat(40).parse());
        ids.for_each(|id| kept.commit(id, "deployed".to_owned()));
        kept
    }

    /// Returns the surplus, with reasons, of builds a (oldest) to e, each a day younger and with
    /// ten bytes.
    fn gone(rules: Rules, others: &[char]) -> String {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let names: Vec<String> =
            "abcde".chars().zip(1..).map(|(id, time)| name(&format!("{time}"), id)).collect();
        let stored = names.iter().zip((1..=5).rev()).filter_map(|(name, days)| {
            let name = BuildName::parse(name)?;
            Some(Stored { name, last_run: None, age: DAY * days, bytes: 10 })
        });
        let surplus = surplus(stored.collect(), &rules, &kept(others)).into_iter();
        let letters = surplus.map(|(build, reason)| {
            let id = build.name.id().get(..1).unwrap_or_default().to_owned();
            id + match reason {
                PruneReason::Count => "#",
                PruneReason::Age => "@",
                PruneReason::Size => "%",
            }
        });
        letters.collect()
    }

    /// Commit times do not matter: in the future, before 1970, or all in the same second.
    #[test]
    fn the_newest_is_what_was_run_last_and_a_commits_date_only_breaks_ties() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        for (builds, expected) in [
            // The string before the letter is the commit time. The time after it is the last run.
            (vec![("4070908800", 'a', at(1)), ("5", 'b', at(2)), ("-7", 'c', at(3))], "abc"),
            (vec![("5", 'a', at(3)), ("5", 'b', at(1)), ("5", 'c', at(2))], "bca"),
            (vec![("9", 'a', at(7)), ("10", 'b', at(7)), ("5", 'c', at(7))], "cab"),
            (vec![("9", 'a', None), ("4", 'b', at(1)), ("7", 'c', None)], "cab"),
            (vec![("5", 'b', None), ("5", 'c', None), ("5", 'a', None)], "abc"),
        ] {
            let names: Vec<(String, _)> =
                builds.into_iter().map(|(time, id, run)| (name(time, id), run)).collect();
            let digits = |name: BuildName<'_>| name.id()[..1].to_owned();
            let dated = || names.iter().map(|(name, run)| (name.as_str(), *run));
            let old = retention(dated(), 0, &[], &Kept::default()).old.into_iter().map(digits);
            assert_eq!(old.collect::<String>(), expected);
            let stored = dated().filter_map(|(name, last_run)| {
                let name = BuildName::parse(name)?;
                Some(Stored { name, last_run, age: Duration::ZERO, bytes: 10 })
            });
            let rules = Rules { max_bytes: Some(0), ..Rules::default() };
            let gone = surplus(stored.collect(), &rules, &Kept::default()).into_iter();
            assert_eq!(gone.map(|(build, _)| digits(build.name)).collect::<String>(), expected);
        }
    }

    #[test]
    fn every_rule_takes_the_oldest_and_none_that_is_kept() {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        let (keep, age, size) = (
            |keep| Rules { keep: Some(keep), ..Rules::default() },
            |max_age| Rules { max_age: Some(max_age), ..Rules::default() },
            |max_bytes| Rules { max_bytes: Some(max_bytes), ..Rules::default() },
        );
        assert_eq!(gone(Rules::default(), &[]), "");
        assert_eq!(gone(keep(2), &[]), "a#b#c#");
        assert_eq!(gone(keep(0), &['b']), "a#c#d#e#");
        assert_eq!(gone(keep(2), &['a', 'e']), "b#c#", "a kept one is one of the newest, too");
        assert_eq!(gone(age(days(3)), &[]), "a@b@", "not what is just as old");
        assert_eq!(gone(age(days(1)), &['a']), "b@c@d@");
        assert_eq!(gone(size(25), &[]), "a%b%c%");
        assert_eq!(gone(size(25), &['b']), "a%c%d%", "it takes its room first");
        let all = Rules { keep: Some(4), max_age: Some(days(4)), max_bytes: Some(30) };
        assert_eq!(gone(all, &[]), "a@b%");
        assert_eq!(gone(size(9), &[]), "a%b%c%d%e%");
    }
}
