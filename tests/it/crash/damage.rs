//! Refs of tinyci whose newest state is damaged. tinyci reads the state before it, and a run
//! repairs the ref. Only the newest entry is lost.

use std::{fs, path::PathBuf};

use crate::support::{
    TestRepo,
    program::{Said, run},
};

const VERDICTS: &str = "refs/notes/tinyci-result";
const RECORDS: &str = "refs/notes/runs/tinyci";
const DEPLOYMENTS: &str = "refs/tinyci/deployments/production";

/// The effect of a power cut on an object.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Empty,
    Missing,
}

/// Returns a repository with three commits, each with a verdict.
fn repository() -> (TestRepo, Vec<String>) {
    let repo = TestRepo::new();
    let mut commits = Vec::new();
    for number in 0..3 {
        repo.write("number", format!("{number}\n"));
        commits.push(repo.commit_config("build: echo built\ndeploy: echo deployed\n"));
        run(&repo, &["run", "--all"]).with_code(0);
    }
    (repo, commits)
}

fn object(repo: &TestRepo, name: &str) -> PathBuf {
    let id = repo.git(&["rev-parse", name]);
    repo.path().join(".git/objects").join(&id[..2]).join(&id[2..])
}

fn lose(path: &PathBuf, loss: Loss) {
    fs::remove_file(path).unwrap();
    if matches!(loss, Loss::Empty) {
        fs::write(path, "").unwrap();
    }
}

/// Checks that the output contains both strings, and that it does not advise to delete the ref,
/// which would lose history.
#[track_caller]
fn told(said: &Said, reference: &str, what: &str) {
    let all = format!("{}{}", said.out, said.err);
    assert!(all.contains(reference) && all.contains(what), "{all}");
    assert!(!all.contains("update-ref -d"), "{all}");
}

/// Checks that every command reads the state before, and that a run repairs the ref and tests again
/// the commit whose results are missing.
#[track_caller]
fn assert_repaired(repo: &TestRepo, commits: &[String], reference: &str) {
    let said = run(repo, &["results"]).with_code(0);
    told(&said, reference, "is damaged");
    for commit in &commits[..2] {
        assert!(said.out.contains(&commit[..7]), "{}", said.out);
    }
    told(&run(repo, &["status"]).with_code(0), reference, "is damaged");
    told(&run(repo, &["run", "--all"]).with_code(0), reference, "repaired");
    for commit in commits {
        assert_eq!(repo.verdict(commit).as_deref(), Some("success"), "{commit}");
    }
    // The repository can be cloned, and the clone can push.
    let clone = repo.outside().join("clone");
    repo.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
    let push = ["push", "-q", "origin", "HEAD:refs/heads/pushed"];
    let pushed = repo.command_in(&clone).args(push).output().unwrap();
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    fs::remove_dir_all(clone).unwrap();
    let again = run(repo, &["run", "--all"]).with_code(0);
    assert_eq!(format!("{}{}", again.out, again.err), "", "it is said once");
}

#[test]
fn a_lost_object_of_the_newest_notes_costs_the_newest_note() {
    for reference in [VERDICTS, RECORDS] {
        for (part, loss) in [("^{commit}", Loss::Empty), ("^{tree}", Loss::Missing)] {
            let (repo, commits) = repository();
            lose(&object(&repo, &format!("{reference}{part}")), loss);
            assert_repaired(&repo, &commits, reference);
        }
    }
}

#[test]
fn a_record_whose_contents_are_lost_costs_that_record() {
    let (repo, commits) = repository();
    lose(&object(&repo, &format!("{RECORDS}:{}", commits[2])), Loss::Empty);
    assert_repaired(&repo, &commits, RECORDS);
}

#[test]
fn the_word_that_all_verdicts_share_is_made_again() {
    let (repo, commits) = repository();
    lose(&object(&repo, &format!("{VERDICTS}:{}", commits[0])), Loss::Empty);
    run(&repo, &["run", "--all"]).with_code(0);
    for commit in &commits {
        assert_eq!(repo.verdict(commit).as_deref(), Some("success"), "{commit}");
    }
    repo.git(&["fsck", "--strict"]);
}

#[test]
fn a_ref_whose_file_is_lost_names_its_newest_state_again() {
    for reference in [VERDICTS, RECORDS] {
        for contents in [&b""[..], &[0; 41], b"f40785cb"] {
            let (repo, commits) = repository();
            let before = repo.git(&["rev-parse", reference]);
            fs::write(repo.path().join(".git").join(reference), contents).unwrap();
            assert_repaired(&repo, &commits, reference);
            assert_eq!(repo.git(&["rev-parse", reference]), before, "nothing is lost");
        }
    }
}

#[test]
fn a_damaged_deployment_leaves_the_one_before() {
    let (repo, commits) = repository();
    run(&repo, &["deploy", "--yes", &commits[0]]).with_code(0);
    let before = repo.git(&["rev-parse", DEPLOYMENTS]);
    run(&repo, &["deploy", "--yes"]).with_code(0);
    lose(&object(&repo, DEPLOYMENTS), Loss::Missing);
    told(&run(&repo, &["deployments"]).with_code(0), DEPLOYMENTS, "is damaged");
    told(&run(&repo, &["run", "--all"]).with_code(0), DEPLOYMENTS, "repaired");
    // The entry for the beginning of the deployment exists, the one for its end does not.
    assert_eq!(repo.git(&["rev-parse", &format!("{DEPLOYMENTS}^")]), before);
    let outcomes = run(&repo, &["deployments", "--json"]).with_code(0).out;
    assert!(outcomes.lines().next().unwrap().contains("\"interrupted\""), "{outcomes}");
}

/// Tests a ref without an older state: the error explains how to fetch the ref from a copy.
#[test]
fn a_ref_without_a_readable_state_is_an_error_that_loses_nothing() {
    let repo = TestRepo::new();
    repo.commit_config("build: echo built\n");
    run(&repo, &["run", "--all"]).with_code(0);
    lose(&object(&repo, VERDICTS), Loss::Missing);
    let said = run(&repo, &["run", "--all"]).with_code(4);
    told(&said, VERDICTS, "git fetch COPY");
    let said = run(&repo, &["results", "--forget-all", "--yes"]).with_code(0);
    assert!(said.out.contains("deleted"), "{}", said.out);
    run(&repo, &["run", "--all"]).with_code(0);
}
