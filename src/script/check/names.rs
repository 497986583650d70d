//! The functions that a script can call: its own, imported ones, and those of the API, the
//! embedding program and the language.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTFlags, ASTNode, Expr, FnAccess, FuncInfo, Stmt};

use super::{findings::Findings, walk::File};
use crate::{
    model::function::{Effect, HostFunction},
    script::{
        api::registry,
        language::engine,
        syntax::{
            imports::module_path,
            nodes,
            unit::{Unit, declared_at},
        },
        testing::suite,
    },
    util::suggestion::did_you_mean,
};

/// Functions built into the language, which accept any arguments.
const KEYWORDS: [&str; 7] =
    ["Fn", "call", "curry", "is_def_fn", "is_def_var", "is_shared", "type_of"];

/// The numbers of arguments that a function accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// These numbers.
    Counts(BTreeSet<usize>),
    /// Any number.
    Any,
}

impl Takes {
    pub(super) fn allows(&self, count: usize) -> bool {
        match self {
            Takes::Counts(counts) => counts.contains(&count),
            Takes::Any => true,
        }
    }

    /// Returns a phrase such as `1 or 2 arguments`.
    pub(super) fn in_words(&self) -> String {
        let Takes::Counts(counts) = self else { return "any number of arguments".to_owned() };
        let words: Vec<String> = counts.iter().map(ToString::to_string).collect();
        let plural = if words == ["1"] { "" } else { "s" };
        match words.split_last() {
            Some((last, [])) if last == "0" => "no arguments".to_owned(),
            Some((last, rest)) if !rest.is_empty() => {
                format!("{} or {last} arguments", rest.join(", "))
            }
            _ => format!("{} argument{plural}", words.concat()),
        }
    }
}

/// All names that the files of a script can use.
pub(super) struct Names<'a> {
    host: &'a [HostFunction],
    /// Names that each file defines, by file name.
    files: BTreeMap<String, FileNames>,
    language: BTreeMap<String, BTreeSet<usize>>,
    /// Functions of the language that change their receiver and return null.
    in_place: BTreeSet<String>,
    /// Keys of maps. Their values may be closures, which are called like methods.
    pub(super) keys: BTreeSet<String>,
    /// True for files of tests, which have `t` and no functions with effects.
    tests: bool,
}

