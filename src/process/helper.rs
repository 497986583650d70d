//! Runs programs of the machine for tinyci itself: git, ssh-keygen, id.
//!
//! Unlike the commands of a build, they do not get their own session and are short. They may ask
//! the user on the terminal, for example for the passphrase of a key.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Seek, Write},
    path::Path,
    process::{Command, Stdio},
};

use super::{
    orphans,
    program::{find, search_path},
};
use crate::model::error::{Error, ErrorKind};

/// The result of such a program.
#[derive(Debug)]
pub(crate) struct Answer {
    /// True if its exit code is 0.
    pub(crate) passed: bool,
    pub(crate) out: String,
    /// What it complained of, in one line: the last line of its standard error, or of its standard
    /// output, or the line before it that git marks as an error. Empty if it wrote nothing.
    pub(crate) complaint: String,
}

/// Runs a program with exactly this environment, and waits for its end.
///
/// # Errors
///
/// [`Spawn`](ErrorKind::Spawn) if it cannot be started; [`ChildLost`](ErrorKind::ChildLost) if its
/// exit status is unknown.
pub(crate) fn run_helper(
    program: &str,
    arguments: &[&OsStr],
    dir: &Path,
    env: &BTreeMap<OsString, OsString>,
    input: &[u8],
) -> Result<Answer, Error> {
    let failed = |source| {
        Error::new(ErrorKind::Spawn, format!("cannot run `{program}`")).with_source(source)
    };
    let path = find(program, dir, search_path(env)).map_err(failed)?;
    let input = file_of(input).map_err(failed)?;
    let mut command = Command::new(path);
    command.args(arguments).current_dir(dir).env_clear().envs(env).stdin(Stdio::from(input));
    // It is a child that nobody registers.
    let _starting = orphans::starting();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let finished = child.wait_with_output().map_err(|source| {
        let message = format!("cannot get the exit code of `{program}`");
        Error::new(ErrorKind::ChildLost, message).with_source(source)
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&finished.stdout), text(&finished.stderr));
    let last = [&err, &out].into_iter().find_map(|it| it.trim_end().lines().next_back());
    let last = last.unwrap_or_default().trim();
    // After the reason, git may add advice of several lines.
    let is_marked = |line: &&str| ["fatal: ", "error: "].iter().any(|mark| line.starts_with(mark));
    let marked = if is_marked(&last) { None } else { err.lines().find(is_marked) };
    let complaint = marked.unwrap_or(last).trim_end().to_owned();
    Ok(Answer { passed: finished.status.success(), out, complaint })
}

/// Makes an unnamed file with these bytes. A pipe could be full while the program does not read.
fn file_of(bytes: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, input: &[u8]) -> Result<Answer, Error> {
        let env =
            BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into()), ("A".into(), "b".into())]);
        run_helper("sh", &["-c", script].map(OsStr::new), Path::new("/"), &env, input)
    }

    #[test]
    fn it_reads_says_and_ends() {
        let input = vec![b'x'; 1 << 20];
        let answer = shell("wc -c; pwd; echo $A$HOME; echo one >&2; echo two >&2; exit 3", &input);
        let Answer { passed, out, complaint } = answer.unwrap();
        assert_eq!((passed, out.trim(), complaint.as_str()), (false, "1048576\n/\nb", "two"));
        assert!(shell("", b"").unwrap().passed);
        let nothing = run_helper("no-such-program", &[], Path::new("/"), &BTreeMap::new(), b"");
        assert_eq!(nothing.unwrap_err().kind(), ErrorKind::Spawn);
    }
}
