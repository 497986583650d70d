//! `tinyci -r`: the same command, on the server of a remote.
//!
//! tinyci sends the parsed command, not the typed one: `--long=value` arguments, each quoted for
//! the shell that sshd starts on the server.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, IsTerminal, PipeReader, Read, Write},
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
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use tinyci::CancelToken;

use crate::{
    console::{
        exit_codes::{BROKEN, CANCELED, OK},
        failure::{self, Failure},
        signals,
        terminal::{self, Stdout},
        visible::Visible,
    },
    globals::{Globals, Person},
    remote::ssh_address::SshAddress,
};

/// The exit code of ssh if the connection fails. tinyci never uses it.
const SSH_FAILED: i32 = 255;

/// The exit code of a shell that does not find the program.
const NOT_FOUND: i32 = 127;

/// The interval at which a waiting process checks for cancellation.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn execute(name: &str, globals: &Globals, words: &[OsString]) -> Result<u8, Failure> {
    let address = address_of(name, globals)?;
    let is_interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    let (program, ssh) = ssh(&address, is_interactive, words);
    match terminal::is_raw() {
        true => wait(&program, ssh, &address.destination),
        false => wait_visibly(&program, ssh, &address.destination),
    }
}

/// Waits for ssh, and shows what it writes as any output of others.
fn wait_visibly(program: &OsStr, ssh: duct::Expression, host: &str) -> Result<u8, Failure> {
    let no_pipe = |error: io::Error| Failure::broken(format!("cannot create a pipe: {error}"));
    let (out, its_out) = io::pipe().map_err(no_pipe)?;
    let (err, its_err) = io::pipe().map_err(no_pipe)?;
    let ssh = ssh.stdout_file(its_out).stderr_file(its_err);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stdout = Stdout::new();
            carry(out, &is_over, &mut |bytes| {
                stdout.write(bytes);
                !stdout.is_closed()
            });
        });
        scope.spawn(|| show_errors(err, &is_over));
        let code = wait(program, ssh, host);
        is_over.store(true, Ordering::SeqCst);
        code
    })
}

/// Shows what ssh, and the command on the server, write to standard error.
fn show_errors(from: PipeReader, is_over: &AtomicBool) {
    let mut filter = Visible::default();
    carry(from, is_over, &mut |bytes| io::stderr().write_all(&filter.pass(bytes)).is_ok());
    let _ = io::stderr().write_all(&filter.finish());
}

/// Passes on what comes from a pipe until its end, until `show` refuses, or until the process is over
/// and nothing is left. A master connection that ssh leaves behind keeps the pipe open.
fn carry(mut from: PipeReader, is_over: &AtomicBool, show: &mut dyn FnMut(&[u8]) -> bool) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let was_over = is_over.load(Ordering::SeqCst);
        let wait = Timespec::try_from(if was_over { Duration::ZERO } else { PAUSE }).ok();
        match poll(&mut [PollFd::new(&from, PollFlags::IN)], wait.as_ref()) {
            Ok(0) if was_over => return,
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return,
        }
        match from.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(read) if !show(piece.get(..read).unwrap_or_default()) => return,
            Ok(_) => {}
        }
    }
}

/// Runs a command on the server and gives its standard output to `read` as it comes. If `read` fails,
/// returns the exit code of the command instead of the error, unless that is 0.
pub(crate) fn stream(
    name: &str,
    globals: &Globals,
    words: &[OsString],
    cancel: &CancelToken,
    read: impl FnOnce(&mut dyn Read) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let address = address_of(name, globals)?;
    // A terminal on the server would change the bytes.
    let (program, ssh) = ssh(&address, false, words);
    let failed =
        |error: io::Error| Failure::broken(format!("cannot run `{}`: {error}", program.display()));
    let (errors, ssh) = match terminal::is_raw() {
        true => (None, ssh),
        false => {
            let (errors, its_errors) = io::pipe().map_err(failed)?;
            (Some(errors), ssh.stderr_file(its_errors))
        }
    };
    let handle = ssh.stdin_null().reader().map_err(failed)?;
    let (is_read, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let (done, status) = thread::scope(|scope| {
        errors.map(|errors| scope.spawn(|| show_errors(errors, &is_over)));
        scope.spawn(|| {
            while !is_read.load(Ordering::SeqCst) && cancel.level() == 0 {
                thread::sleep(PAUSE);
            }
            terminate(handle.pids());
        });
        let done = read(&mut &handle);
        is_read.store(true, Ordering::SeqCst);
        // The rest is discarded, but the exit code requires reading to the end.
        let drained = io::copy(&mut &handle, &mut io::sink());
        let status = drained.and_then(|_| handle.try_wait());
        is_over.store(true, Ordering::SeqCst);
        (done, status)
    });
    let status = status.map_err(failed)?;
    let code = status.map_or(Ok(BROKEN), |output| exit_code(output.status, &address.destination));
    match done {
        _ if cancel.level() > 0 => Ok(CANCELED),
        Ok(()) => Ok(OK),
        Err(failure) => match code? {
            OK => Err(failure),
            code if code > 128 => Err(failure),
            code => Ok(code),
        },
    }
}

fn address_of(name: &str, globals: &Globals) -> Result<SshAddress, Failure> {
    // A remote name cannot contain a colon; git reads it as a URL too.
    let url = match name.contains(':') {
        true => name.to_owned(),
        false => globals.engine()?.remote_url(name)?,
    };
    SshAddress::parse(&url)
}

/// Returns the ssh program, and the whole command.
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
        // An error means that the process has already ended.
        let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::TERM));
    }
}

