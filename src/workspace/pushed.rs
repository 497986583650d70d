//! Pushes that no run has handled yet: one file for each push. If a push finds the lock busy, its
//! file tells the owner about the push.
//!
//! Each file is written atomically. The owner of the lock removes it after the scan that handles
//! it.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::layout::Workspace;
use crate::model::error::Error;
use crate::model::stored_names::state;
use crate::util::state_file;

/// One push, as lines of `old new ref`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    path: PathBuf,
    pub(crate) lines: Vec<u8>,
}

impl Pushed {
    /// Removes the file of a push that was handled.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be removed.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }
}

impl Workspace {
    /// Records a push. Call this before [`request_scan`](Self::request_scan), so that the scan
    /// finds it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if it cannot be written.
    pub(crate) fn record_push(&self, lines: &[u8]) -> Result<(), Error> {
        self.prepare_state()?;
        let dir = self.state_path(state::PUSHED);
        let failed = |source| Error::io("record a push in", &dir, source);
        self.sharing().create_dir_all(&dir).map_err(failed)?;
        let mut file = self.sharing().new_file_in(&dir).map_err(failed)?;
        file.write_all(lines).map_err(failed)?;
        // Reuse the unique part of the temporary name.
        let name = file.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let unique = name.rsplit('-').next().unwrap_or_default();
        self.flush().persist(file, &dir.join(format!("push.{unique}"))).map_err(failed)
    }

    /// Returns the pushes that no run has handled yet.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if they cannot be read.
    pub(crate) fn pushed(&self) -> Result<Vec<Pushed>, Error> {
        let dir = self.state_path(state::PUSHED);
        let failed = |source| Error::io("read", &dir, source);
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if is_push(&path) {
                match state_file::read(&path) {
                    Ok(lines) => found.push(Pushed { path, lines }),
                    // Another run has handled it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(Error::io("read", &path, error)),
                }
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }
}

fn is_push(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("push."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn pushes_at_once_are_all_kept_until_each_is_forgotten() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        assert_eq!(workspace.pushed().unwrap(), []);
        std::thread::scope(|scope| {
            for number in 0..16 {
                let workspace = &workspace;
                scope.spawn(move || workspace.record_push(format!("{number}").as_bytes()));
            }
        });
        let pushed = workspace.pushed().unwrap();
        let mut lines: Vec<u32> = pushed
            .iter()
            .map(|it| std::str::from_utf8(&it.lines).unwrap().parse().unwrap())
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, (0..16).collect::<Vec<_>>());
        pushed[3].forget().unwrap();
        pushed[3].forget().unwrap();
        assert_eq!(workspace.pushed().unwrap().len(), 15);
    }
}
