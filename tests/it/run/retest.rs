//! Commits that were skipped and are tested again, and tags that are pushed.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{
    eventually,
    program::{run, run_in},
    server::{Gate, Pushed, Server, remote_lines},
};

const ON_MAIN: &str = "build: echo built\ntest: {run: echo tested, when: {branch: main}}\n\
                       hooks: {after_test_success: echo published, after_all: echo cleaned}\n";

/// How often the hook says that it works on a commit.
fn jobs(pushed: &Pushed) -> usize {
    remote_lines(&pushed.err).iter().filter(|line| line.contains("Commit: ")).count()
}

/// The newest record of a commit.
fn record(server: &Server, commit: &str) -> serde_json::Value {
    let lines = server.repo.git(&["notes", "--ref", "runs/tinyci", "show", commit]);
    serde_json::from_str(lines.lines().next_back().unwrap()).unwrap()
}

#[test]
fn a_topic_whose_test_was_left_out_is_not_green_and_is_tested_on_main() {
    let server = Server::new();
    let base = server.client.commit_config(ON_MAIN);
    server.push(&["main"]);
    assert_eq!(server.verdicts(&[&base]), ["success"]);
    server.client.git(&["checkout", "-q", "-b", "topic"]);
    let tip = server.client.commit("on topic");
    let pushed = server.push(&["topic"]);
    assert_eq!(server.verdicts(&[&tip]), ["skipped"]);
    assert!(!pushed.has("published") && pushed.has("cleaned"), "{}", pushed.err);
    assert!(!pushed.has("tested"), "{}", pushed.err);

    server.client.git(&["checkout", "-q", "main"]);
    server.client.git(&["merge", "-q", "--ff-only", "topic"]);
    let plan = run(&server.repo, &["plan"]).with_code(0).out;
    assert_eq!(plan, "", "topic alone asks for nothing");
    let pushed = server.push(&["main"]);
    let again = format!("T {} again for main: its test was left out on topic", &tip[..7]);
    assert!(remote_lines(&pushed.err).contains(&again), "{}", pushed.err);
    assert!(pushed.has("tested") && pushed.has("published"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&tip]), ["success"]);
    // Once is enough.
    let pushed = server.push(&["main:other"]);
    assert_eq!(jobs(&pushed), 0, "{}", pushed.err);
    server.repo.git(&["fsck", "--strict"]);
}

#[test]
fn a_plan_says_what_is_tested_again_and_for_which_ref() {
    let server = Server::new();
    server.client.commit_config("build: 'true'\ntest: {run: 'true', when: {branch: release/*}}\n");
    server.push(&["main"]);
    let tip = server.client.git(&["rev-parse", "HEAD"]);
    server.repo.git(&["update-ref", "refs/heads/release/1", &tip]);
    let plan = run(&server.repo, &["plan"]).with_code(0).out;
    let again = "(again for release/1: its test was left out on main)\n";
    assert!(plan.starts_with(&tip[..7]) && plan.ends_with(again), "{plan}");
    let plan = run(&server.repo, &["plan", "--json"]).with_code(0).out;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["jobs"][0]["trigger"], "retest");
    assert_eq!(plan["jobs"][0]["commit"]["branch"], "release/1");
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(server.verdicts(&[&tip]), ["success"]);
}

