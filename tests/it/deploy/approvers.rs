//! Approvals that a server can rely on: which count, which do not, and who says so.

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;
use tinyci::{
    CancelToken, Engine, Event,
    deploy::{ApprovalProof, DeployOutcome},
};

use crate::support::{
    program::{Said, run, tinyci},
    server::Server,
    succeed,
};

/// A server whose deployments leave a line in `live`, and people with keys who push to it.
pub(crate) struct Team {
    pub(crate) server: Server,
}

impl Team {
    /// A config on `main` that deploys, and says nothing of approvals.
    fn new() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        let team = Self { server: Server::new() };
        team.act_as("ada");
        let live = team.server.outside("live").display().to_string();
        let config = format!("build: \"true\"\ndeploy: {{run: 'echo x >> {live}'{more}}}\n");
        team.server.client.commit_config(&config);
        team.server.push(&["main"]);
        team
    }

    /// The same where the server wants approvals, and only Grace may give them.
    fn of_grace() -> Self {
        let team = Self::new();
        team.set("tinyci.approve.production", "true");
        team.set("tinyci.approvers", "grace@example.org");
        let signers = ["ada", "grace"].map(|name| team.signer(name, "")).concat();
        team.allow(&signers);
        team
    }

    fn set(&self, key: &str, value: &str) {
        self.server.repo.git(&["config", key, value]);
    }

    /// Writes the file of the allowed signers, and has the server use it.
    fn allow(&self, signers: &str) {
        let path = self.server.outside("signers");
        fs::write(&path, signers).unwrap();
        self.set("gpg.ssh.allowedSignersFile", path.to_str().unwrap());
    }

    /// A line of that file.
    fn signer(&self, name: &str, options: &str) -> String {
        let key = fs::read_to_string(self.key(name).with_extension("pub")).unwrap();
        let key: Vec<&str> = key.split(' ').take(2).collect();
        format!("{name}@example.org {options} {}\n", key.join(" "))
    }

    /// Somebody's key, made the first time.
    fn key(&self, name: &str) -> PathBuf {
        let path = self.server.outside(name);
        if !path.exists() {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
            succeed("ssh-keygen", &keygen.output().unwrap());
        }
        path
    }

    /// Has the clone be somebody's, who signs what is signed.
    fn act_as(&self, name: &str) {
        let key = self.key(name);
        for (setting, value) in [
            ("user.name", name),
            ("user.email", &format!("{name}@example.org")),
            ("gpg.format", "ssh"),
            ("user.signingKey", key.to_str().unwrap()),
        ] {
            self.server.client.git(&["config", setting, value]);
        }
    }

    /// Approves of the clone's HEAD in the clone, and carries it over.
    #[track_caller]
    fn approve(&self) -> String {
        let said = run(&self.server.client, &["approve", "HEAD", "--json"]).with_code(0);
        let approval: Value = serde_json::from_str(&said.out).unwrap();
        self.server.push(&["refs/tinyci/approvals/*"]);
        approval["reference"].as_str().unwrap().to_owned()
    }

    fn approve_as(&self, name: &str) -> String {
        self.act_as(name);
        self.approve()
    }

    fn says(&self, args: &[&str]) -> Said {
        run(&self.server.repo, args)
    }

    /// Nothing is deployed, and everybody is told that an approval does not count, for this reason.
    #[track_caller]
    fn waits(&self, reason: &str) {
        let said = self.says(&["deploy", "--yes"]).with_code(5);
        assert!(said.out.contains(reason), "{reason}: {}", said.out);
        let plan = self.plan(&[]);
        assert_eq!(plan["approval"], "awaiting_approval");
        let status = self.says(&["status", "--json"]).with_code(0).out;
        assert!(plan.to_string().contains(reason) && status.contains(reason), "{plan}\n{status}");
        assert!(!self.server.outside("live").exists());
    }

    fn plan(&self, more: &[&str]) -> Value {
        let words = [&["deploy", "--dry-run", "--json"], more].concat();
        serde_json::from_str(&self.says(&words).with_code(0).out).unwrap()
    }

    /// It is deployed; gives what is kept of that.
    #[track_caller]
    fn deploys(&self) -> Value {
        self.says(&["deploy", "--yes"]).with_code(0);
        let said = self.says(&["deployments", "--json", "-n", "1"]).with_code(0);
        serde_json::from_str(&said.out).unwrap()
    }

    /// Whom git takes for the signer of an approval; none where its signature is not good.
    fn git_says(&self, reference: &str) -> Option<String> {
        let words = ["log", "-1", "--format=%G? %GS", reference];
        self.server.repo.git(&words).strip_prefix("G ").map(str::to_owned)
    }
}

