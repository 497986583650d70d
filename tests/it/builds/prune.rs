//! Old builds removed, by hand and after runs, on real repositories.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::support::{
    TestRepo, eventually,
    program::{Said, run, tinyci},
    server::builds_in,
};

/// A repository whose commits were run, and the ids, oldest first.
fn with_builds(number: usize) -> (TestRepo, Vec<String>) {
    let repo = TestRepo::new();
    let mut ids = vec![repo.commit_config("build: head -c 100000 /dev/zero > large\n")];
    ids.extend((1..number).map(|number| repo.commit(&format!("commit {number}"))));
    run(&repo, &["run", "--all"]).with_code(0);
    assert_eq!(builds_in(repo.path()).len(), number);
    (repo, ids)
}

/// The ids of the builds that are left, folders and archives.
fn left(repo: &TestRepo) -> Vec<String> {
    let id = |name: String| name.split_once('_').unwrap().1.trim_end_matches(".tar.gz").to_owned();
    let mut ids: Vec<String> = builds_in(repo.path()).into_iter().map(id).collect();
    ids.dedup();
    ids
}

#[test]
fn the_newest_stay_and_so_does_every_verdict() {
    let (repo, ids) = with_builds(5);
    run(&repo, &["compact", "-n", "3"]).with_code(0);
    let would = run(&repo, &["prune", "--keep", "1", "--dry-run"]).with_code(0);
    assert_eq!(would.out.matches("] Would remove 1").count(), 4, "{}", would.out);
    assert_eq!(left(&repo), ids, "nothing was removed");
    let said = run(&repo, &["prune", "--keep", "2"]).with_code(0);
    assert!(said.out.contains(&format!("_{}", ids[0])) && said.out.contains("Removed 3 builds"));
    assert_eq!(left(&repo), ids[3..]);
    for id in &ids {
        assert_eq!(repo.verdict(id).as_deref(), Some("success"));
    }
    assert!(repo.path().join("builds/tinyci.log").exists());
    let said = run(&repo, &["run", "--all"]).with_code(0);
    assert!(!said.out.contains("Commit:"), "nothing is due again: {}", said.out);
}

/// Changes the time that the job wrote into a build.
fn last_run(repo: &TestRepo, id: &str, time: &str) {
    let path = build_dir(repo, id).join("job.json");
    let mut stamp: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    stamp["finished"] = time.into();
    fs::write(&path, stamp.to_string()).unwrap();
}

fn build_dir(repo: &TestRepo, id: &str) -> PathBuf {
    let time = repo.git(&["show", "-s", "--format=%ct", id]);
    repo.path().join(format!("builds/{time}_{id}"))
}

/// Makes everything below `builds/` look as if it was written then.
fn touch_all(repo: &TestRepo, date: &str) {
    let builds = repo.path().join("builds");
    let mut touch = Command::new("find");
    touch.arg(builds).args(["-exec", "touch", "-h", "-d", date, "{}", "+"]);
    assert!(touch.status().unwrap().success());
}

#[test]
fn age_counts_from_the_last_run_also_of_an_archive() {
    let (repo, ids) = with_builds(3);
    // The commits are of 2017; their builds are of now.
    let json = run(&repo, &["prune", "--max-age", "1d", "--json"]).with_code(0).out;
    assert!(json.contains("\"removed\":[]"), "{json}");
    touch_all(&repo, "2001-01-01");
    let json = run(&repo, &["prune", "--max-age", "1d", "--json"]).with_code(0).out;
    assert!(json.contains("\"removed\":[]"), "no time of a file is one of a run: {json}");
    for id in &ids[..2] {
        last_run(&repo, id, "2017-07-14T02:40:00.000Z");
    }
    run(&repo, &["compact", "-b", &ids[1]]).with_code(0);
    touch_all(&repo, "now");
    let json = run(&repo, &["prune", "--max-age", "6d", "--json"]).with_code(0).out;
    let done: serde_json::Value = serde_json::from_str(&json).unwrap();
    let removed = done["removed"].as_array().unwrap();
    assert_eq!(removed.len(), 2, "the folder and the archive: {json}");
    assert!(removed.iter().all(|build| build["reason"] == "age"), "{json}");
    assert!(done["freed_bytes"].as_u64().unwrap() > 0, "{json}");
    assert_eq!(left(&repo), ids[2..]);
}

