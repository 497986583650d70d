//! The commit of a test: everything that `ctx` contains, and the answers to a step's requests.

use std::{collections::BTreeMap, sync::Arc};

use rhai::{Array, Dynamic, Map};

use crate::{
    model::{
        commit::{Commit, CommitId, GitString, TreeId},
        error::Error,
        function::Value,
        step::{ChangedPath, Changes, Facts, FailureFacts},
    },
    rules::glob::path_of_text,
    script::values::{
        conversion::value_of,
        kind::kind,
        thrown::{Thrown, throw},
    },
    util::suggestion::{did_you_mean, did_you_mean_or_list},
};

/// All keys of a commit, in the order of the reference.
pub(super) const KEYS: [&str; 25] = [
    "commit",
    "tree",
    "branch",
    "tags",
    "tag",
    "subject",
    "message",
    "author",
    "time",
    "parents",
    "trigger",
    "environment",
    "changes",
    "base",
    "previous",
    "result",
    "failure",
    "failures",
    "approved",
    "secrets",
    "env",
    "remembered",
    "programs",
    "files",
    "machine",
];

/// The default id of a commit.
const SHA: &str = "1234567890abcdef1234567890abcdef12345678";

/// The default id of a tree.
const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// The default id of the parent.
const PARENT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The commit of a test.
#[derive(Clone, Debug)]
pub(super) struct FakeCommit {
    pub(super) facts: Facts,
    pub(super) changes: Arc<Changes>,
    pub(super) previous: Option<String>,
    pub(super) approved: bool,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) remembered: BTreeMap<String, Value>,
    /// Programs in `PATH`. `None` means all programs.
    pub(super) programs: Option<Vec<String>>,
    /// Contents of files by path, if the test defines the files.
    pub(super) files: Option<BTreeMap<String, String>>,
}

impl FakeCommit {
    /// Returns the commit for functions of the embedding program.
    pub(super) fn commit(&self) -> Result<Commit, Error> {
        let facts = &self.facts;
        let parents = facts.parents.iter().map(|parent| parent.parse());
        Ok(Commit {
            id: facts.commit.parse()?,
            tree: facts.tree.parse()?,
            parents: parents.collect::<Result<_, _>>()?,
            ..self.without_ids()
        })
    }

    /// Returns the commit without ids, for tests whose ids are not complete.
    pub(super) fn without_ids(&self) -> Commit {
        let facts = &self.facts;
        Commit {
            id: CommitId::from_bytes([0; 20]),
            tree: TreeId::from_bytes([0; 20]),
            parents: Vec::new(),
            time: facts.time,
            author: GitString::new(facts.author.as_str()),
            subject: GitString::new(facts.subject.as_str()),
            message: GitString::new(facts.message.as_str()),
            branch: facts.branch.as_deref().map(GitString::new),
        }
    }
}

impl Default for FakeCommit {
    fn default() -> Self {
        let facts = Facts {
            commit: SHA.to_owned(),
            tree: TREE.to_owned(),
            branch: Some("main".to_owned()),
            subject: "A commit".to_owned(),
            author: "Ada <ada@example.org>".to_owned(),
            time: 1_500_000_000,
            parents: vec![PARENT.to_owned()],
            export_dir: "/builds/export".to_owned(),
            build_dir: "/builds".to_owned(),
            repo: "/repository".to_owned(),
            job_id: "test".to_owned(),
            trigger: "pending".to_owned(),
            machine: "host".to_owned(),
            ..Facts::default()
        };
        Self {
            facts,
            changes: Arc::default(),
            previous: None,
            approved: false,
            secrets: BTreeMap::new(),
            env: BTreeMap::new(),
            remembered: BTreeMap::new(),
            programs: None,
            files: None,
        }
    }
}

impl FakeCommit {
    /// Returns true if a commit has this key.
    pub(super) fn has(key: &str) -> bool {
        KEYS.contains(&key)
    }

    /// Reads a commit from a map.
    pub(super) fn of(value: Option<&Dynamic>) -> Result<Self, Thrown> {
        let mut commit = Self::default();
        let Some(value) = value else { return Ok(commit.completed()) };
        let value = value.flatten_clone();
        let map = value.read_lock::<Map>().ok_or_else(|| {
            let found = kind(&value);
            throw(format!("a commit is a map such as `#{{ branch: \"main\" }}`, not {found}"))
        })?;
        for (key, value) in map.iter() {
            commit.set(key, &value.flatten_clone())?;
        }
        Ok(commit.completed())
    }

    fn set(&mut self, key: &str, value: &Dynamic) -> Result<(), Thrown> {
        let facts = &mut self.facts;
        match key {
            "commit" => facts.commit = text(key, value)?,
            "tree" => facts.tree = text(key, value)?,
            "branch" => facts.branch = optional(key, value)?,
            "tags" => facts.tags = texts(key, value)?,
            "tag" => facts.tag = optional(key, value)?,
            "subject" => facts.subject = text(key, value)?,
            "message" => facts.message = text(key, value)?,
            "author" => facts.author = text(key, value)?,
            "time" => facts.time = value.as_int().map_err(|_| wrong(key, "an int", value))?,
            "parents" => facts.parents = texts(key, value)?,
            "trigger" => facts.trigger = text(key, value)?,
            "environment" => facts.environment = optional(key, value)?,
            "machine" => facts.machine = text(key, value)?,
            "result" => self.set_result(value)?,
            "failure" if value.is_unit() => {}
            "failure" => facts.progress.failures = vec![failure(value)?],
            "failures" => facts.progress.failures = failures(value)?,
            "changes" => self.changes = self.with_paths(texts(key, value)?),
            "base" => {
                let (base, paths) = (optional(key, value)?, self.changes.exact.clone());
                self.changes = Arc::new(Changes::new(base, paths));
            }
            "previous" => self.previous = optional(key, value)?,
            "approved" => {
                let takes = "a bool";
                self.approved = value.as_bool().map_err(|_| wrong(key, takes, value))?;
            }
            "secrets" => self.secrets = entries(key, value, text)?,
            "env" => self.env = entries(key, value, text)?,
            "remembered" => {
                let takes = "a map of strings, numbers, bools, arrays and maps";
                let of = |_: &str, it: &Dynamic| value_of(it).ok_or_else(|| wrong(key, takes, it));
                self.remembered = entries(key, value, of)?;
            }
            "programs" => self.programs = Some(texts(key, value)?),
            "files" => self.files = Some(files(value)?),
            unknown => {
                let hint = did_you_mean_or_list(unknown, &KEYS);
                return Err(throw(format!("a commit has no `{unknown}`{hint}")));
            }
        }
        Ok(())
    }

