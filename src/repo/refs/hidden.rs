//! Which refs tinyci reads, and who may write them: [`READ`] is the list, and [`HiddenRefs`] says what
//! git lets a push write.

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

/// Who writes a ref that tinyci reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// tinyci, or a fetch: its contents are believed.
    Tinyci,
    /// Anyone who can push: its contents are checked whenever they are read.
    Pusher,
}

/// Every ref that tinyci reads, besides those that people push to have them tested, and that clones
/// fetch. A name that ends in `/` is the beginning of several, one that ends in `*` of any others.
pub(crate) const READ: [(&str, Writer); 9] = [
    (VERDICTS, Writer::Tinyci),
    // `git log --notes='tinyci*'` shows all of them alike.
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

/// The refs that git lets no push write, by its rules: a path stands for itself and all below it,
/// and the last line that names a ref decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct HiddenRefs {
    rules: Vec<Rule>,
}

impl HiddenRefs {
    /// Reads values in git's order.
    pub(crate) fn parse(values: &[String]) -> Self {
        let rules = values.iter().map(|value| {
            let path = value.trim_end_matches('/');
            let (hides, path) = match path.strip_prefix('!') {
                Some(path) => (false, path),
                None => (true, path),
            };
            // `^` says that the namespace counts, which no push of a plain repository has.
            Rule { path: path.strip_prefix('^').unwrap_or(path).to_owned(), hides }
        });
        Self { rules: rules.collect() }
    }

    /// True if no push can write any ref of this name, as [`READ`] spells names.
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

    /// The paths that a line excepts from others.
    pub(crate) fn excepted(&self) -> Vec<String> {
        let excepted = self.rules.iter().filter(|rule| !rule.hides);
        excepted.map(|rule| rule.path.clone()).collect()
    }
}

/// Whether a path stands for every ref of this name.
fn covers(path: &str, name: &str) -> bool {
    let is_one = !name.ends_with(['/', '*']);
    let rest = name.trim_end_matches('*').strip_prefix(path);
    rest.is_some_and(|rest| rest.starts_with('/') || (rest.is_empty() && is_one))
}

/// Whether a path stands for any ref of this name.
fn touches(path: &str, name: &str) -> bool {
    let start = name.trim_end_matches('*');
    let below = if name.ends_with(['/', '*']) { path.strip_prefix(start) } else { None };
    below.is_some() || covers(path, name) || format!("{path}/").starts_with(&format!("{start}/"))
}

/// Whether a push to this path, or below it, could change what tinyci believes. Names in other
/// letters count too: some file systems do not tell them apart.
pub(crate) fn is_believed(path: &str) -> bool {
    let path = path.to_lowercase();
    let own = READ.iter().filter(|(_, writer)| *writer == Writer::Tinyci);
    own.into_iter().any(|(name, _)| touches(&path, name))
}

impl Repo {
    /// The notes refs of others: of programs and people that are not tinyci.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the refs cannot be listed.
    pub(crate) fn notes_of_others(&self) -> Result<Vec<String>, Error> {
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let mut found = Vec::new();
        for reference in self.git.references_glob(&format!("{NOTES}*")).map_err(unlisted)? {
            let reference = reference.map_err(unlisted)?;
            let name = reference.name().ok().filter(|name| !is_believed(name));
            found.extend(name.map(str::to_owned));
        }
        found.sort();
        Ok(found)
    }

    /// The notes refs that `--notes='tinyci*'` shows and that tinyci did not write: a word in one of
    /// them reads like a verdict.
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

/// Whether git takes this for the name of a ref.
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
    fn what_is_believed_is_known_in_any_letters() {
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
            assert!(is_believed(path), "{path}");
        }
        for path in
            ["refs/notes/commits", "refs/notes/run", "refs/tinyci/approvals/x", "refs/heads"]
        {
            assert!(!is_believed(path), "{path}");
        }
    }
}
