//! [`Walk`]: writes a commit's tree, one entry at a time.

use std::{
    borrow::Cow,
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    vec,
};

use rustix::io::Errno;

use super::checkout::{ExportOptions, Exported};
use crate::{
    export::{
        attributes::{Assigned, Attributes, State},
        conversion::Conversion,
        directory::{Directory, Identity},
        entry::{Kind, check},
        placeholder::Placeholders,
        warning::{ExportWarning, Warnings, show},
    },
    model::{
        commit::{CommitId, TreeId},
        error::{Error, ErrorKind},
        work_limits::WorkLimits,
    },
    repo::{Conversions, Objects, Repo, TreeEntry},
};

/// The default of git's `core.maxTreeDepth`.
const DEPTH_MAX: usize = 2048;

/// The most files and directories of an export. The largest repositories have half as many.
const ENTRIES_MAX: u64 = 1_000_000;

/// The number of bytes to write between two checks of the limits.
const PIECE_BYTES: usize = 1024 * 1024;

/// The minimum size in bytes of a file that is streamed, if it needs no conversion.
const STREAMED_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// A directory that the walk is in.
struct Level {
    /// The identity of the directory, to verify it on the way back.
    identity: Identity,
    /// The entries that are still to be written.
    entries: vec::IntoIter<TreeEntry>,
    /// The length of its path in bytes.
    path_length: usize,
    /// True if it has a `.gitattributes` file.
    has_attributes: bool,
    /// The number of entries visited before it.
    visited_before: u64,
}

