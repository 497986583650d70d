//! The ancestor's example project and the walk-through of its README, step by step, and what an
//! owner of one of its repositories meets who changes over.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    TestRepo,
    program::{Said, tinyci},
    server::{Pushed, builds_in, search_path, write_script},
    succeed,
};

/// The folder of the walk-through, with the project and its bare clone.
struct Example {
    project: TestRepo,
    first: String,
    second: String,
}

impl Example {
    /// The project as it is published: one commit that passes, and one whose test fails.
    fn new() -> Self {
        let project = TestRepo::new();
        project.write("README.md", "An example\n");
        let script = |name: &str, text: &str| {
            write_script(
                &project.path().join(name),
                &format!("#!/usr/bin/env sh\n\nset -e\n\n{text}"),
            );
        };
        project.write(
            ".tinyci.yml",
            "build: ./build.sh\ntest: ./test.sh\nhooks:\n  after_build_success: \
             ./after_build_success.sh\n  after_test_success: ./after_test_success.sh\n",
        );
        script("build.sh", "echo 'build!'\n\necho 'foo bar' > baz.txt\n");
        script("after_build_success.sh", "echo 'after_build_success!'\n\necho 'abc' >> baz.txt\n");
        let test = "grep 'foo' baz.txt\ngrep 'abc' baz.txt\n";
        script("test.sh", &format!("echo 'test!'\n\n{test}"));
        let link = "../../../../tinyci-example_production";
        script(
            "after_test_success.sh",
            &format!("echo 'updating symlink...'\n\nln -sf $PWD {link}\n"),
        );
        let first = project.commit("Everything passes");
        script("test.sh", &format!("echo 'test!'\n\nexit 1\n\n{test}"));
        let second = project.commit("The test fails");
        let example = Self { project, first, second };
        example.git(&["clone", "--quiet", "--bare", "work", "tinyci-example-bare"]);
        example
    }

    fn path(&self, name: &str) -> PathBuf {
        self.project.outside().join(name)
    }

    fn bare(&self) -> PathBuf {
        self.path("tinyci-example-bare")
    }

    fn production(&self) -> PathBuf {
        self.path("tinyci-example_production")
    }

    /// git in the folder around both.
    fn git(&self, args: &[&str]) -> String {
        let mut command = self.project.command_in(&self.project.outside());
        succeed(&format!("git {args:?}"), &command.args(args).output().unwrap())
    }

    fn tinyci(&self, args: &[&str]) -> Said {
        Said::of(&tinyci(&self.bare()).args(args).output().unwrap())
    }

    /// A shell's command line, in the bare clone, with git and tinyci at hand.
    fn shell(&self, line: &str) -> String {
        let git = self.project.command_in(&self.bare());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line]).current_dir(self.bare());
        for (name, value) in git.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.env("PATH", search_path());
        succeed(line, &shell.output().unwrap())
    }

    /// The README's change: committed, and pushed to the bare clone.
    fn push_a_change(&self) -> (String, Pushed) {
        self.project.write("bar", "foo\n");
        let third = self.project.commit("foobar");
        self.project.git(&["remote", "add", "test", "../tinyci-example-bare"]);
        let mut push = self.project.command();
        push.args(["push", "test", "main"]).env("PATH", search_path());
        (third, Pushed::of(&push.output().unwrap()))
    }

    /// The name of a commit's build.
    fn build(&self, commit: &str) -> String {
        let time = self.project.git(&["show", "-s", "--format=%ct", commit]);
        format!("{time}_{commit}")
    }

    fn note(&self, commit: &str) -> String {
        let bare = self.bare();
        let args =
            ["-C", bare.to_str().unwrap(), "notes", "--ref", "tinyci-result", "show", commit];
        self.git(&args)
    }
}

/// The lines that the ancestor shows for a commit that passes.
fn green(commit: &str) -> Vec<String> {
    let lines = [
        &format!("Commit: {commit}"),
        "Cleaning...",
        "Exporting...",
        "Building...",
        "build!",
        "executing after_build_success hook...",
        "after_build_success!",
        "Testing...",
        "test!",
        "foo bar",
        "abc",
        "executing after_test_success hook...",
        "updating symlink...",
        &format!("Finished {commit}"),
    ];
    lines.iter().map(|line| format!("T {line}")).collect()
}

