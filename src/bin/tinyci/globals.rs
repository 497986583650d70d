//! The global options, and helpers that several commands share.

use std::{fmt, path::PathBuf};

use tinyci::{Engine, EngineBuilder, Selection, selection::Selector};

use crate::console::{failure::Failure, terminal};

/// The remote of `-r` without a name.
pub(crate) const DEFAULT_REMOTE: &str = "origin";

/// Options that are valid before and after the command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Print only errors and the requested output
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Undo an earlier --quiet
    #[arg(long, global = true)]
    no_quiet: bool,
    /// Use the repository in DIR or a parent directory [default: the current directory]
    #[arg(short = 'D', long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Run the command over ssh, in the repository of this remote
    ///
    /// NAME is a remote of the repository or an ssh URL; without NAME it is `origin`. If NAME is also a
    /// command, tinyci reads it as the command: write `-r=log` for a remote called `log`. tinyci runs
    /// ssh as git does, with GIT_SSH_COMMAND or GIT_SSH if they are set.
    #[arg(
        short, long, global = true, value_name = "NAME",
        num_args = 0..=1, default_missing_value = DEFAULT_REMOTE
    )]
    pub(crate) remote: Option<String>,
    /// Do not make control characters in output, names and messages visible
    ///
    /// Without it, only colors, tabs, newlines and carriage returns of output pass; the rest is shown as
    /// `^[`, `<9b>` or `<U+202E>`. It could write to the clipboard or change the terminal.
    #[arg(long, global = true)]
    pub(crate) raw: bool,
    /// Record this person, `NAME <ADDRESS>`, instead of the one in git's configuration
    ///
    /// With `-r`, tinyci adds it to commands that record a person, such as `deploy` and `approve`, so
    /// that the server knows who asked. It is a claim, not a proof: records also contain the account
    /// that ran the command.
    #[arg(
        long, global = true, value_name = "PERSON", value_parser = Person::parse,
        hide_short_help = true
    )]
    pub(crate) asked_by: Option<Person>,
}

/// A person with name and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    name: String,
    address: String,
}

impl Person {
    /// Reads `NAME <ADDRESS>` and ignores the rest.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('<').and_then(|(name, rest)| {
            let (address, _) = rest.split_once('>')?;
            Some((name.trim(), address.trim()))
        });
        let (name, address) = parts.ok_or("expected `NAME <ADDRESS>`")?;
        if name.is_empty() || address.is_empty() {
            return Err("expected a name and an address: `NAME <ADDRESS>`".to_owned());
        }
        Ok(Self { name: name.to_owned(), address: address.to_owned() })
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.address)
    }
}

impl Globals {
    /// Returns true if only errors and the requested output are printed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet && !self.no_quiet
    }

    /// Returns the directory in which the search for a repository starts.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// Returns a builder of an engine that passes the environment of this process to commands.
    fn builder(&self) -> EngineBuilder {
        let builder = Engine::builder(self.dir()).pass_all_env();
        match &self.asked_by {
            Some(person) => builder.by(&person.name, &person.address),
            None => builder,
        }
    }

    /// Opens the repository and prints its warnings.
    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        self.engine_with(|builder| builder)
    }

    /// Opens the repository without warnings, for a command that prints them itself.
    pub(crate) fn silent_engine(&self) -> Result<Engine, Failure> {
        Ok(self.builder().discover()?)
    }

    /// Opens the repository for a command that only reads. It also works if the builds directory
    /// belongs to another repository.
    pub(crate) fn reading_engine(&self) -> Result<Engine, Failure> {
        let engine = self.engine()?;
        if !self.is_quiet() {
            engine.builds_warning().iter().for_each(terminal::warn);
        }
        Ok(engine)
    }

    /// Opens the repository with options from the command line.
    pub(crate) fn engine_with(
        &self,
        set: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Result<Engine, Failure> {
        let engine = set(self.builder()).discover()?;
        if !self.is_quiet() {
            engine.warnings().iter().for_each(terminal::warn);
        }
        Ok(engine)
    }
}

/// Returns the selection of these revisions and ranges; without any, all pending commits.
pub(crate) fn selection_of(revisions: &[String]) -> Selection {
    let mut selection = Selection::pending();
    selection.selectors = revisions
        .iter()
        .map(|word| match is_range(word) {
            true => Selector::Range(word.clone()),
            false => Selector::Revision(word.clone()),
        })
        .collect();
    selection
}

/// Returns true if a word is a range. A ref name cannot contain `..`, and a revision cannot start
/// with `^`.
pub(crate) fn is_range(word: &str) -> bool {
    word.contains("..") || word.starts_with('^')
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_person_is_a_name_and_an_address() {
        let person = Person::parse("Ada Lovelace <ada@example.org> 1500000000 +0000").unwrap();
        assert_eq!(person.to_string(), "Ada Lovelace <ada@example.org>");
        for text in ["", "Ada", "<ada@example.org>", "Ada <>", "Ada <x"] {
            assert!(Person::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_revisions_or_ranges() {
        let words = ["HEAD~2", "a..b", "a...b", "^main"].map(String::from);
        let targets = selection_of(&words).selectors;
        assert!(matches!(targets.first(), Some(Selector::Revision(_))));
        assert!(targets[1..].iter().all(|target| matches!(target, Selector::Range(_))));
        assert!(selection_of(&[]).selectors.is_empty());
    }
}
