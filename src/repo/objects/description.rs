//! What git says of a commit in words: its raw text, abbreviated ids, the refs that decorate it,
//! and names as a mailmap spells them. `export-subst` fills these in, exactly as git would.

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
    /// Its tree.
    pub(crate) tree: [u8; 20],
    /// Its parents, in git's order; none at the border of a shallow clone.
    pub(crate) parents: Vec<[u8; 20]>,
    /// The lines before the message.
    pub(crate) header: Vec<u8>,
    /// The message, up to its first NUL.
    pub(crate) message: Vec<u8>,
}

/// A ref that points at a commit, in the order in which git prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoration {
    /// HEAD itself and the branch that it names, if that is a ref.
    Head(Option<Vec<u8>>),
    /// A tag, or anything reached through a tag object: the full name.
    Tag(Vec<u8>),
    /// Any other ref: the full name.
    Ref(Vec<u8>),
}

/// git never abbreviates to less, unless told so.
const ABBREVIATION_DIGITS_MIN: usize = 7;
const ID_DIGITS: usize = 40;

impl Repo {
    /// The commit as it is stored.
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

    /// The id as git abbreviates it: long enough for the number of objects and unique among them.
    /// None where git's number of objects cannot be told.
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

    /// `core.abbrev`, or what git computes from the number of packed objects.
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
        // A multi-pack index counts an object once however many packs hold it: then the number
        // lies between the largest pack and the sum, which nearly always ask for one length.
        let least = match objects.join("pack/multi-pack-index").exists() {
            true => automatic_length(counts.into_iter().max().unwrap_or(0)),
            false => most,
        };
        Ok((least == most).then_some(most))
    }

    /// The refs that point at this commit, as `git log --decorate` lists them: HEAD first, then
    /// the names backwards.
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

    /// Name and address as the repository's mailmap spells them. None where libgit2 cannot tell:
    /// it knows no empty names and only UTF-8.
    pub(crate) fn mailmapped(&self, name: &[u8], email: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (name_text, email_text) = (str::from_utf8(name).ok()?, str::from_utf8(email).ok()?);
        let time = git2::Time::new(0, 0);
        let given = git2::Signature::new(name_text, email_text, &time).ok()?;
        let mapped = self.git.mailmap().ok()?.resolve_signature(&given).ok()?;
        // libgit2 trims punctuation off a name, so what the mailmap left alone stays as it was.
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

/// The number of objects in each pack of the folder, read from the last entry of the indices'
/// fan-out tables.
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
    // Version 2 begins with a mark and a version number; version 1 with the table itself.
    let table = if &four == b"\xfftOc" { 8 } else { 0 };
    file.read_exact_at(&mut four, table + LAST)?;
    Ok(u32::from_be_bytes(four))
}

/// Half the digits of 2^n objects collide by chance, so git takes n/2 bits' worth, rounded up.
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