    /// Sets the changed paths. Without a base, they are changes since the parent. A path that ends
    /// with `/` is a submodule.
    fn with_paths(&self, paths: Vec<String>) -> Arc<Changes> {
        let base = self.changes.base.clone().or_else(|| Some(PARENT.to_owned()));
        let paths = paths.iter().map(|path| {
            let (path, is_directory) = path_of_text(path);
            ChangedPath { bytes: path.into_bytes(), is_directory }
        });
        Arc::new(Changes::new(base, paths.collect()))
    }

    fn set_result(&mut self, value: &Dynamic) -> Result<(), Thrown> {
        for (step, word) in entries("result", value, text)? {
            match step.as_str() {
                "build" => self.facts.progress.build = Some(word),
                "test" => self.facts.progress.test = Some(word),
                unknown => {
                    let hint = did_you_mean(unknown, ["build", "test"]);
                    let message = format!("`result` has `build` and `test`, not `{unknown}`{hint}");
                    return Err(throw(message));
                }
            }
        }
        Ok(())
    }

    /// Fills in the fields that depend on others.
    fn completed(mut self) -> Self {
        let facts = &mut self.facts;
        facts.tags.extend(facts.tag.clone().filter(|tag| !facts.tags.contains(tag)));
        facts.tags.sort();
        self.facts.short = self.facts.commit.chars().take(7).collect();
        if self.facts.message.is_empty() {
            self.facts.message = format!("{}\n", self.facts.subject);
        }
        self
    }
}

fn wrong(key: &str, takes: &str, found: &Dynamic) -> Thrown {
    throw(format!("`{key}` of a commit must be {takes}, not {}", kind(found)))
}

fn text(key: &str, value: &Dynamic) -> Result<String, Thrown> {
    value.flatten_clone().into_string().map_err(|_| wrong(key, "a string", value))
}

fn optional(key: &str, value: &Dynamic) -> Result<Option<String>, Thrown> {
    if value.is_unit() {
        return Ok(None);
    }
    value.clone().into_string().map(Some).map_err(|_| wrong(key, "a string or null (`()`)", value))
}

fn texts(key: &str, value: &Dynamic) -> Result<Vec<String>, Thrown> {
    let list =
        value.read_lock::<Array>().ok_or_else(|| wrong(key, "an array of strings", value))?;
    list.iter().map(|item| text(key, item)).collect()
}

fn entries<T>(
    key: &str,
    value: &Dynamic,
    of: impl Fn(&str, &Dynamic) -> Result<T, Thrown>,
) -> Result<BTreeMap<String, T>, Thrown> {
    let map = value.read_lock::<Map>().ok_or_else(|| wrong(key, "a map", value))?;
    map.iter().map(|(name, value)| Ok((name.to_string(), of(name, value)?))).collect()
}

/// Reads a map of contents by path, from the top of the repository.
fn files(value: &Dynamic) -> Result<BTreeMap<String, String>, Thrown> {
    let files = entries("files", value, text)?;
    let is_invalid = |path: &&String| path.split('/').any(|part| matches!(part, "" | "." | ".."));
    match files.keys().find(is_invalid) {
        None => Ok(files),
        Some(path) => Err(throw(format!(
            "`{path}` is not a valid path in `files`; write names separated by single `/`, such as \
             `src/main.rs`"
        ))),
    }
}

fn failures(value: &Dynamic) -> Result<Vec<FailureFacts>, Thrown> {
    let list = value.read_lock::<Array>();
    let list = list.ok_or_else(|| wrong("failures", "an array of maps", value))?;
    list.iter().map(failure).collect()
}

fn failure(value: &Dynamic) -> Result<FailureFacts, Thrown> {
    const KEYS: [&str; 7] = ["command", "code", "at", "tail", "label", "place", "message"];
    let map =
        value.read_lock::<Map>().ok_or_else(|| wrong("failure", "a map or null (`()`)", value))?;
    let mut failure = FailureFacts { at: "build".to_owned(), ..FailureFacts::default() };
    for (key, value) in map.iter() {
        match key.as_str() {
            "command" => failure.command = text(key, value)?,
            "code" => failure.code = Some(value.as_int().map_err(|_| wrong(key, "an int", value))?),
            "at" => failure.at = text(key, value)?,
            "tail" => failure.tail = text(key, value)?,
            "label" => failure.label = Some(text(key, value)?),
            "place" => failure.place = Some(text(key, value)?),
            "message" => failure.message = text(key, value)?,
            unknown => {
                let hint = did_you_mean_or_list(unknown, &KEYS);
                let message = format!("`failure` has no `{unknown}`{hint}");
                return Err(throw(message));
            }
        }
    }
    Ok(failure)
}
