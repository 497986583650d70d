//! [`Pipeline::to_rhai`]: converts a config in YAML to a script.
//!
//! Commands keep their placeholders, because `sh` fills them in by the same rules. Environment
//! variables and directories of a script have no placeholders. There they become expressions with
//! `ctx`, and no shell reads their values.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use crate::model::{
    error::{Error, ErrorKind, Position},
    pipeline::{DeployRules, Format, Phase, Pipeline, Step, StepName, Template, When},
};

/// The default time limit of a phase in a script. Steps in YAML have no default limit.
const SCRIPT_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The placeholder whose value depends on the conditions of its step.
const TAG_PLACEHOLDER: &str = "tag";

/// The expression for each of tinyci's placeholders in a script, as a string.
const VARIABLES: [(&str, &str); 15] = [
    ("author", "ctx.author"),
    ("branch", "ctx.branch ?? \"\""),
    ("commit", "ctx.commit"),
    ("environment", "ctx.environment ?? \"\""),
    ("export", "ctx.export_dir"),
    ("message", "ctx.message"),
    ("step", "ctx.step"),
    ("repo", "ctx.repo"),
    ("job_id", "ctx.job_id"),
    ("short", "ctx.short"),
    ("subject", "ctx.subject"),
    ("tag", "ctx.tag ?? \"\""),
    ("target", "ctx.build_dir"),
    ("time", "ctx.time"),
    ("tree", "ctx.tree"),
];

