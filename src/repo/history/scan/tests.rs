use std::path::{Path, PathBuf};

use super::*;
use crate::{
    model::{commit::GitString, error::ErrorKind},
    repo::repository::VERDICTS,
    testing::{TestRepo, succeed},
};

const CONFIG: &str = "build: true\n";

struct Case {
    repo: TestRepo,
    refs: Vec<String>,
}

impl Case {
    /// Makes a repository whose commits all have a config.
    fn new() -> Self {
        let case = Self { repo: TestRepo::new(), refs: vec!["refs/heads/*".to_owned()] };
        case.repo.write(".tinyci.yml", CONFIG);
        case
    }

    /// Writes a history of 200 commits without a config and returns the first of them.
    fn old_history(&self) -> String {
        let git = git2::Repository::open(self.repo.path()).unwrap();
        let tree = git.treebuilder(None).and_then(|builder| builder.write()).unwrap();
        let tree = git.find_tree(tree).unwrap();
        let mut all: Vec<git2::Commit<'_>> = Vec::new();
        for number in 0..200 {
            let ada = git2::Signature::new("Ada", "a@b", &git2::Time::new(number, 0)).unwrap();
            let parents: Vec<_> = all.last().into_iter().collect();
            let message = number.to_string();
            let id = git.commit(Some("HEAD"), &ada, &ada, &message, &tree, &parents).unwrap();
            all.push(git.find_commit(id).unwrap());
        }
        all[0].id().to_string()
    }

    fn commits(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.repo.commit(name)).collect()
    }

    fn scan_at(&self, path: &Path, pushed: &[RefUpdate], all_history: bool) -> Result<Scan, Error> {
        let request = ScanRequest { refs: &self.refs, pushed, all_history, unconfigured: false };
        Repo::open(path)?.scan(&request)
    }

    /// Returns the pending commits; asserts that the cache does not change the result.
    fn pending(&self) -> Vec<String> {
        let with = ids(&self.scan_at(self.repo.path(), &[], false).unwrap());
        std::fs::remove_file(self.cache()).unwrap();
        let without = ids(&self.scan_at(self.repo.path(), &[], false).unwrap());
        assert_eq!(with, without);
        with
    }

    fn cache(&self) -> PathBuf {
        self.repo.path().join(".git/tinyci/tested-tips")
    }

    fn add_verdict(&self, id: &str) {
        self.repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "success", id]);
    }

    fn baseline(&self, id: &str) {
        let repo = Repo::open(self.repo.path()).unwrap();
        repo.extend_baseline(&[id.parse().unwrap()]).unwrap();
    }

    /// Deletes a loose object, so that every read of it fails.
    fn delete_object(&self, id: &str) {
        let path = self.repo.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
        std::fs::remove_file(path).unwrap();
    }
}

fn ids(scan: &Scan) -> Vec<String> {
    scan.pending.iter().map(|commit| commit.id.to_string()).collect()
}

#[test]
fn what_is_due_comes_oldest_first_with_its_tree_and_time() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "three"]);
    let scan = case.scan_at(case.repo.path(), &[], false).unwrap();
    assert_eq!(ids(&scan), all);
    assert_eq!(
        scan.pending.iter().map(|commit| commit.tip).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(scan.pending[1].tree.to_string(), case.repo.git(&["rev-parse", "HEAD~1^{tree}"]));
    assert_eq!(
        scan.pending[1].time.to_string(),
        case.repo.git(&["show", "-s", "--format=%ct", "HEAD~1"])
    );
    assert_eq!(scan.tips, [all[2].parse().unwrap()]);
}

#[test]
fn notes_settle_whatever_they_say() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "three"]);
    case.add_verdict(&all[1]);
    assert_eq!(case.pending(), [all[0].clone(), all[2].clone()]);
    case.repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "a human's word", &all[0]]);
    case.repo.git(&["notes", "--ref", "tinyci-other", "add", "-m", "success", &all[2]]);
    assert_eq!(case.pending(), [all[2].clone()]);
}

