//! What is deployed is what a job built and tested, or nothing is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;

use crate::support::{
    TestRepo, eventually,
    program::{Said, run, tinyci},
    server::{Gate, is_running},
};

/// A repository whose deployments leave in `live` what the build made.
struct Site {
    repo: TestRepo,
}

impl Site {
    fn new() -> Self {
        let repo = TestRepo::new();
        repo.git(&["config", "user.name", "Ada"]);
        repo.git(&["config", "user.email", "ada@example.org"]);
        Self { repo }
    }

    /// The same with a commit of this config, in which `@` is the folder around, which was run.
    fn green(config: &str) -> (Self, String) {
        let site = Self::new();
        let id = site.commit(config);
        site.says(&["run", "--all"]).with_code(0);
        (site, id)
    }

    fn commit(&self, config: &str) -> String {
        self.repo.commit_config(&config.replace('@', self.repo.outside().to_str().unwrap()))
    }

    fn says(&self, args: &[&str]) -> Said {
        run(&self.repo, args)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.repo.outside().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn build_dir(&self, id: &str) -> PathBuf {
        let time = self.repo.git(&["show", "-s", "--format=%ct", id]);
        self.repo.path().join(format!("builds/{time}_{id}"))
    }

    fn lose(&self, id: &str) {
        fs::remove_dir_all(self.build_dir(id)).unwrap();
    }

    fn plan(&self, args: &[&str]) -> Value {
        let said = self.says(&[args, &["--dry-run", "--json"]].concat()).with_code(0);
        serde_json::from_str(&said.out).unwrap()
    }

    fn deployments(&self) -> Vec<Value> {
        let said = self.says(&["deployments", "--json"]).with_code(0);
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn records(&self, id: &str) -> Vec<Value> {
        let note = self.repo.git(&["notes", "--ref", "runs/tinyci", "show", id]);
        note.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn verdict(&self, id: &str) -> Option<String> {
        self.repo.verdict(id)
    }
}

/// What a build makes, and a deployment needs.
const BUILDS: &str = "build: test ! -e @/broken && date +%N > built\ndeploy: cp built @/live\n";

#[test]
fn a_build_that_is_gone_is_made_again_and_that_is_said_before() {
    let (site, id) = Site::green(BUILDS);
    assert_eq!(site.plan(&["deploy"])["build"], "present");
    site.lose(&id);
    let plan = site.plan(&["deploy"]);
    assert_eq!(plan["build"], "missing");
    assert!(plan["build_took_ms"].is_u64(), "{plan}");
    let shown = site.says(&["deploy", "--dry-run"]).with_code(0).out;
    assert!(
        shown.contains("build: missing; the commit is built and tested again first (last time: "),
        "{shown}"
    );
    let asked = site.says(&["deploy"]).with_code(2).err;
    assert!(asked.contains("Its build is missing; "), "{asked}");

    site.says(&["deploy", "--yes"]).with_code(0);
    let built = fs::read_to_string(site.build_dir(&id).join("export/built")).unwrap();
    assert_eq!(site.read("live"), built);
    assert_eq!(site.verdict(&id).as_deref(), Some("success"));
    let outcomes: Vec<Value> =
        site.records(&id).into_iter().map(|it| it["outcome"].clone()).collect();
    assert_eq!(outcomes, ["success", "success"]);
    assert_eq!(site.plan(&["deploy"])["build"], "present", "it is the commit's build now");
    site.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(site.records(&id).len(), 2);
}

#[test]
fn a_red_rebuild_ends_the_deployment_and_is_no_verdict() {
    let (site, id) = Site::green(BUILDS);
    site.lose(&id);
    fs::write(site.path("broken"), "").unwrap();
    let said = site.says(&["deploy", "--yes"]).with_code(1);
    assert!(said.out.contains("its build was missing"), "{}{}", said.out, said.err);
    assert_eq!((site.read("live"), site.deployments().len()), (String::new(), 0));
    assert_eq!(site.verdict(&id).as_deref(), Some("success"));
    let records = site.records(&id);
    assert_eq!((&records[1]["outcome"], &records[1]["counts"]), (&"failure".into(), &false.into()));
    let shown = site.says(&["results", "--json"]).with_code(0).out;
    assert!(shown.contains("success") && !shown.contains("\"failure\""), "{shown}");

    // Nor does a merge take it for one.
    let clone = TestRepo::new();
    clone.git(&["remote", "add", "origin", site.repo.path().to_str().unwrap()]);
    run(&clone, &["setup-remote"]).with_code(0);
    clone.git(&["fetch", "-q"]);
    clone.git(&["update-ref", "refs/heads/main", "refs/remotes/origin/main"]);
    clone.git(&["notes", "--ref", "tinyci-result", "add", "-m", "failure", &id]);
    run(&clone, &["results", "--merge", "origin"]).with_code(0);
    assert_eq!(clone.verdict(&id).as_deref(), Some("success"));

    // A green one is, once the cause is gone.
    fs::remove_file(site.path("broken")).unwrap();
    site.says(&["deploy", "--yes"]).with_code(0);
    assert!(!site.read("live").is_empty());
}

/// The script is green on the topic by other commands than on main.
#[cfg(feature = "rhai")]
#[test]
fn a_green_commit_runs_first_for_the_branch_that_it_was_not_tested_for() {
    let site = Site::new();
    let script = "fn build(ctx) { sh(`echo ${ctx.branch} > built`); }\n\
                  fn test(ctx) { if ctx.branch == \"main\" { sh(\"test ! -e @/broken\"); } }\n\
                  fn deploy(ctx) { sh(\"cp built @/live\"); }\n";
    site.repo.write(".tinyci.rhai", script.replace('@', site.repo.outside().to_str().unwrap()));
    let id = site.repo.commit("script");
    site.repo.git(&["branch", "-q", "topic"]);
    site.repo.git(&["checkout", "-q", "--orphan", "main2"]);
    site.repo.git(&["branch", "-q", "-D", "main"]);
    site.says(&["run", "topic"]).with_code(0);
    site.repo.git(&["checkout", "-q", "-f", "-B", "main", "topic"]);
    assert_eq!(site.plan(&["deploy"])["build"], "other_branch");
    let shown = site.says(&["deploy", "--dry-run"]).with_code(0).out;
    assert!(shown.contains("built and tested for `main` first"), "{shown}");

    fs::write(site.path("broken"), "").unwrap();
    let said = site.says(&["deploy", "--yes"]).with_code(1);
    assert!(said.out.contains("its build was of another branch"), "{}{}", said.out, said.err);
    assert_eq!(site.verdict(&id).as_deref(), Some("success"), "on the topic it is green");
    fs::remove_file(site.path("broken")).unwrap();
    site.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(site.read("live"), "main\n");
    assert_eq!(site.plan(&["deploy"])["build"], "present");
    assert_eq!(site.records(&id).len(), 3);
}

/// A green word over an export that no finished job left.
#[test]
fn what_a_canceled_retry_leaves_is_no_build() {
    let site = Site::new();
    let gate = Gate::new(site.path("gate"));
    gate.open();
    let build = serde_json::to_string(&format!("{}; date +%N > built", gate.command())).unwrap();
    let id = site.commit(&format!("build: {build}\ndeploy: cp built @/live\n"));
    site.says(&["run", "--all"]).with_code(0);
    gate.close(&id);
    let mut retry = tinyci(site.repo.path());
    let mut retry = retry.args(["run", "--retry", &id]).stdout(Stdio::null()).spawn().unwrap();
    gate.reached_by(&id);
    let pid = rustix::process::Pid::from_child(&retry);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(retry.wait().unwrap().code(), Some(130));
    assert_eq!(site.verdict(&id).as_deref(), Some("success"));
    assert!(site.build_dir(&id).join("export").is_dir());
    assert_eq!(site.plan(&["deploy"])["build"], "missing");
    gate.open();
    site.says(&["deploy", "--yes"]).with_code(0);
    assert!(!site.read("live").is_empty());
}

/// A build of TinyCI 0.5, one that a rollback leads to, and one that nothing changed for.
#[test]
fn builds_of_every_kind_that_lack_something_count_as_gone() {
    let (site, first) = Site::green(BUILDS);
    fs::remove_file(site.build_dir(&first).join("job.json")).unwrap();
    assert_eq!(site.plan(&["deploy"])["build"], "missing", "nobody knows whose it is");
    site.says(&["deploy", "--yes"]).with_code(0);

    let config = "build: {run: date +%N > built, when: {changed: 'src/**'}}\n\
                  deploy: cp built @/live\n";
    site.repo.write("src/main", "1");
    let second = site.commit(config);
    site.says(&["run", "--all"]).with_code(0);
    site.repo.write("README", "more");
    let third = site.repo.commit("a README");
    site.says(&["run", "--all"]).with_code(0);
    assert!(!site.build_dir(&third).join("export/built").exists());
    let plan = site.plan(&["deploy"]);
    assert_eq!((&plan["build"], plan["commit"]["id"].as_str()), (&"missing".into(), Some(&*third)));
    site.says(&["deploy", "--yes"]).with_code(0);
    let built = fs::read_to_string(site.build_dir(&third).join("export/built")).unwrap();
    assert_eq!(site.read("live"), built, "a rebuild leaves out nothing for want of a change");
    assert_eq!(site.plan(&["deploy", &second])["build"], "present");

    site.lose(&first);
    assert_eq!(site.plan(&["rollback"])["build"], "missing");
    site.says(&["rollback", "--yes"]).with_code(0);
    assert_eq!(site.verdict(&first).as_deref(), Some("success"));
}

#[test]
fn what_has_no_build_has_nothing_to_lose_and_says_so() {
    let (site, id) = Site::green("test: \"true\"\ndeploy: cp .tinyci.yml @/live\n");
    site.lose(&id);
    let shown = site.says(&["deploy", "--dry-run"]).with_code(0).out;
    assert!(shown.contains("build: none, because the config builds nothing"), "{shown}");
    site.says(&["deploy", "--yes"]).with_code(0);
    assert!(!site.read("live").is_empty());
    assert_eq!(site.records(&id).len(), 1);
}

#[cfg(feature = "rhai")]
#[test]
fn a_script_that_discards_its_export_has_nothing_to_lose() {
    let site = Site::new();
    let live = site.path("live");
    let script = format!(
        "fn build(ctx) {{ sh(\"date > built\"); remember(\"image\", \"app:1\"); discard_export(); }}\n\
         fn deploy(ctx) {{ sh(`echo ${{recall(\"image\")}} > {}`); }}\n",
        live.display()
    );
    site.repo.write(".tinyci.rhai", script);
    let id = site.repo.commit("script");
    site.says(&["run", "--all"]).with_code(0);
    let shown = site.says(&["deploy", "--dry-run"]).with_code(0).out;
    assert!(shown.contains("the script discarded it"), "{shown}");
    for _ in 0..2 {
        site.says(&["deploy", "--yes"]).with_code(0);
        assert_eq!((site.read("live"), site.records(&id).len()), ("app:1\n".to_owned(), 1));
    }
}

#[test]
fn bare_deploys_the_files_at_once_and_says_so_on_record() {
    let (site, id) = Site::green("build: date > built\ndeploy: ls > @/live\n");
    let shown = site.says(&["deploy", "--bare", "--dry-run"]).with_code(0).out;
    assert!(shown.contains("build: not used (--bare)"), "{shown}");
    site.says(&["deploy", "--bare", "--yes"]).with_code(0);
    assert_eq!(site.read("live"), "", "the files alone, also if the build is there");
    site.lose(&id);
    site.says(&["deploy", "--bare", "--yes"]).with_code(0);
    let newest = site.deployments().remove(0);
    assert_eq!((&newest["bare"], site.records(&id).len()), (&true.into(), 1));
    assert!(site.says(&["deployments"]).with_code(0).out.contains(", bare"));
    site.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(site.read("live"), "built\n");
    assert!(site.deployments()[0].get("bare").is_none());
}

/// `--force` takes a red test for what it is, and no failed build for a build.
#[test]
fn a_forced_commit_is_deployed_if_its_build_can_be_made() {
    let site = Site::new();
    let id = site.commit(
        "build: test ! -e @/broken && echo 1 > built\ntest: \"false\"\n\
                          deploy: cp built @/live\n",
    );
    site.says(&["run", "--all"]).with_code(1);
    site.lose(&id);
    fs::write(site.path("broken"), "").unwrap();
    site.says(&["deploy", &id, "--force", "--yes"]).with_code(1);
    assert_eq!(site.read("live"), "");
    fs::remove_file(site.path("broken")).unwrap();
    site.says(&["deploy", &id, "--force", "--yes"]).with_code(0);
    assert_eq!((site.read("live"), site.verdict(&id).as_deref()), ("1\n".into(), Some("failure")));
}

/// What is there waits for no run; what is gone takes its turn between two commits.
#[test]
fn a_rebuild_takes_the_lock_between_two_commits_and_the_run_goes_on() {
    let config = "build: date +%N > built && cp built @/rebuilt\ndeploy: cp built @/live\n";
    let (site, first) = Site::green(config);
    let gate = Gate::new(site.path("gate"));
    let build = serde_json::to_string(&gate.command()).unwrap();
    let held = site.commit(&format!("build: {build}\n"));
    let built = site.build_dir(&first).join("export/built");
    let last = site.commit(&format!("build: test -s {}\n", built.display()));
    let mut all = tinyci(site.repo.path());
    let all = all.args(["run", "--all"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let all = all.spawn().unwrap();
    gate.reached_by(&held);
    site.says(&["deploy", &first, "--yes"]).with_code(0);
    assert!(is_running(&site.repo.path().join(".git")), "a build that is there waits for nobody");

    site.lose(&first);
    // What is deployed after that is under no lock.
    fs::remove_file(site.path("rebuilt")).unwrap();
    let log = site.path("log");
    let mut deploy = tinyci(site.repo.path());
    deploy.args(["deploy", &first, "--yes"]).stdout(fs::File::create(&log).unwrap());
    let mut deploy = deploy.spawn().unwrap();
    eventually("it says what it waits for", || {
        let said = site.read("log");
        said.contains(&held[..7]) && said.contains("is rebuilt for its deployment")
    });
    gate.open();
    assert_eq!(deploy.wait().unwrap().code(), Some(0));
    let said = Said::of(&all.wait_with_output().unwrap()).with_code(0);
    assert!(said.out.contains("this run continues after that"), "{}{}", said.out, said.err);
    assert_eq!(site.verdict(&last).as_deref(), Some("success"), "the build came before it");
}

/// Who finds the repository busy with a rebuild is promised a look.
#[test]
fn a_rebuild_looks_for_those_who_found_the_repository_busy() {
    let site = Site::new();
    let gate = Gate::new(site.path("gate"));
    gate.open();
    let build = serde_json::to_string(&gate.command()).unwrap();
    let first = site.commit(&format!("build: {build}\ndeploy: \"true\"\n"));
    site.says(&["run", "--all"]).with_code(0);
    site.lose(&first);
    gate.close(&first);
    let mut deploy = tinyci(site.repo.path());
    let mut deploy = deploy.args(["deploy", "--yes"]).stdout(Stdio::null()).spawn().unwrap();
    gate.reached_by(&first);
    let second = site.commit("build: \"true\"\n");
    site.says(&["run", "--all", "--no-wait"]).with_code(3);
    gate.open();
    assert_eq!(deploy.wait().unwrap().code(), Some(0));
    assert_eq!(site.verdict(&second).as_deref(), Some("success"));
}

/// Whatever the way, nothing is left of exports that nothing runs.
fn exports(build: &Path) -> Vec<String> {
    let entries = fs::read_dir(build).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("export")).collect();
    names.sort();
    names
}

/// A config whose deployment turns a link to its export.
const LINKS: &str = "build: test ! -e @/broken && echo $TINYCI_JOB_ID > page\n\
                     deploy: {run: 'ln -sfn $TINYCI_EXPORT @/$TINYCI_ENVIRONMENT', \
                     environment: [staging, production]}\n";

#[test]
fn a_retry_of_what_is_live_is_refused_unless_somebody_wants_it() {
    let (site, id) = Site::green(LINKS);
    site.says(&["deploy", "--yes"]).with_code(0);
    let page = site.read("production/page");
    fs::write(site.path("broken"), "").unwrap();
    for forced in [&["run", "--retry", "HEAD"][..], &["run", "--retry", "HEAD~0", "HEAD"]] {
        let said = site.says(forced).with_code(2);
        for part in [&id[..7], "`production`", "--replace-live"] {
            assert!(said.err.contains(part), "{}", said.err);
        }
        assert_eq!(site.read("production/page"), page);
    }
    site.says(&["deploy", "--force", "--yes"]).with_code(0);
    assert_eq!(site.read("production/page"), page, "nor does a forced deployment");
    site.says(&["run", "--retry", "--replace-live", "HEAD"]).with_code(1);
    assert_eq!(site.read("production/page"), "", "somebody wanted it");
    fs::remove_file(site.path("broken")).unwrap();
    site.says(&["run", "--retry", "--replace-live", "HEAD"]).with_code(0);
    assert_ne!(site.read("production/page"), "");

    // What is gone cannot be replaced.
    site.lose(&id);
    site.says(&["run", "--retry", "HEAD"]).with_code(0);
}

#[test]
fn what_is_built_again_stands_beside_what_is_live_until_nothing_runs_it() {
    let (site, id) = Site::green(LINKS);
    site.says(&["deploy", "--yes"]).with_code(0);
    let (old, build) = (site.read("production/page"), site.build_dir(&id));
    // Nobody knows any more whose build it is, so that a deployment elsewhere makes it again.
    fs::remove_file(build.join("job.json")).unwrap();
    site.says(&["deploy", "--to", "staging", "--yes"]).with_code(0);
    let new = site.read("staging/page");
    assert!(!new.is_empty() && new != old);
    assert_eq!(site.read("production/page"), old, "what is live was not touched");
    assert_eq!(exports(&build).len(), 2);
    let beside = fs::read_link(site.path("staging")).unwrap();
    assert!(beside.ends_with(format!("export.{}", new.trim())), "a path of its own: {beside:?}");

    // It is the commit's build for what comes next, and the old one goes with its last place.
    site.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!((site.read("production/page"), site.records(&id).len()), (new.clone(), 2));
    assert_eq!(exports(&build), [beside.file_name().unwrap().to_str().unwrap()]);
    let export = &site.deployments()[0]["export"];
    assert_eq!(export.as_str(), beside.file_name().unwrap().to_str());

    // A red one beside it changes nothing.
    fs::remove_file(build.join("job.json")).unwrap();
    fs::write(site.path("broken"), "").unwrap();
    site.says(&["deploy", "--to", "staging", "--yes"]).with_code(1);
    assert_eq!((site.read("production/page"), site.read("staging/page")), (new.clone(), new));
    assert_eq!(exports(&build).len(), 1);
}

/// A deployment may turn its link and fail after that.
#[test]
fn the_export_of_a_deployment_that_failed_stays_until_another_one_succeeds() {
    let (site, id) = Site::green(
        "build: echo $TINYCI_JOB_ID > page\n\
         deploy: 'ln -sfn $TINYCI_EXPORT @/current; test -e @/fine'\n",
    );
    let leads_to_files = || site.path("current/.tinyci.yml").exists();
    fs::write(site.path("fine"), "").unwrap();
    site.says(&["deploy", "--bare", "--yes"]).with_code(0);
    fs::remove_file(site.path("fine")).unwrap();
    for _ in 0..2 {
        site.says(&["deploy", "--bare", "--yes"]).with_code(1);
        assert!(leads_to_files());
    }
    assert_eq!(exports(&site.build_dir(&id)).len(), 4, "nobody knows where the link leads");
    site.says(&["run", "--retry", "--replace-live", &id]).with_code(0);
    assert!(leads_to_files());

    fs::write(site.path("fine"), "").unwrap();
    site.says(&["deploy", "--yes"]).with_code(0);
    assert!(leads_to_files());
    assert_eq!(exports(&site.build_dir(&id)).len(), 1);
}

#[test]
fn of_two_live_exports_the_one_that_is_not_replaced_stays() {
    let (site, id) = Site::green(LINKS);
    site.says(&["deploy", "--to", "staging", "--yes"]).with_code(0);
    let page = site.read("staging/page");
    site.says(&["deploy", "--bare", "--yes"]).with_code(0);
    site.says(&["run", "--retry", "--replace-live", &id]).with_code(0);
    assert!(site.path("production/.tinyci.yml").exists(), "the files alone are live there");
    let new = site.read("staging/page");
    assert!(!new.is_empty() && new != page, "the build's own export is replaced");
}

/// A script may discard its export where it is deployed, and not where another environment runs it.
#[cfg(feature = "rhai")]
#[test]
fn a_deployment_discards_no_export_that_another_environment_runs() {
    let site = Site::new();
    let around = site.repo.outside().display().to_string();
    let script = "const DEPLOY = #{ environment: [\"staging\", \"production\"] };\n\
                  fn build(ctx) { sh(\"echo 1 > page\"); }\n\
                  fn deploy(ctx) {\n\
                  sh(\"ln -sfn $TINYCI_EXPORT @/$TINYCI_ENVIRONMENT\");\n\
                  if ctx.environment == \"production\" { discard_export(); }\n}\n";
    site.repo.write(".tinyci.rhai", script.replace('@', &around));
    let id = site.repo.commit("script");
    site.says(&["run", "--all"]).with_code(0);
    site.says(&["deploy", "--to", "staging", "--yes"]).with_code(0);
    let said = site.says(&["deploy", "--yes"]).with_code(0);
    assert!(
        said.out.contains("keeping the export: it is also deployed to `staging`"),
        "{}{}",
        said.out,
        said.err
    );
    assert_eq!(site.read("staging/page"), "1\n");

    site.says(&["deployments", "--retire", "staging"]).with_code(0);
    site.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(exports(&site.build_dir(&id)), Vec::<String>::new());
}
