//! A folder of builds has one owner: what another repository has built and deployed is neither
//! overwritten nor removed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use crate::support::{
    TestRepo,
    program::{Said, run, run_in},
    succeed,
};

const CONFIG: &str = "build: echo hi > made\ndeploy: cat made\n";

/// A repository with two deployments, so that there is something to do in every way. Its builds lie
/// in this folder.
fn built(builds: &Path) -> TestRepo {
    let repo = unbuilt(builds);
    deployed_twice(&repo);
    repo
}

/// One that is new to this folder.
fn unbuilt(builds: &Path) -> TestRepo {
    let repo = TestRepo::new();
    use_builds(repo.path(), builds);
    repo.commit_config(CONFIG);
    repo
}

/// The same with two deployments from builds that lie elsewhere.
fn newcomer(builds: &Path) -> TestRepo {
    let repo = TestRepo::new();
    repo.commit_config(CONFIG);
    deployed_twice(&repo);
    use_builds(repo.path(), builds);
    repo
}

fn deployed_twice(repo: &TestRepo) {
    for message in ["one", "two"] {
        repo.commit(message);
        run(repo, &["run", "--all"]).with_code(0);
        run(repo, &["deploy", "--yes"]).with_code(0);
    }
}

fn use_builds(repo: &Path, builds: &Path) {
    let words = ["config", "tinyci.buildsDir", builds.to_str().unwrap()];
    let output = Command::new("git").arg("-C").arg(repo).args(words).output().unwrap();
    succeed("config", &output);
}

/// A folder for builds of several repositories.
fn shared() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let builds = dir.path().canonicalize().unwrap().join("builds");
    (dir, builds)
}

/// Every file below a folder, with what it holds and its time.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut left) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(path) = left.pop() {
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// A copy of a whole repository, as `cp -a` makes it.
fn copied(from: &Path, to: &Path) {
    let output = Command::new("cp").arg("-a").args([from, to]).output().unwrap();
    succeed("cp -a", &output);
}

/// Everything that would write into the folder, or remove from it.
const WRITERS: [&[&str]; 8] = [
    &["run", "--all"],
    &["run", "--retry", "HEAD"],
    &["run", "--retry", "HEAD~2"],
    &["deploy", "--yes"],
    &["rollback", "--yes"],
    &["prune", "--keep", "0"],
    &["compact", "-n", "0"],
    &["run", "--all-history", "--all"],
];

/// Refused by name in every way in, while what only reads says it and works.
#[track_caller]
fn is_refused(dir: &Path, builds: &Path, owner: &str) {
    let before = contents(builds);
    for words in WRITERS {
        let said = run_in(dir, words);
        assert_ne!(said.code, Some(0), "{words:?}: {}", said.out);
        assert!(said.err.contains(owner), "{words:?} names no owner: {}", said.err);
    }
    for words in [["results"], ["log"], ["status"], ["plan"], ["deployments"]] {
        let said = run_in(dir, &words).with_code(0);
        let told = format!("{}{}", said.out, said.err);
        assert!(told.contains(owner), "{words:?} does not say whose builds they are: {told}");
    }
    let said = run_in(dir, &["install"]).with_code(0);
    assert!(said.out.contains(owner), "{}", said.out);
    assert_eq!(contents(builds), before, "something was written or removed");
}

fn path(repo: &TestRepo) -> String {
    repo.path().to_str().unwrap().to_owned()
}

#[test]
fn the_second_repository_in_a_folder_is_refused_by_the_name_of_the_first() {
    let (_dir, builds) = shared();
    let first = built(&builds);
    let second = newcomer(&builds);
    is_refused(second.path(), &builds, &path(&first));
    let attempts = fs::read_to_string(second.path().join(".git/tinyci/attempts")).unwrap();
    assert_eq!(attempts, "", "nothing was tried");
    // Whatever the folder is called.
    let link = builds.with_file_name("link");
    symlink(&builds, &link).unwrap();
    use_builds(second.path(), &link);
    is_refused(second.path(), &builds, &path(&first));
    // It is there, so that nothing can be taken over.
    let said = run(&second, &["install", "--adopt-builds"]).with_code(4);
    assert!(said.err.contains(&path(&first)), "{}", said.err);
    // A folder of its own is what it needs.
    let own = builds.with_file_name("own");
    use_builds(second.path(), &own);
    run(&second, &["run", "--all"]).with_code(0);
    run(&first, &["run", "--retry", "HEAD~2"]).with_code(0);
}

