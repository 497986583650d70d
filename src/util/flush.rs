//! [`Flush`]: what tinyci flushes to the disk, by git's `core.fsync` and `core.fsyncMethod`.
//!
//! A rename can reach the disk before the contents of the renamed file. So tinyci flushes the file
//! before the rename, and the directory after it. After a power failure, the name then has the old
//! contents or the new ones, never a part of them.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::Path,
    thread,
};

use tempfile::NamedTempFile;

use crate::util::state_file;

/// The most flushes at the same time.
const AT_ONCE: usize = 8;

/// The components that `core.fsync` can name, and whether each includes loose objects and refs. tinyci
/// writes nothing else.
const COMPONENTS: [(&str, bool, bool); 12] = [
    ("loose-object", true, false),
    ("pack", false, false),
    ("pack-metadata", false, false),
    ("commit-graph", false, false),
    ("index", false, false),
    ("objects", true, false),
    ("reference", false, true),
    ("derived-metadata", false, false),
    ("committed", true, true),
    ("added", true, true),
    ("all", true, true),
    ("default", true, true),
];

/// The rule for flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flush {
    /// True for loose objects.
    objects: bool,
    /// True for refs, and for files of the state that must survive a power failure.
    references: bool,
    method: Method,
}

/// The way in which a file is flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// Flush to the disk. If there are several files, tinyci starts to write all of them first, as
    /// git does with `batch`.
    Fsync,
    /// Start to write, without waiting for the disk.
    WriteoutOnly,
}

impl Default for Flush {
    /// Flushes everything. By default, git does not flush loose objects, because a user can push them
    /// again. A verdict has no second copy.
    fn default() -> Self {
        Self { objects: true, references: true, method: Method::Fsync }
    }
}

impl Flush {
    /// Reads the values of `core.fsync`, `core.fsyncMethod` and `core.fsyncObjectFiles` as git does.
    /// Ignores unknown words, as git does.
    pub(crate) fn parse(
        components: Option<&str>,
        method: Option<&str>,
        object_files: Option<bool>,
    ) -> Self {
        let mut flush = components.map_or_else(Self::default, Self::of_components);
        flush.objects |= object_files == Some(true);
        if method == Some("writeout-only") {
            flush.method = Method::WriteoutOnly;
        }
        flush
    }

    /// Parses a list of components, which adds to the default and removes from it.
    fn of_components(list: &str) -> Self {
        let mut base = (true, true);
        let (mut added, mut removed) = ((false, false), (false, false));
        for word in list.split(',').map(|word| word.trim_start_matches([' ', '\t', '\n', '\r'])) {
            if word == "none" {
                base = (false, false);
                continue;
            }
            let (is_removed, name) = match word.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, word),
            };
            // git accepts a prefix of a name.
            let meant = |known: &str| !name.is_empty() && known.starts_with(name);
            for (_, objects, references) in COMPONENTS.iter().filter(|known| meant(known.0)) {
                let changed = if is_removed { &mut removed } else { &mut added };
                changed.0 |= objects;
                changed.1 |= references;
            }
        }
        let decided = |base: bool, added: bool, removed: bool| (base && !removed) || added;
        Self {
            objects: decided(base.0, added.0, removed.0),
            references: decided(base.1, added.1, removed.1),
            method: Method::Fsync,
        }
    }

    /// Flushes these objects together.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn objects(self, files: &[File]) -> io::Result<()> {
        if !self.objects {
            return Ok(());
        }
        // Start all writes first, so that the waits overlap.
        if files.len() > 1 {
            files.iter().for_each(start);
        }
        at_once(files, |file| self.file(file))
    }

    /// Flushes the directories of objects together. Ignores those that no longer exist.
    ///
    /// # Errors
    ///
    /// Those of the system, with the directory.
    pub(crate) fn object_dirs<'dir>(
        self,
        dirs: &[&'dir Path],
    ) -> Result<(), (&'dir Path, io::Error)> {
        if !self.objects {
            return Ok(());
        }
        at_once(dirs, |dir| match self.dir(dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err((*dir, error)),
            _ => Ok(()),
        })
    }

    /// Flushes a ref or a file of the state.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn state(self, file: &File) -> io::Result<()> {
        if self.references { self.file(file) } else { Ok(()) }
    }

    /// Flushes the directory of a ref or of the state, after a name in it has changed.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn state_dir(self, dir: &Path) -> io::Result<()> {
        if self.references { self.dir(dir) } else { Ok(()) }
    }

    /// Renames a file of the state to its final path, with flushes.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn persist(self, file: NamedTempFile, path: &Path) -> io::Result<()> {
        self.state(file.as_file())?;
        file.persist(path)?;
        self.state_dir(path.parent().unwrap_or(path))
    }

    fn file(self, file: &File) -> io::Result<()> {
        match self.method {
            Method::Fsync => possible(file.sync_all()),
            Method::WriteoutOnly => {
                start(file);
                Ok(())
            }
        }
    }

    fn dir(self, dir: &Path) -> io::Result<()> {
        match self.method {
            Method::Fsync => possible(state_file::open_dir(dir).and_then(|dir| dir.sync_all())),
            // A directory has no contents to write out.
            Method::WriteoutOnly => Ok(()),
        }
    }
}

