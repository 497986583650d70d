//! [`Checker::definitions`]: the reference of what scripts can use.

use super::checker::Checker;
use crate::{model::error::Error, script::definitions};

/// The forms that the reference of the script API has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefinitionsFormat {
    /// One line of JSON, for editors and other programs.
    Json,
    /// A page of Markdown, for people.
    Markdown,
    /// A file of definitions, `.d.rhai`, for the language server of Rhai.
    Rhai,
}

impl Checker {
    /// The reference of the script API: steps, constants, functions with what they take and give
    /// back, options, what `ctx` holds, the language's own functions, and what tests find.
    ///
    /// It is written from the tables that scripts run by, and holds what
    /// [`function`](Checker::function) registers, so that it is never behind either.
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
    /// [`Unsupported`](crate::ErrorKind::Unsupported) in a program that was built without the
    /// feature `rhai`, [`InvalidArg`](crate::ErrorKind::InvalidArg) for the first mistake made in this
    /// checker.
    pub fn definitions(&self, format: DefinitionsFormat) -> Result<String, Error> {
        let definitions = definitions(&self.registrations()?.functions)?;
        Ok(match format {
            DefinitionsFormat::Json => definitions.to_json(),
            DefinitionsFormat::Markdown => definitions.to_markdown(),
            DefinitionsFormat::Rhai => definitions.to_rhai(),
        })
    }
}
