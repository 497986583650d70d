//! What the functions of the API are given, as far as it is written out: a literal of the wrong
//! kind, or one that the function refuses, fails every run that gets there.

use std::time::Duration;

use rhai::{ASTNode, Expr, Position, Stmt};

use super::{
    Findings,
    names::{Names, Takes as Counts},
    values::{Kind, kind, pointer},
    walk::{Body, File},
};
use crate::{
    duration::parse_duration,
    pipeline::stays_below,
    script::{
        call::{COUNT_MAX, TASKS_MAX},
        load::Script,
        registry::{self, COMMAND_OPTIONS, RETRY_OPTIONS},
    },
    suggestion::did_you_mean,
};

/// What a parameter or an option takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    Anything,
    Text,
    /// What has a text that nobody needs to guess at.
    Plain,
    /// A value that a record can hold.
    Kept,
    Truth,
    /// A number of times, at least so many.
    Count(i64),
    Time,
    /// A time that is not zero.
    Limit,
    /// A time that the step has.
    Pause,
    /// A path below the export.
    Path,
    Command,
    /// A function that is called with so many arguments.
    Function(usize),
    Options(&'static [(&'static str, &'static str)]),
    Env,
    Input,
    Codes,
}

/// What a function takes as this parameter.
fn parameter(function: &str, parameter: &str) -> Takes {
    match (function, parameter) {
        ("retry", "options") => Takes::Options(&RETRY_OPTIONS),
        (_, "options") => Takes::Options(&COMMAND_OPTIONS),
        ("matrix" | "parallel", "function") => Takes::Function(1),
        (_, "function") => Takes::Function(0),
        ("sleep", _) => Takes::Pause,
        ("q", _) => Takes::Plain,
        ("remember", "value") => Takes::Kept,
        (_, "command") => Takes::Command,
        (_, "attempts") => Takes::Count(1),
        (_, "limit") => Takes::Limit,
        (_, "path") => Takes::Path,
        (_, "name" | "reason" | "question" | "key") => Takes::Text,
        _ => Takes::Anything,
    }
}

/// What an option takes.
fn option(name: &str) -> Takes {
    match name {
        "env" => Takes::Env,
        "cwd" => Takes::Path,
        "input" => Takes::Input,
        "timeout" => Takes::Limit,
        "retries" => Takes::Count(0),
        "backoff" => Takes::Time,
        "label" => Takes::Text,
        "quiet" => Takes::Truth,
        "allow" => Takes::Codes,
        _ => Takes::Anything,
    }
}

/// Looks at every call of a function of the API.
pub(super) fn judge(
    body: &Body<'_>,
    file: &File<'_>,
    script: &Script,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) {
    let mut judge = Judge { body, file, names, time: script.timeout, findings };
    body.each_node(&mut |path| match path.last() {
        _ if judge.findings.is_full() => {}
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
            if !call.is_qualified() && !call.is_operator_call() =>
        {
            let given: Vec<&Expr> = call.args.iter().collect();
            judge.call(&call.name, &given);
        }
        Some(ASTNode::Expr(Expr::Dot(parts, ..))) => judge.method(&parts.lhs, &parts.rhs),
        _ => {}
    });
}

struct Judge<'j, 'a, 'f> {
    body: &'j Body<'a>,
    file: &'j File<'a>,
    names: &'j Names<'j>,
    /// How long a step has.
    time: Duration,
    findings: &'j mut Findings<'f>,
}

