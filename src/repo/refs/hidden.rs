//! Lists the refs that tinyci reads and who may write them ([`READ`]), and determines which refs git
//! lets a push write ([`HiddenRefs`]).

use git2::Reference;

use crate::{
    model::{
        error::Error,
        stored_names::{
            families::{NOTES, RECORD_LIKE, VERDICT_LIKE},
            refs::{
                APPROVALS, BASELINE, DEPLOYS, FETCHED_DEPLOYS, FETCHED_NOTES, RECORDS, VERDICTS,
            },
        },
    },
    repo::repository::{Repo, git_error},
};

/// The writer of a ref that tinyci reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// tinyci, or a fetch: tinyci trusts the contents.
    Tinyci,
    /// Anyone who can push: tinyci checks the contents whenever it reads them.
    Pusher,
}

/// The refs that tinyci reads, except those that people push to have them tested and those that clones
/// fetch. A name that ends in `/` is the prefix of several refs. A name that ends in `*` means all refs
/// with this prefix that the list does not contain.
pub(crate) const READ: [(&str, Writer); 9] = [
    (VERDICTS, Writer::Tinyci),
    // `git log --notes='tinyci*'` shows all of them like verdicts.
    ("refs/notes/tinyci*", Writer::Tinyci),
    (RECORDS, Writer::Tinyci),
    (RECORD_LIKE, Writer::Tinyci),
    (FETCHED_NOTES, Writer::Tinyci),
    (BASELINE, Writer::Tinyci),
    (DEPLOYS, Writer::Tinyci),
    (FETCHED_DEPLOYS, Writer::Tinyci),
    (APPROVALS, Writer::Pusher),
];

/// A line of `receive.hideRefs` or `transfer.hideRefs`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    path: String,
    hides: bool,
}

/// The refs that git does not let a push write. As in git, a path matches itself and all refs below it,
/// and the last line that matches a ref applies.
#[derive(Clone, Debug, Default)]
pub(crate) struct HiddenRefs {
    rules: Vec<Rule>,
}

impl HiddenRefs {
    /// Parses values in git's order.
    pub(crate) fn parse(values: &[String]) -> Self {
        let rules = values.iter().map(|value| {
            let path = value.trim_end_matches('/');
            let (hides, path) = match path.strip_prefix('!') {
                Some(path) => (false, path),
                None => (true, path),
            };
            // `^` includes the namespace in the comparison. Pushes to a plain repository have no
            // namespace.
            Rule { path: path.strip_prefix('^').unwrap_or(path).to_owned(), hides }
        });
        Self { rules: rules.collect() }
    }

    /// Returns true if no push can write any ref of this name, in the notation of [`READ`].
    pub(crate) fn hides(&self, name: &str) -> bool {
        for Rule { path, hides } in self.rules.iter().rev() {
            match hides {
                true if covers(path, name) => return true,
                false if touches(path, name) => return false,
                _ => {}
            }
        }
        false
    }

    /// Returns the paths that a line with `!` excepts.
    pub(crate) fn excepted(&self) -> Vec<String> {
        let excepted = self.rules.iter().filter(|rule| !rule.hides);
        excepted.map(|rule| rule.path.clone()).collect()
    }
}

/// Returns true if a path matches every ref of this name.
fn covers(path: &str, name: &str) -> bool {
    let is_one = !name.ends_with(['/', '*']);
    let rest = name.trim_end_matches('*').strip_prefix(path);
    rest.is_some_and(|rest| rest.starts_with('/') || (rest.is_empty() && is_one))
}

/// Returns true if a path matches any ref of this name.
fn touches(path: &str, name: &str) -> bool {
    let start = name.trim_end_matches('*');
    let below = if name.ends_with(['/', '*']) { path.strip_prefix(start) } else { None };
    below.is_some() || covers(path, name) || format!("{path}/").starts_with(&format!("{start}/"))
}

/// Returns true if a push to this path, or below it, could change a ref that tinyci trusts. Ignores
/// case, because some file systems do.
pub(crate) fn is_written_by_tinyci(path: &str) -> bool {
    let path = path.to_lowercase();
    let own = READ.iter().filter(|(_, writer)| *writer == Writer::Tinyci);
    own.into_iter().any(|(name, _)| touches(&path, name))
}

