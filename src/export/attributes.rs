//! The attributes of a path: from the exported tree and from `info/attributes`, never from the
//! machine's configuration. The crate `gix-attributes` parses and matches; this module adds git's
//! other rules.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use gix_attributes::{
    Search, StateRef,
    glob::pattern::Case,
    search::{MetadataCollection, Outcome},
};

use crate::model::error::{Error, ErrorKind};

/// git ignores longer lines and larger files of attributes.
const LINE_BYTES_MAX: usize = 2048;
const FILE_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The attributes that affect an export, in the order of the fields of [`Assigned`].
const NAMES: [&str; 8] = [
    "text",
    "crlf",
    "eol",
    "ident",
    "filter",
    "working-tree-encoding",
    "export-ignore",
    "export-subst",
];

/// The state of one attribute for a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Unspecified,
    Set,
    Unset,
    Value(Vec<u8>),
}

/// The states of all attributes that affect an export, for a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) text: State,
    pub(super) crlf: State,
    pub(super) eol: State,
    pub(super) ident: State,
    pub(super) filter: State,
    pub(super) encoding: State,
    pub(super) export_ignore: State,
    pub(super) export_subst: State,
}

/// The attribute files that apply to the current directory. They are the built-in macro, those from
/// the root down to the directory, and `info/attributes`, which has the highest precedence.
pub(super) struct Attributes {
    /// The built-in macro and the files of the tree, in rising precedence.
    tree: Search,
    info: Search,
    known: MetadataCollection,
    outcome: Outcome,
    case: Case,
    /// The number of files, without the built-in macro. If 0, lookups are not needed.
    files: usize,
}

impl Attributes {
    /// Creates the attributes of a repository, without those of the tree.
    pub(super) fn new(info: Option<&[u8]>, ignore_case: bool) -> Result<Self, Error> {
        let mut attributes = Self {
            tree: Search::default(),
            info: Search::default(),
            known: MetadataCollection::default(),
            outcome: Outcome::default(),
            case: if ignore_case { Case::Fold } else { Case::Sensitive },
            files: 0,
        };
        let builtin = b"[attr]binary -diff -merge -text";
        let known = &mut attributes.known;
        let added = attributes.tree.add_patterns_buffer(builtin, "".into(), None, known, true);
        added.map_err(|error| unusable("the built-in attributes", error))?;
        if let Some(info) = info {
            let bytes = readable(info);
            let known = &mut attributes.known;
            let added = attributes.info.add_patterns_buffer(&bytes, "".into(), None, known, true);
            added.map_err(|error| unusable("`info/attributes`", error))?;
            attributes.files = 1;
        }
        attributes.reset_outcome();
        Ok(attributes)
    }

    /// Adds the `.gitattributes` of a directory. Only the one of the root may define macros.
    pub(super) fn enter(&mut self, directory: &[u8], bytes: &[u8]) -> Result<(), Error> {
        let source = Path::new(OsStr::from_bytes(directory)).join(".gitattributes");
        let (bytes, is_root) = (readable(bytes), directory.is_empty());
        let (root, known) = (Some(Path::new("")), &mut self.known);
        let added = self.tree.add_patterns_buffer(&bytes, source.clone(), root, known, is_root);
        added.map_err(|error| unusable(&format!("`{}`", source.display()), error))?;
        self.files += 1;
        self.reset_outcome();
        Ok(())
    }

    /// Removes the file that [`enter`](Self::enter) added last.
    pub(super) fn leave(&mut self) {
        self.tree.pop_pattern_list();
        self.files -= 1;
    }

    /// Returns the attributes of this path. `None` if there are no attribute files.
    pub(super) fn of(&mut self, path: &[u8], is_directory: bool) -> Option<Assigned> {
        if self.files == 0 {
            return None;
        }
        self.outcome.reset();
        for search in [&self.info, &self.tree] {
            if !self.outcome.is_done() {
                let (path, is_directory) = (path.into(), Some(is_directory));
                let outcome = &mut self.outcome;
                search.pattern_matching_relative_path(path, self.case, is_directory, outcome);
            }
        }
        let mut states = self.outcome.iter_selected().map(|found| match found.assignment.state {
            StateRef::Unspecified => State::Unspecified,
            StateRef::Set => State::Set,
            StateRef::Unset => State::Unset,
            StateRef::Value(value) => State::Value(value.as_bstr().to_vec()),
        });
        let mut next = || states.next().unwrap_or_default();
        // Rust evaluates the fields in this order, which is that of `NAMES`.
        Some(Assigned {
            text: next(),
            crlf: next(),
            eol: next(),
            ident: next(),
            filter: next(),
            encoding: next(),
            export_ignore: next(),
            export_subst: next(),
        })
    }

    /// Resets the outcome, which must know all attribute names of all files.
    fn reset_outcome(&mut self) {
        self.outcome = Outcome::default();
        self.outcome.initialize_with_selection(&self.known, NAMES);
    }
}

/// Returns the parts of an attribute file that git does not ignore.
fn readable(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() >= FILE_BYTES_MAX {
        return Vec::new();
    }
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let end = |line: &[u8]| line.strip_suffix(b"\n").map_or(line.len(), <[u8]>::len);
    lines.filter(|line| end(line) < LINE_BYTES_MAX).collect::<Vec<_>>().concat()
}

fn unusable(what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Git, format!("cannot read {what}")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> State {
        State::Value(text.into())
    }

    #[test]
    fn nothing_is_looked_up_without_files() {
        let mut attributes = Attributes::new(None, false).unwrap();
        assert_eq!(attributes.of(b"a", false), None);
        attributes.enter(b"", b"* text").unwrap();
        assert_eq!(attributes.of(b"a", false).unwrap().text, State::Set);
        attributes.leave();
        assert_eq!(attributes.of(b"a", false), None);
    }

    #[test]
    fn deeper_files_win_and_info_wins_over_all() {
        let info = b"/a/deep/info.txt eol=crlf\n";
        let mut attributes = Attributes::new(Some(info), false).unwrap();
        attributes.enter(b"", b"* text=auto eol=lf ident\n*.bin binary\n").unwrap();
        attributes.enter(b"a/deep", b"*.txt -ident\n*.bin text\n[attr]own ident\n* own\n").unwrap();
        let info = attributes.of(b"a/deep/info.txt", false).unwrap();
        assert_eq!((info.eol, info.text), (value("crlf"), value("auto")));
        let text = attributes.of(b"a/deep/a.txt", false).unwrap();
        assert_eq!((text.eol, text.ident), (value("lf"), State::Unset));
        assert_eq!(attributes.of(b"a/deep/a.bin", false).unwrap().text, State::Set);
        assert_eq!(attributes.of(b"a/b.bin", false).unwrap().text, State::Unset);
    }

    #[test]
    fn long_lines_and_files_are_ignored_as_in_git() {
        let long = format!("*.{} text\n", "a".repeat(LINE_BYTES_MAX));
        let fits = format!("*.{} text\n", "a".repeat(LINE_BYTES_MAX - 8));
        let kept = format!("* ident\n{fits}");
        assert_eq!(readable(format!("{long}{kept}").as_bytes()), kept.as_bytes());
        assert!(readable(&vec![b'#'; FILE_BYTES_MAX]).is_empty());
    }
}
