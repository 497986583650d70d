//! Signatures of ssh keys: made and looked at by git's and ssh's own programs, as git uses them, so
//! that `git verify-commit` says of an approval what tinyci says.

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
    },
    process::{self, Answer},
    repo::{CommitSignature, Repo, Signers},
    rules::environment::Variables,
};

/// What git signs in the name of.
const NAMESPACE: &str = "git";

/// Makes the commit of an approval, signed as git's configuration says. Git itself does it: it knows
/// the agents, commands and forms of keys that its configuration can name.
///
/// # Errors
///
/// [`Spawn`](ErrorKind::Spawn) without a `git`, [`Git`](ErrorKind::Git) where it cannot sign.
pub(crate) fn sign_approval(
    repo: &Repo,
    approval: &Approval,
    (name, address): (&str, &str),
    env: &Variables,
) -> Result<CommitId, Error> {
    let (tree, text) = repo.approval_text(approval)?;
    let seconds = Timestamp::try_from(approval.time).unwrap_or_default().as_second();
    let (tree, date) = (tree.to_string(), format!("{seconds} +0000"));
    let mut env = without_repository(env);
    for (role, value) in [("NAME", name), ("EMAIL", address), ("DATE", &date)] {
        env.insert(format!("GIT_AUTHOR_{role}").into(), value.into());
        env.insert(format!("GIT_COMMITTER_{role}").into(), value.into());
    }
    let mut git_dir = OsString::from("--git-dir=");
    git_dir.push(repo.git_dir());
    let words = ["-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S", "-F", "-", &tree];
    let words: Vec<&OsStr> = [&*git_dir].into_iter().chain(words.map(OsStr::new)).collect();
    let answer = process::ask("git", &words, repo.root(), &env, text.as_bytes())?;
    let id = answer.passed.then(|| answer.out.trim().parse::<CommitId>().ok()).flatten();
    id.ok_or_else(|| {
        let message = format!("cannot sign the approval: {}", answer.complaint);
        Error::new(ErrorKind::Git, message)
    })
}

/// An environment for git that says nothing of a repository, of people or of a push: only where its
/// configuration is.
pub(super) fn without_repository(env: &Variables) -> Variables {
    let passes = |name: &OsStr| {
        let name = name.to_string_lossy();
        !name.starts_with("GIT_") || name.starts_with("GIT_CONFIG") || name == "GIT_EXEC_PATH"
    };
    let passed = env.iter().filter(|(name, _)| passes(name));
    passed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The keys of others, as git's configuration names them.
pub(crate) struct Keyring<'a> {
    program: String,
    allowed: PathBuf,
    revoked: Option<PathBuf>,
    env: &'a Variables,
    zone: &'a TimeZone,
}

/// A key that a signature was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SigningKey {
    /// `SHA256:…`.
    pub(crate) fingerprint: String,
}

impl<'a> Keyring<'a> {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// The reason why nothing can be verified, as the end of a sentence.
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

    /// The file of the allowed signers.
    pub(crate) fn path(&self) -> &Path {
        &self.allowed
    }

    /// The key of a signature, if it is one that this principal signs with.
    ///
    /// # Errors
    ///
    /// As [`process::ask`], or [`Io`](ErrorKind::Io) where there is no room for its file.
    pub(crate) fn key_of(
        &self,
        commit: &CommitSignature,
        principal: &str,
    ) -> Result<Option<SigningKey>, Error> {
        let answer = self.ask(commit, "verify", Some(principal))?;
        Ok(answer.passed.then(|| SigningKey { fingerprint: fingerprint(&answer.out) }))
    }

    /// Why a signature is that of none of those who may approve.
    ///
    /// # Errors
    ///
    /// As [`key_of`](Self::key_of).
    pub(crate) fn flaw_of(&self, commit: &CommitSignature) -> Result<String, Error> {
        let alone = self.ask(commit, "check-novalidate", None)?;
        if !alone.passed {
            return Ok(format!("its signature is invalid ({})", alone.complaint));
        }
        let key = fingerprint(&alone.out);
        let known = self.ask(commit, "find-principals", None)?;
        let Some(principal) = known.out.lines().next().filter(|_| known.passed) else {
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

    /// Whether the file has keys of this principal. True where ssh-keygen is too old to tell.
    ///
    /// # Errors
    ///
    /// As [`process::ask`].
    pub(crate) fn lists(&self, principal: &str) -> Result<bool, Error> {
        let words = ["-Y", "match-principals", "-I", principal, "-f"].map(OsStr::new);
        let words: Vec<&OsStr> = words.into_iter().chain([self.allowed.as_os_str()]).collect();
        let answer = process::ask(&self.program, &words, Path::new("/"), self.env, b"")?;
        // One that does not know the question ends with how it is called.
        Ok(answer.passed || answer.complaint.starts_with("ssh-keygen "))
    }

    /// Has ssh-keygen look at a signature, at the time at which it was made.
    fn ask(
        &self,
        commit: &CommitSignature,
        what: &str,
        principal: Option<&str>,
    ) -> Result<Answer, Error> {
        let mut file = tempfile::NamedTempFile::new().map_err(no_room)?;
        file.write_all(&commit.signature).and_then(|()| file.flush()).map_err(no_room)?;
        // ssh-keygen reads it as a local time, as it does those in the file.
        let time = Timestamp::from_second(commit.time).unwrap_or_default();
        let time = self.zone.to_datetime(time).strftime("-Overify-time=%Y%m%d%H%M%S").to_string();
        let mut words = ["-Y", what].map(OsStr::new).to_vec();
        words.extend([OsStr::new("-s"), file.path().as_os_str(), OsStr::new(&time)]);
        if what != "find-principals" {
            words.extend(["-n", NAMESPACE].map(OsStr::new));
        }
        if what != "check-novalidate" {
            words.extend([OsStr::new("-f"), self.allowed.as_os_str()]);
        }
        if let Some(principal) = principal {
            words.extend(["-I", principal].map(OsStr::new));
            if let Some(revoked) = &self.revoked {
                words.extend([OsStr::new("-r"), revoked.as_os_str()]);
            }
        }
        process::ask(&self.program, &words, Path::new("/"), self.env, &commit.payload)
    }
}

fn no_room(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write a signature to a file").with_source(source)
}

/// The fingerprint in what ssh-keygen says of a good signature.
fn fingerprint(said: &str) -> String {
    let word = said.split_whitespace().rfind(|word| word.starts_with("SHA256:"));
    word.unwrap_or("an unknown key").to_owned()
}
