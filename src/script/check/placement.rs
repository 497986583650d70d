//! Finds calls of `skip` and `approve` in the wrong place. Neither can be called in a task of
//! `parallel` or `matrix`, or in a deferred function. `approve` cannot be called outside of
//! `deploy` or after an effect.
//!
//! Calls are followed through the functions and closures of all files, if their targets are known.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::{
    findings::Findings,
    names::Names,
    values::pointer,
    walk::{Body, File},
};
use crate::script::{api::registry, syntax::nodes::closure_made};

/// Functions that call their argument immediately, once or more often.
const AT_ONCE: [&str; 4] = ["group", "retry", "timeout", "with"];

/// Functions with an effect: they run a command or store something.
const WITH_EFFECT: [&str; 6] =
    ["artifact", "capture", "discard_export", "remember", "sh", "try_sh"];

/// A function, as its file and its name. Closures have generated names.
type Key<'a> = (&'a str, String);

/// Something that a function does, in the order of its text.
struct Event<'a> {
    at: Position,
    /// True if it always happens when the function is called and does not return earlier.
    is_certain: bool,
    what: Action<'a>,
}

enum Action<'a> {
    Skip,
    Approve,
    /// An effect of the function with this name.
    Effect(String),
    /// A call, also of a closure that is called immediately.
    Call(Key<'a>),
    /// A closure or function passed as a value, which may be called.
    Given(Key<'a>),
    /// A function that the named function runs as a task or defers.
    Later(&'static str, Key<'a>),
}

/// The events of all functions of all files.
pub(super) struct Flow<'a> {
    events: BTreeMap<Key<'a>, Vec<Event<'a>>>,
    /// Functions that can reach `skip`.
    skipping: BTreeSet<Key<'a>>,
    approving: BTreeSet<Key<'a>>,
    /// Functions that always have an effect.
    having_effect: BTreeSet<Key<'a>>,
    /// Functions that `deploy` reaches.
    of_deploy: BTreeSet<Key<'a>>,
    of_others: BTreeSet<Key<'a>>,
}

