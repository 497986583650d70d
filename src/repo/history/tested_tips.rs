//! The file `tested-tips`: tips without pending ancestors, so that a scan reads only new commits.
//!
//! The file is a cache. If it is unreadable or does not match the repository, the scan ignores it.
//! If it cannot be written, the next scan takes longer.

use std::{io::Write, path::Path};

use git2::{ErrorCode, Oid, Repository};

use crate::repo::{
    notes::{note_index::notes_removed, notes_ref::Notes},
    objects::pipeline_file::FORMATS,
};
use crate::util::state_file;
use crate::util::{header::is_newer_file, sharing::Sharing};

const HEADER: &str = "tinyci tested-tips 1";

/// The state of the repository for which the cached tips are valid.
///
/// The selected refs are not part of it. Whether a commit has a verdict, a config or is under the
/// baseline does not depend on the refs that reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::repo) struct CacheKey {
    /// The commit of the verdicts' notes ref.
    pub(in crate::repo) notes: Option<Oid>,
    /// The commit of the baseline's ref.
    pub(in crate::repo) baseline: Option<Oid>,
    /// The hash of the files that make a clone shallow or graft its history. After a clone is
    /// deepened, the tips have ancestors that no scan has read.
    pub(in crate::repo) edges: Oid,
}

/// Tips whose ancestors, themselves included, are tested, have no config, or are under the
/// baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::repo) struct TestedTips {
    pub(in crate::repo) cache_key: CacheKey,
    /// The tips, sorted by id.
    pub(in crate::repo) tips: Vec<Oid>,
}

impl TestedTips {
    /// Reads the file, or returns `None` if it is missing, unreadable or has another form.
    pub(in crate::repo) fn read(path: &Path) -> Option<Self> {
        let text = state_file::read_text(path).ok()?;
        // A file without this last line is truncated.
        let mut lines = text.strip_suffix("end\n")?.lines();
        if lines.next()? != HEADER || lines.next()? != formats() {
            return None;
        }
        let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
        let cache_key = CacheKey {
            notes: optional(value("notes")?)?,
            baseline: optional(value("baseline")?)?,
            edges: full_id(value("edges")?)?,
        };
        let tips = lines.map(|line| full_id(line.strip_prefix("tip ")?));
        Some(Self { cache_key, tips: tips.collect::<Option<_>>()? })
    }

    /// Writes the file atomically. Does not replace a file of a newer version.
    pub(in crate::repo) fn write(&self, path: &Path, sharing: Sharing) -> std::io::Result<()> {
        if is_newer_file(path, HEADER) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(path);
        sharing.create_dir_all(folder)?;
        let mut file = sharing.new_file_in(folder)?;
        file.write_all(self.text().as_bytes())?;
        file.persist(path)?;
        Ok(())
    }

    fn text(&self) -> String {
        let shown = |id: Option<Oid>| id.map_or("none".to_owned(), |id| id.to_string());
        let CacheKey { notes, baseline, edges } = &self.cache_key;
        let (notes, baseline, formats) = (shown(*notes), shown(*baseline), formats());
        let head =
            format!("{HEADER}\n{formats}\nnotes {notes}\nbaseline {baseline}\nedges {edges}\n");
        let tips = self.tips.iter().map(|tip| format!("tip {tip}\n"));
        std::iter::once(head).chain(tips).chain(["end\n".to_owned()]).collect()
    }

    /// Returns true if the tips may still be hidden: since then, notes were only added or changed.
    ///
    /// A removed note makes its commit pending again, and that commit may be anywhere below the
    /// tips.
    pub(in crate::repo) fn is_valid(
        &self,
        git: &Repository,
        notes: &Notes<'_>,
        now: &CacheKey,
    ) -> bool {
        let is_same_history =
            self.cache_key.baseline == now.baseline && self.cache_key.edges == now.edges;
        let notes_kept = match (self.cache_key.notes, now.notes) {
            (before, after) if before == after => true,
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(after)) => none_removed(notes, before, after),
        };
        let are_there = |odb: git2::Odb<'_>| self.tips.iter().all(|tip| odb.exists(*tip));
        is_same_history && notes_kept && git.odb().is_ok_and(are_there)
    }
}

/// Returns true if no note was removed; false also if one of the commits cannot be read.
fn none_removed(notes: &Notes<'_>, before: Oid, after: Oid) -> bool {
    let tree = |commit| notes.tree_at(Some(commit)).ok();
    let (Some(before), Some(after)) = (tree(before), tree(after)) else { return false };
    notes_removed(&before, &after).is_ok_and(|removed| removed.is_empty())
}

/// Returns the hash of the files that make this repository shallow or graft its history.
pub(in crate::repo) fn edges(git: &Repository) -> Result<Oid, git2::Error> {
    let files = ["shallow", "info/grafts"].map(|name| git.commondir().join(name));
    let mut bytes = Vec::new();
    for file in files {
        match state_file::read_foreign(&file) {
            Ok(text) => bytes.extend(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", file.display());
                return Err(git2::Error::new(
                    ErrorCode::GenericError,
                    git2::ErrorClass::Os,
                    message,
                ));
            }
        }
        bytes.push(0);
    }
    Oid::hash_object(git2::ObjectType::Blob, &bytes)
}

/// Returns the known config names. A later version may know more, so its cache is not valid here.
fn formats() -> String {
    format!("configs {}", FORMATS.map(|format| format.file_name()).join(" "))
}

fn optional(text: &str) -> Option<Option<Oid>> {
    if text == "none" { Some(None) } else { full_id(text).map(Some) }
}

/// Parses a full id. git2 also accepts short ids and fills them with zeros.
fn full_id(text: &str) -> Option<Oid> {
    (text.len() == 40).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_file_round_trips_and_anything_else_is_absent() {
        let id = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap();
        let cache_key = CacheKey { notes: Some(id("a")), baseline: None, edges: id("b") };
        let cached = TestedTips { cache_key, tips: vec![id("1"), id("2")] };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tinyci/tested-tips");
        assert_eq!(TestedTips::read(&path), None);
        cached.write(&path, Sharing::default()).unwrap();
        assert_eq!(TestedTips::read(&path), Some(cached.clone()));
        cached.write(&path, Sharing::default()).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

        let text = cached.text();
        for cut in 0..text.len() {
            fs::write(&path, &text[..cut]).unwrap();
            assert_eq!(TestedTips::read(&path), None, "{cut}");
        }
        let changed = [
            text.replace("tested-tips 1", "tested-tips 2"),
            text.replace(".tinyci.yml", ".other"),
            text.replace("tip 1", "tip x"),
            text.replace(&"a".repeat(40), "aaaa"),
        ];
        for text in changed {
            fs::write(&path, &text).unwrap();
            assert_eq!(TestedTips::read(&path), None, "{text}");
        }
    }
}
