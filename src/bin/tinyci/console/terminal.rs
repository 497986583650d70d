//! Standard output and standard error: terminals, files, or closed pipes.

use std::{
    env,
    fmt::Display,
    io::{self, ErrorKind, IsTerminal, Read, Write},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::builder::styling::{AnsiColor, Style};
use tinyci::{Outcome, builds::NotRemoved};

use crate::console::{
    exit_codes::{OK, USAGE},
    failure::Failure,
    visible::{Visible, visible, visible_line},
};

/// True if bytes of others are shown as they are (`--raw`).
static RAW: AtomicBool = AtomicBool::new(false);

/// From now on, shows bytes of others as they are.
pub(crate) fn show_raw() {
    RAW.store(true, Ordering::SeqCst);
}

/// True after [`show_raw`].
pub(crate) fn is_raw() -> bool {
    RAW.load(Ordering::SeqCst)
}

/// Standard output. If its reader closes the pipe, further output is discarded.
///
/// Control characters of any author become visible here: a git hook's output reaches the terminal
/// of the pusher, and that of `tinyci -r` reaches the client's, so a pipe is treated like a terminal.
#[derive(Debug, Default)]
pub(crate) struct Stdout {
    gone: Option<io::Error>,
    filter: Visible,
}

impl Stdout {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Writes and flushes text of tinyci and of others.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match is_raw() {
            true => self.write_bytes(bytes),
            false => {
                let shown = self.filter.pass(bytes);
                self.write_bytes(&shown);
            }
        }
    }

    /// Writes and flushes the contents of a file that a person asked for. A pipe and a file get the
    /// bytes as they are; a terminal shows them.
    pub(crate) fn write_file(&mut self, bytes: &[u8]) {
        match io::stdout().is_terminal() {
            true => self.write(bytes),
            false => self.write_bytes(bytes),
        }
    }

    fn write_bytes(&mut self, bytes: &[u8]) {
        if self.gone.is_some() {
            return;
        }
        let mut stdout = io::stdout().lock();
        self.gone = stdout.write_all(bytes).and_then(|()| stdout.flush()).err();
        self.gone.iter().for_each(note_lost_output);
    }

    /// Writes text and a newline.
    pub(crate) fn line(&mut self, text: impl Display) {
        self.write(format!("{text}\n").as_bytes());
    }

    /// Writes a line of a log. Its colors end with it, because the next line may be of another author.
    pub(crate) fn line_of_others(&mut self, line: &[u8]) {
        self.write(line);
        self.end();
        self.write(b"\n");
    }

    /// Returns true if the reader has closed the pipe, or a write failed.
    pub(crate) fn is_closed(&self) -> bool {
        self.gone.is_some()
    }

    /// Returns the error of a failed write, such as a full disk. A closed pipe is not an error.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.end();
        match self.gone.take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(cannot_write(&error)),
            _ => Ok(()),
        }
    }
}

impl Stdout {
    /// Writes what the filter still holds, and the end of colors.
    fn end(&mut self) {
        let rest = self.filter.finish();
        if !rest.is_empty() {
            self.write_bytes(&rest);
        }
    }
}

impl Drop for Stdout {
    fn drop(&mut self) {
        self.end();
    }
}

/// Why output was lost first, if it was. A closed pipe is not a loss.
static LOST: OnceLock<String> = OnceLock::new();

fn note_lost_output(error: &io::Error) {
    if error.kind() != ErrorKind::BrokenPipe {
        LOST.get_or_init(|| error.to_string());
    }
}

fn cannot_write(error: impl Display) -> Failure {
    Failure::broken(format!("cannot write to standard output: {error}"))
}

/// Returns the failure of a write to standard output, by whatever part of the program.
pub(crate) fn lost_output() -> Option<Failure> {
    LOST.get().map(cannot_write)
}

/// Prints the help that was asked for, or what is wrong with the arguments. Returns the exit code.
pub(crate) fn show_usage(error: &clap::Error) -> u8 {
    if error.use_stderr() {
        let text = error.render();
        let _ = match has_colors(&io::stderr()) {
            true => io::stderr().write_all(&colored(&text.ansi().to_string())),
            false => write!(io::stderr(), "{}", shown(&text.to_string())),
        };
        return USAGE;
    }
    let printed = error.print().and_then(|()| io::stdout().flush());
    printed.err().iter().for_each(note_lost_output);
    OK
}