impl Judge<'_, '_, '_> {
    /// A call behind a dot is one with what stands before it.
    fn method(&mut self, receiver: &Expr, rest: &Expr) {
        let Expr::MethodCall(call, at) = rest else { return };
        if matches!(&*call.name, "call" | "curry") {
            return self.call_of_pointer(receiver, &call.name, call.args.len(), *at);
        }
        if !self.names.keys.contains(&*call.name) {
            let given: Vec<&Expr> = [receiver].into_iter().chain(&call.args).collect();
            self.call(&call.name, &given);
        }
    }

    fn call(&mut self, name: &str, given: &[&Expr]) {
        if name == "Fn" {
            return self.named_function(given);
        }
        let function = registry::function(name).filter(|function| function.takes(given.len()));
        let Some(function) = function else { return };
        match (name, given) {
            ("parallel", given) => return self.parallel(given),
            ("matrix", [axes, ..]) => self.axes(axes),
            _ => {}
        }
        for (parameter_name, argument) in function.params.iter().zip(given) {
            let takes = parameter(name, parameter_name);
            self.argument(name, parameter_name, takes, argument);
        }
    }

    /// `Fn("name")` fails only where it is called.
    fn named_function(&mut self, given: &[&Expr]) {
        if let [Expr::StringConstant(name, at)] = given
            && self.names.function(self.body.unit, name).is_none()
        {
            let hint = self.names.near_function(self.body.unit, name);
            self.findings.add(*at, format!("there is no function `{name}`{hint}"));
        }
    }

    /// `f.call(…)`, where it is known what `f` is.
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

    /// An error about an argument, in the words of the run.
    fn mistake(&mut self, name: &str, argument: &str, takes: &str, value: &Expr, found: &str) {
        let message = format!("`{name}` takes {takes} as its {argument}, not {found}");
        self.findings.add(value.position(), message);
    }

    fn argument(&mut self, name: &str, argument: &str, takes: Takes, value: &Expr) {
        let found = kind(value, self.body, self.file);
        if let Some(found) = found
            && let Some(words) = refused(takes, found)
        {
            return self.wrong_kind(name, argument, takes, words, value, found);
        }
        match takes {
            Takes::Count(least) => self.count(name, argument, least, value),
            Takes::Time => self.time(argument, value, false),
            Takes::Limit => self.time(argument, value, true),
            Takes::Pause => self.pause(value),
            Takes::Path => self.below(argument, value),
            Takes::Command => self.command(name, value),
            Takes::Function(count) => self.function(name, count, value),
            Takes::Options(known) => self.options(name, known, value),
            Takes::Env => self.env(name, value),
            Takes::Codes => self.codes(name, value),
            Takes::Kept => self.kept(name, value),
            Takes::Anything | Takes::Text | Takes::Plain | Takes::Truth | Takes::Input => {}
        }
    }

    fn wrong_kind(
        &mut self,
        name: &str,
        argument: &str,
        takes: Takes,
        words: &str,
        value: &Expr,
        found: Kind,
    ) {
        let early = match value {
            Expr::FnCall(call, _) if registry::function(&call.name).is_some() => Some(&call.name),
            _ => None,
        };
        let message = match (takes, early) {
            // `retry(3, sh("x"))` runs the command before `retry` begins.
            (Takes::Function(_), Some(called)) => {
                format!("this calls `{called}` before `{name}` begins: write `|| {called}(…)`")
            }
            (Takes::Function(_), None) => {
                format!("`{name}` takes a function here, such as `|| sh(\"…\")`, not {found}")
            }
            (Takes::Time | Takes::Limit | Takes::Pause, _) => {
                format!("`{argument}` takes {words}, not {found}")
            }
            _ => return self.mistake(name, argument, words, value, found.words()),
        };
        self.findings.add(value.position(), message);
    }

    fn count(&mut self, name: &str, argument: &str, least: i64, value: &Expr) {
        if let Expr::IntegerConstant(count, _) = value
            && !(least..=i64::from(COUNT_MAX)).contains(count)
        {
            let takes = format!("a number from {least} to {COUNT_MAX}");
            self.mistake(name, argument, &takes, value, &count.to_string());
        }
    }

    /// A time that is written out is one.
    fn time(&mut self, what: &str, value: &Expr, is_limit: bool) {
        let Some((time, found)) = time_of(value) else { return };
        if time.is_none_or(|time| is_limit && time.is_zero()) {
            let message =
                format!("`{what}` takes a time such as `\"90s\"` or `\"10m\"`, not `{found}`");
            self.findings.add(value.position(), message);
        }
    }

    /// Who waits longer than the step may take ends by its limit.
    fn pause(&mut self, value: &Expr) {
        match time_of(value) {
            Some((Some(time), found)) if time > self.time => {
                let limit = self.time;
                let message = format!(
                    "`sleep` waits for `{found}`, and a step ends after {limit:?}: `const TIMEOUT` \
                     sets how long it may take"
                );
                self.findings.add(value.position(), message);
            }
            _ => self.time("time", value, false),
        }
    }

    /// A path that is written out, or begins with what is, stays in the export.
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
            let message = format!("`{what}` names something below the export, not `{path}`");
            self.findings.add(value.position(), message);
        }
    }

    /// A command that is written out is one.
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
            if let Some(found) = kind(word, self.body, self.file)
                && refused(Takes::Plain, found).is_some()
            {
                let message = format!(
                    "`{name}` takes texts and numbers as a program's arguments, not {found}"
                );
                self.findings.add(word.position(), message);
            }
        }
    }

    fn function(&mut self, name: &str, count: usize, value: &Expr) {
        if let Some(found) = pointer(value, self.body, self.file)
            && !found.takes(count)
        {
            let given = Counts::Counts([count].into()).in_words();
            let takes = Counts::Counts(found.counts.clone()).in_words();
            let message =
                format!("`{name}` calls this with {given}, and {} takes {takes}", found.shown);
            self.findings.add(value.position(), message);
        }
    }

    fn options(&mut self, name: &str, known: &[(&str, &str)], argument: &Expr) {
        let Expr::Map(map, _) = argument else { return };
        for (key, value) in &map.0 {
            let names = known.iter().map(|option| option.0);
            if names.clone().any(|name| name == key.name) {
                // Times and paths are told of by the option's name alone.
                let shown = match option(&key.name) {
                    Takes::Time | Takes::Limit | Takes::Path => key.name.to_string(),
                    _ => format!("option `{}`", key.name),
                };
                self.argument(name, &shown, option(&key.name), value);
                continue;
            }
            let hint = match did_you_mean(&key.name, names.clone()) {
                hint if !hint.is_empty() => hint,
                _ => format!("; there are {}", names.collect::<Vec<_>>().join(", ")),
            };
            self.findings.add(key.pos, format!("there is no option `{}`{hint}", key.name));
        }
    }

    fn env(&mut self, name: &str, value: &Expr) {
        let Expr::Map(map, _) = value else { return };
        for (key, value) in &map.0 {
            if key.name.is_empty() || key.name.contains(['=', '\0']) {
                let message = format!("`{}` cannot be the name of a variable", key.name);
                self.findings.add(key.pos, message);
            }
            let found = kind(value, self.body, self.file);
            let is_fine = |found| {
                matches!(found, Kind::Nothing | Kind::Secret)
                    || refused(Takes::Plain, found).is_none()
            };
            if let Some(found) = found.filter(|found| !is_fine(*found)) {
                let takes = format!("a text, a number, a secret or `()` for `{}`", key.name);
                self.mistake(name, "option `env`", &takes, value, found.words());
            }
        }
    }

    fn codes(&mut self, name: &str, value: &Expr) {
        let Expr::Array(codes, _) = value else { return };
        for code in codes {
            if let Some(found) = kind(code, self.body, self.file)
                && found != Kind::Int
            {
                let takes = "an exit code or a list of them";
                self.mistake(name, "option `allow`", takes, code, found.words());
            }
        }
    }

    /// Lists and maps are kept only if all in them can be.
    fn kept(&mut self, name: &str, value: &Expr) {
        let inner: Vec<&Expr> = match value {
            Expr::Array(items, _) => items.iter().collect(),
            Expr::Map(map, _) => map.0.iter().map(|(_, value)| value).collect(),
            _ => return,
        };
        for value in inner {
            self.argument(name, "value", Takes::Kept, value);
        }
    }

    fn parallel(&mut self, given: &[&Expr]) {
        let Some(work) = given.first() else { return };
        let found = kind(work, self.body, self.file);
        let fits = match (found, given.len()) {
            (None, _) => true,
            (Some(Kind::List), 2) | (Some(Kind::Map), 1) => true,
            _ => false,
        };
        if !fits {
            let message = "`parallel` takes a list and a function, `parallel(list, |item| …)`, or \
                           a map of functions, `parallel(#{ name: || … })`";
            return self.findings.add(work.position(), message);
        }
        match work {
            Expr::Map(map, _) => {
                for (_, value) in &map.0 {
                    self.argument("parallel", "function", Takes::Function(0), value);
                }
                self.tasks("parallel", map.0.len(), work);
            }
            Expr::Array(items, _) => self.tasks("parallel", items.len(), work),
            _ => {}
        }
        if let Some(function) = given.get(1) {
            self.argument("parallel", "function", Takes::Function(1), function);
        }
    }

    fn axes(&mut self, axes: &Expr) {
        let takes = "a map of lists such as `#{ db: [\"a\", \"b\"] }`";
        if let Some(found) = kind(axes, self.body, self.file).filter(|found| *found != Kind::Map) {
            return self.mistake("matrix", "axes", takes, axes, found.words());
        }
        let Expr::Map(map, _) = axes else { return };
        let mut tasks = 1_usize;
        for (axis, values) in &map.0 {
            let found = kind(values, self.body, self.file);
            if let Some(found) = found.filter(|found| *found != Kind::List) {
                let argument = format!("axis `{}`", axis.name);
                self.mistake("matrix", &argument, "a list", values, found.words());
            }
            if let Expr::Array(values, _) = values {
                tasks = tasks.saturating_mul(values.len());
            }
        }
        self.tasks("matrix", tasks, axes);
    }

    fn tasks(&mut self, name: &str, count: usize, work: &Expr) {
        if count > TASKS_MAX {
            let message = format!("`{name}` can have {TASKS_MAX} tasks, and these are {count}");
            self.findings.add(work.position(), message);
        }
    }
}

