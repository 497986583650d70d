//! Pushers who go away in the middle: the run stays.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{
    processes::{below, send, with_command},
    program::run,
    server::{Gate, Server},
};

/// A push whose build is held, and that has been seen by the pusher so far.
struct Held {
    server: Server,
    gate: Gate,
    commit: String,
    push: Child,
}

impl Held {
    /// Through a URL of this scheme. The push leads a process group, as one that a person types
    /// at a terminal does.
    fn new(scheme: &str) -> Self {
        let server = Server::new();
        let url = format!("{scheme}{}", server.repo.path().display());
        server.client.git(&["remote", "set-url", "origin", &url]);
        let gate = Gate::new(server.outside("gate"));
        let commit = server.client.commit_config(&format!(
            "build: |\n  echo held\n  {}\n  seq 20000\ntest: echo tested\n\
             hooks:\n  after_all: echo cleaned\n",
            gate.command()
        ));
        let mut push = server.push_command(&["main"]);
        push.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut push = push.spawn().unwrap();
        let mut lines = BufReader::new(push.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("] held")), "the pusher sees it live");
        gate.reached_by(&commit);
        // The reader, and with it the reading end of the pipe, goes here.
        drop(lines);
        Self { server, gate, commit, push }
    }

    /// Lets the build go on, and checks that the run has come to its end as if nothing were.
    fn assert_finishes(mut self) {
        self.gate.open();
        let _ = self.push.wait();
        self.server.until_idle();
        assert_eq!(self.server.verdicts(&[&self.commit]), ["success"]);
        let log = run(&self.server.repo, &["log"]).with_code(0).log_lines();
        let expected = [
            "T 20000",
            "T Testing...",
            "T tested",
            "T executing after_all hook...",
            "T cleaned",
            &format!("T Finished {}", self.commit),
        ];
        assert_eq!(log.last_chunk::<6>().unwrap(), &expected);
        assert_eq!(log.iter().filter(|line| line.parse_number().is_some()).count(), 20_000);
        let table = run(&self.server.repo, &["results", "--json"]).with_code(0).out;
        assert_eq!(table.lines().count(), 1, "{table}");
    }
}

trait ParseNumber {
    fn parse_number(&self) -> Option<u32>;
}

impl ParseNumber for String {
    fn parse_number(&self) -> Option<u32> {
        self.strip_prefix("T ")?.parse().ok()
    }
}

#[test]
fn a_killed_client_ends_nothing() {
    for scheme in ["", "file://"] {
        let mut held = Held::new(scheme);
        held.push.kill().unwrap();
        held.assert_finishes();
    }
}

#[test]
fn a_killed_receiving_side_ends_nothing() {
    let held = Held::new("");
    let client = Pid::from_child(&held.push).as_raw_nonzero().get();
    let receivers: Vec<_> = below(client)
        .into_iter()
        .filter(|process| process.command.contains("receive-pack"))
        .collect();
    assert!(!receivers.is_empty(), "somebody receives");
    receivers.iter().for_each(|process| send(process.pid, Signal::KILL));
    send(client, Signal::KILL);
    held.assert_finishes();
}

#[test]
fn a_pusher_who_stops_reading_ends_nothing() {
    Held::new("").assert_finishes();
}

/// A daemon that a build has started lives on, and the pusher is not kept until it ends.
#[test]
fn a_daemon_does_not_keep_the_pusher() {
    let server = Server::new();
    let mark = server.outside("daemon");
    let commit = server.client.commit_config(&format!(
        "build: sh -c 'sleep 600; :' {mark} & echo built\n",
        mark = mark.display()
    ));
    let pushed = server.push(&["main"]);
    let daemon = with_command(mark.to_str().unwrap());
    assert!(pushed.has(&format!("Finished {commit}")), "{}", pushed.err);
    assert!(!daemon.is_empty(), "it lives");
    daemon.iter().for_each(|process| send(process.pid, Signal::KILL));
}

/// Over a local path the hook is in the pusher's own foreground group: Ctrl-C, Ctrl-\ and a closed
/// terminal reach it.
#[test]
fn the_pushers_keyboard_does_not_reach_the_run() {
    for signal in [Signal::INT, Signal::QUIT, Signal::HUP] {
        let held = Held::new("");
        kill_process_group(Pid::from_child(&held.push), signal).unwrap();
        held.assert_finishes();
    }
}
