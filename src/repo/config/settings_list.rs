//! Lists the settings for users: every key, its values, and the file that sets them.

use super::settings::{Fallback, KEYS, environment_key};
use crate::model::{error::Error, setting::Setting};
use crate::repo::repository::{Repo, git_error};

impl Repo {
    /// Lists every setting, in the order of the documentation.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the configuration cannot be read.
    pub(crate) fn setting_list(&self) -> Result<Vec<Setting>, Error> {
        let unreadable =
            |source| git_error(format!("the configuration of {self} cannot be read"), source);
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(unreadable)?;
        let mut settings: Vec<Setting> = KEYS
            .iter()
            .map(|key| {
                let (default, default_description) = match key.default {
                    Fallback::Value(value) => (Some(value), value),
                    Fallback::Words(words) => (None, words),
                };
                Setting {
                    key: key.name.to_owned(),
                    values: Vec::new(),
                    origin: None,
                    default,
                    default_description,
                    description: key.description,
                }
            })
            .collect();
        let mut of_environments = Vec::new();
        let mut entries = config.entries(Some(r"^tinyci\.")).map_err(unreadable)?;
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(unreadable)?;
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            if environment_key(&name).is_some() {
                let value = if entry.has_value() { entry.value_bytes() } else { b"true" };
                of_environments.retain(|setting: &Setting| setting.key != name);
                of_environments.push(Setting {
                    key: name,
                    values: vec![String::from_utf8_lossy(value).into_owned()],
                    origin: Some(self.file_of(entry).trim_matches('`').to_owned()),
                    default: None,
                    default_description: "the value of `tinyci.approve`",
                    description: "true if this environment needs an approval even if the config \
                                  does not ask for one, false if it needs one only then",
                });
                continue;
            }
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
        let after = settings.iter().position(|setting| setting.key == "tinyci.approve");
        let after = after.map_or(settings.len(), |at| at + 1);
        settings.splice(after..after, of_environments);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{repo::config::settings::Settings, testing::TestRepo};

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
        assert_eq!(of("tinyci.jobs").values, ["3"], "the last one wins");
        assert_eq!(of("tinyci.refs").values, ["refs/a", "refs/b"], "all of them apply");
        let file = test.path().join(".git/config");
        assert_eq!(of("tinyci.jobs").origin.as_deref(), file.to_str());
    }

    #[test]
    fn a_setting_for_one_environment_is_listed_by_its_name() {
        let test = TestRepo::new();
        let repo = Repo::open(test.path()).unwrap();
        test.git(&["config", "tinyci.approve.production", "true"]);
        test.git(&["config", "tinyci.approve.eu.West", "yes"]);
        test.git(&["config", "--add", "tinyci.approve.eu.West", "off"]);
        let list = repo.setting_list().unwrap();
        let named: Vec<_> =
            list.iter().filter(|it| it.key.starts_with("tinyci.approve.")).collect();
        let shown: Vec<_> = named.iter().map(|it| (it.key.as_str(), it.values.join(","))).collect();
        let production = ("tinyci.approve.production", "true".to_owned());
        assert_eq!(shown, [production, ("tinyci.approve.eu.west", "off".to_owned())]);
        let settings = repo.settings().unwrap().approvals;
        assert!(settings.wants("production") && !settings.wants("eu.West"));
    }

    #[test]
    fn setting_a_default_changes_nothing() {
        let test = TestRepo::new();
        let repo = Repo::open(test.path()).unwrap();
        let is_dir = |key: &str| key.ends_with("Dir");
        let list = repo.setting_list().unwrap().into_iter();
        for setting in list.filter(|setting| !is_dir(&setting.key)) {
            let Some(default) = setting.default else { continue };
            assert_eq!(setting.default_description, default);
            let before = test.git(&["config", "--list", "--local"]);
            test.git(&["config", &setting.key, default]);
            assert_eq!(repo.settings().unwrap(), Settings::default(), "{}", setting.key);
            test.git(&["config", "--unset", &setting.key]);
            assert_eq!(test.git(&["config", "--list", "--local"]), before);
        }
    }
}
