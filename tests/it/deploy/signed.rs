//! Commits that need a signature: `tinyci.requireSigned`.

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::support::{
    TestRepo,
    program::{Said, run},
    server::{Pushed, Server},
    succeed,
};

/// A server that deploys, Ada, whose key it knows, and Eve, who can push too.
struct Stage {
    server: Server,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { server: Server::new() };
        stage.set("user.name", "Grace");
        stage.set("user.email", "grace@example.org");
        let known = fs::read_to_string(stage.key("ada").with_extension("pub")).unwrap();
        let known: Vec<&str> = known.split(' ').take(2).collect();
        let signers = stage.server.outside("signers");
        fs::write(&signers, format!("ada@example.org {}\n", known.join(" "))).unwrap();
        stage.set("gpg.ssh.allowedSignersFile", signers.to_str().unwrap());
        stage
    }

    fn repo(&self) -> &TestRepo {
        &self.server.repo
    }

    fn set(&self, key: &str, value: &str) {
        self.repo().git(&["config", "--add", key, value]);
    }

    /// The key of a person, made the first time.
    fn key(&self, name: &str) -> PathBuf {
        let path = self.server.outside(name);
        if !path.exists() {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path);
            succeed("ssh-keygen", &keygen.output().unwrap());
        }
        path
    }

    /// A config that deploys, with more in it.
    fn write(&self, more: &str) {
        let live = self.server.outside("live").display().to_string();
        let run = format!("echo $TINYCI_COMMIT >> {live}");
        let config = format!("build: 'true'\ndeploy: {{run: '{run}'{more}}}\n");
        self.server.client.write(".tinyci.yml", config);
    }

    /// Commits as it is, unsigned.
    fn unsigned(&self) -> String {
        self.server.client.commit("unsigned")
    }

    /// Commits with the signature of a person.
    fn signed(&self, name: &str) -> String {
        let id = self.server.client.commit(&format!("by {name}"));
        let key = self.key(name);
        let mut amend = self.server.client.command();
        amend.args(["-c", "gpg.format=ssh", "-c"]);
        amend.arg(format!("user.signingKey={}", key.display()));
        amend.args(["commit", "-q", "--allow-empty", "--amend", "--no-edit", "-S"]);
        succeed("git commit", &amend.output().unwrap());
        let signed = self.server.client.git(&["rev-parse", "HEAD"]);
        assert_ne!(signed, id);
        signed
    }

    fn push(&self) -> Pushed {
        self.server.push(&["main"])
    }

    fn says(&self, args: &[&str]) -> Said {
        run(self.repo(), args)
    }

    fn live(&self) -> Vec<String> {
        let text = fs::read_to_string(self.server.outside("live")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// No way leads to a deployment of this commit, and each says why.
    #[track_caller]
    fn assert_refused(&self, id: &str, why: &str) {
        let before = self.live();
        let refusal = format!("refusing to deploy {}: ", &id[..7]);
        for args in [
            &["deploy", "--yes", id][..],
            &["deploy", "--yes", "--force", id],
            &["deploy", "--dry-run", id],
            &["deploy", "--yes", "--bare", id],
        ] {
            let said = self.says(args).with_code(2);
            assert!(
                said.err.contains(&refusal) && said.err.contains(why),
                "{args:?}: {}",
                said.err
            );
            assert!(said.err.contains("hint: `git verify-commit "), "{}", said.err);
        }
        assert_eq!(self.live(), before);
    }
}

#[test]
fn only_a_commit_with_a_known_signature_is_deployed_whoever_asks() {
    let stage = Stage::new();
    stage.write("");
    let first = stage.unsigned();
    stage.push();
    stage.says(&["deploy", "--yes"]).with_code(0);
    stage.set("tinyci.requireSigned", "true");
    stage.assert_refused(&first, "it is not signed (`tinyci.requireSigned`)");
    let said = stage.says(&["deploy", "--yes"]).with_code(2);
    assert!(said.err.contains("it is not signed"), "{}", said.err);

    let good = stage.signed("ada");
    stage.push();
    let plan = stage.says(&["deploy", "--dry-run"]).with_code(0);
    assert!(plan.out.contains("  signed by ada@example.org with SHA256:"), "{}", plan.out);
    // Others above it are listed with the reason, and do not take its place.
    stage.server.client.write("more", "1");
    let eve = stage.signed("eve");
    stage.server.client.write("more", "2");
    let above = stage.unsigned();
    stage.push();
    let plan = stage.says(&["deploy", "--dry-run"]).with_code(0);
    assert!(plan.out.contains(&format!("  then: {}", &good[..7])), "{}", plan.out);
    assert!(plan.out.contains(&format!("{} it is not signed", &above[..7])), "{}", plan.out);
    assert!(plan.out.contains("did not list its key SHA256:"), "{}", plan.out);
    stage.assert_refused(&eve, "did not list its key SHA256:");
    stage.assert_refused(&above, "it is not signed");
    stage.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(stage.live(), [first.clone(), good.clone()]);
    let record = stage.says(&["deployments", "--json", "-n", "1"]).with_code(0).out;
    let record: Value = serde_json::from_str(record.trim()).unwrap();
    let signer = record["signed_by"].as_str().unwrap();
    assert!(signer.starts_with("ada@example.org with SHA256:"), "{record}");
    // A rollback leads only to what may be deployed.
    for args in [&["rollback", "--yes"][..], &["rollback", "--yes", "--force"]] {
        let said = stage.says(args).with_code(2);
        assert!(said.err.contains("it is not signed"), "{}", said.err);
    }
    let status = stage.says(&["status"]).with_code(0);
    assert!(status.out.contains("deployed  production"), "{}", status.out);
}

#[test]
fn a_push_says_why_it_does_not_deploy() {
    let stage = Stage::new();
    stage.set("tinyci.requireSigned", "true");
    stage.write(", auto: true");
    stage.unsigned();
    let pushed = stage.push();
    assert!(pushed.err.contains("nothing was deployed: refusing to deploy"), "{}", pushed.err);
    assert!(pushed.err.contains("it is not signed"), "{}", pushed.err);
    assert!(stage.live().is_empty());
    stage.server.client.write("more", "1");
    let good = stage.signed("ada");
    stage.push();
    assert_eq!(stage.live(), [good.as_str()]);
    // A commit whose config deploys nothing by itself is nobody's disappointment.
    stage.write("");
    stage.unsigned();
    let pushed = stage.push();
    assert!(!pushed.err.contains("nothing was deployed"), "{}", pushed.err);
    // The same for tags.
    stage.write(", auto: true, when: {tag: \"v*\"}");
    let unsigned = stage.unsigned();
    stage.push();
    stage.server.client.git(&["tag", "v1", &unsigned]);
    let pushed = stage.server.push(&["v1"]);
    assert!(pushed.err.contains("it is not signed"), "{}", pushed.err);
    stage.server.client.write("more", "2");
    let tagged = stage.signed("ada");
    stage.server.client.git(&["tag", "v2", &tagged]);
    stage.server.push(&["main", "v2"]);
    assert_eq!(stage.live(), [good, tagged]);
}

#[test]
fn what_was_changed_after_it_was_signed_and_keys_that_were_revoked_do_not_count() {
    let stage = Stage::new();
    stage.set("tinyci.requireSigned", "true");
    stage.write("");
    let good = stage.signed("ada");
    // The same signature on another tree.
    stage.server.client.write("evil", "x");
    stage.server.client.git(&["add", "-A"]);
    let tree = stage.server.client.git(&["write-tree"]);
    let was = stage.server.client.git(&["rev-parse", "HEAD^{tree}"]);
    let text = stage.server.client.git(&["cat-file", "commit", &good]).replace(&was, &tree);
    let file = stage.server.outside("forged");
    fs::write(&file, text + "\n").unwrap();
    let forged = ["hash-object", "-t", "commit", "-w", file.to_str().unwrap()];
    let forged = stage.server.client.git(&forged);
    stage.server.client.git(&["reset", "-q", "--hard", &forged]);
    stage.push();
    stage.assert_refused(&forged, "its signature is invalid");
    // What a push puts in its place for git is not looked at.
    let replace = format!("{good}:refs/replace/{forged}");
    stage.server.push(&[&replace]);
    stage.assert_refused(&forged, "its signature is invalid");
    stage.server.push(&["-f", &format!("{good}:refs/heads/main")]);
    stage.says(&["deploy", "--dry-run"]).with_code(0);
    let revoked = stage.key("ada").with_extension("pub");
    stage.set("gpg.ssh.revocationFile", revoked.to_str().unwrap());
    stage.assert_refused(&good, "its signature with SHA256:");
    stage.repo().git(&["config", "--unset", "gpg.ssh.allowedSignersFile"]);
    stage.assert_refused(&good, "`gpg.ssh.allowedSignersFile` is not set");
}

#[test]
fn a_list_of_refs_and_false_narrow_it() {
    let stage = Stage::new();
    stage.set("tinyci.requireSigned", "refs/heads/release/*");
    stage.set("tinyci.requireSigned", "refs/tags/v*");
    stage.write(", branch: '*'");
    let main = stage.unsigned();
    stage.push();
    stage.says(&["deploy", "--yes"]).with_code(0);
    assert_eq!(stage.live(), [main.as_str()]);
    stage.server.client.write("more", "1");
    let release = stage.unsigned();
    stage.server.push(&["main:refs/heads/release/1"]);
    stage.assert_refused(&release, "it is not signed");
    // A tag asks for it, wherever the commit is.
    stage.push();
    stage.says(&["deploy", "--dry-run", &release]).with_code(0);
    stage.server.client.git(&["tag", "v1", &release]);
    stage.server.push(&["v1"]);
    stage.assert_refused(&release, "it is not signed");
    stage.set("tinyci.requireSigned", "false");
    stage.says(&["deploy", "--yes", &release]).with_code(0);
    stage.set("tinyci.requireSigned", "main");
    let said = stage.says(&["status"]).with_code(2);
    assert!(said.err.contains("invalid value `main` for `tinyci.requireSigned`"), "{}", said.err);
}

#[test]
fn a_secret_is_for_signed_commits() {
    let stage = Stage::new();
    let secrets = stage.server.outside("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::write(secrets.join("TOKEN"), "s3cret").unwrap();
    let mode = Command::new("chmod").args(["-R", "go-rwx"]).arg(&secrets).status().unwrap();
    assert!(mode.success());
    stage.set("tinyci.secretsDir", secrets.to_str().unwrap());
    stage.set("tinyci.secretRefs", "refs/heads/main");
    stage.set("tinyci.requireSigned", "refs/heads/*");
    let got = stage.server.outside("got");
    let config = format!(
        "build: 'true'\ntest: {{run: 'echo $TOKEN >> {}', secrets: [TOKEN]}}\n",
        got.display()
    );
    stage.server.client.write(".tinyci.yml", config);
    let unsigned = stage.unsigned();
    let pushed = stage.push();
    assert!(!got.exists(), "{}", pushed.err);
    assert_eq!(stage.server.verdicts(&[&unsigned]), ["skipped"]);
    let record = stage.says(&["results", "--json", &unsigned]).with_code(0).out;
    assert!(record.contains("needs a signature (`tinyci.requireSigned`), but it is not signed"));
    stage.server.client.write("more", "1");
    let signed = stage.signed("ada");
    stage.push();
    assert_eq!(stage.server.verdicts(&[&signed]), ["success"]);
    assert_eq!(fs::read_to_string(&got).unwrap(), "s3cret\n");
}

#[test]
fn an_openpgp_signature_is_what_git_says_it_is() {
    if Command::new("gpg").arg("--version").output().is_err() {
        eprintln!("left out: there is no gpg");
        return;
    }
    let stage = Stage::new();
    stage.set("tinyci.requireSigned", "true");
    // The socket of gpg's agent needs a short path.
    let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
    let gpg = |args: &[&str]| {
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--quiet"]).args(args).env("GNUPGHOME", home.path());
        succeed("gpg", &gpg.output().unwrap())
    };
    gpg(&[
        "--passphrase",
        "",
        "--quick-generate-key",
        "Ada <ada@example.org>",
        "ed25519",
        "sign",
        "1d",
    ]);
    stage.write("");
    stage.server.client.commit("by gpg");
    let mut amend = stage.server.client.command();
    amend.args([
        "-c",
        "user.signingKey=ada@example.org",
        "commit",
        "-q",
        "--amend",
        "--no-edit",
        "-S",
    ]);
    succeed("git commit", &amend.env("GNUPGHOME", home.path()).output().unwrap());
    let id = stage.server.client.git(&["rev-parse", "HEAD"]);
    stage.push();
    let plan = |known: bool| {
        let mut plan = stage.server.tinyci(&["deploy", "--dry-run", &id]);
        let empty = stage.server.outside("nobody");
        let _ = fs::create_dir(&empty);
        let home = if known { home.path().to_owned() } else { empty };
        Said::of(&plan.env("GNUPGHOME", home).output().unwrap())
    };
    let said = plan(true).with_code(0);
    assert!(said.out.contains("  signed by Ada <ada@example.org> with "), "{}", said.out);
    let said = plan(false).with_code(2);
    assert!(said.err.contains("its signature is invalid"), "{}", said.err);
    let mut stop = Command::new("gpgconf");
    let _ = stop.args(["--kill", "gpg-agent"]).env("GNUPGHOME", home.path()).output();
}
