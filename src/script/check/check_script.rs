//! Checks a script or a file of tests: every rule for every function.

use std::iter;

use super::{
    arguments, calls,
    commands::{self, PlaceholderChecker},
    common_mistakes,
    findings::{FINDINGS_MAX, Findings},
    globs, members,
    names::{self, Names},
    placement::Flow,
    refs,
    tries::Tries,
    unknown,
    walk::File,
};
use crate::{
    model::{
        check_report::{Finding, Severity},
        error::Error,
        function::HostFunction,
        script::Tree,
    },
    rules::interpolate::Vars,
    script::{
        load::{constants, loading::Unknown},
        syntax::script::Script,
        testing::suite::Suite,
    },
};

/// Returns the errors and warnings for a script and its imports, in the order of files and lines.
/// If it cannot be loaded, the result is that error alone. `functions` and `vars` are those of the
/// embedding program.
pub(crate) fn check(
    bytes: &[u8],
    name: &str,
    tree: &dyn Tree,
    functions: &[HostFunction],
    vars: &Vars,
) -> Vec<Finding> {
    let load = |unknown| Script::load_with(bytes, name, tree, functions, unknown);
    let names = |files: &[File<'_>]| Names::new(files, functions);
    load_and_check(load, |script| {
        check_files(script, true, &PlaceholderChecker::new(functions, vars), names)
    })
}

/// Loads and checks a script. If a name is undefined, it is loaded again without that rule, so that
/// the check can report all errors.
pub(super) fn load_and_check<S>(
    load: impl Fn(Unknown) -> Result<S, Error>,
    check: impl Fn(&S) -> Vec<Finding>,
) -> Vec<Finding> {
    let error = match load(Unknown::Refused) {
        Ok(script) => return check(&script),
        Err(error) => error,
    };
    let found = load(Unknown::Reported).map(|script| check(&script)).unwrap_or_default();
    match found.iter().any(|it| it.severity == Severity::Error) {
        true => found,
        false => vec![Finding::error(error)],
    }
}

/// Returns the script and its imports, split into functions.
pub(super) fn files(script: &Script, is_pipeline: bool) -> Vec<File<'_>> {
    let modules = script.modules.values().map(|unit| File::new(unit, false));
    iter::once(File::new(&script.main, is_pipeline)).chain(modules).collect()
}

/// Returns the errors and warnings for a file of tests and its imports, like [`check`].
pub(crate) fn check_tests(
    bytes: &[u8],
    name: &str,
    tree: &dyn Tree,
    functions: &[HostFunction],
    vars: &Vars,
) -> Vec<Finding> {
    let load = |unknown| Suite::load_with(bytes, name, tree, functions, unknown);
    let placeholders = PlaceholderChecker::new(functions, vars);
    load_and_check(load, |suite| check_files(suite.script(), false, &placeholders, Names::of_tests))
}

/// Checks all files. `is_pipeline` is true if functions of the first file can be steps.
pub(super) fn check_files<'a>(
    script: &Script,
    is_pipeline: bool,
    placeholders: &PlaceholderChecker<'_>,
    names: impl FnOnce(&[File<'_>]) -> Names<'a>,
) -> Vec<Finding> {
    let files = files(script, is_pipeline);
    let names = names(&files);
    let flow = is_pipeline.then(|| Flow::new(&files, &names));
    let tries = Tries::new(&files);
    let mut all = Vec::new();
    let mut reads_ref = false;
    for (index, file) in files.iter().enumerate() {
        let mut findings = Findings::new(file.unit);
        if index == 0 && is_pipeline {
            names::misspelled_steps(file, &mut findings);
        }
        if is_pipeline {
            misnamed_constants(script, file, &mut findings);
        }
        for body in &file.bodies {
            unknown::check(body, &names, &mut findings);
            calls::check(body, &names, &mut findings);
            arguments::check(body, file, script, &names, &mut findings);
            members::check(body, &mut findings);
            globs::check(body, &names, &mut findings);
            commands::check(body, file, index == 0 && is_pipeline, placeholders, &mut findings);
            common_mistakes::check(body, file, script, &names, &mut findings);
            flow.iter().for_each(|flow| flow.check(body, &mut findings));
            tries.check(body, file, &names, &mut findings);
        }
        if is_pipeline {
            reads_ref |= refs::check_file(file, script, reads_ref, &mut findings);
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

#[cfg(test)]
mod tests;
