//! A question on the terminal, before something is done that cannot be taken back.

use std::{
    io::{self, IsTerminal, Write},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use tinyci::CancelToken;

use crate::console::{failure::Failure, terminal};

/// How often a question that waits looks whether it was interrupted.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks on the terminal. Nobody to ask means that nobody agreed, and so does Ctrl-C; `otherwise`
/// says how to do without.
pub(crate) fn confirmed(
    question: &str,
    otherwise: &str,
    cancel: &CancelToken,
) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let message = format!("{question} There is no terminal to ask on");
        return Err(Failure::usage(message).hint(otherwise));
    }
    let unasked = |error| Failure::broken(format!("cannot ask on the terminal: {error}"));
    write!(io::stderr(), "{question} [y/N] ")
        .and_then(|()| io::stderr().flush())
        .map_err(unasked)?;
    let (answered, answers) = mpsc::channel();
    // A read goes on through signals: it gets a thread that nobody has to wait for.
    thread::spawn(move || {
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        answered.send(read.map(|_| answer))
    });
    loop {
        match answers.recv_timeout(PAUSE) {
            Ok(answer) => {
                let answer = answer.map_err(unasked)?.trim().to_ascii_lowercase();
                return Ok(matches!(answer.as_str(), "y" | "yes"));
            }
            Err(RecvTimeoutError::Timeout) if cancel.level() == 0 => {}
            Err(_) => {
                // Behind the question, which has no end of line.
                terminal::complain("");
                return Ok(false);
            }
        }
    }
}
