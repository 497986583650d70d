//! Finds refspecs with which a fetch would overwrite or delete tinyci's refs. A mirror's
//! `+refs/*:refs/*` replaces them with the remote's refs of the same names, and deletes them with
//! `--prune`.
//!
//! git ignores the refs that a negative refspec of the same remote matches: `^refs/tinyci/*`. Such
//! a refspec matches the remote's names.

use std::collections::BTreeMap;

use crate::model::{error::Error, stored_names::families};
use crate::repo::repository::{BASELINE, RECORDS, Repo, VERDICTS, git_error};

/// The prefix of all refs of tinyci except verdicts and records.
const STATE_PREFIX: &str = families::TINYCI;

/// Names that represent all possible refs of tinyci.
const OURS: [&str; 5] = [
    VERDICTS,
    RECORDS,
    BASELINE,
    "refs/tinyci/deployments/production",
    "refs/tinyci/approvals/production/commit/nonce",
];

/// A refspec with which a fetch overwrites or deletes refs of tinyci.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OverwritingRefspec {
    pub(crate) remote: String,
    /// The refspec as in git's configuration.
    pub(crate) refspec: String,
    /// The negative refspecs that prevent it.
    pub(crate) remedies: Vec<String>,
}

impl Repo {
    /// Returns the refspecs of all remotes with which a fetch overwrites or deletes refs of tinyci.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if git's configuration cannot be read.
    pub(crate) fn overwriting_refspecs(&self) -> Result<Vec<OverwritingRefspec>, Error> {
        let mut found = Vec::new();
        for (remote, refspecs) in self.fetch_refspecs()? {
            let (negative, positive): (Vec<_>, Vec<_>) =
                refspecs.iter().partition(|refspec| refspec.starts_with('^'));
            for refspec in positive {
                let Some(mapping) = Mapping::parse(refspec) else { continue };
                let is_excluded = |source: &str| {
                    negative.iter().any(|pattern| star(&pattern[1..], source).is_some())
                };
                let remedies = mapping.remedies(is_excluded);
                if !remedies.is_empty() {
                    let (remote, refspec) = (remote.clone(), refspec.clone());
                    found.push(OverwritingRefspec { remote, refspec, remedies });
                }
            }
        }
        Ok(found)
    }

    /// Returns the fetch refspecs of each remote, by name, in the order of the configuration.
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

/// A refspec: the remote's pattern and the local one, each with one star or none.
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

    /// Returns the negative refspecs that are missing.
    fn remedies(&self, is_excluded: impl Fn(&str) -> bool) -> Vec<String> {
        let mut remedies = Vec::new();
        for ours in OURS {
            let Some(middle) = star(self.target, ours) else { continue };
            if !is_excluded(&self.source.replacen('*', middle, 1)) {
                remedies.push(format!("^{}", self.source_of(ours, middle)));
            }
        }
        remedies.dedup();
        remedies
    }

    /// Returns the remote's pattern that excludes a ref and all its siblings.
    fn source_of(&self, ours: &str, middle: &str) -> String {
        let is_state_ref = ours.starts_with(STATE_PREFIX) && self.target.ends_with('*');
        match (self.target.trim_end_matches('*'), self.source.strip_suffix('*')) {
            (start, Some(source)) if is_state_ref && STATE_PREFIX.starts_with(start) => {
                format!("{source}{}*", &STATE_PREFIX[start.len()..])
            }
            (_, Some(_)) if is_state_ref => self.source.to_owned(),
            _ => self.source.replacen('*', middle, 1),
        }
    }
}

/// Returns the part of a name that a pattern's star matches. A pattern without a star matches only
/// itself and returns an empty string.
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
        let found = Repo::open(repo.path()).unwrap().overwriting_refspecs().unwrap();
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
            // With the remedies in place, nothing is left to report.
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
