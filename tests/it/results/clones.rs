//! Clones that fetch what the server found, and repositories that exchange what they found.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use crate::support::{
    TestRepo,
    program::{Said, run_in},
    server::Server,
    succeed,
};

const RECORDS: &str = "refs/notes/runs/tinyci";
const WORDS: &str = "refs/notes/tinyci-result";

/// Git in a folder; panics with its words if it fails.
fn git(server: &Server, dir: &Path, args: &[&str]) -> String {
    let output = server.client.command_in(dir).args(args).output().unwrap();
    succeed(&format!("git {args:?}"), &output)
}

fn clone(server: &Server, name: &str) -> PathBuf {
    let dir = server.outside(name);
    let url = server.repo.path().to_str().unwrap();
    server.client.git(&["clone", "-q", url, dir.to_str().unwrap()]);
    dir
}

fn tinyci(dir: &Path, args: &[&str]) -> Said {
    run_in(dir, args).with_code(0)
}

/// The runs that a repository itself knows of a commit.
fn runs(server: &Server, dir: &Path, commit: &str) -> Vec<String> {
    let text = git(server, dir, &["notes", "--ref", RECORDS, "show", commit]);
    let run = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["job_id"].as_str().unwrap().to_owned()
    };
    let mut runs: Vec<String> = text.lines().map(run).collect();
    runs.sort();
    runs
}

#[test]
fn a_clone_fetches_and_shows_what_the_server_found() {
    let server = Server::new();
    server.client.commit("no config yet");
    server.push(&["main"]);
    let dir = clone(&server, "clone");
    let config = || fs::read_to_string(dir.join(".git/config")).unwrap();
    let untouched = config();

    let said = tinyci(&dir, &["setup-remote"]);
    assert!(said.out.contains("added remote.origin.fetch = +refs/notes/tinyci*:"), "{}", said.out);
    // The server has no notes yet.
    git(&server, &dir, &["fetch", "-q", "--prune"]);
    let before = config();
    let said = tinyci(&dir, &["setup-remote", "origin"]);
    assert_eq!(said.out, "`origin` is already set up\n");
    assert_eq!(config(), before);

    let green = server.client.commit_config("build: 'true'\n");
    server.push(&["main"]);
    let entry = server.repo.git(&["commit-tree", "-m", "entry", "main^{tree}"]);
    server.repo.git(&["update-ref", "refs/tinyci/deployments/production", &entry]);
    git(&server, &dir, &["pull", "-q"]);
    let log = git(&server, &dir, &["log", "-1"]);
    assert!(log.contains("Notes (remotes/origin/tinyci-result):\n    success"), "{log}");
    let ours = tinyci(&dir, &["results", "--json"]).out;
    assert_eq!(ours, Said::of(&server.tinyci(&["results", "--json"]).output().unwrap()).out);
    assert!(ours.contains(&green));
    let deployed = "refs/tinyci/remotes/origin/deployments/production";
    assert_eq!(git(&server, &dir, &["rev-parse", deployed]), entry);

    let said = tinyci(&dir, &["setup-remote", "--undo"]);
    assert_eq!(said.out.matches("removed ").count(), 4, "{}", said.out);
    assert_eq!(config(), untouched);
    assert!(!git(&server, &dir, &["log", "-1"]).contains("Notes"));
    assert_eq!(tinyci(&dir, &["setup-remote", "--undo"]).out, "`origin` is not set up\n");
    let said = run_in(&dir, &["setup-remote", "nowhere"]).with_code(2);
    assert!(said.err.contains("no remote `nowhere`"), "{}", said.err);
}

