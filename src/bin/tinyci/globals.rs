//! The global options, and what several commands take.

use std::{fmt, path::PathBuf};

use tinyci::{Engine, EngineBuilder, Selection, selection::Selector};

use crate::console::{failure::Failure, terminal};

/// The remote that `-r` without a name means.
pub(crate) const DEFAULT_REMOTE: &str = "origin";

/// Options that stand before or after the command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Say nothing but errors and what was asked for
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Undo an earlier --quiet
    #[arg(long, global = true)]
    no_quiet: bool,
    /// Act on the repository at DIR or around it [default: the current folder]
    #[arg(short = 'D', long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Run the command over ssh, on the host and in the repository of this remote
    ///
    /// NAME is a remote of the repository or an ssh URL, and `origin` where it is left out. A NAME
    /// that is also a command is taken for the command: write `-r=log` for a remote called `log`.
    /// GIT_SSH_COMMAND and GIT_SSH are honored.
    #[arg(
        short, long, global = true, value_name = "NAME",
        num_args = 0..=1, default_missing_value = DEFAULT_REMOTE
    )]
    pub(crate) remote: Option<String>,
    /// Whom records name, as `NAME <ADDRESS>`, in the place of whom git's configuration names
    ///
    /// What deployments, rolls back or approves on another host with -r adds it by itself, so that it is
    /// known there who asked. It is a word, and no proof: records keep the account that acted, too.
    #[arg(
        long, global = true, value_name = "PERSON", value_parser = Person::parse,
        hide_short_help = true
    )]
    pub(crate) asked_by: Option<Person>,
}

/// A person by name and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    name: String,
    address: String,
}

impl Person {
    /// Reads `NAME <ADDRESS>`, whatever follows.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('<').and_then(|(name, rest)| {
            let (address, _) = rest.split_once('>')?;
            Some((name.trim(), address.trim()))
        });
        let (name, address) = parts.ok_or("a person is `NAME <ADDRESS>`")?;
        if name.is_empty() || address.is_empty() {
            return Err("a person has a name and an address".to_owned());
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
    /// Whether only errors and what was asked for are to be said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet && !self.no_quiet
    }

    /// The folder to look for a repository in.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// A builder of an engine that passes on whatever this program was given: whoever starts it,
    /// by hand or as a hook, says by its environment what builds get.
    fn builder(&self) -> EngineBuilder {
        let builder = Engine::builder(self.dir()).pass_all_env();
        match &self.asked_by {
            Some(person) => builder.by(&person.name, &person.address),
            None => builder,
        }
    }

    /// The engine of the repository that is meant.
    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        self.engine_with(|builder| builder)
    }

    /// The same for a command that tells the engine's warnings itself.
    pub(crate) fn silent_engine(&self) -> Result<Engine, Failure> {
        Ok(self.builder().discover()?)
    }

    /// The same for a command that only reads, and so works where the builds are another's.
    pub(crate) fn reading_engine(&self) -> Result<Engine, Failure> {
        let engine = self.engine()?;
        if !self.is_quiet() {
            engine.builds_warning().iter().for_each(terminal::warn);
        }
        Ok(engine)
    }

    /// The same with settings of its own.
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

/// The commits that these words name; without words, all that is due.
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

/// Whether a word is a range. No ref's name holds `..`, and no commit's begins with `^`.
pub(crate) fn is_range(word: &str) -> bool {
    word.contains("..") || word.starts_with('^')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

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
    fn words_become_revisions_and_ranges() {
        let words = ["HEAD~2", "a..b", "a...b", "^main"].map(String::from);
        let targets = selection_of(&words).selectors;
        assert!(matches!(targets.first(), Some(Selector::Revision(_))));
        assert!(targets[1..].iter().all(|target| matches!(target, Selector::Range(_))));
        assert!(selection_of(&[]).selectors.is_empty());
    }
}
