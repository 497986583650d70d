//! Whole runs by hosts in C, over real repositories: `runs/*.c`, and the programs of `examples/c`.
//!
//! Each program checks for itself what it pulls, and ends with 0 if all was so. It is run as it is,
//! under valgrind, and with gcc's sanitizers, each time over a repository of its own.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, PoisonError},
};

use crate::{
    header::root,
    library::{are_missing, pkg_config, prefix, run},
    support::{TestRepo, eventually},
};

/// How a program is built and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Valgrind,
    Sanitized,
}

impl Way {
    /// Returns false, and says so, if a program that this needs is not installed.
    fn is_possible(self) -> bool {
        !are_missing(&["pkg-config"]) && (self != Way::Valgrind || !are_missing(&["valgrind"]))
    }
}

const WAYS: [Way; 3] = [Way::Plain, Way::Valgrind, Way::Sanitized];

/// Without valgrind, which takes seconds for each program: for what another one has shown it.
const FAST: [Way; 2] = [Way::Plain, Way::Sanitized];

/// Compiles a source of this repository, once for all tests of this process.
fn compiled(source: &str, way: Way) -> PathBuf {
    static COMPILED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let name = format!("{}-{way:?}", source.replace(['/', '.'], "-"));
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&name);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if !compiled.contains(&name) {
        compile(source, way, &program);
        compiled.insert(name);
    }
    program
}

fn compile(source: &str, way: Way, program: &Path) {
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-g", "-Wall", "-Wextra", "-pedantic", "-Werror"]);
    if way == Way::Sanitized {
        cc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    }
    cc.arg(root().join(source)).arg("-o").arg(program);
    cc.args(pkg_config(&["--cflags", "--libs"])).arg("-pthread");
    cc.arg(format!("-Wl,-rpath,{}", prefix().join("lib").display()));
    run(&mut cc);
}

