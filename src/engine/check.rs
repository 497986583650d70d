//! What is wrong with a config, found without running it: before it is committed, and in a commit.

use super::{
    builder::{EngineBuilder, Options},
    check_warnings,
    handle::{Engine, Shared, on_big_thread},
};
use crate::{
    error::{Error, ErrorKind},
    pipeline::{Format, Pipeline, Warning},
};

impl EngineBuilder {
    /// Finds what is wrong with a config without running anything, in the order of its lines.
    ///
    /// A script's imports are read below the builder's path, which need not be a repository. All
    /// of it is looked at, whatever a run would come to: functions that do not exist or take other
    /// arguments (those lent by [`function`](EngineBuilder::function) are known), members that
    /// `ctx` does not have, misspelled phases and options, and what the language takes without a
    /// word and means otherwise than people do. In YAML it finds what
    /// [`warnings`](Pipeline::warnings) and [`check_tags`](Pipeline::check_tags) tell, and what is
    /// wrong with the expressions in tags.
    ///
    /// A script whose name ends with `.test.rhai` is one of tests, which have `t` and no phases.
    ///
    /// ```
    /// use tinyci::{Engine, Format};
    ///
    /// let script = "fn build(ctx) {\n    sh(`make ${ctx.sah}`);\n}\n";
    /// let found = Engine::builder(".").check_config(script, Format::Rhai, ".tinyci.rhai");
    /// # if cfg!(feature = "rhai") {
    /// assert_eq!(
    ///     found[0].to_string(),
    ///     ".tinyci.rhai:2:20: `ctx` has nothing called `sah`; did you mean `sha`?"
    /// );
    /// # }
    /// ```
    pub fn check_config(&self, text: impl AsRef<[u8]>, format: Format, name: &str) -> Vec<Error> {
        let text = text.as_ref();
        let found = on_big_thread("tinyci check", || {
            Ok(match format {
                Format::Yaml => check_yaml(text, name, &self.options),
                Format::Rhai => scripts::in_folder(text, name, self),
            })
        });
        found.unwrap_or_else(|error| vec![error])
    }
}

impl EngineBuilder {
    /// Finds what is valid in a config and perhaps not meant: build and test that can never run for
    /// one and the same ref, a placeholder `tag` where no condition asks for a tag, and the first
    /// place of a script that reads the branch or the tags, so that its verdict holds for one ref.
    ///
    /// None for a config that [`check_config`](EngineBuilder::check_config) cannot read.
    ///
    /// ```
    /// use tinyci::{Engine, Format};
    ///
    /// let config = "build: {run: make, when: {branch: main}}\ntest: {run: a, when: {branch: dev}}\n";
    /// let found = Engine::builder(".").config_warnings(config, Format::Yaml, ".tinyci.yml");
    /// assert!(found[0].message().starts_with("build and test can never run"));
    /// ```
    pub fn config_warnings(
        &self,
        text: impl AsRef<[u8]>,
        format: Format,
        name: &str,
    ) -> Vec<Error> {
        let text = text.as_ref();
        let found = on_big_thread("tinyci check", || {
            Ok(match format {
                Format::Yaml => yaml_warnings(text, name),
                Format::Rhai => scripts::warnings_in_folder(text, name, self),
            })
        });
        found.unwrap_or_default()
    }
}

impl Engine {
    /// Finds what is valid in the config of a commit and perhaps not meant, as
    /// [`EngineBuilder::config_warnings`] does for one that is not committed yet.
    ///
    /// # Errors
    ///
    /// As [`check`](Engine::check).
    pub fn check_warnings(&self, revision: &str) -> Result<Vec<Error>, Error> {
        on_big_thread("tinyci check", || {
            let repo = self.shared.repo()?;
            let commit = repo.resolve(revision)?;
            let config = match repo.needed_config(commit) {
                Ok(config) => config,
                Err(error) if error.kind() == ErrorKind::Config => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            let (file, options) = ((config.name, &*config.bytes), &self.shared.options);
            Ok(match config.format {
                Format::Yaml => yaml_warnings(&config.bytes, config.name),
                Format::Rhai => scripts::warnings_in_commit(file, &repo, commit, options),
            })
        })
    }

    /// Finds what is wrong with the config of a commit without running anything, as
    /// [`EngineBuilder::check_config`] does for one that is not committed yet.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit or one without a
    /// config, [`Git`](ErrorKind::Git) where the repository cannot be read.
    pub fn check(&self, revision: &str) -> Result<Vec<Error>, Error> {
        on_big_thread("tinyci check", || check_commit(&self.shared, revision))
    }
}

fn check_commit(shared: &Shared, revision: &str) -> Result<Vec<Error>, Error> {
    let repo = shared.repo()?;
    let commit = repo.resolve(revision)?;
    let config = match repo.needed_config(commit) {
        Ok(config) => config,
        Err(error) if error.kind() == ErrorKind::Config => return Ok(vec![error]),
        Err(error) => return Err(error),
    };
    let options = &shared.options;
    Ok(match config.format {
        Format::Yaml => check_yaml(&config.bytes, config.name, options),
        Format::Rhai => scripts::in_commit((config.name, &config.bytes), &repo, commit, options),
    })
}

fn check_yaml(text: &[u8], name: &str, options: &Options) -> Vec<Error> {
    let pipeline = match Pipeline::parse(text, Format::Yaml, name) {
        Ok(pipeline) => pipeline,
        Err(error) => return vec![error],
    };
    let found = scripts::in_tags(&pipeline, options).into_iter().chain(pipeline.warnings);
    found.map(|it| located(it, name)).collect()
}

fn yaml_warnings(text: &[u8], name: &str) -> Vec<Error> {
    let pipeline = Pipeline::parse(text, Format::Yaml, name);
    let found = pipeline.map(|it| check_warnings::of_pipeline(&it)).unwrap_or_default();
    found.into_iter().map(|it| located(it, name)).collect()
}

fn located(it: Warning, name: &str) -> Error {
    Error::new(ErrorKind::Config, it.message).with_path(name).with_position(it.position)
}

#[cfg(feature = "rhai")]
mod scripts {
    //! Scripts, with the files that they import, and expressions in the tags of YAML.

