//! The story that this project began with, over real ssh: pushes, verdicts, and a person who tags
//! the newest green image and restarts the service.

use std::{fs, path::PathBuf, process::Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::os::unix::process::CommandExt;

use crate::support::{
    TestRepo, eventually,
    program::Said,
    server::{Gate, Pushed},
    sshd::SshServer,
    succeed,
};

const CONFIG: &str = "\
build: docker build -t app:<%= commit %> .
test: docker run --rm app:<%= commit %>
deploy:
  run:
    - docker tag app:<%= commit %> app:production
    - systemctl --user restart app
  approve: true
";

/// What the ancestor's users have in their own `update` scripts.
const UPDATE: &str = "git log --notes='tinyci*' --format='%H %N' | grep success | head -1";

/// A server reached by ssh, and somebody who pushes to it.
struct Story {
    server: SshServer,
    client: TestRepo,
}

impl Story {
    /// None where there is no sshd.
    fn begin() -> Option<Self> {
        let server = SshServer::start()?;
        let calls = server.home().join("calls");
        let record = format!("#!/bin/sh\necho \"${{0##*/}} $*\" >> '{}'\n", calls.display());
        // A container whose commit has a file `red` fails its tests.
        server.program("docker", &format!("{record}[ \"$1\" != run ] || ! [ -e red ]\n"));
        server.program("systemctl", &record);
        server.run("git init -q --bare -b main app.git && tinyci -D app.git install --hide-refs");
        let client = TestRepo::new();
        client.git(&["remote", "add", "origin", "vps:app.git"]);
        client.git(&["config", "user.name", "Ada"]);
        client.git(&["config", "user.email", "ada@example.org"]);
        Some(Self { server, client })
    }

    #[track_caller]
    fn push(&self, name: &str) -> Pushed {
        let mut push = self.client.command();
        push.args(["push", "origin", name]).env("PATH", self.server.path()).stdin(Stdio::null());
        let pushed = Pushed::of(&push.output().unwrap());
        assert!(pushed.ok, "{}", pushed.err);
        pushed
    }

    fn tinyci(&self, args: &[&str]) -> Said {
        Said::of(&self.server.tinyci_output(self.client.path(), args))
    }

    /// What the newest deployments came to, newest first.
    fn outcomes(&self) -> Vec<String> {
        let said = self.tinyci(&["-r", "deployments", "--json"]).with_code(0).out;
        let lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
        let word = |json: serde_json::Value| json["outcome"].as_str().unwrap().to_owned();
        lines.map(word).collect()
    }

    /// The calls of the stand-ins since the last look.
    fn calls(&self) -> Vec<String> {
        let calls = self.server.home().join("calls");
        let text = fs::read_to_string(&calls).unwrap_or_default();
        let _ = fs::remove_file(calls);
        text.lines().map(str::to_owned).collect()
    }

    /// The newest green commit: as `update` finds it, and as `deploy` would choose it.
    #[track_caller]
    fn chosen(&self) -> String {
        let found = self.server.run(&format!("cd app.git && {UPDATE}"));
        let id = found.split(' ').next().unwrap().to_owned();
        let plan = self.tinyci(&["-r", "deploy", "--dry-run", "--json"]).with_code(0).out;
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        assert_eq!(plan["commit"]["id"], id);
        id
    }

    /// Approves in the clone and carries it over.
    #[track_caller]
    fn approve(&self, commit: &str) {
        let said = self.tinyci(&["approve", commit]).with_code(0).out;
        let hint = said.split_once("git push origin ").expect("it says how to carry it").1;
        self.push(hint.split('`').next().unwrap());
    }

    /// Green, red, green on a branch, green, without a config.
    fn five_pushes(&self) -> [String; 4] {
        let client = &self.client;
        let green = client.commit_config(CONFIG);
        assert!(self.push("main").has(&format!("Finished {green}")));
        client.write("red", "");
        let red = client.commit("red");
        let pushed = self.push("main");
        assert!(pushed.err.contains("failed with status 1"), "{}", pushed.err);
        client.git(&["rm", "-q", "red"]);
        client.git(&["switch", "-q", "-c", "topic"]);
        let topic = client.commit("on a branch");
        assert!(self.push("topic").has(&format!("Finished {topic}")));
        client.git(&["switch", "-q", "main"]);
        client.git(&["rm", "-q", "red"]);
        let newest = client.commit("green again");
        assert!(self.push("main").has(&format!("Finished {newest}")));
        client.git(&["rm", "-q", ".tinyci.yml"]);
        client.commit("without a config");
        assert!(!self.push("main").err.contains("Commit:"), "nothing is run");
        client.git(&["checkout", "-q", "HEAD~", "--", ".tinyci.yml"]);
        [green, red, topic, newest]
    }
}

fn done(commit: &str) -> [String; 2] {
    [format!("docker tag app:{commit} app:production"), "systemctl --user restart app".to_owned()]
}

#[test]
fn five_pushes_a_deployment_a_rollback_and_another_one() {
    let Some(story) = Story::begin() else { return };
    let [green, red, topic, newest] = story.five_pushes();
    assert_eq!(story.chosen(), newest);
    story.calls();

    let said = story.tinyci(&["-r", "deploy"]).with_code(2);
    assert!(said.out.contains("it has no config"), "{}", said.out);
    assert!(said.err.contains("standard input is not a terminal"), "{}", said.err);
    story.tinyci(&["-r", "deploy", "--yes"]).with_code(5);
    for (commit, why) in [(&red, "its verdict is failure"), (&topic, "not on `main`")] {
        let said = story.tinyci(&["-r", "deploy", "--yes", commit]).with_code(2);
        assert!(said.err.contains(why), "{}", said.err);
    }
    assert_eq!(story.calls(), [""; 0], "nothing was done so far");

    story.approve(&newest);
    let said = story.tinyci(&["-r", "deploy", "--yes"]).with_code(0);
    assert!(said.out.contains("approved by Ada <ada@example.org>"), "{}", said.out);
    assert_eq!(story.calls(), done(&newest));
    story.tinyci(&["-r", "rollback", "--yes"]).with_code(2);

    let next = story.client.commit("a config again");
    story.push("main");
    assert_eq!(story.chosen(), next);
    story.calls();
    story.tinyci(&["-r", "deploy", "--yes"]).with_code(5);
    story.approve(&next);
    story.tinyci(&["-r", "deploy", "--yes"]).with_code(0);
    assert_eq!(story.calls(), done(&next));
    story.tinyci(&["-r", "rollback", "--yes"]).with_code(0);
    assert_eq!(story.calls(), done(&newest));
    story.tinyci(&["-r", "deploy", "--yes", &next]).with_code(0);
    assert_eq!(story.calls(), done(&next));
    let outcomes =
        ["success", "success", "success", "awaiting_approval", "success", "awaiting_approval"];
    assert_eq!(story.outcomes(), outcomes);

    // Whoever fetches sees all of it.
    story.tinyci(&["setup-remote"]).with_code(0);
    let mut fetch = story.client.command();
    let fetched = fetch.args(["fetch", "-q"]).env("PATH", story.server.path()).output();
    succeed("git fetch", &fetched.unwrap());
    let log = story.client.git(&["log", "--notes", "-1", &green]);
    assert!(log.ends_with("success"), "{log}");
    let status = story.tinyci(&["status"]).with_code(0).out;
    assert!(status.contains(&format!("production of origin: {}", &next[..7])), "{status}");
    story.server.run("git -C app.git fsck --strict");
}

/// A deployment whose config is held at a gate, with its program's process.
struct Held {
    story: Story,
    id: String,
    gate: Gate,
}

const REFERENCE: &str = "refs/tinyci/deployments/production";

impl Held {
    /// `{gate}` in what it does holds it, `@` is the server's home.
    fn begin(deploy: &str) -> Option<Self> {
        let story = Story::begin()?;
        let home = story.server.home();
        let gate = Gate::new(home.join("gate"));
        let deploy = deploy.replace("{gate}", &gate.command());
        let deploy = deploy.replace('@', home.to_str().unwrap());
        let id = story.client.commit_config(&format!("build: ':'\ndeploy: |\n  {deploy}\n"));
        story.push("main");
        Some(Self { story, id, gate })
    }

    fn lock_file(&self) -> PathBuf {
        self.story.server.home().join("app.git").join(format!("{REFERENCE}.lock"))
    }

    /// Deploys over ssh, kills the server's process once this holds, and waits for ssh.
    #[track_caller]
    fn killed_when(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let home = self.story.server.home();
        let command = "echo $$ > pid.new; mv pid.new pid; exec tinyci -D app.git deploy --yes";
        let mut ssh = self.story.server.ssh(command);
        let mut ssh = ssh.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually(what, || home.join("pid").exists() && holds());
        let pid = fs::read_to_string(home.join("pid")).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        assert!(!ssh.wait().unwrap().success());
    }

    /// It is refused until somebody has looked; then it goes on.
    #[track_caller]
    fn assert_taken_up_again(&self) {
        let story = &self.story;
        assert_eq!(story.outcomes(), ["interrupted"]);
        eventually("the guard lets go of the environment", || {
            let refused = story.tinyci(&["-r", "deploy", "--yes"]).with_code(3);
            refused.err.contains("--unlock REASON")
        });
        self.gate.open();
        let unlock = ["-r", "deploy", "--yes", "--unlock", "the old one still runs; it's fine"];
        story.tinyci(&unlock).with_code(0);
        assert_eq!(story.outcomes(), ["success", "interrupted"]);
        let listed = story.tinyci(&["-r", "deploys"]).with_code(0).out;
        assert!(listed.contains("the old one still runs; it's fine"), "{listed}");
        let deployed = format!("git -C app.git rev-parse {REFERENCE}^2");
        assert_eq!(story.server.run(&deployed), self.id);
        story.server.run("git -C app.git fsck --strict");
    }
}

#[test]
fn killed_on_the_server_before_it_is_on_record() {
    let Some(held) = Held::begin("echo deployed") else { return };
    let lock = held.lock_file();
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    let environment = held.story.server.home().join("app.git/tinyci/deploying.production");
    held.killed_when("it waits for the ref", || {
        let file = fs::File::open(&environment);
        file.is_ok_and(|file| file.try_lock_shared().is_err())
    });
    fs::remove_file(&lock).unwrap();
    assert_eq!(held.story.outcomes(), [""; 0]);
    held.story.tinyci(&["-r", "deploy", "--yes"]).with_code(0);
    assert_eq!(held.story.outcomes(), ["success"]);
}

#[test]
fn killed_on_the_server_in_the_phase() {
    let Some(held) = Held::begin("{gate}") else { return };
    let at = held.story.server.home().join("gate").join(&held.id);
    held.killed_when("the command runs", || at.exists());
    held.assert_taken_up_again();
}

#[test]
fn killed_on_the_server_before_its_end_is_on_record() {
    let lock = format!("@/app.git/{REFERENCE}.lock");
    let deploy = format!("[ -e @/gate/open ] || touch {lock} @/done");
    let Some(held) = Held::begin(&deploy) else { return };
    let done = held.story.server.home().join("done");
    held.killed_when("the command is over", || done.exists());
    fs::remove_file(held.lock_file()).unwrap();
    held.assert_taken_up_again();
}

/// The connection is only how it is watched.
#[test]
fn a_deployment_outlives_the_connection_that_began_it() {
    let Some(held) = Held::begin("echo held; {gate}; seq 20000") else { return };
    let story = &held.story;
    let mut deploy = story.server.tinyci(story.client.path(), &["-r", "deploy", "--yes"]);
    deploy.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
    let mut deploy = deploy.spawn().unwrap();
    held.gate.reached_by(&held.id);
    kill_process_group(Pid::from_child(&deploy), Signal::KILL).unwrap();
    deploy.wait().unwrap();
    story.tinyci(&["-r", "deploy", "--yes"]).with_code(3);
    assert_eq!(story.outcomes(), ["running"]);
    held.gate.open();
    eventually("it comes to its end", || story.outcomes() == ["success"]);
}

/// Everybody reaches the server as one account: records say who asked, and what acted.
#[test]
fn who_asks_over_ssh_is_on_record_beside_the_account() {
    let Some(story) = Story::begin() else { return };
    let client = &story.client;
    client.commit_config(&CONFIG.replace("  approve: true\n", ""));
    story.push("main");
    let second = client.commit("second");
    story.push("main");
    story.server.run("git -C app.git config tinyci.approve.production true");
    let account = story.server.run("id -un");
    let newest = || -> serde_json::Value {
        let said = story.tinyci(&["-r", "deployments", "--json", "-n", "1"]).with_code(0).out;
        serde_json::from_str(&said).unwrap()
    };
    let people = ["Ada", "Grace", "Joan"].map(|name| format!("{name} <{}@x>", name.to_lowercase()));
    let ask_as = |person: &str, args: &[&str]| {
        let (name, address) = person.trim_end_matches('>').split_once(" <").unwrap();
        client.git(&["config", "user.name", name]);
        client.git(&["config", "user.email", address]);
        story.tinyci(&[&["-r"], args].concat())
    };
    ask_as(&people[0], &["deploy", "--yes"]).with_code(5);
    assert_eq!(
        (newest()["deployed_by"].as_str(), newest()["outcome"].as_str()),
        (Some(&*people[0]), Some("awaiting_approval"))
    );
    ask_as(&people[1], &["approve", &second]).with_code(0);
    ask_as(&people[2], &["deploy", "--yes"]).with_code(0);
    let done = newest();
    assert_eq!(
        (done["deployed_by"].as_str(), done["approved_by"].as_str()),
        (Some(&*people[2]), Some(&*people[1]))
    );
    assert_eq!(done["account"], account.as_str());
    let author = story
        .server
        .run("git -C app.git log -1 --format='%an <%ae>' refs/tinyci/deployments/production");
    assert_eq!(author, people[2]);

    // The account is what counts, whoever asks through it, and says who they are.
    let third = client.commit("third");
    story.push("main");
    story.server.run("git -C app.git config tinyci.approvers nobody");
    let said = ask_as("nobody <nobody@x>", &["approve", &third]).with_code(0);
    assert!(said.err.contains("does not count") && said.err.contains(&account), "{}", said.err);
    story.tinyci(&["-r", "deploy", "--yes"]).with_code(5);
    story.server.run(&format!("git -C app.git config tinyci.approvers {account}"));
    story.tinyci(&["-r", "deploy", "--yes"]).with_code(0);
    let done = newest();
    assert_eq!(done["approval_proof"]["account"], account.as_str());
    story.tinyci(&["-r", "approve", "HEAD~1"]).with_code(0);
    ask_as(&people[0], &["rollback", "--yes"]).with_code(0);
    assert_eq!(newest()["deployed_by"], people[0].as_str());
}
