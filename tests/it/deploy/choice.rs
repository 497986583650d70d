//! Which commit is deployed if nobody names one: of histories of every kind, by real pushes.

use std::{fs, path::PathBuf};

use crate::support::{
    TestRepo,
    program::{Said, run},
    server::{Pushed, Server},
};

/// A server whose deployments leave a line in `live`. A commit is red if it holds a file `red`.
struct Site {
    server: Server,
    live: PathBuf,
}

impl Site {
    /// With a config on `main` that has `more` in its `deploy`.
    fn new(more: &str) -> (Self, String) {
        let server = Server::new();
        for repo in [&server.client, &server.repo] {
            repo.git(&["config", "user.name", "Grace"]);
            repo.git(&["config", "user.email", "grace@example.org"]);
        }
        let live = server.outside("live");
        let site = Self { server, live };
        site.client().write(".tinyci.yml", site.config(more));
        let first = site.client().commit("first");
        (site, first)
    }

    fn config(&self, more: &str) -> String {
        let run = format!("echo $TINYCI_COMMIT >> {}", self.live.display());
        format!("build: test ! -e red\ndeploy: {{run: '{run}'{more}}}\n")
    }

    fn client(&self) -> &TestRepo {
        &self.server.client
    }

    fn git(&self, args: &[&str]) -> String {
        self.client().git(args)
    }

    fn push(&self, args: &[&str]) -> Pushed {
        self.server.push(args)
    }

    /// A commit that is pushed, on the branch that is checked out.
    fn pushed(&self, message: &str) -> String {
        let id = self.client().commit(message);
        self.push(&["HEAD"]);
        id
    }

    fn says(&self, args: &[&str]) -> Said {
        run(&self.server.repo, args)
    }

    fn plan(&self) -> serde_json::Value {
        let said = self.says(&["deploy", "--dry-run", "--json"]).with_code(0);
        serde_json::from_str(&said.out).unwrap()
    }

    fn candidate(&self) -> String {
        self.plan()["commit"]["id"].as_str().unwrap().to_owned()
    }

    fn live(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.live).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What each deployment came to, the newest first.
    fn outcomes(&self) -> Vec<String> {
        let listed = self.says(&["deployments", "--json"]).with_code(0).out;
        let json = listed.lines().map(serde_json::from_str::<serde_json::Value>);
        json.map(|json| json.unwrap()["outcome"].as_str().unwrap().to_owned()).collect()
    }
}

/// Neither what a merge brought nor what a clock calls newer is what the branch was.
#[test]
fn a_red_merge_does_not_deploy_the_topic_by_itself() {
    let (site, first) = Site::new("");
    site.push(&["main"]);
    site.git(&["branch", "topic"]);
    let on_main = site.pushed("on main");
    // By its clock the topic is the newest for years to come.
    site.git(&["switch", "-q", "topic"]);
    let mut later = site.client().command();
    later.args(["commit", "-q", "--allow-empty", "-m", "on the topic"]);
    assert!(later.env("GIT_COMMITTER_DATE", "2040-01-01T00:00:00Z").status().unwrap().success());
    let topic = site.git(&["rev-parse", "HEAD"]);
    site.push(&["topic"]);
    site.git(&["switch", "-q", "main"]);
    site.git(&["merge", "-q", "--no-ff", "--no-commit", "topic"]);
    site.client().write("red", "");
    let merge = site.pushed("a red merge");
    assert_eq!(site.server.verdicts(&[&merge, &topic]), ["failure", "success"]);
    assert_eq!(site.candidate(), on_main);
    let over = site.plan()["ineligible"].to_string();
    assert!(over.contains("it was never the tip of `main`"), "{over}");

    // Nor is it taken where something is deployed that it would contain.
    site.says(&["deploy", &first, "--yes"]).with_code(0);
    assert_eq!(site.candidate(), on_main);
}

