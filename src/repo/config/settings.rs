//! The repository's settings: git's configuration, section `tinyci`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use git2::{ConfigEntry, ConfigLevel};

use super::environment;
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

/// The settings that apply: those of the repository, the user and the machine, else the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `tinyci.refs`, several values: globs of the refs whose commits are tested.
    pub(crate) refs: Vec<String>,
    /// `tinyci.jobs`: number of commits tested at the same time.
    pub(crate) jobs: usize,
    /// `tinyci.jobTimeout`: time limit of one job, without `after_all`.
    pub(crate) job_timeout: Option<Duration>,
    /// `tinyci.commandTimeout`: time limit of one command.
    pub(crate) command_timeout: Option<Duration>,
    /// `tinyci.gracePeriod`: time between SIGTERM and SIGKILL.
    pub(crate) grace_period: Duration,
    /// `tinyci.backlogLimit`: of a push with more new commits, only the branch tips are tested.
    pub(crate) backlog_limit: usize,
    /// `tinyci.buildsDir`, absolute: the directory of builds instead of `builds/`.
    pub(crate) builds_dir: Option<PathBuf>,
    /// `tinyci.logLimit`: bytes of output kept per job.
    pub(crate) log_limit: u64,
    /// `tinyci.maxAttempts`: attempts without a verdict before a commit needs `--retry`.
    pub(crate) max_attempts: u32,
    /// `tinyci.secretsDir`, absolute: the directory with one file per secret.
    pub(crate) secrets_dir: Option<PathBuf>,
    /// `tinyci.secretRefs`, several values: globs of the refs whose commits may use secrets. Without a
    /// value, no commit may.
    pub(crate) secret_refs: Vec<String>,
    /// `tinyci.passEnv`, several values: the inherited environment variables that commands get.
    pub(crate) pass_env: Vec<String>,
    /// True if commands get all variables but git's when `tinyci.passEnv` is not set; else they get a
    /// short list. Not a key: the command line sets it, embedding programs usually do not.
    pub(crate) pass_all_env: bool,
    /// `tinyci.nice`: niceness of commands.
    pub(crate) nice: u8,
    /// `tinyci.minFreeSpace`: free bytes required before a commit is exported.
    pub(crate) min_free_space: u64,
    /// `tinyci.compactKeep`: after a run, all builds but the newest N are packed.
    pub(crate) compact_keep: Option<usize>,
    /// `tinyci.pruneKeep`: after a run, all builds but the newest N are deleted.
    pub(crate) prune_keep: Option<usize>,
    /// `tinyci.pruneMaxAge`: after a run, builds that were last run longer ago are deleted.
    pub(crate) prune_max_age: Option<Duration>,
    /// `tinyci.pruneMaxSize`: after a run, the oldest builds are deleted until the rest fits in this
    /// many bytes.
    pub(crate) prune_max_size: Option<u64>,
    /// `tinyci.keepReleases`: number of releases before the deployed one whose builds are kept.
    pub(crate) keep_releases: usize,
    /// `tinyci.pin`, several values, absolute: directories whose symlinks protect the builds they
    /// point into.
    pub(crate) pins: Vec<PathBuf>,
    /// `tinyci.approve`, `tinyci.approve.ENV`, `tinyci.approvers` and `tinyci.fourEyes`: which
    /// deployments need an approval, and which approvals count.
    pub(crate) approvals: ApprovalRules,
    /// `tinyci.requireSigned`, several values: globs of the refs whose commits need a signature to be
    /// deployed and to use secrets.
    pub(crate) require_signed: Vec<String>,
    /// A warning for each unknown key of the section.
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
            require_signed: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

/// A key: its description, its default, the values it takes, and how a value is read.
pub(in crate::repo) struct Key {
    /// The name as `git config` takes it.
    pub(in crate::repo) name: &'static str,
    /// True if all of its values apply, not only the last one.
    pub(in crate::repo) several: bool,
    pub(in crate::repo) description: &'static str,
    pub(in crate::repo) default: Fallback,
    /// The values it takes, as the end of `expected …`.
    expected: &'static str,
    /// Stores a value, or returns `None` if the key does not take it.
    take: fn(&mut Settings, &str) -> Option<()>,
}

