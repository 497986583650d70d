//! Which git this machine has, for what older ones do not know.

use std::time::{Duration, Instant};

use super::process_env::ProcessEnv;
use crate::{
    model::{
        cancel::{CancelToken, CancelView},
        executor::{Command, Executor, Program},
        outcome::Exit,
    },
    process::local_executor::LocalExecutor,
};

/// Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// The major and minor version; nothing where there is no git, or it does not tell.
pub(in crate::engine) fn git_version(env: &ProcessEnv) -> Option<(u32, u32)> {
    let words = ["git", "--version"].map(str::to_owned);
    let mut command = Command::new(Program::Argv(words.to_vec()), "/");
    command.env = env.passed.clone();
    command.deadline = Instant::now().checked_add(PATIENCE);
    let mut text = Vec::new();
    let mut keep = |output: crate::model::executor::Output| text.extend(output.bytes);
    let never = CancelView::new(&CancelToken::new(), 1);
    let exit = LocalExecutor::default().execute(&command, &mut keep, &never).ok()?;
    (exit == Exit::Code(0)).then(|| parse(&String::from_utf8_lossy(&text)))?
}

/// `git version 2.39.2 (Apple Git-143)`
fn parse(text: &str) -> Option<(u32, u32)> {
    let version = text.strip_prefix("git version ")?.split_ascii_whitespace().next()?;
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers_whatever_follows() {
        for (text, expected) in [
            ("git version 2.47.3\n", Some((2, 47))),
            ("git version 2.39.2 (Apple Git-143)\n", Some((2, 39))),
            ("git version 3.0.rc1\n", Some((3, 0))),
            ("git version 2\n", None),
            ("git: command not found\n", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