/// A person's `git pull` makes what was the tip the second parent.
#[test]
fn what_a_push_made_the_tip_is_a_candidate_beside_the_line_of_first_parents() {
    let (site, _) = Site::new("");
    site.push(&["main"]);
    site.git(&["switch", "-q", "-c", "mine"]);
    site.client().write("red", "");
    site.client().commit("mine, and red");
    site.git(&["switch", "-q", "main"]);
    let tip = site.pushed("the tip");
    site.git(&["switch", "-q", "mine"]);
    site.git(&["merge", "-q", "--no-edit", "main"]);
    site.push(&["mine:main"]);
    assert_eq!(site.candidate(), tip, "and not the one before");
}

#[test]
fn of_several_branches_the_newest_contains_the_others_or_is_named() {
    let (site, first) = Site::new(", branch: [main, 'release/*']");
    site.push(&["main"]);
    site.git(&["switch", "-q", "-c", "release/1"]);
    let release = site.pushed("on the release");
    assert_eq!(site.candidate(), release);
    site.git(&["switch", "-q", "main"]);
    let on_main = site.pushed("on main");
    let said = site.says(&["deploy", "--yes"]).with_code(2);
    for named in [&release, &on_main] {
        assert!(said.err.contains(&named[..7]), "{}", said.err);
    }
    assert!(site.live().is_empty());

    // What is deployed decides which line goes on.
    site.says(&["deploy", &release, "--yes"]).with_code(0);
    assert_eq!(site.candidate(), release);
    site.says(&["deploy", &first, "--yes"]).with_code(0);
    site.says(&["deploy", "--yes"]).with_code(2);
    site.git(&["merge", "-q", "--no-ff", "-m", "merge", "release/1"]);
    let merge = site.git(&["rev-parse", "HEAD"]);
    site.push(&["main"]);
    assert_eq!(site.candidate(), merge);
}

#[test]
fn by_itself_the_pushed_branch_is_deployed() {
    let (site, _) = Site::new(", branch: [main, 'release/*'], auto: true");
    site.push(&["main"]);
    site.git(&["branch", "release/1"]);
    let on_main = site.pushed("on main");
    assert_eq!(site.live().last(), Some(&on_main));
    site.git(&["switch", "-q", "release/1"]);
    let release = site.client().commit("on the release");
    let pushed = site.push(&["release/1"]);
    let why =
        format!("{}, which is deployed to `production`, is not on `release/1`", &on_main[..7]);
    assert!(pushed.err.replace("\nremote: ", " ").contains(&why), "{}", pushed.err);
    assert_eq!(site.live().last(), Some(&on_main));
    site.says(&["deploy", &release, "--yes"]).with_code(0);
    let next = site.pushed("and on");
    assert_eq!(site.live().last(), Some(&next));
}

/// The branch first, the tag later: an attempt that had nothing to do counts for none.
#[test]
fn a_tag_that_comes_later_deploys_by_itself() {
    let (site, _) = Site::new(", auto: true, when: {tag: 'v*'}");
    let first = site.pushed("release");
    assert_eq!((site.live(), site.outcomes()), (vec![], vec![]), "no entry of what is not due");
    site.git(&["tag", "other"]);
    site.push(&["other"]);
    assert!(site.outcomes().is_empty());
    site.git(&["tag", "-a", "-m", "one", "v1"]);
    site.push(&["v1"]);
    assert_eq!(site.live(), [first.as_str()]);

    // Of several the newest by topology, and only once.
    let older = site.pushed("older");
    let newer = site.client().commit("newer");
    site.git(&["tag", "v3", &older]);
    site.git(&["tag", "v2", &newer]);
    site.push(&["main", "--tags"]);
    assert_eq!(site.live(), [first.as_str(), &newer]);
    site.git(&["tag", "v2.1"]);
    site.push(&["v2.1"]);
    assert_eq!(site.outcomes(), ["success", "success"]);

    site.git(&["tag", "v0", &first]);
    let pushed = site.push(&["v0"]);
    assert!(pushed.err.contains("`tinyci deploy v0`"), "{}", pushed.err);
    assert_eq!(site.live().len(), 2);
    site.says(&["deploy", "v0", "--yes"]).with_code(0);
    assert_eq!(site.live().last(), Some(&first));
}