#[test]
fn a_release_by_tag_runs_when_the_tag_comes_after_the_verdict() {
    let server = Server::new();
    let commit = server
        .client
        .commit_config("build: 'true'\ntest: {run: 'echo releasing', when: {tag: v*}}\n");
    server.push(&["main"]);
    assert_eq!(server.verdicts(&[&commit]), ["skipped"]);
    server.client.git(&["tag", "other"]);
    assert_eq!(jobs(&server.push(&["other"])), 0);
    server.client.git(&["tag", "-a", "-m", "release", "v1"]);
    let pushed = server.push(&["v1"]);
    assert!(pushed.has("releasing"), "{}", pushed.err);
    assert!(pushed.err.contains("again for v1: its test was left out on main"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
    let record = record(&server, &commit);
    assert_eq!((&record["branch"], &record["trigger"]), (&"main".into(), &"retest".into()));
    assert_eq!(record["tags"], serde_json::json!(["other", "v1"]));
}

#[test]
fn a_tag_on_a_commit_without_a_verdict_runs_it_whatever_branches_hold_it() {
    let server = Server::new();
    let commit = server.client.commit_config("build: echo \"on ${TINYCI_BRANCH-no branch}\"\n");
    server.client.git(&["tag", "v1"]);
    let pushed = server.push(&["v1"]);
    assert!(pushed.has("on no branch"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
    assert_eq!(fs::read_dir(server.repo.path().join("tinyci/pushed")).unwrap().count(), 0);
}

#[test]
fn a_tag_that_a_person_names_counts_as_pushed() {
    let server = Server::new();
    let commit =
        server.client.commit_config("build: 'true'\ntest: {run: 'true', when: {tag: v*}}\n");
    server.push(&["main"]);
    server.repo.git(&["tag", "v1", &commit]);
    let plan = run(&server.repo, &["plan", "v1"]).with_code(0).out;
    assert!(plan.contains("again for v1"), "{plan}");
    run(&server.repo, &["run", "v1"]).with_code(0);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
}

#[test]
fn a_tag_is_found_by_a_scan_that_selects_tags() {
    let server = Server::new();
    let commit =
        server.client.commit_config("build: 'true'\ntest: {run: 'true', when: {tag: v*}}\n");
    server.push(&["main"]);
    for selected in ["refs/heads/*", "refs/tags/*"] {
        server.repo.git(&["config", "--add", "tinyci.refs", selected]);
    }
    server.repo.git(&["tag", "v1", &commit]);
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
}

#[test]
fn many_old_tags_at_once_run_the_newest_and_the_message_says_how_to_run_another() {
    let server = Server::new();
    server.repo.git(&["config", "tinyci.refs", "refs/heads/main"]);
    let mut commits = vec![server.client.commit_config("build: 'true'\n")];
    commits.extend((1..=30).map(|number| server.client.commit(&format!("commit {number}"))));
    for (number, commit) in commits.iter().enumerate() {
        server.client.git(&["tag", &format!("v{number:03}"), commit]);
    }
    let pushed = server.push(&["--tags"]);
    assert_eq!(jobs(&pushed), 1, "{}", pushed.err);
    let verdicts = server.verdicts(&commits.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(verdicts.iter().filter(|it| *it == "success").count(), 1);
    assert_eq!(verdicts[30], "success", "the newest by topology");
    assert!(pushed.err.contains("30 more pushed refs"), "{}", pushed.err);
    assert!(pushed.err.contains("`tinyci run v"), "{}", pushed.err);
    let again = run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(again.out, "", "what was left is not looked at again");
    run(&server.repo, &["run", "v005"]).with_code(0);
    assert_eq!(server.verdicts(&[&commits[5]]), ["success"]);
}

#[test]
fn a_thousand_branches_at_one_skipped_commit_are_decided_once() {
    let server = Server::new();
    let commit =
        server.client.commit_config("build: 'true'\ntest: {run: 'true', when: {branch: never}}\n");
    server.push(&["main"]);
    let refs: String = (0..1000).map(|it| format!("create refs/heads/b{it} {commit}\n")).collect();
    let mut update = server.repo.command();
    update.args(["update-ref", "--stdin"]);
    let input = server.repo.outside().join("refs");
    fs::write(&input, refs).unwrap();
    update.stdin(fs::File::open(&input).unwrap());
    assert!(update.status().unwrap().success());
    run(&server.repo, &["run", "--all"]).with_code(0);
    let looked_at = || fs::read_to_string(server.repo.path().join("tinyci/looked-at")).unwrap();
    let first = looked_at();
    assert_eq!(first.lines().filter(|line| line.contains(" refs/heads/b")).count(), 1000);
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(looked_at(), first);
    server.repo.git(&["update-ref", "refs/heads/never", &commit]);
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
}

#[test]
fn a_re_test_that_runs_nothing_new_is_the_last_until_a_retry() {
    let server = Server::new();
    let commit = server.client.commit_config(
        "build: {run: 'true', when: {branch: main}}\ntest: {run: 'true', when: {branch: other}}\n",
    );
    server.push(&["main"]);
    let pushed = server.push(&["main:other"]);
    assert_eq!((jobs(&pushed), server.verdicts(&[&commit])), (1, vec!["skipped".to_owned()]));
    let pushed = server.push(&["main:third"]);
    assert_eq!(jobs(&pushed), 0);
    run(&server.repo, &["run", "--retry", &commit]).with_code(0);
    let count =
        server.repo.git(&["notes", "--ref", "runs/tinyci", "show", &commit]).lines().count();
    assert_eq!(count, 3);
}

#[test]
fn what_is_judged_anew_after_its_verdict_was_taken_away_is_no_re_test() {
    let server = Server::new();
    let commit =
        server.client.commit_config("build: 'true'\ntest: {run: 'true', when: {tag: v*}}\n");
    server.push(&["main"]);
    run(&server.repo, &["results", "--forget", &commit]).with_code(0);
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(server.verdicts(&[&commit]), ["skipped"]);
    server.client.git(&["tag", "v1"]);
    server.push(&["v1"]);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
}

#[test]
fn refs_that_are_pushed_at_once_are_tested_one_after_the_other() {
    let server = Server::new();
    let config = "build: {run: 'true', when: {branch: ['1', '3']}}\n\
                  test: {run: 'true', when: {branch: ['2', '3', '4']}}\n";
    let commit = server.client.commit_config(config);
    let pushed = server.push(&["main:1", "main:2", "main:4", "main"]);
    assert_eq!((jobs(&pushed), server.verdicts(&[&commit])), (3, vec!["skipped".to_owned()]));
    assert_eq!(jobs(&server.push(&["main:5"])), 0, "no ref runs both");

    let commit = server.client.commit("another");
    let pushed = server.push(&["main", "main:3"]);
    assert_eq!((jobs(&pushed), server.verdicts(&[&commit])), (2, vec!["success".to_owned()]));
}

/// The commit is no branch's tip any more, so that only the tag asks for it.
#[test]
fn a_tag_whose_re_test_came_to_no_verdict_asks_again() {
    let server = Server::new();
    let secrets = server.repo.outside().join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700)).unwrap();
    server.repo.git(&["config", "tinyci.secretsDir", secrets.to_str().unwrap()]);
    server.repo.git(&["config", "tinyci.secretRefs", "refs/heads/*"]);
    let commit = server.client.commit_config(
        "build: 'true'\ntest: {run: 'test -n \"$TOKEN\"', secrets: TOKEN, when: {tag: v*}}\n",
    );
    server.client.commit("newer");
    server.push(&["main"]);
    server.client.git(&["tag", "v1", &commit]);
    let pushed = server.push(&["v1"]);
    assert!(pushed.err.contains("again for v1"), "{}", pushed.err);
    for _ in 0..3 {
        run_in(server.repo.path(), &["run", "--all"]);
    }
    assert_eq!(server.verdicts(&[&commit]), ["skipped"]);
    fs::write(secrets.join("TOKEN"), "hunter2222").unwrap();
    fs::set_permissions(secrets.join("TOKEN"), fs::Permissions::from_mode(0o600)).unwrap();
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
    assert_eq!(fs::read_dir(server.repo.path().join("tinyci/pushed")).unwrap().count(), 0);
}

/// What nothing changed for counts as passed, so that no ref has a build of it to add.
#[test]
fn a_build_that_nothing_changed_for_uses_up_no_re_test() {
    let server = Server::new();
    let config = "build: {run: 'true', when: {changed: src/**}}\n\
                  test: {run: echo tested, when: {branch: main}}\n";
    server.client.commit_config(config);
    server.push(&["main"]);
    server.client.git(&["checkout", "-q", "-b", "topic"]);
    let tip = server.client.commit("on topic");
    server.push(&["topic"]);
    let pushed = server.push(&["topic:release/1"]);
    assert_eq!(jobs(&pushed), 0, "{}", pushed.err);
    let status = run(&server.repo, &["status"]).with_code(0).out;
    assert!(status.contains("pending   nothing"), "{status}");
    server.repo.git(&["update-ref", "refs/heads/main", &tip]);
    let status = run(&server.repo, &["status"]).with_code(0).out;
    assert!(status.contains("pending   1 commit") && !status.contains("of a remote"), "{status}");
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(server.verdicts(&[&tip]), ["success"]);
}

/// The branch had nothing to run before the tag came.
#[test]
fn a_tag_lets_the_branch_ask_whose_tip_it_names() {
    let server = Server::new();
    let config = "build: echo for ${TINYCI_TAG-no tag}\n\
                  test: {run: 'true', when: {branch: main, tag: v*}}\n";
    let commit = server.client.commit_config(config);
    server.push(&["main:topic"]);
    assert_eq!(jobs(&server.push(&["main"])), 0);
    server.client.git(&["tag", "v1"]);
    let pushed = server.push(&["v1"]);
    assert!(pushed.has("for v1"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
    assert_eq!(record(&server, &commit)["branch"], "main");
}

/// As in a mirror that is filled by a fetch.
#[test]
fn a_selected_tag_of_a_new_commit_counts_as_pushed() {
    let server = Server::new();
    for selected in ["refs/heads/*", "refs/tags/*"] {
        server.repo.git(&["config", "--add", "tinyci.refs", selected]);
    }
    let commit = server.client.commit_config("build: test \"$TINYCI_TAG\" = v10\n");
    let path = server.client.path().to_str().unwrap();
    for tag in ["v10", "v9"] {
        server.client.git(&["tag", tag]);
    }
    server.repo.git(&["fetch", "-q", path, "main:main", "refs/tags/*:refs/tags/*"]);
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
}

#[test]
fn a_script_that_skips_by_branch_is_tested_where_it_does_not() {
    let server = Server::new();
    let script = "fn build(ctx) { sh(\"true\"); }\nfn test(ctx) {\n    \
                  if ctx.branch != \"release/1\" { skip(\"not a release\"); }\n    \
                  sh(\"echo tested\");\n}\n";
    server.client.write(".tinyci.rhai", script);
    let commit = server.client.commit("script");
    server.push(&["main:topic"]);
    assert_eq!(server.verdicts(&[&commit]), ["skipped"]);
    let pushed = server.push(&["main"]);
    assert_eq!(jobs(&pushed), 0, "it certainly skips there: {}", pushed.err);
    let pushed = server.push(&["main:release/1"]);
    assert!(pushed.has("tested"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
}

#[test]
fn a_commit_that_its_message_skips_is_run_by_a_retry_alone() {
    let server = Server::new();
    server.client.commit_config("build: 'true'\ntest: {run: 'true', when: {message: '!*skip*'}}\n");
    let commit = server.client.commit("Break it [skip ci]");
    server.push(&["main"]);
    assert_eq!(server.verdicts(&[&commit]), ["skipped"]);
    assert_eq!(jobs(&server.push(&["main:other"])), 0);
    run(&server.repo, &["run", "--retry", &commit]).with_code(0);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
}

#[test]
fn a_step_whose_secret_the_ref_may_not_have_waits_for_a_ref_that_may() {
    let server = Server::new();
    let secrets = server.repo.outside().join("secrets");
    fs::create_dir(&secrets).unwrap();
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&secrets, 0o700);
    fs::write(secrets.join("TOKEN"), "hunter2222").unwrap();
    mode(&secrets.join("TOKEN"), 0o600);
    server.repo.git(&["config", "tinyci.secretsDir", secrets.to_str().unwrap()]);
    server.repo.git(&["config", "tinyci.secretRefs", "refs/heads/main"]);
    let config = "build: 'true'\ntest: {run: 'test -n \"$TOKEN\"', secrets: TOKEN}\n";
    let commit = server.client.commit_config(config);
    server.push(&["main:topic"]);
    assert_eq!(server.verdicts(&[&commit]), ["skipped"]);
    server.push(&["main"]);
    assert_eq!(server.verdicts(&[&commit]), ["success"]);
}

#[test]
fn skipped_tips_that_were_looked_at_cost_no_reads_of_configs() {
    let server = Server::new();
    let commit =
        server.client.commit_config("build: 'true'\ntest: {run: 'true', when: {branch: never}}\n");
    server.push(&["main"]);
    run(&server.repo, &["run", "--all"]).with_code(0);
    // Without its tree the commit's config cannot be read, so that whoever needs it says so.
    let blob = server.repo.git(&["rev-parse", &format!("{commit}:.tinyci.yml")]);
    let object = server.repo.path().join("objects").join(&blob[..2]).join(&blob[2..]);
    fs::remove_file(object).unwrap();
    let again = run_in(server.repo.path(), &["run", "--all"]).with_code(0);
    assert_eq!(again.err, "");
}

#[test]
fn a_secret_that_the_server_lacks_is_found_before_the_export_and_named() {
    for (name, config) in [
        (".tinyci.yml", "build: {run: 'test -n \"$TOKEN\"', secrets: TOKEN}\n"),
        (
            ".tinyci.rhai",
            "const SECRETS = [\"TOKEN\"];\nfn build(ctx) {\n    if ctx.branch == \"main\" { \
             sh(\"test -n \\\"$T\\\"\", #{ env: #{ T: secret(\"TOKEN\") } }); }\n}\n",
        ),
    ] {
        let server = Server::new();
        let secrets = server.repo.outside().join("secrets");
        fs::create_dir(&secrets).unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700)).unwrap();
        server.repo.git(&["config", "tinyci.secretsDir", secrets.to_str().unwrap()]);
        server.repo.git(&["config", "tinyci.secretRefs", "refs/heads/main"]);
        server.client.write(name, config);
        let commit = server.client.commit("config");
        let pushed = server.push_command(&["main"]).output().unwrap();
        let err = String::from_utf8_lossy(&pushed.stderr);
        assert!(err.contains("cannot get the secret `TOKEN`"), "{err}");
        assert_eq!(server.verdicts(&[&commit]), ["-"]);
        let export = server.repo.path().join("builds").join(&server.builds()[0]).join("export");
        assert!(!export.exists(), "nothing is exported");
        let plan = run(&server.repo, &["plan", "main"]).with_code(0).out;
        assert!(plan.contains("error") && plan.contains("`TOKEN`"), "{plan}");
        for _ in 0..3 {
            run(&server.repo, &["run", "--all"]).with_code(4);
        }
        let status = run(&server.repo, &["status"]).with_code(0);
        let lacks = format!("commit {} has no verdict: the server does not have", &commit[..7]);
        assert!(status.err.contains(&lacks), "{}{}", status.out, status.err);
        // Those attempts are forgotten once the secret is there.
        fs::write(secrets.join("TOKEN"), "hunter2222").unwrap();
        fs::set_permissions(secrets.join("TOKEN"), fs::Permissions::from_mode(0o600)).unwrap();
        run(&server.repo, &["run", "--all"]).with_code(0);
        assert_eq!(server.verdicts(&[&commit]), ["success"]);
    }
}

#[test]
fn tags_that_are_pushed_during_another_run_are_not_lost_when_the_pusher_hangs_up() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let config = "build: 'true'\ntest: {run: 'true', when: {tag: 'v*'}}\n";
    let mut old = vec![server.client.commit_config(config)];
    old.extend((1..=30).map(|number| server.client.commit(&format!("commit {number}"))));
    server.push(&["main"]);
    server.client.commit_config(&format!("build: {}\n", gate.command()));
    let held = server.client.git(&["rev-parse", "HEAD"]);
    let mut holder = server.start_push(&["main"]);
    gate.reached_by(&held);
    for (number, commit) in old.iter().enumerate() {
        server.client.git(&["tag", &format!("v{number:03}"), commit]);
    }
    let mut hung_up = server.start_push(&["--tags"]);
    eventually("the tags are there", || {
        server.repo.try_git(&["rev-parse", "-q", "--verify", "refs/tags/v030"]).status.success()
            && fs::read_dir(server.repo.path().join("tinyci/pushed")).unwrap().count() > 0
    });
    hung_up.kill().unwrap();
    hung_up.wait().unwrap();
    gate.open();
    holder.wait().unwrap();
    server.until_idle();
    eventually("the newest tag is looked at", || server.verdicts(&[&old[30]]) == ["success"]);
    let verdicts = server.verdicts(&old.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(verdicts.iter().filter(|it| *it == "success").count(), 1, "{verdicts:?}");
}
