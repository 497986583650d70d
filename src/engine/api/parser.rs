//! Pipelines from texts that stand in no commit: [`Pipeline::parse`].

use super::builder::EngineBuilder;
use crate::engine::context::threads::on_big_thread;
use crate::{
    config::parse_yaml,
    model::{
        error::Error,
        pipeline::{Format, Pipeline},
    },
};

impl Pipeline {
    /// Reads a config. `name` is what errors call it, such as `.tinyci.yml`.
    ///
    /// What has no effect, such as an unknown key, is kept in
    /// [`warnings`](Pipeline::warnings). Tags (`<%= … %>`) are left as they are.
    ///
    /// A script stands for itself here: it can neither import files nor call functions in a module
    /// of the embedding program, which [`EngineBuilder::parse_config`] knows.
    ///
    /// ```
    /// use tinyci::{Format, Phase, Pipeline};
    ///
    /// let text = "build: make\ntest: {run: [make check, make lint], timeout: 10m}\n";
    /// let pipeline = Pipeline::parse(text, Format::Yaml, ".tinyci.yml")?;
    /// let test = pipeline.step(Phase::Test).expect("the config has a test");
    /// assert_eq!(test.commands().len(), 2);
    ///
    /// let error = Pipeline::parse("build: 5\n", Format::Yaml, ".tinyci.yml").unwrap_err();
    /// assert!(error.to_string().starts_with(".tinyci.yml:1:8: expected a command"));
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) with the position of what is wrong, if the text is not
    /// valid in its format, says something that has no meaning, says nothing at all, or is larger
    /// than a config can reasonably be (256 KiB, or 2,000 values once aliases are expanded).
    /// [`Script`](crate::ErrorKind::Script) for a script that cannot be read, and
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for any where this program was built without.
    pub fn parse(text: impl AsRef<[u8]>, format: Format, name: &str) -> Result<Self, Error> {
        let text = text.as_ref();
        on_big_thread("tinyci parse", || match format {
            Format::Yaml => parse_yaml(text, name),
            Format::Rhai => scripts::alone(text, name),
        })
    }
}

impl EngineBuilder {
    /// Reads a config as [`Pipeline::parse`] does, and of a script what it imports too: below the
    /// builder's path, which need not be a repository. The builder's functions can be called.
    ///
    /// ```
    /// use tinyci::{Effect, Engine, Format, Phase, Value};
    ///
    /// let builder = Engine::builder(".")
    ///     .function("chat::post", 1..=1, Effect::External, "Posts a line.", |_| Ok(Value::Null));
    /// let script = "fn build() { sh(\"make\"); chat::post(\"built\"); }";
    /// let pipeline = builder.parse_config(script, Format::Rhai, "nightly.rhai")?;
    /// assert!(pipeline.step(Phase::Build).is_some());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Pipeline::parse`]; [`Io`](crate::ErrorKind::Io) for a module that cannot be read.
    pub fn parse_config(
        &self,
        text: impl AsRef<[u8]>,
        format: Format,
        name: &str,
    ) -> Result<Pipeline, Error> {
        let text = text.as_ref();
        on_big_thread("tinyci parse", || match format {
            Format::Yaml => parse_yaml(text, name),
            Format::Rhai => scripts::in_folder(text, name, self),
        })
    }
}

#[cfg(feature = "rhai")]
mod scripts {
    //! Scripts, with or without the files that they import.

    use crate::{
        engine::api::{builder::EngineBuilder, check::folder::Folder},
        model::{error::Error, pipeline::Pipeline},
        script::{Script, Tree, TreeFile},
    };

    pub(super) fn alone(text: &[u8], name: &str) -> Result<Pipeline, Error> {
        Script::load(text, name, &NoFiles, &[]).map(|script| script.pipeline())
    }

    pub(super) fn in_folder(
        text: &[u8],
        name: &str,
        builder: &EngineBuilder,
    ) -> Result<Pipeline, Error> {
        let (folder, functions) = (Folder::new(&builder.path), &builder.options.functions);
        Script::load(text, name, &folder, functions).map(|script| script.pipeline())
    }

    /// Around a text on its own there is nothing.
    struct NoFiles;

    impl Tree for NoFiles {
        fn entry(&self, _: &str) -> Result<TreeFile, Error> {
            Ok(TreeFile::Absent)
        }

        fn lacks(&self, path: &str) -> String {
            format!(
                "`{path}` cannot be imported by a script that was given as text, without the files \
                 around it; `EngineBuilder::parse_config` reads them from a folder"
            )
        }
    }
}

#[cfg(not(feature = "rhai"))]
mod scripts {
    //! What is said of scripts by a program that cannot read them.

    use crate::{
        engine::api::builder::EngineBuilder,
        model::{
            error::{Error, ErrorKind},
            pipeline::Pipeline,
        },
    };

    pub(super) fn alone(_: &[u8], name: &str) -> Result<Pipeline, Error> {
        let message = "this program was built without the feature `rhai` and reads no scripts";
        Err(Error::new(ErrorKind::Unsupported, message).with_path(name))
    }

    pub(super) fn in_folder(text: &[u8], name: &str, _: &EngineBuilder) -> Result<Pipeline, Error> {
        alone(text, name)
    }
}
