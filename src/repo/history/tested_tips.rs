//! The file `tested-tips`: tips below which nothing is due, so that a scan looks at new commits only.
//!
//! It is a cache and may only ever cost time: what cannot be read, or does not fit the repository
//! any more, counts as absent; what cannot be written is not there the next time.

use std::{fs, io::Write, path::Path};

use git2::{ErrorCode, Oid, Repository};

use crate::repo::{
    notes::{note_index::notes_removed, notes_ref::Notes},
    objects::pipeline_file::FORMATS,
};
use crate::util::{header::is_newer_file, sharing::Sharing};

const HEADER: &str = "tinyci tested-tips 1";

/// What the answer "nothing is due below" rests on.
///
/// The selected refs are not part of it: whether a commit is settled, unconfigured or baselined
/// does not depend on who reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::repo) struct CacheKey {
    /// The commit that the notes ref of the verdicts names.
    pub(in crate::repo) notes: Option<Oid>,
    /// The commit that the baseline's ref names.
    pub(in crate::repo) baseline: Option<Oid>,
    /// Stands for the files that cut history off or graft it: a clone that was deepened shows
    /// commits below the tips that nobody has looked at.
    pub(in crate::repo) edges: Oid,
}

/// Tips all of whose ancestors, themselves included, are settled, unconfigured or baselined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::repo) struct TestedTips {
    pub(in crate::repo) ground: CacheKey,
    /// In order of their ids.
    pub(in crate::repo) tips: Vec<Oid>,
}

impl TestedTips {
    /// Reads the file; none where it is missing, unreadable or not of this form.
    pub(in crate::repo) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        // Without its last line it was cut off.
        let mut lines = text.strip_suffix("end\n")?.lines();
        if lines.next()? != HEADER || lines.next()? != formats() {
            return None;
        }
        let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
        let ground = CacheKey {
            notes: optional(value("notes")?)?,
            baseline: optional(value("baseline")?)?,
            edges: full_id(value("edges")?)?,
        };
        let tips = lines.map(|line| full_id(line.strip_prefix("tip ")?));
        Some(Self { ground, tips: tips.collect::<Option<_>>()? })
    }

    /// Writes the file, whole or not at all. One of a newer version stays as it is.
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
        let CacheKey { notes, baseline, edges } = &self.ground;
        let (notes, baseline, formats) = (shown(*notes), shown(*baseline), formats());
        let head =
            format!("{HEADER}\n{formats}\nnotes {notes}\nbaseline {baseline}\nedges {edges}\n");
        let tips = self.tips.iter().map(|tip| format!("tip {tip}\n"));
        std::iter::once(head).chain(tips).chain(["end\n".to_owned()]).collect()
    }

    /// Whether the tips may still be hidden: nothing has changed since but notes added and
    /// rewritten.
    ///
    /// A note removed makes its commit due again, and it may lie anywhere.
    pub(in crate::repo) fn holds(
        &self,
        git: &Repository,
        notes: &Notes<'_>,
        now: &CacheKey,
    ) -> bool {
        let same = self.ground.baseline == now.baseline && self.ground.edges == now.edges;
        let notes_kept = match (self.ground.notes, now.notes) {
            (before, after) if before == after => true,
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(after)) => none_removed(notes, before, after),
        };
        let are_there = |odb: git2::Odb<'_>| self.tips.iter().all(|tip| odb.exists(*tip));
        same && notes_kept && git.odb().is_ok_and(are_there)
    }
}

/// A remembered notes commit that is gone, or cannot be read, says nothing.
fn none_removed(notes: &Notes<'_>, before: Oid, after: Oid) -> bool {
    let tree = |commit| notes.tree_at(Some(commit)).ok();
    let (Some(before), Some(after)) = (tree(before), tree(after)) else { return false };
    notes_removed(&before, &after).is_ok_and(|removed| removed.is_empty())
}

/// Stands for what cuts history off or grafts it in this repository.
pub(in crate::repo) fn edges(git: &Repository) -> Result<Oid, git2::Error> {
    let files = ["shallow", "info/grafts"].map(|name| git.commondir().join(name));
    let mut bytes = Vec::new();
    for file in files {
        match fs::read(&file) {
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

/// A commit without a config to one release may have one that a later release knows.
fn formats() -> String {
    format!("configs {}", FORMATS.map(|format| format.file_name()).join(" "))
}

fn optional(text: &str) -> Option<Option<Oid>> {
    if text == "none" { Some(None) } else { full_id(text).map(Some) }
}

/// git2 reads short ids too, filled with zeros.
fn full_id(text: &str) -> Option<Oid> {
    (text.len() == 40).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_round_trips_and_anything_else_is_absent() {
        let id = |digit: &str| digit.repeat(40).parse::<Oid>().unwrap();
        let ground = CacheKey { notes: Some(id("a")), baseline: None, edges: id("b") };
        let judged = TestedTips { ground, tips: vec![id("1"), id("2")] };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tinyci/tested-tips");
        assert_eq!(TestedTips::read(&path), None);
        judged.write(&path, Sharing::default()).unwrap();
        assert_eq!(TestedTips::read(&path), Some(judged.clone()));
        judged.write(&path, Sharing::default()).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

        let text = judged.text();
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
