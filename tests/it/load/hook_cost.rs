//! Checks that a push costs the same with one verdict and with thousands. The tests count system
//! calls and instructions, because times vary.

use std::{fmt::Write as _, io::Write, process::Stdio};

use super::counts::{can_count, counted};
use crate::support::{
    program::{like, run, tinyci},
    server::Server,
};

/// Returns a server with this number of commits on `main`, each with a verdict.
fn server_with(verdicts: u64) -> Server {
    let server = Server::new();
    let mut stream = String::new();
    for mark in 1..=verdicts {
        // Older than the commits of the client: a clock that runs backwards makes walks longer.
        let time = 900_000_000 + mark;
        write!(
            stream,
            "commit refs/heads/main\nmark :{mark}\ncommitter A <a@b> {time} +0000\ndata 1\nc\n"
        )
        .unwrap();
        let config = "build: echo built\n";
        write!(stream, "M 644 inline .tinyci.yml\ndata {}\n{config}\n", config.len()).unwrap();
    }
    stream += "commit refs/notes/tinyci-result\ncommitter A <a@b> 1600000000 +0000\ndata 1\nn\n";
    for mark in 1..=verdicts {
        write!(stream, "N inline :{mark}\ndata 8\nsuccess\n\n").unwrap();
    }
    let mut import = server.repo.command();
    import.args(["fast-import", "--quiet"]).stdin(Stdio::piped());
    let mut child = import.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    server.repo.git(&["gc", "-q"]);
    server.client.git(&["fetch", "-q", "origin"]);
    server.client.git(&["reset", "-q", "--hard", "origin/main"]);
    // The first run stores which commits are tested.
    push_another(&server);
    assert_eq!(run(&server.repo, &["plan"]).with_code(0).out, "");
    server
}

fn push_another(server: &Server) -> String {
    let id = server.client.commit("another");
    server.push(&["main"]);
    assert_eq!(server.repo.verdict(&id).as_deref(), Some("success"));
    id
}

/// The numbers of system calls of a push with the hook and of a push without it.
#[derive(Clone, Copy, Debug)]
struct Calls {
    with: u64,
    without: u64,
}

impl Calls {
    fn of(server: &Server) -> Self {
        let with = system_calls(server, true);
        std::fs::rename(server.hook("post-receive"), server.outside("hook")).unwrap();
        Self { with, without: system_calls(server, false) }
    }

    /// Returns the cost of the hook: the program, the shell and the commands of the config.
    fn of_hook(self) -> u64 {
        self.with - self.without
    }
}

/// Returns the lowest number of system calls of three pushes. A loop that polls adds a varying
/// number of calls.
fn system_calls(server: &Server, has_hook: bool) -> u64 {
    let pushes = (0..3).map(|_| {
        let id = server.client.commit("another");
        let calls = counted(&server.push_command(&["main"]), &server.outside("table"));
        assert_eq!(server.repo.verdict(&id).as_deref(), has_hook.then_some("success"));
        calls
    });
    pushes.min().unwrap()
}

#[test]
fn a_push_makes_as_many_system_calls_with_2000_verdicts() {
    if !can_count() {
        return;
    }
    let few = Calls::of(&server_with(1));
    let many = Calls::of(&server_with(2000));
    let ratio = few.with as f64 / few.without as f64;
    let shown = format!("with 1 verdict {few:?}, with 2000 {many:?}, ratio {ratio:.2}");
    eprintln!("system calls of a push: {shown}");
    // With 2000 notes, their tree has subdirectories, so a few more objects are read and written.
    let (few, many) = (few.of_hook(), many.of_hook());
    assert!(many < few + few / 5, "{shown}");
}

/// Returns the number of instructions of the hook's run that tests one new commit, counted by
/// valgrind.
fn instructions(server: &Server) -> u64 {
    let old = server.repo.git(&["rev-parse", "main"]);
    let hook = server.hook("post-receive");
    let aside = server.outside("hook");
    std::fs::rename(&hook, &aside).unwrap();
    let new = server.client.commit("another");
    server.push(&["main"]);
    std::fs::rename(&aside, &hook).unwrap();
    let plain = tinyci(server.repo.path());
    let mut valgrind = like(&plain, "valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(plain.get_program()).args(["run", "--hook"]);
    valgrind.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = valgrind.spawn().unwrap();
    let line = format!("{old} {new} refs/heads/main\n");
    child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(server.repo.verdict(&new).as_deref(), Some("success"), "{err}");
    let collected = err.lines().find_map(|line| line.split_once("Collected : "));
    collected.unwrap_or_else(|| panic!("{err}")).1.trim().parse().unwrap()
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn a_push_takes_as_many_instructions_with_4000_verdicts_as_with_500() {
    // With one verdict, the tree of the notes has one entry. From some hundred on, it has 256.
    let few = instructions(&server_with(500));
    let many = instructions(&server_with(4000));
    let shown = format!("{few} instructions with 500 verdicts, {many} with 4000");
    eprintln!("{shown}");
    assert!(many < few + few / 4, "{shown}");
}