#[test]
fn what_was_rolled_back_does_not_come_back_by_itself() {
    for more in ["", ", auto: true"] {
        let (site, first) = Site::new(more);
        site.push(&["main"]);
        let second = site.pushed("second");
        site.says(&["deploy", &first, "--yes"]).with_code(0);
        site.says(&["deploy", &second, "--yes"]).with_code(0);
        site.says(&["rollback", "--yes"]).with_code(0);
        assert_eq!(site.candidate(), first, "what was deployed before stays");
        let over = site.plan()["ineligible"].to_string();
        assert!(over.contains("it was rolled back"), "{over}");
        site.client().write("red", "");
        site.pushed("red");
        site.git(&["tag", "again", &second]);
        site.push(&["again"]);
        assert_eq!(site.live().last(), Some(&first));
        assert_eq!(site.candidate(), first);

        // One that is beside it, instead of above it, is left to people.
        site.git(&["checkout", "-q", "-B", "main", &first]);
        let beside = site.client().commit("beside");
        site.push(&["-f", "main"]);
        assert_eq!((site.candidate(), site.live().last()), (first.clone(), Some(&first)));
        site.says(&["deploy", &beside, "--yes"]).with_code(0);
        site.says(&["rollback", "--yes"]).with_code(0);

        site.git(&["checkout", "-q", "-B", "main", &second]);
        site.git(&["merge", "-q", "--no-edit", &beside]);
        let fixed = site.client().commit("fixed");
        site.push(&["-f", "main"]);
        match more {
            "" => assert_eq!(site.candidate(), fixed),
            _ => assert_eq!(site.live().last(), Some(&fixed)),
        }
    }
    let (site, first) = Site::new("");
    site.push(&["main"]);
    let second = site.pushed("second");
    for id in [&first, &second] {
        site.says(&["deploy", id, "--yes"]).with_code(0);
    }
    site.says(&["rollback", "--yes"]).with_code(0);
    site.says(&["deploy", &second, "--yes"]).with_code(0);
    assert_eq!(site.candidate(), second, "a person named it");
}

#[test]
fn after_a_force_push_nothing_is_lost_unless_a_person_names_what_comes() {
    let (site, first) = Site::new(", auto: true");
    site.push(&["main"]);
    let second = site.pushed("second");
    let third = site.pushed("third");
    assert_eq!(site.live(), [&first, &second, &third].map(String::clone));
    site.git(&["reset", "-q", "--hard", &first]);
    let other = site.client().commit("another second");
    let pushed = site.push(&["-f", "main"]);
    let shown = pushed.err.replace("\nremote: ", " ");
    assert!(shown.contains("is not on `main`") && shown.contains("would be lost"), "{shown}");
    assert_eq!(site.live().len(), 3);

    let plan = site.plan();
    assert_eq!(plan["must_be_named"], true);
    assert_eq!(plan["commit"]["id"].as_str(), Some(other.as_str()));
    let said = site.says(&["deploy", "--dry-run"]).with_code(0);
    for shown in ["removes:", "second", "third", "does not contain the deployed commit"] {
        assert!(said.out.contains(shown), "{}", said.out);
    }
    let said = site.says(&["deploy", "--yes"]).with_code(2);
    assert!(said.err.contains(&format!("tinyci deploy {}", &other[..7])), "{}", said.err);
    assert_eq!(site.live().len(), 3);

    // Back to what is on no branch any more: only by force, and on record.
    let said = site.says(&["rollback", "--yes"]).with_code(2);
    assert!(said.err.contains("--force"), "{}", said.err);
    let plan = site.says(&["rollback", "--force", "--dry-run"]).with_code(0);
    assert!(plan.out.contains("is not on a branch that deploys (--force)"), "{}", plan.out);
    site.says(&["rollback", "--force", "--yes"]).with_code(0);
    assert_eq!(site.live().last(), Some(&second));
    let listed = site.says(&["deployments", "--json"]).with_code(0).out;
    let newest: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!((&newest["forced"], &newest["rollback"]), (&true.into(), &true.into()));

    site.says(&["deploy", &other, "--yes"]).with_code(0);
    let next = site.pushed("and on");
    assert_eq!(site.live().last(), Some(&next));
    let forced = site.says(&["deploy", &third, "--force", "--yes"]).with_code(2);
    assert!(forced.err.contains("not on `main`"), "only a rollback: {}", forced.err);
}