/// The account of the process that runs the tests.
fn account() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_the_server_wants_no_commit_can_drop() {
    let team = Team::with(", environment: [production, staging, eu_west, eu.east, 2nd]");
    for (key, value) in [("tinyci.approve.production", "yes"), ("tinyci.approve.eu.east", "true")] {
        team.set(key, value);
    }
    team.server.repo.git(&["config", "--add", "tinyci.approve", "eu_*"]);
    team.server.repo.git(&["config", "--add", "tinyci.approve", "2nd"]);
    for environment in ["production", "eu_west", "eu.east", "2nd"] {
        for more in [&["--yes"][..], &["--yes", "--force", "main"]] {
            let words = [&["deploy", "--to", environment], more].concat();
            team.says(&words).with_code(5);
        }
        assert_eq!(team.plan(&["--to", environment])["approval"], "awaiting_approval");
    }
    assert_eq!(team.plan(&["--to", "staging"])["approval"], "not_needed");
    team.says(&["deploy", "--to", "staging", "--yes"]).with_code(0);

    // What is back needs its own approval, like everything else.
    team.set("tinyci.approve.production", "false");
    team.says(&["deploy", "--yes"]).with_code(0);
    team.server.client.commit("second");
    team.server.push(&["main"]);
    team.says(&["deploy", "--yes"]).with_code(0);
    team.set("tinyci.approve.production", "true");
    team.says(&["rollback", "--yes"]).with_code(5);
    team.says(&["rollback", "--yes", "--force"]).with_code(5);
    // What the setting does not want, the commit still can.
    team.set("tinyci.approve.production", "false");
    team.server.client.commit_config("build: \"true\"\ndeploy: {run: \"true\", approve: true}\n");
    team.server.push(&["main"]);
    team.says(&["deploy", "--yes"]).with_code(5);
}

#[test]
fn only_the_key_of_an_approver_counts() {
    let team = Team::of_grace();
    team.waits("");
    // By anybody's word, by a key that nobody knows, and by one that is somebody else's.
    team.server.client.git(&["config", "--unset", "gpg.format"]);
    team.server.client.git(&["config", "user.name", "grace"]);
    team.server.client.git(&["config", "user.email", "grace@example.org"]);
    let unsigned = team.approve();
    team.waits("is neither signed with an ssh key nor given on this machine");
    team.act_as("mallory");
    team.server.client.git(&["config", "user.email", "grace@example.org"]);
    let stranger = team.approve();
    team.waits("did not list its key");
    let ada = team.approve_as("ada");
    team.waits("`tinyci.approvers` does not list ada@example.org");

    let grace = team.approve_as("grace");
    let done = team.deploys();
    assert_eq!(done["approved_by"], "grace <grace@example.org>");
    let proof = &done["approval_proof"];
    assert_eq!(
        (&proof["kind"], &proof["principal"]),
        (&"signature".into(), &"grace@example.org".into())
    );
    assert!(proof["key"].as_str().unwrap().starts_with("SHA256:"), "{proof}");
    assert!(team.says(&["deployments"]).out.contains("(signed as grace@example.org with SHA256:"));
    // The plan still tells which do not count, and git says the same of each.
    assert_eq!(team.plan(&[])["uncounted"].as_array().unwrap().len(), 3);
    let of_git = [&unsigned, &stranger, &ada, &grace].map(|it| team.git_says(it));
    let signer = |name: &str| Some(format!("{name}@example.org"));
    assert_eq!(of_git, [None, None, signer("ada"), signer("grace")]);
}