/// The default of a key.
pub(in crate::repo) enum Fallback {
    /// A value that `git config` could set to the same effect.
    Value(&'static str),
    /// A description, if no value has the same effect.
    Words(&'static str),
}

const TIME: &str = "a time above zero such as `90s`, `10m` or `1h`, at most a year";
const COUNT: &str = "an integer of at least 1";
const NUMBER: &str = "an integer of at least 0";
const DIRECTORY: &str = "the path of a directory";
const BYTES: &str = "a size in bytes such as `1048576`, `512k`, `64m` or `10g`";

const SWITCH: &str = "`true` or `false`";

/// The prefix of the keys for single environments: `tinyci.approve.production`.
pub(in crate::repo) const APPROVE_PREFIX: &str = "tinyci.approve.";

/// Every key except those for single environments.
pub(in crate::repo) const KEYS: [Key; 24] = [
    Key {
        name: "tinyci.refs",
        several: true,
        description: "globs of the refs whose commits are tested, one per value",
        default: Fallback::Value("refs/heads/*"),
        expected: "a full ref name such as `refs/heads/main` or a glob such as `refs/heads/*`",
        take: |settings, text| {
            settings.refs.push(text.to_owned());
            pattern_fault(text).is_none().then_some(())
        },
    },
    Key {
        name: "tinyci.jobs",
        several: false,
        description: "number of commits tested at the same time",
        default: Fallback::Value("1"),
        expected: COUNT,
        take: |settings, text| set(&mut settings.jobs, text.parse().ok().filter(|n| *n > 0)),
    },
    Key {
        name: "tinyci.jobTimeout",
        several: false,
        description: "time limit of one job; `after_all` gets the same time again",
        default: Fallback::Words("no limit"),
        expected: TIME,
        take: |settings, text| set(&mut settings.job_timeout, limit(text).map(Some)),
    },
    Key {
        name: "tinyci.commandTimeout",
        several: false,
        description: "time limit of one command",
        default: Fallback::Words("no limit"),
        expected: TIME,
        take: |settings, text| set(&mut settings.command_timeout, limit(text).map(Some)),
    },
    Key {
        name: "tinyci.gracePeriod",
        several: false,
        description: "grace period between SIGTERM and SIGKILL when tinyci stops a command",
        default: Fallback::Value("10s"),
        expected: "a time such as `10s` or `1m`, at most a year",
        take: |settings, text| set(&mut settings.grace_period, parse_duration(text)),
    },
    Key {
        name: "tinyci.backlogLimit",
        several: false,
        description: "if a push brings more new commits than this, only the branch tips are tested",
        default: Fallback::Value("20"),
        expected: NUMBER,
        take: |settings, text| set(&mut settings.backlog_limit, text.parse().ok()),
    },
    Key {
        name: "tinyci.buildsDir",
        several: false,
        description: "directory that contains the builds",
        default: Fallback::Value("builds"),
        expected: DIRECTORY,
        take: |settings, text| {
            let path = (!text.is_empty()).then(|| Some(PathBuf::from(text)));
            set(&mut settings.builds_dir, path)
        },
    },
    Key {
        name: "tinyci.logLimit",
        several: false,
        description: "output kept per job, in bytes",
        default: Fallback::Value("128m"),
        expected: "a size above zero in bytes such as `1048576`, `512k`, `64m` or `1g`",
        take: |settings, text| set(&mut settings.log_limit, parse_bytes(text).filter(|n| *n > 0)),
    },
    Key {
        name: "tinyci.maxAttempts",
        several: false,
        description: "attempts without a verdict before a commit needs `tinyci run --retry`",
        default: Fallback::Value("3"),
        expected: COUNT,
        take: |settings, text| {
            set(&mut settings.max_attempts, text.parse().ok().filter(|n| *n > 0))
        },
    },
    Key {
        name: "tinyci.secretsDir",
        several: false,
        description: "directory with one file per secret",
        default: Fallback::Words("no secrets"),
        expected: DIRECTORY,
        take: |settings, text| {
            let path = (!text.is_empty()).then(|| Some(PathBuf::from(text)));
            set(&mut settings.secrets_dir, path)
        },
    },
    Key {
        name: "tinyci.secretRefs",
        several: true,
        description: "globs of the refs whose commits may use secrets, one per value",
        default: Fallback::Words("no refs"),
        expected: "a full ref name such as `refs/heads/main` or a glob such as \
                   `refs/heads/release-*`",
        take: |settings, text| {
            settings.secret_refs.push(text.to_owned());
            secret_pattern_fault(text).is_none().then_some(())
        },
    },
    Key {
        name: "tinyci.passEnv",
        several: true,
        description: "inherited environment variables that commands get, one per value: a name, or a \
                      prefix such as `DEPLOY_*`; `+` in front adds to the default",
        default: Fallback::Words(
            "all but `GIT_*`, `TINYCI_*` and output directories such as `CARGO_TARGET_DIR`; in \
             embedding programs a short list such as `PATH` and `HOME`",
        ),
        expected: "the name of a variable or a prefix such as `DEPLOY_*`, optionally after `+`, or \
                   an empty value for the short list",
        take: |settings, text| {
            settings.pass_env.push(text.to_owned());
            is_pattern(text).then_some(())
        },
    },
    Key {
        name: "tinyci.nice",
        several: false,
        description: "niceness of commands, 0 to 19 (see nice(1))",
        default: Fallback::Value("0"),
        expected: "an integer from 0 to 19",
        take: |settings, text| set(&mut settings.nice, text.parse().ok().filter(|n| *n <= 19)),
    },
    Key {
        name: "tinyci.minFreeSpace",
        several: false,
        description: "free disk space required to start a job, in bytes",
        default: Fallback::Value("64m"),
        expected: BYTES,
        take: |settings, text| set(&mut settings.min_free_space, parse_bytes(text)),
    },
    Key {
        name: "tinyci.compactKeep",
        several: false,
        description: "after a run, pack all builds but the newest N",
        default: Fallback::Words("pack none"),
        expected: NUMBER,
        take: |settings, text| set(&mut settings.compact_keep, text.parse().ok().map(Some)),
    },
    Key {
        name: "tinyci.pruneKeep",
        several: false,
        description: "after a run, delete all builds but the newest N",
        default: Fallback::Words("delete none"),
        expected: NUMBER,
        take: |settings, text| set(&mut settings.prune_keep, text.parse().ok().map(Some)),
    },
    Key {
        name: "tinyci.pruneMaxAge",
        several: false,
        description: "after a run, delete builds that were last run longer ago than this",
        default: Fallback::Words("delete none"),
        expected: TIME,
        take: |settings, text| set(&mut settings.prune_max_age, limit(text).map(Some)),
    },
    Key {
        name: "tinyci.pruneMaxSize",
        several: false,
        description: "after a run, delete the oldest builds until the rest takes at most this many \
                      bytes",
        default: Fallback::Words("delete none"),
        expected: BYTES,
        take: |settings, text| set(&mut settings.prune_max_size, parse_bytes(text).map(Some)),
    },
    Key {
        name: "tinyci.keepReleases",
        several: false,
        description: "for each environment, number of releases before the deployed one whose builds \
                      are kept",
        default: Fallback::Value("2"),
        expected: NUMBER,
        take: |settings, text| set(&mut settings.keep_releases, text.parse().ok()),
    },
    Key {
        name: "tinyci.pin",
        several: true,
        description: "directories with symlinks of your deploy scripts, one per value; a build that a \
                      symlink points into is never packed or deleted",
        default: Fallback::Words("no directories"),
        expected: DIRECTORY,
        take: |settings, text| {
            settings.pins.push(PathBuf::from(text));
            (!text.is_empty()).then_some(())
        },
    },
    Key {
        name: "tinyci.approve",
        several: true,
        description: "environments that need an approval even if the config does not ask for one, one \
                      per value: a name, or a prefix such as `eu_*`; `tinyci.approve.ENV` sets `true` \
                      or `false` for one environment",
        default: Fallback::Words("no environments"),
        expected: "the name of an environment such as `production`, a prefix such as `eu_*`, or `*` \
                   for all",
        take: |settings, text| settings.approvals.add_environments(text),
    },
    Key {
        name: "tinyci.approvers",
        several: true,
        description: "the people who may approve, one per value: a principal from the file in \
                      `gpg.ssh.allowedSignersFile`, who signs approvals, or an account of this \
                      machine, which approves here",
        default: Fallback::Words("anyone, without proof"),
        expected: "one principal such as `grace@example.org`, or the name of one account",
        take: |settings, text| settings.approvals.add_approver(text),
    },
    Key {
        name: "tinyci.fourEyes",
        several: false,
        description: "true if an approval by the author or the committer of the commit does not count",
        default: Fallback::Value("false"),
        expected: SWITCH,
        take: |settings, text| set(&mut settings.approvals.four_eyes, switch(text)),
    },
    Key {
        name: "tinyci.requireSigned",
        several: true,
        description: "globs of the refs whose commits need a signature that `git verify-commit` accepts \
                      on the server, to be deployed and to use secrets, one per value; `true` for \
                      all refs",
        default: Fallback::Words("no refs"),
        expected: "`true`, a full ref name such as `refs/heads/main` or a glob such as `refs/tags/v*`",
        take: |settings, text| settings.add_signed(text),
    },
];

/// The refs of `true` as a value of `tinyci.requireSigned`.
const ALL_REFS: &str = "refs/*";

/// Parses a boolean as git does.
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

/// A setting from an embedding program: as a string that git's configuration takes, or typed.
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
    /// Returns true if it is a string value of this key.
    fn is_text_of(&self, name: &str) -> bool {
        matches!(self, Given::Text(key, _) if key.eq_ignore_ascii_case(name))
    }
}

impl Settings {
    /// Returns the settings with those of an embedding program applied; the last value of a key
    /// wins.
    ///
    /// Relative paths are relative to `root`.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) with the key, the value and the expected values.
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

