//! `deploy`, `rollback`, `approve` and `deploys` as a person types them.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use crate::support::{
    TestRepo, eventually,
    program::{Said, run, tinyci},
    server::{Gate, is_running, search_path},
};

/// A repository with somebody in it and a commit of this config, which was run.
fn green(config: &str) -> (TestRepo, String) {
    let repo = TestRepo::new();
    repo.git(&["config", "user.name", "Ada"]);
    repo.git(&["config", "user.email", "ada@example.org"]);
    let around = repo.outside().display().to_string();
    let id = repo.commit_config(&config.replace('@', &around));
    run(&repo, &["run", "--all"]).with_code(0);
    (repo, id)
}

const CONFIG: &str = "build: \"true\"\ndeploy: echo live\n";

/// The program on a terminal, on which somebody types this once they are asked.
fn on_terminal(repo: &TestRepo, command: &str, typed: &str) -> Said {
    let mut terminal = Command::new("script");
    terminal.args(["-qec", command, "/dev/null"]).current_dir(repo.path());
    terminal.env("PATH", search_path()).env("TERM", "dumb");
    terminal.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = terminal.spawn().unwrap();
    let (mut asked, mut next) = (Vec::new(), [0]);
    let mut stdout = child.stdout.take().unwrap();
    while !asked.ends_with(b"[y/N] ") && stdout.read(&mut next).unwrap() > 0 {
        asked.extend(next);
    }
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    stdout.read_to_end(&mut asked).unwrap();
    drop(stdin);
    let said = Said::of(&child.wait_with_output().unwrap());
    Said { out: String::from_utf8_lossy(&asked).into_owned(), ..said }
}

#[test]
fn a_person_is_asked_and_nobody_agrees_for_them() {
    let (repo, id) = green(CONFIG);
    let short = &id[..7];
    let said = run(&repo, &["deploy"]).with_code(2);
    assert!(
        said.err.contains("standard input is not a terminal") && said.err.contains("--yes"),
        "{}",
        said.err
    );
    for no in ["n\n", "\n", "maybe\n"] {
        let said = on_terminal(&repo, "tinyci deploy", no).with_code(1);
        assert!(said.out.contains(&format!("Deploy {short} to production? [y/N]")), "{}", said.out);
        assert!(said.out.contains("nothing was deployed"), "{}", said.out);
    }
    // Ctrl-C on the terminal: the signal, and the exit code that goes back over ssh.
    let said = on_terminal(&repo, "tinyci deploy", "\u{3}").with_code(130);
    assert!(said.out.contains("nothing was deployed"), "{}", said.out);
    assert_eq!(run(&repo, &["deployments", "--json"]).with_code(0).out, "");
    let said = on_terminal(&repo, "tinyci deploy", "y\n").with_code(0);
    assert!(said.out.contains("live") && said.out.contains("Deployed"), "{}", said.out);
}

/// A tool that keeps what it built where its variable says, as cargo does, and by a time stamp takes
/// what is there for newer than an older source.
const BUILDER: &str = "out=${CARGO_TARGET_DIR:-target}; mkdir -p $out; \
                       [ $out/app -nt version ] || cp version $out/app; cp $out/app @/live";

#[test]
fn a_rollback_that_builds_deploys_the_older_version() {
    let repo = TestRepo::new();
    let shared = repo.outside().join("one-target-for-all");
    let builder = BUILDER.replace('@', repo.outside().to_str().unwrap());
    repo.write(".tinyci.yml", format!("build: 'true'\ndeploy: {builder:?}\n"));
    let deploy = |arguments: &[&str]| {
        let mut command = tinyci(repo.path());
        let said = command.args(arguments).env("CARGO_TARGET_DIR", &shared).output().unwrap();
        Said::of(&said).with_code(0)
    };
    for version in ["one", "two"] {
        repo.write("version", version);
        repo.commit(version);
        deploy(&["run", "--all"]);
        let said = deploy(&["deploy", "--yes"]);
        let remedy = "git config --add tinyci.passEnv +CARGO_TARGET_DIR";
        assert_eq!(said.out.matches(remedy).count() + said.err.matches(remedy).count(), 1);
    }
    deploy(&["rollback", "--yes"]);
    let live = std::fs::read_to_string(repo.outside().join("live")).unwrap();
    assert_eq!(live, "one");
    assert!(!shared.exists());
}