#[test]
fn a_push_is_refused_too() {
    let (_dir, builds) = shared();
    let first = built(&builds);
    let server = TestRepo::bare();
    use_builds(server.path(), &builds);
    let server = crate::support::server::Server::on(server);
    server.client.commit_config(CONFIG);
    let said = server.push(&["HEAD:main"]);
    assert!(said.err.contains(&path(&first)), "{}", said.err);
    assert_eq!(server.repo.verdict("main"), None);
}

#[test]
fn a_repository_that_was_moved_keeps_its_builds_and_says_so_once() {
    let (_dir, builds) = shared();
    let repo = built(&builds);
    let moved = repo.outside().join("elsewhere");
    fs::rename(repo.path(), &moved).unwrap();
    for words in [["status"], ["plan"]] {
        let said = run_in(&moved, &words).with_code(0);
        let told = format!("{}{}", said.out, said.err);
        assert!(told.contains("was moved"), "{words:?}: {told}");
        assert!(told.contains(&path(&repo)) && told.contains(moved.to_str().unwrap()), "{told}");
    }
    let said = run_in(&moved, &["run", "--retry", "HEAD~2"]).with_code(0);
    assert!(said.err.contains("was moved"), "{}", said.err);
    let said = run_in(&moved, &["run", "--retry", "HEAD~2"]).with_code(0);
    assert_eq!(said.err, "", "it was told");
    // What comes to stand in its place is another repository.
    let next = newcomer(&builds);
    fs::rename(next.path(), repo.path()).unwrap();
    is_refused(repo.path(), &builds, moved.to_str().unwrap());
}

#[test]
fn a_copy_is_refused_as_long_as_its_original_is_there() {
    let (_dir, builds) = shared();
    let repo = built(&builds);
    let copy = repo.outside().join("copy");
    copied(repo.path(), &copy);
    is_refused(&copy, &builds, &path(&repo));
    run_in(&copy, &["install", "--adopt-builds"]).with_code(4);
    // The original moves: the copy is one all the same.
    let moved = repo.outside().join("moved");
    fs::rename(repo.path(), &moved).unwrap();
    run_in(&moved, &["run", "--retry", "HEAD~2"]).with_code(0);
    is_refused(&copy, &builds, moved.to_str().unwrap());
}

#[test]
fn a_copy_with_builds_of_its_own_is_a_repository_of_its_own() {
    let (_dir, builds) = shared();
    let repo = built(&builds);
    let copy = repo.outside().join("copy");
    copied(repo.path(), &copy);
    use_builds(&copy, &builds.with_file_name("own"));
    for dir in [&*copy, repo.path(), &copy] {
        let said = run_in(dir, &["run", "--retry", "HEAD~2"]).with_code(0);
        assert_eq!(said.err, "");
    }
    // And stays one when the original is gone: its builds are to be asked for.
    use_builds(&copy, &builds);
    is_refused(&copy, &builds, &path(&repo));
    fs::remove_dir_all(repo.path()).unwrap();
    is_refused(&copy, &builds, &path(&repo));
    run_in(&copy, &["install", "--adopt-builds"]).with_code(0);
    run_in(&copy, &["run", "--retry", "HEAD~2"]).with_code(0);
}

#[test]
fn a_backup_beside_the_original_is_a_copy_and_in_its_place_the_original() {
    let (_dir, builds) = shared();
    let repo = built(&builds);
    let backup = repo.outside().join("backup");
    copied(repo.path(), &backup);
    // The original goes elsewhere, and its backup to where it was.
    let moved = repo.outside().join("moved");
    fs::rename(repo.path(), &moved).unwrap();
    run_in(&moved, &["run", "--retry", "HEAD~2"]).with_code(0);
    copied(&backup, repo.path());
    is_refused(repo.path(), &builds, moved.to_str().unwrap());
    // Both gone but for the backup: it is what there is.
    fs::remove_dir_all(&moved).unwrap();
    fs::remove_dir_all(repo.path()).unwrap();
    let said = run_in(&backup, &["run", "--retry", "HEAD~2"]).with_code(0);
    assert!(said.err.contains("was moved"), "{}", said.err);
}