/// Calls `flush` for all items, some at the same time. File systems write their journal once for all
/// flushes that wait for it.
fn at_once<T: Sync, E: Send>(
    items: &[T],
    flush: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let flush = &flush;
    items.chunks(AT_ONCE).try_for_each(|chunk| {
        thread::scope(|scope| {
            let (own, others) = chunk.split_at(chunk.len().min(1));
            let start = |item| thread::Builder::new().spawn_scoped(scope, move || flush(item));
            let started: Vec<_> = others.iter().map(|item| (item, start(item))).collect();
            let flushed = own.iter().try_for_each(flush);
            started.into_iter().fold(flushed, |before, (item, thread)| {
                // If no thread could be started or finished, this one flushes the item.
                let flushed = thread.ok().and_then(|thread| thread.join().ok());
                before.and(flushed.unwrap_or_else(|| flush(item)))
            })
        })
    })
}

/// Makes the system start to write a file to the disk. Does not wait.
fn start(file: &File) {
    // Other systems have no such call. The flush itself is enough.
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// Ignores the errors of a flush that is not possible: some file systems cannot flush directories, and
/// an unreadable directory cannot be opened.
fn possible(flushed: io::Result<()>) -> io::Result<()> {
    match flushed {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        flushed => flushed,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Mutex};

    use super::*;
    use crate::util::lock::lock;

    #[test]
    fn the_list_of_components_is_read_as_git_reads_it() {
        for (list, objects, references) in [
            ("", true, true),
            ("default", true, true),
            ("none", false, false),
            ("none,reference", false, true),
            ("none, loose-object", true, false),
            ("-loose-object", false, true),
            ("committed,-loose-object", true, true),
            ("-committed", false, false),
            ("-reference,pack,index", true, false),
            ("all,-all", true, true),
            ("none,added", true, true),
            ("none,objects", true, false),
            ("none,derived-metadata,commit-graph", false, false),
            ("none,ref", false, true),
            ("nonsense", true, true),
            ("reference,none", false, true),
        ] {
            let flush = Flush::parse(Some(list), None, None);
            assert_eq!((flush.objects, flush.references), (objects, references), "{list:?}");
        }
    }

    #[test]
    fn the_method_and_the_old_key_are_read_too() {
        let read = |list, method, old| Flush::parse(list, method, old);
        assert_eq!(read(None, None, None), Flush::default());
        assert_eq!(read(None, Some("batch"), Some(false)), Flush::default());
        assert_eq!(read(None, Some("writeout-only"), None).method, Method::WriteoutOnly);
        assert!(read(Some("none"), None, Some(true)).objects);
        assert!(!read(Some("none"), None, Some(false)).objects);
    }

    #[test]
    fn a_directory_and_a_file_are_flushed_by_each_method() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("file")).unwrap();
        for method in [None, Some("writeout-only")] {
            let flush = Flush::parse(None, method, None);
            flush.objects(&[file.try_clone().unwrap(), file.try_clone().unwrap()]).unwrap();
            flush.state_dir(dir.path()).unwrap();
        }
        assert!(Flush::default().state_dir(&dir.path().join("absent")).is_err());
    }

    #[test]
    fn all_items_are_flushed_and_any_error_is_returned() {
        for length in 0..30 {
            let items: Vec<usize> = (0..length).collect();
            let flushed = Mutex::new(BTreeSet::new());
            let flush = |item: &usize| {
                lock(&flushed).insert(*item);
                Ok::<_, usize>(())
            };
            at_once(&items, flush).unwrap();
            assert_eq!(lock(&flushed).len(), length);
            for wrong in &items {
                let flush = |item: &usize| if item == wrong { Err(*item) } else { Ok(()) };
                assert_eq!(at_once(&items, flush), Err(*wrong));
            }
        }
    }
}
