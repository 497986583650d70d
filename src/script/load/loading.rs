//! Loads a [`Script`]: parses the text, checks its top level and reads its imports, without running
//! anything.

use std::{collections::BTreeMap, sync::Arc};

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, Stmt};

use super::{
    constants,
    parse_cost::{LOOKUPS_MAX, Lookups, TOO_MANY},
};
use crate::{
    model::{
        check_report::Severity,
        error::{Error, Position},
        function::{HostFunction, Value},
        pipeline::{DeployRules, ENVIRONMENT_NAME, When, is_environment},
        script::Tree,
    },
    rules::glob::{Names, names_fault},
    script::{
        api::registry::{self, DEPLOY_KEYS, WHEN_KEYS},
        errors::parse_message,
        language::engine,
        syntax::{
            imports::Importer,
            literal::literal,
            script::{Script, StepFunction, TIMEOUT},
            unit::{Unit, declared_at, place},
        },
        text::{excerpt, source::Source},
    },
    util::{duration::parse_duration, suggestion::did_you_mean},
};

/// How to treat undefined names, and constants that nothing reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum Unknown {
    /// The first one is an error. All callers except checks use this.
    Refused,
    /// They are accepted here, because a check reports all of them.
    Reported,
}

impl Script {
    /// Loads a script. Errors show `name`. `functions` are the functions of the embedding program
    /// that it may call.
    pub(crate) fn load(
        bytes: &[u8],
        name: &str,
        tree: &dyn Tree,
        functions: &[HostFunction],
    ) -> Result<Self, Error> {
        Self::load_with(bytes, name, tree, functions, Unknown::Refused)
    }

    /// Loads a script. With [`Unknown::Reported`], undefined names are accepted, because a check
    /// reports all of them.
    pub(in crate::script) fn load_with(
        bytes: &[u8],
        name: &str,
        tree: &dyn Tree,
        functions: &[HostFunction],
        unknown: Unknown,
    ) -> Result<Self, Error> {
        let mut script = Self::read(bytes, name, tree, functions, unknown)?;
        script.steps = steps(&script.main)?;
        script.read_constants()?;
        if unknown == Unknown::Refused {
            script.refuse_misnamed_constants()?;
        }
        Ok(script)
    }

    /// Reads a script that need not be a pipeline: steps and constants are not looked for.
    pub(in crate::script) fn read(
        bytes: &[u8],
        name: &str,
        tree: &dyn Tree,
        functions: &[HostFunction],
        unknown: Unknown,
    ) -> Result<Self, Error> {
        let mut engine = parser(functions);
        engine.set_strict_variables(unknown == Unknown::Refused);
        let lookups = Lookups::limit(&mut engine, LOOKUPS_MAX);
        let parse = |source: Source| {
            let unit = parse(&engine, &lookups, source)?;
            check_top_level(&unit)?;
            refuse_reserved_names(&unit, functions)?;
            Ok(unit)
        };
        let main = parse(Source::new(bytes, name)?)?;
        let mut importer = Importer { tree, parse: &parse, modules: BTreeMap::new() };
        importer.follow(&main, &mut vec![name.to_owned()])?;
        let modules = Arc::new(importer.modules);
        Ok(Self {
            main,
            modules,
            literals: Arc::default(),
            in_plans: Arc::default(),
            steps: BTreeMap::new(),
            timeout: TIMEOUT,
            secrets: Vec::new(),
            when: When::default(),
            deploy: DeployRules::default(),
            hits: None,
        })
    }

    /// Refuses constants that were meant for tinyci but have no effect, so that no setting is lost
    /// silently.
    fn refuse_misnamed_constants(&self) -> Result<(), Error> {
        let mut found = constants::misnamed(self).into_iter();
        match found.find(|it| it.severity == Severity::Error) {
            Some(it) => Err(excerpt::error(&it.unit.source, place(it.at), it.message)),
            None => Ok(()),
        }
    }

