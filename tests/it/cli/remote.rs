//! `tinyci -r`: what goes over, what comes back, and what is refused. A program in place of ssh
//! writes down its arguments.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, test_kill_process},
};

use crate::support::{
    TestRepo, eventually,
    program::{Said, signal, tinyci},
};

/// A repository whose remote is reached through a program of the test's.
struct Client {
    repo: TestRepo,
    bin: PathBuf,
}

impl Client {
    /// `ssh` writes its arguments to `said`, one a line, and goes on with this script.
    fn new(url: &str, script: &str) -> Self {
        let repo = TestRepo::new();
        repo.git(&["remote", "add", "--", "origin", url]);
        let bin = repo.outside().join("bin");
        fs::create_dir(&bin).unwrap();
        let client = Self { repo, bin };
        let said = client.said_path();
        client.program("ssh", &format!("printf '%s\\n' \"$@\" > '{}'\n{script}", said.display()));
        client
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn said_path(&self) -> PathBuf {
        self.repo.outside().join("said")
    }

    /// The arguments that ssh got, or nothing if it was not started.
    fn said(&self) -> Vec<String> {
        let said = fs::read_to_string(self.said_path()).unwrap_or_default();
        said.lines().map(str::to_owned).collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut path = OsString::from(&self.bin);
        path.push(":");
        path.push(env::var_os("PATH").unwrap());
        let mut command = tinyci(self.repo.path());
        command.args(args).env("PATH", path);
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        Said::of(&self.command(args).output().unwrap())
    }
}

#[test]
fn the_same_command_runs_in_the_remotes_repository() {
    let client = Client::new("ssh://ci@host:2222/srv/my%20app.git", "echo there");
    let said = client.run(&["-r", "log", "-n", "5"]).with_code(0);
    assert_eq!(said.out, "there\n");
    let expected =
        ["-p", "2222", "ci@host", "tinyci", "--dir", "'/srv/my app.git'", "log", "--num-lines=5"];
    assert_eq!(client.said(), expected);
}

#[test]
fn a_remote_is_named_in_every_way_that_the_ancestor_knew() {
    let client = Client::new("nowhere:x", "");
    client.repo.git(&["remote", "add", "ci", "host:app"]);
    let expected = ["host", "tinyci", "--dir", "app", "results"];
    let cases: [&[&str]; 6] = [
        &["-r", "ci", "results"],
        &["-rci", "results"],
        &["--remote=ci", "results"],
        &["--remote", "ci", "results"],
        &["results", "-r", "ci"],
        &["-r", "host:app", "results"],
    ];
    for args in cases {
        client.run(args).with_code(0);
        assert_eq!(client.said(), expected, "{args:?}");
    }
}

#[test]
fn no_word_is_more_than_a_word_on_the_other_side() {
    let client = Client::new("host:app", "");
    let hostile = "$(touch pwned); it's `id`";
    client.run(&["-r", "run", hostile]).with_code(0);
    let quoted = r"'$(touch pwned); it'\''s `id`'";
    assert_eq!(client.said(), ["host", "tinyci", "--dir", "app", "run", "--", quoted]);
}

#[test]
fn a_shell_on_the_other_side_gets_the_very_words() {
    // As sshd does: the words joined by blanks, given to a shell in the home folder.
    let client = Client::new("host:it's app", "shift; cd \"$HOME\" && exec /bin/sh -c \"$*\"");
    let home = client.repo.outside().join("home");
    let app = home.join("it's app");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join(".tinyci.yml"), "build: 5\n").unwrap();
    client.program("tinyci", &format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_tinyci")));
    let output = client.command(&["-r", "check"]).env("HOME", &home).output().unwrap();
    let said = Said::of(&output).with_code(1);
    assert!(said.out.starts_with("it's app/.tinyci.yml:1:8: "), "{}", said.out);
}

#[test]
fn exit_codes_come_back_and_faults_of_the_connection_are_told_apart() {
    for (theirs, ours, word) in [
        (0, 0, ""),
        (1, 1, ""),
        (3, 3, ""),
        (130, 130, ""),
        (127, 4, "cannot run tinyci on `host`: not found"),
        (255, 4, "cannot run a command on `host`: ssh failed"),
    ] {
        let client = Client::new("host:app", &format!("exit {theirs}"));
        let said = client.run(&["-r", "run", "--all"]).with_code(ours);
        assert!(said.err.contains(word), "{theirs}: {}", said.err);
    }
}

#[test]
fn the_program_that_git_would_use_is_used() {
    let client = Client::new("host:app", "exit 9");
    let said = client.said_path();
    let script = format!("f() {{ printf '%s\\n' x \"$@\" > '{}'; }}; f -v", said.display());
    let mut command = client.command(&["-r", "log"]);
    Said::of(&command.env("GIT_SSH_COMMAND", &script).output().unwrap()).with_code(0);
    assert_eq!(client.said(), ["x", "-v", "host", "tinyci", "--dir", "app", "log"]);

    let mut command = client.command(&["-r", "log"]);
    command.env("GIT_SSH", client.bin.join("nowhere"));
    let said = Said::of(&command.output().unwrap()).with_code(4);
    assert!(said.err.contains("nowhere"), "{}", said.err);
}

#[test]
fn remotes_that_run_nothing_are_refused_before_ssh_starts() {
    let cases = [
        ("https://ada:secret@host/app", "over ssh: `https` does not run commands"),
        ("git://host/app", "over ssh: `git` does not run commands"),
        ("/srv/app.git", "a directory on this machine"),
        ("git@github.com:ada/app.git", "serves repositories but does not run commands"),
        ("ssh://git@gitlab.com/ada/app.git", "serves repositories but does not run commands"),
        ("ssh://-oProxyCommand=touch%20pwned/app", "invalid ssh address"),
        ("-oProxyCommand=x:app", "invalid ssh address"),
    ];
    for (url, word) in cases {
        let client = Client::new(url, "");
        let said = client.run(&["-r", "log"]).with_code(2);
        assert!(said.err.contains(word), "{url}: {}", said.err);
        assert!(!said.err.contains("secret"), "{}", said.err);
        assert_eq!(client.said(), [""; 0], "{url}");
    }
    Client::new("host:app", "").run(&["-r", "nobody", "log"]).with_code(2);
}

#[test]
fn ctrl_c_ends_both() {
    let client = Client::new("host:app", "echo $$ > pid.new && mv pid.new pid; exec sleep 600");
    let mut command = client.command(&["-r", "log", "-f"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let pid = client.repo.path().join("pid");
    eventually("ssh runs", || pid.exists());
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let pid: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let left = test_kill_process(Pid::from_raw(pid).unwrap());
    assert_eq!(left, Err(Errno::SRCH), "ssh was left behind");
}

#[test]
fn who_asks_goes_over_with_what_is_kept_with_a_name() {
    let client = Client::new("ci@host:app.git", "");
    client.repo.git(&["config", "user.name", "Ada O'Hara"]);
    client.repo.git(&["config", "user.email", "ada@example.org"]);
    let asked = |args: &[&str]| {
        let words = [&["-r"], args].concat();
        client.run(&words).with_code(0);
        client.said().into_iter().find(|word| word.contains("asked-by"))
    };
    let ada = "'--asked-by=Ada O'\\''Hara <ada@example.org>'";
    for args in [
        &["deploy", "-y"][..],
        &["rollback"],
        &["approve", "HEAD"],
        &["cancel"],
        &["skip", "x"],
        &["deployments", "--retire", "x"],
    ] {
        assert_eq!(asked(args).as_deref(), Some(ada), "{args:?}");
    }
    for args in [&["log"][..], &["status"], &["run", "--all"], &["deployments"]] {
        assert_eq!(asked(args), None, "{args:?}");
    }
    // Whoever says so speaks for somebody else.
    let grace = asked(&["deploy", "--asked-by", "Grace <grace@example.org>"]);
    assert_eq!(grace.unwrap(), "'--asked-by=Grace <grace@example.org>'");
    let refused = client.run(&["-r", "deploy", "--asked-by", "Grace"]).with_code(2);
    assert!(refused.err.contains("NAME <ADDRESS>"), "{}", refused.err);

    // Without a name in git's configuration it is the user of this machine.
    for key in ["user.name", "user.email"] {
        client.repo.git(&["config", "--unset", key]);
    }
    client.repo.git(&["config", "user.useConfigOnly", "true"]);
    let mut command = client.command(&["-r", "deploy"]);
    command.env("LOGNAME", "ci").env_remove("GIT_COMMITTER_NAME");
    assert!(command.output().unwrap().status.success());
    let asked = client.said().into_iter().find(|word| word.contains("asked-by"));
    assert!(asked.as_ref().is_some_and(|it| it.contains("=ci <ci@")), "{asked:?}");
}
