//! What is wrong with a config, found without running it: before it is committed, and in a commit.

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
    /// Finds what is wrong with a config without running anything, in the order of its lines.
    ///
    /// A script's imports are read below the checker's directory. All of it is looked at, whatever a run would come to: functions that do not exist or take other
    /// arguments (those registered by [`function`](Checker::function) are known), members that
    /// `ctx` does not have, misspelled phases, constants and options, and what the language takes
    /// without a word and means otherwise than people do. In YAML it finds what
    /// [`warnings`](Pipeline::warnings) and [`check_placeholders`](Pipeline::check_placeholders) tell, and what is
    /// wrong with the expressions in tags.
    ///
    /// What is valid and perhaps not meant is a [`Warning`](crate::check::Severity::Warning): build and
    /// test that can never run for one and the same ref, a placeholder `tag` where no condition
    /// asks for a tag, the first place of a script that reads the branch or the tags, so that its
    /// verdict holds for one ref, and a shell text of several lines that goes on after a command
    /// that failed.
    ///
    /// A script whose name ends with `.test.rhai` is one of tests, which have `t` and no phases.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where what a script imports cannot be read,
    /// [`Unsupported`](ErrorKind::Unsupported) for scripts where the library was built without,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for the first mistake made in this checker.
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
    /// Finds what is wrong with the config of a commit without running anything, as
    /// [`Checker::check`] does for one that is not committed yet.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit or one without a
    /// config, [`Git`](ErrorKind::Git) where the repository cannot be read,
    /// [`Unsupported`](ErrorKind::Unsupported) for scripts where the library was built without.
    pub fn check(&self, revision: &str) -> Result<CheckReport, Error> {
        on_big_thread("tinyci check", || {
            let found = check_commit(&self.shared, revision)?;
            CheckReport::in_commit(revision, revision, found)
        })
    }

    /// Finds what is wrong with a config that might take the place of a commit's: what a script
    /// imports is read from the commit. `name` is what the report calls it.
    ///
    /// # Errors
    ///
    /// As [`check`](Engine::check), but that the commit needs no config.
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

/// What the names of scripts end with that test a pipeline.
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