    /// Reads the constants that tinyci uses before anything runs.
    fn read_constants(&mut self) -> Result<(), Error> {
        for (name, value) in constants(&self.main.ast) {
            let fault = |takes: &str| {
                let message = format!("`const {name}` takes {takes}");
                excerpt::error(&self.main.source, place(value.position()), message)
            };
            match name {
                "TIMEOUT" => {
                    let takes = "a literal duration from `\"1ms\"` to `\"365d\"`, such as \
                                 `\"90s\"` or `\"10m\"`";
                    let time = literal(value).and_then(|value| parse_duration(value.as_str()?));
                    self.timeout =
                        time.filter(|time| !time.is_zero()).ok_or_else(|| fault(takes))?;
                }
                "SECRETS" => {
                    let names = literal(value).and_then(|value| texts(&value));
                    self.secrets = names.ok_or_else(|| fault("a literal array of names"))?;
                }
                "WHEN" => {
                    let map = value;
                    let value = literal(value).ok_or_else(|| fault("a literal map"))?;
                    self.when = when(&value).map_err(|why| fault(&why))?;
                    let When { branch, tag, message, .. } = &self.when;
                    let lists = [
                        ("branch", Names::Branches, branch),
                        ("tag", Names::Tags, tag),
                        ("message", Names::Messages, message),
                    ];
                    refuse_unmatchable_globs(&self.main.source, map, &lists)?;
                }
                "DEPLOY" => {
                    let map = value;
                    let value = literal(value).ok_or_else(|| fault("a literal map"))?;
                    self.deploy = deploy(&value).map_err(|why| fault(&why))?;
                    let lists = [("branch", Names::Branches, &self.deploy.branch)];
                    refuse_unmatchable_globs(&self.main.source, map, &lists)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Returns the engine that parses scripts. It has the names of the host's modules.
pub(in crate::script) fn parser(functions: &[HostFunction]) -> Engine {
    let mut engine = engine::engine();
    for module in functions.iter().filter_map(|function| function.name.split_once("::")) {
        engine.register_static_module(module.0, rhai::Module::new().into());
    }
    engine
}

fn parse(engine: &Engine, lookups: &Lookups, source: Source) -> Result<Unit, Error> {
    lookups.begin();
    let parsed = engine.compile(&*source.text).map_err(|error| {
        let position = place(error.position());
        let message = if lookups.are_too_many() {
            TOO_MANY.to_owned()
        } else {
            parse_message::parse_message(error.err_type(), source.word(position))
        };
        excerpt::error(&source, position, message)
    });
    let mut ast = parsed?;
    ast.set_source(&*source.name);
    Ok(Unit { source, ast })
}

/// Refuses statements with effects at the top level, because it runs again for every step.
fn check_top_level(unit: &Unit) -> Result<(), Error> {
    for statement in unit.ast.statements() {
        let fault = match statement {
            Stmt::Noop(_) | Stmt::Import(..) | Stmt::Export(..) => None,
            Stmt::Var(variable, flags, _) if flags.contains(ASTFlags::CONSTANT) => {
                call_in(&variable.1).map(|at| {
                    (
                        at,
                        "a constant at the top cannot call a function; compute the value in a \
                          function",
                    )
                })
            }
            Stmt::Var(_, _, at) => Some((
                *at,
                "`let` cannot be used outside of a function; write `const`, and read it \
                            as `global::NAME`",
            )),
            other => Some((
                other.position(),
                "outside of functions only `import`, `const` and `fn` are allowed; move this to a \
                 step such as `fn build(ctx) { … }`",
            )),
        };
        if let Some((at, message)) = fault {
            return Err(excerpt::error(&unit.source, place(at), message));
        }
    }
    Ok(())
}

/// Returns the first call in an expression. Operators do not count as calls.
fn call_in(expression: &Expr) -> Option<rhai::Position> {
    let mut call = None;
    expression.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
        let found = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at))) if call.op_token.is_none() => Some(*at),
            Some(ASTNode::Expr(Expr::MethodCall(_, at))) => Some(*at),
            Some(ASTNode::Stmt(Stmt::FnCall(_, at))) => Some(*at),
            _ => None,
        };
        call = found;
        call.is_none()
    });
    call
}

/// Refuses functions with a reserved name. A script or module that replaces `sh` could hide what it
/// runs. Pure string functions are allowed, because many scripts have helpers of the same names.
fn refuse_reserved_names(unit: &Unit, functions: &[HostFunction]) -> Result<(), Error> {
    for function in unit.ast.iter_fn_def() {
        let name = &*function.name;
        let whose = if registry::function(name).is_some() && !registry::is_string_function(name) {
            "tinyci"
        } else if functions.iter().any(|of_host| of_host.name == name) {
            "the embedding program"
        } else {
            continue;
        };
        let message = format!(
            "`{name}` is a function of {whose} and cannot be defined again; choose another name"
        );
        return Err(excerpt::error(&unit.source, declared_at(&unit.source, function), message));
    }
    Ok(())
}

/// Returns the functions that are steps, by name.
pub(in crate::script) fn steps(main: &Unit) -> Result<BTreeMap<&'static str, StepFunction>, Error> {
    let mut steps = BTreeMap::new();
    for function in main.ast.iter_fn_def() {
        let name = registry::step_names().find(|name| *name == function.name);
        let Some(name) = name else { continue };
        let position = declared_at(&main.source, function);
        let fault = |message: String| Err(excerpt::error(&main.source, position, message));
        let takes_context = match function.params.len() {
            0 => false,
            1 => true,
            more => {
                return fault(format!(
                    "the step `{name}` takes `ctx` or no parameters, not {more} parameters"
                ));
            }
        };
        if steps.insert(name, StepFunction { takes_context, position }).is_some() {
            return fault(format!("the step `{name}` is defined twice, with and without `ctx`"));
        }
    }
    if steps.is_empty() {
        return Err(no_steps_error(main));
    }
    Ok(steps)
}

