//! How a repository stands, on one screen and as JSON.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{
    TestRepo, eventually, is_alive,
    program::{Said, run, run_in, tinyci},
    server::{Gate, Server},
};

fn status(repo: &TestRepo) -> Value {
    serde_json::from_str(&run(repo, &["status", "--json"]).with_code(0).out).unwrap()
}

#[test]
fn a_run_in_progress_is_shown_with_commit_step_and_queue() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    server.client.git(&["config", "user.name", "Ada"]);
    let config = format!("build: 'true'\ntest: |\n  {}\n", gate.command());
    let first = server.client.commit_config(&config);
    let second = server.client.commit("second");
    let push = server.start_push(&["main"]);
    gate.reached_by(&first);

    let now = status(&server.repo);
    let running = &now["running"];
    assert!(is_alive(running["pid"].to_string()), "{now}");
    let [commit] = &running["commits"].as_array().unwrap()[..] else { panic!("one: {now}") };
    assert_eq!((&commit["commit"], &commit["step"]), (&first.clone().into(), &"test".into()));
    assert_eq!(commit["subject"], "config");
    let due: Vec<&str> =
        now["pending"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(due, [&second]);
    assert_eq!(now["unfinished"], serde_json::json!([]), "the one in hand is not interrupted");
    let screen = run(&server.repo, &["status"]).with_code(0);
    assert!(screen.out.contains(&format!("  {} test, ", &first[..7])), "{}", screen.out);
    assert!(screen.out.contains("pending   1 commit\n"), "{}", screen.out);

    gate.open();
    push.wait_with_output().unwrap();
    server.until_idle();
    let now = status(&server.repo);
    assert!(now.get("running").is_none() && now["pending"] == serde_json::json!([]), "{now}");
    let screen = run(&server.repo, &["status"]).with_code(0).out;
    assert!(screen.starts_with("running   nothing\npending   nothing\nbranches\n"), "{screen}");
}

#[test]
fn every_branch_has_its_newest_verdict() {
    let repo = TestRepo::new();
    let green = repo.commit_config("build: test \"$TINYCI_SUBJECT\" != red\n");
    repo.git(&["checkout", "-q", "-b", "topic"]);
    let red = repo.commit("red");
    repo.git(&["checkout", "-q", "--orphan", "empty"]);
    repo.git(&["rm", "-q", "-f", ".tinyci.yml"]);
    repo.commit("without a config");
    repo.git(&["checkout", "-q", "main"]);
    run(&repo, &["run", "--all"]).with_code(1);
    let tip = repo.commit("not run yet");
    let now = status(&repo);
    let branches: Vec<(&str, &str, &str)> = now["branches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let judged = &it["latest"];
            let text =
                |value: &'_ Value| -> &str { value.as_str().unwrap_or("-").to_owned().leak() };
            (text(&it["name"]), text(&judged["outcome"]), text(&judged["commit"]))
        })
        .collect();
    let expected = [("main", "success", &*green), ("empty", "-", "-"), ("topic", "failure", &*red)];
    assert_eq!(branches, expected);
    assert_eq!(now["branches"][0]["tip"], tip);
    let screen = run(&repo, &["status"]).with_code(0).out;
    assert!(screen.contains("(below the tip)") && screen.contains("no verdict yet"), "{screen}");
}

#[test]
fn what_is_deployed_and_what_could_be_is_shown_here_and_in_clones() {
    let server = Server::new();
    server.repo.git(&["config", "user.name", "Ada"]);
    server.repo.git(&["config", "user.email", "ada@example.org"]);
    let first = server.client.commit_config("build: 'true'\ndeploy: echo deployed\n");
    server.push(&["main"]);
    let now = status(&server.repo);
    let production = &now["environments"][0];
    assert_eq!(
        (&production["name"], &production["next"]["id"]),
        (&"production".into(), &first.clone().into())
    );
    assert!(production.get("deployed").is_none(), "{now}");

    Said::of(&server.tinyci(&["deploy", "--yes"]).output().unwrap()).with_code(0);
    let second = server.client.commit("second");
    server.push(&["main"]);
    let now = status(&server.repo);
    let production = &now["environments"][0];
    assert_eq!(production["deployed"]["commit"], first);
    assert_eq!(production["next"]["id"], second);
    let screen = run(&server.repo, &["status"]).with_code(0).out;
    let shown = format!("deployed  production: {}", &first[..7]);
    assert!(screen.contains(&shown), "{screen}");
    assert!(screen.contains(&format!("newest green, not deployed: {}", &second[..7])), "{screen}");

    let dir = server.outside("clone");
    let url = server.repo.path().to_str().unwrap();
    server.client.git(&["clone", "-q", url, dir.to_str().unwrap()]);
    run_in(&dir, &["setup-remote"]).with_code(0);
    assert!(server.client.command_in(&dir).args(["fetch", "-q"]).status().unwrap().success());
    let screen = run_in(&dir, &["status"]).with_code(0).out;
    assert!(
        screen.contains(&format!("deployed  production of origin: {}", &first[..7])),
        "{screen}"
    );
    assert!(screen.contains("  main success"), "the server's verdict: {screen}");
}

#[test]
fn what_should_be_looked_at_is_a_warning() {
    let repo = TestRepo::bare();
    let warnings = |repo: &TestRepo| status(repo)["warnings"].to_string();
    assert!(warnings(&repo).contains("--hide-refs"));
    run(&repo, &["install", "--hide-refs"]).with_code(0);
    assert_eq!(warnings(&repo), "[]");
    // No pattern of receive.hideRefs keeps such a name out.
    let blob = repo.git(&["hash-object", "-w", "/dev/null"]);
    repo.git(&["update-ref", "refs/notes/tinyci-evil", &blob]);
    assert!(warnings(&repo).contains("tinyci did not write `refs/notes/tinyci-evil`"));
    repo.git(&["update-ref", "-d", "refs/notes/tinyci-evil"]);
    repo.git(&["config", "tinyci.jbos", "2"]);
    repo.git(&["config", "tinyci.minFreeSpace", "10000000g"]);
    let said = run(&repo, &["status"]).with_code(0);
    assert!(said.err.contains("did you mean `tinyci.jobs`?"), "{}", said.err);
    assert_eq!(said.err.matches("did you mean").count(), 1, "{}", said.err);
    assert!(said.err.contains("(`tinyci.minFreeSpace`)"), "{}", said.err);
    assert_eq!(run(&repo, &["status", "-q"]).with_code(0).err, "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_is_told() {
    let repo = TestRepo::new();
    let at = repo.outside().join("at");
    let script = format!("touch {0}; sleep 1000", at.display());
    let id = repo.commit_config(&format!("build: '{script}'\n"));
    let mut child = tinyci(repo.path());
    let mut child = child.args(["run", "--all"]).stdout(Stdio::null()).spawn().unwrap();
    eventually("the build runs", || at.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("its guard lets go", || status(&repo).get("running").is_none());
    assert_eq!(status(&repo)["unfinished"], serde_json::json!([id]));
    let said = run(&repo, &["status"]).with_code(0);
    let told = format!("the last job of {} ended without a verdict", &id[..7]);
    assert!(said.err.contains(&told), "{}", said.err);
}