    use super::{EngineBuilder, Error, Options, Pipeline, Warning, folder::Folder};
    use crate::{commit::CommitId, engine::scripts::CommitTree, repo::Repo, script};

    /// What the names of scripts end with that test a pipeline.
    const TESTS_SUFFIX: &str = ".test.rhai";

    pub(super) fn in_folder(text: &[u8], name: &str, builder: &EngineBuilder) -> Vec<Error> {
        let (folder, options) = (Folder::new(&builder.path), &builder.options);
        let check = match name.ends_with(TESTS_SUFFIX) {
            true => script::check_tests,
            false => script::check,
        };
        check(text, name, &folder, &options.functions, &options.vars)
    }

    pub(super) fn in_commit(
        (name, text): (&str, &[u8]),
        repo: &Repo,
        id: CommitId,
        options: &Options,
    ) -> Vec<Error> {
        let tree = CommitTree { repo, id };
        script::check(text, name, &tree, &options.functions, &options.vars)
    }

    pub(super) fn warnings_in_folder(
        text: &[u8],
        name: &str,
        builder: &EngineBuilder,
    ) -> Vec<Error> {
        match name.ends_with(TESTS_SUFFIX) {
            true => Vec::new(),
            false => {
                let folder = Folder::new(&builder.path);
                script::warnings(text, name, &folder, &builder.options.functions)
            }
        }
    }

    pub(super) fn warnings_in_commit(
        (name, text): (&str, &[u8]),
        repo: &Repo,
        id: CommitId,
        options: &Options,
    ) -> Vec<Error> {
        script::warnings(text, name, &CommitTree { repo, id }, &options.functions)
    }

    pub(super) fn in_tags(pipeline: &Pipeline, options: &Options) -> Vec<Warning> {
        let judge = script::ExpressionJudge::new(&options.functions);
        pipeline.check_tags_with(&options.vars, &|expression, names| judge.check(expression, names))
    }
}

#[cfg(not(feature = "rhai"))]
mod scripts {
    //! What is said of scripts by a program that cannot read them.

    use super::{EngineBuilder, Error, ErrorKind, Options, Pipeline, Warning};
    use crate::{commit::CommitId, repo::Repo};

    pub(super) fn in_folder(_: &[u8], name: &str, _: &EngineBuilder) -> Vec<Error> {
        let message = "this program was built without the feature `rhai` and reads no scripts";
        vec![Error::new(ErrorKind::Unsupported, message).with_path(name)]
    }

    pub(super) fn in_commit(
        (name, _): (&str, &[u8]),
        _: &Repo,
        _: CommitId,
        _: &Options,
    ) -> Vec<Error> {
        let message = "this program was built without the feature `rhai` and reads no scripts";
        vec![Error::new(ErrorKind::Unsupported, message).with_path(name)]
    }

    pub(super) fn warnings_in_folder(_: &[u8], _: &str, _: &EngineBuilder) -> Vec<Error> {
        Vec::new()
    }

    pub(super) fn warnings_in_commit(
        _: (&str, &[u8]),
        _: &Repo,
        _: CommitId,
        _: &Options,
    ) -> Vec<Error> {
        Vec::new()
    }

    pub(super) fn in_tags(pipeline: &Pipeline, options: &Options) -> Vec<Warning> {
        pipeline.check_tags(&options.vars)
    }
}

#[cfg(feature = "rhai")]
pub(super) mod folder {
    //! The files of a folder, as a commit of them would hold them.

    use std::{fs, io, path::PathBuf};

    use crate::{
        error::{Error, ErrorKind},
        script::{Tree, TreeFile},
    };

    /// More than a module may have; what is longer is refused by its length.
    const BYTES_MAX: u64 = 1 << 20;

    /// A folder on disk.
    #[derive(Debug)]
    pub(in crate::engine) struct Folder {
        path: PathBuf,
    }

    impl Folder {
        pub(in crate::engine) fn new(path: impl Into<PathBuf>) -> Self {
            Self { path: path.into() }
        }
    }

    impl Tree for Folder {
        fn entry(&self, path: &str) -> Result<TreeFile, Error> {
            if !self.path.is_absolute() {
                return Err(Error::nowhere(ErrorKind::Io, &self.path));
            }
            let mut whole = self.path.clone();
            for part in path.split('/') {
                whole.push(part);
                match fs::symlink_metadata(&whole) {
                    Ok(meta) if meta.is_symlink() => return Ok(TreeFile::Link),
                    Ok(_) => {}
                    Err(error) if is_absence(&error) => return Ok(TreeFile::Absent),
                    Err(error) => return Err(Error::io("read", &whole, error)),
                }
            }
            // A pipe or a device would never end.
            if !whole.is_file() {
                return Ok(TreeFile::Absent);
            }
            let read = fs::File::open(&whole).and_then(|file| {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut io::Read::take(file, BYTES_MAX), &mut bytes)?;
                Ok(bytes)
            });
            read.map(TreeFile::File).map_err(|error| Error::io("read", &whole, error))
        }

        fn lacks(&self, path: &str) -> String {
            format!("there is no file `{path}` below `{}` to import", self.path.display())
        }
    }

    fn is_absence(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }
}