/// Those for a commit whose test fails.
fn red(commit: &str) -> Vec<String> {
    let mut lines = green(commit)[..9].to_vec();
    lines.push("T test: `/bin/sh -c './test.sh'` failed with status 1".to_owned());
    lines
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_readme_of_the_example_project_holds_step_by_step() {
    let example = Example::new();
    let said = example.tinyci(&["install"]).with_code(0);
    assert_eq!(said.log_lines()[0], "T tinyci post-receive hook installed successfully");

    // "Push the commit and watch tinyci in action."
    let (third, pushed) = example.push_a_change();
    assert!(pushed.ok, "{}", pushed.err);
    let expected = [green(&example.first), red(&example.second), red(&third)].concat();
    assert_eq!(pushed.lines(), expected);
    let told = pushed.err.lines().last().unwrap_or_default();
    assert!(told.ends_with("main -> main"), "{}", pushed.err);

    // The same lines are in the logs, all of them and each build's own.
    let bare = example.bare();
    let commits = [&example.first, &example.second, &third].map(String::as_str);
    assert_eq!(example.tinyci(&["log"]).with_code(0).log_lines(), expected);
    let log = fs::read_to_string(bare.join("builds/tinyci.log")).unwrap();
    let own = commits.map(|id| {
        fs::read_to_string(bare.join("builds").join(example.build(id)).join("tinyci.log")).unwrap()
    });
    assert_eq!(own.concat(), log);

    // The layout, the words, the symlink that stands for the web server's folder.
    let mut names: Vec<String> = commits.map(|id| example.build(id)).to_vec();
    names.push("tinyci.log".to_owned());
    names.sort();
    assert_eq!(names_in(&bare.join("builds")), names);
    assert_eq!(commits.map(|id| example.note(id)), ["success", "failure", "failure"]);
    let export = bare.join("builds").join(example.build(&example.first)).join("export");
    assert_eq!(example.production().canonicalize().unwrap(), export);
    assert_eq!(fs::read_to_string(example.production().join("baz.txt")).unwrap(), "foo bar\nabc\n");

    // "Only the middle build was eligible for compression."
    let link = "$(readlink -f ../tinyci-example_production)";
    let told = example.shell(&format!("tinyci compact --builds_to_leave={link}"));
    let middle = example.build(&example.second);
    let archive = bare.join(format!("builds/{middle}.tar.gz"));
    assert_eq!(told.get(11..), Some(format!("Compacted {}", archive.display()).as_str()));
    let left = [example.build(&example.first), format!("{middle}.tar.gz"), example.build(&third)];
    assert_eq!(builds_in(&bare), left);
    assert!(example.production().join("baz.txt").exists(), "the deployed build is whole");

    // A build's own log, unless it is packed: then the way to it is told.
    for (commit, lines) in [(&example.first, green(&example.first)), (&third, red(&third))] {
        assert_eq!(example.tinyci(&["log", "--commit", commit]).with_code(0).log_lines(), lines);
    }
    let packed = example.tinyci(&["log", "--commit", &example.second]).with_code(2);
    let hint = packed.err.split('`').nth(1).unwrap();
    assert_eq!(format!("{}\n", example.shell(hint)), own[1]);
}

#[test]
fn deploy_scripts_over_git_log_go_on_working() {
    let example = Example::new();
    example.tinyci(&["install"]).with_code(0);
    example.push_a_change();
    let newest_green = "git log --notes='tinyci*' --format='%H %N' | grep success | head -1 | \
                        cut -d' ' -f1";
    assert_eq!(example.shell(newest_green), example.first);
    assert_eq!(example.shell("tinyci results --outcome success -n 1 --format '%H'"), example.first);
}

/// Where hooks speak after the step that failed, the verdict comes last all the same, which the
/// ancestor left the pusher to look for.
#[test]
fn a_red_commit_is_told_apart_at_the_end() {
    let example = Example::new();
    example.tinyci(&["install"]).with_code(0);
    let hooks = "build: ./build.sh\ntest: ./test.sh\nhooks:\n  after_test_failure: echo sorry\n";
    example.project.write(".tinyci.yml", hooks);
    let (third, pushed) = example.push_a_change();
    let expected = [
        "T test: `/bin/sh -c './test.sh'` failed with status 1",
        "T executing after_test_failure hook...",
        "T sorry",
        &format!("T Failed {third}"),
    ];
    assert_eq!(pushed.lines().last_chunk::<4>().unwrap(), &expected);
}

/// A repository as the ancestor leaves it: its hook, its layout, its notes by `git notes add`.
#[test]
fn a_repository_of_the_ancestors_moves_over() {
    let example = Example::new();
    let bare = example.bare();
    let hook = "#!/bin/sh\nunset GIT_DIR\n\ntinyci run --all\n";
    write_script(&bare.join("hooks/post-update"), hook);
    let notes = ["-C", bare.to_str().unwrap(), "notes", "--ref", "tinyci-result"];
    for (commit, word) in [(&example.first, "success"), (&example.second, "failure")] {
        example.git(&[&notes[..], &["add", "-m", word, commit]].concat());
        let build = bare.join("builds").join(example.build(commit));
        fs::create_dir_all(build.join("export")).unwrap();
        fs::write(build.join("tinyci.log"), format!("[01:02:03] Commit: {commit}\n")).unwrap();
    }
    fs::write(bare.join("builds/tinyci.log"), "[01:02:03] of old\n").unwrap();

    let said = example.tinyci(&["install"]).with_code(0);
    assert!(said.out.contains("post-update.before-tinyci"), "{}", said.out);
    assert!(!bare.join("hooks/post-update").exists(), "it would run everything twice");

    // Only the new commit runs, once; what stood there stands.
    let (third, pushed) = example.push_a_change();
    assert_eq!(pushed.lines(), red(&third));
    let words = [&example.first, &example.second, &third].map(|id| example.note(id));
    assert_eq!(words, ["success", "failure", "failure"]);
    let log = fs::read_to_string(bare.join("builds/tinyci.log")).unwrap();
    assert!(log.starts_with("[01:02:03] of old\n[") && log.ends_with("status 1\n"), "{log}");
    let first = example.tinyci(&["log", "-c", &example.first]).with_code(0).out;
    assert_eq!(first, format!("[01:02:03] Commit: {}\n", example.first));
    let table = example.tinyci(&["results"]).with_code(0).out;
    assert_eq!(table.lines().count(), 3, "{table}");

    // And back: the gem's hook is what it was.
    example.tinyci(&["uninstall"]).with_code(0);
    assert_eq!(fs::read_to_string(bare.join("hooks/post-update")).unwrap(), hook);
    assert!(!bare.join("hooks/post-receive").exists());
}
