//! The texts with which git describes a commit: raw text, abbreviated ids, decorations, mailmapped
//! names. `export-subst` uses them and must produce exactly git's output.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

use crate::repo::{
    history::walk,
    refs::lookup::peeled,
    repository::{Repo, git_error, id_bytes, oid},
};
use crate::{
    model::{
        commit::CommitId,
        error::{Error, ErrorKind},
    },
    util::hex,
};

/// A commit as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct CommitText {
    /// The id of its tree.
    pub(crate) tree: [u8; 20],
    /// The ids of its parents, in git's order; none at the border of a shallow clone.
    pub(crate) parents: Vec<[u8; 20]>,
    /// The lines before the message.
    pub(crate) header: Vec<u8>,
    /// The message, up to its first NUL.
    pub(crate) message: Vec<u8>,
}

/// A ref that points to a commit. The order of the variants is git's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoration {
    /// HEAD itself and the branch that it names, if it names a ref.
    Head(Option<Vec<u8>>),
    /// A tag, or any ref that names a tag object: the full name.
    Tag(Vec<u8>),
    /// Any other ref: the full name.
    Ref(Vec<u8>),
}

/// git's minimum length of an abbreviated id, unless `core.abbrev` sets a smaller one.
const ABBREVIATION_DIGITS_MIN: usize = 7;
const ID_DIGITS: usize = 40;

impl Repo {
    /// Returns the commit as it is stored.
    pub(crate) fn commit_text(&self, id: CommitId) -> Result<CommitText, Error> {
        let commit = walk::find_commit(&self.git, oid(id)?)?;
        Ok(CommitText {
            tree: id_bytes(commit.tree_id())?,
            parents: commit.parent_ids().into_iter().map(id_bytes).collect::<Result<_, _>>()?,
            header: commit.header().to_vec(),
            message: commit.raw_message().to_vec(),
        })
    }

    /// What cannot be read of a commit, in a sentence; none of most.
    pub(crate) fn malformed_fields(&self, id: CommitId) -> Option<String> {
        let fields = walk::find_commit(&self.git, oid(id).ok()?).ok()?.unreadable();
        let short = id.short();
        (!fields.is_empty())
            .then(|| format!("commit {short} is malformed: cannot read {}", fields.join(" and ")))
    }

    /// Returns the id as git abbreviates it: unique, and long enough for the number of objects.
    ///
    /// Returns `None` if the number of objects that git assumes cannot be computed.
    pub(crate) fn abbreviate(&self, id: &[u8; 20]) -> Result<Option<String>, Error> {
        let digits = hex::encode(id);
        let Some(mut length) = self.abbreviation_length()? else { return Ok(None) };
        let fail = |source| git_error(format!("cannot abbreviate {digits}"), source);
        let oid = git2::Oid::from_bytes(id).map_err(fail)?;
        let odb = self.git.odb().map_err(fail)?;
        while length < ID_DIGITS {
            match odb.exists_prefix(oid, length) {
                Ok(found) if found == oid => break,
                Err(error) if error.code() == git2::ErrorCode::NotFound => break,
                Ok(_) => {}
                Err(error) if error.code() == git2::ErrorCode::Ambiguous => {}
                Err(error) => return Err(fail(error)),
            }
            length += 1;
        }
        Ok(Some(digits.chars().take(length).collect()))
    }

    /// Returns `core.abbrev`, or the length that git computes from the number of packed objects.
    fn abbreviation_length(&self) -> Result<Option<usize>, Error> {
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(|source| git_error("cannot read git's config", source))?;
        match config.get_str("core.abbrev") {
            Err(_) => {}
            Ok(value) if value.eq_ignore_ascii_case("auto") => {}
            Ok(value) if ["no", "off", "false"].contains(&&*value.to_ascii_lowercase()) => {
                return Ok(Some(ID_DIGITS));
            }
            Ok(_) => {
                let length = config.get_i32("core.abbrev").ok().and_then(|n| n.try_into().ok());
                return Ok(length.filter(|n| (4..=ID_DIGITS).contains(n)));
            }
        }
        let objects = self.common_dir().join("objects");
        if objects.join("info/alternates").exists() {
            return Ok(None);
        }
        let counts = packed_counts(&objects.join("pack"))?;
        let most = automatic_length(counts.iter().sum());
        // A multi-pack index counts each object once, even if several packs contain it. The number
        // is then between the largest pack and the sum. Both nearly always lead to the same length.
        let least = match objects.join("pack/multi-pack-index").exists() {
            true => automatic_length(counts.into_iter().max().unwrap_or(0)),
            false => most,
        };
        Ok((least == most).then_some(most))
    }

