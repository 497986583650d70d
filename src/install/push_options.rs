//! What lets people say something with a push: `git push -o ci.skip`.
//!
//! git refuses such a push unless the repository says that it takes options. What an install has set
//! is remembered beside tinyci's own state, so that an uninstall leaves alone what was there before.

use std::{fs, io, path::PathBuf};

use crate::model::stored_names::state;
use crate::{model::error::Error, repo::Repo};

const KEY: &str = "receive.advertisePushOptions";
const ON: &str = "true";

/// What there is to say of an install that has switched it on.
const SWITCHED_ON: &str =
    "`git push -o ci.skip` now leaves the pushed commits untested (`receive.advertisePushOptions`)";

/// The file of the state that says that an install switched it on.
const MEMORY: &str = state::INSTALLED;

/// What there is to say where somebody has switched it off.
const SWITCHED_OFF: &str =
    "git refuses `git push -o ci.skip`: `receive.advertisePushOptions` is off";

/// Has git take options with a push, unless it is set already, either way. What was done, or could
/// not be, is a sentence.
pub(super) fn advertise(repo: &Repo) -> Result<(bool, Option<&'static str>), Error> {
    match repo.config_bool(KEY)? {
        Some(true) => Ok((false, None)),
        Some(false) => Ok((false, Some(SWITCHED_OFF))),
        None => {
            repo.write_state(MEMORY, format!("{KEY}\n").as_bytes())?;
            repo.config_add(KEY, ON)?;
            Ok((true, Some(SWITCHED_ON)))
        }
    }
}

/// Takes back what [`advertise`] set; says whether there was anything.
pub(super) fn withdraw(repo: &Repo) -> Result<bool, Error> {
    let path = memory(repo);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        read => read.map_err(|source| Error::io("read", &path, source))?,
    };
    let changed = repo.config_unset(KEY, ON)?;
    fs::remove_file(&path).map_err(|source| Error::io("remove", &path, source))?;
    Ok(changed)
}

fn memory(repo: &Repo) -> PathBuf {
    repo.common_dir().join(state::DIR).join(MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn config(repo: &TestRepo) -> String {
        fs::read_to_string(repo.path().join("config")).unwrap()
    }

    #[test]
    fn what_an_install_sets_comes_out_again_byte_for_byte() {
        let repo = TestRepo::bare();
        let opened = Repo::open(repo.path()).unwrap();
        let before = config(&repo);
        assert_eq!(advertise(&opened).unwrap(), (true, Some(SWITCHED_ON)));
        assert_eq!(repo.git(&["config", "--type=bool", KEY]), "true");
        assert_eq!(advertise(&opened).unwrap(), (false, None), "a second install");
        assert!(withdraw(&opened).unwrap() && !withdraw(&opened).unwrap());
        assert_eq!(config(&repo), before);
    }

    #[test]
    fn what_was_set_before_stays_as_it_is() {
        for (value, said) in [("yes", None), ("true", None), ("off", Some(SWITCHED_OFF))] {
            let repo = TestRepo::bare();
            repo.git(&["config", KEY, value]);
            let (opened, before) = (Repo::open(repo.path()).unwrap(), config(&repo));
            assert_eq!(advertise(&opened).unwrap(), (false, said));
            assert!(!withdraw(&opened).unwrap());
            assert_eq!(config(&repo), before);
        }
    }
}
