//! [`Pipeline::to_rhai`]: the same pipeline as a script.
//!
//! A command keeps its tags: `sh` fills them by the same rule. Elsewhere, in variables and folders,
//! a script has no tags; there they become expressions over `ctx`, whose values no shell reads.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use crate::{
    error::{Error, ErrorKind, Position},
    pipeline::{DeployRules, Format, Hook, Pipeline, Step, Template, When},
};

/// How long a phase of a script may take where nothing is said; in YAML there is no limit.
const SCRIPT_LIMIT: Duration = Duration::from_secs(60 * 60);

/// What each of tinyci's own variables is in a script, as a text.
const VARIABLES: [(&str, &str); 13] = [
    ("author", "ctx.author"),
    ("branch", "ctx.branch ?? \"\""),
    ("commit", "ctx.sha"),
    ("environment", "ctx.environment ?? \"\""),
    ("export", "ctx.export_dir"),
    ("message", "ctx.message"),
    ("phase", "ctx.phase"),
    ("repo", "ctx.repo"),
    ("run", "ctx.run"),
    ("short", "ctx.short"),
    ("subject", "ctx.subject"),
    ("target", "ctx.target"),
    ("time", "ctx.time"),
];

impl Pipeline {
    /// Writes a pipeline that was read from YAML as a script that does the same.
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
    /// [`Config`](ErrorKind::Config) with its place, for a tag in a variable or a folder that only
    /// commands can fill in: one that names a variable of an embedding program; and for a pattern
    /// of `when` that a script has no short word for.
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a pipeline that is a script already.
    pub fn to_rhai(&self) -> Result<String, Error> {
        if self.format == Format::Rhai {
            let error = Error::new(ErrorKind::InvalidArg, "this is a script already");
            return Err(error.with_path(&self.name));
        }
        let mut parts = Vec::new();
        let secrets: BTreeSet<&String> = self.steps().flat_map(|step| &step.secrets).collect();
        if !secrets.is_empty() {
            let names: Vec<String> = secrets.into_iter().map(|name| literal(name)).collect();
            parts.push(format!("const SECRETS = [{}];\n", names.join(", ")));
        }
        let unlimited = |step: &Step| step.timeout.is_none_or(|limit| limit > SCRIPT_LIMIT);
        if self.steps().any(unlimited) {
            parts.push(
                "// YAML sets no limit of its own, a script's phases end after an hour.\n\
                 const TIMEOUT = \"365d\";\n"
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
        if let Some(condition) = self.condition(step)? {
            // In `before_build` it would skip the whole commit.
            let leave = if step.name == Hook::BeforeBuild.into() {
                "return;"
            } else {
                "skip(\"its condition does not hold\");"
            };
            if !step.when.message.is_empty() {
                // The language trims a text in its place, so it needs one of its own.
                lines.push("    let message = ctx.message;\n    message.trim();".to_owned());
            }
            lines.push(format!("    if !({condition}) {{ {leave} }}"));
        }
        let options = self.options(step)?;
        // Said once where it would be said of every command.
        let named = !options.is_empty() && step.commands().len() > 1;
        let behind = match (named, options.is_empty()) {
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
            // A script refuses to run nothing, which YAML does.
            let text = if command.text.trim().is_empty() { ":" } else { &command.text };
            lines.push(format!("{indent}sh({}{behind});", command_literal(text)));
        }
        if step.timeout.is_some() {
            lines.push("    });".to_owned());
        }
        lines.push("}\n".to_owned());
        Ok(lines.join("\n"))
    }

    /// The options of a step's commands as a map; empty where there are none.
    fn options(&self, step: &Step) -> Result<String, Error> {
        let mut options = Vec::new();
        if !step.env.is_empty() || !step.secrets.is_empty() {
            options.push(format!("env: {}", self.env(step)?));
        }
        if let Some(cwd) = &step.cwd {
            options.push(format!("cwd: {}", self.value(cwd)?));
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

    /// A step's variables. A secret takes the place of a text of the same name.
    fn env(&self, step: &Step) -> Result<String, Error> {
        let texts = step.env.iter().filter(|(name, _)| !step.secrets.contains(name));
        let texts = texts.map(|(name, value)| Ok(entry(name, &self.value(value)?)));
        let mut entries = texts.collect::<Result<Vec<String>, Error>>()?;
        let secret = |name: &String| entry(name, &format!("secret({})", literal(name)));
        entries.extend(step.secrets.iter().collect::<BTreeSet<_>>().into_iter().map(secret));
        Ok(format!("#{{ {} }}", entries.join(", ")))
    }

    /// A step's `when` as an expression.
    fn condition(&self, step: &Step) -> Result<Option<String>, Error> {
        let When { branch, tag, changed, message, .. } = &step.when;
        let mut conditions = Vec::new();
        if !branch.is_empty() {
            conditions.push(self.patterns(step, branch, "(ctx.branch ?? \"\")")?);
        }
        if !tag.is_empty() {
            let condition = self.patterns(step, tag, "tag")?;
            conditions.push(format!("ctx.tags.some(|tag| {condition})"));
        }
        if !message.is_empty() {
            conditions.push(self.patterns(step, message, "message")?);
        }
        if !changed.is_empty() {
            let globs: Vec<String> = changed.iter().map(|glob| literal(glob)).collect();
            conditions.push(format!("ctx.changed([{}])", globs.join(", ")));
        }
        Ok((!conditions.is_empty()).then(|| conditions.join(" && ")))
    }

    /// Whether a value matches a list of patterns, as an expression.
    fn patterns(&self, step: &Step, patterns: &[String], value: &str) -> Result<String, Error> {
        let begins_with_all = patterns.first().is_some_and(|first| first.starts_with('!'));
        let mut whole = begins_with_all.to_string();
        for pattern in patterns {
            let (taken_away, text) = match pattern.strip_prefix('!') {
                Some(text) => (true, text),
                None => (false, pattern.as_str()),
            };
            let one = pattern_test(text, value).ok_or_else(|| {
                let message = format!(
                    "the pattern `{pattern}` in the conditions of `{}` cannot be converted: it has \
                     more than two `*`, or two that are not at its ends",
                    step.name
                );
                let position =
                    step.commands().first().map_or(Position::new(1, 1), |it| it.position);
                self.fault(position, &message)
            })?;
            whole = match (taken_away, whole.as_str()) {
                (false, "false") => one,
                (false, _) => format!("{whole} || {one}"),
                (true, "true") => format!("!({one})"),
                (true, _) => format!("({whole}) && !({one})"),
            };
        }
        Ok(if patterns.len() == 1 { whole } else { format!("({whole})") })
    }

    /// A text outside of commands, its tags made expressions.
    fn value(&self, template: &Template) -> Result<String, Error> {
        let pieces = pieces(&template.text).ok_or_else(|| {
            self.fault(template.position, "the tag in this text is not closed by `%>`")
        })?;
        if let [Piece::Text(text)] = &pieces[..] {
            return Ok(literal(text));
        }
        let mut filled = String::from("`");
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    filled.push_str(&text.replace('`', "``").replace("${", "${\"${\"}"));
                }
                Piece::Tag(tag) => {
                    let expression = expression(tag).ok_or_else(|| {
                        let message = format!(
                            "`<%= {tag} %>` cannot be converted: outside of commands a script \
                             knows only what `ctx` has, and no variables of an embedding program"
                        );
                        self.fault(template.position, &message)
                    })?;
                    // Writing to a String does not fail.
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

/// What a deployment's rules say beside what holds anyway, as the entries of a map.
fn deploy_rules(rules: &DeployRules) -> String {
    let texts = |name: &str, texts: &[String]| {
        let literals: Vec<String> = texts.iter().map(|text| literal(text)).collect();
        (!texts.is_empty()).then(|| format!("{name}: [{}]", literals.join(", ")))
    };
    let truth = |name: &str, holds: bool| holds.then(|| format!("{name}: true"));
    let entries = [
        texts("branch", &rules.branch),
        texts("environment", &rules.environment),
        truth("approve", rules.approve),
        truth("auto", rules.auto),
    ];
    entries.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// One variable of a map. Small letters may be a word that the language keeps for itself.
fn entry(name: &str, value: &str) -> String {
    let plain = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
    let is_plain = name.chars().all(plain) && !name.starts_with('_');
    if is_plain { format!("{name}: {value}") } else { format!("{}: {value}", literal(name)) }
}

/// Whether a value matches a pattern, in which `*` stands for any text, as an expression.
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

/// A part of a text with tags.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(String),
    Tag(&'a str),
}

/// A text taken apart at its tags, `<%%` being two characters of text; none where one is open.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once("<%") {
        plain.push_str(before);
        if let Some(behind) = tag.strip_prefix('%') {
            plain.push_str("<%");
            rest = behind;
            continue;
        }
        let (inside, behind) = tag.strip_prefix('=')?.split_once("%>")?;
        pieces.push(Piece::Text(std::mem::take(&mut plain)));
        pieces.push(Piece::Tag(inside.trim()));
        rest = behind;
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    if pieces.len() > 1 {
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
    }
    Some(pieces)
}

/// What a tag asks for, in a script's words: a variable of tinyci's, or an expression over `ctx`.
fn expression(tag: &str) -> Option<&str> {
    let known = VARIABLES.iter().find(|(name, _)| *name == tag).map(|(_, expression)| *expression);
    known.or_else(|| tag.starts_with("ctx.").then_some(tag))
}

/// A command: a text of several lines stays one to read.
fn command_literal(text: &str) -> String {
    let readable = |letter: char| letter == '\n' || !letter.is_control();
    let as_it_is = text.trim_end().contains('\n')
        && !text.contains(['`', '\r'])
        && !text.contains("${")
        && text.chars().all(readable);
    // The line end right behind the opening quote is not part of the text.
    if as_it_is { format!("`\n{text}`") } else { literal(text) }
}

/// A text in double quotes.
fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => {
                // Writing to a String does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// The largest unit that says it exactly.
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
    #![allow(clippy::unwrap_used)]

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
    fn what_has_no_limit_keeps_none() {
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
    fn conditions_retries_and_secrets_are_said_in_a_script_s_way() {
        let script = converted(
            "build:\n  run: make\n  retries: 2\n  secrets: [KEY, b]\n  env: {KEY: x, A: y}\n  \
             timeout: 1h\n  when:\n    branch: [main, 'release/*', '!*-wip']\n    tag: 'v*.0'\n    \
             changed: ['src/**', '!*.md']\n    message: '*[deploy]*'\n",
        );
        let options = "sh(\"make\", #{ env: #{ A: \"y\", KEY: secret(\"KEY\"), \"b\": secret(\"b\") }, \
                       retries: 2 });";
        let branch = "((ctx.branch ?? \"\") == \"main\" || (ctx.branch ?? \
                      \"\").starts_with(\"release/\")) && !((ctx.branch ?? \
                      \"\").ends_with(\"-wip\"))";
        assert!(script.starts_with("const SECRETS = [\"KEY\", \"b\"];\n"), "{script}");
        assert!(script.contains(options), "{script}");
        assert!(script.contains(branch), "{script}");
        assert!(script.contains("ctx.changed([\"src/**\", \"!*.md\"])"), "{script}");
        assert!(script.contains("message.trim();\n    if !("), "{script}");
        assert!(script.contains("&& message.contains(\"[deploy]\")"), "{script}");
        assert!(
            converted("hooks: {before_build: {run: a, when: {branch: x}}}").contains("return;")
        );
    }

    #[test]
    fn a_variable_that_only_commands_know_is_refused_elsewhere() {
        let pipeline = Pipeline::parse("build: {run: a, cwd: <%= x %>}", Format::Yaml, "f");
        let error = pipeline.unwrap().to_rhai().unwrap_err();
        assert!(error.to_string().starts_with("f:1:22: `<%= x %>` cannot be converted"), "{error}");
    }
}
