//! [`Pipeline::parse`]: pipelines from text that is in no commit.

use super::{checker::Checker, folder::Folder};
use crate::{
    config::parse_yaml,
    engine::context::threads::on_big_thread,
    model::{
        error::Error,
        function::HostFunction,
        pipeline::{Format, Pipeline, Warning},
        script::{Tree, TreeFile},
    },
    rules::interpolate::Vars,
    script::{self, Script},
};

impl Pipeline {
    /// Parses a config. `name` is its name in errors, such as `.tinyci.yml`.
    ///
    /// Parts without effect, such as unknown keys, are reported in
    /// [`warnings`](Pipeline::warnings). Placeholders (`<%= … %>`) are not filled in.
    ///
    /// A script cannot import files here, nor call functions in modules of the embedding program.
    /// Use [`Checker::parse`] for that.
    ///
    /// ```
    /// use tinyci::{Format, Pipeline, pipeline::Phase};
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
    /// [`Config`](crate::ErrorKind::Config) with the position, if the text is invalid or empty,
    /// contains a key or value without a meaning, or is too large (256 KiB, or 2,000 values with
    /// aliases expanded). [`Script`](crate::ErrorKind::Script) for an invalid script.
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for any script if the library was built
    /// without the feature `rhai`.
    pub fn parse(text: impl AsRef<[u8]>, format: Format, name: &str) -> Result<Self, Error> {
        let text = text.as_ref();
        on_big_thread("tinyci parse", || match format {
            Format::Yaml => parse_yaml(text, name),
            Format::Rhai => parse_script(text, name, &NoFiles, &[]),
        })
    }

    /// Returns the placeholders that no run could fill in, with their positions. `own` contains
    /// the variables of hooks or of the builder of an embedding program. `environment` only exists
    /// in the step `deploy`.
    ///
    /// Whether a value may be inserted into a command is only known once there is a value.
    /// Placeholders that contain more than a name are checked by
    /// [`Engine::check`](crate::Engine::check), which supports the script language.
    ///
    /// ```
    /// use tinyci::{Format, Pipeline, Vars};
    /// let pipeline = Pipeline::parse("build: make <%= comit %>", Format::Yaml, "config")?;
    /// let found = pipeline.check_placeholders(&Vars::new());
    /// assert!(found[0].message.contains("did you mean `commit`?"));
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn check_placeholders(&self, own: &Vars) -> Vec<Warning> {
        self.check_placeholders_with(own, &|expression, _| script::may_be_expression(expression))
    }
}

impl Checker {
    /// Parses a config as [`Pipeline::parse`] does. A script can import files below the checker's
    /// directory and call the registered functions.
    ///
    /// ```
    /// use tinyci::{Format, Value, callback::Effect, check::Checker, pipeline::Phase};
    ///
    /// let checker = Checker::new(".")
    ///     .function("chat::post", 1..=1, Effect::External, "Posts a line.", |_| Ok(Value::Null));
    /// let script = "fn build() { sh(\"make\"); chat::post(\"built\"); }";
    /// let pipeline = checker.parse(script, Format::Rhai, "nightly.rhai")?;
    /// assert!(pipeline.step(Phase::Build).is_some());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Pipeline::parse`]; [`Io`](crate::ErrorKind::Io) for a module that cannot be read;
    /// [`InvalidArg`](crate::ErrorKind::InvalidArg) for the first mistake in this checker.
    pub fn parse(
        &self,
        text: impl AsRef<[u8]>,
        format: Format,
        name: &str,
    ) -> Result<Pipeline, Error> {
        let text = text.as_ref();
        on_big_thread("tinyci parse", || match format {
            Format::Yaml => self.registrations().and_then(|_| parse_yaml(text, name)),
            Format::Rhai => {
                let folder = Folder::new(&self.dir);
                parse_script(text, name, &folder, &self.registrations()?.functions)
            }
        })
    }
}

fn parse_script(
    text: &[u8],
    name: &str,
    tree: &dyn Tree,
    functions: &[HostFunction],
) -> Result<Pipeline, Error> {
    Script::load(text, name, tree, functions).map(|script| script.pipeline())
}

/// The empty directory of a script without files.
struct NoFiles;

impl Tree for NoFiles {
    fn entry(&self, _: &str) -> Result<TreeFile, Error> {
        Ok(TreeFile::Absent)
    }

    fn lacks(&self, path: &str) -> String {
        format!(
            "cannot import `{path}`: the script was parsed from a string; `Checker::parse` reads \
             files from a directory"
        )
    }
}
