//! Where `skip` and `approve` cannot stand: in a task of `parallel` or `matrix`, in what `defer`
//! calls, and `approve` outside of `deploy` or behind something that acts.
//!
//! It is followed through the functions and closures of all files, as far as calls are written out.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::{
    findings::Findings,
    names::Names,
    values::pointer,
    walk::{Body, File},
};
use crate::script::{api::registry, syntax::nodes::closure_made};

/// Functions that call what they are given on the spot, once or more.
const AT_ONCE: [&str; 4] = ["group", "retry", "timeout", "with"];

/// Functions that act: a command, or something that is kept.
const ACTING: [&str; 6] = ["artifact", "capture", "discard_export", "remember", "sh", "try_sh"];

/// A function, as its file and its name. Closures have names too.
type Key<'a> = (&'a str, String);

/// Something that a function does or calls, in the order of its text.
struct Event<'a> {
    at: Position,
    /// Whether it happens whenever the function is called and gets there.
    is_certain: bool,
    what: What<'a>,
}

enum What<'a> {
    Skip,
    Approve,
    /// By the function of this name.
    Act(String),
    /// A call, or a closure that is called on the spot.
    Call(Key<'a>),
    /// A closure, or the name of a function, that may be called.
    Given(Key<'a>),
    /// What the named function hands to a task, or to the end of the step.
    Later(&'static str, Key<'a>),
}

/// What all functions of all files do.
pub(super) struct Flow<'a> {
    events: BTreeMap<Key<'a>, Vec<Event<'a>>>,
    /// The functions that reach `skip`, and those that reach `approve`.
    skipping: BTreeSet<Key<'a>>,
    approving: BTreeSet<Key<'a>>,
    /// Those that act whenever they are called.
    acting: BTreeSet<Key<'a>>,
    /// Those that `deploy` reaches, and those that another phase does.
    of_deploy: BTreeSet<Key<'a>>,
    of_others: BTreeSet<Key<'a>>,
}

