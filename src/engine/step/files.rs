//! `exists` and `read`: the files of the commit, as its tree has them. What a command made or changed
//! in the export is not seen, so that a plan knows the answer too.

use super::paths::{Found, in_tree};
use crate::model::step::{Denied, Lookups, TreeEntry};

pub(super) fn exists(path: &str, lookups: &dyn Lookups) -> Result<bool, Denied> {
    let found = find(path, lookups)?;
    Ok(!found.goes_on && matches!(found.entry, TreeEntry::Directory | TreeEntry::File))
}

pub(super) fn read(path: &str, lookups: &dyn Lookups) -> Result<String, Denied> {
    let found = find(path, lookups)?;
    match found.entry {
        TreeEntry::File if !found.goes_on => {}
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
    let by_command = |why: &str| {
        Denied::refused(format!(
            "cannot read `{path}` of the commit: {why}; use a command such as `sh([\"cat\", \
             {path:?}])`"
        ))
    };
    let bytes = bytes.ok_or_else(|| by_command("it is larger than 1 MiB"))?;
    String::from_utf8(bytes).map_err(|_| by_command("it is not UTF-8"))
}

fn find(path: &str, lookups: &dyn Lookups) -> Result<Found, Denied> {
    let found = in_tree(path, &|path| lookups.known_entry(path)).map_err(Denied::of_machinery)?;
    found.ok_or_else(|| {
        Denied::refused(format!(
            "`{path}` is outside of the commit; write a path relative to the root of the repository"
        ))
    })
}
