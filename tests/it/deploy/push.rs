//! Deployments on a server that is pushed to: the whole story, by real pushes.

use std::{fs, path::PathBuf, process::Command};

use crate::support::{
    program::{Said, run},
    server::{Gate, Pushed, Server},
};

/// A server whose deployments leave a line in `live`, and a client with a name.
fn stage() -> (Server, PathBuf) {
    let server = Server::new();
    for repo in [&server.client, &server.repo] {
        repo.git(&["config", "user.name", "Grace"]);
        repo.git(&["config", "user.email", "grace@example.org"]);
    }
    let live = server.outside("live");
    (server, live)
}

fn config(server: &Server, more: &str) -> String {
    let live = server.outside("live").display().to_string();
    let run = format!("echo $TINYCI_COMMIT >> {live}");
    format!("build: \"true\"\ndeploy: {{run: '{run}'{more}}}\n")
}

fn lines(path: &PathBuf) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

impl Server {
    fn says(&self, args: &[&str]) -> Said {
        run(&self.repo, args)
    }

    /// The ancestor's users' own way to find what to deploy.
    fn one_liner(&self) -> String {
        let script = "git log --notes='tinyci*' --format='%H %N' | grep success | head -1 | \
                      cut -d' ' -f1";
        let mut shell = Command::new("/bin/sh");
        let output = shell.args(["-c", script]).current_dir(self.repo.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn candidate(&self) -> String {
        let said = self.says(&["deploy", "--dry-run", "--json"]).with_code(0);
        let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        plan["commit"]["id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn the_whole_story_of_a_small_server() {
    let (server, live) = stage();
    let client = &server.client;
    let green = client.commit_config(&config(&server, ""));
    server.push(&["main"]);
    let red = client.commit_config("build: \"false\"\ndeploy: \"true\"\n");
    server.push(&["main"]);
    client.git(&["switch", "-q", "-c", "topic"]);
    let on_topic = client.commit_config(&config(&server, ""));
    server.push(&["topic"]);
    assert_eq!(server.candidate(), green);
    assert_eq!(server.one_liner(), green);
    client.git(&["switch", "-q", "main"]);
    let newest = client.commit_config(&config(&server, ""));
    server.push(&["main"]);
    client.git(&["rm", "-q", ".tinyci.yml"]);
    let bare = client.commit("without a config");
    server.push(&["main"]);
    let words = ["success", "failure", "success", "success", "-"];
    assert_eq!(server.verdicts(&[&green, &red, &on_topic, &newest, &bare]), words);
    assert!(lines(&live).is_empty(), "no push deploys");

    assert_eq!(server.candidate(), newest);
    assert_eq!(server.one_liner(), newest, "the users' own script agrees");
    server.says(&["deploy", &green, "--yes"]).with_code(0);
    for refused in [&red, &on_topic, &bare] {
        server.says(&["deploy", refused, "--yes"]).with_code(2);
    }
    server.says(&["deploy", "--yes"]).with_code(0);
    server.says(&["rollback", "--yes"]).with_code(0);
    assert_eq!(server.candidate(), green, "what was rolled back does not come back by itself");
    server.says(&["deploy", &newest, "--yes"]).with_code(0);
    assert_eq!(lines(&live), [&green, &newest, &green, &newest].map(String::clone));

    // It travels by fetch, and says in a clone what it says here.
    client.git(&["fetch", "-q", "origin", "refs/tinyci/deployments/*:refs/tinyci/deployments/*"]);
    let here = server.says(&["deployments", "--json"]).with_code(0).out;
    assert_eq!(run(client, &["deployments", "--json"]).with_code(0).out, here);
    assert_eq!(here.lines().count(), 4);
    client.git(&["fsck", "--strict"]);
}

#[test]
fn an_approval_is_pushed_from_a_clone_while_the_server_works() {
    let (server, live) = stage();
    let id = server.client.commit_config(&config(&server, ", approve: true"));
    server.push(&["main"]);
    server.says(&["deploy", "--yes"]).with_code(5);
    server.says(&["deploy", "--yes"]).with_code(5);
    assert!(lines(&live).is_empty());

    let said = run(&server.client, &["approve", &id]).with_code(0);
    let reference = said.out.split("git push origin ").nth(1).unwrap().split('`').next().unwrap();
    let pushed = server.push(&[reference]);
    assert_eq!(pushed.lines(), [""; 0], "an approval is nothing to run");
    server.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(lines(&live), [id.as_str()]);
    let table = server.says(&["deployments"]).with_code(0).out;
    assert!(table.contains("approved by Grace <grace@example.org>"), "{table}");
    let outcomes: Vec<&str> = table.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(outcomes, ["success", "awaiting_approval"]);
}

#[test]
fn forged_refs_approve_of_nothing_and_hide_nothing() {
    let (server, live) = stage();
    let client = &server.client;
    let id = client.commit_config(&config(&server, ", approve: true"));
    server.push(&["main"]);
    let nonce = format!("refs/tinyci/approvals/production/{id}/x");
    let blob = client.git(&["hash-object", "-w", ".tinyci.yml"]);
    for forged in [&id, &blob] {
        server.push(&["-f", &format!("{forged}:{nonce}")]);
        server.says(&["deploy", "--yes"]).with_code(5);
    }
    // Another deployment's history, a blob, and a name that is none.
    for name in ["production", "staging", "a..b"] {
        let to = format!("{id}:refs/tinyci/deployments/{name}");
        let pushed = server.push_command(&["-f", &to]).output().unwrap();
        assert_eq!(pushed.status.success(), name != "a..b");
    }
    let said = server.says(&["deployments"]).with_code(0);
    assert!(said.err.contains("a commit that is not a deployment"), "{}", said.err);
    run(client, &["approve", &id]).with_code(0);
    server.push(&["refs/tinyci/approvals/*"]);
    server.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(lines(&live), [id.as_str()]);
    let pointer = server.repo.git(&["rev-parse", "refs/tinyci/deployments/production^2"]);
    assert_eq!(pointer, id);

    // Where the server hides them, nobody can even try.
    server.says(&["install", "--hide-refs"]).with_code(0);
    let to = format!("{id}:refs/tinyci/deployments/production");
    assert!(!server.push_command(&["-f", &to]).output().unwrap().status.success());
    run(client, &["approve", &id]).with_code(0);
    server.push(&["refs/tinyci/approvals/*"]);
}

#[test]
fn a_push_deploys_the_newest_green_commit_where_its_config_says_auto() {
    let (server, live) = stage();
    let client = &server.client;
    client.commit_config(&config(&server, ", auto: true"));
    let second = client.commit("second");
    let pushed = server.push(&["main"]);
    assert!(pushed.has(&format!("Deployed {} to production", &second[..7])), "{}", pushed.err);
    assert_eq!(lines(&live), [second.as_str()], "only the newest of a push");

    client.commit_config("build: \"false\"\ndeploy: {run: \"true\", auto: true}\n");
    server.push(&["main"]);
    client.git(&["switch", "-q", "-c", "topic"]);
    client.commit_config(&config(&server, ", auto: true"));
    server.push(&["topic"]);
    assert_eq!(lines(&live), [second.as_str()], "neither red nor on another branch");

    // What people went back from does not come again by itself.
    client.git(&["switch", "-q", "main"]);
    let third = client.commit_config(&config(&server, ", auto: true"));
    server.push(&["main"]);
    server.says(&["rollback", "--yes"]).with_code(0);
    client.commit_config("build: \"false\"\n");
    server.push(&["main"]);
    server.says(&["run", "--retry", &third]).with_code(0);
    assert_eq!(lines(&live), [&second, &third, &second].map(String::clone));

    // A deployment that fails does not undo the verdict.
    let fails = "build: \"true\"\ndeploy: {run: \"false\", auto: true}\n";
    let failing = client.commit_config(fails);
    let pushed = server.push(&["main"]);
    assert!(pushed.err.contains("Failed to deploy"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&failing]), ["success"]);
}

#[test]
fn a_push_waits_for_the_deployment_before_it() {
    let (server, _) = stage();
    let client = &server.client;
    let gate = Gate::new(server.outside("gate"));
    let command = serde_json::to_string(&gate.command()).unwrap();
    let held = format!("build: \"true\"\ndeploy: {{run: {command}, auto: true}}\n");
    let first = client.commit_config(&held);
    let one = server.start_push(&["main"]);
    gate.reached_by(&first);
    client.commit("second");
    let last = client.commit("third");
    let two = server.start_push(&["main"]);
    let waits = || {
        let log = fs::read_to_string(server.repo.path().join("builds/tinyci.log"));
        log.is_ok_and(|log| log.contains(&format!("Finished {last}")))
    };
    crate::support::eventually("the second push is judged", waits);
    gate.open();
    for push in [one, two] {
        let output = push.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let listed = server.says(&["deployments", "--json"]).with_code(0).out;
    let commits: Vec<String> = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|json| format!("{} {}", json["commit"].as_str().unwrap(), json["outcome"]))
        .collect();
    assert_eq!(commits, [format!("{last} \"success\""), format!("{first} \"success\"")]);
}

/// A script's constant says what the mapping of YAML says.
#[cfg(feature = "rhai")]
#[test]
fn a_script_deploys_by_itself_once_it_is_approved() {
    let (server, live) = stage();
    let client = &server.client;
    let script = format!(
        "const DEPLOY = #{{ auto: true, approve: true }};\nfn build(ctx) {{}}\n\
         fn deploy(ctx) {{ sh(\"echo <%= commit %> >> {}\"); }}\n",
        live.display()
    );
    client.write(".tinyci.rhai", &script);
    let id = client.commit("script");
    let pushed = server.push(&["main"]);
    let waits = format!("Awaiting approval to deploy {} to production", &id[..7]);
    assert!(pushed.has(&waits), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&id]), ["success"]);
    run(client, &["approve", &id]).with_code(0);
    server.push(&["refs/tinyci/approvals/*"]);
    server.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(lines(&live), [id.as_str()]);
}

#[test]
fn approvals_of_many_clones_at_once_are_all_kept() {
    let (server, _) = stage();
    let id = server.client.commit_config(&config(&server, ", approve: true"));
    server.push(&["main"]);
    let url = server.repo.path().to_str().unwrap().to_owned();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (url, id) = (&url, &id);
            scope.spawn(move || {
                let clone = crate::support::TestRepo::new();
                clone.git(&["config", "user.name", &format!("Person {number}")]);
                clone.git(&["config", "user.email", "p@example.org"]);
                clone.git(&["fetch", "-q", url, "main"]);
                run(&clone, &["approve", id]).with_code(0);
                clone.git(&["push", "-q", url, "refs/tinyci/approvals/*"]);
            });
        }
    });
    let refs = server.repo.git(&["for-each-ref", "--format=%(refname)", "refs/tinyci/approvals"]);
    assert_eq!(refs.lines().count(), 4, "{refs}");
    server.says(&["deploy", "--yes"]).with_code(0);
    assert!(server.says(&["deployments"]).with_code(0).out.contains("approved by Person"));
}