#[test]
fn commits_without_a_config_are_not_due() {
    let case = Case::new();
    let one = case.repo.commit("one");
    case.repo.git(&["rm", "-q", ".tinyci.yml"]);
    case.repo.commit("without");
    std::os::unix::fs::symlink("x", case.repo.path().join(".tinyci.yml")).unwrap();
    case.repo.commit("a link");
    assert_eq!(case.pending(), [one]);
}

#[test]
fn a_settled_history_is_not_looked_at_again() {
    let case = Case::new();
    let first = case.old_history();
    let all = case.commits(&["one", "two", "three"]);
    all.iter().for_each(|id| case.add_verdict(id));
    assert_eq!(case.pending(), [""; 0]);
    case.delete_object(&first);
    let again = || case.scan_at(case.repo.path(), &[], false);
    assert_eq!(ids(&again().unwrap()), [""; 0]);
    let four = case.repo.commit("four");
    assert_eq!(ids(&again().unwrap()), std::slice::from_ref(&four));
    case.add_verdict(&four);
    assert_eq!(ids(&again().unwrap()), [""; 0]);

    std::fs::remove_file(case.cache()).unwrap();
    let error = again().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Git);
    assert!(error.to_string().contains(&first), "{error}");
}

#[test]
fn only_what_lies_above_a_waiting_commit_is_looked_at_again() {
    let case = Case::new();
    let first = case.old_history();
    let all = case.commits(&["one", "two", "waits", "four"]);
    [0, 1, 3].iter().for_each(|at| case.add_verdict(&all[*at]));
    assert_eq!(case.pending(), [all[2].clone()]);
    case.delete_object(&first);
    let five = case.repo.commit("five");
    let scan = case.scan_at(case.repo.path(), &[], false).unwrap();
    assert_eq!(ids(&scan), [all[2].clone(), five]);
}

#[test]
fn a_note_taken_away_makes_its_commit_due_again() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "three"]);
    all.iter().for_each(|id| case.add_verdict(id));
    assert_eq!(case.pending(), [""; 0]);
    case.repo.git(&["notes", "--ref", "tinyci-result", "remove", &all[0]]);
    assert_eq!(case.pending(), [all[0].clone()]);
    case.repo.git(&["update-ref", "-d", VERDICTS]);
    assert_eq!(case.pending(), all);
}

#[test]
fn a_cache_that_does_not_fit_only_costs_time() {
    let case = Case::new();
    let all = case.commits(&["one", "two"]);
    assert_eq!(case.pending(), all);
    std::fs::write(case.cache(), "nonsense\n").unwrap();
    assert_eq!(case.pending(), all);
    all.iter().for_each(|id| case.add_verdict(id));
    assert_eq!(case.pending(), [""; 0]);
    // The remembered tip and notes no longer exist in the object store.
    case.repo.git(&["update-ref", "-d", VERDICTS]);
    case.repo.git(&["checkout", "-q", "--orphan", "other"]);
    let three = case.repo.commit("three");
    case.repo.git(&["branch", "-D", "main"]);
    case.repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    case.repo.git(&["gc", "-q", "--prune=now"]);
    assert_eq!(case.pending(), [three]);
}

#[test]
fn all_branches_count_and_no_other_refs_do() {
    let mut case = Case::new();
    let one = case.repo.commit("one");
    case.repo.git(&["checkout", "-q", "-b", "deep/er/side"]);
    let two = case.repo.commit("two");
    case.repo.git(&["tag", "-a", "v1", "-m", "x"]);
    case.repo.git(&["checkout", "-q", "main"]);
    let three = case.repo.commit("three");
    case.repo.git(&["update-ref", "refs/tinyci/x", &three]);
    let all = [one.clone(), two.clone(), three.clone()];
    assert_eq!(case.pending(), all);
    case.repo.git(&["branch", "-D", "deep/er/side"]);
    assert_eq!(case.pending(), [one.clone(), three.clone()], "a deleted branch selects nothing");
    case.repo.git(&["tag", "-a", "of-a-tree", "-m", "x", "HEAD^{tree}"]);
    case.refs = vec!["refs/*".to_owned()];
    assert_eq!(case.pending(), all, "an annotated tag is peeled");
    case.refs = vec!["refs/tags/v*".to_owned()];
    assert_eq!(case.pending(), [one.clone(), two]);
    case.repo.git(&["checkout", "-q", "--detach"]);
    case.repo.git(&["branch", "-D", "main"]);
    case.refs = vec!["refs/tinyci/*".to_owned()];
    let error = case.scan_at(case.repo.path(), &[], false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArg);
}