impl<'a> Flow<'a> {
    /// Follows all files, of which the first has the phases.
    pub(super) fn new(files: &'a [File<'a>], names: &Names<'_>) -> Self {
        let mut flow = Self {
            events: BTreeMap::new(),
            skipping: BTreeSet::new(),
            approving: BTreeSet::new(),
            acting: BTreeSet::new(),
            of_deploy: BTreeSet::new(),
            of_others: BTreeSet::new(),
        };
        for file in files {
            for body in file.bodies.iter().filter(|body| body.function.is_some()) {
                let events = Reader { body, file, files, names }.events();
                flow.events.insert(key_of(body), events);
            }
        }
        flow.skipping = flow.reaching(|what| matches!(what, What::Skip), false);
        flow.approving = flow.reaching(|what| matches!(what, What::Approve), false);
        flow.acting = flow.reaching(|what| matches!(what, What::Act(_)), true);
        let Some(main) = files.first() else { return flow };
        let phase = |name: &str| (&*main.unit.source.name, name.to_owned());
        let others = registry::step_names().filter(|name| *name != "deploy");
        flow.of_deploy = flow.reached(vec![phase("deploy")]);
        flow.of_others = flow.reached(others.map(phase).collect());
        flow
    }

    /// The functions in which, or in what they call, such a thing happens; whenever they are called,
    /// if it is to be certain.
    fn reaching(&self, is_meant: impl Fn(&What<'_>) -> bool, certainly: bool) -> BTreeSet<Key<'a>> {
        let mut callers: BTreeMap<&Key<'a>, Vec<&Key<'a>>> = BTreeMap::new();
        let mut left = Vec::new();
        for (key, events) in &self.events {
            for event in events.iter().filter(|event| event.is_certain || !certainly) {
                match &event.what {
                    What::Call(called) => callers.entry(called).or_default().push(key),
                    What::Given(called) if !certainly => {
                        callers.entry(called).or_default().push(key);
                    }
                    what if is_meant(what) => left.push(key),
                    _ => {}
                }
            }
        }
        let mut found = BTreeSet::new();
        while let Some(key) = left.pop() {
            if found.insert(key.clone()) {
                left.extend(callers.get(key).into_iter().flatten());
            }
        }
        found
    }

    /// All that these functions call, and themselves.
    fn reached(&self, mut left: Vec<Key<'a>>) -> BTreeSet<Key<'a>> {
        let mut found = BTreeSet::new();
        while let Some(key) = left.pop() {
            let events = self.events.get(&key).into_iter().flatten();
            let called = events.filter_map(|event| match &event.what {
                What::Call(key) | What::Given(key) | What::Later(_, key) => Some(key.clone()),
                What::Skip | What::Approve | What::Act(_) => None,
            });
            let called: Vec<Key<'a>> = called.collect();
            if found.insert(key) {
                left.extend(called);
            }
        }
        found
    }

    /// Judges one function.
    pub(super) fn judge(&self, body: &Body<'_>, findings: &mut Findings<'_>) {
        let key = (&*body.unit.source.name, function_name(body));
        let Some(events) = self.events.get(&key) else { return };
        for event in events {
            match &event.what {
                What::Later(whose, task) => self.task(whose, task, event.at, findings),
                What::Approve if self.is_beside_deploy(&key) => findings.add(
                    event.at,
                    "only `deploy` can ask for an approval; commits are tested without one",
                ),
                _ => {}
            }
        }
        self.order(events, findings);
    }

    /// Whether phases reach it, and `deploy` is none of them.
    fn is_beside_deploy(&self, key: &Key<'_>) -> bool {
        let has = |set: &BTreeSet<Key<'a>>| set.iter().any(|it| it.0 == key.0 && it.1 == key.1);
        has(&self.of_others) && !has(&self.of_deploy)
    }

    /// Judges what a task does, or what is deferred. What stands in closures is told at its own
    /// place, what a function does where that is called.
    fn task(&self, whose: &str, task: &Key<'a>, at: Position, findings: &mut Findings<'_>) {
        if !task.1.contains('$') {
            return self.called_by_task(whose, task, at, findings);
        }
        let mut left = vec![task];
        let mut seen = BTreeSet::new();
        while let Some(key) = left.pop().filter(|key| seen.insert(*key)) {
            for event in self.events.get(key).into_iter().flatten() {
                match &event.what {
                    What::Skip => findings.add(event.at, not_in_task("skip", whose)),
                    What::Approve => findings.add(event.at, not_in_task("approve", whose)),
                    What::Call(called) | What::Given(called) if called.1.contains('$') => {
                        left.push(called);
                    }
                    What::Call(called) | What::Given(called) => {
                        self.called_by_task(whose, called, event.at, findings);
                    }
                    // Told by the inner one.
                    What::Later(..) | What::Act(_) => {}
                }
            }
        }
    }

    fn called_by_task(
        &self,
        whose: &str,
        called: &Key<'a>,
        at: Position,
        findings: &mut Findings<'_>,
    ) {
        for (set, name) in [(&self.skipping, "skip"), (&self.approving, "approve")] {
            if set.contains(called) {
                let function = &called.1;
                let why = not_in_task(name, whose);
                findings.add(at, format!("`{function}` calls `{name}`: {why}"));
            }
        }
    }

    /// Whoever waits for an approval has done nothing.
    fn order(&self, events: &[Event<'a>], findings: &mut Findings<'_>) {
        let act = events.iter().filter(|event| event.is_certain).find_map(|event| {
            let name = match &event.what {
                What::Act(name) => name.clone(),
                What::Call(key) if self.acting.contains(key) => self.act_in(key)?,
                _ => return None,
            };
            Some((event.at, name))
        });
        let asks_behind = |at: Position| {
            events.iter().any(|event| match &event.what {
                What::Approve => event.at > at,
                What::Call(key) | What::Given(key) => event.at > at && self.approving.contains(key),
                _ => false,
            })
        };
        if let Some((at, name)) = act.filter(|(at, _)| asks_behind(*at)) {
            let message = format!(
                "`{name}` runs before `approve`; call `approve` before anything that has an \
                 effect"
            );
            findings.add(at, message);
        }
        let deferred = events.iter().find(|event| match &event.what {
            What::Later("defer", key) => self.acting.contains(key),
            _ => false,
        });
        if let Some(deferred) = deferred.filter(|event| asks_behind(event.at)) {
            findings.warn(
                deferred.at,
                "`approve` comes after this `defer`; if a person refuses, the deferred function \
                 still runs",
            );
        }
    }

    /// What acts first in a function, by its name; that of the function unless it is a closure.
    fn act_in(&self, key: &Key<'a>) -> Option<String> {
        if !key.1.contains('$') {
            return Some(key.1.clone());
        }
        self.events.get(key)?.iter().filter(|event| event.is_certain).find_map(|event| match &event
            .what
        {
            What::Act(name) => Some(name.clone()),
            What::Call(inner) if self.acting.contains(inner) && inner != key => {
                Some(inner.1.clone()).filter(|name| !name.contains('$'))
            }
            _ => None,
        })
    }
}

fn not_in_task(name: &str, whose: &str) -> String {
    let (inside, instead) = match whose {
        "defer" => ("a deferred function", "use `return` to end it"),
        _ => (whose, "use `return` to end the task, or call it before the tasks"),
    };
    let inside = if whose == "defer" { inside.to_owned() } else { format!("a task of `{inside}`") };
    format!("`{name}` cannot be called in {inside}; {instead}")
}

fn key_of<'a>(body: &Body<'a>) -> Key<'a> {
    (&body.unit.source.name, function_name(body))
}

fn function_name(body: &Body<'_>) -> String {
    body.function.map(|function| function.name.to_string()).unwrap_or_default()
}

/// Reads what one function does.
struct Reader<'r, 'a> {
    body: &'r Body<'a>,
    file: &'r File<'a>,
    files: &'a [File<'a>],
    names: &'r Names<'r>,
}

