//! What is wrong with a script, found without running it.
//!
//! The language tells of an unknown function, a misspelled option or a wrong number of arguments
//! only where it meets them, which may be hours into a run, or never before the day of a release.
//! So all of the syntax tree is looked at here, closures and `${…}` included, in modules too.
//!
//! `names` (what can be called), `walk` (every node of a function), and four rooms of judgments:
//! `calls` (functions, arguments, options), `members` (`ctx`), `texts` (tags in commands), `habits`
//! (what the language takes without a word and means otherwise than people do).

mod calls;
mod habits;
mod members;
mod names;
mod refs;
mod texts;
mod walk;

use std::{collections::BTreeSet, iter};

use self::{names::Names, texts::Tags, walk::File};
use super::{
    excerpt,
    imports::{Tree, Unit, place},
    load::Script,
    testing::Suite,
};
use crate::{
    error::{Error, Position},
    function::HostFunction,
    interpolate::Vars,
};

/// More are of no use to a person, and a generated script may hold any number.
const FINDINGS_MAX: usize = 100;

/// What is wrong with a script and what it imports, in the order of the files and their lines.
/// Where it cannot be loaded, that alone. `functions` and `vars` are those of the embedding program.
pub(crate) fn check(
    bytes: &[u8],
    name: &str,
    tree: &dyn Tree,
    functions: &[HostFunction],
    vars: &Vars,
) -> Vec<Error> {
    match Script::load(bytes, name, tree, functions) {
        Ok(script) => {
            let tags = Tags::new(functions, vars);
            judge(&script, true, &tags, |files| Names::new(files, functions))
        }
        Err(error) => vec![error],
    }
}

/// What is valid in a script and perhaps not meant: the first place that reads the branch or the
/// tags, each that names a tag that may be missing, and each that has a part of a placeholder. Nothing of one that cannot be loaded.
pub(crate) fn warnings(
    bytes: &[u8],
    name: &str,
    tree: &dyn Tree,
    functions: &[HostFunction],
) -> Vec<Error> {
    let Ok(script) = Script::load(bytes, name, tree, functions) else { return Vec::new() };
    let names_tags = script.pipeline().when.tag.is_empty();
    let (mut reading, mut placeholders) = (None, Vec::new());
    for file in files(&script, true) {
        let findings = || Findings { unit: file.unit, found: BTreeSet::new() };
        let (mut readings, mut named) = (findings(), findings());
        for body in &file.bodies {
            refs::judge(body, &mut readings);
            if names_tags {
                refs::judge_tags(body, &mut named);
            }
            texts::judge_broken(body, &mut named);
        }
        reading = reading.or_else(|| readings.into_errors().next());
        placeholders.extend(named.into_errors());
    }
    reading.into_iter().chain(placeholders).take(FINDINGS_MAX).collect()
}

/// The script itself and what it imports, taken apart.
fn files(script: &Script, phases: bool) -> Vec<File<'_>> {
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
) -> Vec<Error> {
    match Suite::load(bytes, name, tree, functions) {
        Ok(suite) => judge(suite.script(), false, &Tags::new(functions, vars), Names::of_tests),
        Err(error) => vec![error],
    }
}

/// Looks at all files. `phases` says whether functions of the first can be phases.
fn judge<'a>(
    script: &Script,
    phases: bool,
    tags: &Tags<'_>,
    names: impl FnOnce(&[File<'_>]) -> Names<'a>,
) -> Vec<Error> {
    let files = files(script, phases);
    let names = names(&files);
    let mut errors = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let mut findings = Findings { unit: file.unit, found: BTreeSet::new() };
        if index == 0 && phases {
            names::misspelled_phases(file, &mut findings);
        }
        for body in &file.bodies {
            calls::judge(body, &names, &mut findings);
            members::judge(body, &mut findings);
            texts::judge(body, (file, index == 0 && phases), tags, &mut findings);
            habits::judge(body, file, script, &names, &mut findings);
        }
        errors.extend(findings.into_errors().take(FINDINGS_MAX - errors.len()));
    }
    errors
}

/// What is wrong first with an expression that sees the context and no script, as one in a tag.
pub(super) fn expression_fault(unit: &Unit, functions: &[HostFunction]) -> Option<String> {
    let mut file = File::new(unit, false);
    for top in file.bodies.iter_mut().filter(|body| body.function.is_none()) {
        top.contexts.insert("ctx".to_owned());
    }
    let files = [file];
    let names = Names::new(&files, functions);
    let mut findings = Findings { unit, found: BTreeSet::new() };
    for body in files.iter().flat_map(|file| &file.bodies) {
        calls::judge(body, &names, &mut findings);
        members::judge(body, &mut findings);
    }
    findings.found.into_iter().next().map(|(_, _, message)| message)
}

/// What was found in one file, each once, in the order of its places.
struct Findings<'a> {
    unit: &'a Unit,
    found: BTreeSet<(usize, usize, String)>,
}

impl Findings<'_> {
    fn add(&mut self, at: rhai::Position, message: impl Into<String>) {
        self.add_at(place(at), message);
    }

    fn add_at(&mut self, at: Position, message: impl Into<String>) {
        self.found.insert((at.line, at.column, message.into()));
    }

    /// Whether looking further would find nothing that is shown.
    fn is_full(&self) -> bool {
        self.found.len() >= FINDINGS_MAX
    }

    fn into_errors(self) -> impl Iterator<Item = Error> {
        let source = &self.unit.source;
        self.found.into_iter().map(move |(line, column, message)| {
            excerpt::error(source, Position::new(line, column), message)
        })
    }
}

#[cfg(test)]
mod tests;