#[test]
fn a_fetch_overwrites_nothing_that_the_clone_found_itself() {
    let server = Server::new();
    let id = server.client.commit_config("build: test ! -e \"$TINYCI_REPO/red\"\n");
    server.push(&["main"]);
    let dir = clone(&server, "clone");
    tinyci(&dir, &["setup-remote"]);
    fs::write(dir.join("red"), "").unwrap();
    run_in(&dir, &["run", "--all"]).with_code(1);
    git(&server, &dir, &["fetch", "-q"]);
    let word = || git(&server, &dir, &["notes", "--ref", WORDS, "show", &id]);
    assert_eq!(word(), "failure");
    // Both are shown, and what finished last holds.
    let outcomes = || tinyci(&dir, &["results", "--all-attempts", "--format", "%N", &id]).out;
    assert_eq!(outcomes().lines().collect::<Vec<_>>(), ["failure", "success"]);
    let said = tinyci(&dir, &["results", "--merge"]);
    assert_eq!(said.out, "added 1 records and 0 verdicts of `origin`\n");
    assert_eq!((word().as_str(), runs(&server, &dir, &id).len()), ("failure", 2));

    // The server tries again, so that its verdict is the newer one.
    let retry = server.tinyci(&["run", "--retry", "--commit", &id]).output().unwrap();
    Said::of(&retry).with_code(0);
    git(&server, &dir, &["fetch", "-q"]);
    let said = tinyci(&dir, &["results", "--format", "%N", &id]);
    assert_eq!(said.out, "success\n", "before the merge");
    assert_eq!(word(), "failure");
    let said = tinyci(&dir, &["results", "--merge"]);
    assert!(said.out.contains("now has the newer verdict of `origin`"), "{}", said.out);
    assert_eq!((word().as_str(), runs(&server, &dir, &id).len()), ("success", 3));
    let said = tinyci(&dir, &["results", "--merge"]);
    assert_eq!(said.out, "added 0 records and 0 verdicts of `origin`\n");
    git(&server, &dir, &["fsck", "--strict"]);

    // What is taken away here stays away, until the server says something else.
    tinyci(&dir, &["results", "--forget", &id]);
    let said = tinyci(&dir, &["results", "--merge"]);
    assert_eq!(said.out, "added 0 records and 0 verdicts of `origin`\n");
    assert_eq!(tinyci(&dir, &["plan"]).out.lines().count(), 1);
    let said = run_in(&dir, &["results", "--merge", "nowhere"]).with_code(2);
    assert!(said.err.contains("no remote `nowhere`"), "{}", said.err);
}

#[test]
fn what_only_the_server_judged_is_due_until_it_is_merged() {
    let server = Server::new();
    server.client.commit_config("build: 'true'\n");
    server.push(&["main"]);
    let dir = clone(&server, "clone");
    let said = run_in(&dir, &["results", "--merge"]).with_code(2);
    assert!(said.err.contains("`tinyci setup-remote origin`"), "{}", said.err);
    tinyci(&dir, &["setup-remote"]);
    git(&server, &dir, &["fetch", "-q"]);
    assert_eq!(tinyci(&dir, &["plan"]).out.lines().count(), 1);
    tinyci(&dir, &["results", "--merge"]);
    assert_eq!(tinyci(&dir, &["plan"]).out, "");
    // Where nothing stood before, the server's history is taken as it is.
    for name in [RECORDS, WORDS] {
        assert_eq!(git(&server, &dir, &["rev-parse", name]), server.repo.git(&["rev-parse", name]));
    }
}