#[test]
fn builds_of_an_owner_that_is_gone_are_taken_over_on_demand_alone() {
    let (_dir, builds) = shared();
    let gone = built(&builds);
    fs::remove_dir_all(gone.path()).unwrap();
    let next = newcomer(&builds);
    is_refused(next.path(), &builds, &path(&gone));
    let said = run(&next, &["run", "--all"]).with_code(4);
    assert!(said.err.contains("install --adopt-builds"), "{}", said.err);
    let said = run(&next, &["install", "--adopt-builds"]).with_code(0);
    assert!(said.out.contains(&path(&gone)), "{}", said.out);
    run(&next, &["install", "--adopt-builds"]).with_code(0);
    run(&next, &["run", "--all"]).with_code(0);
    run(&next, &["prune", "--keep", "1"]).with_code(0);
    // At the very path of the one that is gone, it is another one all the same.
    fs::remove_dir_all(next.path().join(".git/tinyci")).unwrap();
    is_refused(next.path(), &builds, &path(&next));
    run(&next, &["install", "--adopt-builds"]).with_code(0);
    run(&next, &["run", "--retry", "HEAD~2"]).with_code(0);
}

#[test]
fn an_owner_on_another_machine_is_not_known_to_be_gone() {
    let (_dir, builds) = shared();
    let gone = built(&builds);
    fs::remove_dir_all(gone.path()).unwrap();
    let mark = builds.join("tinyci.owner");
    let mut owner: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&mark).unwrap()).unwrap();
    owner["machine"] = "farm".into();
    fs::write(&mark, owner.to_string()).unwrap();
    let next = unbuilt(&builds);
    let said = run(&next, &["install", "--adopt-builds"]).with_code(4);
    assert!(said.err.contains("the machine `farm`"), "{}", said.err);
    fs::remove_file(&mark).unwrap();
    run(&next, &["run", "--all"]).with_code(0);
}

#[test]
fn a_mark_that_says_nothing_protects_the_folder() {
    let (_dir, builds) = shared();
    let repo = built(&builds);
    let mark = builds.join("tinyci.owner");
    let whole = fs::read(&mark).unwrap();
    for text in [&b""[..], b"{", b"\xff\0", &whole[..whole.len() / 2], b"{\"v\":99}"] {
        fs::write(&mark, text).unwrap();
        for words in WRITERS {
            let said = run(&repo, words);
            assert_ne!(said.code, Some(0), "{words:?}: {}", said.out);
            assert!(said.err.contains(mark.to_str().unwrap()), "{words:?}: {}", said.err);
        }
        run(&repo, &["install", "--adopt-builds"]).with_code(4);
    }
    fs::remove_file(&mark).unwrap();
    run(&repo, &["run", "--retry", "HEAD~2"]).with_code(0);
    assert_eq!(fs::read(&mark).unwrap(), whole, "it is the same repository");
    // A damaged id is none, and what was this repository's is another's.
    fs::write(repo.path().join(".git/tinyci/id"), "").unwrap();
    is_refused(repo.path(), &builds, &path(&repo));
    run(&repo, &["install", "--adopt-builds"]).with_code(0);
    run(&repo, &["run", "--retry", "HEAD~2"]).with_code(0);
}

#[test]
fn builds_inside_the_repository_are_always_its_own() {
    for named in [None, Some("out/of/here")] {
        let repo = TestRepo::new();
        if let Some(named) = named {
            use_builds(repo.path(), Path::new(named));
        }
        repo.commit_config(CONFIG);
        run(&repo, &["run", "--all"]).with_code(0);
        let copy = repo.outside().join("copy");
        copied(repo.path(), &copy);
        let moved = repo.outside().join("moved");
        for dir in [&copy, repo.path()] {
            let said = run_in(dir, &["run", "--retry", "HEAD"]).with_code(0);
            assert_eq!(said.err, "");
        }
        fs::rename(repo.path(), &moved).unwrap();
        for dir in [&moved, &copy] {
            for words in [&["run", "--retry", "HEAD"][..], &["prune", "--keep", "1"], &["status"]] {
                assert_eq!(run_in(dir, words).with_code(0).err, "", "{words:?}");
            }
        }
        // Another repository does not get in by naming it.
        let inside = moved.join(named.unwrap_or("builds"));
        let other = newcomer(&inside);
        is_refused(other.path(), &inside, moved.to_str().unwrap());
    }
}

#[test]
fn what_a_link_that_nobody_named_leads_to_stays_as_it_is() {
    let (_dir, builds) = shared();
    let repo = built(&builds);
    let other = newcomer(&builds);
    other.git(&["config", "--unset", "tinyci.buildsDir"]);
    fs::remove_file(builds.join("tinyci.owner")).unwrap();
    fs::remove_dir_all(other.path().join("builds")).unwrap();
    symlink(&builds, other.path().join("builds")).unwrap();
    let before = contents(&builds);
    for words in WRITERS {
        assert_ne!(run(&other, words).code, Some(0), "{words:?}");
    }
    assert_eq!(contents(&builds), before);
    run(&repo, &["run", "--retry", "HEAD~2"]).with_code(0);
}