/// What it pushes would be deployed to the environment that it holds itself.
#[test]
fn a_deployment_that_pushes_what_deploys_by_itself_does_not_wait_for_itself() {
    let (server, live) = stage();
    let work = server.outside("work");
    let (work, live) = (work.display(), live.display());
    let config = format!(
        "build: 'true'\ndeploy:\n  branch: '*'\n  auto: true\n  run: |\n    set -e\n    \
         git clone -q $TINYCI_REPO {work}\n    cd {work}\n    \
         git -c user.name=N -c user.email=n@n commit -q --allow-empty -m nested\n    \
         git push origin HEAD:nested 2>&1\n    echo $TINYCI_COMMIT >> {live}\n"
    );
    let id = server.client.commit_config(&config);
    let mut push = server.start_push(&["main"]);
    let mut ended = None;
    crate::support::eventually("the push ends", || {
        ended = push.try_wait().unwrap();
        ended.is_some()
    });
    let pushed = Pushed::of(&push.wait_with_output().unwrap());
    assert!(pushed.ok && pushed.err.contains("does not wait for it"), "{}", pushed.err);
    assert_eq!(lines(&server.outside("live")), [id]);
    let nested = server.repo.git(&["rev-parse", "nested"]);
    assert_eq!(server.verdicts(&[&nested]), ["success"]);
    assert_eq!(server.says(&["deployments", "--json"]).with_code(0).out.lines().count(), 1);
}
