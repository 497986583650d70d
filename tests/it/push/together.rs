//! Several who want the repository at the same time: one runs, the others follow, nothing is run
//! twice and nothing is missed.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Stdio},
};

use crate::support::{
    TestRepo, eventually,
    program::{Said, run},
    server::{Gate, Pushed, Server},
};

/// A push under way, and what it has said so far.
struct Push {
    child: Child,
    err: BufReader<ChildStderr>,
    said: String,
}

impl Push {
    fn start(server: &Server, args: &[&str]) -> Self {
        let mut child = server.start_push(args);
        let err = BufReader::new(child.stderr.take().unwrap());
        Self { child, err, said: String::new() }
    }

    /// Reads on until a line holds this text.
    #[track_caller]
    fn says(&mut self, text: &str) {
        loop {
            let before = self.said.len();
            self.err.read_line(&mut self.said).unwrap();
            assert!(self.said.len() > before, "{text} was not said:\n{}", self.said);
            if self.said[before..].contains(text) {
                return;
            }
        }
    }

    /// Reads to the end.
    #[track_caller]
    fn ends(mut self) -> Pushed {
        self.err.read_to_string(&mut self.said).unwrap();
        Pushed { ok: self.child.wait().unwrap().success(), err: self.said }
    }
}

/// How many attempts each of these commits had, and how many words were ever written.
fn attempts(repo: &TestRepo, commits: &[String]) -> (Vec<usize>, usize) {
    let lines = commits.iter().map(|commit| {
        let record = repo.try_git(&["notes", "--ref", "refs/notes/runs/tinyci", "show", commit]);
        String::from_utf8(record.stdout).unwrap().lines().filter(|line| !line.is_empty()).count()
    });
    let words = repo.git(&["rev-list", "--count", "refs/notes/tinyci-result"]);
    (lines.collect(), words.parse().unwrap())
}

#[test]
fn a_second_pusher_follows_until_the_own_commits_are_settled() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let config = format!("build: {}\ntest: echo tested <%= short %>\n", gate.command());
    let first = server.client.commit_config(&config);
    let mut one = Push::start(&server, &["main"]);
    one.says("Building...");
    gate.reached_by(&first);

    let second = server.client.commit("second");
    let mut two = Push::start(&server, &["main"]);
    two.says("] another run (process ");
    assert!(
        two.said.contains(&format!(" is in progress at commit {}; showing its log", &first[..7]))
    );
    gate.open();
    let (one, two) = (one.ends(), two.ends());

    assert!(one.ok && two.ok);
    assert!(one.has(&format!("tested {}", &first[..7])), "{}", one.err);
    assert!(two.has(&format!("tested {}", &second[..7])), "{}", two.err);
    assert!(two.has(&format!("Finished {second}")), "{}", two.err);
    // Neither is told of the end of a run before it began.
    assert!(!two.has(&format!("Commit: {first}")) || two.has(&format!("Finished {first}")));
    assert_eq!(server.verdicts(&[&first, &second]), ["success", "success"]);
    assert_eq!(attempts(&server.repo, &[first, second]), (vec![1, 1], 2));
    server.until_idle();
}

/// Whoever waits takes over when the holder's own commits are done, so that the first of three is
/// not kept for the others.
#[test]
fn the_repository_is_handed_on_from_pusher_to_pusher() {
    let server = Server::new();
    let gates: Vec<Gate> =
        (0..3).map(|number| Gate::new(server.outside(&format!("gate{number}")))).collect();
    let mut commits = Vec::new();
    let mut pushes = Vec::new();
    for gate in &gates {
        let config = format!("build: {}\ntest: echo tested <%= short %>\n", gate.command());
        commits.push(server.client.commit_config(&config));
        let mut push = Push::start(&server, &["main"]);
        push.says(if pushes.is_empty() { "Building..." } else { "showing its log" });
        pushes.push(push);
    }
    for ((gate, commit), push) in gates.iter().zip(&commits).zip(pushes) {
        gate.reached_by(commit);
        gate.open();
        // It ends while the builds of the later ones are still held.
        let push = push.ends();
        assert!(push.ok && push.has(&format!("tested {}", &commit[..7])), "{}", push.err);
    }
    assert_eq!(attempts(&server.repo, &commits), (vec![1; 3], 3));
}

