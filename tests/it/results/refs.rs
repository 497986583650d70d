//! Refs of tinyci's that others delete: fetches that prune, pushes that mirror, slips.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    TestRepo,
    program::{Said, run, run_in, tinyci},
    server::{Server, write_script},
    succeed,
};

const RESTORED: &str = "restored `refs/";

/// Every ref of a repository but the branches, as a text.
fn refs(repo: &TestRepo, dir: &Path) -> String {
    let list = ["for-each-ref", "--format=%(refname)", "refs/notes", "refs/tinyci"];
    succeed("for-each-ref", &repo.command_in(dir).args(list).output().unwrap())
}

/// A repository with a config whose builds leave a line each in a file, and a mirror of it in which
/// one commit was tested and deployed.
fn mirror() -> (TestRepo, PathBuf, PathBuf) {
    let origin = TestRepo::new();
    let built = origin.outside().join("built");
    let config = format!("build: echo $TINYCI_COMMIT >> {}\ndeploy: 'true'\n", built.display());
    origin.commit_config(&config);
    let dir = origin.outside().join("mirror.git");
    origin.git(&["clone", "-q", "--mirror", ".", dir.to_str().unwrap()]);
    run_in(&dir, &["run", "--all"]).with_code(0);
    run_in(&dir, &["deploy", "--yes"]).with_code(0);
    (origin, dir, built)
}

fn fetch(origin: &TestRepo, dir: &Path) {
    let fetch = ["fetch", "-q", "--prune"];
    succeed("git fetch", &origin.command_in(dir).args(fetch).output().unwrap());
}

#[test]
fn a_fetch_that_prunes_costs_no_verdict_record_or_deployment() {
    let (origin, dir, built) = mirror();
    let before = refs(&origin, &dir);
    assert_eq!(before.lines().count(), 3, "{before}");
    let second = origin.commit("second");
    fetch(&origin, &dir);
    assert_eq!(refs(&origin, &dir), "", "this is what such a fetch does");

    let said = run_in(&dir, &["status"]).with_code(0);
    assert!(said.err.contains("missing or set back; the next run restores them"), "{}", said.err);
    assert!(said.out.contains("pending   1 commit\n"), "{}", said.out);
    assert!(said.out.contains("deployed  production: "), "{}", said.out);
    assert_eq!(run_in(&dir, &["results"]).with_code(0).out.lines().count(), 1);
    let pruned = run_in(&dir, &["prune", "--keep", "0", "--dry-run"]).with_code(0).out;
    assert!(pruned.contains("deployed to production"), "{pruned}");
    assert!(pruned.contains("Would remove 0 builds"), "{pruned}");
    assert_eq!(refs(&origin, &dir), "", "to look restores nothing");

    let said = run_in(&dir, &["run", "--all"]).with_code(0);
    assert_eq!(said.out.matches(RESTORED).count(), 1, "{}", said.out);
    assert_eq!(refs(&origin, &dir), before);
    let built = fs::read_to_string(built).unwrap();
    assert_eq!((built.lines().count(), built.lines().next_back()), (2, Some(second.as_str())));
    assert!(!run_in(&dir, &["run", "--all"]).with_code(0).out.contains(RESTORED));
    let log = run_in(&dir, &["log"]).with_code(0).out;
    assert_eq!(log.matches(RESTORED).count(), 1, "{log}");
}

#[test]
fn install_has_fetches_leave_our_refs_alone_and_uninstall_takes_that_back() {
    let (origin, dir, _) = mirror();
    let config = || fs::read_to_string(dir.join("config")).unwrap();
    let before = refs(&origin, &dir);
    let untouched = config();
    let danger = "fetches from `origin` replace tinyci's refs";
    assert!(run_in(&dir, &["status"]).with_code(0).err.contains(danger));
    assert!(run_in(&dir, &["run", "--all"]).with_code(0).out.contains(danger));

    let said = run_in(&dir, &["install"]).with_code(0);
    let shown = "(`remote.origin.fetch = ^refs/notes/tinyci-result, ^refs/notes/runs/tinyci, \
                 ^refs/tinyci/*`)";
    assert!(said.out.contains(shown), "{}", said.out);
    let installed = config();
    assert!(!run_in(&dir, &["install"]).with_code(0).out.contains("remote.origin.fetch"));
    assert_eq!(config(), installed);
    origin.commit("second");
    fetch(&origin, &dir);
    assert_eq!(refs(&origin, &dir), before);
    let said = run_in(&dir, &["run", "--all"]).with_code(0);
    assert!(!said.out.contains("warning"), "{}", said.out);
    assert!(!run_in(&dir, &["status"]).with_code(0).err.contains(danger));

    let said = run_in(&dir, &["uninstall"]).with_code(0);
    assert_eq!(said.out.matches("removed remote.origin.fetch = ^refs/").count(), 3, "{}", said.out);
    assert_eq!(config(), untouched);
    // What a person had set is a person's.
    let own = ["config", "--add", "remote.origin.fetch", "^refs/tinyci/*"];
    succeed("git config", &origin.command_in(&dir).args(own).output().unwrap());
    run_in(&dir, &["install"]).with_code(0);
    let said = run_in(&dir, &["uninstall"]).with_code(0);
    assert_eq!(said.out.matches("removed remote.origin.fetch = ^refs/").count(), 2, "{}", said.out);
    assert!(config().contains("fetch = ^refs/tinyci/*"));
}

