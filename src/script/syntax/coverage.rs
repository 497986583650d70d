//! Which lines of a script were entered.
//!
//! The language's debugger is what tells: told to step, it stops at every node of the syntax tree,
//! in closures, modules, branches and deferred calls alike, and says which file it is in. Its place
//! is that of the node, so that the statements of a script can be found again among those places.
//! The alternatives know less: the engine's progress has no place, and statements added to the tree
//! would move the places that errors show.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rhai::{
    AST, ASTNode, Engine, Expr, Module, Stmt,
    debugger::{Debugger, DebuggerCommand},
};

use super::{
    hits::Hits,
    script::Script,
    unit::{Unit, declared_at, place},
};
use crate::model::test_report::{Coverage, FileCoverage, UncoveredLines};

/// Has an engine note where it goes.
pub(in crate::script) fn watch(engine: &mut Engine, hits: &Arc<Hits>) {
    let hits = hits.clone();
    let begin = |_: &Engine, debugger: Debugger| debugger;
    #[expect(deprecated, reason = "rhai marks its debugger so to call it volatile")]
    engine.register_debugger(begin, move |_, _, node, source, _| {
        if let (Some(source), false) = (source, node.position().is_none()) {
            hits.add(source, place(node.position()));
        }
        Ok(DebuggerCommand::StepInto)
    });
}

/// Where the statements of a file's functions begin. What stands outside of functions is read, not
/// run, and says nothing.
fn statements(unit: &Unit) -> BTreeSet<(usize, usize)> {
    let mut places = BTreeSet::new();
    let mut functions = Module::new();
    for function in unit.ast.iter_fn_def() {
        functions.set_script_fn(function.clone());
    }
    AST::new([], functions).walk(&mut |path: &[ASTNode<'_>]| {
        let Some(ASTNode::Stmt(statement)) = path.last() else { return true };
        let at = match statement {
            // What holds others, and what the parser put there.
            Stmt::Noop(_) | Stmt::Block(_) | Stmt::Share(_) => return true,
            Stmt::Expr(expression) => match &**expression {
                Expr::Stmt(_) => return true,
                expression => expression.position(),
            },
            other => other.position(),
        };
        let at = place(at);
        places.insert((at.line, at.column));
        true
    });
    places
}

/// The lines that were not entered, those in a row of one function together.
fn missed(unit: &Unit, lines: &BTreeMap<usize, bool>) -> Vec<UncoveredLines> {
    // Closures are functions under names that nobody can write, and part of the one around them.
    let functions = unit.ast.iter_fn_def().filter(|function| !function.name.contains('$'));
    let begins: BTreeSet<usize> =
        functions.map(|function| declared_at(&unit.source, function).line).collect();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut goes_on = false;
    for (line, entered) in lines {
        let same = |last: usize| begins.range(last + 1..=*line).next().is_none();
        match ranges.last_mut().filter(|range| goes_on && !entered && same(range.1)) {
            Some(range) => range.1 = *line,
            None if !entered => ranges.push((*line, *line)),
            None => {}
        }
        goes_on = !entered;
    }
    let text = |first: usize, last: usize| -> Vec<&str> {
        (first..=last).map(|line| unit.source.line(line).unwrap_or_default()).collect()
    };
    let range =
        |(first, last)| UncoveredLines { first, last, source: text(first, last).join("\n") };
    ranges.into_iter().map(range).collect()
}

impl Hits {
    /// What this means for a script and what it imports: the script first, then its modules.
    pub(crate) fn coverage(&self, script: &Script) -> Coverage {
        let units = std::iter::once(&script.main).chain(script.modules.values());
        Coverage { files: units.map(|unit| self.of_file(unit)).collect() }
    }

    fn of_file(&self, unit: &Unit) -> FileCoverage {
        let file = unit.source.name.to_string();
        let hits = self.of(&file);
        // A line is entered as soon as one of the statements is that begin on it.
        let mut lines: BTreeMap<usize, bool> = BTreeMap::new();
        for at in statements(unit) {
            *lines.entry(at.0).or_default() |= hits.contains(&at);
        }
        let entered = lines.values().filter(|entered| **entered).count();
        FileCoverage { file, lines: lines.len(), covered: entered, uncovered: missed(unit, &lines) }
    }
}