/// The command that runs it so.
fn command(program: &Path, way: Way) -> Command {
    if way != Way::Valgrind {
        return Command::new(program);
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite"]);
    valgrind.args(["--errors-for-leak-kinds=definite", "--fair-sched=yes"]).arg(program);
    valgrind
}

fn output(mut command: Command) -> Output {
    command.env_remove("GIT_DIR").output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs `runs/<name>.c` in these ways over a repository that is made for each.
#[track_caller]
fn check(name: &str, arguments: &[&str], ways: &[Way], repository: impl Fn() -> TestRepo) {
    for way in ways.iter().filter(|way| way.is_possible()) {
        let program = compiled(&format!("tests/capi/runs/{name}.c"), *way);
        let repo = repository();
        let mut command = command(&program, *way);
        command.arg(repo.path()).args(arguments);
        let output = output(command);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {arguments:?} {way:?}: {}\n{err}", output.status);
        // What the library has of its own to say does not go there.
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(*way != Way::Plain || err.is_empty(), "{err}");
    }
}

/// A repository whose one commit has this config.
fn with(config: &str) -> TestRepo {
    let repo = TestRepo::new();
    repo.commit_config(config);
    repo
}

#[test]
fn a_hook_is_answered_or_its_step_fails() {
    let config = "build: echo \"build <%= release %>\"\n\
                  hooks: {before_build: 'echo \"own <%= release %>\"'}\n";
    for answer in ["var", "untaken"] {
        check("hooks", &[answer], &WAYS, || with(config));
    }
    for answer in ["fail", "abort", "drop", "unfit"] {
        check("hooks", &[answer], &FAST, || with(config));
    }
    let config = "build: echo \"build $NOTHING\"\nhooks: {before_build: echo own}\n";
    check("hooks", &["skip"], &FAST, || with(config));
}

#[test]
fn functions_take_and_give_every_kind_of_value() {
    check("functions", &[], &WAYS, || {
        let repo = TestRepo::new();
        let script = r#"fn build() {
            host::take((), true, -5, 1.5, "text", [1, "a"], #{ k: () });
            for n in 1..7 { try { print(give(n)); } catch (e) { print(e); } }
            print(parallel(#{ left: || branch(), right: || branch() }));
        }"#;
        repo.write(".tinyci.rhai", script);
        repo.commit("a script");
        repo
    });
    for unfit in 7..10 {
        check("functions", &["unfit"], &FAST, || {
            let repo = TestRepo::new();
            let script = format!("fn build() {{ try {{ give({unfit}); }} catch {{ }} }}");
            repo.write(".tinyci.rhai", script);
            repo.commit("a script");
            repo
        });
    }
}

#[test]
fn a_host_that_fails_itself_leaves_no_verdict() {
    let script = r#"const SECRETS = ["TOKEN"];
        fn build() {
            try { ask(); } catch { }
            try { secret("TOKEN"); } catch { }
            try { sh("make"); } catch { }
        }
        fn after_all() { sh("clean"); }"#;
    for kind in ["FUNCTION", "SECRET", "COMMAND"] {
        let ways: &[Way] = if kind == "SECRET" { &WAYS } else { &FAST };
        check("blame", &[kind], ways, || {
            let repo = TestRepo::new();
            repo.git(&["config", "tinyci.secretRefs", "refs/heads/*"]);
            repo.write(".tinyci.rhai", script);
            repo.commit("a script");
            repo
        });
    }
}

#[test]
fn a_host_runs_the_commands_of_two_jobs_at_once() {
    check("commands", &[], &WAYS, || {
        let repo = with("build: first\n");
        repo.commit("more");
        repo
    });
}

#[test]
fn secrets_come_from_the_host_or_the_folder() {
    check("secrets", &[], &WAYS, || {
        let repo = with(
            "build:\n  run: ['echo $TEXT', 'echo $BYTES', 'echo $FILE']\n  \
             secrets: [TEXT, BYTES, FILE]\n",
        );
        let folder = repo.outside().join("secrets");
        let shell =
            "mkdir -m 700 \"$0\" && printf opensesame >\"$0\"/FILE && chmod 600 \"$0\"/FILE";
        run(Command::new("sh").args(["-c", shell]).arg(&folder));
        repo.git(&["config", "tinyci.secretsDir", folder.to_str().unwrap()]);
        repo.git(&["config", "tinyci.secretRefs", "refs/heads/*"]);
        repo
    });
}

#[test]
fn a_run_ends_early_in_every_way() {
    let config = "build: echo going >&2; exec sleep 600\nhooks: {after_all: echo cleaned up}\n";
    check("stop", &["signal"], &FAST, || with(config));
    check("stop", &["child"], &FAST, || with(config));
    check("stop", &["free"], &WAYS, || with(config));
    check("stop", &["request"], &WAYS, || with(config));
    check("stop", &["named"], &WAYS, || with(config));
}

#[test]
fn a_deployment_is_planned_done_and_taken_back() {
    check("deploy", &["story"], &WAYS, || {
        let repo = with("build: 'true'\ndeploy: echo deployed\n");
        repo.commit("more");
        repo.git(&["remote", "add", "origin", "."]);
        repo
    });
}

#[test]
fn a_host_is_asked_for_its_approval() {
    // It forks, see below.
    check("deploy", &["approval"], &FAST, || {
        let repo = with("build: 'true'\ndeploy: {run: 'true', approve: true}\n");
        repo.git(&["config", "user.name", "Ada"]);
        repo.git(&["config", "user.email", "ada@example.org"]);
        repo
    });
    check("deploy", &["question"], &WAYS, || {
        let repo = TestRepo::new();
        let script = r#"fn build() { } fn deploy() { approve("Is it Friday?"); sh("echo live"); }"#;
        repo.write(".tinyci.rhai", script);
        repo.commit("a script");
        repo
    });
}

#[test]
fn a_deployment_ends_early_and_a_killed_one_is_interrupted() {
    let config = "build: 'true'\ndeploy: echo going; exec sleep 600\n";
    check("deploy", &["stop"], &WAYS, || with(config));
    let config = "build: 'true'\ndeploy: '[ ! -e \"$TINYCI_REPO/again\" ] || exit 0; \
                  touch \"$TINYCI_REPO/again\"; echo going; exec sleep 600'\n";
    check("deploy", &["killed"], &FAST, || with(config));
}

#[test]
fn nothing_is_left_running_and_no_word_written_where_a_run_was_freed() {
    if !Way::Plain.is_possible() {
        return;
    }
    let program = compiled("tests/capi/runs/stop.c", Way::Plain);
    let repo = TestRepo::new();
    let commit =
        repo.commit_config("build: echo $$ > $TINYCI_REPO/pid; echo going; exec sleep 600\n");
    let mut command = command(&program, Way::Plain);
    let output = output({
        command.arg(repo.path()).arg("free");
        command
    });
    assert!(output.status.success(), "{output:?}");
    let pid = std::fs::read_to_string(repo.path().join("pid")).unwrap();
    eventually("the command is gone", || !crate::support::is_alive(pid.trim()));
    assert_eq!(repo.verdict(&commit), None);
}

#[test]
fn the_descriptor_tells_when_there_is_something_to_pull() {
    let config = "build: echo one; sleep 0.2; echo two; sleep 0.2; echo three\n";
    check("poll", &[], &FAST, || with(config));
    check("poll", &["read"], &[Way::Plain], || with(config));
}

#[test]
fn a_host_may_change_its_environment_while_commands_run() {
    let with_commands = |count: usize| {
        let command = "'test \"$SEEN\" = before', ";
        let config = format!(
            "build: {{run: [{}], retries: 1}}\ntest: test \"$SEEN\" = before\n\
             hooks: {{after_all: echo done}}\n",
            command.repeat(count)
        );
        with(&config)
    };
    check("environment", &[], &FAST, || with_commands(500));
    check("environment", &[], &[Way::Valgrind], || with_commands(50));
}

#[test]
fn a_fork_in_mid_run_leaves_both_sides_alive() {
    // In the child valgrind counts all as lost that the threads held which it does not have.
    check("fork", &[], &FAST, || with("build: echo built\n"));
}

#[test]
fn a_host_asks_what_it_needs_beside_runs() {
    check("inspect", &[], &WAYS, || {
        let repo = with("build: make\n");
        repo.git(&["config", "tinyci.jobz", "2"]);
        repo.git(&["remote", "add", "origin", "/srv/git/app.git"]);
        let first = repo.git(&["rev-parse", "HEAD"]);
        repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "success", &first]);
        repo.git(&["rm", "-q", ".tinyci.yml"]);
        repo.write("below/file", "");
        repo.write("ci/lib.rhai", "fn make(when) { sh([\"make\", when]); }\n");
        repo.write(
            ".tinyci.rhai",
            "fn build(ctx) { sh([\"echo\", \"built\", capture(\"uname -s\")]); }\n\
             fn deploy(ctx) { sh([\"echo\", \"on\", capture(\"date\")]); }\n",
        );
        repo.write(
            ".tinyci.test.rhai",
            "fn test_right(t) { t.fake(\"uname*\", \"v1\"); t.expect(t.run().ok); }\n\
             fn test_wrong(t) { throw \"wrong\"; }\n",
        );
        repo.commit("a script");
        repo.git(&["notes", "--ref", "runs/tinyci", "add", "-m", "damaged", "HEAD"]);
        repo
    });
}

#[test]
fn a_run_of_somebody_else_is_busy_and_can_be_followed() {
    let config = "build: 'until [ -e $TINYCI_REPO/go ]; do echo waiting; sleep 0.01; done; \
                  echo built'\n";
    check("follow", &[], &WAYS, || with(config));
}

#[test]
fn an_engine_stays_that_of_its_repository_wherever_the_host_goes() {
    let marked = |word: &str| {
        let repo = TestRepo::new();
        repo.write("mark", word);
        repo.write(&format!("ci/{word}.rhai"), "fn build() { }\n");
        repo.write(
            ".tinyci.yml",
            format!("build: echo built {word}\ndeploy: echo deployed {word}\n"),
        );
        repo.commit(&format!("made {word}"));
        repo
    };
    for way in WAYS {
        let other = marked("there");
        check("moved", &[other.path().to_str().unwrap()], &[way], || marked("here"));
        assert!(!other.path().join("builds").exists());
    }
}

#[test]
fn signals_stay_the_hosts() {
    check("signals", &[], &FAST, || with("build: 'true'\n"));
}

#[test]
fn two_engines_work_on_two_small_threads() {
    for way in WAYS {
        let second = with("build: echo two\n");
        let path = second.path().to_str().unwrap();
        check("threads", &[path], &[way], || with("build: echo one\n"));
    }
}

#[test]
fn many_calls_cost_neither_memory_nor_descriptors() {
    check("soak", &["100000"], &[Way::Plain], || with("build: 'true'\n"));
    check("soak", &["3000"], &[Way::Sanitized], || with("build: 'true'\n"));
}

#[test]
fn endless_output_pulled_slowly_costs_no_memory() {
    let config = "build: 'yes 0123456789 | head -c 69206016'\n";
    check("flood", &["66"], &[Way::Plain], || with(config));
}

#[test]
fn the_first_program_prints_the_verdicts() {
    for way in WAYS.into_iter().filter(|way| way.is_possible()) {
        let repo = with("build: echo \"release <%= release %>\"\n");
        let commit = repo.git(&["rev-parse", "HEAD"]);
        let mut command = command(&compiled("examples/c/run_pending.c", way), way);
        command.arg(repo.path());
        let output = output(command);
        assert!(output.status.success(), "{way:?}: {output:?}");
        let expected = format!("release 42\n{commit} success\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        assert_eq!(repo.verdict(&commit).as_deref(), Some("success"));
    }
}

#[test]
fn a_git_server_runs_what_is_pushed() {
    if !Way::Plain.is_possible() {
        return;
    }
    let server = TestRepo::bare();
    let hook = server.path().join("hooks/post-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::copy(compiled("examples/c/post_receive.c", Way::Plain), &hook).unwrap();
    let work = TestRepo::new();
    let push = |config: &str| {
        let commit = work.commit_config(config);
        let pushed = work.try_git(&["push", server.path().to_str().unwrap(), "main"]);
        assert!(pushed.status.success(), "{pushed:?}");
        (commit, String::from_utf8_lossy(&pushed.stderr).into_owned())
    };
    let (commit, told) = push("build: echo built\n");
    assert!(told.contains("remote: built") && told.contains("remote: Building..."), "{told}");
    assert!(told.contains(&format!("remote: {} success in ", &commit[..10])), "{told}");
    assert_eq!(server.verdict(&commit).as_deref(), Some("success"));
    let (commit, told) = push("build: echo broken; false\n");
    assert!(told.contains(&format!("remote: {} failure in ", &commit[..10])), "{told}");
    assert_eq!(server.verdict(&commit).as_deref(), Some("failure"));
}