impl Pipeline {
    /// Converts a pipeline from YAML to a script that does the same.
    ///
    /// ```
    /// use tinyci::{Format, Pipeline};
    /// let pipeline = Pipeline::parse("build: make <%= commit %>", Format::Yaml, "config")?;
    /// let script = "fn build(ctx) {\n    sh(\"make <%= commit %>\");\n}\n";
    /// assert!(pipeline.to_rhai()?.ends_with(script));
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Config`](ErrorKind::Config) with the position in these cases:
    ///
    /// - an environment variable or directory contains a placeholder that only an embedding program
    ///   sets;
    /// - a placeholder is not closed;
    /// - a pattern of `when` has no simple equivalent in a script.
    ///
    /// Returns [`InvalidArg`](ErrorKind::InvalidArg) if the pipeline is already a script.
    pub fn to_rhai(&self) -> Result<String, Error> {
        if self.format == Format::Rhai {
            let error = Error::new(ErrorKind::InvalidArg, "this is already a script");
            return Err(error.with_path(&self.name));
        }
        let mut parts = Vec::new();
        if let Some(conditions) = commit_conditions(&self.when) {
            parts.push(format!("const WHEN = #{{ {conditions} }};\n"));
        }
        let secrets: BTreeSet<&String> = self.steps().flat_map(|step| &step.secrets).collect();
        if !secrets.is_empty() {
            let names: Vec<String> = secrets.into_iter().map(|name| literal(name)).collect();
            parts.push(format!("const SECRETS = [{}];\n", names.join(", ")));
        }
        let unlimited = |step: &Step| step.timeout.is_none_or(|limit| limit > SCRIPT_LIMIT);
        if self.steps().any(unlimited) {
            parts.push(
                "// Steps in YAML have no default time limit; those of a script have one \
                 hour.\nconst TIMEOUT = \"365d\";\n"
                    .to_owned(),
            );
        }
        if let Some(rules) = self.deploy().map(deploy_rules).filter(|rules| !rules.is_empty()) {
            parts.push(format!("const DEPLOY = #{{ {rules} }};\n"));
        }
        for step in self.steps() {
            parts.push(self.function(step)?);
        }
        Ok(parts.join("\n"))
    }

    fn function(&self, step: &Step) -> Result<String, Error> {
        let mut lines = vec![format!("fn {}(ctx) {{", step.name)];
        lines.extend(self.conditions(step)?);
        let options = self.options(step)?;
        // Several commands with the same options share one variable.
        let named = !options.is_empty() && step.commands().len() > 1;
        let options_argument = match (named, options.is_empty()) {
            (true, _) => {
                lines.push(format!("    let options = {options};"));
                ", options".to_owned()
            }
            (false, true) => String::new(),
            (false, false) => format!(", {options}"),
        };
        let indent = if step.timeout.is_some() { "        " } else { "    " };
        if let Some(limit) = step.timeout {
            lines.push(format!("    timeout({}, || {{", literal(&duration(limit))));
        }
        for command in step.commands() {
            let text = self.command(step, command)?;
            // A script does not accept an empty command, but YAML does.
            let text = if text.trim().is_empty() { ":" } else { &text };
            lines.push(format!("{indent}sh({}{options_argument});", command_literal(text)));
        }
        if step.timeout.is_some() {
            lines.push("    });".to_owned());
        }
        lines.push("}\n".to_owned());
        Ok(lines.join("\n"))
    }

    /// Returns the options of a step's commands as a map literal, or an empty string without
    /// options.
    fn options(&self, step: &Step) -> Result<String, Error> {
        let mut options = Vec::new();
        let is_for_tag = self.tag_patterns(step).is_some();
        if !step.env.is_empty() || !step.secrets.is_empty() || is_for_tag {
            options.push(format!("env: {}", self.env(step)?));
        }
        if let Some(cwd) = &step.cwd {
            options.push(format!("cwd: {}", self.value(step, cwd)?));
        }
        if step.retries > 0 {
            options.push(format!("retries: {}", step.retries));
        }
        Ok(if options.is_empty() {
            String::new()
        } else {
            format!("#{{ {} }}", options.join(", "))
        })
    }

    /// Returns a step's environment variables as a map literal. A secret replaces a variable of the
    /// same name.
    fn env(&self, step: &Step) -> Result<String, Error> {
        let strings = step.env.iter().filter(|(name, _)| !step.secrets.contains(name));
        let strings = strings.map(|(name, value)| Ok(entry(name, &self.value(step, value)?)));
        let mut entries = strings.collect::<Result<Vec<String>, Error>>()?;
        let tag = self.tag_patterns(step).filter(|_| !step.env.contains_key("TINYCI_TAG"));
        entries.extend(tag.map(|tag| entry("TINYCI_TAG", &newest_tag(tag))));
        let secret = |name: &String| entry(name, &format!("secret({})", literal(name)));
        entries.extend(step.secrets.iter().collect::<BTreeSet<_>>().into_iter().map(secret));
        Ok(format!("#{{ {} }}", entries.join(", ")))
    }

    /// Returns the conditions of a step as statements. Those of a hook include the conditions of
    /// its phase.
    fn conditions(&self, step: &Step) -> Result<Vec<String>, Error> {
        let phase = phase_of_hook(step.name).and_then(|phase| self.step(phase));
        let is_before = step.name.decides().is_some();
        let mut lines = Vec::new();
        // If a phase is left out, so are its hooks. The hooks after it do not run after `skip`
        // anyway.
        if let Some(phase) = phase {
            lines.extend(unless_changed(phase, "return;"));
            if is_before {
                lines.extend(self.unless_ref_and_message(phase, "return;")?);
            }
        }
        let skip = "skip(\"its condition does not hold\");";
        let is_deploy = step.name == Phase::Deploy.into();
        lines.extend(unless_changed(step, if is_deploy { skip } else { "return;" }));
        // In a hook before a phase, `skip` would leave out the whole phase.
        let is_hook = matches!(step.name, StepName::Hook(_));
        let leave = if is_before && is_hook { "return;" } else { skip };
        lines.extend(self.unless_ref_and_message(step, leave)?);
        // A phase and its hook may have the same condition.
        lines.dedup();
        Ok(lines)
    }

    /// Returns the statements that leave out a step because of the branch, the tags or the message.
    fn unless_ref_and_message(&self, step: &Step, leave: &str) -> Result<Vec<String>, Error> {
        let When { branch, tag, message, .. } = &step.when;
        let (mut lines, mut conditions) = (Vec::new(), Vec::new());
        if !branch.is_empty() {
            conditions.push(self.patterns(step, branch, "(ctx.branch ?? \"\")")?);
        }
        if !tag.is_empty() {
            conditions.push(format!("{} != ()", newest_tag(tag)));
        }
        if !message.is_empty() {
            // `trim` changes the string in place, so it needs a variable.
            lines.push("    let message = ctx.message;\n    message.trim();".to_owned());
            let condition = self.patterns(step, message, "message")?;
            conditions.push(format!("(ctx.trigger == \"retry\" || {condition})"));
        }
        if !conditions.is_empty() {
            lines.push(format!("    if !({}) {{ {leave} }}", conditions.join(" && ")));
        }
        Ok(lines)
    }

    /// Returns the patterns of the tag that a step is for: those of the step, else of its phase.
    fn tag_patterns<'a>(&'a self, step: &'a Step) -> Option<&'a Vec<String>> {
        let phase = step.name.phase().and_then(|phase| self.step(phase));
        let tags = [Some(step), phase].into_iter().flatten().map(|step| &step.when.tag);
        tags.into_iter().find(|tag| !tag.is_empty())
    }

    /// Returns an expression that is true if the value matches a list of patterns.
    fn patterns(&self, step: &Step, patterns: &[String], value: &str) -> Result<String, Error> {
        let begins_with_exclusion = patterns.first().is_some_and(|first| first.starts_with('!'));
        let mut whole = begins_with_exclusion.to_string();
        for pattern in patterns {
            let (excluded, text) = match pattern.strip_prefix('!') {
                Some(text) => (true, text),
                None => (false, pattern.as_str()),
            };
            let one = pattern_test(text, value).ok_or_else(|| {
                let message = format!(
                    "the pattern `{pattern}` in the conditions of `{}` cannot be converted: it has \
                     more than two `*`, or two `*` that are not at its ends",
                    step.name
                );
                let position =
                    step.commands().first().map_or(Position::new(1, 1), |it| it.position);
                self.fault(position, &message)
            })?;
            whole = match (excluded, whole.as_str()) {
                (false, "false") => one,
                (false, _) => format!("{whole} || {one}"),
                (true, "true") => format!("!({one})"),
                (true, _) => format!("({whole}) && !({one})"),
            };
        }
        Ok(if patterns.len() == 1 { whole } else { format!("({whole})") })
    }

    /// Returns a command with its placeholders. Only `tag` is replaced, because a script does not
    /// know the conditions of its step.
    fn command(&self, step: &Step, template: &Template) -> Result<String, Error> {
        let pieces = self.pieces(template)?;
        let tag = self
            .tag_patterns(step)
            .filter(|_| pieces.contains(&Piece::Placeholder(TAG_PLACEHOLDER)));
        let Some(tag) = tag else { return Ok(template.text.clone()) };
        let to_text = |piece: &Piece<'_>| match piece {
            Piece::Text(text) => text.replace("<%", "<%%"),
            Piece::Placeholder(name) if *name == TAG_PLACEHOLDER => {
                format!("<%= {} %>", newest_tag(tag))
            }
            Piece::Placeholder(other) => format!("<%= {other} %>"),
        };
        Ok(pieces.iter().map(to_text).collect())
    }

    /// Splits a string at its placeholders. Fails for a malformed placeholder: YAML fails the step
    /// then, but a script would run the string unchanged.
    fn pieces<'a>(&self, template: &'a Template) -> Result<Vec<Piece<'a>>, Error> {
        pieces(&template.text).ok_or_else(|| {
            self.fault(
                template.position,
                "this string has an unclosed or invalid placeholder; write `<%%` for a literal \
                 `<%`",
            )
        })
    }

    /// Returns a string outside of commands as an expression, with its placeholders replaced.
    fn value(&self, step: &Step, template: &Template) -> Result<String, Error> {
        let pieces = self.pieces(template)?;
        if let [Piece::Text(text)] = &pieces[..] {
            return Ok(literal(text));
        }
        let mut filled = String::from("`");
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    filled.push_str(&text.replace('`', "``").replace("${", "${\"${\"}"));
                }
                Piece::Placeholder(TAG_PLACEHOLDER) if self.tag_patterns(step).is_some() => {
                    let tag = self.tag_patterns(step).map(|tag| newest_tag(tag));
                    // Writing to a string cannot fail.
                    let _ = write!(filled, "${{{} ?? \"\"}}", tag.unwrap_or_default());
                }
                Piece::Placeholder(tag) => {
                    let expression = expression(tag).ok_or_else(|| {
                        let message = format!(
                            "`<%= {tag} %>` cannot be converted: outside of commands, a script can \
                             read `ctx`, but not the variables of an embedding program"
                        );
                        self.fault(template.position, &message)
                    })?;
                    // Writing to a string cannot fail.
                    let _ = write!(filled, "${{{expression}}}");
                }
            }
        }
        filled.push('`');
        Ok(filled)
    }

    fn fault(&self, position: Position, message: &str) -> Error {
        Error::new(ErrorKind::Config, message).with_path(&self.name).with_position(position)
    }
}

