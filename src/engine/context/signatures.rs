//! SSH signatures of approvals. The programs of git and ssh make and verify them in git's own
//! format, so that `git verify-commit` agrees with tinyci.

use std::{
    ffi::{OsStr, OsString},
    io::Write,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    model::{
        commit::CommitId,
        deployment::Approval,
        error::{Error, ErrorKind},
        identity::Identity,
    },
    process::{self, Answer},
    repo::{CommitSignature, Repo, Signers},
    rules::environment::Variables,
};

/// The namespace of git's ssh signatures.
const NAMESPACE: &str = "git";

/// Creates the commit of an approval, signed as git's configuration says. It calls git, because
/// git supports all agents, commands and key forms that its configuration can name.
///
/// # Errors
///
/// [`Spawn`](ErrorKind::Spawn) if `git` cannot be started, [`Git`](ErrorKind::Git) if it cannot
/// sign.
pub(crate) fn sign_approval(
    repo: &Repo,
    approval: &Approval,
    identity: &Identity,
    env: &Variables,
) -> Result<CommitId, Error> {
    let (tree, text) = repo.approval_text(approval)?;
    let seconds = Timestamp::try_from(approval.time).unwrap_or_default().as_second();
    let (tree, date) = (tree.to_string(), format!("{seconds} +0000"));
    let mut env = without_repository(env);
    for (role, value) in [("NAME", &identity.name), ("EMAIL", &identity.address), ("DATE", &date)] {
        env.insert(format!("GIT_AUTHOR_{role}").into(), value.into());
        env.insert(format!("GIT_COMMITTER_{role}").into(), value.into());
    }
    let mut git_dir = OsString::from("--git-dir=");
    git_dir.push(repo.git_dir());
    let args = ["-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S", "-F", "-", &tree];
    let args: Vec<&OsStr> = [&*git_dir].into_iter().chain(args.map(OsStr::new)).collect();
    let answer = process::run_helper("git", &args, repo.root(), &env, text.as_bytes())?;
    let id = answer.passed.then(|| answer.out.trim().parse::<CommitId>().ok()).flatten();
    id.ok_or_else(|| {
        let message = format!("cannot sign the approval: {}", answer.complaint);
        Error::new(ErrorKind::Git, message)
    })
}

/// Returns the environment without git's variables for a repository, for people or for a push.
/// Only those for its configuration stay.
pub(super) fn without_repository(env: &Variables) -> Variables {
    let passes = |name: &OsStr| {
        let name = name.to_string_lossy();
        !name.starts_with("GIT_") || name.starts_with("GIT_CONFIG") || name == "GIT_EXEC_PATH"
    };
    let passed = env.iter().filter(|(name, _)| passes(name));
    passed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The keys of other people, as git's configuration lists them.
pub(crate) struct Keyring<'a> {
    program: String,
    allowed: PathBuf,
    revoked: Option<PathBuf>,
    env: &'a Variables,
    zone: &'a TimeZone,
}

/// The key that made a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SigningKey {
    /// In the form `SHA256:…`.
    pub(crate) fingerprint: String,
}

impl<'a> Keyring<'a> {
    /// Opens the files that git's configuration names.
    ///
    /// # Errors
    ///
    /// The reason why signatures cannot be verified, as the end of a sentence.
    pub(crate) fn open(
        signers: Signers,
        env: &'a Variables,
        zone: &'a TimeZone,
    ) -> Result<Self, String> {
        let allowed = signers.allowed.ok_or("`gpg.ssh.allowedSignersFile` is not set")?;
        for (key, path) in
            [("allowedSignersFile", Some(&allowed)), ("revocationFile", signers.revoked.as_ref())]
        {
            if let Some(path) = path {
                std::fs::File::open(path).map_err(|error| {
                    format!("cannot read `{}` of `gpg.ssh.{key}`: {error}", path.display())
                })?;
            }
        }
        Ok(Self { program: signers.program, allowed, revoked: signers.revoked, env, zone })
    }

    /// Returns the path of the allowed signers file.
    pub(crate) fn path(&self) -> &Path {
        &self.allowed
    }

    /// Returns the key of a signature if the signature is valid for this principal.
    ///
    /// # Errors
    ///
    /// As [`process::run_helper`], or [`Io`](ErrorKind::Io) if the signature cannot be written to a file.
    pub(crate) fn key_of(
        &self,
        commit: &CommitSignature,
        principal: &str,
    ) -> Result<Option<SigningKey>, Error> {
        let answer = self.ask(commit, "verify", Some(principal))?;
        Ok(answer.passed.then(|| SigningKey { fingerprint: fingerprint(&answer.out) }))
    }

