//! Finds the builds that links of deploy scripts lead into, in the directories of `tinyci.pin`.
//!
//! This file resolves links itself, because the system call returns only the final target. A link
//! may lead through one build into another, and its target may be packed.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use super::layout::Workspace;
use crate::model::error::{Error, ErrorKind};
use crate::model::stored_names::builds;

/// The maximum number of links on a path, as in Linux.
const LINKS_MAX: usize = 40;

/// A build that a link leads into: the first directory below `builds/` on the path, or its archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    /// The name of the build directory.
    pub(crate) build: String,
    /// The next name on the path, usually that of an export.
    pub(crate) part: Option<String>,
    /// The path of the link.
    pub(crate) link: PathBuf,
}

impl Workspace {
    /// Returns the builds that the links in these directories lead into, also through other links.
    /// A directory that is itself a link into a build, or is inside a build, pins that build.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) with the directory or link that cannot be read, because it may lead
    /// into any build.
    pub(crate) fn pins(&self, dirs: &[PathBuf]) -> Result<Vec<Pin>, Error> {
        let Ok(builds) = fs::metadata(self.builds_dir()) else { return Ok(Vec::new()) };
        let builds = DirId::of(&builds);
        let mut pins = Vec::new();
        for dir in dirs {
            let mut follow = |link: PathBuf| {
                pins.extend(builds_on_path(&link, builds)?);
                Ok(())
            };
            follow_links_in(dir, &mut follow).map_err(|source| unreadable(dir, source))?;
        }
        Ok(pins)
    }
}

fn follow_links_in(
    dir: &Path,
    follow: &mut dyn FnMut(PathBuf) -> io::Result<()>,
) -> io::Result<()> {
    follow(dir.to_path_buf())?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() => follow(entry.path())?,
            // The entry is being replaced. The next call sees the new one.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn unreadable(dir: &Path, source: io::Error) -> Error {
    let message = format!(
        "refusing to pack or remove builds: cannot read the links in `{}` of `tinyci.pin`",
        dir.display()
    );
    let hint = "make it readable, or `git config --unset-all tinyci.pin`";
    Error::new(ErrorKind::Io, message).with_path(dir).with_source(source).with_hint(hint)
}

/// Returns a pin for each build that the path of this link leads into.
///
/// A path may end at a missing file, because the target may be packed. A circular link leads into
/// no build.
fn builds_on_path(link: &Path, builds: DirId) -> io::Result<Vec<Pin>> {
    let path = std::path::absolute(link)?;
    let mut left: VecDeque<PathPart> = parts(&path).collect();
    let (mut current, mut links, mut pins) = (PathBuf::new(), 0, Vec::new());
    while let Some(part) = left.pop_front() {
        let name = match part {
            PathPart::Root => {
                current = PathBuf::from("/");
                continue;
            }
            PathPart::Parent => {
                current.pop();
                continue;
            }
            PathPart::Name(name) => name,
        };
        let next = current.join(&name);
        let is_in_builds = || fs::metadata(&current).is_ok_and(|it| DirId::of(&it) == builds);
        if let Some(name) = name.to_str().filter(|_| is_in_builds()) {
            let part = match left.front() {
                Some(PathPart::Name(part)) => part.to_str().map(str::to_owned),
                _ => None,
            };
            let build = name.strip_suffix(builds::ARCHIVE).unwrap_or(name).to_owned();
            pins.push(Pin { build, part, link: link.to_path_buf() });
        }
        match fs::read_link(&next) {
            Ok(target) if links < LINKS_MAX => {
                links += 1;
                parts(&target).rev().for_each(|part| left.push_front(part));
            }
            Ok(_) => break,
            Err(error) if is_not_link(&error) => current = next,
            Err(error) => return Err(error),
        }
    }
    Ok(pins)
}

/// Returns true if this error says that the path is not a link.
fn is_not_link(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), InvalidInput | NotADirectory | NotFound)
}

/// The identity of a directory, which does not depend on its path.
#[derive(Clone, Copy, PartialEq, Eq)]
struct DirId {
    device: u64,
    inode: u64,
}

impl DirId {
    fn of(dir: &fs::Metadata) -> Self {
        Self { device: dir.dev(), inode: dir.ino() }
    }
}