impl<'a> Flow<'a> {
    /// Reads all files. The first one contains the steps.
    pub(super) fn new(files: &'a [File<'a>], names: &Names<'_>) -> Self {
        let mut flow = Self {
            events: BTreeMap::new(),
            skipping: BTreeSet::new(),
            approving: BTreeSet::new(),
            having_effect: BTreeSet::new(),
            of_deploy: BTreeSet::new(),
            of_others: BTreeSet::new(),
        };
        for file in files {
            for body in file.bodies.iter().filter(|body| body.function.is_some()) {
                let events = Reader { body, file, files, names }.events();
                flow.events.insert(key_of(body), events);
            }
        }
        flow.skipping = flow.functions_with(|what| matches!(what, Action::Skip), false);
        flow.approving = flow.functions_with(|what| matches!(what, Action::Approve), false);
        flow.having_effect = flow.functions_with(|what| matches!(what, Action::Effect(_)), true);
        let Some(main) = files.first() else { return flow };
        let step = |name: &str| (&*main.unit.source.name, name.to_owned());
        let others = registry::step_names().filter(|name| *name != "deploy");
        flow.of_deploy = flow.reachable_from(vec![step("deploy")]);
        flow.of_others = flow.reachable_from(others.map(step).collect());
        flow
    }

    /// Returns the functions in which such an event happens, directly or in a call. With
    /// `certainly`, only events that always happen count.
    fn functions_with(
        &self,
        is_meant: impl Fn(&Action<'_>) -> bool,
        certainly: bool,
    ) -> BTreeSet<Key<'a>> {
        let mut callers: BTreeMap<&Key<'a>, Vec<&Key<'a>>> = BTreeMap::new();
        let mut remaining = Vec::new();
        for (key, events) in &self.events {
            for event in events.iter().filter(|event| event.is_certain || !certainly) {
                match &event.what {
                    Action::Call(called) => callers.entry(called).or_default().push(key),
                    Action::Given(called) if !certainly => {
                        callers.entry(called).or_default().push(key);
                    }
                    what if is_meant(what) => remaining.push(key),
                    _ => {}
                }
            }
        }
        let mut found = BTreeSet::new();
        while let Some(key) = remaining.pop() {
            if found.insert(key.clone()) {
                remaining.extend(callers.get(key).into_iter().flatten());
            }
        }
        found
    }

    /// Returns these functions and all that they call.
    fn reachable_from(&self, mut remaining: Vec<Key<'a>>) -> BTreeSet<Key<'a>> {
        let mut found = BTreeSet::new();
        while let Some(key) = remaining.pop() {
            let events = self.events.get(&key).into_iter().flatten();
            let called = events.filter_map(|event| match &event.what {
                Action::Call(key) | Action::Given(key) | Action::Later(_, key) => Some(key.clone()),
                Action::Skip | Action::Approve | Action::Effect(_) => None,
            });
            let called: Vec<Key<'a>> = called.collect();
            if found.insert(key) {
                remaining.extend(called);
            }
        }
        found
    }

    /// Checks one function.
    pub(super) fn check(&self, body: &Body<'_>, findings: &mut Findings<'_>) {
        let key = (&*body.unit.source.name, function_name(body));
        let Some(events) = self.events.get(&key) else { return };
        for event in events {
            match &event.what {
                Action::Later(runner, task) => self.task(runner, task, event.at, findings),
                Action::Approve if self.is_outside_deploy(&key) => findings.add(
                    event.at,
                    "only `deploy` can ask for an approval; commits are tested without one",
                ),
                _ => {}
            }
        }
        self.order(events, findings);
    }

    /// Returns true if steps other than `deploy` reach it, and `deploy` does not.
    fn is_outside_deploy(&self, key: &Key<'_>) -> bool {
        let has = |set: &BTreeSet<Key<'a>>| set.iter().any(|it| it.0 == key.0 && it.1 == key.1);
        has(&self.of_others) && !has(&self.of_deploy)
    }

    /// Checks a task or a deferred function. Calls in closures are reported at their own position,
    /// and calls in functions at the call of the function.
    fn task(&self, runner: &str, task: &Key<'a>, at: Position, findings: &mut Findings<'_>) {
        if !task.1.contains('$') {
            return self.called_by_task(runner, task, at, findings);
        }
        let mut remaining = vec![task];
        let mut seen = BTreeSet::new();
        while let Some(key) = remaining.pop().filter(|key| seen.insert(*key)) {
            for event in self.events.get(key).into_iter().flatten() {
                match &event.what {
                    Action::Skip => findings.add(event.at, not_in_task("skip", runner)),
                    Action::Approve => findings.add(event.at, not_in_task("approve", runner)),
                    Action::Call(called) | Action::Given(called) if called.1.contains('$') => {
                        remaining.push(called);
                    }
                    Action::Call(called) | Action::Given(called) => {
                        self.called_by_task(runner, called, event.at, findings);
                    }
                    // Reported for the inner function.
                    Action::Later(..) | Action::Effect(_) => {}
                }
            }
        }
    }

    fn called_by_task(
        &self,
        runner: &str,
        called: &Key<'a>,
        at: Position,
        findings: &mut Findings<'_>,
    ) {
        for (set, name) in [(&self.skipping, "skip"), (&self.approving, "approve")] {
            if set.contains(called) {
                let function = &called.1;
                let why = not_in_task(name, runner);
                findings.add(at, format!("`{function}` calls `{name}`: {why}"));
            }
        }
    }

    /// Checks that nothing has an effect before `approve`, because a deployment that waits has done
    /// nothing.
    fn order(&self, events: &[Event<'a>], findings: &mut Findings<'_>) {
        let effect = events.iter().filter(|event| event.is_certain).find_map(|event| {
            let name = match &event.what {
                Action::Effect(name) => name.clone(),
                Action::Call(key) if self.having_effect.contains(key) => self.effect_in(key)?,
                _ => return None,
            };
            Some((event.at, name))
        });
        let asks_after = |at: Position| {
            events.iter().any(|event| match &event.what {
                Action::Approve => event.at > at,
                Action::Call(key) | Action::Given(key) => {
                    event.at > at && self.approving.contains(key)
                }
                _ => false,
            })
        };
        if let Some((at, name)) = effect.filter(|(at, _)| asks_after(*at)) {
            let message = format!(
                "`{name}` runs before `approve`; call `approve` before anything that has an \
                 effect"
            );
            findings.add(at, message);
        }
        let deferred = events.iter().find(|event| match &event.what {
            Action::Later("defer", key) => self.having_effect.contains(key),
            _ => false,
        });
        if let Some(deferred) = deferred.filter(|event| asks_after(event.at)) {
            findings.warn(
                deferred.at,
                "`approve` comes after this `defer`; if a person refuses, the deferred function \
                 still runs",
            );
        }
    }

    /// Returns the name of the first effect in a function. For a named function, that is its own
    /// name.
    fn effect_in(&self, key: &Key<'a>) -> Option<String> {
        if !key.1.contains('$') {
            return Some(key.1.clone());
        }
        self.events.get(key)?.iter().filter(|event| event.is_certain).find_map(|event| match &event
            .what
        {
            Action::Effect(name) => Some(name.clone()),
            Action::Call(inner) if self.having_effect.contains(inner) && inner != key => {
                Some(inner.1.clone()).filter(|name| !name.contains('$'))
            }
            _ => None,
        })
    }
}

fn not_in_task(name: &str, runner: &str) -> String {
    let (inside, instead) = match runner {
        "defer" => ("a deferred function", "use `return` to end it"),
        _ => (runner, "use `return` to end the task, or call it before the tasks"),
    };
    let inside =
        if runner == "defer" { inside.to_owned() } else { format!("a task of `{inside}`") };
    format!("`{name}` cannot be called in {inside}; {instead}")
}

fn key_of<'a>(body: &Body<'a>) -> Key<'a> {
    (&body.unit.source.name, function_name(body))
}

