//! Splits files into functions, and visits their nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use rhai::{AST, ASTNode, Module, ScriptFuncDef, Shared, Stmt};

use crate::script::{
    api::registry,
    syntax::{
        nodes::{closure_made, each_node, is_closure, variable},
        unit::Unit,
    },
};

/// The statements of a function, a closure or the top level of a file.
pub(super) struct Body<'a> {
    pub(super) unit: &'a Unit,
    /// `None` for the top level.
    pub(super) function: Option<&'a ScriptFuncDef>,
    /// Name of the function in the text that contains it: its own, or that around a closure.
    pub(super) written_in: Option<&'a str>,
    /// Its statements only. The language can only visit all functions of a tree.
    ast: AST,
    /// Number of its direct statements.
    pub(super) statement_count: usize,
    /// Variables that contain the context.
    pub(super) contexts: BTreeSet<String>,
    /// Variables and parameters of this function, then those of the functions around a closure.
    variables: Vec<Rc<BTreeSet<String>>>,
    /// Variables that a closure captures, which are its first parameters.
    pub(super) captured: BTreeSet<String>,
    /// Variables that are set once, to a closure: its name, and the number of variables that it
    /// captures.
    closures: BTreeMap<String, (String, usize)>,
}

impl<'a> Body<'a> {
    fn top(unit: &'a Unit) -> Self {
        let ast = AST::new(unit.ast.statements().iter().cloned(), Module::new());
        let statement_count = ast.statements().len();
        Self {
            unit,
            function: None,
            written_in: None,
            ast,
            statement_count,
            contexts: BTreeSet::new(),
            variables: Vec::new(),
            captured: BTreeSet::new(),
            closures: BTreeMap::new(),
        }
    }

    /// Returns the closure in a variable that is set once, and the number of variables that it
    /// captures.
    pub(super) fn closure_in(&self, variable: &str) -> Option<&(String, usize)> {
        self.closures.get(variable)
    }

    /// Returns the name of the function, or `None` for closures.
    pub(super) fn name(&self) -> Option<&str> {
        self.function.map(|function| &*function.name).filter(|name| !is_closure(name))
    }

    /// Returns true if a variable of this name exists here or around a closure.
    pub(super) fn sees(&self, name: &str) -> bool {
        self.variables.iter().any(|names| names.contains(name))
    }

    /// Returns the variables that exist here or around a closure.
    pub(super) fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().flat_map(|names| names.iter().map(String::as_str))
    }

    /// Visits every node, together with the nodes around it, outermost first.
    pub(super) fn each_node(&self, visit: &mut dyn FnMut(&[ASTNode<'_>])) {
        each_node(&self.ast, visit);
    }
}

/// One file, split into functions.
pub(super) struct File<'a> {
    pub(super) unit: &'a Unit,
    /// The top level, followed by the functions.
    pub(super) bodies: Vec<Body<'a>>,
    by_name: BTreeMap<&'a str, usize>,
}

impl<'a> File<'a> {
    /// Splits a file. `main` is true if its functions can be steps.
    pub(super) fn new(unit: &'a Unit, main: bool) -> Self {
        let maker = FileSplitter::new(unit, main);
        let mut bodies = vec![Body::top(unit)];
        bodies.extend(unit.ast.iter_fn_def().map(|function| maker.body(unit, function)));
        let by_name = bodies.iter().enumerate().filter_map(|(index, body)| {
            let function = body.function?;
            Some((&*function.name, index))
        });
        let by_name = by_name.collect();
        Self { unit, bodies, by_name }
    }

    /// Returns the function with this name. If there are several, returns the last one.
    pub(super) fn body(&self, name: &str) -> Option<&Body<'a>> {
        self.bodies.get(*self.by_name.get(name)?)
    }
}

/// The data about a file that is needed to split it.
struct FileSplitter<'a> {
    main: bool,
    closures: BTreeMap<String, Closure>,
    functions: BTreeMap<&'a str, &'a ScriptFuncDef>,
    /// The variables of each function, including its parameters.
    declared: BTreeMap<&'a str, Rc<BTreeSet<String>>>,
}

impl<'a> FileSplitter<'a> {
    fn new(unit: &'a Unit, main: bool) -> Self {
        let functions = unit.ast.iter_fn_def().map(|function| (&*function.name, &**function));
        let declared = unit.ast.iter_fn_def().map(|function| {
            let mut names = declared(&alone(function));
            names.extend(function.params.iter().map(ToString::to_string));
            (&*function.name, Rc::new(names))
        });
        let (functions, declared) = (functions.collect(), declared.collect());
        Self { main, closures: closures(unit), functions, declared }
    }