impl<'a> Names<'a> {
    pub(super) fn new(files: &[File<'_>], host: &'a [HostFunction]) -> Self {
        let (language, in_place) = language();
        let keys = files.iter().flat_map(keys).collect();
        let named = |file: &File<'_>| (file.unit.source.name.to_string(), FileNames::new(file));
        let files = files.iter().map(named).collect();
        Self { host, files, language, in_place, keys, tests: false }
    }

    /// Returns the names for files of tests, which cannot call functions of the host.
    pub(super) fn of_tests(files: &[File<'_>]) -> Self {
        Self { tests: true, ..Self::new(files, &[]) }
    }

    pub(super) fn are_of_tests(&self) -> bool {
        self.tests
    }

    /// Returns the error for a function that only pipelines can call.
    pub(super) fn refusal(&self, name: &str) -> Option<String> {
        let refused = self.tests && registry::function(name).is_some();
        refused.then(|| suite::refusal(name)).flatten()
    }

    fn file(&self, unit: &Unit) -> Option<&FileNames> {
        self.files.get(&*unit.source.name)
    }

    /// Returns true if a string function may be replaced by a function of the script or a closure
    /// in a map.
    pub(super) fn replaces(&self, unit: &Unit, name: &str) -> bool {
        let is_own = self.keys.contains(name) || !self.own(unit, name).is_empty();
        registry::is_string_function(name) && is_own
    }

    /// Returns the numbers of parameters of a file's functions with this name.
    fn own(&self, unit: &Unit, name: &str) -> BTreeSet<usize> {
        let function = self.file(unit).and_then(|file| file.functions.get(name));
        function.map(|function| function.counts.clone()).unwrap_or_default()
    }

    pub(super) fn is_in_place(&self, name: &str) -> bool {
        self.in_place.contains(name) && registry::function(name).is_none()
    }

    /// Returns how a function can be called without a receiver, or `None` if it does not exist.
    pub(super) fn function(&self, unit: &Unit, name: &str) -> Option<Takes> {
        if KEYWORDS.contains(&name) {
            return Some(Takes::Any);
        }
        let own = self.own(unit, name);
        if !own.is_empty() {
            return Some(Takes::Counts(own));
        }
        self.common(name)
    }

    /// Returns how a method can be called, or `None` if it does not exist. The receiver does not
    /// count.
    pub(super) fn method(&self, unit: &Unit, name: &str) -> Option<Takes> {
        if KEYWORDS.contains(&name) || self.keys.contains(name) {
            return Some(Takes::Any);
        }
        let mut counts = self.own(unit, name);
        if let Some(Takes::Counts(common)) = self.common(name) {
            counts.extend(common.iter().filter_map(|count| count.checked_sub(1)));
        }
        if self.tests {
            counts.extend(suite::method_counts(name));
        }
        (!counts.is_empty()).then_some(Takes::Counts(counts))
    }

    /// Looks up functions of the API, which nothing can replace, then those of the host, then those
    /// of the language.
    fn common(&self, name: &str) -> Option<Takes> {
        if let Some(function) = registry::function(name) {
            return Some(Takes::Counts(function.counts().collect()));
        }
        if let Some(function) = self.host_function(name) {
            return Some(Takes::Counts(function.arguments.clone().collect()));
        }
        self.language.get(name).cloned().map(Takes::Counts)
    }

    fn host_function(&self, name: &str) -> Option<&HostFunction> {
        self.host.iter().find(|function| function.name == name)
    }

    /// Returns how a function of a module can be called. The outer `None` means that the module is
    /// not known; the parser reports that.
    pub(super) fn module_function(
        &self,
        unit: &Unit,
        module: &str,
        name: &str,
    ) -> Option<Option<Takes>> {
        if let Some(file) = self.imported(unit, module) {
            let function = file.functions.get(name).filter(|it| !it.public_counts.is_empty());
            let counts = function.map(|function| function.public_counts.clone());
            return Some(counts.map(Takes::Counts));
        }
        let prefix = format!("{module}::");
        if !self.host.iter().any(|function| function.name.starts_with(&prefix)) {
            return None;
        }
        let function = self.host_function(&format!("{prefix}{name}"));
        Some(function.map(|function| Takes::Counts(function.arguments.clone().collect())))
    }

    /// Returns true if this file can use the module.
    pub(super) fn has_module(&self, unit: &Unit, module: &str) -> bool {
        let prefix = format!("{module}::");
        module == "global"
            || self.file(unit).is_some_and(|file| file.imports.contains_key(module))
            || self.host.iter().any(|function| function.name.starts_with(&prefix))
    }

    /// Returns true if a function of the embedding program has an effect.
    pub(super) fn has_effect(&self, name: &str) -> bool {
        self.host_function(name).is_some_and(|function| function.effect != Effect::Pure)
    }

    /// Returns the path of the file that a module's name refers to.
    pub(super) fn imported_path(&self, unit: &Unit, module: &str) -> Option<&str> {
        self.file(unit)?.imports.get(module).map(String::as_str)
    }

    /// Returns the file that a module's name refers to.
    fn imported(&self, unit: &Unit, module: &str) -> Option<&FileNames> {
        self.files.get(self.file(unit)?.imports.get(module)?)
    }

    /// Returns the path of an imported file if it defines this function.
    pub(super) fn private_in(&self, unit: &Unit, module: &str, name: &str) -> Option<&str> {
        let path = self.file(unit)?.imports.get(module)?;
        self.files.get(path)?.functions.contains_key(name).then_some(path)
    }

    /// Returns what `module::NAME` refers to, or `None` if the module is not known.
    pub(super) fn module_value(
        &self,
        unit: &Unit,
        module: &str,
        name: &str,
    ) -> Option<ModuleValue<'_>> {
        if let Some(path) = self.file(unit)?.imports.get(module)
            && let Some(file) = self.files.get(path)
        {
            return Some(match (file.exported.contains(name), file.functions.get(name)) {
                (true, _) => ModuleValue::Constant,
                (false, Some(function)) => ModuleValue::Function(&function.params),
                _ if file.constants.contains(name) => ModuleValue::NotExported(path),
                _ => ModuleValue::Absent(did_you_mean(name, file.exported.iter().map(|it| &**it))),
            });
        }
        let prefix = format!("{module}::");
        let of_host = self.host.iter().any(|function| function.name.starts_with(&prefix));
        of_host.then(|| match self.host_function(&format!("{prefix}{name}")) {
            Some(_) => ModuleValue::Function(&[]),
            None => ModuleValue::Absent(String::new()),
        })
    }

    /// Returns a suggestion for a misspelled function.
    pub(super) fn near_function(&self, unit: &Unit, name: &str) -> String {
        let own = self.file(unit).into_iter().flat_map(FileNames::own_names);
        let api = registry::FUNCTIONS.iter().map(|function| function.name);
        let host = self.host.iter().map(|function| &*function.name);
        let language = self.language.keys().map(String::as_str);
        let tests: &[&str] = if self.tests { &suite::method_names() } else { &[] };
        did_you_mean(name, own.chain(api).chain(host).chain(language).chain(tests.iter().copied()))
    }

    /// Returns a suggestion for a misspelled function of a module.
    pub(super) fn near_module_function(&self, unit: &Unit, module: &str, name: &str) -> String {
        let prefix = format!("{module}::");
        let host = self.host.iter().filter_map(|function| function.name.strip_prefix(&*prefix));
        let imported = self.imported(unit, module).into_iter().flat_map(FileNames::public_names);
        did_you_mean(name, host.chain(imported))
    }

    /// Returns the signature of a function of the API, for the end of a message.
    pub(super) fn signature(&self, name: &str) -> String {
        let signature = registry::function(name).map(registry::Function::signature);
        signature.map(|text| format!(": `{text}`")).unwrap_or_default()
    }
}

/// What a name in a module refers to.
pub(super) enum ModuleValue<'n> {
    Constant,
    /// A constant of this file that other files cannot read.
    NotExported(&'n str),
    /// A function with these parameters. It is not a value.
    Function(&'n [String]),
    /// Nothing. Contains a suggestion for the end of a message.
    Absent(String),
}

/// The names that one file defines and imports.
#[derive(Default)]
struct FileNames {
    functions: BTreeMap<String, OwnFunction>,
    constants: BTreeSet<String>,
    /// Constants that other files can read, by their exported names.
    exported: BTreeSet<String>,
    /// Paths of imported files, by their local names.
    imports: BTreeMap<String, String>,
}

/// The functions of one file with one name.
#[derive(Default)]
struct OwnFunction {
    /// The numbers of parameters.
    counts: BTreeSet<usize>,
    /// The numbers of parameters of those that other files can call.
    public_counts: BTreeSet<usize>,
    /// The parameter names of one of them.
    params: Vec<String>,
}

impl FileNames {
    fn new(file: &File<'_>) -> Self {
        let mut names = Self::default();
        for function in file.unit.ast.iter_fn_def() {
            let own = names.functions.entry(function.name.to_string()).or_default();
            own.counts.insert(function.params.len());
            own.params = function.params.iter().map(ToString::to_string).collect();
            if function.access == FnAccess::Public {
                own.public_counts.insert(function.params.len());
            }
        }
        for statement in file.unit.ast.statements() {
            names.add_constant(statement);
        }
        file.unit.ast.walk(&mut |nodes: &[ASTNode<'_>]| {
            if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = nodes.last()
                && let Expr::StringConstant(text, _) = &import.0
                && let Ok(path) = module_path(text)
            {
                names.imports.insert(import.1.name.to_string(), path);
            }
            true
        });
        names
    }

    fn add_constant(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Var(parts, flags, _) => {
                let name = parts.0.name.to_string();
                if flags.contains(ASTFlags::EXPORTED) {
                    self.exported.insert(name.clone());
                }
                self.constants.insert(name);
            }
            Stmt::Export(names, _) => {
                let (name, other) = (&names.0.name, &names.1.name);
                let name = if other.is_empty() { name } else { other };
                self.exported.insert(name.to_string());
            }
            _ => {}
        }
    }

    /// Returns the names of the functions that other files can call.
    fn public_names(&self) -> impl Iterator<Item = &str> {
        let public =
            self.functions.iter().filter(|(_, function)| !function.public_counts.is_empty());
        public.map(|(name, _)| name.as_str()).filter(|name| !nodes::is_closure(name))
    }

    /// Returns the names of the functions, without closures.
    fn own_names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str).filter(|name| !nodes::is_closure(name))
    }
}

