//! The settings as a list for people: every key there is, with what is set and where.

use super::{Repo, git_error, settings::KEYS};
use crate::{error::Error, setting::Setting};

impl Repo {
    /// Every setting there is, in the order of the documentation.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the configuration cannot be read.
    pub(crate) fn setting_list(&self) -> Result<Vec<Setting>, Error> {
        let unreadable =
            |source| git_error(format!("the configuration of {self} cannot be read"), source);
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(unreadable)?;
        let mut settings: Vec<Setting> = KEYS
            .iter()
            .map(|key| Setting {
                key: key.name,
                values: Vec::new(),
                origin: None,
                default: key.default,
                meaning: key.meaning,
            })
            .collect();
        let mut entries = config.entries(Some(r"^tinyci\.")).map_err(unreadable)?;
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(unreadable)?;
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            let known = KEYS.iter().zip(&mut settings);
            let named = known.filter(|(key, _)| key.name.eq_ignore_ascii_case(&name));
            for (key, setting) in named {
                if !key.several {
                    setting.values.clear();
                }
                let value = if entry.has_value() { entry.value_bytes() } else { b"" };
                setting.values.push(String::from_utf8_lossy(value).into_owned());
                setting.origin = Some(self.file_of(entry).trim_matches('`').to_owned());
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{repo::Settings, testing::TestRepo};

    #[test]
    fn what_is_set_is_listed_with_its_file() {
        let test = TestRepo::new();
        let repo = Repo::open(test.path()).unwrap();
        assert!(repo.setting_list().unwrap().iter().all(|it| it.values.is_empty()));
        for (key, value) in [("jobs", "2"), ("jobs", "3"), ("refs", "refs/a"), ("refs", "refs/b")] {
            test.git(&["config", "--add", &format!("tinyci.{key}"), value]);
        }
        let list = repo.setting_list().unwrap();
        let of = |key: &str| list.iter().find(|it| it.key == key).unwrap();
        assert_eq!(of("tinyci.jobs").values, ["3"], "the last one holds");
        assert_eq!(of("tinyci.refs").values, ["refs/a", "refs/b"], "all of them hold");
        let file = test.path().join(".git/config");
        assert_eq!(of("tinyci.jobs").origin.as_deref(), file.to_str());
    }

    #[test]
    fn a_default_that_is_a_value_is_what_holds() {
        let test = TestRepo::new();
        let repo = Repo::open(test.path()).unwrap();
        let is_folder = |key: &str| key.ends_with("Dir") || key == "tinyci.pin";
        let list = repo.setting_list().unwrap().into_iter();
        for setting in list.filter(|setting| !is_folder(setting.key)) {
            let before = test.git(&["config", "--list", "--local"]);
            test.git(&["config", setting.key, setting.default]);
            match repo.settings() {
                Ok(settings) => assert_eq!(settings, Settings::default(), "{}", setting.key),
                // A word about it and no value.
                Err(error) => {
                    assert!(!setting.default.contains(|it: char| it.is_ascii_digit()), "{error}")
                }
            }
            test.git(&["config", "--unset", setting.key]);
            assert_eq!(test.git(&["config", "--list", "--local"]), before);
        }
    }
}
