//! Paths that a config names below the export: whether they stay there in a commit's tree, and what
//! they lead to.

use std::path::PathBuf;

use crate::model::{
    error::Error,
    pipeline::stays_below,
    step::{Denied, TreeEntry},
};

/// How many links are followed. Linux follows no more either.
const LINKS_MAX: usize = 40;

/// Returns a path below the export as it is written, if neither it nor a link in the commit's tree
/// leads out. What the steps of a job put there is theirs, and not looked at.
///
/// `entry` says what the tree has at a path.
pub(super) fn below_export(
    below: &str,
    entry: &dyn Fn(&str) -> Result<TreeEntry, Error>,
) -> Result<PathBuf, Denied> {
    let found = in_tree(below, entry).map_err(Denied::Fault)?;
    found.map(|_| PathBuf::from(below)).ok_or_else(|| leads_out(below))
}

/// What a path leads to in a commit's tree, with links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What stands there; if something else than a directory stands on the way, that.
    pub(super) entry: TreeEntry,
    /// The path without links.
    pub(super) path: String,
    /// True if the path goes on behind what is not a directory, where there is nothing.
    pub(super) goes_on: bool,
}

/// What a commit's tree has at a path; none if it leads out.
pub(super) fn in_tree(
    below: &str,
    entry: &dyn Fn(&str) -> Result<TreeEntry, Error>,
) -> Result<Option<Found>, Error> {
    if !stays_below(below) {
        return Ok(None);
    }
    // What is still to be walked, its next part last, and where the walk stands.
    let mut rest: Vec<String> = parts(below);
    let mut done: Vec<String> = Vec::new();
    let (mut found, mut links, mut goes_on) = (TreeEntry::Directory, 0, false);
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
            here if found == TreeEntry::Directory => found = here,
            // The path may yet lead out.
            _ => goes_on = true,
        }
    }
    Ok(Some(Found { entry: found, path: done.join("/"), goes_on }))
}

/// The parts of a path, the first one last.
fn parts(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}

fn leads_out(below: &str) -> Denied {
    Denied::refused(format!("`{below}` is outside of the export directory; write a path inside it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(below: &str) -> bool {
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
        below_export(below, &entry).is_ok()
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
        for (below, expected) in [
            (".", TreeEntry::Directory),
            ("a/./b/", TreeEntry::Directory),
            ("in", TreeEntry::Directory),
            ("in/c", TreeEntry::Absent),
            ("to-file", TreeEntry::File),
            ("to-file/x", TreeEntry::File),
            ("nowhere", TreeEntry::Absent),
            ("nowhere/file", TreeEntry::Absent),
        ] {
            let found = in_tree(below, &entry).ok().flatten().map(|found| found.entry);
            assert_eq!(found, Some(expected), "{below}");
        }
        assert_eq!(in_tree("file/../..", &entry).ok(), Some(None));
        let behind = in_tree("to-file/x", &entry).ok().flatten();
        assert_eq!(behind.map(|it| (it.path, it.goes_on)), Some(("a/file/x".to_owned(), true)));
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