#[test]
fn a_force_push_leaves_what_it_dropped() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "three"]);
    assert_eq!(case.pending(), all);
    case.repo.git(&["reset", "-q", "--hard", &all[0]]);
    let other = case.repo.commit("other");
    assert_eq!(case.pending(), [all[0].clone(), other.clone()]);
    let opened = Repo::open(case.repo.path()).unwrap();
    let mut reachable = opened.reachable(&case.refs);
    let mut reachable = |id: &str| {
        let commit = opened.commit_for(id.parse().unwrap(), None).unwrap();
        let of_branch =
            crate::model::commit::Commit { branch: Some("main".into()), ..commit.clone() };
        let found = reachable.contains(&commit).unwrap();
        assert_eq!(reachable.contains(&of_branch).unwrap(), found);
        found
    };
    assert!(reachable(&all[0]) && reachable(&other) && !reachable(&all[2]));
    case.repo.git(&["reset", "-q", "--hard", &all[2]]);
    assert!(reachable(&all[0]) && !reachable(&other) && reachable(&all[2]), "the refs have moved");
}

#[test]
fn a_branch_reset_to_settled_history_stays_cheap() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "three"]);
    all.iter().for_each(|id| case.add_verdict(id));
    assert_eq!(case.pending(), [""; 0]);
    case.repo.git(&["reset", "-q", "--hard", &all[1]]);
    let again = || ids(&case.scan_at(case.repo.path(), &[], false).unwrap());
    assert_eq!(again(), [""; 0]);
    case.delete_object(&all[0]);
    assert_eq!(again(), [""; 0], "its new tip is remembered");
}

#[test]
fn merges_and_several_roots_come_parents_first() {
    let case = Case::new();
    case.commits(&["one", "two"]);
    case.repo.git(&["checkout", "-q", "--orphan", "other"]);
    let root = case.repo.commit("root");
    case.repo.git(&["checkout", "-q", "main"]);
    case.repo.git(&["merge", "-q", "--no-ff", "--allow-unrelated-histories", "-m", "m", "other"]);
    let last = case.repo.commit("last");
    let pending = case.pending();
    assert_eq!(pending.len(), 5);
    assert_eq!((&pending[2], &pending[4]), (&root, &last));
    case.add_verdict(&root);
    assert_eq!(case.pending().len(), 4);
}

#[test]
fn clocks_that_went_wrong_do_not_put_children_before_parents() {
    let case = Case::new();
    let dated = |name: &str, time: i64| {
        let date = format!("{time} +0000");
        let mut command = case.repo.command();
        command.env("GIT_COMMITTER_DATE", date).args(["commit", "-q", "--allow-empty", "-m", name]);
        succeed(name, &command.output().unwrap());
        case.repo.git(&["rev-parse", "HEAD"])
    };
    let first = case.repo.commit("first");
    let future = dated("future", 4_000_000_000);
    let past = dated("past", 1_000_000_000);
    assert_eq!(case.pending(), [first.clone(), future.clone(), past.clone()]);
    case.add_verdict(&future);
    assert_eq!(
        case.pending(),
        [first.clone(), past.clone()],
        "an ancestor through a settled commit"
    );
    case.baseline(&future);
    assert_eq!(case.pending(), [past]);
}

#[test]
fn a_root_from_the_future_stays_hidden_under_a_judged_tip() {
    let case = Case::new();
    case.repo.git(&["add", "-A"]);
    let mut command = case.repo.command();
    command.env("GIT_COMMITTER_DATE", "4000000000 +0000").args(["commit", "-q", "-m", "root"]);
    succeed("root", &command.output().unwrap());
    let root = case.repo.git(&["rev-parse", "HEAD"]);
    for number in 0..40 {
        case.repo.commit(&number.to_string());
    }
    let tip = case.repo.git(&["rev-parse", "HEAD"]);
    case.baseline(&tip);
    assert_eq!(case.pending(), [""; 0]);
    case.repo.git(&["checkout", "-q", "-b", "side", &root]);
    let side = case.repo.commit("side");
    assert_eq!(case.pending(), [side]);
}

