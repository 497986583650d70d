//! `tinyci -r`: the same command, on the host of a remote.
//!
//! What goes over is the command as it was understood, not as it was typed: `--long=value` words,
//! each quoted for the shell that the other side's sshd starts.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, IsTerminal, Read},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        process::ExitStatusExt,
    },
    path::Path,
    process::ExitStatus,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use clap::{ArgMatches, parser::ValueSource};
use rustix::process::{Pid, Signal, kill_process};
use tinyci::CancelToken;

use crate::{
    console::{
        failure::{BROKEN, CANCELED, Failure},
        signals,
    },
    globals::{Globals, Person},
    remote::ssh_address::SshAddress,
};

/// What ssh itself exits with when the connection fails. tinyci never does.
const SSH_FAILED: i32 = 255;

/// What a shell exits with when it finds no such program.
const NOT_FOUND: i32 = 127;

/// How often a waiting process looks at its token.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn execute(name: &str, globals: &Globals, words: &[OsString]) -> Result<u8, Failure> {
    let address = address_of(name, globals)?;
    let is_interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    let (program, ssh) = ssh(&address, is_interactive, words);
    wait(&program, &ssh, &address.destination)
}

/// Runs a command there and reads what it writes to its standard output, as it comes. `read` says
/// what comes of that; if it fails, the command's own exit code tells more, unless that is 0.
pub(crate) fn stream(
    name: &str,
    globals: &Globals,
    words: &[OsString],
    cancel: &CancelToken,
    read: impl FnOnce(&mut dyn Read) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let address = address_of(name, globals)?;
    // A terminal on the other side would change the bytes.
    let (program, ssh) = ssh(&address, false, words);
    let failed =
        |error: io::Error| Failure::broken(format!("cannot run `{}`: {error}", program.display()));
    let handle = ssh.stdin_null().reader().map_err(failed)?;
    let is_over = AtomicBool::new(false);
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) && cancel.level() == 0 {
                thread::sleep(PAUSE);
            }
            terminate(handle.pids());
        });
        let done = read(&mut &handle);
        is_over.store(true, Ordering::SeqCst);
        done
    });
    // What is left is not wanted; the end has to be met for the exit code.
    let drained = io::copy(&mut &handle, &mut io::sink());
    let status = drained.and_then(|_| handle.try_wait()).map_err(failed)?;
    let code = status.map_or(Ok(BROKEN), |output| exit_code(output.status, &address.destination));
    match done {
        _ if cancel.level() > 0 => Ok(CANCELED),
        Ok(()) => Ok(crate::console::failure::OK),
        Err(failure) => match code? {
            crate::console::failure::OK => Err(failure),
            code if code > 128 => Err(failure),
            code => Ok(code),
        },
    }
}

fn address_of(name: &str, globals: &Globals) -> Result<SshAddress, Failure> {
    // No remote can be called so: a colon makes it a URL to git as well.
    let url = match name.contains(':') {
        true => name.to_owned(),
        false => globals.engine()?.remote_url(name)?,
    };
    SshAddress::parse(&url)
}

/// The program that stands for ssh, and the whole command.
fn ssh(
    address: &SshAddress,
    is_interactive: bool,
    words: &[OsString],
) -> (OsString, duct::Expression) {
    let (program, first) = ssh_program();
    let arguments = ssh_arguments(address, is_interactive, words);
    let ssh = duct::cmd(&program, first.into_iter().chain(arguments)).unchecked();
    (program, ssh)
}

fn terminate(pids: Vec<u32>) {
    for pid in pids.into_iter().filter_map(|pid| i32::try_from(pid).ok()) {
        // It may have ended just now: that is what is wanted.
        let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::TERM));
    }
}