/// The kind of fault: a date of the commit, or of a file, taken for the time of a run.
#[test]
fn the_newest_is_what_was_run_last_whatever_the_commits_dates_say() {
    for dates in [
        ["2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z", "2000-01-01T00:00:00Z"],
        // As a rebase leaves them.
        ["2017-07-14T02:40:00Z"; 3],
    ] {
        let repo = TestRepo::new();
        repo.write(".tinyci.yml", "build: 'true'\n");
        repo.git(&["add", "-A"]);
        let mut ids = Vec::new();
        for date in dates {
            let commit = ["commit", "-q", "--allow-empty", "-m", &format!("{}", ids.len())];
            let made = repo.command().args(commit).env("GIT_COMMITTER_DATE", date).status();
            assert!(made.unwrap().success());
            ids.push(repo.git(&["rev-parse", "HEAD"]));
            run(&repo, &["run", "--all"]).with_code(0);
        }
        // The newest file belongs to the build that was run first.
        touch_all(&repo, "2001-01-01");
        fs::write(build_dir(&repo, &ids[0]).join("tinyci.log"), "new").unwrap();
        run(&repo, &["compact", "-n", "1"]).with_code(0);
        assert!(build_dir(&repo, &ids[2]).is_dir(), "the newest is not packed: {dates:?}");
        assert!(!build_dir(&repo, &ids[0]).exists() && !build_dir(&repo, &ids[1]).exists());
        touch_all(&repo, "2001-01-01");
        run(&repo, &["prune", "--keep", "2"]).with_code(0);
        assert_eq!(
            sorted(left(&repo)),
            sorted(ids[1..].to_vec()),
            "nor is it removed, and an archive counts alike"
        );
        run(&repo, &["run", "--retry", &ids[1]]).with_code(0);
        run(&repo, &["prune", "--keep", "1"]).with_code(0);
        assert_eq!(left(&repo), [&*ids[1]], "what was run again is the newest");
    }
}