#[test]
fn a_git_that_is_too_old_or_not_there_gets_no_refspecs_that_it_does_not_know() {
    let (origin, dir, _) = mirror();
    let untouched = fs::read_to_string(dir.join("config")).unwrap();
    let bin = origin.outside().join("bin");
    for (script, said) in [
        ("echo git version 2.28.1", "git 2.28 is too old"),
        ("exit 1", "the version of git is unknown"),
    ] {
        write_script(&bin.join("git"), &format!("#!/bin/sh\n{script}\n"));
        let mut install = tinyci(&dir);
        install.arg("install").env("PATH", &bin);
        let told = Said::of(&install.output().unwrap()).with_code(0).out;
        assert!(told.contains(said) && told.contains("`+refs/heads/*:refs/heads/*`"), "{told}");
        assert!(!fs::read_to_string(dir.join("config")).unwrap().contains('^'));
        run_in(&dir, &["uninstall"]).with_code(0);
        assert_eq!(fs::read_to_string(dir.join("config")).unwrap(), untouched);
    }
}

#[test]
fn a_deployment_restores_too_and_goes_on_from_where_it_was() {
    let (origin, dir, _) = mirror();
    origin.commit("second");
    fetch(&origin, &dir);
    run_in(&dir, &["run", "--all"]).with_code(0);
    fetch(&origin, &dir);
    let said = run_in(&dir, &["deploy", "--yes"]).with_code(0);
    assert!(said.out.contains(RESTORED), "{}", said.out);
    assert_eq!(run_in(&dir, &["deployments"]).with_code(0).out.lines().count(), 2);
    run_in(&dir, &["rollback", "--yes"]).with_code(0);
}

#[test]
fn a_push_that_mirrors_is_told_what_it_deleted_and_refused_where_refs_are_hidden() {
    for hidden in [false, true] {
        let server = Server::new();
        if hidden {
            run(&server.repo, &["install", "--hide-refs"]).with_code(0);
        }
        let id = server.client.commit_config("build: 'true'\n");
        server.push(&["main"]);
        let before = refs(&server.repo, server.repo.path());
        server.client.commit("second");
        let pushed = server.push(&["--mirror"]);
        let told = pushed.lines().iter().any(|line| line.contains(RESTORED));
        assert_eq!(told, !hidden, "{}", pushed.err);
        assert_eq!(refs(&server.repo, server.repo.path()), before);
        assert_eq!(server.repo.verdict(&id).unwrap(), "success");
    }
}

#[test]
fn what_a_build_deletes_while_it_runs_is_restored_and_told_by_the_same_run() {
    let repo = TestRepo::new();
    repo.commit_config("build: 'true'\n");
    run(&repo, &["run", "--all"]).with_code(0);
    let delete = "for ref in $(git for-each-ref --format='%(refname)' refs/notes); do \
                  git update-ref -d $ref; done";
    repo.commit_config(&format!("build: cd \"$TINYCI_REPO\" && {delete}\n"));
    let said = run(&repo, &["run", "--all"]).with_code(0);
    assert_eq!(said.out.matches(RESTORED).count(), 1, "{}", said.out);
    let words = repo.git(&["notes", "--ref", "tinyci-result", "list"]);
    assert_eq!(words.lines().count(), 2, "{words}");
    assert_eq!(run(&repo, &["results"]).with_code(0).out.lines().count(), 2);
}