/// The command that was said, less the options that led here.
pub(crate) fn words(command: &clap::Command, matches: &ArgMatches) -> Vec<OsString> {
    let mut words = Vec::new();
    if matches.get_flag("quiet") && !matches.get_flag("no_quiet") {
        words.push("--quiet".into());
    }
    let Some((name, matches)) = matches.subcommand() else { return words };
    words.push(name.into());
    let mut operands: Vec<OsString> = Vec::new();
    let command = command.find_subcommand(name);
    for argument in command.into_iter().flat_map(clap::Command::get_arguments) {
        let id = argument.get_id().as_str();
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values = matches.get_raw(id).into_iter().flatten();
        match argument.get_long() {
            None => operands.extend(values.map(OsStr::to_owned)),
            Some(long) if !argument.get_action().takes_values() => {
                words.push(format!("--{long}").into());
            }
            Some(long) => words.extend(values.map(|value| {
                let mut word = OsString::from(format!("--{long}="));
                word.push(value);
                word
            })),
        }
    }
    if !operands.is_empty() {
        words.push("--".into());
        words.append(&mut operands);
    }
    words
}

/// The word that tells the other side who asks: whom git would name in a commit, else the user of
/// this machine.
pub(crate) fn asked_by(globals: &Globals) -> OsString {
    let person = globals.asked_by.clone().map_or_else(|| git_person(&globals.dir()), Ok);
    let person = person.map_or_else(|_| user_of_machine(), |person| person.to_string());
    format!("--asked-by={person}").into()
}

fn git_person(dir: &Path) -> Result<Person, String> {
    let git = duct::cmd("git", ["var", "GIT_COMMITTER_IDENT"]).dir(dir).stderr_null();
    Person::parse(&git.read().map_err(|error| error.to_string())?)
}

fn user_of_machine() -> String {
    let user = ["LOGNAME", "USER"].into_iter().find_map(|name| env::var(name).ok());
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    format!("{user} <{}@{}>", user.replace(' ', "-"), system.nodename().to_string_lossy())
}

/// The program that stands for ssh, as git chooses it, and what comes before its arguments.
fn ssh_program() -> (OsString, Vec<OsString>) {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(mut script) = set("GIT_SSH_COMMAND") {
        script.push(" \"$@\"");
        return ("/bin/sh".into(), vec!["-c".into(), script, "ssh".into()]);
    }
    (set("GIT_SSH").unwrap_or_else(|| "ssh".into()), Vec::new())
}

fn ssh_arguments(address: &SshAddress, is_interactive: bool, words: &[OsString]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(port) = address.port {
        arguments.extend(["-p".into(), port.to_string().into()]);
    }
    if is_interactive {
        // With a terminal of its own the other side gets Ctrl-C, and notices when we are gone.
        arguments.push("-t".into());
    }
    // No `--` between them: git gives none, and a program that stands for ssh expects none.
    arguments.push(address.destination.clone().into());
    arguments.extend(["tinyci".into(), "--dir".into(), remote_dir(&address.path)]);
    arguments.extend(words.iter().map(|word| shell_quote(word)));
    arguments
}

/// The path as a word for a shell that starts in the home folder.
fn remote_dir(path: &str) -> OsString {
    let Some(of_home) = path.strip_prefix('~') else {
        let relative_dash = path.starts_with('-');
        let path = if relative_dash { format!("./{path}") } else { path.to_owned() };
        return shell_quote(OsStr::new(&path));
    };
    let (user, rest) = match of_home.split_once('/') {
        Some((user, rest)) => (user, rest),
        None => (of_home, ""),
    };
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if user.chars().all(is_name) {
        // Outside the quotes, so that the shell there fills in the folder.
        let mut word = OsString::from(format!("~{user}/"));
        word.push(if rest.is_empty() { OsString::new() } else { shell_quote(OsStr::new(rest)) });
        word
    } else {
        shell_quote(OsStr::new(path))
    }
}

/// The word in single quotes, unless any shell takes it as it is.
fn shell_quote(word: &OsStr) -> OsString {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,=".contains(byte);
    let bytes = word.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return word.to_owned();
    }
    let mut quoted = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

