//! Builds that are neither packed nor removed, whatever limit there is: what somebody relies on.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::support::{
    TestRepo, eventually,
    program::{Said, run, tinyci},
    server::{Gate, builds_in},
};

const CONFIG: &str = "build: head -c 100000 /dev/zero > large\ndeploy: 'true'\n";

/// A repository with an identity, in which commits are made and run one by one.
struct Place {
    repo: TestRepo,
}

impl Place {
    /// One whose first commit has this config, which was run.
    fn with(config: &str) -> (Self, String) {
        let place = Self { repo: TestRepo::new() };
        place.repo.git(&["config", "user.name", "Ada"]);
        place.repo.git(&["config", "user.email", "ada@example.org"]);
        let id = place.repo.commit_config(config);
        place.tinyci(&["run", "--all"]);
        (place, id)
    }

    /// Another commit on the branch that is checked out, and its run.
    fn commit(&self) -> String {
        let id = self.repo.commit("another");
        self.tinyci(&["run", "--all"]);
        id
    }

    /// Commits on a branch of their own, which nobody deploys.
    fn topics(&self, number: usize) {
        self.repo.git(&["checkout", "-q", "-B", "topic"]);
        (0..number).for_each(|_| drop(self.commit()));
        self.repo.git(&["checkout", "-q", "main"]);
    }

    #[track_caller]
    fn tinyci(&self, args: &[&str]) -> Said {
        run(&self.repo, args).with_code(0)
    }

    #[track_caller]
    fn deploy(&self, id: &str, environment: &str) {
        self.tinyci(&["deploy", "--yes", "--to", environment, id]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.repo.outside().join(name)
    }

    fn build_dir(&self, id: &str) -> PathBuf {
        let time = self.repo.git(&["show", "-s", "--format=%ct", id]);
        self.repo.path().join(format!("builds/{time}_{id}"))
    }

    /// Packs and removes all that may go, and holds what is left, as folders, against `ids`.
    #[track_caller]
    fn assert_kept(&self, ids: &[&String]) {
        self.tinyci(&["compact", "-n", "0"]);
        self.tinyci(&["prune", "--keep", "0"]);
        let name = |id: &&String| {
            let dir = self.build_dir(id);
            dir.file_name().unwrap().to_str().unwrap().to_owned()
        };
        let mut expected: Vec<String> = ids.iter().map(name).collect();
        expected.sort();
        expected.dedup();
        assert_eq!(builds_in(self.repo.path()), expected);
    }
}

#[test]
fn what_runs_and_so_many_releases_before_it() {
    let (place, _) = Place::with(CONFIG);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(place.commit());
        let newest = ids.last().unwrap();
        place.deploy(newest, "production");
        // Again and again is one release.
        place.deploy(newest, "production");
    }
    place.assert_kept(&[&ids[2], &ids[3], &ids[4]]);
    place.repo.git(&["config", "tinyci.keepReleases", "1"]);
    place.assert_kept(&[&ids[3], &ids[4]]);
    let back = place.tinyci(&["rollback", "--yes"]);
    assert!(back.out.contains("Rolled production back"), "{}", back.out);
    place.repo.git(&["config", "tinyci.keepReleases", "0"]);
    place.topics(1);
    place.tinyci(&["prune", "--keep", "0"]);
    assert!(place.build_dir(&ids[3]).is_dir(), "what runs");
}

#[test]
fn what_deploy_would_take_next_also_where_nothing_was_deployed_yet() {
    let (place, first) = Place::with(CONFIG);
    place.topics(5);
    place.assert_kept(&[&first]);
    place.deploy("main", "production");
    let next = place.commit();
    place.topics(5);
    place.assert_kept(&[&first, &next]);

    // An environment of another branch's own.
    place.repo.git(&["checkout", "-q", "-b", "release/1"]);
    let config = "build: 'true'\ndeploy:\n  run: 'true'\n  branch: release/*\n  \
                  environment: [staging, demo]\n";
    let release = place.repo.commit_config(config);
    place.tinyci(&["run", "--all"]);
    place.repo.git(&["checkout", "-q", "main"]);
    place.topics(2);
    place.assert_kept(&[&first, &next, &release]);
    place.deploy(&release, "staging");
    place.assert_kept(&[&first, &next, &release]);
}