/// Returns the numbers of arguments of the language's functions, and the functions that return
/// null.
fn language() -> (BTreeMap<String, BTreeSet<usize>>, BTreeSet<String>) {
    let describe = |info: FuncInfo<'_>| {
        let metadata = info.metadata;
        Some((metadata.name.to_string(), metadata.num_params, metadata.return_type.to_string()))
    };
    let mut counts: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let (mut returning_null, mut returning_values) = (BTreeSet::new(), BTreeSet::new());
    for (name, count, returns) in engine::engine().collect_fn_metadata(None, describe, true) {
        if !name.starts_with(|it: char| it.is_alphabetic()) || name.contains('$') {
            continue;
        }
        // Replacements of the language's functions (`append`) may not declare a return type.
        match &*returns {
            "" => false,
            nothing if nothing.contains("()") => returning_null.insert(name.clone()),
            _ => returning_values.insert(name.clone()),
        };
        counts.entry(name).or_default().insert(count);
    }
    (counts, returning_null.difference(&returning_values).cloned().collect())
}

/// Returns the keys of all maps in a file, in literals and assignments.
fn keys(file: &File<'_>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for body in &file.bodies {
        body.each_node(&mut |path| match path.last() {
            Some(ASTNode::Expr(Expr::Map(map, _))) => {
                keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
            }
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
                keys.extend(assigned_key(&parts.1.lhs));
            }
            _ => {}
        });
    }
    keys
}

