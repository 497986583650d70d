//! The keys of a config: converts the tree to the steps of a [`Pipeline`].
//!
//! TinyCI 0.5 ignored unknown keys, and the later of two duplicate keys applied. Existing configs
//! rely on this, so tinyci only warns. This concerns the levels that TinyCI 0.5 had: the top,
//! `hooks`, and the mappings around `class` and `config`. In the mapping form of a phase or hook,
//! which is new, both are errors.

use std::{collections::BTreeMap, time::Duration};

use super::{
    deploy,
    document::{Document, Node, Value},
    when,
};
use crate::{
    model::{
        error::{Error, ErrorKind},
        pipeline::{
            DeployRules, Format, Hook, Phase, Pipeline, Step, StepName, Template, Warning, When,
            stays_below,
        },
    },
    util::{duration::parse_duration, suggestion::did_you_mean},
};

/// The keys at the top. The longer syntax of TinyCI 0.5 comes last.
const TOP_KEYS: [&str; 8] =
    ["build", "test", "hooks", "deploy", "when", "builder", "tester", "hooker"];

/// The keys of a phase or hook that is a mapping.
const STEP_KEYS: [&str; 7] = ["run", "env", "cwd", "timeout", "when", "retries", "secrets"];

/// The keys of `deploy` in the mapping form.
const DEPLOY_KEYS: [&str; 11] = [
    "run",
    "env",
    "cwd",
    "timeout",
    "when",
    "retries",
    "secrets",
    "branch",
    "environment",
    "approve",
    "auto",
];

/// Parses a whole config.
pub(super) fn pipeline(document: &Document<'_>) -> Result<Pipeline, Error> {
    let mut reader = Reader { document, warnings: Vec::new() };
    let Top { when, steps, deploy } = reader.top()?;
    if let Some(offset) = document.second {
        let message = "a second document begins here; tinyci reads only the first";
        reader.warnings.push(Warning::new(message, document.source.position(offset)));
    }
    let mut warnings = reader.warnings;
    warnings.sort_by_key(|warning| (warning.position.line, warning.position.column));
    let pipeline = Pipeline::new(Format::Yaml, document.source.name, steps, warnings);
    Ok(pipeline.with_when(when).with_deploy(deploy))
}

/// Parses only `after_all`.
pub(super) fn after_all(document: &Document<'_>) -> Option<Pipeline> {
    let mut reader = Reader { document, warnings: Vec::new() };
    let step = reader.after_all().ok()??;
    Some(Pipeline::new(Format::Yaml, document.source.name, [step], Vec::new()))
}

/// The values of the keys at the top.
struct Top {
    when: When,
    steps: Vec<Step>,
    deploy: DeployRules,
}

/// Walks through a document from the top and collects warnings.
struct Reader<'a> {
    document: &'a Document<'a>,
    warnings: Vec<Warning>,
}