#[test]
fn a_folder_called_builds_beside_one_called_tinyci_is_free() {
    let (_dir, builds) = shared();
    fs::create_dir(builds.with_file_name("tinyci")).unwrap();
    built(&builds);
}

#[test]
fn a_folder_in_a_repository_within_this_one_is_not_its_own() {
    let outer = TestRepo::new();
    outer.write(".gitignore", "inner\n");
    outer.commit_config(CONFIG);
    deployed_twice(&outer);
    let inner = outer.path().join("inner");
    let other = built(Path::new("builds"));
    fs::rename(other.path(), &inner).unwrap();
    run_in(&inner, &["run", "--retry", "HEAD~2"]).with_code(0);
    outer.git(&["config", "tinyci.buildsDir", "inner/builds"]);
    is_refused(outer.path(), &inner.join("builds"), inner.to_str().unwrap());
}

#[test]
fn folders_beside_each_other_and_nested_ones_have_owners_of_their_own() {
    let (_dir, builds) = shared();
    let first = built(&builds);
    let below = built(&builds.join("of-another"));
    run(&first, &["prune", "--keep", "0"]).with_code(0);
    run(&below, &["run", "--retry", "HEAD~2"]).with_code(0);
    // Within a build it would go with that build.
    run(&first, &["run", "--retry", "HEAD~2"]).with_code(0);
    let build = fs::read_dir(&builds).unwrap().map(|entry| entry.unwrap().path());
    let build = build.into_iter().find(|path| path.join("export").is_dir()).unwrap();
    let within = unbuilt(&build.join("export/builds"));
    let said = run(&within, &["run", "--all"]).with_code(4);
    assert!(said.err.contains("inside a build of"), "{}", said.err);
    assert!(!build.join("export/builds").exists());
}

#[test]
fn work_trees_of_one_repository_share_its_builds() {
    let (_dir, builds) = shared();
    let repo = built(&builds);
    let linked = repo.outside().join("linked");
    repo.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    run_in(&linked, &["run", "--retry", "HEAD~2"]).with_code(0);
    run(&repo, &["run", "--retry", "HEAD~2"]).with_code(0);
    // And a second path to it makes no second repository.
    let link = repo.outside().join("link");
    symlink(repo.path(), &link).unwrap();
    let said = run_in(&link, &["run", "--retry", "HEAD~2"]).with_code(0);
    assert_eq!(said.err, "");
}

#[test]
fn of_repositories_that_come_at_the_same_moment_one_gets_the_folder() {
    for _ in 0..5 {
        let (_dir, builds) = shared();
        let repos: Vec<TestRepo> = (0..4).map(|_| unbuilt(&builds)).collect();
        let codes = thread::scope(|scope| {
            let runs = repos.iter().map(|repo| scope.spawn(|| run(repo, &["run", "--all"])));
            let runs: Vec<_> = runs.collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<Said>>()
        });
        let owners: Vec<&TestRepo> = repos
            .iter()
            .zip(&codes)
            .filter(|(_, said)| said.code == Some(0))
            .map(|it| it.0)
            .collect();
        assert_eq!(owners.len(), 1, "{:?}", codes.iter().map(|said| said.code).collect::<Vec<_>>());
        for said in codes.iter().filter(|said| said.code != Some(0)) {
            assert!(said.err.contains(&path(owners[0])), "{}", said.err);
        }
    }
}

#[test]
fn runs_of_one_repository_that_come_at_the_same_moment_agree_on_its_id() {
    for of_copy in [false, true] {
        let (_dir, builds) = shared();
        let repo = if of_copy { built(&builds) } else { unbuilt(&builds) };
        let mut place = repo.path().to_path_buf();
        if of_copy {
            place = repo.outside().join("copy");
            copied(repo.path(), &place);
            let own = builds.with_file_name("own");
            use_builds(&place, &own);
        }
        // What is deployed is not run again just so.
        let commit = if of_copy { "HEAD~2" } else { "HEAD" };
        thread::scope(|scope| {
            for _ in 0..6 {
                let place = &place;
                scope.spawn(move || run_in(place, &["run", "--retry", commit]).with_code(0));
            }
        });
        run_in(&place, &["prune", "--keep", "1"]).with_code(0);
    }
}