fn function_name(body: &Body<'_>) -> String {
    body.function.map(|function| function.name.to_string()).unwrap_or_default()
}

/// Reads the events of one function.
struct Reader<'r, 'a> {
    body: &'r Body<'a>,
    file: &'r File<'a>,
    files: &'a [File<'a>],
    names: &'r Names<'r>,
}

impl<'a> Reader<'_, 'a> {
    fn events(&self) -> Vec<Event<'a>> {
        let mut events = Vec::new();
        self.body.each_node(&mut |path| self.visit(path, &mut events));
        events.sort_by_key(|event| event.at);
        events
    }

    fn visit(&self, path: &[ASTNode<'_>], events: &mut Vec<Event<'a>>) {
        let is_certain = path.iter().all(is_straight);
        let mut add = |at, what| events.push(Event { at, is_certain, what });
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at)))
                if !call.is_operator_call() =>
            {
                let given: Vec<&Expr> = call.args.iter().collect();
                self.call(call, &given, *at, &mut add);
            }
            Some(ASTNode::Expr(Expr::Dot(parts, ..))) => {
                if let Expr::MethodCall(call, at) = &parts.rhs {
                    let given: Vec<&Expr> = [&parts.lhs].into_iter().chain(&call.args).collect();
                    self.method(call, &given, *at, &mut add);
                }
            }
            // Any other closure may be called at any time.
            Some(ASTNode::Expr(made)) if !is_given(path) => {
                if let Some((name, _)) = closure_made(made) {
                    add(made.position(), Action::Given(self.own(name)));
                }
            }
            _ => {}
        }
    }

    fn own(&self, name: String) -> Key<'a> {
        (&self.body.unit.source.name, name)
    }

    fn pointer(&self, expression: &Expr) -> Option<Key<'a>> {
        Some(self.own(pointer(expression, self.body, self.file)?.name))
    }

    fn method(
        &self,
        call: &FnCallExpr,
        given: &[&Expr],
        at: Position,
        add: &mut dyn FnMut(Position, Action<'a>),
    ) {
        if &*call.name == "call" {
            if let Some(key) = given.first().and_then(|receiver| self.pointer(receiver)) {
                add(at, Action::Call(key));
            }
        } else if !self.names.keys.contains(&*call.name) {
            self.call(call, given, at, add);
        }
    }

    fn call(
        &self,
        call: &FnCallExpr,
        given: &[&Expr],
        at: Position,
        add: &mut dyn FnMut(Position, Action<'a>),
    ) {
        let name = &*call.name;
        if let Some(module) = call.namespace.path.first() {
            if let Some(key) = self.imported(module.as_str(), name) {
                add(at, Action::Call(key));
            } else if self.names.has_effect(&format!("{}::{name}", module.as_str())) {
                add(at, Action::Effect(format!("{}::{name}", module.as_str())));
            }
            return;
        }
        match name {
            "skip" => add(at, Action::Skip),
            "approve" => add(at, Action::Approve),
            "parallel" | "matrix" | "defer" => {
                let runner = match name {
                    "parallel" => "parallel",
                    "matrix" => "matrix",
                    _ => "defer",
                };
                for (place, key) in self.tasks(given) {
                    add(place, Action::Later(runner, key));
                }
            }
            // The closure is reported where it is passed on.
            "curry" => {}
            _ if AT_ONCE.contains(&name) => {
                for key in given.iter().filter_map(|given| self.pointer(given)) {
                    add(at, Action::Call(key));
                }
            }
            _ if WITH_EFFECT.contains(&name) || self.names.has_effect(name) => {
                add(at, Action::Effect(name.to_owned()));
            }
            _ if self.file.body(name).is_some() => add(at, Action::Call(self.own(name.to_owned()))),
            _ => {
                for key in given.iter().filter_map(|given| self.pointer(given)) {
                    add(at, Action::Given(key));
                }
            }
        }
    }

    /// Returns the functions that are passed to `parallel`, `matrix` or `defer`.
    fn tasks(&self, given: &[&Expr]) -> Vec<(Position, Key<'a>)> {
        let functions = given.iter().flat_map(|given| match given {
            Expr::Map(map, _) => map.0.iter().map(|(_, value)| value).collect(),
            other => vec![*other],
        });
        functions.filter_map(|it| Some((it.position(), self.pointer(it)?))).collect()
    }

    /// Returns a function of an imported file.
    fn imported(&self, module: &str, name: &str) -> Option<Key<'a>> {
        let path = self.names.imported_path(self.body.unit, module)?;
        let file = self.files.iter().find(|file| *file.unit.source.name == *path)?;
        file.body(name)?;
        Some((&file.unit.source.name, name.to_owned()))
    }
}

