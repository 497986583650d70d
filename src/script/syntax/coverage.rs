//! Finds the lines of a script that were executed.
//!
//! It uses the language's debugger. In step mode, it stops at every node of the syntax tree,
//! including nodes in closures, modules and deferred calls, and names the file. Its position is
//! that of the node, so it can be matched to statements. The alternatives are worse: the engine's
//! progress callback has no position, and added statements would shift the positions in errors.

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

/// Records the positions that an engine executes.
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

/// Returns where the statements of a file's functions begin. Code outside of functions is
/// declarations only and does not count.
fn statements(unit: &Unit) -> BTreeSet<(usize, usize)> {
    let mut places = BTreeSet::new();
    let mut functions = Module::new();
    for function in unit.ast.iter_fn_def() {
        functions.set_script_fn(function.clone());
    }
    AST::new([], functions).walk(&mut |path: &[ASTNode<'_>]| {
        let Some(ASTNode::Stmt(statement)) = path.last() else { return true };
        let at = match statement {
            // Statements that only contain others, or that the parser inserted.
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

/// Returns the lines that were not executed. Consecutive lines of one function form one range.
fn missed(unit: &Unit, lines: &BTreeMap<usize, bool>) -> Vec<UncoveredLines> {
    // Closures have generated names, and are part of the function around them.
    let functions = unit.ast.iter_fn_def().filter(|function| !function.name.contains('$'));
    let begins: BTreeSet<usize> =
        functions.map(|function| declared_at(&unit.source, function).line).collect();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut goes_on = false;
    for (line, covered) in lines {
        let same = |last: usize| begins.range(last + 1..=*line).next().is_none();
        match ranges.last_mut().filter(|range| goes_on && !covered && same(range.1)) {
            Some(range) => range.1 = *line,
            None if !covered => ranges.push((*line, *line)),
            None => {}
        }
        goes_on = !covered;
    }
    let text = |first: usize, last: usize| -> Vec<&str> {
        (first..=last).map(|line| unit.source.line(line).unwrap_or_default()).collect()
    };
    let range =
        |(first, last)| UncoveredLines { first, last, source: text(first, last).join("\n") };
    ranges.into_iter().map(range).collect()
}

impl Hits {
    /// Returns the coverage of a script, followed by that of its modules.
    pub(crate) fn coverage(&self, script: &Script) -> Coverage {
        let units = std::iter::once(&script.main).chain(script.modules.values());
        Coverage { files: units.map(|unit| self.of_file(unit)).collect() }
    }

    fn of_file(&self, unit: &Unit) -> FileCoverage {
        let file = unit.source.name.to_string();
        let hits = self.of(&file);
        // A line is covered if one of the statements that begin on it was executed.
        let mut lines: BTreeMap<usize, bool> = BTreeMap::new();
        for at in statements(unit) {
            *lines.entry(at.0).or_default() |= hits.contains(&at);
        }
        let covered = lines.values().filter(|covered| **covered).count();
        FileCoverage { file, lines: lines.len(), covered, uncovered: missed(unit, &lines) }
    }
}
