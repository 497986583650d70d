//! The walk: down a commit's tree, one entry at a time, writing as it goes.

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
        entry::{Kind, judge},
        folder::{Folder, Identity},
        placeholder::Placeholders,
        warning::{ExportWarning, Warnings, show},
    },
    model::{
        cancel::CancelView,
        commit::{CommitId, TreeId},
        error::{Error, ErrorKind},
    },
    repo::{Conversions, Objects, Repo, TreeEntry},
};

/// git's default of `core.maxTreeDepth`.
const DEPTH_MAX: usize = 2048;

/// How much of a file is written between two looks at the cancel level.
const PIECE_BYTES: usize = 1024 * 1024;

/// From this size on, a file that needs no conversion is streamed where that is possible.
const STREAMED_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// A folder that the walk is in.
struct Level {
    /// Which folder it is, to find back to it.
    identity: Identity,
    /// What is still to be written in it.
    entries: vec::IntoIter<TreeEntry>,
    /// The length of its path.
    path_length: usize,
    /// Whether it has attributes of its own.
    has_attributes: bool,
    /// How many entries were met before it.
    met_before: u64,
}

/// One export under way.
pub(super) struct Walk<'a> {
    repo: &'a Repo,
    objects: Objects<'a>,
    commit: CommitId,
    target: &'a Path,
    options: &'a ExportOptions,
    cancel: &'a CancelView,
    settings: Conversions,
    attributes: Attributes,
    /// Made when the first file asks for it.
    placeholders: Option<Placeholders<'a>>,
    warnings: Warnings,
    folder: Folder,
    levels: Vec<Level>,
    /// The path of the entry in hand, relative to the target.
    path: Vec<u8>,
    /// How many entries other than folders were met.
    met: u64,
    files: u64,
    bytes: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        repo: &'a Repo,
        commit: CommitId,
        (target, folder): (&'a Path, Folder),
        options: &'a ExportOptions,
        cancel: &'a CancelView,
    ) -> Result<Self, Error> {
        let settings = repo.conversions()?;
        let info = repo.info_attributes()?;
        Ok(Self {
            repo,
            objects: repo.objects()?,
            commit,
            target,
            options,
            cancel,
            settings,
            attributes: Attributes::new(info.as_deref(), settings.ignore_case)?,
            placeholders: None,
            warnings: Warnings::default(),
            folder,
            levels: Vec::new(),
            path: Vec::new(),
            met: 0,
            files: 0,
            bytes: 0,
        })
    }

    /// Writes the whole tree.
    pub(super) fn run(mut self) -> Result<Exported, Error> {
        self.look_at_cancel()?;
        self.enter(self.repo.commit_tree(self.commit)?)?;
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path_length);
            match level.entries.next() {
                Some(entry) => self.entry(&entry)?,
                None => self.leave()?,
            }
        }
        let warnings = self.warnings.into_texts();
        Ok(Exported { files: self.files, bytes: self.bytes, warnings })
    }

    /// Begins with a tree, whose folder is open.
    fn enter(&mut self, tree: TreeId) -> Result<(), Error> {
        let entries = self.objects.tree(tree).map_err(|error| self.unreadable(&error))?;
        let own = entries.iter().find(|entry| entry.name == b".gitattributes");
        // git reads even a link's text as attributes.
        let own = own.filter(|own| matches!(judge(own), Ok(Kind::File { .. } | Kind::Link)));
        if let Some(own) = own {
            let contents = self.objects.blob(own.id).map_err(|error| self.unreadable(&error))?;
            self.attributes.enter(&self.path, contents.bytes())?;
        }
        self.levels.push(Level {
            identity: self.folder.identity(),
            has_attributes: own.is_some(),
            entries: entries.into_iter(),
            path_length: self.path.len(),
            met_before: self.met,
        });
        Ok(())
    }

    /// Ends with the tree in hand and goes back up. As in an archive, a folder that holds nothing
    /// is not there.
    fn leave(&mut self) -> Result<(), Error> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        if level.has_attributes {
            self.attributes.leave();
        }
        let Some(parent) = self.levels.last() else { return Ok(()) };
        let name = self.path.get(parent.path_length..).unwrap_or_default();
        let name = name.strip_prefix(b"/").unwrap_or(name);
        let back = self.folder.parent(parent.identity).and_then(|folder| {
            if self.met == level.met_before {
                folder.remove_folder(name)?;
            }
            Ok(folder)
        });
        self.folder = back.map_err(|error| self.unwritable("finish", error))?;
        Ok(())
    }

    fn entry(&mut self, entry: &TreeEntry) -> Result<(), Error> {
        self.look_at_cancel()?;
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(&entry.name);
        let kind = judge(entry).map_err(|refusal| self.refused(&refusal.to_string()))?;
        let is_folder = matches!(kind, Kind::Folder | Kind::Submodule);
        let assigned = self.attributes.of(&self.path, is_folder);
        let ignore = assigned.as_ref().map(|assigned| &assigned.export_ignore);
        if self.options.honour_export_ignore && ignore == Some(&State::Set) {
            // In an archive, a folder of nothing but files left out is there all the same.
            self.met += u64::from(kind != Kind::Folder);
            return Ok(());
        }
        match kind {
            Kind::File { executable } => self.file(entry, executable, assigned.as_ref())?,
            Kind::Link => self.link(entry)?,
            Kind::Submodule => {
                let made = self.folder.make(&entry.name);
                made.map_err(|error| self.unwritable("create the directory", error))?;
            }
            Kind::Folder => return self.folder(entry),
        }
        self.met += 1;
        Ok(())
    }

    fn folder(&mut self, entry: &TreeEntry) -> Result<(), Error> {
        if self.levels.len() >= DEPTH_MAX {
            return Err(self.refused(&format!("is nested more than {DEPTH_MAX} directories deep")));
        }
        let made = self.folder.make(&entry.name);
        self.folder = made.map_err(|error| self.unwritable("create the directory", error))?;
        self.enter(TreeId::from_bytes(entry.id))
    }

    fn link(&mut self, entry: &TreeEntry) -> Result<(), Error> {
        let text = self.objects.blob(entry.id).map_err(|error| self.unreadable(&error))?;
        if text.bytes().is_empty() || text.bytes().contains(&0) {
            return Err(self.refused("is a symbolic link with an empty or invalid target"));
        }
        let made = self.folder.link(&entry.name, text.bytes());
        made.map_err(|error| self.unwritable("create the link", error))?;
        self.files += 1;
        Ok(())
    }

    fn file(
        &mut self,
        entry: &TreeEntry,
        executable: bool,
        assigned: Option<&Assigned>,
    ) -> Result<(), Error> {
        let fills = assigned.is_some_and(|assigned| assigned.export_subst == State::Set);
        let (conversion, undone) = Conversion::of(assigned, &self.settings);
        let file = self.folder.file(&entry.name, executable);
        let mut file = file.map_err(|error| self.unwritable("create the file", error))?;
        self.files += 1;
        undone.into_iter().for_each(|undone| self.warnings.add(&self.path, undone));
        if let Some((reader, size)) = self.objects.large_blob(entry.id, STREAMED_BYTES_MIN)
            && self.is_as_committed(&conversion, fills, size)
        {
            self.bytes += self.copy(reader, &mut file)?;
            return Ok(());
        }
        self.write_whole(&mut file, entry.id, &conversion, fills)
    }

    /// Like git, which converts no big file unless it has to be in memory anyway.
    fn is_as_committed(&self, conversion: &Conversion, fills: bool, size: u64) -> bool {
        !fills && (conversion.is_none() || size > self.settings.big_file_bytes)
    }

    /// Writes a file whose contents are in memory all at once.
    fn write_whole(
        &mut self,
        file: &mut impl Write,
        id: [u8; 20],
        conversion: &Conversion,
        fills: bool,
    ) -> Result<(), Error> {
        let blob = self.objects.blob(id).map_err(|error| self.unreadable(&error))?;
        let mut contents = Cow::Borrowed(blob.bytes());
        if !self.is_as_committed(conversion, fills, contents.len() as u64) {
            let (converted, is_encoded) = conversion.apply(blob.bytes(), id);
            if !is_encoded {
                self.warnings.add(&self.path, ExportWarning::Unencodable);
            }
            contents = converted;
        }
        if fills {
            let placeholders = match self.placeholders.take() {
                Some(made) => made,
                None => Placeholders::new(self.repo, self.commit)?,
            };
            let placeholders = self.placeholders.insert(placeholders);
            let (warnings, path) = (&mut self.warnings, &self.path);
            let unlisted =
                |text: &[u8]| warnings.add(path, ExportWarning::Placeholder(text.to_vec()));
            contents = placeholders.fill(&contents, unlisted)?.into();
        }
        self.write(file, &contents)?;
        self.bytes += contents.len() as u64;
        Ok(())
    }

    fn write(&self, file: &mut impl Write, contents: &[u8]) -> Result<(), Error> {
        for piece in contents.chunks(PIECE_BYTES) {
            self.look_at_cancel()?;
            file.write_all(piece).map_err(|error| self.unwritable("write", error))?;
        }
        Ok(())
    }

    /// Copies a stream to the file and returns its length in bytes.
    fn copy(&self, mut from: impl Read, file: &mut impl Write) -> Result<u64, Error> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut total = 0;
        loop {
            self.look_at_cancel()?;
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

    fn look_at_cancel(&self) -> Result<(), Error> {
        if !self.cancel.is_canceled() {
            return Ok(());
        }
        let message = format!("the export of {} was canceled", self.commit);
        Err(Error::new(ErrorKind::Canceled, message))
    }

    /// The tree holds something that is not written: `what` is the end of the sentence.
    fn refused(&self, what: &str) -> Error {
        let message = format!("cannot export {}: `{}` {what}", self.commit, show(&self.path));
        Error::new(ErrorKind::Git, message).with_commit_at_fault()
    }

    /// git's data for the path in hand cannot be read.
    fn unreadable(&self, error: &Error) -> Error {
        let path = if self.path.is_empty() { "/".to_owned() } else { show(&self.path) };
        let message = format!("cannot export `{path}` of {}: {}", self.commit, error.report());
        let said = Error::new(ErrorKind::Git, message);
        if error.is_fault_of_commit() { said.with_commit_at_fault() } else { said }
    }

    /// The file system refuses the path in hand. That something is there already can only come
    /// from the tree: the target was empty.
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
