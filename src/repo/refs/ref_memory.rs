//! The file `refs`: what tinyci's own refs named when it last looked, so that one that is gone can
//! be made again. A fetch with `--prune`, a push with `--mirror` or a slip deletes refs, and git
//! keeps no log of a ref that it deletes.
//!
//! It is read and written only by the holder of the right to move a ref (`intent`). A file that is
//! missing, or is not of this form, remembers nothing.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use git2::Oid;

use crate::model::error::Error;
use crate::model::stored_names::{
    refs::{BASELINE, DEPLOYS, RECORDS, VERDICTS},
    state,
};
use crate::repo::repository::Repo;
use crate::util::{flush::Flush, header::is_newer_file, sharing::Sharing};

const HEADER: &str = "tinyci refs 1";

/// How many earlier states of a ref are remembered. What they were made from, they say themselves.
const STATES: usize = 32;

/// What is remembered of each ref, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::repo) struct RefMemory {
    pub(in crate::repo) refs: BTreeMap<String, Remembered>,
    /// When git was last kept from removing the objects as unused, in seconds since 1970.
    pub(in crate::repo) kept: i64,
}

/// What is remembered of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::repo) struct Remembered {
    /// The commit that it named.
    pub(in crate::repo) tip: Oid,
    /// Commits that it named before, and that somebody made it lose.
    pub(in crate::repo) lost: Vec<Oid>,
    /// Some of the commits that it named before that one, the newest last: in case that cannot be read.
    pub(in crate::repo) before: Vec<Oid>,
    /// Whether it was missing, and was made again without anybody having been told.
    pub(in crate::repo) is_restored: bool,
}

impl Remembered {
    pub(in crate::repo) fn new(tip: Oid) -> Self {
        Self { tip, lost: Vec::new(), before: Vec::new(), is_restored: false }
    }

    /// Keeps what it names now, and what it named before.
    pub(in crate::repo) fn moved_to(&mut self, tip: Oid) {
        if self.tip != tip {
            self.before.push(std::mem::replace(&mut self.tip, tip));
            let surplus = self.before.len().saturating_sub(STATES);
            self.before.drain(..surplus);
        }
    }
}

/// Whether a ref of this name is remembered: verdicts, records, the baseline and deployments.
///
/// Not what a fetch brings again, and no approvals: to delete one is how it is taken back.
pub(in crate::repo) fn is_remembered(name: &str) -> bool {
    name.starts_with(DEPLOYS) || [VERDICTS, RECORDS, BASELINE].contains(&name)
}

impl Repo {
    /// Writes what is remembered. That the file cannot be written is the inner error: it is an older
    /// one then, and undoes nothing.
    pub(in crate::repo) fn write_memory(
        &self,
        memory: &RefMemory,
    ) -> Result<std::io::Result<()>, Error> {
        let how = (self.sharing()?, self.flush_rule()?);
        Ok(memory.write(self.common_dir(), how))
    }
}

impl RefMemory {
    /// What the file of this git directory says.
    pub(in crate::repo) fn read(common_dir: &Path) -> Self {
        let text =
            fs::read_to_string(common_dir.join(state::DIR).join(state::REFS)).unwrap_or_default();
        Self::parse(&text).unwrap_or_default()
    }

    /// Writes the file, whole or not at all. One of a newer version stays as it is.
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
        flush.persist(file, &folder.join(state::REFS))
    }

    /// Keeps what a ref names now. What it named when it was last looked at, and does not contain
    /// any more, is kept too.
    pub(in crate::repo) fn learn(&mut self, name: &str, tip: Oid, contains: impl Fn(Oid) -> bool) {
        let known = self.refs.entry(name.to_owned()).or_insert_with(|| Remembered::new(tip));
        if known.tip != tip && !contains(known.tip) {
            known.lost.push(known.tip);
        }
        known.moved_to(tip);
    }

    fn parse(text: &str) -> Option<Self> {
        // Without its last line it was cut off.
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