/// A signature of an approver's on anything else is no approval.
#[test]
fn a_signature_approves_of_nothing_but_what_was_signed() {
    let team = Team::of_grace();
    let (client, server) = (&team.server.client, &team.server.repo);
    let first = client.git(&["rev-parse", "HEAD"]);
    let of_first = team.approve_as("grace");
    let second = client.commit("second");
    team.server.push(&["main"]);
    let reference = |nonce: &str| format!("refs/tinyci/approvals/production/{second}/{nonce}");

    // The approval of another commit, under this one's name; and what it says in her other commits.
    server.git(&["update-ref", &reference("copied"), &of_first]);
    let text = server.git(&["log", "-1", "--format=%B", &of_first]);
    let text = text.replace(&first, &second).replace(&first[..7], &second[..7]);
    let nonce = of_first.rsplit('/').next().unwrap();
    let tree = client.git(&["rev-parse", "HEAD^{tree}"]);
    let empty = client.git(&["mktree"]);
    let file = |name: &str, text: &str| {
        let path = team.server.outside(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let sign = |words: &[&str]| client.git(&[&["commit-tree", "-S"], words].concat());
    let exact = file("exact", &format!("{text}\n"));
    let longer = file("longer", &format!("Fix a word\n\n{text}\n"));
    for forged in [
        sign(&["-F", &exact, &tree]),
        sign(&["-p", &second, "-F", &exact, &empty]),
        sign(&["-F", &longer, &empty]),
    ] {
        team.server.push(&["-f", &format!("{forged}:{}", reference(nonce))]);
        team.waits("tinyci did not write it");
    }
    // Her signature under words of somebody else's.
    let raw = client.git(&["cat-file", "commit", &sign(&["-F", &exact, &empty])]);
    let changed = raw.replace("committer Ada <", "committer Eve <");
    let path = file("changed", &format!("{changed}\n"));
    let forged = client.git(&["hash-object", "-t", "commit", "-w", &path]);
    team.server.push(&["-f", &format!("{forged}:{}", reference(nonce))]);
    team.waits("its signature is invalid");
    // One of another kind of key is looked at by nobody.
    let begin = raw.find("gpgsig").unwrap();
    let end = raw.find("-----END SSH SIGNATURE-----").unwrap();
    let pgp = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----";
    let changed = format!("{}{pgp}{}", &raw[..begin], &raw[end + 27..]);
    let forged =
        client.git(&["hash-object", "-t", "commit", "-w", &file("pgp", &format!("{changed}\n"))]);
    team.server.push(&["-f", &format!("{forged}:{}", reference(nonce))]);
    team.waits("not made with an ssh key");
}

#[test]
fn a_key_counts_while_it_is_valid_and_not_revoked() {
    let team = Team::of_grace();
    team.approve_as("grace");
    for (options, is_good) in [
        ("valid-before=\"20200101\"", false),
        ("valid-after=\"20990101\"", false),
        ("namespaces=\"file\"", false),
        ("valid-after=\"20200101\",namespaces=\"git\"", true),
    ] {
        team.allow(&team.signer("grace", options));
        let state = if is_good { "given" } else { "awaiting_approval" };
        assert_eq!(team.plan(&[])["approval"], state, "{options}");
        if !is_good {
            team.waits("sign");
        }
    }
    let revoked = team.server.outside("revoked");
    fs::write(&revoked, fs::read(team.key("grace").with_extension("pub")).unwrap()).unwrap();
    team.set("gpg.ssh.revocationFile", revoked.to_str().unwrap());
    team.waits("is invalid");
    fs::write(&revoked, "").unwrap();
    assert_eq!(team.plan(&[])["approval"], "given");
    // What cannot be looked up is not taken for harmless.
    fs::remove_file(&revoked).unwrap();
    team.waits("of `gpg.ssh.revocationFile`: No such file");
    team.server.repo.git(&["config", "--unset", "gpg.ssh.revocationFile"]);
    team.set("gpg.ssh.program", "no-such-program");
    team.waits("cannot run `no-such-program`");
}

#[test]
fn an_account_of_the_server_counts_where_it_approves_there() {
    let team = Team::of_grace();
    team.server.repo.git(&["config", "--add", "tinyci.approvers", &account()]);
    for (key, value) in [("user.name", "Desk"), ("user.email", "desk@example.org")] {
        team.set(key, value);
    }
    // In a clone the same account has said it too, but whoever pushes could say that.
    team.server.client.git(&["config", "--unset", "gpg.format"]);
    team.approve();
    team.waits("nor given on this machine");
    let said = team.says(&["approve", "main", "--json"]).with_code(0);
    assert!(!said.err.contains("does not count"), "{}", said.err);
    let approval: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(approval["proof"]["account"], account().as_str());
    let done = team.deploys();
    assert_eq!(done["approved_by"], "Desk <desk@example.org>");
    let proof = &done["approval_proof"];
    assert_eq!((&proof["kind"], &proof["account"]), (&"account".into(), &account().into()));
    assert_eq!(done["account"], account().as_str());
}

/// Accounts of servers often have no name in git's configuration.
#[test]
fn an_account_that_may_approve_needs_no_name_for_it() {
    let team = Team::of_grace();
    let mut approve = tinyci(team.server.repo.path());
    approve.args(["approve", "main"]).env("LOGNAME", account()).env("HOME", "/nowhere");
    let said = Said::of(&approve.output().unwrap()).with_code(4);
    assert!(said.err.contains("`user.name` and `user.email` of git are not set"), "{}", said.err);
    team.server.repo.git(&["config", "--add", "tinyci.approvers", &account()]);
    assert!(approve.output().unwrap().status.success());
    let by = team.deploys()["approved_by"].as_str().unwrap().to_owned();
    assert!(by.starts_with(&format!("{} <", account())), "{by}");
}

#[test]
fn an_account_that_is_not_listed_is_told_at_once() {
    let team = Team::of_grace();
    for (key, value) in [("user.name", "grace"), ("user.email", "grace@example.org")] {
        team.set(key, value);
    }
    let said = team.says(&["approve", "main"]).with_code(0);
    let reason = format!("it was given here by the account `{}`, which", account());
    assert!(said.err.contains("does not count") && said.err.contains(&reason), "{}", said.err);
    let json = team.says(&["approve", "main", "--json"]).with_code(0);
    let approval: Value = serde_json::from_str(&json.out).unwrap();
    assert!(approval["problem"].as_str().unwrap().contains(&reason) && approval["proof"].is_null());
    team.waits(&reason);
    // A mark that others could write says nothing of its owner.
    team.server.repo.git(&["config", "--add", "tinyci.approvers", &account()]);
    assert_eq!(team.plan(&[])["approval"], "given");
    for entry in fs::read_dir(team.server.repo.path().join("tinyci")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("approval.") {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            fs::set_permissions(path, open).unwrap();
        }
    }
    team.waits("other accounts can write to it");
}

#[test]
fn where_nobody_can_approve_everybody_is_told_why() {
    let team = Team::new();
    team.set("tinyci.approve.production", "true");
    team.set("tinyci.approvers", "grace@example.org");
    team.approve_as("grace");
    let told = |reason: &str| {
        team.waits(reason);
        let said = team.says(&["install"]).with_code(0);
        assert!(
            said.out.contains("no approval can count") && said.out.contains(reason),
            "{}",
            said.out
        );
        let status = team.says(&["status"]).with_code(0);
        assert!(status.err.contains("no approval can count"), "{}", status.err);
    };
    told("`gpg.ssh.allowedSignersFile` is not set");
    team.set("gpg.ssh.allowedSignersFile", "/nowhere/signers");
    told("cannot read `/nowhere/signers` of `gpg.ssh.allowedSignersFile`");
    team.allow(&team.signer("ada", ""));
    told("no keys in `");
    // One who can is enough; of the others it is said that they cannot.
    team.allow(&team.signer("grace", ""));
    team.server.repo.git(&["config", "--add", "tinyci.approvers", "grcae@example.org"]);
    let said = team.says(&["status"]).with_code(0);
    assert!(said.err.contains("`grcae@example.org` in `tinyci.approvers` cannot approve"));
    team.deploys();
}

#[test]
fn four_eyes_are_not_those_of_whoever_made_the_commit() {
    let team = Team::of_grace();
    team.server.repo.git(&["config", "--add", "tinyci.approvers", "ada@example.org"]);
    team.set("tinyci.fourEyes", "true");
    let own = "the approver wrote or committed the commit";
    team.approve_as("ada");
    team.waits(own);
    // By another name, with the same key.
    team.server.client.git(&["config", "user.email", "somebody@example.org"]);
    team.approve();
    team.waits(own);
    // Grace's name on the commit, and Ada's key on it.
    let client = &team.server.client;
    client.git(&["config", "user.email", "ada@example.org"]);
    let words = ["commit", "-q", "--allow-empty", "-S", "-m", "by grace"];
    let mut commit = client.command();
    for role in ["AUTHOR", "COMMITTER"] {
        commit.env(format!("GIT_{role}_EMAIL"), "grace@example.org");
        commit.env(format!("GIT_{role}_DATE"), "1700000000 +0000");
    }
    succeed("git commit", &commit.args(words).output().unwrap());
    team.server.push(&["main"]);
    team.approve();
    team.waits(own);
    // And what is Grace's by name she cannot approve either.
    team.approve_as("grace");
    team.waits(own);
    team.act_as("ada");
    client.commit("of ada");
    team.server.push(&["main"]);
    team.approve_as("grace");
    assert_eq!(team.deploys()["approved_by"], "grace <grace@example.org>");
}

#[test]
fn four_eyes_without_approvers_go_by_what_people_say() {
    let team = Team::with(", approve: true");
    team.set("tinyci.fourEyes", "true");
    team.approve_as("ada");
    team.waits("the approver wrote or committed the commit");
    team.approve_as("grace");
    let done = team.deploys();
    assert_eq!(done["approval_proof"], serde_json::json!({"kind": "unproven"}));
}

/// Somebody who has a key that may sign as anybody, or says to be somebody else.
#[test]
fn whom_a_key_proves_is_who_approved() {
    let team = Team::of_grace();
    team.act_as("grace");
    team.server.client.git(&["config", "user.email", "boss@example.org"]);
    team.approve();
    let done = team.deploys();
    assert_eq!(done["approved_by"], "grace@example.org");
    // A key of all people is a key of the committer too.
    team.set("tinyci.fourEyes", "true");
    team.allow(&team.signer("grace", "").replace("grace@example.org", "*"));
    assert_eq!(team.plan(&[])["approval"], "awaiting_approval");
}

#[test]
fn an_embedding_program_approves_as_the_account_that_it_runs_as() {
    let team = Team::of_grace();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let deploy = || {
        let asked = asked.clone();
        let engine = Engine::builder(team.server.repo.path()).approvals(move |_| {
            asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(Some("Grace <grace@example.org>".to_owned()))
        });
        let engine = engine.open().unwrap();
        engine.deploy("production", "main", &CancelToken::new(), &mut |_: &Event| {}).unwrap()
    };
    let waits = deploy();
    assert_eq!(waits.outcome, DeployOutcome::AwaitingApproval);
    let reason = waits.reason.unwrap();
    assert!(reason.contains(&format!("a program of the account `{}`", account())), "{reason}");
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0, "nobody is asked in vain");
    team.server.repo.git(&["config", "--add", "tinyci.approvers", &account()]);
    let done = deploy();
    assert_eq!(done.outcome, DeployOutcome::Success);
    assert_eq!(done.approved_by.as_deref(), Some("Grace <grace@example.org>"));
    assert_eq!(done.approval_proof, Some(ApprovalProof::Program(account())));
    // Of the committer it says nothing else than others do.
    team.set("tinyci.fourEyes", "true");
    team.server.client.git(&["config", "user.name", "grace"]);
    let mut commit = team.server.client.command();
    commit
        .env("GIT_COMMITTER_EMAIL", "grace@example.org")
        .env("GIT_COMMITTER_DATE", "1700000000 +0000");
    let words = ["commit", "-q", "--allow-empty", "-m", "of grace"];
    succeed("git commit", &commit.args(words).output().unwrap());
    team.server.push(&["main"]);
    let waits = deploy();
    assert_eq!(waits.outcome, DeployOutcome::AwaitingApproval);
    assert!(waits.reason.unwrap().contains("the approval by Grace"));
}

#[test]
fn what_follows_a_push_waits_for_an_approval_that_counts() {
    let team = Team::of_grace();
    let live = team.server.outside("live").display().to_string();
    let config = format!("build: \"true\"\ndeploy: {{run: 'echo x >> {live}', auto: true}}\n");
    let id = team.server.client.commit_config(&config);
    team.act_as("ada");
    // Approved before it is pushed, by somebody who may not.
    let said = run(&team.server.client, &["approve", &id, "--json"]).with_code(0);
    assert!(said.out.contains("\"signed\":true"), "{}", said.out);
    let pushed = team.server.push(&["main", "refs/tinyci/approvals/*"]);
    let waits = format!("Awaiting approval to deploy {} to production", &id[..7]);
    assert!(pushed.has(&waits), "{}", pushed.err);
    assert!(pushed.err.contains("`tinyci.approvers` does not list"), "{}", pushed.err);
    team.approve_as("grace");
    assert_eq!(team.deploys()["approved_by"], "grace <grace@example.org>");
}

#[cfg(feature = "rhai")]
#[test]
fn a_script_is_answered_as_the_server_says() {
    let team = Team::of_grace();
    team.set("tinyci.approve.production", "false");
    let client = &team.server.client;
    client.git(&["rm", "-q", ".tinyci.yml"]);
    let live = team.server.outside("live").display().to_string();
    let script = format!(
        "fn build(ctx) {{}}\nfn deploy(ctx) {{ approve(\"Really?\"); sh(\"echo x >> {live}\"); }}\n"
    );
    client.write(".tinyci.rhai", &script);
    client.commit("a script");
    team.server.push(&["main"]);
    team.approve_as("ada");
    team.waits("`tinyci.approvers` does not list");
    let listed = team.says(&["deployments", "--json"]).with_code(0).out;
    let newest: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let reason = newest["reason"].as_str().unwrap();
    assert!(reason.contains("Really?") && reason.contains("does not list"), "{reason}");
    team.approve_as("grace");
    assert_eq!(team.deploys()["approval_proof"]["principal"], "grace@example.org");
}

#[test]
fn a_key_that_cannot_sign_gives_no_approval() {
    let team = Team::of_grace();
    let client = &team.server.client;
    client.git(&["config", "user.signingKey", "/nowhere/key"]);
    let said = run(client, &["approve", "HEAD"]).with_code(4);
    assert!(said.err.contains("cannot sign"), "{}", said.err);
    assert_eq!(client.git(&["for-each-ref", "refs/tinyci/approvals"]), "");
    // Without git there is nobody who signs.
    let mut approve = tinyci(client.path());
    let said =
        Said::of(&approve.args(["approve", "HEAD"]).env("PATH", "/nowhere").output().unwrap());
    assert!(said.with_code(4).err.contains("cannot run `git`"));
}
