//! Pipelines from texts that stand in no commit: [`Pipeline::parse`].

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
    /// Reads a config. `name` is what errors call it, such as `.tinyci.yml`.
    ///
    /// What has no effect, such as an unknown key, is kept in
    /// [`warnings`](Pipeline::warnings). Tags (`<%= … %>`) are left as they are.
    ///
    /// A script stands for itself here: it can neither import files nor call functions in a module
    /// of the embedding program, which [`Checker::parse`] knows.
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
    /// [`Config`](crate::ErrorKind::Config) with the position of what is wrong, if the text is not
    /// valid in its format, says something that has no meaning, says nothing at all, or is larger
    /// than a config can reasonably be (256 KiB, or 2,000 values once aliases are expanded).
    /// [`Script`](crate::ErrorKind::Script) for a script that cannot be read, and
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for any where this program was built without.
    pub fn parse(text: impl AsRef<[u8]>, format: Format, name: &str) -> Result<Self, Error> {
        let text = text.as_ref();
        on_big_thread("tinyci parse", || match format {
            Format::Yaml => parse_yaml(text, name),
            Format::Rhai => parse_script(text, name, &NoFiles, &[]),
        })
    }

    /// Finds the tags that no run could fill in, with their places. `own` are
    /// the variables that hooks or the builder of an embedding program set. `environment` exists in
    /// the step `deploy` only.
    ///
    /// Whether a value may stand in a command is known only when there is one. A tag that holds
    /// more than a name is read by [`Engine::check`](crate::Engine::check), which knows the script
    /// language.
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
    /// directory, and call the functions that are registered.
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
    /// [`InvalidArg`](crate::ErrorKind::InvalidArg) for the first mistake made in this checker.
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

/// Around a text on its own there is nothing.
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