#[test]
fn the_baseline_hides_and_all_history_looks_under_it() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "three"]);
    assert_eq!(case.pending(), all);
    case.baseline(&all[1]);
    assert_eq!(case.pending(), [all[2].clone()]);
    let under = |all_history| ids(&case.scan_at(case.repo.path(), &[], all_history).unwrap());
    assert_eq!(under(true), all);
    assert_eq!(under(false), [all[2].clone()]);
    // A deleted baseline counts until the file that remembers it is deleted too.
    case.repo.git(&["update-ref", "-d", "refs/tinyci/baseline"]);
    assert_eq!(case.pending(), [all[2].clone()]);
    std::fs::remove_file(case.repo.path().join(".git/tinyci/refs")).unwrap();
    assert_eq!(case.pending(), all);
}

#[test]
fn repositories_without_commits_have_nothing_due() {
    let refs = ["refs/heads/*".to_owned()];
    let request = ScanRequest { refs: &refs, pushed: &[], all_history: false, unconfigured: false };
    for repo in [TestRepo::new(), TestRepo::bare()] {
        let scan = Repo::open(repo.path()).unwrap().scan(&request).unwrap();
        assert_eq!(scan, Scan::default());
    }
}

#[test]
fn head_does_not_matter() {
    let case = Case::new();
    let one = case.repo.commit("one");
    let bare = case.repo.outside().join("bare.git");
    case.repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let mut command = case.repo.command_in(&bare);
    succeed("head", &command.args(["symbolic-ref", "HEAD", "refs/heads/none"]).output().unwrap());
    assert_eq!(ids(&case.scan_at(&bare, &[], false).unwrap()), std::slice::from_ref(&one));
    case.repo.git(&["checkout", "-q", "--detach"]);
    let detached = case.repo.commit("on no branch");
    assert_eq!(case.pending(), [one]);
    assert!(!case.pending().contains(&detached));
    case.repo.git(&["symbolic-ref", "refs/heads/dangling", "refs/heads/none"]);
    assert_eq!(case.pending().len(), 1);
}

#[test]
fn a_shallow_clone_ends_where_it_was_cut_until_it_is_deepened() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "three", "four"]);
    let clone = case.repo.outside().join("clone");
    let url = format!("file://{}", case.repo.path().display());
    let args = ["clone", "-q", "--depth", "2", &url, clone.to_str().unwrap()];
    case.repo.git(&args);
    let found = || ids(&case.scan_at(&clone, &[], false).unwrap());
    assert_eq!(found(), all[2..]);
    for id in &all[2..] {
        let args = ["notes", "--ref", "tinyci-result", "add", "-m", "success", id];
        succeed("note", &case.repo.command_in(&clone).args(args).output().unwrap());
    }
    assert_eq!(found(), [""; 0]);
    let fetch = ["fetch", "-q", "--unshallow"];
    succeed("fetch", &case.repo.command_in(&clone).args(fetch).output().unwrap());
    assert_eq!(found(), all[..2]);
    let error = Repo::open(&clone).unwrap().resolve("main~9").unwrap_err();
    assert!(!error.to_string().contains("shallow"), "{error}");
}

#[test]
fn linked_work_trees_see_what_the_main_one_sees() {
    let case = Case::new();
    let one = case.repo.commit("one");
    let linked = case.repo.outside().join("linked");
    case.repo.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    let commit = ["commit", "-q", "--allow-empty", "-m", "two"];
    succeed("commit", &case.repo.command_in(&linked).args(commit).output().unwrap());
    let two = case.repo.git(&["rev-parse", "side"]);
    assert_eq!(ids(&case.scan_at(&linked, &[], false).unwrap()), [one.clone(), two.clone()]);
    assert!(case.cache().exists());
    assert_eq!(case.pending(), [one, two]);
}