/// A pusher who waits sees the own commits' lines also where somebody else runs them, and need not
/// wait for more.
#[test]
fn a_run_of_everything_serves_a_pusher_who_came_later() {
    let server = Server::new();
    let gates = ["a", "b"].map(|name| Gate::new(server.outside(name)));
    let [before, after] = gates.each_ref().map(|gate| format!("build: {}\n", gate.command()));
    let without_hook = |refs: &str| {
        let aside = server.outside("hook");
        fs::rename(server.hook("post-receive"), &aside).unwrap();
        server.push(&[refs]);
        fs::rename(&aside, server.hook("post-receive")).unwrap();
    };
    let first = server.client.commit_config(&before);
    without_hook("main");
    let mut everything = server.tinyci(&["run", "--all"]);
    let everything = everything.stdout(Stdio::piped()).spawn().unwrap();
    gates[0].reached_by(&first);

    let second = server.client.commit_config("build: echo built\n");
    let mut push = Push::start(&server, &["main"]);
    push.says("showing its log");
    let third = server.client.commit_config(&after);
    without_hook("main:later");
    gates[0].open();
    let push = push.ends();
    gates[1].reached_by(&third);
    gates[1].open();
    let said = Said::of(&everything.wait_with_output().unwrap()).with_code(0);

    let lines = push.lines();
    let own = lines.iter().position(|line| line == &format!("T Commit: {second}")).unwrap();
    let expected =
        ["Cleaning...", "Exporting...", "Building...", "built"].map(|line| format!("T {line}"));
    assert_eq!(lines[own + 1..own + 5], expected, "{}", push.err);
    assert_eq!(lines[own + 5], format!("T Finished {second}"), "{}", push.err);
    // At most the beginning of the next commit comes after that.
    let next =
        [format!("T Commit: {third}"), "T Cleaning...".to_owned(), "T Exporting...".to_owned()];
    assert!(lines[own + 6..].iter().all(|line| next.contains(line) || line == "T Building..."));
    assert!(said.out.contains(&format!("Finished {third}")), "{}", said.out);
    assert_eq!(attempts(&server.repo, &[first, second, third]), (vec![1; 3], 3));
}

#[test]
fn whoever_leaves_at_once_is_served_by_the_run_in_progress() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let first = server.client.commit_config(&format!("build: {}\n", gate.command()));
    let mut one = Push::start(&server, &["main"]);
    one.says("Building...");
    gate.reached_by(&first);
    // A push whose hook is told not to wait.
    let hook = fs::read_to_string(server.hook("post-receive")).unwrap();
    fs::write(server.hook("post-receive"), hook.replace("run --hook", "run --hook --no-wait"))
        .unwrap();
    let second = server.client.commit("second");
    let pushed = server.push(&["main"]);
    assert!(pushed.err.contains("it will look for new commits before it ends"), "{}", pushed.err);
    gate.open();
    assert!(one.ends().ok);
    assert_eq!(server.verdicts(&[&first, &second]), ["success", "success"]);
}