    /// Stores a string value. The first value of a key with several values replaces the values that
    /// were there.
    fn take_text(&mut self, name: &str, value: &str, is_first: bool) -> Result<(), Error> {
        if let Some(environment) = environment_key(&format!("tinyci.{name}")) {
            let is_needed = switch(value).ok_or_else(|| {
                let message =
                    format!("invalid value `{value}` for the setting `{name}`: expected {SWITCH}");
                Error::new(ErrorKind::InvalidArg, message)
            })?;
            self.approvals.name_environment(environment, is_needed);
            return Ok(());
        }
        let Some(key) = KEYS.iter().find(|key| short(key).eq_ignore_ascii_case(name)) else {
            let advice = did_you_mean(name, KEYS.iter().map(short));
            let message = format!("unknown setting `{name}`{advice}");
            return Err(Error::new(ErrorKind::InvalidArg, message));
        };
        if is_first && key.several {
            self.clear(key.name);
        }
        (key.take)(self, value).ok_or_else(|| {
            let problem = problem(key, value);
            let message = format!("invalid value `{value}` for the setting `{name}`: {problem}");
            Error::new(ErrorKind::InvalidArg, message)
        })
    }

    /// Stores a value of `tinyci.requireSigned`: refs, or a boolean. `false` takes back what was set
    /// before it, such as in the configuration of the machine.
    fn add_signed(&mut self, text: &str) -> Option<()> {
        match switch(text) {
            Some(true) => self.require_signed.push(ALL_REFS.to_owned()),
            Some(false) => self.require_signed.clear(),
            None => {
                self.require_signed.push(text.to_owned());
                return secret_pattern_fault(text).is_none().then_some(());
            }
        }
        Some(())
    }