/// What would be right where a value of this kind is refused.
fn refused(takes: Takes, found: Kind) -> Option<&'static str> {
    use Kind::{Float, Function, Int, Letter, List, Map, Nothing, Object, Secret, Text, Truth};
    let time = "a time such as `\"90s\"` or a number of seconds";
    let (fits, words): (&[Kind], &str) = match takes {
        Takes::Anything => return None,
        Takes::Text | Takes::Path => (&[Text], "a text"),
        Takes::Plain => (&[Text, Int, Float, Truth, Letter], "a text or a number"),
        Takes::Kept => (
            &[Nothing, Truth, Int, Float, Text, Letter, List, Map],
            "a text, a number, a truth value, or a list or map of them",
        ),
        Takes::Truth => (&[Truth], "`true` or `false`"),
        Takes::Count(0) => (&[Int], "a number from 0 to 1000"),
        Takes::Count(_) => (&[Int], "a number from 1 to 1000"),
        Takes::Time | Takes::Limit | Takes::Pause => (&[Text, Int, Float], time),
        Takes::Command => {
            (&[Text, List], "a text for the shell, or a list of a program and its arguments,")
        }
        Takes::Function(_) => (&[Function], "a function"),
        Takes::Options(_) => (&[Map], "a map such as `#{ timeout: \"5m\" }`"),
        Takes::Env => (&[Map], "a map of variables"),
        Takes::Input => (&[Text, Secret, Object], "a text or a secret"),
        Takes::Codes => (&[Int, List], "an exit code or a list of them"),
    };
    (!fits.contains(&found)).then_some(words)
}

/// The time that a literal means, if it means one, and how it is written.
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
