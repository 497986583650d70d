//! Configs: from the text of `.tinyci.yml` to a [`Pipeline`].
//!
//! Three rooms, each knowing only the ones before it: `source` (bytes to text with positions),
//! `document` (text to a tree of bounded size), `steps` (the tree to a pipeline). Nothing is read
//! from disk here, nothing is run, and no tag is filled in. `convert` goes the other way, from a
//! pipeline to the text of a script.

mod convert;
mod deploy;
mod document;
mod source;
mod steps;
mod when;

use self::{document::Document, source::Source};
use crate::{
    error::{Error, ErrorKind},
    pipeline::{Format, Pipeline},
};

impl Pipeline {
    /// Reads a config. `name` is what errors call it, such as `.tinyci.yml`.
    ///
    /// What has no effect, such as an unknown key, is kept in
    /// [`warnings`](Pipeline::warnings). Tags (`<%= … %>`) are left as they are.
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
    pub fn parse(text: impl AsRef<[u8]>, format: Format, name: &str) -> Result<Self, Error> {
        match format {
            Format::Yaml => {
                let source = Source::new(text.as_ref(), name)?;
                steps::pipeline(&Document::new(source)?)
            }
            Format::Rhai => {
                let message = "a script is read together with what it imports: \
                               `Engine::pipeline` reads one of a commit";
                Err(Error::new(ErrorKind::Unsupported, message).with_path(name))
            }
        }
    }
}

#[cfg(test)]
mod tests;