/// Returns the parsed command without `--remote` and `--dir`.
pub(crate) fn words(command: &clap::Command, matches: &ArgMatches) -> Vec<OsString> {
    let mut words = Vec::new();
    if matches.get_flag("raw") {
        words.push("--raw".into());
    }
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

/// Returns the `--asked-by` option for the server: the committer in git's configuration, else the
/// user of this machine.
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

/// Returns the ssh program, chosen as git does, with its first arguments.
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
        // With a terminal, the server gets Ctrl-C and notices a closed connection.
        arguments.push("-t".into());
    }
    // Without `--`, as git does: replacements for ssh do not expect it.
    arguments.push(address.destination.clone().into());
    arguments.extend(["tinyci".into(), "--dir".into(), remote_dir(&address.path)]);
    arguments.extend(words.iter().map(|word| shell_quote(word)));
    arguments
}

/// Returns the path, quoted for a shell that starts in the home directory.
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
        // Outside the quotes, so that the shell expands it.
        let mut word = OsString::from(format!("~{user}/"));
        word.push(if rest.is_empty() { OsString::new() } else { shell_quote(OsStr::new(rest)) });
        word
    } else {
        shell_quote(OsStr::new(path))
    }
}

/// Returns the word in single quotes, if a shell needs them.
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

/// Waits for ssh, ends it on Ctrl-C, and returns its exit code.
fn wait(program: &OsStr, ssh: duct::Expression, host: &str) -> Result<u8, Failure> {
    let cancel = signals::cancel_on_interrupt()?;
    let failed =
        |error: io::Error| Failure::broken(format!("cannot run `{}`: {error}", program.display()));
    let handle = ssh.start().map_err(failed)?;
    // With it go the ends of pipes that are the process's.
    drop(ssh);
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
            Err(Failure::broken(format!("cannot run a command on `{host}`: ssh failed")))
        }
        Some(NOT_FOUND) => {
            Err(Failure::broken(format!("cannot run tinyci on `{host}`: not found"))
                .hint(format!("install tinyci there; `ssh {host} which tinyci` must find it")))
        }
        Some(code) => Ok(failure::exit_code(code)),
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

    fn forwarded(line: &str) -> String {
        let matches = Args::command().get_matches_from(line.split(' '));
        let words = words(&Args::command(), &matches).into_iter();
        words.map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_parsed_command_is_sent() {
        let cases = [
            ("tinyci -r log", "log"),
            ("tinyci log -r -f -n5", "log --follow --num-lines=5"),
            ("tinyci -Dx -rci -q run -aj2", "--quiet run --all --jobs=2"),
            ("tinyci run -r=ci HEAD a..b", "run -- HEAD a..b"),
            ("tinyci results -r=ci --format=%H -n 1", "results --limit=1 --format=%H"),
            ("tinyci compact -rci -b a,b -n 3", "compact --keep=3 --keep-build=a --keep-build=b"),
            ("tinyci check -rci -", "check -- -"),
        ];
        for (line, expected) in cases {
            let line = line.replace("-r log", "-r=origin log");
            assert_eq!(forwarded(&line), expected, "{line}");
        }
    }

    #[test]
    fn the_shell_on_the_server_reads_every_word_as_one_word() {
        let hostile = ["", "a b", "$(id)", "it's", "`id`", "a\nb", "~", "*", "-n", "ä;id", "!x"];
        for word in hostile {
            let quoted = shell_quote(OsStr::new(word));
            let script = [OsStr::new("printf %s"), &quoted].join(OsStr::new(" "));
            let printed = duct::cmd("/bin/sh", [OsStr::new("-c"), &script]).stdout_capture();
            assert_eq!(printed.run().unwrap().stdout, word.as_bytes(), "{word:?}");
        }
    }

    #[test]
    fn home_directories_are_expanded_on_the_server() {
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
    fn ssh_gets_the_port_and_a_terminal_if_there_is_one() {
        let address = SshAddress::parse("ssh://ci@host:2222/srv/app").unwrap();
        let arguments = ssh_arguments(&address, true, &["log".into()]);
        let expected = ["-p", "2222", "-t", "ci@host", "tinyci", "--dir", "/srv/app", "log"];
        assert_eq!(arguments, expected);
    }
}