#[test]
fn what_waits_for_an_approval() {
    let config = "build: 'true'\ndeploy:\n  run: 'true'\n  approve: true\n";
    let (place, _) = Place::with(config);
    let waits = place.commit();
    run(&place.repo, &["deploy", "--yes"]).with_code(5);
    let newer = place.commit();
    place.topics(3);
    place.assert_kept(&[&waits, &newer]);
    place.tinyci(&["approve", &waits]);
    place.deploy(&waits, "production");
    place.assert_kept(&[&waits, &newer]);
    place.tinyci(&["approve", &newer]);
    place.deploy(&newer, "production");
    place.assert_kept(&[&waits, &newer]);
    place.repo.git(&["config", "tinyci.keepReleases", "0"]);
    place.assert_kept(&[&newer]);
}

#[test]
fn the_newest_success_of_a_branch_whose_config_cannot_be_read() {
    let (place, _) = Place::with("build: 'true'\n");
    // A host's function, say, that this program does not have.
    place.repo.git(&["checkout", "-q", "-b", "other"]);
    place.repo.git(&["rm", "-q", ".tinyci.yml"]);
    place.repo.write(".tinyci.rhai", "fn build() { sh(\"true\") ");
    let unread = place.repo.commit("unread");
    place.repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "success", &unread]);
    let build = place.build_dir(&unread).join("export");
    fs::create_dir_all(&build).unwrap();
    let red = place.repo.commit("red");
    place.repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "failure", &red]);
    place.repo.git(&["checkout", "-q", "main"]);
    place.assert_kept(&[&unread]);
    let plan = place.tinyci(&["prune", "--keep", "0", "--dry-run"]).out;
    assert!(plan.contains("newest success of `other`, which has an unreadable config"), "{plan}");
}

#[test]
fn the_newest_success_below_a_tip_whose_config_cannot_be_read() {
    let (place, first) = Place::with("build: 'true'\n");
    place.assert_kept(&[]);
    place.tinyci(&["run", "--retry", &first]);
    let broken = place.repo.commit_config("build: [\n");
    run(&place.repo, &["run", "--all"]).with_code(1);
    assert_eq!(place.repo.verdict(&broken).as_deref(), Some("failure"));
    place.assert_kept(&[&first]);
    place.repo.commit_config("build: 'true'\n");
    place.tinyci(&["run", "--all"]);
    place.assert_kept(&[]);
}

/// The server's own deploy script: a link in a folder, which it moves from build to build.
fn link(target: impl AsRef<Path>, link: &Path) {
    let _ = fs::remove_file(link);
    symlink(target, link).unwrap();
}

#[test]
fn what_the_links_of_deploy_scripts_lead_into() {
    let (place, first) = Place::with("build: 'true'\n");
    let ids: Vec<String> = (0..4).map(|_| place.commit()).collect();
    for dir in ["srv", "www/releases"] {
        fs::create_dir_all(place.path(dir)).unwrap();
    }
    link(place.build_dir(&ids[0]).join("export"), &place.path("srv/current"));
    // By way of a link elsewhere, and relative.
    link("work/builds", &place.path("builds-of-app"));
    let name = place.build_dir(&ids[1]).file_name().unwrap().to_owned();
    link(Path::new("../../builds-of-app").join(name), &place.path("www/releases/5"));
    link("releases/5/export", &place.path("www/live"));
    link("/nowhere", &place.path("www/old"));
    fs::write(place.path("srv/deploy.sh"), "").unwrap();
    place.repo.git(&["config", "--add", "tinyci.pin", place.path("srv").to_str().unwrap()]);
    place.repo.git(&["config", "--add", "tinyci.pin", "../www"]);
    place.assert_kept(&[&ids[0], &ids[1]]);

    let plan = place.tinyci(&["prune", "--keep", "0", "--dry-run", "--json"]).out;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let why = plan["protected"][0]["why"][0].as_str().unwrap();
    assert!(why.ends_with("srv/current` links to it"), "{why}");

    // A build that was packed before it was linked stays too.
    place.tinyci(&["run", "--retry", &first]);
    fs::remove_file(place.path("srv/current")).unwrap();
    place.tinyci(&["compact", "-n", "0"]);
    let packed = place.build_dir(&first);
    assert!(!packed.exists() && packed.with_extension("tar.gz").exists());
    link(packed.join("export"), &place.path("srv/current"));
    place.tinyci(&["prune", "--keep", "0"]);
    assert!(packed.with_extension("tar.gz").exists());
}