    /// Returns the filter for the inherited environment variables of commands.
    pub(crate) fn env_filter(&self) -> EnvFilter {
        EnvFilter::new(self.pass_all_env, &self.pass_env)
    }

    /// Removes all values of a key with several values.
    fn clear(&mut self, list: &str) {
        match list {
            "tinyci.refs" => self.refs.clear(),
            "tinyci.secretRefs" => self.secret_refs.clear(),
            "tinyci.pin" => self.pins.clear(),
            "tinyci.approve" => self.approvals.environments.clear(),
            "tinyci.approvers" => self.approvals.approvers.clear(),
            "tinyci.requireSigned" => self.require_signed.clear(),
            _ => self.pass_env.clear(),
        }
    }
}

/// Returns the key's name within its section.
fn short(key: &Key) -> &'static str {
    key.name.strip_prefix("tinyci.").unwrap_or(key.name)
}

/// Returns why the key does not take this value, with the right spelling if it is known.
fn problem(key: &Key, value: &str) -> String {
    let fault = match key.name {
        "tinyci.refs" => pattern_fault(value),
        "tinyci.secretRefs" | "tinyci.requireSigned" => secret_pattern_fault(value),
        _ => None,
    };
    match fault {
        Some(fault) => format!("the setting {fault}"),
        None => format!("expected {}", key.expected),
    }
}

/// Returns the environment in the name of a key such as `tinyci.approve.production`.
pub(in crate::repo) fn environment_key(name: &str) -> Option<&str> {
    let (prefix, environment) = name.split_at_checked(APPROVE_PREFIX.len())?;
    let is_one = prefix.eq_ignore_ascii_case(APPROVE_PREFIX) && !environment.is_empty();
    is_one.then_some(environment)
}

/// Returns the path with `~/` replaced by the home directory, as git does.
fn at_home(dir: &Path) -> PathBuf {
    let below = dir.strip_prefix("~").ok();
    let path = below.and_then(|below| Some(std::env::home_dir()?.join(below)));
    path.unwrap_or_else(|| dir.to_path_buf())
}

