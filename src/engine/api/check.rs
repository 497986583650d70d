//! Checks configs without running them: before they are committed, and in a commit.

use super::{check_warnings, checker::Checker, folder::Folder, handle::Engine};
use crate::{
    engine::{
        context::{registrations::Registrations, shared::Shared, threads::on_big_thread},
        step::scripts::CommitTree,
    },
    model::{
        check_report::{CheckReport, Finding},
        error::{Error, ErrorKind},
        pipeline::{Format, Pipeline, Warning},
        script::Tree,
    },
    rules::interpolate::Vars,
    script::{self, ExpressionValidator},
};

impl Checker {
    /// Checks a config without running anything. The problems are sorted by line.
    ///
    /// Imports of a script are read below the checker's directory. The check covers all code, even
    /// if a run would not reach it. It finds unknown functions and wrong arguments (functions
    /// registered by [`function`](Checker::function) are known), unknown members of `ctx`, and
    /// misspelled phases, constants and options. It also finds valid code that usually means
    /// something else. For YAML, it reports [`warnings`](Pipeline::warnings),
    /// [`check_placeholders`](Pipeline::check_placeholders), and errors in the expressions of
    /// placeholders.
    ///
    /// Valid but probably unintended parts are a [`Warning`](crate::check::Severity::Warning).
    /// Examples: build and test never run for the same ref; a placeholder `tag` without a
    /// condition on tags; a script that uses the branch or the tags, so that its verdict is only
    /// valid for one ref; a shell text of several lines that continues after a failed command.
    ///
    /// A name that ends with `.test.rhai` is a script of tests, which has `t` and no phases.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if an import cannot be read, [`Unsupported`](ErrorKind::Unsupported)
    /// for scripts if the library was built without the feature `rhai`,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for the first mistake in this checker.
    ///
    /// ```
    /// use tinyci::{Format, check::Checker};
    ///
    /// let script = "fn build(ctx) {\n    sh(`make ${ctx.comit}`);\n}\n";
    /// # if cfg!(feature = "rhai") {
    /// let report = Checker::new(".").check(script, Format::Rhai, ".tinyci.rhai")?;
    /// let found = report.problems[0].to_string();
    /// assert_eq!(found, "2:20: `ctx` has no property `comit`; did you mean `commit`?");
    /// # }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn check(
        &self,
        text: impl AsRef<[u8]>,
        format: Format,
        name: &str,
    ) -> Result<CheckReport, Error> {
        let text = text.as_ref();
        on_big_thread("tinyci check", || {
            let found = match format {
                Format::Yaml => check_yaml(text, name, self.registrations()?),
                Format::Rhai => {
                    check_script(name, text, &Folder::new(&self.dir), self.registrations()?)
                }
            };
            CheckReport::new(name, found)
        })
    }
}

impl Engine {
    /// Checks the config of a commit without running anything, as [`Checker::check`] does for one
    /// that is not committed.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision or a commit without a config,
    /// [`Git`](ErrorKind::Git) if the repository cannot be read,
    /// [`Unsupported`](ErrorKind::Unsupported) for scripts if the library was built without the
    /// feature `rhai`.
    pub fn check(&self, revision: &str) -> Result<CheckReport, Error> {
        on_big_thread("tinyci check", || {
            let found = check_commit(&self.shared, revision)?;
            CheckReport::in_commit(revision, revision, found)
        })
    }

    /// Checks a config that could replace the one of a commit. Imports of a script are read from
    /// the commit. `name` is the name of the config in the report.
    ///
    /// # Errors
    ///
    /// As [`check`](Engine::check), except that the commit needs no config.
    pub fn check_text(
        &self,
        revision: &str,
        text: impl AsRef<[u8]>,
        format: Format,
        name: &str,
    ) -> Result<CheckReport, Error> {
        let text = text.as_ref();
        on_big_thread("tinyci check", || {
            let repo = self.shared.repo()?;
            let commit = repo.resolve(revision)?;
            let registered = &self.shared.options.registrations;
            let found = match format {
                Format::Yaml => check_yaml(text, name, registered),
                Format::Rhai => {
                    let tree = CommitTree { repo: &repo, id: commit };
                    check_script(name, text, &tree, registered)
                }
            };
            CheckReport::in_commit(revision, name, found)
        })
    }
}

fn check_commit(shared: &Shared, revision: &str) -> Result<Vec<Finding>, Error> {
    let repo = shared.repo()?;
    let commit = repo.resolve(revision)?;
    let config = match repo.needed_config(commit) {
        Ok(config) => config,
        Err(error) if error.kind() == ErrorKind::Config => return Ok(vec![Finding::error(error)]),
        Err(error) => return Err(error),
    };
    let registered = &shared.options.registrations;
    Ok(match config.format {
        Format::Yaml => check_yaml(&config.bytes, config.name, registered),
        Format::Rhai => {
            let tree = CommitTree { repo: &repo, id: commit };
            check_script(config.name, &config.bytes, &tree, registered)
        }
    })
}

fn check_yaml(text: &[u8], name: &str, registered: &Registrations) -> Vec<Finding> {
    let pipeline = match Pipeline::parse(text, Format::Yaml, name) {
        Ok(pipeline) => pipeline,
        Err(error) => return vec![Finding::error(error)],
    };
    let validator = ExpressionValidator::new(&registered.functions);
    let check = |expression: &str, names: &Vars| validator.check(expression, names);
    let errors = pipeline.check_placeholders_with(&registered.vars, &check);
    let errors =
        errors.iter().chain(&pipeline.warnings).map(|it| Finding::error(located(it, name)));
    let warnings = check_warnings::of_pipeline(&pipeline);
    let warnings = warnings.iter().map(|it| Finding::warning(located(it, name)));
    let mut found: Vec<Finding> = errors.chain(warnings).collect();
    found.sort_by_key(|it| it.error.position().map(|at| (at.line, at.column)));
    found
}

fn located(it: &Warning, name: &str) -> Error {
    Error::new(ErrorKind::Config, &*it.message).with_path(name).with_position(it.position)
}

/// The end of the names of scripts that test a pipeline.
const TESTS_SUFFIX: &str = ".test.rhai";

fn check_script(
    name: &str,
    text: &[u8],
    tree: &dyn Tree,
    registered: &Registrations,
) -> Vec<Finding> {
    let check = match name.ends_with(TESTS_SUFFIX) {
        true => script::check_tests,
        false => script::check,
    };
    check(text, name, tree, &registered.functions, &registered.vars)
}