/// An export in progress.
pub(super) struct Walk<'a> {
    repo: &'a Repo,
    objects: Objects<'a>,
    commit: CommitId,
    target: &'a Path,
    options: &'a ExportOptions,
    limits: &'a WorkLimits,
    settings: Conversions,
    attributes: Attributes,
    /// Created when the first file needs it.
    placeholders: Option<Placeholders<'a>>,
    warnings: Warnings,
    directory: Directory,
    levels: Vec<Level>,
    /// The path of the current entry, relative to the target.
    path: Vec<u8>,
    /// The number of entries, including directories.
    entries: u64,
    /// The number of entries visited, not counting directories.
    visited: u64,
    files: u64,
    bytes: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        repo: &'a Repo,
        commit: CommitId,
        target: &'a Path,
        directory: Directory,
        options: &'a ExportOptions,
        limits: &'a WorkLimits,
    ) -> Result<Self, Error> {
        let settings = repo.conversions()?;
        let info = repo.info_attributes()?;
        Ok(Self {
            repo,
            objects: repo.objects()?,
            commit,
            target,
            options,
            limits,
            settings,
            attributes: Attributes::new(info.as_deref(), settings.ignore_case)?,
            placeholders: None,
            warnings: Warnings::default(),
            directory,
            levels: Vec::new(),
            path: Vec::new(),
            entries: 0,
            visited: 0,
            files: 0,
            bytes: 0,
        })
    }

    /// Writes the whole tree.
    pub(super) fn run(mut self) -> Result<Exported, Error> {
        self.check_limits()?;
        self.enter(self.repo.commit_tree(self.commit)?)?;
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path_length);
            match level.entries.next() {
                Some(entry) => self.entry(&entry)?,
                None => self.leave()?,
            }
        }
        let warnings = self.warnings.into_sentences();
        Ok(Exported { files: self.files, bytes: self.bytes, warnings })
    }

    /// Starts with a tree, whose directory is open.
    fn enter(&mut self, tree: TreeId) -> Result<(), Error> {
        let entries = self.objects.tree(tree).map_err(|error| self.unreadable(&error))?;
        let attributes = entries.iter().find(|entry| entry.name == b".gitattributes");
        // git also reads attributes from the target of a symbolic link.
        let attributes = attributes.filter(|attributes| {
            matches!(check(attributes, &self.path), Ok(Kind::File { .. } | Kind::Link))
        });
        if let Some(attributes) = attributes {
            let contents =
                self.objects.blob(attributes.id).map_err(|error| self.unreadable(&error))?;
            self.attributes.enter(&self.path, contents.bytes())?;
        }
        self.levels.push(Level {
            identity: self.directory.identity(),
            has_attributes: attributes.is_some(),
            entries: entries.into_iter(),
            path_length: self.path.len(),
            visited_before: self.visited,
        });
        Ok(())
    }

    /// Finishes the current tree and returns to the parent. Removes an empty directory, because an
    /// archive does not contain it.
    fn leave(&mut self) -> Result<(), Error> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        if level.has_attributes {
            self.attributes.leave();
        }
        let Some(parent) = self.levels.last() else { return Ok(()) };
        let name = self.path.get(parent.path_length..).unwrap_or_default();
        let name = name.strip_prefix(b"/").unwrap_or(name);
        let back = self.directory.parent(parent.identity).and_then(|directory| {
            if self.visited == level.visited_before {
                directory.remove_directory(name)?;
            }
            Ok(directory)
        });
        self.directory = back.map_err(|error| self.unwritable("finish", error))?;
        Ok(())
    }

    fn entry(&mut self, entry: &TreeEntry) -> Result<(), Error> {
        self.check_limits()?;
        let checked = check(entry, &self.path);
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(&entry.name);
        self.count()?;
        let kind = checked.map_err(|refusal| self.refused(&refusal.to_string()))?;
        let is_directory = matches!(kind, Kind::Directory | Kind::Submodule);
        let assigned = self.attributes.of(&self.path, is_directory);
        let ignore = assigned.as_ref().map(|assigned| &assigned.export_ignore);
        if self.options.export_ignore && ignore == Some(&State::Set) {
            // An archive contains a directory even if all its files are left out.
            self.visited += u64::from(kind != Kind::Directory);
            return Ok(());
        }
        match kind {
            Kind::File { executable } => self.file(entry, executable, assigned.as_ref())?,
            Kind::Link => self.link(entry)?,
            Kind::Submodule => {
                let created = self.directory.make(&entry.name);
                created.map_err(|error| self.unwritable("create the directory", error))?;
            }
            Kind::Directory => return self.directory(entry),
        }
        self.visited += 1;
        Ok(())
    }

    fn directory(&mut self, entry: &TreeEntry) -> Result<(), Error> {
        if self.levels.len() >= DEPTH_MAX {
            return Err(self.refused(&format!("is nested more than {DEPTH_MAX} directories deep")));
        }
        let created = self.directory.make(&entry.name);
        self.directory = created.map_err(|error| self.unwritable("create the directory", error))?;
        self.enter(TreeId::from_bytes(entry.id))
    }

    fn link(&mut self, entry: &TreeEntry) -> Result<(), Error> {
        let text = self.objects.blob(entry.id).map_err(|error| self.unreadable(&error))?;
        if text.bytes().is_empty() || text.bytes().contains(&0) {
            return Err(self.refused("is a symbolic link with an empty or invalid target"));
        }
        let created = self.directory.link(&entry.name, text.bytes());
        created.map_err(|error| self.unwritable("create the link", error))?;
        self.files += 1;
        Ok(())
    }

    fn file(
        &mut self,
        entry: &TreeEntry,
        executable: bool,
        assigned: Option<&Assigned>,
    ) -> Result<(), Error> {
        let fills_placeholders =
            assigned.is_some_and(|assigned| assigned.export_subst == State::Set);
        let (conversion, ignored) = Conversion::of(assigned, &self.settings);
        let file = self.directory.file(&entry.name, executable);
        let mut file = file.map_err(|error| self.unwritable("create the file", error))?;
        self.files += 1;
        ignored.into_iter().for_each(|ignored| self.warnings.add(&self.path, ignored));
        if let Some((reader, size)) = self.objects.large_blob(entry.id, STREAMED_BYTES_MIN)
            && self.is_unchanged(&conversion, fills_placeholders, size)
        {
            self.bytes += self.copy(reader, &mut file)?;
            return Ok(());
        }
        self.write_whole(&mut file, entry.id, &conversion, fills_placeholders)
    }

    /// Returns true if the file needs no change. Like git, does not convert big files unless they
    /// must be in memory anyway.
    fn is_unchanged(&self, conversion: &Conversion, fills_placeholders: bool, size: u64) -> bool {
        !fills_placeholders && (conversion.is_none() || size > self.settings.big_file_bytes)
    }

    /// Writes a file whose contents are in memory.
    fn write_whole(
        &mut self,
        file: &mut impl Write,
        id: [u8; 20],
        conversion: &Conversion,
        fills_placeholders: bool,
    ) -> Result<(), Error> {
        let blob = self.objects.blob(id).map_err(|error| self.unreadable(&error))?;
        let mut contents = Cow::Borrowed(blob.bytes());
        if !self.is_unchanged(conversion, fills_placeholders, contents.len() as u64) {
            let (converted, is_encoded) = conversion.apply(blob.bytes(), id);
            if !is_encoded {
                self.warnings.add(&self.path, ExportWarning::Unencodable);
            }
            contents = converted;
        }
        if fills_placeholders {
            let placeholders = match self.placeholders.take() {
                Some(placeholders) => placeholders,
                None => Placeholders::new(self.repo, self.commit)?,
            };
            let placeholders = self.placeholders.insert(placeholders);
            let (warnings, path) = (&mut self.warnings, &self.path);
            let unsupported =
                |text: &[u8]| warnings.add(path, ExportWarning::Placeholder(text.to_vec()));
            contents = placeholders.fill(&contents, unsupported)?.into();
        }
        self.write(file, &contents)?;
        self.bytes += contents.len() as u64;
        Ok(())
    }

    fn write(&self, file: &mut impl Write, contents: &[u8]) -> Result<(), Error> {
        for piece in contents.chunks(PIECE_BYTES) {
            self.check_limits()?;
            file.write_all(piece).map_err(|error| self.unwritable("write", error))?;
        }
        Ok(())
    }

    /// Copies a stream to the file and returns its length in bytes.
    fn copy(&self, mut from: impl Read, file: &mut impl Write) -> Result<u64, Error> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut total = 0;
        loop {
            self.check_limits()?;
            let length = from.read(&mut piece).map_err(|error| {
                let message = format!("cannot read `{}` of {}", show(&self.path), self.commit);
                Error::new(ErrorKind::Git, message).with_source(error)
            })?;
            let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
                return Ok(total);
            };
            file.write_all(read).map_err(|error| self.unwritable("write", error))?;
            total += length as u64;
        }
    }

    fn check_limits(&self) -> Result<(), Error> {
        self.limits.check(|| format!("the export of {}", self.commit))
    }

    /// Counts an entry. A tree that contains itself many times is small, but its export has no end.
    fn count(&mut self) -> Result<(), Error> {
        self.entries += 1;
        if self.entries <= ENTRIES_MAX {
            return Ok(());
        }
        Err(self.refused(&format!(
            "comes after {ENTRIES_MAX} other files and directories, and an export cannot have more"
        )))
    }

    /// Creates an error for an entry that must not be written. `what` is the end of the sentence.
    fn refused(&self, what: &str) -> Error {
        let message = format!("cannot export {}: `{}` {what}", self.commit, show(&self.path));
        Error::new(ErrorKind::Git, message).with_commit_at_fault()
    }

    /// Creates an error for git data of the current path that cannot be read.
    fn unreadable(&self, error: &Error) -> Error {
        let path = if self.path.is_empty() { "/".to_owned() } else { show(&self.path) };
        let message = format!("cannot export `{path}` of {}: {}", self.commit, error.report());
        let said = Error::new(ErrorKind::Git, message);
        if error.is_fault_of_commit() { said.with_commit_at_fault() } else { said }
    }

    /// Creates an error of the file system for the current path. If a file already exists, the tree
    /// has two entries with this name, because the target was empty.
    fn unwritable(&self, what: &str, error: io::Error) -> Error {
        match Errno::from_io_error(&error) {
            Some(Errno::EXIST) => {
                return self.refused("has the same name as another entry on this file system");
            }
            Some(Errno::NAMETOOLONG) => {
                return self.refused("is longer than this file system allows");
            }
            Some(Errno::ILSEQ) => return self.refused("has a name that this file system refuses"),
            _ => {}
        }
        let path: PathBuf = self.target.join(OsStr::from_bytes(&self.path));
        Error::io(what, &path, error)
    }
}