/// The most bytes that standard input may have: some hundred thousand refs of a push.
const STDIN_BYTES_MAX: u64 = 64 << 20;

/// Reads standard input to its end.
pub(crate) fn read_stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(STDIN_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > STDIN_BYTES_MAX {
        true => Err(io::Error::other(format!("it has more than {STDIN_BYTES_MAX} bytes"))),
        false => Ok(bytes),
    }
}

/// Writes a line to standard error.
pub(crate) fn print_error(what: impl Display) {
    let _ = writeln!(io::stderr(), "{}", shown(&what.to_string()));
}

/// Writes the beginning of a line to standard error.
pub(crate) fn ask(what: &str) -> io::Result<()> {
    write!(io::stderr(), "{}", shown(what)).and_then(|()| io::stderr().flush())
}

/// Returns a message with colors of its own, as a terminal may see it.
fn colored(text: &str) -> Vec<u8> {
    if is_raw() {
        return text.as_bytes().to_vec();
    }
    let mut filter = Visible::default();
    let mut shown = filter.pass(text.as_bytes());
    shown.extend(filter.finish());
    shown
}

/// Returns the text of a message, as a terminal may see it.
pub(crate) fn shown(text: &str) -> String {
    if is_raw() { text.to_owned() } else { visible(text) }
}

/// Writes a warning to standard error.
pub(crate) fn warn(what: impl Display) {
    print_error(format_args!("tinyci: warning: {what}"));
}

/// Warns of builds that could not be packed or deleted.
pub(crate) fn warn_of(not_removed: &[NotRemoved]) {
    not_removed.iter().for_each(|left| warn(printable(&left.to_string())));
}

/// True for a terminal that has colors, unless `NO_COLOR` is set.
fn has_colors(stream: &impl IsTerminal) -> bool {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    stream.is_terminal() && !unwanted && !dumb
}

/// Colors for standard output, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    on: bool,
}

impl Palette {
    pub(crate) fn of_stdout() -> Self {
        Self { on: has_colors(&io::stdout()) }
    }

    /// Returns the text in the color of an outcome.
    pub(crate) fn outcome(self, outcome: Outcome, text: &str) -> String {
        let color = match outcome {
            Outcome::Success => AnsiColor::Green,
            Outcome::Failure | Outcome::TimedOut => AnsiColor::Red,
            _ => AnsiColor::Yellow,
        };
        self.paint(color.on_default(), text)
    }

    /// Returns the text in a dimmed color.
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

/// Makes control characters visible in a name or a text that belongs on one line.
pub(crate) fn printable(text: &str) -> String {
    let plain = |text: &str| -> String {
        if is_raw() { text.replace('\n', "^J") } else { visible_line(text) }
    };
    // A hint of the library stays on its own line.
    match text.rsplit_once("\nhint: ") {
        Some((message, hint)) => format!("{}\nhint: {}", plain(message), plain(hint)),
        None => plain(text),
    }
}

/// Returns a value that belongs on one line, in the bytes that git stores, but without those that could
/// color it or write over it. The rest becomes visible in [`Stdout`].
pub(crate) fn one_line(value: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            b'\r' | b'\n' | 0x1b if !is_raw() => shown.extend_from_slice(&[b'^', byte ^ 0x40]),
            byte => shown.push(*byte),
        }
    }
    shown
}

/// A progress line on a terminal, shown until this value is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    width: usize,
}

impl Progress {
    pub(crate) fn show(what: &str, quiet: bool) -> Self {
        let shown = !quiet && io::stderr().is_terminal();
        if shown {
            let _ = write!(io::stderr(), "{what}...");
        }
        Self { shown, width: what.chars().count() + 3 }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            // No escape, which `tinyci -r` would show.
            let _ = write!(io::stderr(), "\r{:width$}\r", "", width = self.width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_escapes_only_if_they_are_on() {
        let (on, off) = (Palette { on: true }, Palette { on: false });
        assert_eq!(off.outcome(Outcome::Success, "success"), "success");
        assert_eq!(on.outcome(Outcome::Failure, "failure"), "\u{1b}[31mfailure\u{1b}[0m");
    }

    #[test]
    fn a_subject_cannot_control_the_terminal() {
        assert_eq!(printable("a\tb\u{1b}[2Jc\r"), "a\tb^[[2Jc^M");
    }

    #[test]
    fn a_hint_keeps_its_line() {
        assert_eq!(printable("a\nb\nhint: `c`\r"), "a^Jb\nhint: `c`^M");
    }
}