    fn body(&self, unit: &'a Unit, function: &'a Shared<ScriptFuncDef>) -> Body<'a> {
        let ast = alone(function);
        let mut statement_count = 0;
        each_node(&ast, &mut |path| statement_count += usize::from(path.len() == 1));
        let declared = declared(&ast);
        let mut contexts = self.contexts(function);
        contexts.retain(|name| !declared.contains(name));
        Body {
            function: Some(&**function),
            written_in: self.written_in(function),
            statement_count,
            contexts,
            variables: self.variables(function),
            captured: self.captured(function).map(str::to_owned).collect(),
            closures: closures_in(&ast),
            ast,
            ..Body::top(unit)
        }
    }

    fn variables(&self, function: &ScriptFuncDef) -> Vec<Rc<BTreeSet<String>>> {
        let mut all: Vec<_> = self.declared.get(&*function.name).cloned().into_iter().collect();
        let around = self.closures.get(&*function.name);
        if let Some(maker) = around.and_then(|closure| self.functions.get(&*closure.maker)) {
            all.extend(self.variables(maker));
        }
        all
    }

    fn written_in(&self, function: &'a ScriptFuncDef) -> Option<&'a str> {
        let Some(closure) = self.closures.get(&*function.name) else { return Some(&function.name) };
        self.written_in(self.functions.get(&*closure.maker)?)
    }

    fn captured<'f>(&self, function: &'f ScriptFuncDef) -> impl Iterator<Item = &'f str> {
        let count = self.closures.get(&*function.name).map_or(0, |closure| closure.captured);
        function.params.iter().take(count).map(|name| &**name)
    }

    /// Returns the parameters that contain the context: the only one of a step, `ctx` of other
    /// functions, and those that a closure captures.
    fn contexts(&self, function: &ScriptFuncDef) -> BTreeSet<String> {
        let Some(closure) = self.closures.get(&*function.name) else {
            let is_step = registry::step_names().any(|step| step == function.name);
            let first = function.params.first().filter(|_| self.main && is_step);
            let named = function.params.iter().filter(|name| **name == "ctx");
            return first.into_iter().chain(named).map(ToString::to_string).collect();
        };
        // Closures cannot be nested deeper than the parser allows.
        let around = self.functions.get(&*closure.maker);
        let around = around.map(|maker| self.contexts(maker)).unwrap_or_default();
        self.captured(function).filter(|name| around.contains(*name)).map(str::to_owned).collect()
    }
}

/// Returns a tree with only this function.
fn alone(function: &Shared<ScriptFuncDef>) -> AST {
    let mut module = Module::new();
    module.set_script_fn(function.clone());
    AST::new([], module)
}

/// The place where a closure is created.
struct Closure {
    /// The enclosing function.
    maker: String,
    /// Number of captured variables, which are its first parameters.
    captured: usize,
}

fn closures(unit: &Unit) -> BTreeMap<String, Closure> {
    let mut closures = BTreeMap::new();
    let mut collect_closures = |maker: &str, ast: &AST| {
        each_node(ast, &mut |path| {
            let Some(ASTNode::Expr(expression)) = path.last() else { return };
            if let Some((name, captured)) = closure_made(expression) {
                // A closure with captured variables is visited again inside the expression that
                // creates it.
                let known = closures.get(&name).map_or(0, |it: &Closure| it.captured);
                let captured = captured.len().max(known);
                closures.insert(name, Closure { maker: maker.to_owned(), captured });
            }
        });
    };
    for function in unit.ast.iter_fn_def() {
        collect_closures(&function.name, &alone(function));
    }
    closures
}

/// Returns the variables that a function sets once, to a closure.
fn closures_in(ast: &AST) -> BTreeMap<String, (String, usize)> {
    let mut closures = BTreeMap::new();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    each_node(ast, &mut |path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(parts, ..))) => {
            let name = parts.0.name.to_string();
            *times.entry(name.clone()).or_default() += 1;
            if let Some((closure, captured)) = closure_made(&parts.1) {
                closures.insert(name, (closure, captured.len()));
            }
        }
        Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
            if let Some(name) = variable(&parts.1.lhs) {
                *times.entry(name.to_owned()).or_default() += 1;
            }
        }
        _ => {}
    });
    closures.retain(|name, _| times.get(name) == Some(&1));
    closures
}

/// Returns the variables that a function declares.
fn declared(ast: &AST) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each_node(ast, &mut |path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
            names.insert(variable.0.name.to_string());
        }
        Some(ASTNode::Stmt(Stmt::For(parts, _))) => {
            names.insert(parts.0.name.to_string());
            names.extend(parts.1.iter().map(|counter| counter.name.to_string()));
        }
        Some(ASTNode::Stmt(Stmt::TryCatch(parts, _))) => {
            names.extend(variable(&parts.expr).map(str::to_owned));
        }
        _ => {}
    });
    names
}