#[test]
fn a_folder_of_links_that_cannot_be_read_is_never_an_empty_one() {
    let (place, _) = Place::with("build: 'true'\n");
    place.commit();
    let before = builds_in(place.repo.path());
    let srv = place.path("srv");
    place.repo.git(&["config", "tinyci.pin", srv.to_str().unwrap()]);
    fs::write(place.path("file"), "").unwrap();
    for broken in ["gone", "file", "srv"] {
        link(place.path(broken), &srv);
        for act in [&["prune", "--keep", "0"][..], &["compact", "-n", "0"]] {
            let said = run(&place.repo, act).with_code(4);
            assert!(said.err.contains("tinyci.pin") && said.err.contains("srv"), "{}", said.err);
        }
        let said = place.tinyci(&["status"]);
        assert!(said.err.contains("tinyci.pin"), "{}", said.err);
        assert_eq!(builds_in(place.repo.path()), before, "nothing was packed or removed");
    }
    // After a run it is said, and costs no verdict.
    place.repo.git(&["config", "tinyci.pruneKeep", "0"]);
    let id = place.repo.commit("another");
    let said = place.tinyci(&["run", "--all"]);
    assert!(
        said.out.contains("warning: cannot remove old builds: refusing to pack or remove builds"),
        "{}",
        said.out
    );
    assert_eq!(place.repo.verdict(&id).as_deref(), Some("success"));
    assert_eq!(builds_in(place.repo.path()).len(), before.len() + 1);
}

/// Also before the next run, which gives a ref back what it lost where that can be done.
#[test]
fn what_runs_by_a_history_that_others_set_back_or_replaced() {
    const REF: &str = "refs/tinyci/deployments/production";
    let (place, first) = Place::with(CONFIG);
    place.repo.git(&["config", "tinyci.keepReleases", "0"]);
    place.deploy(&first, "production");
    let second = place.commit();
    place.deploy(&second, "production");
    place.topics(1);
    let whole = place.repo.git(&["rev-parse", REF]);
    place.repo.git(&["update-ref", REF, &format!("{REF}~2")]);
    place.assert_kept(&[&first, &second]);

    // Another history, of which nobody knows whether it is the true one.
    let message = place.repo.git(&["show", "-s", "--format=%B", &format!("{whole}~2")]);
    let tree = format!("{whole}^{{tree}}");
    let parents = [&*whole, &*first].map(|of| format!("{of}^0"));
    let parents = ["-p", &format!("{}~3", parents[0]), "-p", &parents[1]];
    let other = [&["commit-tree", "-m", &message, &tree][..], &parents].concat();
    let other = place.repo.git(&other);
    place.repo.git(&["update-ref", REF, &whole]);
    place.tinyci(&["run", "--all"]);
    place.repo.git(&["update-ref", REF, &other]);
    let said = place.tinyci(&["run", "--all"]).out;
    assert!(said.contains("was replaced and no longer contains"), "{said}");
    place.assert_kept(&[&first, &second]);
    let said = run(&place.repo, &["run", "--retry", &second]).with_code(2);
    assert!(said.err.contains("its build is deployed to `production`"), "{}", said.err);
}

#[test]
fn everything_where_git_has_removed_a_history() {
    const REF: &str = "refs/tinyci/deployments/production";
    let (place, first) = Place::with(CONFIG);
    place.deploy(&first, "production");
    let second = place.commit();
    let before = builds_in(place.repo.path());
    place.repo.git(&["update-ref", "-d", REF]);
    place.repo.git(&["gc", "-q", "--prune=now"]);
    for act in [&["prune", "--keep", "0"][..], &["compact", "-n", "0"]] {
        let said = run(&place.repo, act).with_code(4);
        assert!(said.err.contains("has removed objects of the deployment history"), "{}", said.err);
        assert_eq!(builds_in(place.repo.path()), before);
    }
    // Once a run, however often that run looks.
    place.repo.commit("third");
    let said = place.tinyci(&["run", "--all"]).out;
    assert_eq!(said.matches("cannot restore").count(), 1, "{said}");
    // A job works beside what may be live.
    place.tinyci(&["run", "--retry", &first]);
    assert!(place.build_dir(&first).join("export/large").is_file());

    place.deploy(&second, "production");
    place.assert_kept(&[&second, &place.repo.git(&["rev-parse", "main"])]);
}

#[test]
fn kept_builds_that_are_more_than_a_limit_are_named_with_their_size() {
    let (place, first) = Place::with(CONFIG);
    place.deploy(&first, "production");
    let next = place.commit();
    for limit in [["--max-size", "150k"], ["--keep", "1"]] {
        let said = place.tinyci(&["prune", limit[0], limit[1]]);
        for part in [&*first, &*next, "deployed to production", "next for production", " KiB"] {
            assert!(said.err.contains(part), "{part}: {}", said.err);
        }
        assert_eq!(builds_in(place.repo.path()).len(), 2);
    }
    for enough in [["--max-size", "10m"], ["--keep", "2"], ["--max-age", "1d"]] {
        assert_eq!(place.tinyci(&["prune", enough[0], enough[1]]).err, "");
    }
    place.repo.git(&["config", "tinyci.pruneMaxSize", "150k"]);
    place.repo.git(&["checkout", "-q", "-b", "topic"]);
    place.repo.commit("topic");
    let said = place.tinyci(&["run", "--all"]);
    assert!(said.out.contains("warning: 2 builds with"), "{}", said.out);
}