    /// Returns the refs that point to this commit in the order of `git log --decorate`: HEAD first,
    /// then the names in reverse.
    pub(crate) fn decorations(&self, id: CommitId) -> Result<Vec<Decoration>, Error> {
        let fail = |source| git_error(format!("cannot list the refs of {id}"), source);
        let oid = git2::Oid::from_bytes(id.as_bytes()).map_err(fail)?;
        let mut refs = Vec::new();
        for reference in self.git.references().map_err(fail)? {
            let Ok(reference) = reference else { continue };
            let name = reference.name_bytes().to_vec();
            let Ok(resolved) = reference.resolve() else { continue };
            let Some(target) = resolved.target() else { continue };
            if name.starts_with(b"refs/replace/") {
                continue;
            }
            if target == oid {
                let is_tag = name.starts_with(b"refs/tags/");
                refs.push(if is_tag { Decoration::Tag(name) } else { Decoration::Ref(name) });
            } else if peeled(&self.git, target).is_ok_and(|commit| commit == Some(oid)) {
                refs.push(Decoration::Tag(name));
            }
        }
        refs.sort_by(|one, other| other.name().cmp(one.name()));
        let Ok(head) = self.git.find_reference("HEAD") else { return Ok(refs) };
        if head.resolve().is_ok_and(|head| head.target() == Some(oid)) {
            let branch = head.symbolic_target_bytes().map(<[u8]>::to_vec);
            let branch = branch.filter(|branch| branch.starts_with(b"refs/heads/"));
            refs.retain(|decoration| branch.as_deref() != Some(decoration.name()));
            refs.insert(0, Decoration::Head(branch));
        }
        Ok(refs)
    }

    /// Returns name and address as the repository's mailmap maps them.
    ///
    /// Returns `None` if libgit2 cannot map them: it supports neither empty names nor encodings
    /// other than UTF-8.
    pub(crate) fn mailmapped(&self, name: &[u8], email: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (name_text, email_text) = (str::from_utf8(name).ok()?, str::from_utf8(email).ok()?);
        let time = git2::Time::new(0, 0);
        let given = git2::Signature::new(name_text, email_text, &time).ok()?;
        let mapped = self.git.mailmap().ok()?.resolve_signature(&given).ok()?;
        // libgit2 trims punctuation off a name. So a name that the mailmap does not change stays as
        // it was.
        let pick = |given: &[u8], mapped: &[u8], original: &[u8]| {
            if given == mapped { original.to_vec() } else { mapped.to_vec() }
        };
        Some((
            pick(given.name_bytes(), mapped.name_bytes(), name),
            pick(given.email_bytes(), mapped.email_bytes(), email),
        ))
    }
}

impl Decoration {
    fn name(&self) -> &[u8] {
        match self {
            Self::Head(_) => b"HEAD",
            Self::Tag(name) | Self::Ref(name) => name,
        }
    }
}

/// Returns the number of objects in each pack of the directory, from the last entry of each index's
/// fan-out table.
fn packed_counts(folder: &Path) -> Result<Vec<u64>, Error> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut counts = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::io("list", folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "idx")
            && path.with_extension("pack").exists()
        {
            let count = pack_count(&path).map_err(|error| {
                let message = format!("cannot read the pack index `{}`", path.display());
                Error::new(ErrorKind::Git, message).with_path(&path).with_source(error)
            })?;
            counts.push(u64::from(count));
        }
    }
    Ok(counts)
}

fn pack_count(index: &Path) -> std::io::Result<u32> {
    const LAST: u64 = 255 * 4;
    let file = File::open(index)?;
    let mut four = [0; 4];
    file.read_exact_at(&mut four, 0)?;
    // An index of version 2 begins with a magic number and the version; version 1 with the table.
    let table = if &four == b"\xfftOc" { 8 } else { 0 };
    file.read_exact_at(&mut four, table + LAST)?;
    Ok(u32::from_be_bytes(four))
}

/// 2^n objects collide by chance in n/2 bits of their ids, so git uses twice as many, rounded up.
fn automatic_length(objects: u64) -> usize {
    let bits = objects.max(1).ilog2() as usize + 1;
    bits.div_ceil(2).max(ABBREVIATION_DIGITS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn the_length_grows_with_the_objects() {
        for (objects, digits) in [(0, 7), (16_383, 7), (16_384, 8), (65_536, 9), (11_000_000, 12)] {
            assert_eq!(automatic_length(objects), digits, "{objects}");
        }
    }

    #[test]
    fn ids_are_abbreviated_as_git_does() {
        let test = TestRepo::new();
        for n in 0..300 {
            test.write(&format!("{n}"), format!("{n}"));
        }
        let commit = test.commit("one");
        let tree = test.git(&["rev-parse", "HEAD^{tree}"]);
        for setting in ["auto", "4", "13", "no"] {
            test.git(&["config", "core.abbrev", setting]);
            let repo = Repo::open(test.path()).unwrap();
            for id in [&commit, &tree] {
                let bytes = *id.parse::<CommitId>().unwrap().as_bytes();
                let expected = test.git(&["rev-parse", "--short", id]);
                assert_eq!(repo.abbreviate(&bytes).unwrap(), Some(expected), "{setting}");
            }
        }
        test.git(&["gc", "-q"]);
        let repo = Repo::open(test.path()).unwrap();
        assert_eq!(packed_counts(&repo.common_dir().join("objects/pack")).unwrap(), [302]);
    }
}