/// Returns the phase that a hook belongs to.
fn phase_of_hook(name: StepName) -> Option<Phase> {
    name.phase().filter(|phase| StepName::from(*phase) != name)
}

/// Returns the statement that leaves out a step if no relevant path changed.
fn unless_changed(step: &Step, leave: &str) -> Option<String> {
    let changed = &step.when.changed;
    let condition = format!("    if !ctx.changed({}) {{ {leave} }}", list(changed));
    (!changed.is_empty()).then_some(condition)
}

/// Returns an expression for the tag that a step is for.
fn newest_tag(patterns: &[String]) -> String {
    format!("ctx.newest_tag({})", list(patterns))
}

fn list(strings: &[String]) -> String {
    let literals: Vec<String> = strings.iter().map(|text| literal(text)).collect();
    format!("[{}]", literals.join(", "))
}

/// Returns the conditions of the whole commit as entries of a map literal.
fn commit_conditions(when: &When) -> Option<String> {
    let entries = [("branch", &when.branch), ("tag", &when.tag), ("message", &when.message)];
    let present = entries.into_iter().filter(|(_, globs)| !globs.is_empty());
    let present: Vec<String> =
        present.map(|(key, globs)| format!("{key}: {}", list(globs))).collect();
    (!present.is_empty()).then(|| present.join(", "))
}

