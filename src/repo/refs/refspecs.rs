//! Refspecs that let a fetch take tinyci's refs away: a mirror's `+refs/*:refs/*` replaces them by
//! what the remote has under the same names, and deletes them with `--prune`.
//!
//! git leaves alone what a negative refspec of the same remote names: `^refs/tinyci/*`. Such a
//! refspec is a pattern of the remote's names.

use std::collections::BTreeMap;

use crate::model::{error::Error, stored_names::families};
use crate::repo::repository::{BASELINE, RECORDS, Repo, VERDICTS, git_error};

/// Where everything of tinyci's lies but verdicts and records.
const FAMILY: &str = families::TINYCI;

/// Names that stand for all of tinyci's refs, whichever there are.
const OURS: [&str; 5] = [
    VERDICTS,
    RECORDS,
    BASELINE,
    "refs/tinyci/deployments/production",
    "refs/tinyci/approvals/production/commit/nonce",
];

/// A refspec that a fetch takes refs of tinyci's away by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TakingRefspec {
    pub(crate) remote: String,
    /// As git's configuration has it.
    pub(crate) refspec: String,
    /// The negative refspecs that keep it from doing so.
    pub(crate) remedies: Vec<String>,
}

impl Repo {
    /// The refspecs of all remotes that let a fetch take refs of tinyci's away.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where git's configuration cannot be read.
    pub(crate) fn taking_refspecs(&self) -> Result<Vec<TakingRefspec>, Error> {
        let mut found = Vec::new();
        for (remote, refspecs) in self.fetch_refspecs()? {
            let (negative, positive): (Vec<_>, Vec<_>) =
                refspecs.iter().partition(|refspec| refspec.starts_with('^'));
            for refspec in positive {
                let Some(mapping) = Mapping::parse(refspec) else { continue };
                let is_left_alone = |source: &str| {
                    negative.iter().any(|pattern| star(&pattern[1..], source).is_some())
                };
                let remedies = mapping.remedies(is_left_alone);
                if !remedies.is_empty() {
                    let (remote, refspec) = (remote.clone(), refspec.clone());
                    found.push(TakingRefspec { remote, refspec, remedies });
                }
            }
        }
        Ok(found)
    }

    /// What each remote fetches, by its name, in the order of the configuration.
    fn fetch_refspecs(&self) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let unreadable = |source| git_error(format!("cannot read the remotes of {self}"), source);
        let config = self.git.config().map_err(unreadable)?;
        let mut entries = config.entries(Some(r"^remote\..*\.fetch$")).map_err(unreadable)?;
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(unreadable)?;
            let key = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            let remote = key.strip_prefix("remote.").and_then(|it| it.strip_suffix(".fetch"));
            if let Some(remote) = remote.filter(|_| entry.has_value()) {
                let value = String::from_utf8_lossy(entry.value_bytes()).into_owned();
                found.entry(remote.to_owned()).or_default().push(value);
            }
        }
        Ok(found)
    }
}

/// The remote's names on the left, and one's own on the right, each with a star or none.
struct Mapping<'a> {
    source: &'a str,
    target: &'a str,
}

impl<'a> Mapping<'a> {
    fn parse(refspec: &'a str) -> Option<Self> {
        let (source, target) = refspec.trim_start_matches('+').split_once(':')?;
        (source.matches('*').count() == target.matches('*').count())
            .then_some(Self { source, target })
    }

    /// The negative refspecs that are missing.
    fn remedies(&self, is_left_alone: impl Fn(&str) -> bool) -> Vec<String> {
        let mut remedies = Vec::new();
        for ours in OURS {
            let Some(middle) = star(self.target, ours) else { continue };
            if !is_left_alone(&self.source.replacen('*', middle, 1)) {
                remedies.push(format!("^{}", self.source_of(ours, middle)));
            }
        }
        remedies.dedup();
        remedies
    }

