//! The file `refs`: what tinyci's refs named when it last read them, so that lost refs can be
//! restored. A fetch with `--prune`, a push with `--mirror` or a mistake deletes refs, and git
//! keeps no log of deleted refs.
//!
//! Only the owner of the right to move refs (`ref_lock_owner`) reads and writes it. A missing or
//! invalid file counts as empty.

use std::{collections::BTreeMap, io::Write, path::Path};

use git2::Oid;

use crate::model::error::Error;
use crate::model::stored_names::{
    refs::{BASELINE, DEPLOYS, RECORDS, VERDICTS},
    state,
};
use crate::repo::repository::Repo;
use crate::util::state_file;
use crate::util::{flush::Flush, header::is_newer_file, sharing::Sharing};

const HEADER: &str = "tinyci refs 1";

/// The number of earlier commits that are remembered for each ref. Their ancestors need not be,
/// because each commit names its parents.
const STATES: usize = 32;

/// The remembered refs, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::repo) struct RefMemory {
    pub(in crate::repo) refs: BTreeMap<String, Remembered>,
    /// The last time at which tinyci renewed the objects to protect them from `git gc`, in seconds
    /// since 1970.
    pub(in crate::repo) kept: i64,
}

/// The memory of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::repo) struct Remembered {
    /// The commit that the ref named.
    pub(in crate::repo) tip: Oid,
    /// Earlier commits that the ref no longer contains, because others moved it.
    pub(in crate::repo) lost: Vec<Oid>,
    /// Some of the commits that the ref named before `tip`, oldest first. They are used if `tip`
    /// cannot be read.
    pub(in crate::repo) before: Vec<Oid>,
    /// True if the ref was lost and restored, and no message has reported it yet.
    pub(in crate::repo) is_restored: bool,
}

impl Remembered {
    pub(in crate::repo) fn new(tip: Oid) -> Self {
        Self { tip, lost: Vec::new(), before: Vec::new(), is_restored: false }
    }

    /// Sets the commit that the ref names now, and adds the old one to `before`.
    pub(in crate::repo) fn moved_to(&mut self, tip: Oid) {
        if self.tip != tip {
            self.before.push(std::mem::replace(&mut self.tip, tip));
            let surplus = self.before.len().saturating_sub(STATES);
            self.before.drain(..surplus);
        }
    }
}

/// Returns true if a ref of this name is remembered: verdicts, records, the baseline and
/// deployments.
///
/// Fetched refs are not, because the next fetch restores them. Approvals are not, because you
/// revoke one by deleting its ref.
pub(in crate::repo) fn is_remembered(name: &str) -> bool {
    name.starts_with(DEPLOYS) || [VERDICTS, RECORDS, BASELINE].contains(&name)
}

impl Repo {
    /// Writes the memory. The inner error is that of the file: the old file then remains, which is
    /// harmless.
    pub(in crate::repo) fn write_memory(
        &self,
        memory: &RefMemory,
    ) -> Result<std::io::Result<()>, Error> {
        let how = (self.sharing()?, self.flush_rule()?);
        Ok(memory.write(self.common_dir(), how))
    }
}

impl RefMemory {
    /// Reads the file of this git directory.
    pub(in crate::repo) fn read(common_dir: &Path) -> Self {
        let text = state_file::read_text(&common_dir.join(state::DIR).join(state::REFS))
            .unwrap_or_default();
        Self::parse(&text).unwrap_or_default()
    }

    /// Writes the file atomically. Does not replace a file of a newer version.
    pub(in crate::repo) fn write(
        &self,
        common_dir: &Path,
        (sharing, flush): (Sharing, Flush),
    ) -> std::io::Result<()> {
        let folder = common_dir.join(state::DIR);
        if is_newer_file(&folder.join(state::REFS), HEADER) {
            return Ok(());
        }
        sharing.create_dir_all(&folder)?;
        let mut file = sharing.new_file_in(&folder)?;
        file.write_all(self.text().as_bytes())?;
        // The directory is not flushed. A power failure can bring back the memory before this one: then
        // tinyci learns the refs again, and can restore results that were just forgotten.
        flush.state(file.as_file())?;
        file.persist(folder.join(state::REFS))?;
        Ok(())
    }

