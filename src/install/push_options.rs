//! Push options: `git push -o ci.skip`.
//!
//! git refuses such a push unless the repository enables push options. The state directory records
//! that an install enabled them, so that an uninstall does not change an earlier setting.

use std::{fs, io, path::PathBuf};

use crate::model::stored_names::state;
use crate::util::state_file;
use crate::{model::error::Error, repo::Repo};

const KEY: &str = "receive.advertisePushOptions";
const ON: &str = "true";

/// The note of an install that enabled push options.
const ENABLED_NOTE: &str =
    "`git push -o ci.skip` now leaves the pushed commits untested (`receive.advertisePushOptions`)";

/// The state file that records that an install enabled push options.
const STATE_FILE: &str = state::INSTALLED;

/// The note if push options were disabled before.
const DISABLED_NOTE: &str =
    "git refuses `git push -o ci.skip`: `receive.advertisePushOptions` is off";

/// Enables push options, unless the setting exists. Returns true if it did, and a note.
pub(super) fn advertise(repo: &Repo) -> Result<(bool, Option<&'static str>), Error> {
    match repo.config_bool(KEY)? {
        Some(true) => Ok((false, None)),
        Some(false) => Ok((false, Some(DISABLED_NOTE))),
        None => {
            repo.write_state(STATE_FILE, format!("{KEY}\n").as_bytes())?;
            repo.config_add(KEY, ON)?;
            Ok((true, Some(ENABLED_NOTE)))
        }
    }
}

/// Undoes [`advertise`]. Returns true if there was something to undo.
pub(super) fn withdraw(repo: &Repo) -> Result<bool, Error> {
    let path = state_path(repo);
    match state_file::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        read => read.map_err(|source| Error::io("read", &path, source))?,
    };
    let changed = repo.config_unset(KEY, ON)?;
    fs::remove_file(&path).map_err(|source| Error::io("remove", &path, source))?;
    Ok(changed)
}

fn state_path(repo: &Repo) -> PathBuf {
    repo.common_dir().join(state::DIR).join(STATE_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn config(repo: &TestRepo) -> String {
        fs::read_to_string(repo.path().join("config")).unwrap()
    }

    #[test]
    fn uninstall_restores_the_config_byte_for_byte() {
        let repo = TestRepo::bare();
        let opened = Repo::open(repo.path()).unwrap();
        let before = config(&repo);
        assert_eq!(advertise(&opened).unwrap(), (true, Some(ENABLED_NOTE)));
        assert_eq!(repo.git(&["config", "--type=bool", KEY]), "true");
        assert_eq!(advertise(&opened).unwrap(), (false, None), "a second install");
        assert!(withdraw(&opened).unwrap() && !withdraw(&opened).unwrap());
        assert_eq!(config(&repo), before);
    }

    #[test]
    fn an_existing_setting_stays_unchanged() {
        for (value, note) in [("yes", None), ("true", None), ("off", Some(DISABLED_NOTE))] {
            let repo = TestRepo::bare();
            repo.git(&["config", KEY, value]);
            let (opened, before) = (Repo::open(repo.path()).unwrap(), config(&repo));
            assert_eq!(advertise(&opened).unwrap(), (false, note));
            assert!(!withdraw(&opened).unwrap());
            assert_eq!(config(&repo), before);
        }
    }
}