/// A named commit's run looks for what others asked for meanwhile, and hands that over as well.
#[test]
fn a_run_of_one_commit_does_not_work_for_others_while_they_wait() {
    let repo = TestRepo::new();
    let gates = [Gate::new(repo.outside().join("a")), Gate::new(repo.outside().join("b"))];
    let first = repo.commit_config(&format!("build: {}\n", gates[0].command()));
    let second = repo.commit_config(&format!("build: {}\n", gates[1].command()));
    let start = |args: &[&str]| {
        let mut command = crate::support::program::tinyci(repo.path());
        command.args(args).stdout(Stdio::piped()).spawn().unwrap()
    };
    let one = start(&["run", &first]);
    gates[0].reached_by(&first);
    let mut all = start(&["run", "--all"]);
    let mut told = BufReader::new(all.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(line.contains("showing its log"), "{line}");
    gates[0].open();
    let one = Said::of(&one.wait_with_output().unwrap()).with_code(0);
    assert!(!one.out.contains(&second), "{}", one.out);
    gates[1].open();
    told.read_to_string(&mut line).unwrap();
    assert!(line.contains(&format!("Finished {second}")), "{line}");
    assert_eq!(all.wait().unwrap().code(), Some(0));
    assert_eq!(attempts(&repo, &[first, second]), (vec![1, 1], 2));
}

/// What it does for others it does not keep from those who wait, either.
#[test]
fn a_run_of_one_commit_that_works_for_others_hands_on() {
    let repo = TestRepo::new();
    let gates = ["a", "b", "c"].map(|name| Gate::new(repo.outside().join(name)));
    let commits =
        gates.each_ref().map(|gate| repo.commit_config(&format!("build: {}\n", gate.command())));
    let start = |args: &[&str]| {
        let mut command = crate::support::program::tinyci(repo.path());
        command.args(args).stdout(Stdio::piped()).spawn().unwrap()
    };
    let one = start(&["run", &commits[0]]);
    gates[0].reached_by(&commits[0]);
    run(&repo, &["run", "--all", "--no-wait"]).with_code(3);
    gates[0].open();
    // Nobody waits: the look that was asked for is the run's own to take.
    gates[1].reached_by(&commits[1]);
    let mut all = start(&["run", "--all"]);
    let mut told = BufReader::new(all.stdout.take().unwrap());
    told.read_line(&mut String::new()).unwrap();
    gates[1].open();
    let one = Said::of(&one.wait_with_output().unwrap()).with_code(0);
    assert!(one.out.contains(&format!("Finished {}", commits[1])), "{}", one.out);
    gates[2].reached_by(&commits[2]);
    gates[2].open();
    assert_eq!(all.wait().unwrap().code(), Some(0));
    assert_eq!(attempts(&repo, &commits), (vec![1; 3], 3));
}

#[test]
fn eight_that_start_at_once_run_every_commit_once() {
    let repo = TestRepo::new();
    let mut commits = vec![repo.commit_config("build: echo <%= short %>\ntest: sleep 0.05\n")];
    commits.extend((1..12).map(|number| repo.commit(&format!("commit {number}"))));
    let mut command = crate::support::program::tinyci(repo.path());
    command.args(["run", "--all"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let children: Vec<Child> = (0..8).map(|_| command.spawn().unwrap()).collect();
    let said: Vec<Said> =
        children.into_iter().map(|child| Said::of(&child.wait_with_output().unwrap())).collect();
    assert!(said.iter().all(|said| said.err.is_empty()));
    for said in said {
        said.with_code(0);
    }
    assert_eq!(attempts(&repo, &commits), (vec![1; 12], 12));
    let log = run(&repo, &["log"]).with_code(0).out;
    assert_eq!(log.lines().filter(|line| line.contains("] Finished ")).count(), 12);
}

/// The hook of what it pushes would follow the run that waits for it.
#[test]
fn a_build_may_push_to_the_repository_that_runs_it() {
    let server = Server::new();
    let work = server.outside("work");
    let id = server.client.commit_config(&format!(
        "build: |\n  [ \"$TINYCI_SUBJECT\" != nested ] || exit 0\n  git clone -q $TINYCI_REPO {0}\n  \
         cd {0}\n  git -c user.name=N -c user.email=n@n commit -q --allow-empty -m nested\n  \
         git push origin HEAD:nested 2>&1\n",
        work.display()
    ));
    let mut push = server.start_push(&["main"]);
    let mut ended = None;
    eventually("the push ends", || {
        ended = push.try_wait().unwrap();
        ended.is_some()
    });
    assert!(ended.unwrap().success());
    let nested = server.repo.git(&["rev-parse", "nested"]);
    assert_eq!(server.verdicts(&[&id, &nested]), ["success", "success"]);
}