/// Returns the rules of a deployment that are not defaults, as entries of a map literal.
fn deploy_rules(rules: &DeployRules) -> String {
    let strings = |name: &str, strings: &[String]| {
        (!strings.is_empty()).then(|| format!("{name}: {}", list(strings)))
    };
    let flag = |name: &str, is_set: bool| is_set.then(|| format!("{name}: true"));
    let entries = [
        strings("branch", &rules.branch),
        strings("environment", &rules.environment),
        flag("approve", rules.approve),
        flag("auto", rules.auto),
    ];
    entries.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Returns one entry of a map literal. Quotes names with lowercase letters, because they may be
/// keywords.
fn entry(name: &str, value: &str) -> String {
    let plain = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
    let is_plain = name.chars().all(plain) && !name.starts_with('_');
    if is_plain { format!("{name}: {value}") } else { format!("{}: {value}", literal(name)) }
}

/// Returns an expression that is true if the value matches a pattern, in which `*` matches any
/// text.
fn pattern_test(pattern: &str, value: &str) -> Option<String> {
    let parts: Vec<&str> = pattern.split('*').collect();
    Some(match parts[..] {
        [whole] => format!("{value} == {}", literal(whole)),
        ["", ""] => "true".to_owned(),
        [begin, ""] => format!("{value}.starts_with({})", literal(begin)),
        ["", end] => format!("{value}.ends_with({})", literal(end)),
        [begin, end] => format!(
            "{value}.starts_with({}) && {value}.ends_with({}) && {value}.len() >= {}",
            literal(begin),
            literal(end),
            begin.chars().count() + end.chars().count()
        ),
        ["", within, ""] => format!("{value}.contains({})", literal(within)),
        _ => return None,
    })
}

/// A part of a string with placeholders.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(String),
    Placeholder(&'a str),
}

/// Splits a string at its placeholders; `<%%` is a literal `<%`. Returns `None` if a placeholder is
/// malformed.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once("<%") {
        plain.push_str(before);
        if let Some(after) = tag.strip_prefix('%') {
            plain.push_str("<%");
            rest = after;
            continue;
        }
        let (inside, after) = tag.strip_prefix('=')?.split_once("%>")?;
        if inside.contains("<%") {
            return None;
        }
        pieces.push(Piece::Text(std::mem::take(&mut plain)));
        pieces.push(Piece::Placeholder(inside.trim()));
        rest = after;
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    if pieces.len() > 1 {
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
    }
    Some(pieces)
}

/// Returns the expression for a placeholder: a variable of tinyci, or an expression with `ctx`.
fn expression(tag: &str) -> Option<&str> {
    let known = VARIABLES.iter().find(|(name, _)| *name == tag).map(|(_, expression)| *expression);
    known.or_else(|| tag.starts_with("ctx.").then_some(tag))
}

/// Returns the literal of a command. A command of several lines stays readable.
fn command_literal(text: &str) -> String {
    let readable = |letter: char| letter == '\n' || !letter.is_control();
    let is_raw = text.trim_end().contains('\n')
        && !text.contains(['`', '\r'])
        && !text.contains("${")
        && text.chars().all(readable);
    // A line break directly after the opening quote is not part of the string.
    if is_raw { format!("`\n{text}`") } else { literal(text) }
}

