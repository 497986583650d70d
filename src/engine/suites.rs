//! [`Engine::test_pipeline`]: the tests beside a pipeline, of a commit or of a folder.

use std::{path::Path, sync::Arc};

use super::{
    check::folder::Folder,
    handle::{Engine, Shared, on_big_thread},
    process_env::ProcessEnv,
    rehearsal::rehearse,
    scripts::{CommitTree, Scripts},
};
use crate::{
    commit::Commit,
    error::{Error, ErrorKind},
    pipeline::Format,
    repo::Repo,
    script::{Hits, Script, Suite, Tree, TreeFile},
    suggestion::did_you_mean,
    test_report::{TestOptions, TestReport, TestSource},
};

/// The file of the tests, beside the script.
const TESTS: &str = ".tinyci.test.rhai";

impl Engine {
    /// Runs the tests of a pipeline: the functions `test_*` of `.tinyci.test.rhai`, which stands
    /// beside `.tinyci.rhai`. They call its phases with commits and commands that they make up, so
    /// that nothing is run, written or sent, and nothing of the machine or the repository matters.
    ///
    /// With coverage the report says which lines of the script, and of what it imports, were entered
    /// by no test and not by the plan of the commit either.
    ///
    /// ```no_run
    /// use tinyci::{Engine, TestOptions};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let report = engine.test_pipeline(&TestOptions::revision("main").coverage(true))?;
    /// for test in report.tests.iter().filter(|test| !test.passed()) {
    ///     println!("{}: {}", test.name, test.failure.as_ref().map_or(String::new(), |it| it.report()));
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit, where there is no
    /// script or no test of it, and where the filters leave none;
    /// [`Script`](ErrorKind::Script) where one of the two files is not valid,
    /// [`Unsupported`](ErrorKind::Unsupported) for a pipeline in YAML, [`Git`](ErrorKind::Git) and
    /// [`Io`](ErrorKind::Io) for what cannot be read.
    pub fn test_pipeline(&self, options: &TestOptions) -> Result<TestReport, Error> {
        let env = self.shared.process_env();
        on_big_thread("tinyci test", || test(&self.shared, &env, options))
    }
}

fn test(shared: &Shared, env: &ProcessEnv, options: &TestOptions) -> Result<TestReport, Error> {
    let repo = shared.repo()?;
    match &options.source {
        TestSource::Revision(revision) => {
            let commit = repo.commit(repo.resolve(revision)?)?;
            let whose = format!("commit {}", commit.id.short());
            let tree = CommitTree { repo: &repo, id: commit.id };
            run((shared, env), &repo, options, &Beside { tree: &tree, whose }, Some(&commit))
        }
        TestSource::Folder(folder) => {
            let tree = Folder::new(folder);
            let whose = format!("the folder `{}`", shown(folder));
            let head = repo.resolve("HEAD").and_then(|id| repo.commit(id)).ok();
            run((shared, env), &repo, options, &Beside { tree: &tree, whose }, head.as_ref())
        }
    }
}

fn shown(folder: &Path) -> String {
    let folder = folder.display().to_string();
    if folder.is_empty() { ".".to_owned() } else { folder }
}

/// The two files, and what errors call the place where they stand.
struct Beside<'a> {
    tree: &'a dyn Tree,
    whose: String,
}

impl Beside<'_> {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.tree.entry(name)? {
            TreeFile::File(bytes) => Ok(Some(bytes)),
            TreeFile::Absent => Ok(None),
            TreeFile::Link => {
                let message =
                    format!("`{name}` of {} is a symbolic link, not a regular file", self.whose);
                Err(Error::new(ErrorKind::Script, message).with_path(name))
            }
        }
    }

    fn script(&self) -> Result<Vec<u8>, Error> {
        let name = Format::Rhai.file_name();
        if let Some(bytes) = self.read(name)? {
            return Ok(bytes);
        }
        if self.read(Format::Yaml.file_name())?.is_some() {
            let message = format!(
                "the pipeline of {} is in YAML, and tests are of scripts: `tinyci convert` makes one \
                 of it",
                self.whose
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Err(Error::new(ErrorKind::NotFound, format!("{} has no `{name}`", self.whose)))
    }

    fn tests(&self) -> Result<Vec<u8>, Error> {
        self.read(TESTS)?.ok_or_else(|| {
            let message = format!(
                "{} has no `{TESTS}`, where the tests of its pipeline would stand: functions such as \
                 `fn test_build(t) {{ t.expect(t.build().ok); }}`",
                self.whose
            );
            Error::new(ErrorKind::NotFound, message)
        })
    }
}

fn run(
    (shared, env): (&Shared, &ProcessEnv),
    repo: &Repo,
    options: &TestOptions,
    files: &Beside<'_>,
    commit: Option<&Commit>,
) -> Result<TestReport, Error> {
    let functions = &shared.options.functions;
    let script = Script::load(&files.script()?, Format::Rhai.file_name(), files.tree, functions)?;
    let suite = Suite::load(&files.tests()?, TESTS, files.tree, functions)?;
    let hits = Arc::new(Hits::default());
    let script = if options.coverage { script.watched(&hits) } else { script };
    let filters = &options.filters;
    let is_wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|it| name.contains(it.as_str()));
    if !suite.names().any(is_wanted) {
        return Err(nothing_to_run(&suite, filters));
    }
    let tests = suite.run(&script, functions, is_wanted);
    let left_out = suite.names().count() - tests.len();
    if let Some(commit) = commit.filter(|_| options.coverage) {
        let scripts = Scripts::new(Some(script.clone()), functions);
        rehearse(shared, env, repo, commit, (&script.pipeline(), &scripts), &[])?;
    }
    let coverage = options.coverage.then(|| hits.coverage(&script));
    Ok(TestReport { tests, left_out, coverage })
}

fn nothing_to_run(suite: &Suite, filters: &[String]) -> Error {
    let message = match filters.first() {
        Some(filter) if suite.names().next().is_some() => {
            let hint = did_you_mean(filter, suite.names());
            let known = suite.names().collect::<Vec<_>>().join(", ");
            format!("no test has `{filter}` in its name{hint} (there are {known})")
        }
        _ => format!("`{TESTS}` has no test: a function such as `fn test_build(t) {{ … }}`"),
    };
    Error::new(ErrorKind::NotFound, message)
}