    /// Remembers what a ref names now, and the previous commit too if the ref no longer contains
    /// it.
    pub(in crate::repo) fn learn(&mut self, name: &str, tip: Oid, contains: impl Fn(Oid) -> bool) {
        let known = self.refs.entry(name.to_owned()).or_insert_with(|| Remembered::new(tip));
        if known.tip != tip && !contains(known.tip) {
            known.lost.push(known.tip);
        }
        known.moved_to(tip);
    }

    fn parse(text: &str) -> Option<Self> {
        // A file without this last line is truncated.
        let mut lines = text.strip_suffix("end\n")?.lines();
        if lines.next()? != HEADER {
            return None;
        }
        let kept = lines.next()?.strip_prefix("kept ")?.parse().ok()?;
        let mut memory = Self { refs: BTreeMap::new(), kept };
        for line in lines {
            let (what, rest) = line.split_once(' ')?;
            let (id, name) = rest.split_once(' ')?;
            let id = (id.len() == 40).then(|| id.parse().ok())??;
            match what {
                "tip" => drop(memory.refs.insert(name.to_owned(), Remembered::new(id))),
                "before" => memory.refs.get_mut(name)?.before.push(id),
                "lost" => memory.refs.get_mut(name)?.lost.push(id),
                "restored" => memory.refs.get_mut(name)?.is_restored = true,
                _ => return None,
            }
        }
        Some(memory)
    }

    fn text(&self) -> String {
        let mut text = format!("{HEADER}\nkept {}\n", self.kept);
        for (name, known) in &self.refs {
            let mut line = |what: &str, id: Oid| text.push_str(&format!("{what} {id} {name}\n"));
            line("tip", known.tip);
            known.before.iter().for_each(|id| line("before", *id));
            known.lost.iter().for_each(|id| line("lost", *id));
            if known.is_restored {
                line("restored", known.tip);
            }
        }
        text + "end\n"
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn id(digit: &str) -> Oid {
        digit.repeat(40).parse().unwrap()
    }

    #[test]
    fn the_file_round_trips_and_anything_else_remembers_nothing() {
        let mut memory = RefMemory { kept: 1_500_000_000, ..RefMemory::default() };
        memory.learn(VERDICTS, id("1"), |_| false);
        memory.learn(VERDICTS, id("2"), |_| true);
        memory.learn(BASELINE, id("3"), |_| false);
        memory.learn(BASELINE, id("4"), |_| false);
        assert_eq!(memory.refs[VERDICTS].lost, []);
        assert_eq!(memory.refs[BASELINE].lost, [id("3")]);
        memory.refs.get_mut(VERDICTS).unwrap().is_restored = true;

        let folder = tempfile::tempdir().unwrap();
        assert_eq!(RefMemory::read(folder.path()), RefMemory::default());
        memory.write(folder.path(), Default::default()).unwrap();
        assert_eq!(RefMemory::read(folder.path()), memory);
        assert_eq!(fs::read_dir(folder.path().join("tinyci")).unwrap().count(), 1);
        let text = memory.text();
        for cut in 0..text.len() {
            assert_eq!(RefMemory::parse(&text[..cut]), None, "{cut}");
        }
        for damaged in [text.replace("refs 1", "refs 2"), text.replace("2222", "2x22")] {
            assert_eq!(RefMemory::parse(&damaged), None, "{damaged}");
        }
    }

    #[test]
    fn approvals_and_what_a_fetch_brings_are_not_remembered() {
        for (name, expected) in [
            (VERDICTS, true),
            (RECORDS, true),
            (BASELINE, true),
            ("refs/tinyci/deployments/production", true),
            ("refs/tinyci/approvals/production/1/2", false),
            ("refs/tinyci/remotes/origin/deployments/production", false),
            ("refs/notes/remotes/origin/tinyci-result", false),
            ("refs/notes/tinyci-other", false),
            ("refs/tinyci/of-somebody", false),
            ("refs/heads/main", false),
        ] {
            assert_eq!(is_remembered(name), expected, "{name}");
        }
    }
}