#[test]
fn broken_objects_are_named() {
    let case = Case::new();
    let all = case.commits(&["one", "two"]);
    let tree = case.repo.git(&["rev-parse", "HEAD^{tree}"]);
    case.delete_object(&tree);
    let error = case.scan_at(case.repo.path(), &[], false).unwrap_err();
    assert!(error.to_string().contains(&tree), "{error}");
    case.delete_object(&all[1]);
    let error = case.scan_at(case.repo.path(), &[], false).unwrap_err();
    assert!(error.to_string().contains("refs/heads/main"), "{error}");
    assert!(error.to_string().contains(&all[1]), "{error}");

    let path = case.repo.path().join(".git/objects").join(&all[0][..2]).join(&all[0][2..]);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "garbage").unwrap();
    std::fs::write(case.repo.path().join(".git/refs/heads/main"), format!("{}\n", all[0])).unwrap();
    let error = case.scan_at(case.repo.path(), &[], false).unwrap_err();
    assert!(error.to_string().contains(&all[0]), "{error}");
    assert_eq!(error.kind(), ErrorKind::Git);
}

#[test]
fn a_push_marks_what_it_brought() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "three"]);
    let pushed_flags = |old: Option<&str>, new: Option<&str>| {
        let id = |text: &str| text.parse().unwrap();
        let reference = GitString::from("refs/heads/main");
        let pushed = [RefUpdate { old: old.map(id), new: new.map(id), reference }];
        let scan = case.scan_at(case.repo.path(), &pushed, false).unwrap();
        scan.pending.iter().map(|commit| commit.pushed).collect::<Vec<_>>()
    };
    assert_eq!(pushed_flags(Some(&all[0]), Some(&all[1])), [false, true, false]);
    assert_eq!(pushed_flags(None, Some(&all[2])), [true, true, true]);
    assert_eq!(pushed_flags(Some(&all[2]), None), [false, false, false]);
    case.repo.git(&["tag", "-a", "v1", "-m", "x", &all[1]]);
    let tag = case.repo.git(&["rev-parse", "v1"]);
    assert_eq!(pushed_flags(None, Some(&tag)), [true, true, false]);
}

#[test]
fn a_force_push_brings_what_its_old_end_did_not_have() {
    let case = Case::new();
    let all = case.commits(&["one", "two", "gone"]);
    case.repo.git(&["reset", "-q", "--hard", &all[1]]);
    let other = case.repo.commit("other");
    let id = |text: &str| text.parse().ok();
    let (old, new) = (id(&all[2]), id(&other));
    let pushed = [RefUpdate { old, new, reference: GitString::from("refs/heads/main") }];
    let scan = case.scan_at(case.repo.path(), &pushed, false).unwrap();
    assert_eq!(
        scan.pending.iter().map(|commit| commit.pushed).collect::<Vec<_>>(),
        [false, false, true]
    );
}

#[test]
fn due_commits_know_their_branches() {
    let case = Case::new();
    let one = case.repo.commit("one");
    case.add_verdict(&one);
    assert_eq!(case.pending(), [""; 0]);
    case.repo.git(&["checkout", "-q", "-b", "side"]);
    let two = case.repo.commit("two");
    case.repo.git(&["branch", "zebra"]);
    case.repo.git(&["checkout", "-q", "main"]);
    case.repo.commit("three");
    let branches = |pushed: &[RefUpdate]| {
        let scan = case.scan_at(case.repo.path(), pushed, false).unwrap();
        let names =
            scan.pending.into_iter().map(|commit| commit.branch.map(|name| name.to_string()));
        names.collect::<Option<Vec<String>>>().unwrap()
    };
    assert_eq!(branches(&[]), ["side", "main"]);
    let (old, new) = (one.parse().ok(), two.parse().ok());
    let reference = GitString::from("refs/heads/zebra");
    let pushed = [RefUpdate { old, new, reference }];
    assert_eq!(branches(&pushed), ["zebra", "main"], "it brought the commit");
}

#[test]
fn a_repository_that_cannot_be_written_to_is_scanned() {
    let case = Case::new();
    let one = case.repo.commit("one");
    // A file with the name of the directory keeps even root from writing the cache.
    std::fs::write(case.repo.path().join(".git/tinyci"), "").unwrap();
    assert_eq!(ids(&case.scan_at(case.repo.path(), &[], false).unwrap()), [one]);
}