#[test]
fn a_plan_shows_what_runs_what_comes_and_what_lies_between() {
    let (repo, first) = green(CONFIG);
    let said = run(&repo, &["deploy", "--dry-run"]).with_code(0);
    let expected = format!(
        "Deploy to production\n  now:  nothing is deployed\n  then: {} config\n  actions:\n    \
         $ echo live\n",
        &first[..7]
    );
    assert_eq!(said.out, expected);
    assert_eq!(run(&repo, &["deployments"]).with_code(0).err, "tinyci: no deployments yet\n");
    run(&repo, &["deploy", "--yes", "-q"]).with_code(0);
    let (second, third) = (repo.commit("second"), repo.commit("\u{1b}[2Jthird"));
    run(&repo, &["run", "--all"]).with_code(0);
    let red = repo.commit_config("build: \"false\"\n");
    run(&repo, &["run", "--all"]).with_code(1);
    let said = run(&repo, &["deploy", "--dry-run"]).with_code(0);
    let expected = format!(
        "Deploy to production\n  now:  {}, deployed by Ada <ada@example.org>\n  \
         then: {} ^[[2Jthird\n  adds:\n    {} ^[[2Jthird\n    {} second\n  \
         ineligible:\n    {} its verdict is failure\n  actions:\n    $ echo live\n",
        &first[..7],
        &third[..7],
        &third[..7],
        &second[..7],
        &red[..7]
    );
    assert_eq!(said.out, expected);
    let said = run(&repo, &["deploy", "--dry-run", "--json"]).with_code(0);
    let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(plan["commit"]["id"], third);
    assert_eq!(plan["deployed"]["commit"], first);
    assert_eq!(plan["added"].as_array().unwrap().len(), 2);
    assert_eq!(plan["ineligible"][0]["commit"], red);
}

#[test]
fn every_way_to_end_has_its_exit_code() {
    let (repo, _) = green("build: \"true\"\ndeploy: test -e @/ready\n");
    let failed = run(&repo, &["deploy", "--yes"]).with_code(1);
    assert!(failed.out.contains("nothing is deployed there"), "{}", failed.out);
    assert!(failed.err.contains("deploys the same build again"), "{}", failed.err);
    run(&repo, &["deploy", "no-such-revision"]).with_code(2);
    run(&repo, &["deploy", "--to", "moon", "--yes"]).with_code(2);
    run(&repo, &["rollback", "--yes"]).with_code(2);
    std::fs::write(repo.outside().join("ready"), "").unwrap();
    run(&repo, &["deploy", "--yes"]).with_code(0);

    repo.commit_config("build: \"true\"\ndeploy: {run: \"true\", approve: true}\n");
    run(&repo, &["run", "--all"]).with_code(0);
    let waits = run(&repo, &["deploy", "--yes"]).with_code(5);
    let hint = waits.err.split('`').nth(1).unwrap().to_owned();
    assert!(hint.starts_with("tinyci approve "), "{hint}");
    let words: Vec<&str> = hint.split(' ').skip(1).collect();
    let approved = run(&repo, &words).with_code(0);
    assert!(approved.out.contains("git push origin refs/tinyci/approvals/"), "{}", approved.out);
    run(&repo, &["deploy", "--yes"]).with_code(0);
    let rolled = run(&repo, &["rollback", "--yes"]).with_code(0);
    assert!(rolled.out.contains("Rolled production back to"), "{}", rolled.out);

    repo.git(&["config", "--unset", "user.name"]);
    // Where nobody has said who they are.
    let nobody = tinyci(repo.path()).args(["approve", "HEAD"]).env("HOME", "/nowhere").output();
    let unknown = Said::of(&nobody.unwrap()).with_code(4);
    assert!(unknown.err.contains("git config user.name"), "{}", unknown.err);
}

#[test]
fn one_deployment_at_a_time_and_the_other_is_told() {
    let repo = TestRepo::new();
    let gate = Gate::new(repo.outside().join("gate"));
    let config = "build: \"true\"\ndeploy:\n  environment: [production, staging]\n  run: ";
    let command = format!("[ $TINYCI_ENVIRONMENT = staging ] || {{ {}; }}", gate.command());
    let quoted = serde_json::to_string(&command).unwrap();
    let id = repo.commit_config(&format!("{config}{quoted}\n"));
    run(&repo, &["run", "--all"]).with_code(0);
    let mut first = tinyci(repo.path());
    let mut first = first.args(["deploy", "--yes"]).stdout(Stdio::null()).spawn().unwrap();
    gate.reached_by(&id);
    let busy = run(&repo, &["deploy", "--yes"]).with_code(3);
    assert!(busy.err.contains("a deployment to `production` is in progress"), "{}", busy.err);
    run(&repo, &["deploy", "--unlock", "because", "--yes"]).with_code(3);
    run(&repo, &["deploy", "--yes", "--to", "staging"]).with_code(0);
    assert!(run(&repo, &["deployments"]).with_code(0).out.contains("running     production"));
    gate.open();
    assert!(first.wait().unwrap().success());
    let lines = run(&repo, &["deployments", "--json", "--to", "production"]).with_code(0).out;
    assert_eq!(lines.lines().count(), 1, "{lines}");
}

