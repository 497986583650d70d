//! Checks the arguments of calls, as far as they are literals. A literal that the function would
//! refuse fails every run that reaches the call.

use std::time::Duration;

use rhai::{ASTNode, Expr, Position, Stmt};

use super::{
    findings::Findings,
    names::{Names, Takes as Counts},
    values::{Kind, fits, is_textual, kind, pointer},
    walk::{Body, File},
};
use crate::{
    model::pipeline::stays_below,
    rules::glob::ArtifactPattern,
    script::{
        api::{
            registry,
            types::{COUNT_MAX, ScriptOption, TASKS_MAX, Type},
        },
        functions::commands::no_exit_code,
        syntax::{literal::literal, script::Script},
        testing::suite,
    },
    util::{duration::parse_duration, suggestion::did_you_mean},
};

/// Checks every call of a function of the API.
pub(super) fn check(
    body: &Body<'_>,
    file: &File<'_>,
    script: &Script,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) {
    let mut check = ArgumentChecker { body, file, names, time: script.timeout, findings };
    body.each_node(&mut |path| match path.last() {
        _ if check.findings.is_full() => {}
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
            if !call.is_qualified() && !call.is_operator_call() =>
        {
            let given: Vec<&Expr> = call.args.iter().collect();
            check.call(&call.name, &given);
        }
        Some(ASTNode::Expr(Expr::Dot(parts, ..))) => check.method(&parts.lhs, &parts.rhs),
        _ => {}
    });
}

struct ArgumentChecker<'j, 'a, 'f> {
    body: &'j Body<'a>,
    file: &'j File<'a>,
    names: &'j Names<'j>,
    /// Time limit of a step.
    time: Duration,
    findings: &'j mut Findings<'f>,
}

