//! Which attributes a path has: those of the exported tree itself and of `info/attributes`, never
//! of the machine. `gix-attributes` parses and matches; what git does beside that is here.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use gix_attributes::{
    Search, StateRef,
    glob::pattern::Case,
    search::{MetadataCollection, Outcome},
};

use crate::model::error::{Error, ErrorKind};

/// git reads neither longer lines nor larger files of attributes.
const LINE_BYTES_MAX: usize = 2048;
const FILE_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The attributes that an export heeds, in the order of [`Assigned`]'s fields.
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

/// What a path is given for one attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Unspecified,
    Set,
    Unset,
    Value(Vec<u8>),
}

/// What a path is given for every attribute that an export heeds.
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

/// The files of attributes in force where the walk is: the built-in macro, those of the folders
/// from the root down, and `info/attributes` above all.
pub(super) struct Attributes {
    /// Built-in and tree, in rising precedence.
    tree: Search,
    info: Search,
    known: MetadataCollection,
    outcome: Outcome,
    case: Case,
    /// How many files there are beside the built-in macro. Without any, nothing is looked up.
    files: usize,
}

impl Attributes {
    /// The attributes of a repository before its tree is entered.
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
        attributes.learn();
        Ok(attributes)
    }

    /// Adds the `.gitattributes` of a folder that the walk enters; only the root's defines macros.
    pub(super) fn enter(&mut self, folder: &[u8], bytes: &[u8]) -> Result<(), Error> {
        let source = Path::new(OsStr::from_bytes(folder)).join(".gitattributes");
        let (bytes, is_root) = (readable(bytes), folder.is_empty());
        let (root, known) = (Some(Path::new("")), &mut self.known);
        let added = self.tree.add_patterns_buffer(&bytes, source.clone(), root, known, is_root);
        added.map_err(|error| unusable(&format!("`{}`", source.display()), error))?;
        self.files += 1;
        self.learn();
        Ok(())
    }

    /// Takes away what [`enter`](Self::enter) added last.
    pub(super) fn leave(&mut self) {
        self.tree.pop_pattern_list();
        self.files -= 1;
    }

    /// What this path is given. None where no file of attributes is in force.
    pub(super) fn of(&mut self, path: &[u8], is_folder: bool) -> Option<Assigned> {
        if self.files == 0 {
            return None;
        }
        self.outcome.reset();
        for search in [&self.info, &self.tree] {
            if !self.outcome.is_done() {
                let (path, is_folder) = (path.into(), Some(is_folder));
                let outcome = &mut self.outcome;
                search.pattern_matching_relative_path(path, self.case, is_folder, outcome);
            }
        }
        let mut states = self.outcome.iter_selected().map(|found| match found.assignment.state {
            StateRef::Unspecified => State::Unspecified,
            StateRef::Set => State::Set,
            StateRef::Unset => State::Unset,
            StateRef::Value(value) => State::Value(value.as_bstr().to_vec()),
        });
        let mut next = || states.next().unwrap_or_default();
        // Fields are evaluated in the order in which they are written.
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

    /// The outcome must know every name that any file has mentioned.
    fn learn(&mut self) {
        self.outcome = Outcome::default();
        self.outcome.initialize_with_selection(&self.known, NAMES);
    }
}

/// The part of a file of attributes that git reads.
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
    fn long_lines_and_files_are_passed_over_as_in_git() {
        let long = format!("*.{} text\n", "a".repeat(LINE_BYTES_MAX));
        let fits = format!("*.{} text\n", "a".repeat(LINE_BYTES_MAX - 8));
        let kept = format!("* ident\n{fits}");
        assert_eq!(readable(format!("{long}{kept}").as_bytes()), kept.as_bytes());
        assert!(readable(&vec![b'#'; FILE_BYTES_MAX]).is_empty());
    }
}