/// One part of a path.
enum PathPart {
    Root,
    Parent,
    Name(OsString),
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = PathPart> {
    path.components().filter_map(|part| match part {
        Component::RootDir | Component::Prefix(_) => Some(PathPart::Root),
        Component::ParentDir => Some(PathPart::Parent),
        Component::Normal(name) => Some(PathPart::Name(name.to_owned())),
        Component::CurDir => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Fixture {
        dir: tempfile::TempDir,
    }

    impl Fixture {
        /// Makes the builds `1_a` and `2_b` (directories) and `3_c` (packed), and an empty
        /// directory `links`.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for made in ["builds/1_a/export/public", "builds/2_b/export", "links", "else"] {
                fs::create_dir_all(dir.path().join(made)).unwrap();
            }
            fs::write(dir.path().join("builds/3_c.tar.gz"), "").unwrap();
            Self { dir }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn link(&self, name: &str, target: impl AsRef<Path>) -> &Self {
            symlink(target, self.path(name)).unwrap();
            self
        }

        fn pins_of(&self, dirs: &[&str]) -> Result<Vec<String>, Error> {
            let builds = self.path("builds");
            let workspace = Workspace::new(self.dir.path(), Some(&builds), self.dir.path());
            let dirs: Vec<PathBuf> = dirs.iter().map(|dir| self.path(dir)).collect();
            let mut found: Vec<String> =
                workspace.pins(&dirs)?.into_iter().map(|pin| pin.build).collect();
            found.sort();
            Ok(found)
        }

        fn pins(&self) -> Vec<String> {
            self.pins_of(&["links"]).unwrap()
        }
    }

    #[test]
    fn a_link_of_any_kind_pins_what_it_leads_into() {
        for (target, expected) in [
            ("../builds/1_a/export", "1_a"),
            ("../builds/1_a", "1_a"),
            ("../builds/1_a/export/public/index.html", "1_a"),
            (".././links/../builds//2_b/export/", "2_b"),
            // If the build is packed or missing, its archive counts as the build.
            ("../builds/3_c/export", "3_c"),
            ("../builds/3_c.tar.gz", "3_c"),
            ("../builds/4_d/export", "4_d"),
        ] {
            let fixture = Fixture::new();
            fixture.link("links/current", target);
            assert_eq!(fixture.pins(), [expected], "{target}");
        }
        let fixture = Fixture::new();
        fixture.link("links/current", fixture.path("builds/2_b/export"));
        assert_eq!(fixture.pins(), ["2_b"], "an absolute one");
        for target in ["../else", "../builds", "nowhere", "../builds/../else/1_a", "/"] {
            let fixture = Fixture::new();
            fixture.link("links/current", target);
            assert!(fixture.pins().is_empty(), "{target}");
        }
    }

    #[test]
    fn every_fixture_on_a_chain_counts() {
        let fixture = Fixture::new();
        fixture.link("links/current", "../else/releases/5/public");
        fixture.link("else/releases", "../builds/1_a/export");
        fixture.link("builds/1_a/export/5", "../../2_b/export");
        assert_eq!(fixture.pins(), ["1_a", "2_b"]);

        // The builds directory counts under any name.
        let fixture = Fixture::new();
        fixture.link("else/stuff", "../builds").link("links/current", "../else/stuff/1_a/export");
        assert_eq!(fixture.pins(), ["1_a"]);

        // A link with the name of a build counts, and so does its target.
        let fixture = Fixture::new();
        fixture.link("builds/5_e", "2_b").link("links/current", "../builds/5_e/export");
        assert_eq!(fixture.pins(), ["2_b", "5_e"]);
    }

    #[test]
    fn a_circle_leads_nowhere_and_files_and_folders_are_no_links() {
        let fixture = Fixture::new();
        fixture.link("links/a", "b").link("links/b", "a").link("links/self", "self/x");
        fs::write(fixture.path("links/file"), "").unwrap();
        fs::create_dir_all(fixture.path("links/builds/1_a/export")).unwrap();
        assert!(fixture.pins().is_empty());
    }

    #[test]
    fn the_folder_may_be_a_link_itself_and_there_may_be_many() {
        let fixture = Fixture::new();
        fixture.link("current", "builds/1_a/export").link("links/next", "../builds/2_b");
        assert_eq!(fixture.pins_of(&["current", "links"]).unwrap(), ["1_a", "2_b"]);
        assert!(fixture.pins_of(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_an_error_and_not_nothing() {
        let fixture = Fixture::new();
        fs::write(fixture.path("file"), "").unwrap();
        fixture.link("dangling", "nowhere").link("circle", "circle");
        for dir in ["gone", "file", "dangling", "circle"] {
            let error = fixture.pins_of(&["links", dir]).unwrap_err();
            let text = error.report();
            assert_eq!(error.kind(), ErrorKind::Io, "{dir}: {text}");
            assert!(text.contains("tinyci.pin") && text.contains(dir), "{text}");
        }
    }
}