impl ArgumentChecker<'_, '_, '_> {
    /// Checks a method call as a call with the receiver as its first argument.
    fn method(&mut self, receiver: &Expr, rest: &Expr) {
        let Expr::MethodCall(call, at) = rest else { return };
        if matches!(&*call.name, "call" | "curry") {
            return self.call_of_pointer(receiver, &call.name, call.args.len(), *at);
        }
        if self.names.are_of_tests() {
            return self.commit(&call.name, &call.args);
        }
        if !self.names.keys.contains(&*call.name) {
            let given: Vec<&Expr> = [receiver].into_iter().chain(&call.args).collect();
            self.call(&call.name, &given);
        }
    }

    /// Checks the commit that a test passes to a step.
    fn commit(&mut self, method: &str, given: &[Expr]) {
        let takes_commit = method == "run" || registry::step_names().any(|it| it == method);
        let [Expr::Map(map, _)] = given else { return };
        for (key, value) in map.0.iter().filter(|_| takes_commit) {
            if let Some(fault) = suite::commit_fault(&key.name, literal(value)) {
                self.findings.add(key.pos, fault);
            }
        }
    }

    fn call(&mut self, name: &str, given: &[&Expr]) {
        if name == "Fn" {
            return self.named_function(given);
        }
        let function =
            registry::function(name).filter(|function| function.counts().contains(&given.len()));
        let Some(function) = function else { return };
        if self.names.replaces(self.body.unit, name) {
            return;
        }
        match (name, given) {
            ("parallel", given) => return self.parallel(given),
            ("matrix", [axes, function]) => {
                self.axes(axes);
                return self.function("matrix", 1, function);
            }
            _ => {}
        }
        for (param, argument) in function.params.iter().zip(given) {
            self.argument(name, param.name, param.takes, argument);
        }
    }

    /// Checks that the function in `Fn("name")` exists. At run time, that fails only when it is
    /// called.
    fn named_function(&mut self, given: &[&Expr]) {
        if let [Expr::StringConstant(name, at)] = given
            && self.names.function(self.body.unit, name).is_none()
        {
            let hint = self.names.near_function(self.body.unit, name);
            self.findings.add(*at, format!("there is no function `{name}`{hint}"));
        }
    }

    /// Checks the number of arguments of `f.call(…)`, if `f` is known.
    fn call_of_pointer(&mut self, receiver: &Expr, verb: &str, count: usize, at: Position) {
        let Some(found) = pointer(receiver, self.body, self.file) else { return };
        let allowed = match verb {
            "call" => found.takes(count),
            _ => found.counts.iter().any(|most| *most >= count),
        };
        if !allowed {
            let takes = Counts::Counts(found.counts).in_words();
            let message = format!("{} takes {takes}, not {count}", found.shown);
            self.findings.add(at, message);
        }
    }

    /// Reports an argument of the wrong type, with the same message as at run time.
    fn mistake(&mut self, name: &str, argument: &str, takes: &str, value: &Expr, found: &str) {
        let message = format!("`{name}` takes {takes} as its {argument}, not {found}");
        self.findings.add(value.position(), message);
    }

    fn kind(&self, value: &Expr) -> Option<Kind> {
        kind(value, self.body, self.file)
    }

    /// Checks an argument against its type in the table, and against the function's further rules.
    fn argument(&mut self, name: &str, what: &str, takes: Type, value: &Expr) {
        match takes {
            Type::Function => return self.function(name, 0, value),
            Type::Variables => self.env(name, value),
            Type::Options(known) => self.options(name, known, value),
            _ => {}
        }
        if !fits(takes, value, &|value| self.kind(value)) {
            return self.wrong_kind(name, what, takes, value);
        }
        match (takes, what) {
            (Type::Count, "attempts") => self.count(name, what, 1, value),
            (Type::Count, _) => self.count(name, &format!("option `{what}`"), 0, value),
            (Type::Duration, "time") => self.pause(value),
            (Type::Duration, _) => self.time(what, value, matches!(what, "limit" | "timeout")),
            (Type::Command, _) => self.command(name, value),
            // `matches` takes any path, and reads nothing.
            (_, "path" | "cwd") if name != "matches" => self.below(what, value),
            (_, "paths") => self.kept_paths(value),
            (_, "allow") => self.codes(name, value),
            (_, "value") if name == "remember" => self.remembered(name, value),
            _ => {}
        }
    }

    fn wrong_kind(&mut self, name: &str, what: &str, takes: Type, value: &Expr) {
        let Some(found) = self.kind(value) else { return };
        if takes == Type::Duration {
            let message = format!("`{what}` takes {}, not {found}", takes.in_words());
            return self.findings.add(value.position(), message);
        }
        let is_option = registry::function(name)
            .is_some_and(|function| function.params.iter().all(|param| param.name != what));
        let what = if is_option { format!("option `{what}`") } else { what.to_owned() };
        self.mistake(name, &what, &takes.in_words(), value, found.words());
    }

    fn count(&mut self, name: &str, argument: &str, least: i64, value: &Expr) {
        if let Expr::IntegerConstant(count, _) = value
            && !(least..=i64::from(COUNT_MAX)).contains(count)
        {
            let takes = format!("an int from {least} to {COUNT_MAX}");
            self.mistake(name, argument, &takes, value, &count.to_string());
        }
    }

    /// Checks that a literal duration is valid.
    fn time(&mut self, what: &str, value: &Expr, is_limit: bool) {
        let Some((time, found)) = time_of(value) else { return };
        if time.is_none_or(|time| is_limit && time.is_zero()) {
            let message =
                format!("`{what}` takes a duration such as `\"90s\"` or `\"10m\"`, not `{found}`");
            self.findings.add(value.position(), message);
        }
    }

    /// Checks that `sleep` does not wait longer than the time limit of a step.
    fn pause(&mut self, value: &Expr) {
        match time_of(value) {
            Some((Some(time), found)) if time > self.time => {
                let limit = self.time;
                let message = format!(
                    "`sleep` waits for `{found}`, but the time limit of a step is {limit:?}; raise \
                     it with `const TIMEOUT`"
                );
                self.findings.add(value.position(), message);
            }
            _ => self.time("time", value, false),
        }
    }

    /// Checks that the literal part of a path stays in the export.
    fn below(&mut self, what: &str, value: &Expr) {
        let leaves = match value {
            Expr::StringConstant(path, _) => (!stays_below(path)).then(|| path.to_string()),
            Expr::InterpolatedString(parts, _) => match parts.first() {
                Some(Expr::StringConstant(path, _))
                    if path.starts_with('/') || path.starts_with("../") =>
                {
                    Some(format!("{path}…"))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(path) = leaves {
            let message = format!(
                "`{what}` takes a path inside the export directory, not \
                                   `{path}`"
            );
            self.findings.add(value.position(), message);
        }
    }

    /// Checks that a literal command is not empty.
    fn command(&mut self, name: &str, value: &Expr) {
        let is_empty = match value {
            Expr::StringConstant(text, _) => text.trim().is_empty(),
            Expr::Array(words, _) => match words.first() {
                None => true,
                Some(Expr::StringConstant(program, _)) => program.is_empty(),
                Some(_) => false,
            },
            _ => false,
        };
        if is_empty {
            self.findings.add(value.position(), format!("`{name}` has no command to run here"));
        }
        let Expr::Array(words, _) = value else { return };
        for word in words {
            if let Some(found) = self.kind(word)
                && !is_textual(found)
            {
                let message = format!(
                    "`{name}` takes strings and numbers as a program's arguments, not {found}"
                );
                self.findings.add(word.position(), message);
            }
        }
    }

    /// Checks that a function argument is a function, and accepts the arguments that it will get.
    fn function(&mut self, name: &str, count: usize, value: &Expr) {
        let early = match value {
            Expr::FnCall(call, _) if registry::function(&call.name).is_some() => Some(&call.name),
            _ => None,
        };
        let message = match (early, self.kind(value), pointer(value, self.body, self.file)) {
            // For example, `retry(3, sh("x"))` runs the command before `retry` begins.
            (Some(called), ..) => {
                format!("this calls `{called}` before `{name}` begins; write `|| {called}(…)`")
            }
            (_, Some(found), _) if found != Kind::Function => {
                format!("`{name}` takes a function here, such as `|| sh(\"…\")`, not {found}")
            }
            (_, _, Some(found)) if !found.takes(count) => {
                let given = Counts::Counts([count].into()).in_words();
                let takes = Counts::Counts(found.counts).in_words();
                format!(
                    "`{name}` calls this function with {given}, but {} takes {takes}",
                    found.shown
                )
            }
            _ => return,
        };
        self.findings.add(value.position(), message);
    }

    fn options(&mut self, name: &str, known: &'static [ScriptOption], argument: &Expr) {
        let Expr::Map(map, _) = argument else { return };
        for (key, value) in &map.0 {
            let Some(option) = known.iter().find(|option| option.name == key.name) else {
                let names = known.iter().map(|option| option.name);
                let hint = match did_you_mean(&key.name, names.clone()) {
                    hint if !hint.is_empty() => hint,
                    _ => format!("; the options are {}", names.collect::<Vec<_>>().join(", ")),
                };
                self.findings.add(key.pos, format!("there is no option `{}`{hint}", key.name));
                continue;
            };
            self.argument(name, option.name, option.takes, value);
        }
    }

    fn env(&mut self, name: &str, value: &Expr) {
        let Expr::Map(map, _) = value else { return };
        for (key, value) in &map.0 {
            if key.name.is_empty() || key.name.contains(['=', '\0']) {
                let message = format!("`{}` is not a valid variable name", key.name);
                self.findings.add(key.pos, message);
            }
            let found = self.kind(value);
            let is_fine = |found| matches!(found, Kind::Null | Kind::Secret) || is_textual(found);
            if let Some(found) = found.filter(|found| !is_fine(*found)) {
                let takes =
                    format!("a string, a number, a secret or null (`()`) for `{}`", key.name);
                self.mistake(name, "option `env`", &takes, value, found.words());
            }
        }
    }

    fn codes(&mut self, name: &str, value: &Expr) {
        let no_code = |code: &Expr| match code {
            Expr::IntegerConstant(number, at) => Some((no_exit_code(*number)?, *at)),
            _ => None,
        };
        if let Some((message, at)) = no_code(value) {
            self.findings.add(at, message);
        }
        let Expr::Array(codes, _) = value else { return };
        for code in codes {
            if let Some((message, at)) = no_code(code) {
                self.findings.add(at, message);
            }
            if let Some(found) = self.kind(code)
                && found != Kind::Int
            {
                let takes = "an exit code or an array of exit codes";
                self.mistake(name, "option `allow`", takes, code, found.words());
            }
        }
    }

    /// Checks that a remembered value contains no functions, secrets or objects, at any depth.
    fn remembered(&mut self, name: &str, value: &Expr) {
        match (value, self.kind(value)) {
            (Expr::Array(items, _), _) => items.iter().for_each(|item| self.remembered(name, item)),
            (Expr::Map(map, _), _) => {
                map.0.iter().for_each(|(_, item)| self.remembered(name, item))
            }
            (_, Some(found @ (Kind::Function | Kind::Secret | Kind::Object))) => {
                let takes = "a string, a number, a bool, or an array or map of these";
                self.mistake(name, "value", takes, value, found.words());
            }
            _ => {}
        }
    }

    /// Checks that the literal patterns of `artifact` are valid.
    fn kept_paths(&mut self, value: &Expr) {
        let texts = match value {
            Expr::Array(texts, _) => texts.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut known = Vec::new();
        for text in texts {
            let Expr::StringConstant(text, at) = text else { continue };
            if let Err(fault) = ArtifactPattern::parse(text) {
                return self.findings.add(*at, fault);
            }
            known.push(text.to_string());
        }
        if known.len() == texts.len()
            && let Err(fault) = ArtifactPattern::parse_list(&known)
        {
            self.findings.add(value.position(), fault);
        }
    }

    fn parallel(&mut self, given: &[&Expr]) {
        let Some(work) = given.first() else { return };
        let found = self.kind(work);
        let fits = matches!(
            (found, given.len()),
            (None, _) | (Some(Kind::Array), 2) | (Some(Kind::Map), 1)
        );
        if !fits {
            let message = "`parallel` takes an array and a function, `parallel(array, |item| …)`, \
                           or a map of functions, `parallel(#{ name: || … })`";
            return self.findings.add(work.position(), message);
        }
        match work {
            Expr::Map(map, _) => {
                for (_, value) in &map.0 {
                    self.function("parallel", 0, value);
                }
                self.tasks("parallel", map.0.len(), work);
            }
            Expr::Array(items, _) => self.tasks("parallel", items.len(), work),
            _ => {}
        }
        if let Some(function) = given.get(1) {
            self.function("parallel", 1, function);
        }
    }

    fn axes(&mut self, axes: &Expr) {
        let takes = "a map of arrays such as `#{ db: [\"a\", \"b\"] }`";
        if let Some(found) = self.kind(axes).filter(|found| *found != Kind::Map) {
            return self.mistake("matrix", "axes", takes, axes, found.words());
        }
        let Expr::Map(map, _) = axes else { return };
        let mut tasks = 1_usize;
        for (axis, values) in &map.0 {
            let found = self.kind(values);
            if let Some(found) = found.filter(|found| *found != Kind::Array) {
                let argument = format!("axis `{}`", axis.name);
                self.mistake("matrix", &argument, "an array", values, found.words());
            }
            if let Expr::Array(values, _) = values {
                tasks = tasks.saturating_mul(values.len());
            }
        }
        self.tasks("matrix", tasks, axes);
    }

    fn tasks(&mut self, name: &str, count: usize, work: &Expr) {
        if count > TASKS_MAX {
            let message = format!("`{name}` can run at most {TASKS_MAX} tasks, not {count}");
            self.findings.add(work.position(), message);
        }
    }
}

/// Returns the duration of a literal, if it is valid, and its text. Returns `None` for other
/// expressions.
fn time_of(value: &Expr) -> Option<(Option<Duration>, String)> {
    Some(match value {
        Expr::StringConstant(text, _) => (parse_duration(text), format!("\"{text}\"")),
        Expr::IntegerConstant(seconds, _) => {
            (parse_duration(&seconds.to_string()), seconds.to_string())
        }
        Expr::FloatConstant(seconds, _) => {
            (Duration::try_from_secs_f64(**seconds).ok(), seconds.to_string())
        }
        _ => return None,
    })
}
