//! The repository's settings: git's configuration, section `tinyci`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use git2::{ConfigEntry, ConfigLevel};

use crate::repo::{
    refs::lookup::{pattern_fault, secret_pattern_fault},
    repository::{Repo, git_error},
};
use crate::{
    model::error::{Error, ErrorKind},
    rules::{
        approval_rules::ApprovalRules,
        environment::{EnvFilter, is_pattern},
    },
    util::{bytes::parse_bytes, duration::parse_duration, suggestion::did_you_mean},
};

/// What a repository, its user and its machine have set, with what holds where nothing is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `tinyci.refs`, any number of them: patterns of the refs whose commits are run.
    pub(crate) refs: Vec<String>,
    /// `tinyci.jobs`: how many commits are run at once.
    pub(crate) jobs: usize,
    /// `tinyci.jobTimeout`: how long the run of a commit may take, without `after_all`.
    pub(crate) job_timeout: Option<Duration>,
    /// `tinyci.commandTimeout`: how long one command may take.
    pub(crate) command_timeout: Option<Duration>,
    /// `tinyci.gracePeriod`: how long a command that was asked to end may take to do so.
    pub(crate) grace_period: Duration,
    /// `tinyci.backlogLimit`: above how many due commits a push runs only the tips.
    pub(crate) backlog_limit: usize,
    /// `tinyci.buildsDir`, absolute: where builds are put instead of `builds/`.
    pub(crate) builds_dir: Option<PathBuf>,
    /// `tinyci.logLimit`: how many bytes a log may have.
    pub(crate) log_limit: u64,
    /// `tinyci.maxAttempts`: how often a commit is tried that gets no verdict.
    pub(crate) max_attempts: u32,
    /// `tinyci.secretsDir`, absolute: the folder that holds a file for each secret.
    pub(crate) secrets_dir: Option<PathBuf>,
    /// `tinyci.secretRefs`, any number of them: patterns of the refs whose commits may have
    /// secrets. Without any, none may.
    pub(crate) secret_refs: Vec<String>,
    /// `tinyci.passEnv`, any number of them: what commands get of the process's environment.
    pub(crate) pass_env: Vec<String>,
    /// Whether commands get all but git's where `tinyci.passEnv` is not set, and not only a short list.
    /// No key: it is the command line's default, and not that of embedding programs.
    pub(crate) pass_all_env: bool,
    /// `tinyci.nice`: how far commands stand back when others need the processor.
    pub(crate) nice: u8,
    /// `tinyci.minFreeSpace`: how many free bytes there must be before a tree is exported.
    pub(crate) min_free_space: u64,
    /// `tinyci.compactKeep`: after a run, all builds but so many are packed.
    pub(crate) compact_keep: Option<usize>,
    /// `tinyci.pruneKeep`: after a run, all builds but so many are removed.
    pub(crate) prune_keep: Option<usize>,
    /// `tinyci.pruneMaxAge`: after a run, builds that were last used longer ago are removed.
    pub(crate) prune_max_age: Option<Duration>,
    /// `tinyci.pruneMaxSize`: after a run, the oldest builds are removed until the rest is this
    /// small.
    pub(crate) prune_max_size: Option<u64>,
    /// `tinyci.keepReleases`: how many releases before the one that is deployed keep their builds.
    pub(crate) keep_releases: usize,
    /// `tinyci.pin`, any number of them, absolute: folders whose links keep the builds they lead to.
    pub(crate) pins: Vec<PathBuf>,
    /// `tinyci.approve`, `tinyci.approve.ENV`, `tinyci.approvers` and `tinyci.fourEyes`: which
    /// deployments need an approval, and which approvals count.
    pub(crate) approvals: ApprovalRules,
    /// A sentence for each key of the section that is none of these.
    pub(crate) unknown: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            refs: vec!["refs/heads/*".to_owned()],
            jobs: 1,
            job_timeout: None,
            command_timeout: None,
            grace_period: Duration::from_secs(10),
            backlog_limit: 20,
            builds_dir: None,
            log_limit: 128 << 20,
            max_attempts: 3,
            secrets_dir: None,
            secret_refs: Vec::new(),
            pass_env: Vec::new(),
            pass_all_env: false,
            nice: 0,
            min_free_space: 64 << 20,
            compact_keep: None,
            prune_keep: None,
            prune_max_age: None,
            prune_max_size: None,
            keep_releases: 2,
            pins: Vec::new(),
            approvals: ApprovalRules::default(),
            unknown: Vec::new(),
        }
    }
}