/// Returns the key that `map.key = …` or `map["key"] = …` sets.
fn assigned_key(target: &Expr) -> Option<String> {
    match target {
        Expr::Dot(parts, ..) | Expr::Index(parts, ASTFlags::NONE, _) => assigned_key(&parts.rhs),
        Expr::Index(parts, ..) => assigned_key(&parts.rhs),
        Expr::Property(property, _) => Some(property.2.to_string()),
        Expr::StringConstant(text, _) => Some(text.to_string()),
        _ => None,
    }
}

/// Finds functions that nothing calls and whose names are similar to a step's. They would never
/// run.
pub(super) fn misspelled_steps(file: &File<'_>, findings: &mut Findings<'_>) {
    let called = called(file);
    for function in file.unit.ast.iter_fn_def() {
        let name = &*function.name;
        let is_step = registry::step_names().any(|step| step == name);
        if is_step || nodes::is_closure(name) || called.contains(name) {
            continue;
        }
        let hint = near_step(name);
        if !hint.is_empty() {
            let message = format!("`{name}` is not a step and is never called{hint}");
            findings.add_at(declared_at(&file.unit.source, function), message);
        }
    }
}

/// Suggests steps with a similar name, also if the name omits `build_` or `test_`.
fn near_step(name: &str) -> String {
    let short = |step: &str| step.replacen("build_", "", 1).replacen("test_", "", 1);
    let near: Vec<String> = registry::step_names()
        .filter(|step| short(step) != *step && !did_you_mean(name, [&*short(step)]).is_empty())
        .map(|step| format!("`{step}`"))
        .collect();
    match near.is_empty() {
        true => did_you_mean(name, registry::step_names()),
        false => format!("; did you mean {}?", near.join(" or ")),
    }
}

/// Returns every name that a file calls or passes as `Fn("name")`.
pub(super) fn called(file: &File<'_>) -> BTreeSet<String> {
    let mut called = BTreeSet::new();
    for body in &file.bodies {
        let own = body.name().map(str::to_owned);
        body.each_node(&mut |path| match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                | ASTNode::Stmt(Stmt::FnCall(call, _)),
            ) if own.as_deref() != Some(&*call.name) => {
                called.insert(call.name.to_string());
                let texts = call.args.iter().filter_map(|argument| match argument {
                    Expr::StringConstant(text, _) => Some(text.to_string()),
                    _ => None,
                });
                called.extend(texts);
            }
            _ => {}
        });
    }
    called
}