impl Repo {
    /// Returns the notes refs of other programs and of people.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the refs cannot be listed.
    pub(crate) fn notes_of_others(&self) -> Result<Vec<String>, Error> {
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let mut found = Vec::new();
        for reference in self.git.references_glob(&format!("{NOTES}*")).map_err(unlisted)? {
            let reference = reference.map_err(unlisted)?;
            let name = reference.name().ok().filter(|name| !is_written_by_tinyci(name));
            found.extend(name.map(str::to_owned));
        }
        found.sort();
        Ok(found)
    }

    /// Returns the notes refs that `--notes='tinyci*'` shows but tinyci did not write. Their notes look
    /// like verdicts.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the refs cannot be listed.
    pub(crate) fn lookalikes(&self) -> Result<Vec<String>, Error> {
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let names = self.git.references_glob(&format!("{VERDICT_LIKE}*")).map_err(unlisted)?;
        let mut found = Vec::new();
        for reference in names {
            let reference = reference.map_err(unlisted)?;
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            found.extend(Some(name).filter(|name| name != VERDICTS));
        }
        Ok(found)
    }
}

/// Returns true if git accepts this as the name of a ref.
pub(crate) fn is_ref_name(name: &str) -> bool {
    name.starts_with("refs/") && Reference::is_valid_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hides(values: &[&str], name: &str) -> bool {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        HiddenRefs::parse(&values).hides(name)
    }

    #[test]
    fn the_last_line_that_names_a_ref_decides() {
        for (values, name, expected) in [
            (&["refs/notes"][..], VERDICTS, true),
            (&["refs/notes/"], "refs/notes/tinyci*", true),
            (&["refs/notes//"], RECORD_LIKE, true),
            (&["refs/note"], VERDICTS, false),
            (&["refs/notes/tinyci"], VERDICTS, false),
            (&["refs/notes/tinyci"], "refs/notes/tinyci*", false),
            (&[VERDICTS], "refs/notes/tinyci*", false),
            (&[VERDICTS], VERDICTS, true),
            (&["refs/notes", "!refs/notes/tinyci-result"], VERDICTS, false),
            (&["refs/notes", "!refs/notes/tinyci-x"], "refs/notes/tinyci*", false),
            (&["refs/notes", "!refs/notes/tinyci-x"], VERDICTS, true),
            (&["refs/notes", "!refs/notes/tinyci-result/x"], VERDICTS, false),
            (&["!refs/notes/tinyci-result", "refs/notes"], VERDICTS, true),
            (&["refs/notes", "!refs/notes/runs"], RECORDS, false),
            (&["refs", "!refs/heads", "!refs/tags"], DEPLOYS, true),
            (&["^refs/tinyci", "!^refs/tinyci/deployments/x"], DEPLOYS, false),
            (&["refs/tinyci", "!refs/tinyci/approvals"], DEPLOYS, true),
            (&["refs/tinyci", "!refs/tinyci/approvals"], BASELINE, true),
            (&["refs/tinyci", "!refs"], BASELINE, false),
            (&[], VERDICTS, false),
        ] {
            assert_eq!(hides(values, name), expected, "{values:?} {name}");
        }
    }

    #[test]
    fn what_is_written_by_tinyci_is_known_in_any_letters() {
        for path in [
            "refs",
            "refs/notes",
            "refs/notes/runs",
            "refs/notes/Runs/x",
            "refs/notes/TinyCI-x",
            "refs/notes/tinyci",
            "refs/notes/remotes",
            "refs/tinyci",
            "refs/tinyci/baseline/x",
            "refs/tinyci/deployments",
        ] {
            assert!(is_written_by_tinyci(path), "{path}");
        }
        for path in
            ["refs/notes/commits", "refs/notes/run", "refs/tinyci/approvals/x", "refs/heads"]
        {
            assert!(!is_written_by_tinyci(path), "{path}");
        }
    }
}
