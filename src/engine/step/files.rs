//! `exists` and `read`: the files of the commit, as its tree contains them. Changes that commands
//! make in the export are not visible, so a plan gets the same answers.

use super::paths::{Resolved, resolve_in_tree};
use crate::model::step::{Denied, Lookups, TreeEntry};

pub(super) fn exists(path: &str, lookups: &dyn Lookups) -> Result<bool, Denied> {
    let found = find(path, lookups)?;
    Ok(!found.continues && matches!(found.entry, TreeEntry::Directory | TreeEntry::File))
}

pub(super) fn read(path: &str, lookups: &dyn Lookups) -> Result<String, Denied> {
    let found = find(path, lookups)?;
    match found.entry {
        TreeEntry::File if !found.continues => {}
        TreeEntry::Directory => {
            return Err(Denied::refused(format!(
                "cannot read `{path}`: it is a directory or submodule, not a file"
            )));
        }
        _ => {
            return Err(Denied::refused(format!(
                "the commit has no file `{path}`; to read a file that a command made, write \
                 `capture([\"cat\", {path:?}])`"
            )));
        }
    }
    let bytes = lookups.tree_file(&found.path).map_err(Denied::of_machinery)?;
    let refused = |why: &str| {
        Denied::refused(format!(
            "cannot read `{path}` of the commit: {why}; use a command such as `sh([\"cat\", \
             {path:?}])`"
        ))
    };
    let bytes = bytes.ok_or_else(|| refused("it is larger than 1 MiB"))?;
    String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8"))
}

fn find(path: &str, lookups: &dyn Lookups) -> Result<Resolved, Denied> {
    let found =
        resolve_in_tree(path, &|path| lookups.known_entry(path)).map_err(Denied::of_machinery)?;
    found.ok_or_else(|| {
        Denied::refused(format!(
            "`{path}` is outside of the commit; write a path relative to the root of the repository"
        ))
    })
}