impl<'a> Reader<'_, 'a> {
    fn events(&self) -> Vec<Event<'a>> {
        let mut events = Vec::new();
        self.body.each_node(&mut |path| self.see(path, &mut events));
        events.sort_by_key(|event| event.at);
        events
    }

    fn see(&self, path: &[ASTNode<'_>], events: &mut Vec<Event<'a>>) {
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
            // A closure that is not given to a function of ours may be called anywhere.
            Some(ASTNode::Expr(made)) if !is_given(path) => {
                if let Some((name, _)) = closure_made(made) {
                    add(made.position(), What::Given(self.own(name)));
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
        add: &mut dyn FnMut(Position, What<'a>),
    ) {
        if &*call.name == "call" {
            if let Some(key) = given.first().and_then(|receiver| self.pointer(receiver)) {
                add(at, What::Call(key));
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
        add: &mut dyn FnMut(Position, What<'a>),
    ) {
        let name = &*call.name;
        if let Some(module) = call.namespace.path.first() {
            if let Some(key) = self.imported(module.as_str(), name) {
                add(at, What::Call(key));
            } else if self.names.acts(&format!("{}::{name}", module.as_str())) {
                add(at, What::Act(format!("{}::{name}", module.as_str())));
            }
            return;
        }
        match name {
            "skip" => add(at, What::Skip),
            "approve" => add(at, What::Approve),
            "parallel" | "matrix" | "defer" => {
                let whose = match name {
                    "parallel" => "parallel",
                    "matrix" => "matrix",
                    _ => "defer",
                };
                for (place, key) in self.tasks(given) {
                    add(place, What::Later(whose, key));
                }
            }
            // What makes a closure is told of where that is given away.
            "curry" => {}
            _ if AT_ONCE.contains(&name) => {
                for key in given.iter().filter_map(|given| self.pointer(given)) {
                    add(at, What::Call(key));
                }
            }
            _ if ACTING.contains(&name) || self.names.acts(name) => {
                add(at, What::Act(name.to_owned()));
            }
            _ if self.file.body(name).is_some() => add(at, What::Call(self.own(name.to_owned()))),
            _ => {
                for key in given.iter().filter_map(|given| self.pointer(given)) {
                    add(at, What::Given(key));
                }
            }
        }
    }

    /// The functions that `parallel`, `matrix` or `defer` are given.
    fn tasks(&self, given: &[&Expr]) -> Vec<(Position, Key<'a>)> {
        let functions = given.iter().flat_map(|given| match given {
            Expr::Map(map, _) => map.0.iter().map(|(_, value)| value).collect(),
            other => vec![*other],
        });
        functions.filter_map(|it| Some((it.position(), self.pointer(it)?))).collect()
    }

    /// A function of an imported file.
    fn imported(&self, module: &str, name: &str) -> Option<Key<'a>> {
        let path = self.names.imported_path(self.body.unit, module)?;
        let file = self.files.iter().find(|file| *file.unit.source.name == *path)?;
        file.body(name)?;
        Some((&file.unit.source.name, name.to_owned()))
    }
}

/// Whether what stands in this node happens whenever the node does.
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

/// Whether the innermost node is an argument of a function that is told of by its own name.
fn is_given(path: &[ASTNode<'_>]) -> bool {
    let call = path.iter().rev().skip(1).find_map(|node| match node {
        ASTNode::Expr(Expr::Map(..) | Expr::Stmt(_)) | ASTNode::Stmt(Stmt::Expr(_)) => None,
        ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) => Some(Some(&call.name)),
        ASTNode::Stmt(Stmt::FnCall(call, _)) => Some(Some(&call.name)),
        _ => Some(None),
    });
    let Some(Some(name)) = call else { return false };
    // The closure itself is met again inside of what makes it with its variables.
    let name = &**name;
    matches!(name, "parallel" | "matrix" | "defer" | "curry") || AT_ONCE.contains(&name)
}
