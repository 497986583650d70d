//! What a push brings, and which of it is run.

use std::fs;

use crate::support::{
    TestRepo,
    program::{run, run_in},
    server::{Server, remote_lines},
};

const CONFIG: &str = "build: echo building <%= branch %>\n";

/// The commits that the hook says it is working on, in order.
fn worked_on(err: &str) -> Vec<String> {
    let lines = remote_lines(err).into_iter();
    lines.filter_map(|line| line.strip_prefix("T Commit: ").map(str::to_owned)).collect()
}

#[test]
fn several_branches_and_tags_come_in_one_push() {
    let server = Server::new();
    let base = server.client.commit_config(CONFIG);
    server.client.git(&["checkout", "-q", "-b", "topic"]);
    let topic = server.client.commit("on topic");
    server.client.git(&["checkout", "-q", "-b", "feature/a'b$(c)", "main"]);
    let feature = server.client.commit("on a branch of that name");
    server.client.git(&["tag", "light"]);
    server.client.git(&["tag", "-a", "-m", "annotated", "v1"]);
    let pushed = server.push(&["--all", "--follow-tags"]);
    server.push(&["--tags"]);
    assert_eq!(worked_on(&pushed.err), [&*base, &topic, &feature]);
    // The name of the third goes into no command, which is said, and fails it.
    assert_eq!(server.verdicts(&[&base, &topic, &feature]), ["success", "success", "failure"]);
    assert!(pushed.has("building main") && pushed.has("building topic"), "{}", pushed.err);
    assert!(pushed.err.contains("$TINYCI_BRANCH"), "{}", pushed.err);
}

#[test]
fn a_branch_that_is_deleted_starts_nothing_and_one_beside_it_does() {
    let server = Server::new();
    let first = server.client.commit_config(CONFIG);
    server.push(&["main", "main:gone", "main:too"]);
    let pushed = server.push(&[":gone"]);
    assert_eq!(worked_on(&pushed.err), [""; 0]);
    let second = server.client.commit("second");
    let pushed = server.push(&["main", ":too"]);
    assert_eq!(worked_on(&pushed.err), [second.as_str()]);
    assert_eq!(server.verdicts(&[&first, &second]), ["success", "success"]);
}

#[test]
fn a_forced_push_runs_what_is_reachable_now() {
    let server = Server::new();
    let base = server.client.commit_config(CONFIG);
    let before = server.client.commit("before");
    server.push(&["main"]);
    server.client.git(&["reset", "-q", "--hard", &base]);
    let after = server.client.commit("after");
    let pushed = server.push(&["--force", "main"]);
    assert_eq!(worked_on(&pushed.err), [after.as_str()]);
    assert_eq!(server.verdicts(&[&base, &before, &after]), ["success"; 3]);
    // Back to what was judged before: nothing is due, and the pusher is told what is known.
    server.client.git(&["reset", "-q", "--hard", &before]);
    let pushed = server.push(&["--force", "main"]);
    assert_eq!(pushed.lines(), [format!("T {before} has a verdict: success")]);
}

#[test]
fn old_commits_on_a_new_branch_run_only_if_they_never_did() {
    let server = Server::new();
    let first = server.client.commit_config(CONFIG);
    let second = server.client.commit("second");
    server.push(&["main"]);
    let pushed = server.push(&["main~1:refs/heads/old"]);
    assert_eq!(worked_on(&pushed.err), [""; 0]);

    run(&server.repo, &["results", "--forget", &first]).with_code(0);
    let pushed = server.push(&["main~1:refs/heads/older"]);
    assert_eq!(worked_on(&pushed.err), [first.as_str()]);
    assert_eq!(server.verdicts(&[&first, &second]), ["success", "success"]);
}

#[test]
fn a_branch_that_head_does_not_name_is_run_too() {
    let server = Server::new();
    let first = server.client.commit_config(CONFIG);
    let pushed = server.push(&["main:elsewhere"]);
    assert!(pushed.has("building elsewhere"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&first]), ["success"]);
}

#[test]
fn a_head_that_names_no_branch_hinders_nothing() {
    let server = Server::new();
    server.repo.git(&["symbolic-ref", "HEAD", "refs/heads/nothing"]);
    let first = server.client.commit_config(CONFIG);
    let pushed = server.push(&["main"]);
    assert_eq!(worked_on(&pushed.err), [first.as_str()]);
    assert_eq!(server.verdicts(&[&first]), ["success"]);
    let table = run(&server.repo, &["results"]).with_code(0).out;
    assert!(table.starts_with(&first[..7]), "{table}");
}