    /// Returns the principal and the key of a signature, as `git verify-commit` finds them, or why it
    /// does not count.
    ///
    /// # Errors
    ///
    /// As [`key_of`](Self::key_of).
    pub(crate) fn signer_of(
        &self,
        commit: &CommitSignature,
    ) -> Result<Result<(String, SigningKey), String>, Error> {
        let validity = self.ask(commit, "check-novalidate", None)?;
        if !validity.passed {
            return Ok(Err(format!("its signature is invalid ({})", validity.complaint)));
        }
        let known = self.ask(commit, "find-principals", None)?;
        let mut complaint = None;
        for principal in known.out.lines().filter(|_| known.passed) {
            let answer = self.ask(commit, "verify", Some(principal))?;
            if answer.passed {
                let key = SigningKey { fingerprint: fingerprint(&answer.out) };
                return Ok(Ok((principal.to_owned(), key)));
            }
            complaint = Some(answer.complaint);
        }
        let (key, file) = (fingerprint(&validity.out), self.allowed.display());
        Ok(Err(match complaint {
            Some(complaint) => format!("its signature with {key} is invalid ({complaint})"),
            None => format!("`{file}` did not list its key {key} at that time"),
        }))
    }

    /// Returns the reason why a signature does not belong to an approver.
    ///
    /// # Errors
    ///
    /// As [`key_of`](Self::key_of).
    pub(crate) fn reason_not_approver(&self, commit: &CommitSignature) -> Result<String, Error> {
        let validity = self.ask(commit, "check-novalidate", None)?;
        if !validity.passed {
            return Ok(format!("its signature is invalid ({})", validity.complaint));
        }
        let key = fingerprint(&validity.out);
        let principals = self.ask(commit, "find-principals", None)?;
        let Some(principal) = principals.out.lines().next().filter(|_| principals.passed) else {
            let file = self.allowed.display();
            return Ok(format!("`{file}` did not list its key {key} at that time"));
        };
        let answer = self.ask(commit, "verify", Some(principal))?;
        Ok(if answer.passed {
            format!("`tinyci.approvers` does not list {principal}, the owner of its key {key}")
        } else {
            format!("its signature with {key} is invalid ({})", answer.complaint)
        })
    }

    /// Returns true if the file lists keys of this principal, or if ssh-keygen is too old to
    /// answer.
    ///
    /// # Errors
    ///
    /// As [`process::run_helper`].
    pub(crate) fn lists(&self, principal: &str) -> Result<bool, Error> {
        let args = ["-Y", "match-principals", "-I", principal, "-f"].map(OsStr::new);
        let args: Vec<&OsStr> = args.into_iter().chain([self.allowed.as_os_str()]).collect();
        let answer = process::run_helper(&self.program, &args, Path::new("/"), self.env, b"")?;
        // A version that does not support this command ends its output with a usage text.
        Ok(answer.passed || answer.complaint.starts_with("ssh-keygen "))
    }

    /// Runs ssh-keygen on a signature, with the time at which it was made.
    fn ask(
        &self,
        commit: &CommitSignature,
        command: &str,
        principal: Option<&str>,
    ) -> Result<Answer, Error> {
        let mut file = tempfile::NamedTempFile::new().map_err(write_error)?;
        file.write_all(&commit.signature).and_then(|()| file.flush()).map_err(write_error)?;
        // ssh-keygen interprets this as local time, as it does with times in the file.
        let time = Timestamp::from_second(commit.time).unwrap_or_default();
        let time = self.zone.to_datetime(time).strftime("-Overify-time=%Y%m%d%H%M%S").to_string();
        let mut args = ["-Y", command].map(OsStr::new).to_vec();
        args.extend([OsStr::new("-s"), file.path().as_os_str(), OsStr::new(&time)]);
        if command != "find-principals" {
            args.extend(["-n", NAMESPACE].map(OsStr::new));
        }
        if command != "check-novalidate" {
            args.extend([OsStr::new("-f"), self.allowed.as_os_str()]);
        }
        if let Some(principal) = principal {
            args.extend(["-I", principal].map(OsStr::new));
            if let Some(revoked) = &self.revoked {
                args.extend([OsStr::new("-r"), revoked.as_os_str()]);
            }
        }
        process::run_helper(&self.program, &args, Path::new("/"), self.env, &commit.payload)
    }
}

fn write_error(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write a signature to a file").with_source(source)
}

/// Extracts the fingerprint from the output of ssh-keygen for a valid signature.
fn fingerprint(output: &str) -> String {
    let word = output.split_whitespace().rfind(|word| word.starts_with("SHA256:"));
    word.unwrap_or("an unknown key").to_owned()
}