/// Returns true if the contents of this node always run when the node does.
fn is_straight(node: &ASTNode<'_>) -> bool {
    match node {
        ASTNode::Stmt(statement) => matches!(
            statement,
            Stmt::Expr(_)
                | Stmt::FnCall(..)
                | Stmt::Var(..)
                | Stmt::Assignment(_)
                | Stmt::Block(_)
                | Stmt::Return(..)
        ),
        ASTNode::Expr(expression) => {
            !matches!(expression, Expr::And(..) | Expr::Or(..) | Expr::Coalesce(..))
        }
        _ => false,
    }
}

/// Returns true if the innermost node is an argument of a function that has its own rule.
fn is_given(path: &[ASTNode<'_>]) -> bool {
    let call = path.iter().rev().skip(1).find_map(|node| match node {
        ASTNode::Expr(Expr::Map(..) | Expr::Stmt(_)) | ASTNode::Stmt(Stmt::Expr(_)) => None,
        ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) => Some(Some(&call.name)),
        ASTNode::Stmt(Stmt::FnCall(call, _)) => Some(Some(&call.name)),
        _ => Some(None),
    });
    let Some(Some(name)) = call else { return false };
    // A closure with captured variables is visited again inside the expression that creates it.
    let name = &**name;
    matches!(name, "parallel" | "matrix" | "defer" | "curry") || AT_ONCE.contains(&name)
}