/// Returns a string literal in double quotes.
fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Formats a duration exactly, with the largest possible unit.
fn duration(limit: Duration) -> String {
    let milliseconds = limit.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let exact = units.into_iter().find(|(size, _)| milliseconds.is_multiple_of(*size));
    match exact {
        Some((size, unit)) => format!("{}{unit}", milliseconds / size),
        None => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str) -> String {
        Pipeline::parse(text, Format::Yaml, "x").unwrap().to_rhai().unwrap()
    }

    #[test]
    fn every_key_has_its_place() {
        let text = "build:\n  run: [./configure, make]\n  cwd: sub/<%= short %>\n  timeout: 90\n  \
                    env: {CC: clang, my: 'a ` $ ${x} <%= branch %>', new: '1'}\n\
                    hooks: {after_all: {run: 'rm \"<%= export %>\"', timeout: 30m}}\n";
        let expected = "fn build(ctx) {\n    let options = #{ env: #{ CC: \"clang\", \"my\": `a `` $ \
                        ${\"${\"}x} ${ctx.branch ?? \"\"}`, \"new\": \"1\" }, cwd: \
                        `sub/${ctx.short}` };\n    timeout(\"90s\", || {\n        \
                        sh(\"./configure\", options);\n        sh(\"make\", options);\n    });\n}\n\n\
                        fn after_all(ctx) {\n    timeout(\"30m\", || {\n        \
                        sh(\"rm \\\"<%= export %>\\\"\");\n    });\n}\n";
        assert_eq!(converted(text), expected);
    }

    #[test]
    fn steps_without_a_limit_keep_none() {
        assert!(converted("build: make\n").contains("const TIMEOUT = \"365d\";"));
        assert!(converted("build: {run: make, timeout: 2h}\n").contains("const TIMEOUT"));
        assert!(!converted("build: {run: make, timeout: 1h}\n").contains("const TIMEOUT"));
    }

    #[test]
    fn commands_of_several_lines_stay_readable() {
        let text = "build: |\n  if true; then\n    echo \"a\\n\"\n  fi\ntest: ''\n";
        let script = converted(text);
        assert!(script.contains("sh(`\nif true; then\n  echo \"a\\n\"\nfi\n`);"), "{script}");
        assert!(script.contains("sh(\":\");"), "{script}");
        let script = converted("build: |\n  echo ${HOME}\n  echo `id`\n");
        assert!(script.contains("sh(\"echo ${HOME}\\necho `id`\\n\");"), "{script}");
    }

    #[test]
    fn conditions_retries_and_secrets_are_converted() {
        let script = converted(
            "build:\n  run: make\n  retries: 2\n  secrets: [KEY, b]\n  env: {KEY: x, A: y}\n  \
             timeout: 1h\n  when:\n    branch: [main, 'release/*', '!*-wip']\n    tag: 'v*.0'\n    \
             changed: ['src/**', '!*.md']\n    message: '*[deploy]*'\n",
        );
        let options = "sh(\"make\", #{ env: #{ A: \"y\", TINYCI_TAG: ctx.newest_tag([\"v*.0\"]), \
                       KEY: secret(\"KEY\"), \"b\": secret(\"b\") }, retries: 2 });";
        let branch = "((ctx.branch ?? \"\") == \"main\" || (ctx.branch ?? \
                      \"\").starts_with(\"release/\")) && !((ctx.branch ?? \
                      \"\").ends_with(\"-wip\"))";
        assert!(script.starts_with("const SECRETS = [\"KEY\", \"b\"];\n"), "{script}");
        assert!(script.contains(options), "{script}");
        assert!(script.contains(branch), "{script}");
        assert!(
            script.contains("if !ctx.changed([\"src/**\", \"!*.md\"]) { return; }"),
            "{script}"
        );
        assert!(script.contains("\"!*.md\"]) { return; }\n    let message"), "{script}");
        assert!(script.contains("message.trim();\n    if !("), "{script}");
        let message = "&& (ctx.trigger == \"retry\" || message.contains(\"[deploy]\"))";
        assert!(script.contains(message), "{script}");
        assert!(
            converted("hooks: {before_build: {run: a, when: {branch: x}}}").contains("return;")
        );
    }

    #[test]
    fn a_tag_that_fails_its_step_is_not_converted() {
        for broken in ["a <%= commit", "a <% puts 1 %>", "<%= a <%= commit %>"] {
            let config = format!("build: make\ntest: '{broken}'\n");
            let error = Pipeline::parse(&config, Format::Yaml, "f").unwrap().to_rhai().unwrap_err();
            assert!(error.to_string().starts_with("f:2:8: this string has"), "{broken}: {error}");
        }
    }

    #[test]
    fn a_variable_that_only_commands_know_is_refused_elsewhere() {
        let pipeline = Pipeline::parse("build: {run: a, cwd: <%= x %>}", Format::Yaml, "f");
        let error = pipeline.unwrap().to_rhai().unwrap_err();
        assert!(error.to_string().starts_with("f:1:22: `<%= x %>` cannot be converted"), "{error}");
    }
}
