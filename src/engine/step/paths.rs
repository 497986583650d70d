//! Paths that a config names below the export: the one place that says whether they stay there.

use std::path::{Component, Path, PathBuf};

use crate::{
    error::Error,
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
    let path = Path::new(below);
    let stays =
        path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if below.is_empty() || !stays || below.contains('\0') {
        return Err(leads_out(below));
    }
    // What is still to be walked, its next part last, and where the walk stands.
    let mut rest: Vec<String> = parts(below);
    let mut done: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." if done.pop().is_none() => return Err(leads_out(below)),
            ".." => continue,
            _ => done.push(part),
        }
        let found = entry(&done.join("/")).map_err(Denied::Fault)?;
        let TreeEntry::Link(target) = found else { continue };
        links += 1;
        if links > LINKS_MAX || target.starts_with('/') {
            return Err(leads_out(below));
        }
        done.pop();
        rest.extend(parts(&target));
    }
    Ok(path.to_path_buf())
}

/// The parts of a path, the first one last.
fn parts(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}

fn leads_out(below: &str) -> Denied {
    Denied::refused(format!(
        "`{below}` leads out of the export, and a step never leaves the export: name something \
         below it"
    ))
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
