//! The file `looked-at`: refs of skipped commits for which it is decided that nothing is tested
//! again, so that no config is read twice for them.
//!
//! It is a cache and may only ever cost time.

use std::{collections::BTreeSet, fs, io::Write};

use super::layout::Workspace;
use crate::model::stored_names::state;
use crate::util::header::is_newer_file;

const HEADER: &str = "tinyci looked-at 1";

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LookedAt {
    /// What the answer "nothing is to be tested again" rests on as a whole; empty if there is no
    /// such answer.
    pub(crate) ground: String,
    /// Each a decision with all that it rests on, without line breaks.
    pub(crate) decisions: BTreeSet<String>,
}

impl Workspace {
    /// Reads the decisions; none if they are missing or damaged.
    pub(crate) fn looked_at(&self) -> LookedAt {
        let read = || {
            let text = fs::read_to_string(self.state_path(state::LOOKED_AT)).ok()?;
            // Without its last line it was cut off.
            let mut lines = text.strip_suffix("end\n")?.lines();
            let (header, ground) = (lines.next()?, lines.next()?.strip_prefix("ground ")?);
            let decisions = lines.map(str::to_owned).collect();
            (header == HEADER).then(|| LookedAt { ground: ground.to_owned(), decisions })
        };
        read().unwrap_or_default()
    }

    /// Keeps the decisions. What cannot be written is not there the next time.
    pub(crate) fn keep_looked_at(&self, looked_at: &LookedAt) {
        let mut text = format!("{HEADER}\nground {}\n", looked_at.ground);
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
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn what_was_kept_is_read_and_anything_else_is_nothing() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        assert_eq!(workspace.looked_at(), LookedAt::default());
        fs::create_dir(repo.path().join("tinyci")).unwrap();
        let decisions = ["a b".to_owned(), "c".to_owned()].into();
        let looked_at = LookedAt { ground: "x y".to_owned(), decisions };
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
