//! Paths below the export in a config: whether they stay inside it in the commit's tree, and what
//! they refer to.

use std::path::PathBuf;

use crate::model::{
    error::Error,
    pipeline::stays_below,
    step::{Denied, TreeEntry},
};

/// Maximum number of links that are followed, as on Linux.
const LINKS_MAX: usize = 40;

/// Returns the path unchanged, if neither it nor a link in the commit's tree leads out of the
/// export. Files that steps created are not checked.
///
/// `entry` returns the entry of the tree at a path.
pub(super) fn below_export(
    path: &str,
    entry: &dyn Fn(&str) -> Result<TreeEntry, Error>,
) -> Result<PathBuf, Denied> {
    let found = resolve_in_tree(path, entry).map_err(Denied::Fault)?;
    found.map(|_| PathBuf::from(path)).ok_or_else(|| leads_out(path))
}

/// The entry that a path refers to in a commit's tree, with links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The entry at the path. If an earlier part of the path is not a directory, the entry of that
    /// part.
    pub(super) entry: TreeEntry,
    /// The path without links.
    pub(super) path: String,
    /// True if the path continues after an entry that is not a directory, so that it refers to
    /// nothing.
    pub(super) continues: bool,
}

/// Returns the entry of a commit's tree at a path. `None` if the path leads out of the tree.
pub(super) fn resolve_in_tree(
    path: &str,
    entry: &dyn Fn(&str) -> Result<TreeEntry, Error>,
) -> Result<Option<Resolved>, Error> {
    if !stays_below(path) {
        return Ok(None);
    }
    // `rest` contains the remaining parts, the next one last. `done` is the path walked so far.
    let mut rest: Vec<String> = parts(path);
    let mut done: Vec<String> = Vec::new();
    let (mut found, mut links, mut continues) = (TreeEntry::Directory, 0, false);
    while let Some(part) = rest.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." if done.pop().is_none() => return Ok(None),
            ".." => continue,
            _ => done.push(part),
        }
        match entry(&done.join("/"))? {
            TreeEntry::Link(target) => {
                links += 1;
                if links > LINKS_MAX || target.starts_with('/') {
                    return Ok(None);
                }
                done.pop();
                rest.extend(parts(&target));
            }
            other if found == TreeEntry::Directory => found = other,
            // The walk continues, because the rest of the path may lead out of the tree.
            _ => continues = true,
        }
    }
    Ok(Some(Resolved { entry: found, path: done.join("/"), continues }))
}

/// Splits a path into its parts, in reverse order.
fn parts(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}

fn leads_out(path: &str) -> Denied {
    Denied::refused(format!("`{path}` is outside of the export directory; write a path inside it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(path: &str) -> bool {
        let entry = |path: &str| {
            Ok(match path {
                "out" => TreeEntry::Link("/etc".into()),
                "up" | "a/up" => TreeEntry::Link("..".into()),
                "in" => TreeEntry::Link("a/b".into()),
                "around" => TreeEntry::Link("a/../a/./up/../..".into()),
                "loop" => TreeEntry::Link("loop".into()),
                "a/chain" => TreeEntry::Link("../out".into()),
                _ => TreeEntry::Unknown,
            })
        };
        below_export(path, &entry).is_ok()
    }

    #[test]
    fn links_are_followed_to_what_they_lead_to() {
        let entry = |path: &str| {
            Ok(match path {
                "in" => TreeEntry::Link("a/b".into()),
                "to-file" | "a/to-file" => TreeEntry::Link("./in/../file".into()),
                "nowhere" => TreeEntry::Link("a/none".into()),
                "a" | "a/b" => TreeEntry::Directory,
                "file" | "a/file" | "file/x" => TreeEntry::File,
                _ => TreeEntry::Absent,
            })
        };
        for (path, expected) in [
            (".", TreeEntry::Directory),
            ("a/./b/", TreeEntry::Directory),
            ("in", TreeEntry::Directory),
            ("in/c", TreeEntry::Absent),
            ("to-file", TreeEntry::File),
            ("to-file/x", TreeEntry::File),
            ("nowhere", TreeEntry::Absent),
            ("nowhere/file", TreeEntry::Absent),
        ] {
            let found = resolve_in_tree(path, &entry).ok().flatten().map(|found| found.entry);
            assert_eq!(found, Some(expected), "{path}");
        }
        assert_eq!(resolve_in_tree("file/../..", &entry).ok(), Some(None));
        let past_file = resolve_in_tree("to-file/x", &entry).ok().flatten();
        assert_eq!(
            past_file.map(|it| (it.path, it.continues)),
            Some(("a/file/x".to_owned(), true))
        );
    }

    #[test]
    fn what_leads_out_is_refused_whichever_way_it_does() {
        for good in [".", "a", "a/./b", "in", "in/c", "a/up", "a/up/a"] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "",
            "/etc",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            "out",
            "out/x",
            "up",
            "up/x",
            "around",
            "loop",
            "a/chain",
            "a/up/up",
            "a\0",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }
}