#[test]
fn forgetting_all_asks_and_is_final() {
    let (origin, dir, built) = mirror();
    let before = refs(&origin, &dir);
    let said = run_in(&dir, &["results", "--forget-all"]).with_code(2);
    assert!(said.err.contains("all commits?`: standard input is not a terminal"), "{}", said.err);
    assert!(said.err.contains("hint: `tinyci results --forget-all --yes`"), "{}", said.err);
    assert_eq!(refs(&origin, &dir), before);
    run_in(&dir, &["results", "--yes"]).with_code(2);

    let said = run_in(&dir, &["results", "--forget-all", "--yes"]).with_code(0);
    let removed = "deleted refs/notes/tinyci-result\ndeleted refs/notes/runs/tinyci\n";
    assert_eq!(said.out, removed);
    assert_eq!(refs(&origin, &dir), "refs/tinyci/deployments/production", "what is deployed stays");
    assert_eq!(run_in(&dir, &["plan"]).with_code(0).out.lines().count(), 1);

    run_in(&dir, &["run", "--all"]).with_code(0);
    fetch(&origin, &dir);
    let said = run_in(&dir, &["results", "--forget-all", "-y", "--json"]).with_code(0);
    let given_up = r#"["refs/notes/runs/tinyci","refs/notes/tinyci-result","refs/tinyci/deployments/production"]"#;
    assert_eq!(said.out, format!("{{\"v\":1,\"removed\":[],\"given_up\":{given_up}}}\n"));
    assert_eq!(run_in(&dir, &["deployments"]).with_code(0).out, "");
    let said = run_in(&dir, &["run", "--all"]).with_code(0);
    assert!(!said.out.contains(RESTORED), "{}", said.out);
    assert_eq!(fs::read_to_string(built).unwrap().lines().count(), 3, "it was tested anew");
    assert_eq!(refs(&origin, &dir).lines().count(), 2);
    let nothing = run_in(&dir, &["results", "--forget-all", "--yes"]).with_code(0).out;
    assert_eq!(nothing.lines().count(), 2);
    let nothing = run_in(&dir, &["results", "--forget-all", "--yes"]).with_code(0).out;
    assert_eq!(nothing, "nothing to delete\n");
}

#[test]
fn an_approval_that_is_taken_back_stays_so() {
    let server = Server::new();
    for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.org")] {
        server.repo.git(&["config", key, value]);
    }
    server.client.commit_config("build: 'true'\ndeploy:\n  approve: true\n  run: 'true'\n");
    server.push(&["main"]);
    run(&server.repo, &["approve", "main"]).with_code(0);
    run(&server.repo, &["run", "--all"]).with_code(0);
    let approval =
        server.repo.git(&["for-each-ref", "--format=%(refname)", "refs/tinyci/approvals"]);
    server.repo.git(&["update-ref", "-d", &approval]);
    assert!(!run(&server.repo, &["run", "--all"]).with_code(0).out.contains(RESTORED));
    let said: Said = run(&server.repo, &["deploy", "--yes"]).with_code(5);
    assert!(said.err.contains("tinyci approve"), "{}", said.err);
}

#[test]
fn what_a_deployment_deletes_is_there_at_its_end() {
    let repo = TestRepo::new();
    let delete = "git update-ref -d refs/tinyci/deployments/production; \
                  git update-ref -d refs/notes/tinyci-result";
    repo.commit_config(&format!("build: 'true'\ndeploy: cd \"$TINYCI_REPO\" && {delete}\n"));
    run(&repo, &["run", "--all"]).with_code(0);
    run(&repo, &["deploy", "--yes"]).with_code(0);
    let deploys = run(&repo, &["deployments"]).with_code(0).out;
    assert!(deploys.starts_with("success ") && deploys.lines().count() == 1, "{deploys}");
    assert_eq!(run(&repo, &["run", "--all"]).with_code(0).out.matches(RESTORED).count(), 1);
    let next = run(&repo, &["deploy", "--yes"]).with_code(0).out;
    assert!(next.contains("already deployed"), "{next}");
}

/// What has a verdict is told to whoever may read the repository and not write to it.
#[test]
fn a_verdict_is_told_where_the_state_cannot_be_written() {
    let repo = TestRepo::new();
    let id = repo.commit_config("build: 'true'\n");
    run(&repo, &["run", "--all"]).with_code(0);
    let state = repo.path().join(".git/tinyci");
    fs::remove_file(state.join("intent")).unwrap();
    // Also for root, whom permissions do not stop.
    fs::create_dir(state.join("intent")).unwrap();
    let said = run(&repo, &["run", &id]).with_code(0);
    assert!(said.out.contains("has a verdict: success"), "{}", said.out);
}