#[test]
fn pushes_that_wait_for_an_approval_leave_one_entry() {
    let (site, _) = Site::new(", auto: true, approve: true");
    let mut tip = String::new();
    for message in ["one", "two", "three"] {
        tip = site.pushed(message);
    }
    assert_eq!(site.outcomes(), ["awaiting_approval"]);
    let listed = site.says(&["deployments", "--json"]).with_code(0).out;
    assert!(listed.contains(&tip), "the newest: {listed}");
    site.says(&["approve", &tip]).with_code(0);
    site.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!((site.live(), site.outcomes().len()), (vec![tip], 2));
}

/// A script that skips before it does anything has conditions too.
#[cfg(feature = "rhai")]
#[test]
fn a_script_that_skips_leaves_no_entry_and_may_be_due_later() {
    let (site, _) = Site::new("");
    site.git(&["rm", "-q", ".tinyci.yml"]);
    let script = format!(
        "const DEPLOY = #{{ auto: true }};\nfn build(ctx) {{}}\nfn deploy(ctx) {{\n  \
         if ctx.tags.is_empty() {{ skip(\"no release\"); }}\n  \
         sh(\"echo $TINYCI_COMMIT >> {}\");\n}}\n",
        site.live.display()
    );
    site.client().write(".tinyci.rhai", script);
    let id = site.pushed("script");
    assert!(site.live().is_empty() && site.outcomes().is_empty());
    site.says(&["deploy", "--yes"]).with_code(1);
    assert_eq!(site.outcomes(), ["skipped"], "a person's attempt is on record");
    site.git(&["tag", "v1"]);
    site.push(&["v1"]);
    assert_eq!((site.live(), site.outcomes().len()), (vec![id], 2));
}

#[test]
fn many_branches_at_one_commit_cost_one_look() {
    let (site, first) = Site::new(", branch: '*'");
    site.push(&["main"]);
    let refs: String =
        (0..1000).map(|number| format!("create refs/heads/b{number} {first}\n")).collect();
    let list = site.server.outside("refs");
    fs::write(&list, refs).unwrap();
    let mut update = site.server.repo.command();
    update.args(["update-ref", "--stdin"]).stdin(fs::File::open(&list).unwrap());
    assert!(update.status().unwrap().success());
    let begun = std::time::Instant::now();
    assert_eq!(site.candidate(), first);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

/// What is refused of a push stops nothing else that came with it, and is told if nothing did.
#[test]
fn what_cannot_be_deployed_is_not_in_the_way_of_what_came_with_it() {
    let (site, first) = Site::new(", branch: [main, side], auto: true");
    site.push(&["main"]);
    let second = site.pushed("second");
    site.git(&["tag", "old", &first]);
    let third = site.client().commit("third");
    let said = site.push(&["main", "old"]).err;
    assert!(!said.contains("nothing was deployed"), "{said}");
    assert_eq!(site.live(), [&*first, &*second, &*third]);

    // A branch that lacks what is deployed, along with one that does not.
    site.git(&["checkout", "-q", "-b", "side", &first]);
    site.client().commit("aside");
    site.git(&["checkout", "-q", "main"]);
    let fourth = site.client().commit("fourth");
    site.push(&["side", "main"]);
    assert_eq!(site.live().last(), Some(&fourth));

    // What a forced push takes away from the branch still runs, and the pusher is told.
    let said = site.push(&["-f", &format!("{second}:main")]).err;
    assert!(said.contains(&format!("{}, which is deployed", &fourth[..7])), "{said}");
    site.push(&["-f", "main"]);

    site.says(&["rollback", "--yes"]).with_code(0);
    site.git(&["tag", "again", &fourth]);
    let said = site.push(&["again"]).err;
    assert!(said.contains("was rolled back") && said.contains("tinyci deploy again"), "{said}");
    assert_eq!(site.live().last(), Some(&third));
}