/// Returns the error for a script without a step. It would make every commit green; most likely a
/// name is misspelled.
fn no_steps_error(main: &Unit) -> Error {
    let names: Vec<&str> = main.ast.iter_fn_def().map(|function| &*function.name).collect();
    let hints = names.iter().filter_map(|name| {
        let hint = did_you_mean(name, registry::step_names());
        (!hint.is_empty()).then(|| format!(": `{name}` is not a step{hint}"))
    });
    let hint = hints.into_iter().next().unwrap_or_default();
    let message = format!("the script has no step such as `build` or `test`{hint}");
    excerpt::error(&main.source, Position::new(1, 1), message)
}

/// Returns the constants at the top level, with the expressions of their values.
fn constants(ast: &AST) -> impl Iterator<Item = (&str, &Expr)> {
    ast.statements().iter().filter_map(|statement| match statement {
        Stmt::Var(variable, flags, _) if flags.contains(ASTFlags::CONSTANT) => {
            Some((&*variable.0.name, &variable.1))
        }
        _ => None,
    })
}

/// Reads a string or an array of strings.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Refuses globs that can never match, each with its own position in a map.
fn refuse_unmatchable_globs(
    source: &Source,
    map: &Expr,
    lists: &[(&str, Names, &Vec<String>)],
) -> Result<(), Error> {
    for (key, names, globs) in lists.iter().filter(|(.., globs)| !globs.is_empty()) {
        if let Some(fault) = names_fault(*names, globs) {
            let at = glob_position(map, key, fault.index);
            return Err(excerpt::error(source, place(at), fault.message));
        }
    }
    Ok(())
}

/// Returns the position of the glob with this index below a key of a map.
fn glob_position(map: &Expr, key: &str, index: usize) -> rhai::Position {
    let Expr::Map(entries, _) = map else { return map.start_position() };
    let value = entries.0.iter().find(|(name, _)| name.name == key).map_or(map, |(_, it)| it);
    match value {
        Expr::Array(items, _) => items.get(index).unwrap_or(value).start_position(),
        one => one.start_position(),
    }
}

pub(in crate::script) fn when(value: &Value) -> Result<When, String> {
    let keys = WHEN_KEYS.map(|key| key.name);
    let takes = "a literal map of conditions such as `#{ branch: \"main\" }`";
    let Value::Map(map) = value else { return Err(takes.to_owned()) };
    if map.is_empty() {
        return Err(takes.to_owned());
    }
    let mut when = When::default();
    for (key, value) in map {
        let list = match key.as_str() {
            "branch" => &mut when.branch,
            "tag" => &mut when.tag,
            "message" => &mut when.message,
            "changed" => {
                let why = "no `changed`, which is a condition of a step; call `ctx.changed(globs)` \
                           in `build` or `test` instead";
                return Err(why.to_owned());
            }
            unknown => {
                let hint = did_you_mean(unknown, keys);
                return Err(format!("the keys {}, not `{unknown}`{hint}", keys.join(", ")));
            }
        };
        let globs = texts(value).filter(|it| !it.is_empty() && it.iter().all(|it| !it.is_empty()));
        *list = globs.ok_or_else(|| format!("a glob or an array of globs for `{key}`"))?;
    }
    Ok(when)
}

pub(in crate::script) fn deploy(value: &Value) -> Result<DeployRules, String> {
    let keys = DEPLOY_KEYS.map(|key| key.name);
    let Value::Map(map) = value else { return Err("a literal map".to_owned()) };
    let mut deploy = DeployRules::default();
    for (key, value) in map {
        let names = || {
            let names = texts(value).filter(|names| !names.is_empty());
            names.ok_or_else(|| format!("a string or an array of strings for `{key}`"))
        };
        let truth = || value.as_bool().ok_or_else(|| format!("a bool for `{key}`"));
        match key.as_str() {
            "branch" => deploy.branch = names()?,
            "environment" => {
                deploy.environment = names()?;
                if let Some(name) = deploy.environment.iter().find(|it| !is_environment(it)) {
                    return Err(format!("{ENVIRONMENT_NAME} for `{key}`, not {name:?}"));
                }
            }
            "approve" => deploy.approve = truth()?,
            "auto" => deploy.auto = truth()?,
            unknown => {
                let hint = did_you_mean(unknown, keys);
                return Err(format!("the keys {}, not `{unknown}`{hint}", keys.join(", ")));
            }
        }
    }
    Ok(deploy)
}

#[cfg(test)]
mod tests;
