//! [`Checker`]: configs and scripts without a repository. Its operations are in `check`, `parser`,
//! `definitions` and `suites`.

use std::{
    fmt,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use super::handle::Engine;
use crate::engine::context::registrations::Registrations;
use crate::model::{
    answer::HookError,
    error::Error,
    function::{Effect, FunctionCall, Value},
};

/// Checks, parses and tests configs and scripts of a directory, which need not be a repository.
///
/// A checker runs no command and writes nothing. Register the functions and variables that your
/// engine has, so that the checker knows them; [`Engine::checker`] does so for you.
///
/// ```
/// use tinyci::{Format, Value, callback::Effect, check::Checker};
///
/// let checker = Checker::new(".")
///     .function("chat::post", 1..=1, Effect::External, "Posts a line.", |_| Ok(Value::from(())));
/// let script = "fn build() { sh(\"make\"); chat::post(\"built\"); }";
/// # if cfg!(feature = "rhai") {
/// let report = checker.check(script, Format::Rhai, ".tinyci.rhai")?;
/// assert!(report.is_valid());
/// # }
/// # Ok::<(), tinyci::Error>(())
/// ```
pub struct Checker {
    /// An absolute path, unless the process had no current directory.
    pub(in crate::engine) dir: PathBuf,
    registrations: Registrations,
}

impl Checker {
    /// Returns a checker that reads what scripts import below `dir`. A relative path is made
    /// absolute here.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::with(dir.into(), Registrations::default())
    }

    fn with(dir: PathBuf, registrations: Registrations) -> Self {
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        Self { dir, registrations }
    }

    /// Returns the directory, as an absolute path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Registers a function that scripts can call, as
    /// [`EngineBuilder::function`](crate::EngineBuilder::function) does. A checker calls it only in
    /// tests, and never if it is [`External`](Effect::External).
    #[must_use]
    pub fn function(
        mut self,
        name: &str,
        arguments: RangeInclusive<usize>,
        effect: Effect,
        doc: &str,
        call: impl Fn(&FunctionCall<'_>) -> Result<Value, HookError> + Send + Sync + 'static,
    ) -> Self {
        self.registrations.function(name, arguments, effect, doc, call);
        self
    }

    /// Sets a variable that commands and scripts can use as `<%= name %>`.
    #[must_use]
    pub fn var(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.registrations.var(name.as_ref(), value.into());
        self
    }

    /// Sets an environment variable of the commands that [`test`](Checker::test) shows to tests.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.registrations.env(name.into(), Some(value.into()));
        self
    }

    /// Returns the registrations, or the first invalid call.
    pub(in crate::engine) fn registrations(&self) -> Result<&Registrations, Error> {
        match &self.registrations.mistake {
            // An error of an invalid call only has a kind and a message, so this copy is complete.
            Some(mistake) => Err(Error::new(mistake.kind(), mistake.message())),
            None => Ok(&self.registrations),
        }
    }
}

impl Engine {
    /// Returns a checker for `dir` that has this engine's functions, variables and environment
    /// variables.
    ///
    /// ```no_run
    /// use tinyci::{Engine, Format};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let report = engine.checker("/home/ada/app").check("build: make\n", Format::Yaml, "x.yml")?;
    /// assert!(report.is_valid());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn checker(&self, dir: impl Into<PathBuf>) -> Checker {
        Checker::with(dir.into(), self.shared.options.registrations.copy())
    }
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checker").field("dir", &self.dir).finish_non_exhaustive()
    }
}