#[test]
fn an_environment_that_is_retired_keeps_nothing_until_it_is_deployed_to_again() {
    let config = "build: 'true'\ndeploy:\n  run: 'true'\n  environment: [production, review-12]\n";
    let (place, first) = Place::with(config);
    place.deploy(&first, "review-12");
    let (second, third) = (place.commit(), place.commit());
    place.deploy(&second, "review-12");
    place.deploy(&third, "production");
    place.assert_kept(&[&first, &second, &third]);

    let said = place.tinyci(&["deployments", "--retire", "review-12"]);
    assert!(said.out.contains("Retired review-12") && said.out.contains("Ada"), "{}", said.out);
    let again = place.tinyci(&["deployments", "--retire", "review-12"]);
    assert!(again.err.contains("is already retired"), "{}", again.err);
    // Who, and when, stand in the history.
    let reference = "refs/tinyci/deployments/review-12";
    let entry = place.repo.git(&["log", "-1", "--format=%an %s %b", reference]);
    assert!(entry.starts_with("Ada Retired review-12 "), "{entry}");
    assert!(
        !place
            .repo
            .try_git(&["rev-parse", "-q", "--verify", "refs/tinyci/deployments/review-12^2"])
            .status
            .success(),
        "nothing is deployed there"
    );
    let json = place.tinyci(&["deployments", "--to", "review-12", "-n", "1", "--json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["outcome"], &json["previous"]), (&"retired".into(), &second.clone().into()));
    assert!(
        json["deployed_by"].as_str().unwrap().starts_with("Ada <") && json["finished"].is_string()
    );
    let list = place.tinyci(&["deployments", "--to", "review-12"]).out;
    assert!(list.lines().next().unwrap().starts_with("retired "), "{list}");
    let status = place.tinyci(&["status"]).out;
    assert!(status.contains("retired   review-12"), "{status}");

    run(&place.repo, &["rollback", "--to", "review-12", "--yes"]).with_code(2);
    let newest = place.commit();
    place.assert_kept(&[&third, &newest]);
    place.deploy(&third, "review-12");
    let status = place.tinyci(&["status"]).out;
    assert!(status.contains("deployed  review-12") && !status.contains("retired"), "{status}");
}

#[test]
fn only_what_was_deployed_to_can_be_retired() {
    let (place, id) = Place::with(CONFIG);
    place.deploy(&id, "production");
    let said = run(&place.repo, &["deployments", "--retire", "prodution"]).with_code(2);
    assert!(said.err.contains("did you mean `production`?"), "{}", said.err);
    run(&place.repo, &["deployments", "--retire", "../x"]).with_code(2);
    run(&place.repo, &["deployments", "--retire", "a", "--to", "b"]).with_code(2);
}

#[test]
fn an_environment_is_not_retired_during_a_deployment_and_may_be_after_one_that_was_killed() {
    let repo = TestRepo::new();
    let gate = Gate::new(repo.outside().join("gate"));
    let id = repo.commit_config(&format!("deploy: {}\n", gate.command()));
    run(&repo, &["run", "--all"]).with_code(0);
    let mut deploying = tinyci(repo.path());
    deploying.args(["deploy", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut deploying = deploying.spawn().unwrap();
    gate.reached_by(&id);
    let said = run(&repo, &["deployments", "--retire", "production"]).with_code(3);
    assert!(said.err.contains("a deployment to `production` is in progress"), "{}", said.err);
    deploying.kill().unwrap();
    deploying.wait().unwrap();
    eventually("the guard lets go of the environment", || {
        run(&repo, &["deployments", "--retire", "production"]).code == Some(0)
    });
    gate.open();
    run(&repo, &["deploy", "--yes"]).with_code(0);
    let said = run(&repo, &["deployments", "--json"]).with_code(0);
    let outcomes = ["success", "retired", "interrupted"];
    for (line, outcome) in said.out.lines().zip(outcomes) {
        assert!(line.contains(&format!("\"outcome\":\"{outcome}\"")), "{line}");
    }
    assert_eq!(said.out.lines().count(), outcomes.len());
}
