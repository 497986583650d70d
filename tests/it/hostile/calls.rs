//! Calls the program, and kills its process group if it does not end.

use std::{
    fs::File,
    io::{Read, Seek},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::program::tinyci;

/// The time after which a call counts as hanging. It is far more than any call needs, even a run of
/// a hundred trees on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

/// The result of a call.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ended {
    /// Returns the standard output and the standard error output.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs the program in a directory. Panics with `what` if it does not end, crashes, ends with an
/// unknown exit code, or fails without a message.
#[track_caller]
pub(super) fn call(dir: &Path, args: &[&str], what: &str) -> Ended {
    let mut command = tinyci(dir);
    command.args(args);
    let ended = limited(command, &format!("{what}: tinyci {args:?}"));
    let code = ended.status.code();
    let text = format!("{what}: tinyci {args:?}: {:?}\n{}\n{}", ended.status, ended.out, ended.err);
    assert!(matches!(code, Some(0..=5)), "{text}");
    assert!(!ended.err.contains("panicked"), "{text}");
    assert!(code == Some(0) || !(ended.err.is_empty() && ended.out.is_empty()), "{text}");
    ended
}

/// Runs a program until it ends. Panics with `what` if it does not end.
#[track_caller]
pub(super) fn limited(mut command: Command, what: &str) -> Ended {
    let (mut out, mut err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(err.try_clone().unwrap())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LIMIT {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
            panic!("{what}: it does not end\n{}\n{}", text_of(&mut out), text_of(&mut err));
        }
        thread::sleep(Duration::from_millis(2));
    };
    Ended { status, out: text_of(&mut out), err: text_of(&mut err) }
}

fn text_of(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