/// Neither locks out what it starts.
#[test]
fn a_deployment_may_push_and_run_and_look() {
    let (repo, _) = green(
        "build: \"true\"\ndeploy: |\n  set -e\n  cd $TINYCI_REPO\n  tinyci deployments\n  \
         git commit -q --allow-empty -m nested\n  tinyci run --all\n  \
         tinyci deploy --yes && exit 1\n  tinyci approve HEAD\n  tinyci results -n 1\n",
    );
    let mut deploy = tinyci(repo.path());
    deploy.args(["deploy", "--yes"]).env("PATH", search_path());
    for role in ["AUTHOR", "COMMITTER"] {
        deploy.env(format!("GIT_{role}_NAME"), "Ada").env(format!("GIT_{role}_EMAIL"), "a@b");
    }
    let said = Said::of(&deploy.output().unwrap()).with_code(0);
    assert!(
        said.out.contains("nested")
            && said.out.contains("a deployment to `production` is in progress"),
        "{}",
        said.out
    );
}

#[test]
fn json_is_a_line_for_each_event_and_one_for_the_deployment() {
    let (repo, id) = green(CONFIG);
    let said = run(&repo, &["deploy", "--yes", "--json"]).with_code(0);
    let lines = said.out.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    let last = lines.last().unwrap();
    assert_eq!((&last["commit"], &last["outcome"]), (&id.into(), &"success".into()));
    assert!(last["from"].is_null() && last["approved_by"].is_null());
    let listed = run(&repo, &["deployments", "--json"]).with_code(0).out;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&listed).unwrap(), *last);
    assert!(lines.iter().any(|line| line["event"] == "deploy_started"));
}

#[test]
fn a_plan_shows_every_line_of_a_command() {
    let (repo, _) = green("build: \"true\"\ndeploy: |\n  set -eu\n  echo <%= short %>\n");
    let said = run(&repo, &["deploy", "--dry-run"]).with_code(0);
    let short = &repo.git(&["rev-parse", "HEAD"])[..7];
    let does = format!("  actions:\n    $ set -eu\n      echo {short}\n");
    assert!(said.out.ends_with(&does), "{}", said.out);
}

#[test]
fn an_export_is_not_made_again_where_it_would_fill_the_disk() {
    let (repo, _) = green(CONFIG);
    let build = repo.path().join("builds").join(&crate::support::server::builds_in(repo.path())[0]);
    std::fs::remove_dir_all(build.join("export")).unwrap();
    repo.git(&["config", "tinyci.minFreeSpace", "10000000g"]);
    let failed = run(&repo, &["deploy", "--yes"]).with_code(1);
    assert!(failed.out.contains("(`tinyci.minFreeSpace`)"), "{}{}", failed.out, failed.err);
    assert!(!build.join("export").exists());
    repo.git(&["config", "--unset", "tinyci.minFreeSpace"]);
    run(&repo, &["deploy", "--yes"]).with_code(0);
}

/// A run makes the export anew, and must not take it away under a deployment.
#[test]
fn a_run_of_the_same_commit_waits_for_the_deployment() {
    let repo = TestRepo::new();
    let gate = Gate::new(repo.outside().join("gate"));
    let command = serde_json::to_string(&format!("{}; cat built", gate.command())).unwrap();
    let config = format!("build: echo $TINYCI_JOB_ID > built\ndeploy: {command}\n");
    let id = repo.commit_config(&config);
    run(&repo, &["run", "--all"]).with_code(0);
    let start = |args: &[&str]| {
        let mut command = tinyci(repo.path());
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let deploy = start(&["deploy", "--yes"]);
    gate.reached_by(&id);
    let refused = run(&repo, &["run", "--retry", &id]).with_code(2);
    assert!(refused.err.contains("`production`"), "{}", refused.err);
    let retry = start(&["run", "--retry", "--replace-live", &id]);
    eventually("the run has begun", || is_running(&repo.path().join(".git")));
    gate.open();
    for child in [deploy, retry] {
        Said::of(&child.wait_with_output().unwrap()).with_code(0);
    }
}