/// Waits for ssh, ends it on Ctrl-C, and passes its exit code on.
fn wait(program: &OsStr, ssh: &duct::Expression, host: &str) -> Result<u8, Failure> {
    let cancel = signals::cancel_on_interrupt()?;
    let failed =
        |error: io::Error| Failure::broken(format!("cannot run `{}`: {error}", program.display()));
    let handle = ssh.start().map_err(failed)?;
    let mut level = 0;
    loop {
        if let Some(output) = handle.wait_timeout(PAUSE).map_err(failed)? {
            return match cancel.level() {
                0 => exit_code(output.status, host),
                _ => Ok(CANCELED),
            };
        }
        if cancel.level() > level {
            level = cancel.level();
            terminate(handle.pids());
        }
    }
}

fn exit_code(status: ExitStatus, host: &str) -> Result<u8, Failure> {
    match status.code() {
        Some(SSH_FAILED) => {
            Err(Failure::broken(format!("ssh could not run a command on `{host}`")))
        }
        Some(NOT_FOUND) => Err(Failure::broken(format!("there is no tinyci on `{host}`"))
            .hint("it has to be on the PATH of a shell that is not interactive")),
        Some(code) => Ok(crate::console::failure::exit_code(code)),
        None => {
            let signal = status.signal().unwrap_or_default();
            Ok(u8::try_from(128 + signal).unwrap_or(BROKEN))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Args;

    fn said(line: &str) -> String {
        let matches = Args::command().get_matches_from(line.split(' '));
        let words = words(&Args::command(), &matches).into_iter();
        words.map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_command_goes_over_as_it_was_understood() {
        let cases = [
            ("tinyci -r log", "log"),
            ("tinyci log -r -f -n5", "log --follow --num-lines=5"),
            ("tinyci -Dx -rci -q run -aj2", "--quiet run --all --jobs=2"),
            ("tinyci run -r=ci HEAD a..b", "run -- HEAD a..b"),
            ("tinyci results -r=ci --format=%H -n 1", "results --limit=1 --format=%H"),
            (
                "tinyci compact -rci -b a,b -n 3",
                "compact --num-builds-to-leave=3 --builds-to-leave=a --builds-to-leave=b",
            ),
            ("tinyci check -rci -", "check -- -"),
        ];
        for (line, expected) in cases {
            let line = line.replace("-r log", "-r=origin log");
            assert_eq!(said(&line), expected, "{line}");
        }
    }

    #[test]
    fn no_word_is_anything_but_a_word_to_the_other_shell() {
        let hostile = ["", "a b", "$(id)", "it's", "`id`", "a\nb", "~", "*", "-n", "ä;id", "!x"];
        for word in hostile {
            let quoted = shell_quote(OsStr::new(word));
            let script = [OsStr::new("printf %s"), &quoted].join(OsStr::new(" "));
            let printed = duct::cmd("/bin/sh", [OsStr::new("-c"), &script]).stdout_capture();
            assert_eq!(printed.run().unwrap().stdout, word.as_bytes(), "{word:?}");
        }
    }

    #[test]
    fn folders_below_a_home_are_left_for_the_shell_there_to_find() {
        let cases = [
            ("/srv/app.git", "/srv/app.git"),
            ("srv/my app", "'srv/my app'"),
            ("-app", "./-app"),
            ("~/my app", "~/'my app'"),
            ("~ci/app", "~ci/app"),
            ("~", "~/"),
            ("~$(id)/app", "'~$(id)/app'"),
        ];
        for (path, word) in cases {
            assert_eq!(remote_dir(path), word, "{path}");
        }
    }

    #[test]
    fn ssh_gets_the_port_and_a_terminal_where_there_is_one() {
        let address = SshAddress::parse("ssh://ci@host:2222/srv/app").unwrap();
        let arguments = ssh_arguments(&address, true, &["log".into()]);
        let expected = ["-p", "2222", "-t", "ci@host", "tinyci", "--dir", "/srv/app", "log"];
        assert_eq!(arguments, expected);
    }
}
