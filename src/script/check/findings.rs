//! All that is looked at in a script.

use super::{arguments, calls, common_mistakes, globs, members, names, refs, texts, unknown};
use super::{names::Names, placement::Flow, texts::Tags, tries::Tries, walk::File};
use crate::{
    model::{
        check_report::{Finding, Severity},
        error::{Error, Position},
        function::HostFunction,
        script::Tree,
    },
    rules::interpolate::Vars,
    script::{
        constants, excerpt,
        imports::{Unit, place},
        load::{Script, Unknown},
        testing::Suite,
    },
};
use std::{collections::BTreeSet, iter};

/// More are of no use to a person, and a generated script may hold any number.
pub(super) const FINDINGS_MAX: usize = 100;

/// What is wrong with a script and what it imports, and what is valid and perhaps not meant, in the
/// order of the files and their lines. Where it cannot be loaded, that alone. `functions` and `vars`
/// are those of the embedding program.
pub(crate) fn check(
    bytes: &[u8],
    name: &str,
    tree: &dyn Tree,
    functions: &[HostFunction],
    vars: &Vars,
) -> Vec<Finding> {
    let load = |unknown| Script::load_with(bytes, name, tree, functions, unknown);
    let names = |files: &[File<'_>]| Names::new(files, functions);
    all_of(load, |script| judge(script, true, &Tags::new(functions, vars), names))
}

/// All that is wrong: a script that is refused for a name is read again without that rule, so that
/// what else is wrong is told as well.
pub(super) fn all_of<S>(
    load: impl Fn(Unknown) -> Result<S, Error>,
    judge: impl Fn(&S) -> Vec<Finding>,
) -> Vec<Finding> {
    let error = match load(Unknown::Refused) {
        Ok(script) => return judge(&script),
        Err(error) => error,
    };
    let found = load(Unknown::Told).map(|script| judge(&script)).unwrap_or_default();
    match found.iter().any(|it| it.severity == Severity::Error) {
        true => found,
        false => vec![Finding::error(error)],
    }
}

/// The script itself and what it imports, taken apart.
pub(super) fn files(script: &Script, phases: bool) -> Vec<File<'_>> {
    let modules = script.modules.values().map(|unit| File::new(unit, false));
    iter::once(File::new(&script.main, phases)).chain(modules).collect()
}

/// What is wrong with a file of tests and what it imports, as [`check`] tells of a pipeline.
pub(crate) fn check_tests(
    bytes: &[u8],
    name: &str,
    tree: &dyn Tree,
    functions: &[HostFunction],
    vars: &Vars,
) -> Vec<Finding> {
    let load = |unknown| Suite::load_with(bytes, name, tree, functions, unknown);
    let tags = Tags::new(functions, vars);
    all_of(load, |suite| judge(suite.script(), false, &tags, Names::of_tests))
}

/// Looks at all files. `phases` says whether functions of the first can be phases.
pub(super) fn judge<'a>(
    script: &Script,
    phases: bool,
    tags: &Tags<'_>,
    names: impl FnOnce(&[File<'_>]) -> Names<'a>,
) -> Vec<Finding> {
    let files = files(script, phases);
    let names = names(&files);
    let flow = phases.then(|| Flow::new(&files, &names));
    let tries = Tries::new(&files);
    let mut all = Vec::new();
    let mut reads_ref = false;
    for (index, file) in files.iter().enumerate() {
        let mut findings = Findings::new(file.unit);
        if index == 0 && phases {
            names::misspelled_phases(file, &mut findings);
        }
        if phases {
            misnamed_constants(script, file, &mut findings);
        }
        for body in &file.bodies {
            unknown::judge(body, &names, &mut findings);
            calls::judge(body, &names, &mut findings);
            arguments::judge(body, file, script, &names, &mut findings);
            members::judge(body, &mut findings);
            globs::judge(body, &names, &mut findings);
            texts::judge(body, (file, index == 0 && phases), tags, &mut findings);
            common_mistakes::judge(body, file, script, &names, &mut findings);
            flow.iter().for_each(|flow| flow.judge(body, &mut findings));
            tries.judge(body, file, &names, &mut findings);
        }
        if phases {
            reads_ref |= refs::judge_file(file, script, reads_ref, &mut findings);
        }
        let room = FINDINGS_MAX.saturating_sub(all.len());
        all.extend(findings.into_list().take(room));
    }
    all
}

pub(super) fn misnamed_constants(script: &Script, file: &File<'_>, findings: &mut Findings<'_>) {
    let misnamed = constants::misnamed(script);
    for it in misnamed.into_iter().filter(|it| std::ptr::eq(it.unit, file.unit)) {
        findings.add_as(it.severity, it.at, it.message);
    }
}

/// What is wrong first with an expression that sees the context and no script, as one in a tag.
pub(in crate::script) fn expression_fault(
    unit: &Unit,
    functions: &[HostFunction],
) -> Option<String> {
    let mut file = File::new(unit, false);
    for top in file.bodies.iter_mut().filter(|body| body.function.is_none()) {
        top.contexts.insert("ctx".to_owned());
    }
    let files = [file];
    let names = Names::new(&files, functions);
    let mut findings = Findings::new(unit);
    for body in files.iter().flat_map(|file| &file.bodies) {
        calls::judge(body, &names, &mut findings);
        members::judge(body, &mut findings);
        globs::judge(body, &names, &mut findings);
    }
    findings.found.into_iter().next().map(|(_, _, message, _)| message)
}

/// What was found in one file, each once, in the order of its places.
pub(super) struct Findings<'a> {
    pub(super) unit: &'a Unit,
    pub(super) found: BTreeSet<(usize, usize, String, Severity)>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(unit: &'a Unit) -> Self {
        Self { unit, found: BTreeSet::new() }
    }

    /// Something that is wrong.
    pub(super) fn add(&mut self, at: rhai::Position, message: impl Into<String>) {
        self.add_as(Severity::Error, at, message);
    }

    /// Something that is valid and perhaps not meant.
    pub(super) fn warn(&mut self, at: rhai::Position, message: impl Into<String>) {
        self.add_as(Severity::Warning, at, message);
    }

    pub(super) fn add_as(
        &mut self,
        severity: Severity,
        at: rhai::Position,
        message: impl Into<String>,
    ) {
        let at = place(at);
        self.found.insert((at.line, at.column, message.into(), severity));
    }

    pub(super) fn add_at(&mut self, at: Position, message: impl Into<String>) {
        self.found.insert((at.line, at.column, message.into(), Severity::Error));
    }

    /// Whether looking further would find nothing that is shown.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= FINDINGS_MAX
    }

    pub(super) fn into_list(self) -> impl Iterator<Item = Finding> {
        let source = &self.unit.source;
        self.found.into_iter().map(move |(line, column, message, severity)| Finding {
            severity,
            error: excerpt::error(source, Position::new(line, column), message),
        })
    }
}

#[cfg(test)]
mod tests;
