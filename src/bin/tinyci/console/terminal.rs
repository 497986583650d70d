//! Standard output and standard error, which may be terminals, files, or gone.

use std::{
    env,
    fmt::Display,
    io::{self, ErrorKind, IsTerminal, Write},
};

use clap::builder::styling::{AnsiColor, Style};
use tinyci::{Outcome, builds::NotRemoved};

use crate::console::failure::Failure;

/// Standard output. Its reader may hang up at any time: what is written from then on is dropped.
#[derive(Debug, Default)]
pub(crate) struct Stdout {
    gone: Option<io::Error>,
}

impl Stdout {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Writes bytes, and out they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.gone.is_some() {
            return;
        }
        let mut stdout = io::stdout().lock();
        self.gone = stdout.write_all(bytes).and_then(|()| stdout.flush()).err();
    }

    /// Writes text and a newline.
    pub(crate) fn line(&mut self, text: impl Display) {
        self.write(format!("{text}\n").as_bytes());
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// What a report that ends here is worth: a reader that has seen enough is fine, a full disk
    /// is not.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.gone {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::broken(format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        }
    }
}

/// Says something on standard error, if anybody listens.
pub(crate) fn complain(what: impl Display) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// Says on standard error what is odd without being wrong.
pub(crate) fn warn(what: impl Display) {
    complain(format_args!("tinyci: warning: {what}"));
}

/// Says what housekeeping passed over.
pub(crate) fn warn_of(not_removed: &[NotRemoved]) {
    not_removed.iter().for_each(|left| warn(printable(&left.to_string())));
}

/// Colors for standard output, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    on: bool,
}

impl Palette {
    /// Colors on a terminal that has them, unless `NO_COLOR` is set.
    pub(crate) fn of_stdout() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { on: io::stdout().is_terminal() && !unwanted && !dumb }
    }

    /// A text in the color of an outcome.
    pub(crate) fn outcome(self, outcome: Outcome, text: &str) -> String {
        let color = match outcome {
            Outcome::Success => AnsiColor::Green,
            Outcome::Failure | Outcome::TimedOut => AnsiColor::Red,
            _ => AnsiColor::Yellow,
        };
        self.paint(color.on_default(), text)
    }

    /// A text that stands back.
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        match self.on {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}

/// A text from a repository, without the control characters that would steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    let plain = |text: &str| -> String {
        text.replace(|letter: char| letter.is_control() && letter != '\t', "\u{fffd}")
    };
    // A hint of the library stays on a line of its own.
    match text.rsplit_once("\nhint: ") {
        Some((message, hint)) => format!("{}\nhint: {}", plain(message), plain(hint)),
        None => plain(text),
    }
}

/// A line that says what takes so long, while this value lives, where a person is watching.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    pub(crate) fn show(what: &str, quiet: bool) -> Self {
        let shown = !quiet && io::stderr().is_terminal();
        if shown {
            let _ = write!(io::stderr(), "{what}...");
        }
        Self { shown }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_escapes_only_where_they_are_on() {
        let (on, off) = (Palette { on: true }, Palette { on: false });
        assert_eq!(off.outcome(Outcome::Success, "success"), "success");
        assert_eq!(on.outcome(Outcome::Failure, "failure"), "\u{1b}[31mfailure\u{1b}[0m");
    }

    #[test]
    fn a_subject_cannot_steer_the_terminal() {
        assert_eq!(printable("a\tb\u{1b}[2Jc\r"), "a\tb\u{fffd}[2Jc\u{fffd}");
    }

    #[test]
    fn a_hint_keeps_its_line() {
        assert_eq!(printable("a\nb\nhint: `c`\r"), "a\u{fffd}b\nhint: `c`\u{fffd}");
    }
}
