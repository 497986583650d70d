//! `tinyci run`: the lines, the codes, and who may hang up.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    TestRepo, eventually,
    program::{Said, run, signal, tinyci},
};

/// A repository whose build says `started` and waits until the test lets it go on.
struct Gated {
    repo: TestRepo,
    head: String,
}

impl Gated {
    fn new() -> Self {
        let repo = TestRepo::new();
        let (started, go) = (Self::path_in(&repo, "started"), Self::path_in(&repo, "go"));
        let head = repo.commit_config(&format!(
            "build: |\n  echo started\n  touch '{}'\n  until [ -e '{}' ]; do sleep 0.01; done\n  \
             for i in $(seq 1000); do echo line $i; done\n\
             hooks:\n  after_all: touch '{}'\n",
            started.display(),
            go.display(),
            Self::path_in(&repo, "cleaned").display(),
        ));
        Self { repo, head }
    }

    fn path_in(repo: &TestRepo, name: &str) -> PathBuf {
        repo.outside().join(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        Self::path_in(&self.repo, name)
    }

    /// Starts a run, and comes back when its build is in progress.
    fn start(&self) -> Child {
        let mut command = tinyci(self.repo.path());
        command.args(["run", "--all"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        eventually("the build starts", || {
            assert_eq!(child.try_wait().unwrap(), None, "the run ended before its build began");
            self.path("started").exists()
        });
        child
    }

    fn go_on(&self) {
        fs::write(self.path("go"), "").unwrap();
    }

    fn verdict(&self) -> Option<String> {
        self.repo.verdict(&self.head)
    }
}

/// The lines of a green run, in the ancestor's words.
fn green_lines(commit: &str) -> Vec<String> {
    let lines = [
        &format!("Commit: {commit}"),
        "Cleaning...",
        "Exporting...",
        "Building...",
        "built",
        "half a line",
        "executing after_build_success hook...",
        "Testing...",
        &format!("Finished {commit}"),
    ];
    lines.iter().map(|line| format!("T {line}")).collect()
}

const GREEN: &str = "build: echo built; printf 'half a line'\ntest: \"true\"\n\
                     hooks:\n  after_build_success: \"true\"\n";

#[test]
fn a_green_run_says_what_the_ancestor_said() {
    let repo = TestRepo::new();
    let head = repo.commit_config(GREEN);
    let said = run(&repo, &["run", "--all"]).with_code(0);
    assert_eq!(said.log_lines(), green_lines(&head));
    assert_eq!(said.err, "");
    assert_eq!(repo.verdict(&head).as_deref(), Some("success"));
    assert_eq!(run(&repo, &["run", "--all"]).with_code(0).out, "");
}

#[test]
fn a_red_run_names_the_command_and_exits_with_1() {
    let repo = TestRepo::new();
    let head = repo.commit_config("build: \"true\"\ntest: exit 7\n");
    let said = run(&repo, &["run", "--commit", &head[..8]]).with_code(1);
    let lines = said.log_lines();
    assert_eq!(lines.last().unwrap(), "T test: `/bin/sh -c 'exit 7'` failed with status 7");
    assert_eq!(repo.verdict(&head).as_deref(), Some("failure"));
}

#[test]
fn a_commit_that_has_a_verdict_runs_again_only_for_retry() {
    let repo = TestRepo::new();
    let head = repo.commit_config("build: \"false\"\n");
    run(&repo, &["run", "HEAD"]).with_code(1);
    let again = run(&repo, &["run", "HEAD"]).with_code(1);
    let told = again.log_lines();
    assert_eq!(told, [format!("T {head} has a verdict: failure (`--retry` tests it again)")]);
    let retried = run(&repo, &["run", "--retry", "HEAD"]).with_code(1);
    assert!(retried.out.contains("Building..."), "{}", retried.out);
}

#[test]
fn a_commit_without_a_config_gets_no_verdict_and_is_fine() {
    let repo = TestRepo::new();
    let head = repo.commit("empty");
    let said = run(&repo, &["run", "-c", "HEAD"]).with_code(0);
    assert_eq!(said.log_lines(), [format!("T No config found for {head}")]);
    assert_eq!(repo.verdict(&head), None);
}

#[test]
fn an_unknown_revision_is_a_usage_error_and_no_option_of_gits() {
    let repo = TestRepo::new();
    repo.commit_config("build: \"true\"\n");
    for revision in ["nothing", "--commit=--output=pwned", "deadbeef", "a..b"] {
        let args = match revision.starts_with('-') {
            true => vec!["run", revision],
            false => vec!["run", "--", revision],
        };
        let said = run(&repo, &args).with_code(2);
        let lines: Vec<&str> = said.err.lines().collect();
        assert!(lines[1..].iter().all(|line| line.starts_with("hint: ")), "{}", said.err);
    }
    assert!(!repo.path().join("pwned").exists());
}

#[test]
fn json_is_one_event_a_line_and_the_summary_last() {
    let repo = TestRepo::new();
    let head = repo.commit_config(GREEN);
    let said = run(&repo, &["run", "--all", "--json"]).with_code(0);
    let lines: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["v"] == 1), "{}", said.out);
    let (summary, events) = lines.split_last().unwrap();
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["records"][0]["commit"], head.as_str());
    assert!(events.len() > 5, "{}", said.out);