/// The value of a key at the top, by its syntax.
enum Section<'a> {
    Terse(&'a Node),
    Verbose(&'a Node),
}

impl<'a> Reader<'a> {
    fn top(&mut self) -> Result<Top, Error> {
        let root = &self.document.root;
        let expected = "a map with `build`, `test` and `hooks`";
        let entries = match &root.value {
            Value::Mapping(entries) => entries,
            Value::Null => {
                return Err(self
                    .document
                    .error(root, format!("the config is empty; write {expected}")));
            }
            _ => return Err(self.unexpected(root, expected)),
        };
        let entries = self.known_entries(entries, &TOP_KEYS, "the config");
        let when = self.last(&entries, "when");
        let when = when.map(|it| when::of_commit(self.document, it)).transpose()?;
        let mut steps = self.phases(&entries)?;
        match self.section(&entries, "hooks", "hooker") {
            Some(Section::Terse(hooks)) => steps.extend(self.hooks(hooks)?),
            Some(Section::Verbose(value)) => {
                let hooks = self.class_config(value, "ScriptHooker")?;
                steps.extend(self.hooks(hooks)?);
            }
            None => {}
        }
        let mut rules = DeployRules::default();
        if let Some(Section::Terse(body) | Section::Verbose(body)) =
            self.section(&entries, "deploy", "deploy")
        {
            steps.push(self.step(Phase::Deploy.into(), body)?);
            rules = deploy::rules(self.document, body)?;
        }
        if steps.is_empty() {
            return Err(self.nothing_to_run(root));
        }
        Ok(Top { when: when.unwrap_or_default(), steps, deploy: rules })
    }

    fn after_all(&mut self) -> Result<Option<Step>, Error> {
        let entries = self.mapping(&self.document.root, "a map")?;
        let entries = self.known_entries(entries, &TOP_KEYS, "the config");
        let hooks = match self.section(&entries, "hooks", "hooker") {
            Some(Section::Terse(hooks)) => hooks,
            Some(Section::Verbose(value)) => self.class_config(value, "ScriptHooker")?,
            None => return Ok(None),
        };
        let entries = self.mapping(hooks, "a map of hooks to commands")?;
        let name = StepName::from(Hook::AfterAll);
        let entries = self.known_entries(entries, &[name.as_str()], "`hooks`");
        self.last(&entries, name.as_str()).map(|body| self.step(name, body)).transpose()
    }

    /// Parses build and test.
    fn phases(&mut self, entries: &[(&'a Node, &'a Node)]) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        for (phase, terse, verbose, class) in [
            (Phase::Build, "build", "builder", "ScriptBuilder"),
            (Phase::Test, "test", "tester", "ScriptTester"),
        ] {
            match self.section(entries, terse, verbose) {
                Some(Section::Terse(body)) => steps.push(self.step(phase.into(), body)?),
                Some(Section::Verbose(value)) => {
                    let config = self.class_config(value, class)?;
                    steps.push(self.verbose_step(phase.into(), config)?);
                }
                None => {}
            }
        }
        Ok(steps)
    }

    /// Creates the error for an empty pipeline. Without it, every commit would be green, probably
    /// because of a misspelled key.
    fn nothing_to_run(&self, root: &Node) -> Error {
        let mut message = "the config has no `build`, `test`, `deploy` or hook".to_owned();
        if let Some(first) = self.warnings.first() {
            message = format!("{message}: {}", first.message);
            let error = Error::new(ErrorKind::Config, message);
            return error.with_path(self.document.source.name).with_position(first.position);
        }
        self.document.error(root, message)
    }

    /// Returns the value of a phase or of the hooks. If both the terse and the verbose key are set,
    /// the later one applies.
    fn section(
        &mut self,
        entries: &[(&'a Node, &'a Node)],
        terse: &str,
        verbose: &str,
    ) -> Option<Section<'a>> {
        let of_section = |key: &Node| key.text() == Some(terse) || key.text() == Some(verbose);
        let mut entries = entries.iter().filter(|(key, _)| of_section(key)).peekable();
        while let Some((key, value)) = entries.next() {
            let Some((later, _)) = entries.peek() else {
                let is_terse = key.text() == Some(terse);
                return Some(if is_terse {
                    Section::Terse(value)
                } else {
                    Section::Verbose(value)
                });
            };
            let (key, later) = (key.text().unwrap_or(terse), *later);
            let message = format!("`{}` overrides `{key}` above", later.text().unwrap_or(verbose));
            self.warn(later, message);
        }
        None
    }

    /// Returns the `config` of a verbose section. Its `class` must be the only one supported.
    fn class_config(&mut self, value: &'a Node, class: &str) -> Result<&'a Node, Error> {
        let expected = format!("a map with `class: {class}` and `config`");
        let entries = self.mapping(value, &expected)?;
        let entries = self.known_entries(entries, &["class", "config"], "this map");
        if let Some(given) = self.last(&entries, "class")
            && given.text() != Some(class)
        {
            let name = given.text().map_or_else(|| given.kind().to_owned(), |it| format!("`{it}`"));
            let hint = match did_you_mean(given.text().unwrap_or_default(), [class]) {
                hint if hint.is_empty() => format!("; expected `{class}`"),
                hint => hint,
            };
            let message = format!("{name} is not a supported class{hint}");
            return Err(self.document.error(given, message));
        }
        let config = self.last(&entries, "config");
        config.ok_or_else(|| {
            self.document.error(value, format!("`config` is missing; expected {expected}"))
        })
    }

    fn verbose_step(&mut self, name: StepName, config: &'a Node) -> Result<Step, Error> {
        let expected = "a map with `command`";
        let entries = self.mapping(config, expected)?;
        let entries = self.known_entries(entries, &["command"], "this map");
        match self.last(&entries, "command") {
            Some(body) => self.step(name, body),
            None => Err(self
                .document
                .error(config, format!("`command` is missing; expected {expected}"))),
        }
    }

    /// Parses the hooks. An empty `hooks:` has none.
    fn hooks(&mut self, hooks: &'a Node) -> Result<Vec<Step>, Error> {
        if matches!(hooks.value, Value::Null) {
            return Ok(Vec::new());
        }
        let entries = self.mapping(hooks, "a map of hooks to commands")?;
        let names = StepName::ALL.into_iter().filter(|name| matches!(name, StepName::Hook(_)));
        let names: Vec<StepName> = names.collect();
        let keys: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let entries = self.known_entries(entries, &keys, "`hooks`");
        let mut steps = Vec::new();
        for name in names {
            if let Some(body) = self.last(&entries, name.as_str()) {
                steps.push(self.step(name, body)?);
            }
        }
        Ok(steps)
    }

    /// Parses the body of a phase or hook: a command, an array of commands, or the mapping form.
    fn step(&self, name: StepName, body: &Node) -> Result<Step, Error> {
        match &body.value {
            Value::Mapping(entries) => self.mapping_step(name, body, entries),
            Value::Null => {
                let message = format!("`{name}` is empty; add a command or remove it");
                Err(self.document.error(body, message))
            }
            _ => Ok(Step::new(name, self.commands(body)?)),
        }
    }

    fn mapping_step(
        &self,
        name: StepName,
        body: &Node,
        entries: &[(Node, Node)],
    ) -> Result<Step, Error> {
        let keys: &[&str] = if name == Phase::Deploy.into() { &DEPLOY_KEYS } else { &STEP_KEYS };
        self.refuse_unknown(entries, keys)?;
        let value = |name: &str| {
            entries.iter().find(|(key, _)| key.text() == Some(name)).map(|entry| &entry.1)
        };
        let Some(run) = value("run") else {
            let message = format!("`run` is missing: `{name}` has no command");
            return Err(self.document.error(body, message));
        };
        let mut step = Step::new(name, self.commands(run)?);
        if let Some(env) = value("env") {
            step.env = self.env(env)?;
        }
        step.cwd = value("cwd").map(|cwd| self.cwd(cwd)).transpose()?;
        step.timeout = value("timeout").map(|timeout| self.timeout(timeout)).transpose()?;
        if let Some(conditions) = value("when") {
            step.when = when::when(self.document, conditions)?;
        }
        if let Some(retries) = value("retries") {
            step.retries = when::retries(self.document, retries)?;
        }
        if let Some(secrets) = value("secrets") {
            step.secrets = when::secrets(self.document, secrets)?;
        }
        Ok(step)
    }

    fn refuse_unknown(&self, entries: &[(Node, Node)], keys: &[&str]) -> Result<(), Error> {
        for (index, (key, _)) in entries.iter().enumerate() {
            let name = key.text().unwrap_or_default();
            if !keys.contains(&name) {
                let message = self.unknown_key(key, keys, "a phase or hook");
                return Err(self.document.error(key, message));
            }
            if entries.iter().take(index).any(|(earlier, _)| earlier.text() == Some(name)) {
                return Err(self.document.error(key, format!("duplicate key `{name}`")));
            }
        }
        Ok(())
    }

    fn commands(&self, node: &Node) -> Result<Vec<Template>, Error> {
        match &node.value {
            Value::Array(nodes) if !nodes.is_empty() => {
                nodes.iter().map(|node| self.command(node, "a command (a string)")).collect()
            }
            _ => {
                let expected = "a command (a string), an array of commands, or a map with `run`";
                Ok(vec![self.command(node, expected)?])
            }
        }
    }

    fn command(&self, node: &Node, expected: &str) -> Result<Template, Error> {
        let text = node.text().ok_or_else(|| self.unexpected(node, expected))?;
        self.without_nul(node, text)?;
        Ok(self.document.template(node, text))
    }

    fn env(&self, node: &Node) -> Result<BTreeMap<String, Template>, Error> {
        if matches!(node.value, Value::Null) {
            return Ok(BTreeMap::new());
        }
        let entries = self.mapping(node, "a map of variables to strings")?;
        let mut env = BTreeMap::new();
        for (key, value) in entries {
            let name = key.text().filter(|name| is_variable_name(name)).ok_or_else(|| {
                let message = "a variable name can contain only letters, digits and `_`, and \
                               cannot begin with a digit";
                self.document.error(key, message)
            })?;
            if env.insert(name.to_owned(), self.env_value(value)?).is_some() {
                return Err(self.document.error(key, format!("duplicate key `{name}`")));
            }
        }
        Ok(env)
    }

    /// Returns a number or boolean as written.
    fn env_value(&self, node: &Node) -> Result<Template, Error> {
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Number | Value::Boolean => {
                self.document.source.plain(self.document.offset(node))
            }
            _ => return Err(self.unexpected(node, "a string")),
        };
        self.without_nul(node, text)?;
        Ok(self.document.template(node, text))
    }

    /// Parses a directory below the export. If it contains a placeholder, only the run can check
    /// it.
    fn cwd(&self, node: &Node) -> Result<Template, Error> {
        let expected = "a directory of the repository, such as `docs`";
        let text = node.text().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| self.unexpected(node, expected))?;
        self.without_nul(node, text)?;
        if !text.contains("<%") && !stays_below(text) {
            let message = format!("`{text}` is outside the export directory; expected {expected}");
            return Err(self.document.error(node, message));
        }
        Ok(self.document.template(node, text))
    }

    fn timeout(&self, node: &Node) -> Result<Duration, Error> {
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Number => self.document.source.plain(self.document.offset(node)),
            _ => "",
        };
        let duration = parse_duration(text).filter(|duration| !duration.is_zero());
        duration.ok_or_else(|| {
            let expected = "a duration from `1ms` to `365d`, such as `90s`, `10m` or `1h`";
            match text {
                "" => self.unexpected(node, expected),
                _ => self.document.error(node, format!("expected {expected}, got `{text}`")),
            }
        })
    }

    /// Refuses NUL, because it ends strings that the operating system passes to a command.
    fn without_nul(&self, node: &Node, text: &str) -> Result<(), Error> {
        if text.contains('\0') {
            return Err(self.document.error(node, "a command cannot contain the character U+0000"));
        }
        Ok(())
    }

    fn mapping<'n>(&self, node: &'n Node, expected: &str) -> Result<&'n [(Node, Node)], Error> {
        match &node.value {
            Value::Mapping(entries) => Ok(entries),
            _ => Err(self.unexpected(node, expected)),
        }
    }

    /// Returns the entries with these keys. Warns about all others.
    fn known_entries(
        &mut self,
        entries: &'a [(Node, Node)],
        keys: &[&str],
        place: &str,
    ) -> Vec<(&'a Node, &'a Node)> {
        let mut known = Vec::new();
        for (key, value) in entries {
            if key.text().is_some_and(|name| keys.contains(&name)) {
                known.push((key, value));
            } else {
                let message = self.unknown_key(key, keys, place);
                self.warn(key, message);
            }
        }
        known
    }

    /// Returns the value of the last entry with this key. Warns about each entry that it overrides.
    fn last(&mut self, entries: &[(&'a Node, &'a Node)], name: &str) -> Option<&'a Node> {
        let of_name = entries.iter().filter(|(key, _)| key.text() == Some(name));
        let mut last = None;
        for (key, value) in of_name {
            if last.replace(*value).is_some() {
                self.warn(key, format!("`{name}` overrides the earlier `{name}`"));
            }
        }
        last
    }

    fn unknown_key(&self, key: &Node, keys: &[&str], place: &str) -> String {
        let Some(name) = key.text() else {
            return format!("{} is not a key of {place}", key.kind());
        };
        let hint = match did_you_mean(name, keys.iter().copied()) {
            hint if hint.is_empty() => format!("; the keys are {}", listed(keys)),
            hint => hint,
        };
        format!("`{name}` is not a key of {place}{hint}")
    }

    fn warn(&mut self, node: &Node, message: String) {
        self.warnings.push(Warning::new(message, self.document.position(node)));
    }

    fn unexpected(&self, node: &Node, expected: &str) -> Error {
        let mut message = format!("expected {expected}, got {}", node.kind());
        if matches!(node.value, Value::Number | Value::Boolean) {
            let plain = self.document.source.plain(self.document.offset(node));
            message = format!("{message}; if `{plain}` is meant as a string, put it in quotes");
        }
        self.document.error(node, message)
    }
}

/// Formats keys as `a, b and c`, each in backticks.
fn listed(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn is_variable_name(name: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    !name.is_empty()
        && name.chars().all(letters)
        && !name.starts_with(|it: char| it.is_ascii_digit())
}