/// A key: what it says, what holds without it, what it takes, and how a value is taken. `None` is
/// a value that it does not take.
pub(in crate::repo) struct Key {
    /// As `git config` takes it.
    pub(in crate::repo) name: &'static str,
    /// Whether all of its values hold, and not only the last.
    pub(in crate::repo) several: bool,
    pub(in crate::repo) description: &'static str,
    /// As a value of it would be written, or in words where no value says it.
    pub(in crate::repo) default: &'static str,
    takes: &'static str,
    take: fn(&mut Settings, &str) -> Option<()>,
}

const TIME: &str = "takes a time above zero such as `90s`, `10m` or `1h`, a year at most";
const COUNT: &str = "takes a whole number from 1";
const NUMBER: &str = "takes a whole number";
const FOLDER: &str = "takes the path of a folder";
const BYTES: &str = "takes a number of bytes such as `1048576`, `512k`, `64m` or `10g`";

const SWITCH: &str = "takes `true` or `false`";

/// What the keys of single environments begin with: `tinyci.approve.production`.
pub(in crate::repo) const APPROVE_PREFIX: &str = "tinyci.approve.";

/// Every key there is, but those of single environments.
pub(in crate::repo) const KEYS: [Key; 23] = [
    Key {
        name: "tinyci.refs",
        several: true,
        description: "globs of the refs whose commits are run, one a value",
        default: "refs/heads/*",
        takes: "takes full ref names such as `refs/heads/main` or `refs/heads/*`, and neither \
                notes nor tinyci's own refs",
        take: |settings, text| {
            settings.refs.push(text.to_owned());
            pattern_fault(text).is_none().then_some(())
        },
    },
    Key {
        name: "tinyci.jobs",
        several: false,
        description: "how many commits are run at once",
        default: "1",
        takes: COUNT,
        take: |settings, text| set(&mut settings.jobs, text.parse().ok().filter(|n| *n > 0)),
    },
    Key {
        name: "tinyci.jobTimeout",
        several: false,
        description: "how long the run of a commit may take, and `after_all` as long again",
        default: "no limit",
        takes: TIME,
        take: |settings, text| set(&mut settings.job_timeout, limit(text).map(Some)),
    },
    Key {
        name: "tinyci.commandTimeout",
        several: false,
        description: "how long one command may take",
        default: "no limit",
        takes: TIME,
        take: |settings, text| set(&mut settings.command_timeout, limit(text).map(Some)),
    },
    Key {
        name: "tinyci.gracePeriod",
        several: false,
        description: "how long a command that has to end has between TERM and KILL",
        default: "10s",
        takes: "takes a time such as `10s` or `1m`, a year at most",
        take: |settings, text| set(&mut settings.grace_period, parse_duration(text)),
    },
    Key {
        name: "tinyci.backlogLimit",
        several: false,
        description: "above how many due commits a push runs only the branch tips",
        default: "20",
        takes: NUMBER,
        take: |settings, text| set(&mut settings.backlog_limit, text.parse().ok()),
    },
    Key {
        name: "tinyci.buildsDir",
        several: false,
        description: "the folder that builds stand in",
        default: "builds",
        takes: FOLDER,
        take: |settings, text| {
            let path = (!text.is_empty()).then(|| Some(PathBuf::from(text)));
            set(&mut settings.builds_dir, path)
        },
    },
    Key {
        name: "tinyci.logLimit",
        several: false,
        description: "how much of one run a build's log keeps",
        default: "128m",
        takes: "takes a number of bytes above zero such as `1048576`, `512k`, `64m` or `1g`",
        take: |settings, text| set(&mut settings.log_limit, parse_bytes(text).filter(|n| *n > 0)),
    },
    Key {
        name: "tinyci.maxAttempts",
        several: false,
        description: "how often a commit is tried without a verdict before it waits for `--retry`",
        default: "3",
        takes: COUNT,
        take: |settings, text| {
            set(&mut settings.max_attempts, text.parse().ok().filter(|n| *n > 0))
        },
    },
    Key {
        name: "tinyci.secretsDir",
        several: false,
        description: "the folder that holds a file for each secret",
        default: "none",
        takes: FOLDER,
        take: |settings, text| {
            let path = (!text.is_empty()).then(|| Some(PathBuf::from(text)));
            set(&mut settings.secrets_dir, path)
        },
    },
    Key {
        name: "tinyci.secretRefs",
        several: true,
        description: "globs of the refs whose commits may have secrets, one a value",
        default: "none",
        takes: "takes full ref names such as `refs/heads/main` or `refs/heads/release-*`",
        take: |settings, text| {
            settings.secret_refs.push(text.to_owned());
            secret_pattern_fault(text).is_none().then_some(())
        },
    },
    Key {
        name: "tinyci.passEnv",
        several: true,
        description: "the variables of tinyci's own environment that commands get, as names or beginnings such as `DEPLOY_*`, one a value; with a `+` in front in addition to the default",
        default: "all but `GIT_*`, `TINYCI_*` and output directories such as `CARGO_TARGET_DIR`; for embedding programs `PATH` and its like",
        takes: "takes names of variables and beginnings such as `DEPLOY_*`, either also after a `+`, or nothing for none but `PATH` and its like",
        take: |settings, text| {
            settings.pass_env.push(text.to_owned());
            is_pattern(text).then_some(())
        },
    },
    Key {
        name: "tinyci.nice",
        several: false,
        description: "how far commands stand back when others need the processor",
        default: "0",
        takes: "takes a whole number from 0 to 19",
        take: |settings, text| set(&mut settings.nice, text.parse().ok().filter(|n| *n <= 19)),
    },
    Key {
        name: "tinyci.minFreeSpace",
        several: false,
        description: "how much of the disk must be free for a commit to be begun",
        default: "64m",
        takes: BYTES,
        take: |settings, text| set(&mut settings.min_free_space, parse_bytes(text)),
    },
    Key {
        name: "tinyci.compactKeep",
        several: false,
        description: "after a run, pack all builds but the newest so many",
        default: "pack none",
        takes: NUMBER,
        take: |settings, text| set(&mut settings.compact_keep, text.parse().ok().map(Some)),
    },
    Key {
        name: "tinyci.pruneKeep",
        several: false,
        description: "after a run, remove all builds but the newest so many",
        default: "remove none",
        takes: NUMBER,
        take: |settings, text| set(&mut settings.prune_keep, text.parse().ok().map(Some)),
    },
    Key {
        name: "tinyci.pruneMaxAge",
        several: false,
        description: "after a run, remove builds that were last run longer ago",
        default: "remove none",
        takes: TIME,
        take: |settings, text| set(&mut settings.prune_max_age, limit(text).map(Some)),
    },
    Key {
        name: "tinyci.pruneMaxSize",
        several: false,
        description: "after a run, remove the oldest builds until the rest takes no more than this",
        default: "remove none",
        takes: BYTES,
        take: |settings, text| set(&mut settings.prune_max_size, parse_bytes(text).map(Some)),
    },
    Key {
        name: "tinyci.keepReleases",
        several: false,
        description: "for each environment, how many releases before the deployed one keep their builds",
        default: "2",
        takes: NUMBER,
        take: |settings, text| set(&mut settings.keep_releases, text.parse().ok()),
    },
    Key {
        name: "tinyci.pin",
        several: true,
        description: "folders with links of your own deploy scripts, one a value; a build that a link \
                  leads into is never packed or removed",
        default: "none",
        takes: FOLDER,
        take: |settings, text| {
            settings.pins.push(PathBuf::from(text));
            (!text.is_empty()).then_some(())
        },
    },
    Key {
        name: "tinyci.approve",
        several: true,
        description: "the environments that need an approval whatever the commit says, as names or beginnings such as `eu_*`, one a value; `tinyci.approve.ENV` says `true` or `false` for one",
        default: "no environment",
        takes: "takes names of environments such as `production`, and beginnings such as `eu_*`, or `*` for any",
        take: |settings, text| settings.approvals.add_environments(text),
    },
    Key {
        name: "tinyci.approvers",
        several: true,
        description: "who may approve, one a value: principals of the file that `gpg.ssh.allowedSignersFile` names, by signed approvals, and accounts of this machine, by approvals that are given here",
        default: "anybody, unproven",
        takes: "takes one principal such as `grace@example.org`, or the name of one account",
        take: |settings, text| settings.approvals.add_approver(text),
    },
    Key {
        name: "tinyci.fourEyes",
        several: false,
        description: "whether an approval by the author or the committer of the commit does not count",
        default: "false",
        takes: SWITCH,
        take: |settings, text| set(&mut settings.approvals.four_eyes, switch(text)),
    },
];