#[test]
fn builds_of_before_there_was_a_time_in_them_are_the_oldest() {
    let (repo, ids) = with_builds(4);
    for id in &ids[2..] {
        fs::remove_file(build_dir(&repo, id).join("job.json")).unwrap();
    }
    fs::write(build_dir(&repo, &ids[3]).join("job.json"), "{\"v\":1,").unwrap();
    run(&repo, &["prune", "--keep", "3"]).with_code(0);
    assert_eq!(left(&repo), [&ids[..2], &ids[3..]].concat(), "by the commits' dates");
    run(&repo, &["prune", "--keep", "2"]).with_code(0);
    assert_eq!(left(&repo), ids[..2]);
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[test]
fn the_oldest_go_until_the_rest_is_small_enough() {
    let (repo, ids) = with_builds(4);
    let said = run(&repo, &["prune", "--max-size", "300k"]).with_code(0);
    assert!(said.out.contains("newer builds use the whole size limit"), "{}", said.out);
    assert_eq!(left(&repo), ids[2..]);
}

#[test]
fn without_a_rule_nothing_is_removed_and_mistakes_are_told() {
    let (repo, ids) = with_builds(1);
    let said = run(&repo, &["prune"]).with_code(2);
    assert!(said.err.contains("tinyci.pruneKeep"), "{}", said.err);
    for wrong in [["--keep", "all"], ["--max-age", "1 month"], ["--max-size", "1t"]] {
        run(&repo, &["prune", wrong[0], wrong[1]]).with_code(2);
    }
    assert_eq!(left(&repo), ids);
    let bare = TestRepo::bare();
    run(&bare, &["prune", "--keep", "0"]).with_code(0);
}

#[test]
fn a_build_that_a_run_works_in_stays() {
    let (repo, ids) = with_builds(1);
    let gate = repo.outside().join("gate");
    let hold =
        format!("build: touch {0}.at; until [ -e {0} ]; do sleep 0.01; done\n", gate.display());
    let held = repo.commit_config(&hold);
    let mut running = tinyci(repo.path());
    let running = running.args(["run", "--all"]).stdout(Stdio::null()).spawn().unwrap();
    eventually("the build is at the gate", || gate.with_extension("at").exists());
    let said = run(&repo, &["prune", "--keep", "0"]).with_code(0);
    assert!(said.err.contains(&held) && said.err.contains("a run is using it"), "{}", said.err);
    assert_eq!(left(&repo).join(" "), held, "only {} went", ids[0]);
    fs::write(&gate, "").unwrap();
    Said::of(&running.wait_with_output().unwrap()).with_code(0);
    assert_eq!(repo.verdict(&held).as_deref(), Some("success"));
}

/// Records a deployment as the engine does: its commit is the second parent.
fn deployed(repo: &TestRepo, environment: &str, commit: &str, number: u32) {
    let reference = format!("refs/tinyci/deployments/{environment}");
    let before = repo.try_git(&["rev-parse", "-q", "--verify", &reference]);
    let before = String::from_utf8(before.stdout).unwrap();
    let tree = repo.git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let root = repo.git(&["commit-tree", &tree, "-m", "Deployments"]);
    let first = if before.is_empty() { &root } else { before.trim() };
    let message = format!(
        concat!(
            "Deployed\n\n",
            r#"{{"commit":"{commit}","environment":"{environment}","outcome":"success","#,
            r#""started":"2026-11-24T19:49:58.000Z","finished":"2026-11-24T19:50:00.000Z","#,
            r#""deployed_by":"Ada","id":"{number}"}}"#
        ),
        commit = commit,
        environment = environment,
        number = number
    );
    let entry = repo.git(&["commit-tree", &tree, "-p", first, "-p", commit, "-m", &message]);
    repo.git(&["update-ref", &reference, &entry]);
}

#[test]
fn what_is_deployed_and_what_a_rollback_leads_to_stays_a_folder() {
    let (repo, ids) = with_builds(6);
    repo.git(&["config", "tinyci.keepReleases", "1"]);
    for (number, commit) in [(1, &ids[0]), (2, &ids[1]), (3, &ids[2])] {
        deployed(&repo, "production", commit, number);
    }
    deployed(&repo, "staging", &ids[3], 4);
    run(&repo, &["compact", "-n", "0"]).with_code(0);
    let folders: Vec<String> =
        builds_in(repo.path()).into_iter().filter(|name| !name.ends_with(".gz")).collect();
    assert_eq!(folders.len(), 3, "{folders:?}");
    let json = run(&repo, &["prune", "--keep", "1", "--json"]).with_code(0).out;
    let done: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(done["protected"].as_array().unwrap().len(), 3, "{json}");
    assert_eq!(left(&repo), [&ids[1..4], &ids[5..]].concat());

    // What cannot be read might be deployed.
    let blob = repo.git(&["hash-object", "-w", "/dev/null"]);
    repo.git(&["update-ref", "refs/tinyci/deployments/other", &blob]);
    run(&repo, &["prune", "--keep", "0"]).with_code(4);
    assert_eq!(left(&repo).len(), 4);
}

#[test]
fn what_the_settings_say_happens_after_every_run() {
    let repo = TestRepo::new();
    repo.git(&["config", "tinyci.pruneKeep", "3"]);
    repo.git(&["config", "tinyci.compactKeep", "1"]);
    repo.commit_config("build: 'true'\n");
    let ids: Vec<String> = (0..4).map(|number| repo.commit(&format!("commit {number}"))).collect();
    run(&repo, &["run", "--all"]).with_code(0);
    assert_eq!(left(&repo), ids[1..]);
    let archives = builds_in(repo.path()).iter().filter(|name| name.ends_with(".gz")).count();
    assert_eq!(archives, 2);
    run(&repo, &["prune", "--dry-run"]).with_code(0);

    // A fault of it costs no verdict and no exit code.
    let odd = repo.path().join("builds").join(format!("1_{}.tar.gz.new", "a".repeat(40)));
    fs::create_dir(&odd).unwrap();
    let id = repo.commit("another");
    let said = run(&repo, &["run", "--all"]).with_code(0);
    let warning = format!("warning: `{}` stays: ", odd.display());
    assert!(said.out.contains(&warning), "{}", said.out);
    assert_eq!(repo.verdict(&id).as_deref(), Some("success"));
}