impl Repo {
    /// Reads the settings of this repository from git's configuration.
    ///
    /// If a key is set several times, the last value wins (machine, then user, then repository). A
    /// key with several values has all of them.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) with the key, the value, the file and the expected
    /// values.
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
            // This reads `~/` as git does. Relative paths are relative to the root.
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
            let is_needed =
                if entry.has_value() { entry.value().ok().and_then(switch) } else { Some(true) };
            let is_needed = is_needed.ok_or_else(|| {
                let value = String::from_utf8_lossy(entry.value_bytes());
                let message =
                    format!("invalid value `{value}` for `{name}` in {file}: expected {SWITCH}");
                Error::new(ErrorKind::InvalidArg, message)
            })?;
            settings.approvals.name_environment(environment, is_needed);
            return Ok(());
        }
        // git lowercases the names of keys.
        let Some(key) = KEYS.iter().find(|key| key.name.eq_ignore_ascii_case(&name)) else {
            settings.unknown.push(unknown(&name, &file));
            return Ok(());
        };
        let Key { name, take, .. } = key;
        let value = if entry.has_value() { entry.value_bytes() } else { b"" };
        let taken = std::str::from_utf8(value).ok().and_then(|text| take(settings, text));
        taken.ok_or_else(|| {
            let value = String::from_utf8_lossy(value);
            let problem = problem(key, &value);
            let message = format!("invalid value `{value}` for `{name}` in {file}: {problem}");
            Error::new(ErrorKind::InvalidArg, message)
        })
    }

    /// Returns the file that contains an entry, if libgit2 reports it.
    pub(in crate::repo) fn file_of(&self, entry: &ConfigEntry<'_>) -> String {
        let path = match entry.level() {
            ConfigLevel::App => return "the environment".to_owned(),
            level if environment::file(level).is_some() => environment::file(level),
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
    format!("unknown setting `{name}` in {file}{advice}")
}

/// Parses a duration above zero.
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
            ("tinyci.requireSigned", "refs/tags/v*"),
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
            require_signed: vec!["refs/tags/v*".into()],
            unknown: Vec::new(),
        };
        assert_eq!(settings(&repo).unwrap(), expected);
        repo.git(&["config", "--add", "tinyci.jobs", "5"]);
        assert_eq!(settings(&repo).unwrap().jobs, 5, "the last one wins");
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
            ("jobs", "0", "expected an integer of at least 1"),
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
            ("jobs", "0", "an integer of at least 1"),
            ("jobs", "many", "an integer of at least 1"),
            ("jobs", "+1 ", "an integer of at least 1"),
            ("maxAttempts", "-1", "an integer of at least 1"),
            ("backlogLimit", "", "an integer of at least 0"),
            ("jobTimeout", "0", "above zero"),
            ("jobTimeout", "1w", "`90s`"),
            ("jobTimeout", "+5", "`90s`"),
            ("jobTimeout", "s", "`90s`"),
            ("commandTimeout", "99999999999999999999h", "at most a year"),
            ("gracePeriod", "18446744073709551615h", "at most a year"),
            ("logLimit", "0", "above zero"),
            ("logLimit", "99999999999999g", "`64m`"),
            ("buildsDir", "", "the path of a directory"),
            ("passEnv", "A=B", "the name of a variable"),
            ("nice", "20", "from 0 to 19"),
            ("nice", "-1", "from 0 to 19"),
            ("minFreeSpace", "lots", "`64m`"),
            ("pruneKeep", "all", "an integer of at least 0"),
            ("pruneMaxAge", "0", "above zero"),
            ("pruneMaxSize", "1.5g", "`10g`"),
            ("keepReleases", "-1", "an integer of at least 0"),
            ("pin", "", "the path of a directory"),
            ("refs", "main", "full ref names"),
            ("refs", "refs/notes/x", "cannot select notes"),
            ("approve", "true", "the name of an environment"),
            ("approve.production", "perhaps", "`true` or `false`"),
            ("approvers", "Grace <grace@example.org>", "one principal"),
            ("fourEyes", "2", "`true` or `false`"),
        ] {
            let repo = TestRepo::new();
            repo.git(&["config", &format!("tinyci.{key}"), value]);
            let error = settings(&repo).unwrap_err();
            let (file, text) = (repo.path().join(".git/config"), error.to_string());
            assert_eq!(error.kind(), ErrorKind::InvalidArg, "{text}");
            for part in [
                &format!("invalid value `{value}` for `tinyci.{key}` in `"),
                right,
                file.to_str().unwrap(),
            ] {
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
        assert!(unknown[0].starts_with("unknown setting `tinyci.jbos` in `"), "{unknown:?}");
        assert!(unknown[0].ends_with("did you mean `tinyci.jobs`?"), "{unknown:?}");
        assert!(unknown[1].ends_with("/config`"), "{unknown:?}");
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
