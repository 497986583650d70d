//! The whole check of a script or a file of tests: every rule on every function.

use std::iter;

use super::{
    arguments, calls, common_mistakes,
    findings::{FINDINGS_MAX, Findings},
    globs, members,
    names::{self, Names},
    placement::Flow,
    refs,
    texts::{self, Tags},
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
    let found = load(Unknown::Reported).map(|script| judge(&script)).unwrap_or_default();
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

#[cfg(test)]
mod tests;
