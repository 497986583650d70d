//! Two clones and a server that push, judge, approve, deploy and fetch, all at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    thread,
};

use crate::support::{
    eventually,
    program::{Said, run_in, tinyci},
    server::{Server, search_path},
    succeed,
};

const ENVIRONMENTS: [&str; 2] = ["production", "staging"];
const COMMITS: usize = 3;

const CONFIG: &str = "\
build: 'true'
deploy:
  run: echo deployed
  branch: '*'
  environment: [production, staging]
  approve: true
";

/// A clone with commits on a branch of its own that nobody else has yet.
struct Clone<'a> {
    server: &'a Server,
    name: &'static str,
    dir: PathBuf,
    ids: Vec<String>,
}

impl<'a> Clone<'a> {
    fn new(server: &'a Server, name: &'static str) -> Self {
        let dir = server.outside(name);
        let url = server.repo.path().to_str().unwrap();
        server.client.git(&["clone", "-q", url, dir.to_str().unwrap()]);
        let mut clone = Self { server, name, dir, ids: Vec::new() };
        clone.git(&["config", "user.name", name]);
        clone.git(&["config", "user.email", &format!("{name}@example.org")]);
        clone.git(&["switch", "-q", "-c", name]);
        run_in(&clone.dir, &["setup-remote"]).with_code(0);
        for number in 0..COMMITS {
            clone.git(&["commit", "-q", "--allow-empty", "-m", &format!("{name} {number}")]);
            clone.ids.push(clone.git(&["rev-parse", "HEAD"]));
        }
        clone
    }

    #[track_caller]
    fn git(&self, args: &[&str]) -> String {
        let mut git = self.server.client.command_in(&self.dir);
        succeed(
            &format!("git {args:?}"),
            &git.args(args).env("PATH", search_path()).output().unwrap(),
        )
    }

    /// Pushes its commits one after the other, and approves of everybody's as it learns of them.
    fn take_part(&self, others: &[String]) {
        for (own, other) in self.ids.iter().zip(others) {
            self.git(&["push", "-q", "origin", &format!("{own}:refs/heads/{}", self.name)]);
            eventually("the other's commit is there", || {
                self.git(&["fetch", "-q", "origin"]);
                let mut known = self.server.client.command_in(&self.dir);
                known.args(["cat-file", "-e", other]).output().unwrap().status.success()
            });
            for (id, environment) in
                [own, other].iter().flat_map(|id| ENVIRONMENTS.map(|it| (id, it)))
            {
                let said =
                    run_in(&self.dir, &["approve", id, "--to", environment]).with_code(0).out;
                let reference = said.split_once("git push origin ").unwrap().1;
                let reference = reference.split('`').next().unwrap().to_owned();
                self.git(&["push", "-q", "origin", &reference]);
            }
        }
    }
}

/// Deploys these commits in this order, each as soon as it is green and approved.
fn deploy_all(server: &Server, environment: &str, ids: &[String]) {
    for id in ids {
        eventually("it is deployed", || {
            let deploy = ["deploy", id, "--yes", "--quiet", "--to", environment];
            let said = run_in(server.repo.path(), &deploy);
            // Not there, not green, not approved.
            assert!(matches!(said.code, Some(0 | 2 | 5)), "{:?}: {}", said.code, said.err);
            said.code == Some(0)
        });
    }
}

fn json_lines(server: &Server, args: &[&str]) -> Vec<serde_json::Value> {
    let said = Said::of(&tinyci(server.repo.path()).args(args).output().unwrap()).with_code(0);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many there are of each, by environment, commit and what else tells them apart.
type Counted = BTreeMap<(String, String, String), usize>;

fn approvals(server: &Server) -> Counted {
    let mut found = Counted::new();
    let format = "--format=%(refname) %(authorname)";
    for line in server.repo.git(&["for-each-ref", format, "refs/tinyci/approvals"]).lines() {
        let (name, by) = line.split_once(' ').unwrap();
        let [environment, commit] = *name.split('/').skip(3).take(2).collect::<Vec<_>>() else {
            panic!("{line}")
        };
        *found.entry((environment.into(), commit.into(), by.into())).or_default() += 1;
    }
    found
}

#[test]
fn nothing_is_lost_or_doubled_when_everybody_acts_at_once() {
    let server = Server::new();
    server.client.commit_config(CONFIG);
    server.push(&["main"]);
    let [one, two] = ["one", "two"].map(|name| Clone::new(&server, name));
    let mixed: Vec<String> =
        one.ids.iter().zip(&two.ids).flat_map(|(one, two)| [one.clone(), two.clone()]).collect();
    thread::scope(|scope| {
        scope.spawn(|| one.take_part(&two.ids));
        scope.spawn(|| two.take_part(&one.ids));
        for environment in ENVIRONMENTS {
            let (server, mixed) = (&server, &mixed);
            scope.spawn(move || deploy_all(server, environment, mixed));
        }
    });

    let mut all = Counted::new();
    for id in &mixed {
        assert_eq!(server.repo.verdict(id).as_deref(), Some("success"));
        assert_eq!(json_lines(&server, &["results", "--json", "--all-attempts", id]).len(), 1);
        for (environment, by) in ENVIRONMENTS.iter().flat_map(|it| [(*it, "one"), (*it, "two")]) {
            all.insert((environment.into(), id.clone(), by.into()), 1);
        }
    }
    assert_eq!(approvals(&server), all);

    for environment in ENVIRONMENTS {
        let mut listed = json_lines(&server, &["deployments", "--json", "--to", environment]);
        let runs: BTreeSet<String> = listed.iter().map(|it| it["id"].to_string()).collect();
        assert_eq!(runs.len(), listed.len(), "each once");
        listed.reverse();
        let done: Vec<&str> = listed
            .iter()
            .filter(|it| it["outcome"] == "success")
            .map(|it| it["commit"].as_str().unwrap())
            .collect();
        assert_eq!(done, mixed);
        let others = listed.iter().filter(|it| it["outcome"] != "success");
        assert!(others.clone().all(|it| it["outcome"] == "awaiting_approval"), "{listed:?}");
        let waited: BTreeSet<String> = others.clone().map(|it| it["commit"].to_string()).collect();
        assert_eq!(waited.len(), others.count(), "a commit waits once");
    }

    server.repo.git(&["fsck", "--strict"]);
    for clone in [&one, &two] {
        clone.git(&["fetch", "-q", "origin", "refs/tinyci/approvals/*:refs/tinyci/approvals/*"]);
        clone.git(&["fetch", "-q", "origin"]);
        clone.git(&["fsck", "--strict"]);
        for environment in ENVIRONMENTS {
            let theirs = format!("refs/tinyci/remotes/origin/deployments/{environment}");
            let ours = format!("refs/tinyci/deployments/{environment}");
            assert_eq!(clone.git(&["rev-parse", &theirs]), server.repo.git(&["rev-parse", &ours]));
        }
        let fetched = clone.git(&["for-each-ref", "--format=%(refname)", "refs/tinyci/approvals"]);
        assert_eq!(fetched.lines().count(), all.len());
    }
}