#[test]
fn an_empty_push_and_one_of_a_foreign_ref_say_nothing() {
    let server = Server::new();
    let first = server.client.commit_config(CONFIG);
    let pushed = server.push(&["main:refs/changes/1"]);
    assert_eq!(worked_on(&pushed.err), [""; 0]);
    assert_eq!(server.verdicts(&[&first]), ["-"]);
    server.push(&["main"]);
    let pushed = server.push(&["main"]);
    assert!(pushed.err.contains("Everything up-to-date"), "{}", pushed.err);
    assert!(pushed.lines().is_empty(), "{}", pushed.err);
}

#[test]
fn tags_run_where_the_settings_select_them() {
    let server = Server::new();
    let first = server.client.commit_config("build: echo \"on ${TINYCI_BRANCH-no branch}\"\n");
    server.repo.git(&["config", "tinyci.refs", "refs/tags/v*"]);
    server.client.git(&["tag", "-a", "-m", "annotated", "v1"]);
    let pushed = server.push(&["v1"]);
    assert_eq!(worked_on(&pushed.err), [first.as_str()]);
    assert!(pushed.has("on no branch"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&first]), ["success"]);
}

#[test]
fn a_first_push_of_a_long_history_runs_its_tip() {
    let server = Server::new();
    let mut commits = vec![server.client.commit_config("build: \"true\"\n")];
    commits.extend((2..=25).map(|number| server.client.commit(&format!("commit {number}"))));
    let pushed = server.push(&["main"]);
    assert_eq!(worked_on(&pushed.err), commits[24..]);
    assert!(pushed.has("warning: ignoring 24 older commits without a verdict"), "{}", pushed.err);
    // What is hidden stays so, for the next push and for `run --all`.
    commits.push(server.client.commit("commit 26"));
    assert_eq!(worked_on(&server.push(&["main"]).err), commits[25..]);
    assert_eq!(run(&server.repo, &["run", "--all"]).with_code(0).out, "");
    assert!(server.verdicts(&[&commits[0], &commits[23]]).iter().all(|word| word == "-"));

    run(&server.repo, &["run", "--all", "--all-history"]).with_code(0);
    let all: Vec<&str> = commits.iter().map(String::as_str).collect();
    assert!(server.verdicts(&all).iter().all(|word| word == "success"));
}

#[test]
fn a_first_push_of_twenty_commits_runs_them_all_oldest_first() {
    let server = Server::new();
    let mut commits = vec![server.client.commit_config("build: \"true\"\n")];
    commits.extend((2..=20).map(|number| server.client.commit(&format!("commit {number}"))));
    assert_eq!(worked_on(&server.push(&["main"]).err), commits);
}

#[test]
fn a_history_that_was_there_before_is_left_out_at_install() {
    let server = TestRepo::bare();
    let server = {
        let client = TestRepo::new();
        client.commit_config(CONFIG);
        (0..30).for_each(|number| drop(client.commit(&format!("commit {number}"))));
        client.git(&["push", "-q", server.path().to_str().unwrap(), "main"]);
        server
    };
    let said = run(&server, &["install"]).with_code(0);
    assert!(said.out.contains("ignoring 30 older commits without a verdict"), "{}", said.out);
}

#[test]
fn a_repository_with_a_work_tree_is_updated_and_stays_clean() {
    let server = Server::on(TestRepo::new());
    server.repo.git(&["config", "receive.denyCurrentBranch", "updateInstead"]);
    server.client.write("file", "text");
    let first = server.client.commit_config("build: test -e file && touch made\n");
    server.push(&["main"]);
    assert_eq!(server.verdicts(&[&first]), ["success"]);
    let root = server.repo.path();
    assert_eq!(fs::read_to_string(root.join("file")).unwrap(), "text");
    assert!(!root.join("made").exists(), "a build is never made in the work tree");
    assert_eq!(server.builds(), [format!("1500000060_{first}")]);
    assert_eq!(server.repo.git(&["status", "--porcelain"]), "");
    // Git goes on updating it, which it would not with untracked files in the way.
    let second = server.client.commit("second");
    server.push(&["main"]);
    assert_eq!(server.repo.git(&["rev-parse", "HEAD"]), second);
    assert_eq!(server.verdicts(&[&second]), ["success"]);
    // From any folder below it, too.
    let table = run_in(&root.join("builds"), &["results"]).with_code(0).out;
    assert_eq!(table.lines().count(), 2, "{table}");
}