    /// What to name on the remote's side to leave a ref alone, and all of its family.
    fn source_of(&self, ours: &str, middle: &str) -> String {
        let whole_family = ours.starts_with(FAMILY) && self.target.ends_with('*');
        match (self.target.trim_end_matches('*'), self.source.strip_suffix('*')) {
            (start, Some(source)) if whole_family && FAMILY.starts_with(start) => {
                format!("{source}{}*", &FAMILY[start.len()..])
            }
            (_, Some(_)) if whole_family => self.source.to_owned(),
            _ => self.source.replacen('*', middle, 1),
        }
    }
}

/// What a pattern's star stands for in a name; nothing, where it has none and is the name.
fn star<'n>(pattern: &str, name: &'n str) -> Option<&'n str> {
    match pattern.split_once('*') {
        Some((start, end)) => name.strip_prefix(start)?.strip_suffix(end),
        None => (pattern == name).then_some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    const ALL: [&str; 3] =
        ["^refs/notes/tinyci-result", "^refs/notes/runs/tinyci", "^refs/tinyci/*"];

    fn remedies(refspecs: &[&str]) -> Vec<Vec<String>> {
        let repo = TestRepo::bare();
        refspecs.iter().for_each(|it| {
            repo.git(&["config", "--add", "remote.my.mirror.fetch", it]);
        });
        let found = Repo::open(repo.path()).unwrap().taking_refspecs().unwrap();
        assert!(found.iter().all(|it| it.remote == "my.mirror"), "{found:?}");
        found.into_iter().map(|it| it.remedies).collect()
    }

    #[test]
    fn every_refspec_that_reaches_our_names_is_found_with_its_remedy() {
        for (refspec, expected) in [
            ("+refs/*:refs/*", &ALL[..]),
            ("refs/*:refs/*", &ALL),
            ("+refs/notes/*:refs/notes/*", &ALL[..2]),
            ("refs/notes/tinyci*:refs/notes/tinyci*", &ALL[..1]),
            ("+refs/notes/tinyci-result:refs/notes/tinyci-result", &ALL[..1]),
            ("+refs/tinyci/*:refs/tinyci/*", &ALL[2..]),
            ("+refs/t*:refs/t*", &ALL[2..]),
            (
                "+refs/tinyci/deployments/*:refs/tinyci/deployments/*",
                &["^refs/tinyci/deployments/*"],
            ),
            ("+refs/tinyci/baseline:refs/tinyci/baseline", &["^refs/tinyci/baseline"]),
            (
                "+refs/theirs/*:refs/notes/*",
                &["^refs/theirs/tinyci-result", "^refs/theirs/runs/tinyci"],
            ),
            ("+refs/theirs/*:refs/tinyci/*", &["^refs/theirs/*"]),
            ("+refs/*/result:refs/*-result", &["^refs/notes/tinyci/result"]),
        ] {
            assert_eq!(remedies(&[refspec]), [expected], "{refspec}");
            // And with it there is nothing to be found any more.
            let with: Vec<_> = [refspec].into_iter().chain(expected.iter().copied()).collect();
            assert!(remedies(&with).is_empty(), "{with:?}");
        }
    }

    #[test]
    fn what_leaves_them_alone_is_not_found() {
        for refspec in [
            "+refs/heads/*:refs/remotes/origin/*",
            "+refs/heads/*:refs/heads/*",
            "+refs/notes/tinyci*:refs/notes/remotes/origin/tinyci*",
            "+refs/tinyci/deployments/*:refs/tinyci/remotes/origin/deployments/*",
            "+refs/*:refs/remotes/origin/*",
            "refs/notes/tinyci-result",
            "^refs/notes/*",
            ":",
            "",
        ] {
            assert!(remedies(&[refspec]).is_empty(), "{refspec}");
        }
        assert!(remedies(&["+refs/*:refs/*", "^refs/notes/*", "^refs/tinyci/*"]).is_empty());
    }
}