fn json(said: &Said) -> serde_json::Value {
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn a_clone_shows_what_its_server_judged_and_deployed() {
    let server = Server::new();
    let id = server.client.commit_config("build: 'true'\ndeploy: 'true'\n");
    server.push(&["main"]);
    let deploy = server.tinyci(&["deploy", "--yes"]).output().unwrap();
    Said::of(&deploy).with_code(0);
    let dir = clone(&server, "clone");
    let setup = json(&tinyci(&dir, &["setup-remote", "--json"]));
    assert_eq!(setup["changes"].as_array().unwrap().len(), 4);
    git(&server, &dir, &["fetch", "-q"]);

    let listed = tinyci(&dir, &["deployments"]).out;
    assert!(listed.starts_with("success     production of origin "), "{listed}");
    let deployed = json(&tinyci(&dir, &["deployments", "--json", "--to", "production"]));
    assert_eq!((&deployed["commit"], &deployed["remote"]), (&id.clone().into(), &"origin".into()));
    assert_eq!(tinyci(&dir, &["deployments", "--to", "staging"]).out, "");
    let status = tinyci(&dir, &["status"]).out;
    let queue = "pending   nothing\n  1 with a verdict of a remote; `tinyci results --merge`";
    assert!(status.contains(queue), "{status}");
    assert!(!status.contains("deployed  production:"), "{status}");
    assert_eq!(json(&tinyci(&dir, &["status", "--json"]))["tested_by_remote"][0], id);

    let merged = json(&tinyci(&dir, &["results", "--merge", "--json"]));
    assert_eq!((&merged["records"], &merged["added"][0]), (&1.into(), &id.clone().into()));
    assert_eq!(json(&tinyci(&dir, &["status", "--json"]))["pending"], serde_json::json!([]));
    // Fetched under the server's own name it is the same deployment, and not a second one.
    let own = "refs/tinyci/deployments/*:refs/tinyci/deployments/*";
    git(&server, &dir, &["fetch", "-q", "origin", own]);
    assert_eq!(tinyci(&dir, &["deployments", "--json"]).out.lines().count(), 1);
    let undone = json(&tinyci(&dir, &["setup-remote", "--undo", "--json"]));
    assert_eq!(undone, setup);
}

/// Everyone runs commits of their own and passes on what was found, all at once.
#[test]
fn two_clones_and_a_server_exchange_what_they_found_and_lose_nothing() {
    const ROUNDS: usize = 4;
    let server = Server::new();
    let ids: Vec<String> = (0..ROUNDS)
        .map(|round| server.client.commit_config(&format!("build: echo {round}\n")))
        .collect();
    server.push(&["main"]);
    let clones = ["one", "two"].map(|name| clone(&server, name));
    clones.iter().for_each(|dir| drop(tinyci(dir, &["setup-remote"])));
    thread::scope(|scope| {
        for dir in &clones {
            let (server, ids) = (&server, &ids);
            scope.spawn(move || {
                for id in ids {
                    tinyci(dir, &["run", "--retry", "--commit", id]);
                    // Until a push arrives, which it does only on top of all others.
                    loop {
                        git(server, dir, &["fetch", "-q"]);
                        tinyci(dir, &["results", "--merge"]);
                        let push = ["push", "-q", "--atomic", "origin", RECORDS, WORDS];
                        let mut push_command = server.client.command_in(dir);
                        if push_command.args(push).output().unwrap().status.success() {
                            break;
                        }
                    }
                }
            });
        }
        for id in &ids {
            let retry = server.tinyci(&["run", "--retry", "--commit", id]).output().unwrap();
            Said::of(&retry).with_code(0);
        }
    });
    for dir in &clones {
        git(&server, dir, &["fetch", "-q"]);
        tinyci(dir, &["results", "--merge"]);
    }
    for id in &ids {
        let all = runs(&server, server.repo.path(), id);
        assert_eq!(all.len(), 4, "the push, the server's and each clone's retry of {id}: {all:?}");
        assert_eq!(server.repo.verdict(id).as_deref(), Some("success"));
        clones.iter().for_each(|dir| assert_eq!(runs(&server, dir, id), all));
    }
    server.repo.git(&["fsck", "--strict"]);
}

#[test]
fn foreign_and_forged_lines_are_kept_shown_as_such_and_never_green() {
    let server = Server::new();
    let red = server.client.commit_config("build: 'false'\n");
    let push = server.push(&["main"]);
    assert!(push.ok);
    // Somebody who may push notes writes a success of another commit, a line of another program's
    // and a word that no record bears out.
    let forged = git(&server, server.repo.path(), &["notes", "--ref", RECORDS, "show", &red])
        .replace("\"failure\"", "\"success\"")
        .replace(&red, &"1".repeat(40));
    let client = &server.client;
    client.git(&["fetch", "-q", "origin", "+refs/notes/*:refs/notes/*"]);
    client.git(&["notes", "--ref", RECORDS, "append", "-m", "ok \u{1b}[2J", "-m", &forged, &red]);
    client.git(&["notes", "--ref", WORDS, "add", "-f", "-m", "success, says Eve", &red]);
    client.git(&["push", "-q", "origin", RECORDS, WORDS]);

    let dir = clone(&server, "clone");
    tinyci(&dir, &["setup-remote"]);
    git(&server, &dir, &["fetch", "-q"]);
    for merge in [false, true] {
        if merge {
            tinyci(&dir, &["results", "--merge"]);
        }
        let said = tinyci(&dir, &["results", "--all-attempts", &red]);
        let foreign: Vec<&str> =
            said.out.lines().filter(|line| line.contains(" unrecognized ")).collect();
        assert_eq!(foreign.len(), 2, "{}", said.out);
        assert!(foreign[0].ends_with("ok ^[[2J") && foreign[1].contains("\"success\""));
        let green = tinyci(&dir, &["results", "--outcome", "success"]);
        assert_eq!(green.out, "", "merged: {merge}");
    }
    let note = |dir: &Path| git(&server, dir, &["notes", "--ref", RECORDS, "show", &red]);
    assert_eq!(note(&dir), note(server.repo.path()), "byte for byte");
}

#[test]
fn forged_verdicts_and_deployments_are_refused_where_the_refs_are_hidden() {
    let server = Server::new();
    let red = server.client.commit_config("build: 'false'\n");
    server.push(&["main"]);
    Said::of(&server.tinyci(&["install", "--hide-refs"]).output().unwrap()).with_code(0);
    let client: &TestRepo = &server.client;
    client.git(&["notes", "--ref", WORDS, "add", "-m", "success", &red]);
    client.git(&["update-ref", RECORDS, WORDS]);
    let refs = [WORDS, RECORDS, "refs/tinyci/baseline", "refs/tinyci/deployments/production"];
    for (source, name) in [&red, &red].into_iter().cycle().zip(refs) {
        let source = if name.starts_with("refs/notes") { name } else { source };
        for to in [format!("+{source}:{name}"), format!(":{name}")] {
            let push = server.push_command(&[&to]).output().unwrap();
            let said = String::from_utf8_lossy(&push.stderr).into_owned();
            assert!(!push.status.success() && said.contains("hidden ref"), "{to}: {said}");
        }
    }
    assert_eq!(server.repo.verdict(&red).as_deref(), Some("failure"));
    // Approvals are made to be pushed.
    server.push(&[&format!("{red}:refs/tinyci/approvals/production/{red}/nonce")]);
    // And whoever fetches sees all of it.
    let dir = clone(&server, "clone");
    tinyci(&dir, &["setup-remote"]);
    git(&server, &dir, &["fetch", "-q"]);
    assert!(tinyci(&dir, &["results"]).out.contains(" failure "));
}

/// What a server shows of a commit: its verdict in `results`, and that of its branch in `status`.
fn shown(server: &Server, id: &str) -> (String, String) {
    let row = Said::of(&server.tinyci(&["results", id]).output().unwrap()).with_code(0).out;
    let status = Said::of(&server.tinyci(&["status"]).output().unwrap()).with_code(0).out;
    let branch = status.lines().find(|line| line.contains(" main ")).unwrap_or_default();
    (row, branch.to_owned())
}

#[test]
fn verdicts_of_remotes_that_are_not_configured_are_no_verdicts() {
    let server = Server::new();
    let red = server.client.commit_config("build: 'false'\n");
    server.push(&["main"]);
    let client: &TestRepo = &server.client;
    // A record that says so and is newer than that of the server, and a verdict of a commit without.
    let path = server.repo.path();
    let forged = git(&server, path, &["notes", "--ref", RECORDS, "show", &red])
        .replace("\"failure\"", "\"success\"")
        .replace("\"finished\":\"20", "\"finished\":\"29");
    assert!(forged.contains("\"finished\":\"29"), "{forged}");
    client.git(&["notes", "--ref", WORDS, "add", "-m", "success", &red]);
    client.git(&["notes", "--ref", RECORDS, "add", "-m", &forged, &red]);
    let to = |remote: &str| {
        let names = [(WORDS, "tinyci-result"), (RECORDS, "runs/tinyci")];
        names.map(|(from, below)| format!("+{from}:refs/notes/remotes/{remote}/{below}"))
    };
    let forge = |remote: &str| {
        let refs = to(remote);
        server.push_command(&[&refs[0], &refs[1]]).output().unwrap().status.success()
    };
    assert!(forge("x"), "nothing is hidden yet");
    let is_red = |what: (String, String)| {
        assert!(what.0.contains(" failure ") && !what.0.contains("success"), "{}", what.0);
        assert!(!what.1.contains("success"), "{}", what.1);
    };
    is_red(shown(&server, &red));
    // Even a remote that is configured does not overrule the server's own verdict.
    server.repo.git(&["remote", "add", "x", "/nowhere"]);
    is_red(shown(&server, &red));
    // A commit that the server has not tested takes that of the remote.
    let forget = server.tinyci(&["results", "--forget", &red]).output().unwrap();
    Said::of(&forget).with_code(0);
    assert!(shown(&server, &red).0.contains("success"));
    server.repo.git(&["remote", "remove", "x"]);
    assert!(!shown(&server, &red).0.contains("success"));
    let merge = server.tinyci(&["results", "--merge", "x"]).output().unwrap();
    assert!(Said::of(&merge).with_code(2).err.contains("no remote `x`"));
    Said::of(&server.tinyci(&["install", "--hide-refs"]).output().unwrap()).with_code(0);
    assert!(!forge("x") && !forge("y"));
}

#[test]
fn deployments_of_remotes_that_are_not_configured_are_not_shown() {
    let server = Server::new();
    let id = server.client.commit_config("build: 'true'\ndeploy: 'true'\n");
    server.push(&["main"]);
    Said::of(&server.tinyci(&["deploy", "--yes"]).output().unwrap()).with_code(0);
    let copy = |to: &str| {
        let from = server.repo.git(&["rev-parse", "refs/tinyci/deployments/production"]);
        server.repo.git(&["update-ref", to, &from]);
    };
    copy("refs/tinyci/remotes/x/deployments/staging");
    let of_x = || {
        let said = server.tinyci(&["status", "--json"]).output().unwrap();
        Said::of(&said).with_code(0).out.contains("\"remote\":\"x\"")
    };
    copy("refs/tinyci/remotes/x/deployments/production");
    assert!(!of_x(), "{id}");
    server.repo.git(&["remote", "add", "x", "/nowhere"]);
    assert!(of_x());
}
