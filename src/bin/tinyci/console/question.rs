//! A question on the terminal before something that cannot be undone.

use std::{
    io::{self, IsTerminal},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use tinyci::CancelToken;

use crate::console::{failure::Failure, terminal};

/// The interval at which a waiting question checks for Ctrl-C.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks on the terminal. Ctrl-C counts as no.
///
/// # Errors
///
/// A usage error with this hint if standard input is not a terminal.
pub(crate) fn confirmed(question: &str, hint: &str, cancel: &CancelToken) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let message = format!("cannot ask `{question}`: standard input is not a terminal");
        return Err(Failure::usage(message).hint(hint));
    }
    let failed = |error| Failure::broken(format!("cannot ask on the terminal: {error}"));
    terminal::ask(&format!("{question} [y/N] ")).map_err(failed)?;
    let (answered, answers) = mpsc::channel();
    // A signal does not interrupt a read, so the read gets its own thread, which is not joined.
    thread::spawn(move || {
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        answered.send(read.map(|_| answer))
    });
    loop {
        match answers.recv_timeout(PAUSE) {
            Ok(answer) => {
                let answer = answer.map_err(failed)?.trim().to_ascii_lowercase();
                return Ok(matches!(answer.as_str(), "y" | "yes"));
            }
            Err(RecvTimeoutError::Timeout) if cancel.level() == 0 => {}
            Err(_) => {
                // The question has no newline.
                terminal::print_error("");
                return Ok(false);
            }
        }
    }
}
