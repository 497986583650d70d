//! The file `looked-at`: decisions that skipped commits need no new test, so that no config is read
//! twice for them.
//!
//! The file is a cache. Losing it only costs time.

use std::{collections::BTreeSet, io::Write};

use super::layout::Workspace;
use crate::model::stored_names::state;
use crate::util::header::is_newer_file;
use crate::util::state_file;

const HEADER: &str = "tinyci looked-at 1";

/// The contents of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LookedAt {
    /// The state of the repository for which no skipped commit needs a new test; empty if there is
    /// no such state.
    pub(crate) state_key: String,
    /// One decision each, with everything that it depends on, in one line.
    pub(crate) decisions: BTreeSet<String>,
}

impl Workspace {
    /// Reads the decisions; empty if the file is missing or damaged.
    pub(crate) fn looked_at(&self) -> LookedAt {
        let read = || {
            let text = state_file::read_text(&self.state_path(state::LOOKED_AT)).ok()?;
            // A file without this last line is truncated.
            let mut lines = text.strip_suffix("end\n")?.lines();
            let (header, state_key) = (lines.next()?, lines.next()?.strip_prefix("ground ")?);
            let decisions = lines.map(str::to_owned).collect();
            (header == HEADER).then(|| LookedAt { state_key: state_key.to_owned(), decisions })
        };
        read().unwrap_or_default()
    }

    /// Writes the decisions. Errors are ignored, because the file is only a cache.
    pub(crate) fn keep_looked_at(&self, looked_at: &LookedAt) {
        let mut text = format!("{HEADER}\nground {}\n", looked_at.state_key);
        looked_at.decisions.iter().for_each(|line| text.extend([line, "\n"]));
        text.push_str("end\n");
        let path = self.state_path(state::LOOKED_AT);
        let Some(dir) = path.parent().filter(|_| !is_newer_file(&path, HEADER)) else { return };
        let file = self.sharing().new_file_in(dir);
        if let Ok(mut file) = file
            && file.write_all(text.as_bytes()).is_ok()
        {
            drop(file.persist(&path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn what_was_kept_is_read_and_anything_else_is_nothing() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        assert_eq!(workspace.looked_at(), LookedAt::default());
        fs::create_dir(repo.path().join("tinyci")).unwrap();
        let decisions = ["a b".to_owned(), "c".to_owned()].into();
        let looked_at = LookedAt { state_key: "x y".to_owned(), decisions };
        workspace.keep_looked_at(&looked_at);
        assert_eq!(workspace.looked_at(), looked_at);
        let path = repo.path().join("tinyci/looked-at");
        let text = fs::read_to_string(&path).unwrap();
        for cut in 0..text.len() {
            fs::write(&path, &text[..cut]).unwrap();
            assert_eq!(workspace.looked_at(), LookedAt::default(), "{cut}");
        }
    }
}