/// A yes or no, as git reads it.
fn switch(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match (is(["true", "yes", "on", "1"]), is(["false", "no", "off", "0"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

fn set<T>(field: &mut T, value: Option<T>) -> Option<()> {
    *field = value?;
    Some(())
}

/// What an embedding program sets: in the words of git's configuration, or as a value of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// A key and a value, as in `git config tinyci.<key> <value>`.
    Text(String, String),
    Refs(Vec<String>),
    Jobs(usize),
    Timeout(Duration),
    CommandTimeout(Duration),
    Grace(Duration),
    BuildsDir(PathBuf),
    LogLimit(u64),
    PassAllEnv,
}

impl Given {
    /// Whether it is a value of this key, in the words of git's configuration.
    fn is_text_of(&self, name: &str) -> bool {
        matches!(self, Given::Text(key, _) if key.eq_ignore_ascii_case(name))
    }
}

impl Settings {
    /// The same with what an embedding program has set, of which the last counts. Relative paths
    /// are below `root`.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) with key, value and what would be right.
    pub(crate) fn with(mut self, given: &[Given], root: &Path) -> Result<Self, Error> {
        for (index, one) in given.iter().enumerate() {
            match one.clone() {
                Given::Text(name, value) => {
                    let is_first = !given[..index].iter().any(|it| it.is_text_of(&name));
                    self.take_text(&name, &value, is_first)?;
                }
                Given::Refs(globs) => self.refs = globs,
                Given::Jobs(jobs) => self.jobs = jobs,
                Given::Timeout(limit) => self.job_timeout = Some(limit),
                Given::CommandTimeout(limit) => self.command_timeout = Some(limit),
                Given::Grace(grace) => self.grace_period = grace,
                Given::BuildsDir(dir) => self.builds_dir = Some(dir),
                Given::LogLimit(bytes) => self.log_limit = bytes,
                Given::PassAllEnv => self.pass_all_env = true,
            }
        }
        for dir in [&mut self.builds_dir, &mut self.secrets_dir].into_iter().flatten() {
            *dir = root.join(at_home(dir));
        }
        self.pins.iter_mut().for_each(|dir| *dir = root.join(at_home(dir)));
        Ok(self)
    }

    /// Takes a value in the words of git's configuration; the first one of a list takes the place of
    /// what was there.
    fn take_text(&mut self, name: &str, value: &str, is_first: bool) -> Result<(), Error> {
        if let Some(environment) = environment_key(&format!("tinyci.{name}")) {
            let wanted = switch(value).ok_or_else(|| {
                let message = format!("the setting `{name}` cannot be `{value}`: it {SWITCH}");
                Error::new(ErrorKind::InvalidArg, message)
            })?;
            self.approvals.name_environment(environment, wanted);
            return Ok(());
        }
        let Some(key) = KEYS.iter().find(|key| short(key).eq_ignore_ascii_case(name)) else {
            let advice = did_you_mean(name, KEYS.iter().map(short));
            let message = format!("there is no setting `{name}`{advice}");
            return Err(Error::new(ErrorKind::InvalidArg, message));
        };
        if is_first && key.several {
            self.clear(key.name);
        }
        let takes = takes(key, value);
        (key.take)(self, value).ok_or_else(|| {
            let message = format!("the setting `{name}` cannot be `{value}`: it {takes}");
            Error::new(ErrorKind::InvalidArg, message)
        })
    }

    /// Which variables of the process's environment commands get.
    pub(crate) fn env_filter(&self) -> EnvFilter {
        EnvFilter::new(self.pass_all_env, &self.pass_env)
    }

    /// What is set for a list takes the place of what the repository has.
    fn clear(&mut self, list: &str) {
        match list {
            "tinyci.refs" => self.refs.clear(),
            "tinyci.secretRefs" => self.secret_refs.clear(),
            "tinyci.pin" => self.pins.clear(),
            "tinyci.approve" => self.approvals.environments.clear(),
            "tinyci.approvers" => self.approvals.approvers.clear(),
            _ => self.pass_env.clear(),
        }
    }
}

/// The key within its section.
fn short(key: &Key) -> &'static str {
    key.name.strip_prefix("tinyci.").unwrap_or(key.name)
}

/// What a key takes in place of this value, with the right spelling where that is known.
fn takes(key: &Key, value: &str) -> String {
    let fault = match key.name {
        "tinyci.refs" => pattern_fault(value),
        "tinyci.secretRefs" => secret_pattern_fault(value),
        _ => None,
    };
    fault.unwrap_or_else(|| key.takes.to_owned())
}

/// The environment that a key is about, where it is about one.
pub(in crate::repo) fn environment_key(name: &str) -> Option<&str> {
    let (prefix, environment) = name.split_at_checked(APPROVE_PREFIX.len())?;
    let is_one = prefix.eq_ignore_ascii_case(APPROVE_PREFIX) && !environment.is_empty();
    is_one.then_some(environment)
}

/// `~/` as git reads it.
fn at_home(dir: &Path) -> PathBuf {
    let below = dir.strip_prefix("~").ok();
    let path = below.and_then(|below| Some(std::env::home_dir()?.join(below)));
    path.unwrap_or_else(|| dir.to_path_buf())
}

impl Repo {
    /// Reads the settings that hold here: of a key set several times the last one, the
    /// repository's own file after the user's and the machine's; all values of `tinyci.refs`.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) with key, value, file and what would be right.
    pub(crate) fn settings(&self) -> Result<Settings, Error> {
        let unreadable =
            |source| git_error(format!("the configuration of {self} cannot be read"), source);
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(unreadable)?;
        let mut settings = Settings { refs: Vec::new(), ..Settings::default() };
        let mut entries = config.entries(Some(r"^tinyci\.")).map_err(unreadable)?;
        while let Some(entry) = entries.next() {
            self.take(&mut settings, entry.map_err(unreadable)?)?;
        }
        if settings.refs.is_empty() {
            settings.refs = Settings::default().refs;
        }
        if settings.builds_dir.is_some() {
            // This reads `~/` as git does; a relative path is one below the root.
            let path = config.get_path("tinyci.buildsdir").map_err(unreadable)?;
            settings.builds_dir = Some(self.root().join(path));
        }
        if settings.secrets_dir.is_some() {
            let path = config.get_path("tinyci.secretsdir").map_err(unreadable)?;
            settings.secrets_dir = Some(self.root().join(path));
        }
        settings.pins.iter_mut().for_each(|dir| *dir = self.root().join(at_home(dir)));
        Ok(settings)
    }

    fn take(&self, settings: &mut Settings, entry: &ConfigEntry<'_>) -> Result<(), Error> {
        let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
        let file = self.file_of(entry);
        if let Some(environment) = environment_key(&name) {
            let wanted =
                if entry.has_value() { entry.value().ok().and_then(switch) } else { Some(true) };
            let wanted = wanted.ok_or_else(|| {
                let value = String::from_utf8_lossy(entry.value_bytes());
                let message = format!("`{name} = {value}` in {file}: the key {SWITCH}");
                Error::new(ErrorKind::InvalidArg, message)
            })?;
            settings.approvals.name_environment(environment, wanted);
            return Ok(());
        }
        // git writes the names of variables in small letters.
        let Some(key) = KEYS.iter().find(|key| key.name.eq_ignore_ascii_case(&name)) else {
            settings.unknown.push(unknown(&name, &file));
            return Ok(());
        };
        let Key { name, take, .. } = key;
        let value = if entry.has_value() { entry.value_bytes() } else { b"" };
        let taken = std::str::from_utf8(value).ok().and_then(|text| take(settings, text));
        taken.ok_or_else(|| {
            let value = String::from_utf8_lossy(value);
            let takes = takes(key, &value);
            let message = format!("`{name} = {value}` in {file}: the key {takes}");
            Error::new(ErrorKind::InvalidArg, message)
        })
    }

    /// The file that an entry stands in, as far as libgit2 tells.
    pub(in crate::repo) fn file_of(&self, entry: &ConfigEntry<'_>) -> String {
        let path = match entry.level() {
            ConfigLevel::Local => Some(self.config_file()),
            ConfigLevel::Worktree => Some(self.git.path().join("config.worktree")),
            ConfigLevel::Global => git2::Config::find_global().ok(),
            ConfigLevel::XDG => git2::Config::find_xdg().ok(),
            ConfigLevel::System | ConfigLevel::ProgramData => git2::Config::find_system().ok(),
            _ => None,
        };
        let path = path.as_deref().map_or("git's configuration".to_owned(), quoted);
        if entry.include_depth() > 0 { format!("a file that {path} includes") } else { path }
    }
}

fn quoted(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn unknown(name: &str, file: &str) -> String {
    let advice = did_you_mean(name, KEYS.iter().map(|key| key.name));
    format!("`{name}` in {file} is no setting{advice}")
}

/// A time above zero.
fn limit(text: &str) -> Option<Duration> {
    parse_duration(text).filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn settings(repo: &TestRepo) -> Result<Settings, Error> {
        Repo::open(repo.path()).unwrap().settings()
    }

    #[test]
    fn what_is_not_set_has_a_default() {
        assert_eq!(settings(&TestRepo::new()).unwrap(), Settings::default());
    }

    #[test]
    fn every_key_is_taken_in_any_case() {
        let repo = TestRepo::bare();
        for (key, value) in [
            ("tinyci.jobs", "4"),
            ("tinyci.jobTimeout", "90s"),
            ("tinyci.commandTimeout", "10m"),
            ("TinyCI.GRACEPERIOD", "2h"),
            ("tinyci.backlogLimit", "0"),
            ("tinyci.buildsdir", "../elsewhere"),
            ("tinyci.logLimit", "2M"),
            ("tinyci.maxAttempts", "5"),
            ("tinyci.secretsDir", "/etc/secrets"),
            ("tinyci.secretRefs", "refs/heads/main"),
            ("tinyci.passEnv", "DEPLOY_*"),
            ("tinyci.nice", "10"),
            ("tinyci.minFreeSpace", "1g"),
            ("tinyci.compactKeep", "5"),
            ("tinyci.pruneKeep", "0"),
            ("tinyci.pruneMaxAge", "30d"),
            ("tinyci.pruneMaxSize", "20g"),
            ("tinyci.keepReleases", "0"),
            ("tinyci.pin", "/srv/app"),
            ("tinyci.approve", "eu_*"),
            ("tinyci.approve.Production", "on"),
            ("tinyci.approvers", "grace@example.org"),
            ("tinyci.foureyes", "true"),
        ] {
            repo.git(&["config", key, value]);
        }
        repo.git(&["config", "--add", "tinyci.refs", "refs/heads/*"]);
        repo.git(&["config", "--add", "tinyci.refs", "refs/tags/*"]);
        repo.git(&["config", "--add", "tinyci.pin", "../links"]);
        let mut approvals = ApprovalRules::default();
        approvals.four_eyes = true;
        approvals.add_environments("eu_*").unwrap();
        approvals.name_environment("production", true);
        approvals.add_approver("grace@example.org").unwrap();
        let expected = Settings {
            refs: vec!["refs/heads/*".into(), "refs/tags/*".into()],
            jobs: 4,
            job_timeout: Some(Duration::from_secs(90)),
            command_timeout: Some(Duration::from_secs(600)),
            grace_period: Duration::from_secs(7200),
            backlog_limit: 0,
            builds_dir: Some(repo.path().join("../elsewhere")),
            log_limit: 2 << 20,
            max_attempts: 5,
            secrets_dir: Some("/etc/secrets".into()),
            secret_refs: vec!["refs/heads/main".into()],
            pass_env: vec!["DEPLOY_*".into()],
            pass_all_env: false,
            nice: 10,
            min_free_space: 1 << 30,
            compact_keep: Some(5),
            prune_keep: Some(0),
            prune_max_age: Some(Duration::from_secs(30 * 24 * 3600)),
            prune_max_size: Some(20 << 30),
            keep_releases: 0,
            pins: vec!["/srv/app".into(), repo.path().join("../links")],
            approvals,
            unknown: Vec::new(),
        };
        assert_eq!(settings(&repo).unwrap(), expected);
        repo.git(&["config", "--add", "tinyci.jobs", "5"]);
        assert_eq!(settings(&repo).unwrap().jobs, 5, "the last one holds");
    }

    #[test]
    fn what_a_host_sets_wins_and_its_lists_replace() {
        let text = |key: &str, value: &str| Given::Text(key.to_owned(), value.to_owned());
        let mut own = Settings { jobs: 7, max_attempts: 9, ..Settings::default() };
        own.approvals.add_approver("grace").unwrap();
        let given = [
            text("JOBS", "2"),
            text("refs", "refs/heads/a"),
            text("Refs", "refs/tags/*"),
            Given::BuildsDir("elsewhere".into()),
            text("buildsDir", "../b"),
            text("secretsDir", "/s"),
            text("pin", "links"),
            text("approve.staging", "yes"),
            text("approvers", "deploy"),
            text("jobTimeout", "1h"),
            Given::Timeout(Duration::from_millis(5)),
        ];
        let settings = own.with(&given, Path::new("/r")).unwrap();
        assert_eq!((settings.jobs, settings.max_attempts), (2, 9));
        assert_eq!(settings.refs, ["refs/heads/a", "refs/tags/*"]);
        assert_eq!(settings.builds_dir.unwrap(), Path::new("/r/../b"));
        assert_eq!(settings.secrets_dir.unwrap(), Path::new("/s"));
        assert_eq!(settings.pins, [Path::new("/r/links")]);
        assert!(settings.approvals.wants("staging") && !settings.approvals.wants("production"));
        assert_eq!(settings.approvals.approvers, ["deploy"], "those of the repository do not hold");
        assert_eq!(settings.job_timeout, Some(Duration::from_millis(5)));
        for (key, value, right) in [
            ("jbos", "2", "did you mean `jobs`?"),
            ("jobs", "0", "whole number from 1"),
            ("approve.x", "3", "`true` or `false`"),
        ] {
            let given = [text(key, value)];
            let error = Settings::default().with(&given, Path::new("/")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArg);
            assert!(error.to_string().contains(right), "{error}");
        }
    }

    #[test]
    fn values_that_are_not_taken_are_named() {
        for (key, value, right) in [
            ("jobs", "0", "whole number from 1"),
            ("jobs", "many", "whole number from 1"),
            ("jobs", "+1 ", "whole number from 1"),
            ("maxAttempts", "-1", "whole number from 1"),
            ("backlogLimit", "", "whole number"),
            ("jobTimeout", "0", "above zero"),
            ("jobTimeout", "1w", "`90s`"),
            ("jobTimeout", "+5", "`90s`"),
            ("jobTimeout", "s", "`90s`"),
            ("commandTimeout", "99999999999999999999h", "a year at most"),
            ("gracePeriod", "18446744073709551615h", "a year at most"),
            ("logLimit", "0", "above zero"),
            ("logLimit", "99999999999999g", "`64m`"),
            ("buildsDir", "", "path of a folder"),
            ("passEnv", "A=B", "names of variables"),
            ("nice", "20", "from 0 to 19"),
            ("nice", "-1", "from 0 to 19"),
            ("minFreeSpace", "lots", "`64m`"),
            ("pruneKeep", "all", "whole number"),
            ("pruneMaxAge", "0", "above zero"),
            ("pruneMaxSize", "1.5g", "`10g`"),
            ("keepReleases", "-1", "whole number"),
            ("pin", "", "path of a folder"),
            ("refs", "main", "full ref names"),
            ("refs", "refs/notes/x", "cannot select notes"),
            ("approve", "true", "names of environments"),
            ("approve.production", "perhaps", "`true` or `false`"),
            ("approvers", "Grace <grace@example.org>", "one principal"),
            ("fourEyes", "2", "`true` or `false`"),
        ] {
            let repo = TestRepo::new();
            repo.git(&["config", &format!("tinyci.{key}"), value]);
            let error = settings(&repo).unwrap_err();
            let (file, text) = (repo.path().join(".git/config"), error.to_string());
            assert_eq!(error.kind(), ErrorKind::InvalidArg, "{text}");
            for part in [&format!("`tinyci.{key} = {value}`"), right, file.to_str().unwrap()] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn a_key_without_a_value_is_refused() {
        let repo = TestRepo::new();
        let file = repo.path().join(".git/config");
        let text = std::fs::read_to_string(&file).unwrap() + "[tinyci]\n\tjobs\n";
        std::fs::write(&file, text).unwrap();
        assert_eq!(settings(&repo).unwrap_err().kind(), ErrorKind::InvalidArg);
    }

    #[test]
    fn unknown_keys_are_told_with_the_nearest_known_one() {
        let repo = TestRepo::new();
        repo.git(&["config", "tinyci.jbos", "2"]);
        repo.git(&["config", "tinyci.nothing.like", "2"]);
        let unknown = settings(&repo).unwrap().unknown;
        assert!(unknown[0].contains("`tinyci.jbos`"), "{unknown:?}");
        assert!(unknown[0].ends_with("did you mean `tinyci.jobs`?"), "{unknown:?}");
        assert!(unknown[1].ends_with("is no setting"), "{unknown:?}");
    }

    #[test]
    fn a_work_tree_s_own_file_and_included_files_are_read() {
        let repo = TestRepo::new();
        repo.git(&["config", "tinyci.jobs", "2"]);
        repo.git(&["config", "include.path", "more"]);
        std::fs::write(repo.path().join(".git/more"), "[tinyci]\n\tmaxAttempts = x\n").unwrap();
        let error = settings(&repo).unwrap_err().to_string();
        assert!(error.contains("a file that `"), "{error}");
        std::fs::write(repo.path().join(".git/more"), "[tinyci]\n\tmaxAttempts = 7\n").unwrap();
        repo.git(&["config", "extensions.worktreeConfig", "true"]);
        repo.git(&["config", "--worktree", "tinyci.jobs", "3"]);
        let settings = settings(&repo).unwrap();
        assert_eq!((settings.jobs, settings.max_attempts), (3, 7));
    }
}