    let said = run(&repo, &["run", "--json", "--quiet", "--retry", "HEAD"]).with_code(0);
    let only: Value = serde_json::from_str(said.out.trim_end()).unwrap();
    assert_eq!(only["records"][0]["outcome"], "success");
}

#[test]
fn quiet_says_nothing_and_still_judges() {
    let repo = TestRepo::new();
    let head = repo.commit_config("build: echo built; exit 1\n");
    let said = run(&repo, &["run", "--all", "-q"]).with_code(1);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    assert_eq!(repo.verdict(&head).as_deref(), Some("failure"));
}

#[test]
fn several_at_once_are_told_apart() {
    let repo = TestRepo::new();
    let first = repo.commit_config("build: echo built\n");
    let second = repo.commit("another");
    let said = run(&repo, &["run", "--all", "--jobs", "2"]).with_code(0);
    for commit in [first, second] {
        let line = format!("T {} built", &commit[..7]);
        assert!(said.log_lines().contains(&line), "{line} is not in\n{}", said.out);
    }
}

#[test]
fn a_time_limit_fails_the_commit() {
    let repo = TestRepo::new();
    let head = repo.commit_config("build: sleep 600\n");
    run(&repo, &["run", "--all", "--timeout", "1"]).with_code(1);
    assert_eq!(repo.verdict(&head).as_deref(), Some("failure"));
}

#[test]
fn the_reader_may_hang_up_and_the_run_goes_on() {
    let gated = Gated::new();
    let mut child = gated.start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("] started")));
    drop(lines);
    gated.go_on();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(gated.verdict().as_deref(), Some("success"));
    let log = run(&gated.repo, &["log"]).with_code(0);
    assert!(log.out.contains("] line 1000\n"), "the log is whole");
}

#[test]
fn a_lost_terminal_is_survived() {
    let gated = Gated::new();
    let child = gated.start();
    signal(&child, Signal::HUP);
    gated.go_on();
    Said::of(&child.wait_with_output().unwrap()).with_code(0);
    assert_eq!(gated.verdict().as_deref(), Some("success"));
}

#[test]
fn ctrl_c_stops_the_build_and_cleans_up_without_a_verdict() {
    for stop in [Signal::INT, Signal::TERM] {
        let gated = Gated::new();
        let child = gated.start();
        signal(&child, stop);
        let said = Said::of(&child.wait_with_output().unwrap()).with_code(130);
        let told = format!("] Canceled {}", gated.head);
        assert!(said.out.contains(&told), "{}", said.out);
        assert_eq!(gated.verdict(), None);
        assert!(gated.path("cleaned").exists(), "after_all ran");
    }
}

