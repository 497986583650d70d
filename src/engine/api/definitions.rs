//! [`Checker::definitions`]: the reference of the script API.

use super::checker::Checker;
use crate::{model::error::Error, script::definitions};

/// A format of the script API reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefinitionsFormat {
    /// One line of JSON, for editors and other programs.
    Json,
    /// A Markdown page, for people.
    Markdown,
    /// A definition file (`.d.rhai`) for the Rhai language server.
    Rhai,
}

impl Checker {
    /// Returns the reference of the script API. It contains steps, constants, functions with
    /// their parameters and results, options, the members of `ctx`, the functions of the language,
    /// and the API of tests.
    ///
    /// The reference is generated from the same tables that scripts run with, and includes the
    /// functions that [`function`](Checker::function) registered. So it is always current.
    ///
    /// ```
    /// use tinyci::{Value, callback::Effect, check::{Checker, DefinitionsFormat}};
    ///
    /// let checker = Checker::new(".").function("today", 0..=0, Effect::Pure, "The date.", |_| {
    ///     Ok(Value::from("2021-03-04"))
    /// });
    /// # if cfg!(feature = "rhai") {
    /// let page = checker.definitions(DefinitionsFormat::Markdown)?;
    /// assert!(page.contains("### `today()`\n\nThe date."));
    /// # }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if the library was built without the feature
    /// `rhai`, [`InvalidArg`](crate::ErrorKind::InvalidArg) for the first mistake in this checker.
    pub fn definitions(&self, format: DefinitionsFormat) -> Result<String, Error> {
        let definitions = definitions(&self.registrations()?.functions)?;
        Ok(match format {
            DefinitionsFormat::Json => definitions.to_json(),
            DefinitionsFormat::Markdown => definitions.to_markdown(),
            DefinitionsFormat::Rhai => definitions.to_rhai(),
        })
    }
}
