//! The version of git on this machine, for warnings about features that older versions lack.

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

/// Time limit of `git --version`: generous, because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the major and minor version of git. `None` if git is missing or prints something else.
pub(in crate::engine) fn git_version(env: &ProcessEnv) -> Option<(u32, u32)> {
    let args = ["git", "--version"].map(str::to_owned);
    let mut command = Command::new(Program::Argv(args.to_vec()), "/");
    command.env = env.passed.clone();
    command.deadline = Instant::now().checked_add(TIMEOUT);
    let mut text = Vec::new();
    let mut keep = |output: crate::model::executor::Output| text.extend(output.bytes);
    let cancel = CancelView::new(&CancelToken::new(), 1);
    let exit = LocalExecutor::default().execute(&command, &mut keep, &cancel).ok()?;
    (exit == Exit::Code(0)).then(|| parse(&String::from_utf8_lossy(&text)))?
}

/// Parses output such as `git version 2.39.2 (Apple Git-143)`.
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