#[test]
fn a_second_run_gives_up_or_follows_as_it_is_told() {
    let gated = Gated::new();
    let first = gated.start();
    let busy = run(&gated.repo, &["run", "--all", "--no-wait"]).with_code(3);
    assert!(busy.err.starts_with("tinyci: "), "{}", busy.err);

    let mut second = tinyci(gated.repo.path());
    let mut second = second.args(["run", "--all"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(second.stdout.take().unwrap());
    let mut told = String::new();
    lines.read_line(&mut told).unwrap();
    assert!(told.contains("another run"), "{told}");
    gated.go_on();
    Said::of(&first.wait_with_output().unwrap()).with_code(0);
    lines.read_to_string(&mut told).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(0));
    assert!(told.contains("] line 1000\n"), "the other run's lines are passed on");
    assert!(!told.contains("] ["), "no line has two times in front");
}

#[test]
fn the_hook_is_told_what_was_pushed() {
    let repo = TestRepo::new();
    let head = repo.commit_config("build: \"true\"\n");
    let hook = |lines: String| {
        let mut command = tinyci(repo.path());
        command.args(["run", "--hook"]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        Said::of(&child.wait_with_output().unwrap())
    };
    assert_eq!(hook(String::new()).with_code(0).out, "");
    assert_eq!(repo.verdict(&head), None);
    assert!(hook("nonsense\n".to_owned()).with_code(2).err.contains("line 1"));
    let zero = "0".repeat(40);
    let said = hook(format!("{zero} {head} refs/heads/main\n")).with_code(0);
    assert!(said.out.contains("Building..."), "{}", said.out);
    assert_eq!(repo.verdict(&head).as_deref(), Some("success"));
}

#[test]
fn a_push_shows_the_run_to_the_pusher() {
    let server = TestRepo::bare();
    let said = run(&server, &["install", "--absolute-path"]).with_code(0);
    let told = said.log_lines();
    assert_eq!(told[0], "T tinyci post-receive hook installed successfully");

    let client = TestRepo::new();
    let head = client.commit_config(GREEN);
    let url = server.path().to_str().unwrap();
    let push = client.try_git(&["push", url, "main"]);
    let shown = String::from_utf8_lossy(&push.stderr).into_owned();
    for line in ["Commit: ", "Building...", "built", "Testing...", "Finished "] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert_eq!(server.verdict(&head).as_deref(), Some("success"));

    let again = run(&server, &["install", "--absolute-path"]).with_code(0);
    assert!(again.out.contains("is already installed"), "{}", again.out);
    let gone = run(&server, &["uninstall"]).with_code(0);
    assert!(gone.out.contains("uninstalled successfully"), "{}", gone.out);
    let gone = run(&server, &["uninstall"]).with_code(0);
    assert!(gone.out.contains("is not installed"), "{}", gone.out);
}

#[test]
fn a_plan_says_what_would_run_and_runs_nothing() {
    let repo = TestRepo::new();
    let head = repo.commit_config("build: \"true\"\n");
    let said = run(&repo, &["plan"]).with_code(0);
    assert_eq!(said.out, format!("{} main config (has no verdict)\n", &head[..7]));
    let said = run(&repo, &["plan", "--json"]).with_code(0);
    let plan: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(plan["jobs"].as_array().map(Vec::len), Some(1), "{plan}");
    assert_eq!(repo.verdict(&head), None);
}

#[test]
fn old_builds_are_packed_but_for_those_that_are_left() {
    let repo = TestRepo::new();
    let first = repo.commit_config("build: \"true\"\n");
    let second = repo.commit("second");
    repo.commit("third");
    run(&repo, &["run", "--all"]).with_code(0);
    let builds = || {
        let entries = fs::read_dir(repo.path().join("builds")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "tinyci.log").collect();
        names.sort();
        names
    };
    let deployed = repo.path().join("builds").join(&builds()[0]).join("export");
    let deployed = deployed.to_str().unwrap();
    let said = run(&repo, &["compact", "-n", "1", "-b", deployed]).with_code(0);
    let told = said.log_lines();
    assert_eq!(told.len(), 1, "{}", said.out);
    assert!(told[0].starts_with("T Compacted "), "{}", said.out);
    assert!(told[0].ends_with(&format!("{second}.tar.gz")), "{}", said.out);
    assert!(builds()[0].ends_with(&first), "{:?}", builds());
}

#[test]
fn a_commit_is_exported_to_any_folder() {
    let repo = TestRepo::new();
    repo.write("a/b", "text");
    let head = repo.commit("files");
    let to = repo.outside().join("out");
    let said = run(&repo, &["export", "HEAD", to.to_str().unwrap()]).with_code(0);
    assert!(said.out.starts_with(&format!("Exported {} to ", &head[..7])), "{}", said.out);
    assert_eq!(fs::read_to_string(to.join("a/b")).unwrap(), "text");
    run(&repo, &["export", "nothing", "elsewhere"]).with_code(2);
}
