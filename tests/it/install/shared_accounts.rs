//! `core.sharedRepository`: what one account writes, the other accounts of the group can use.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::support::program::Said;

const CONFIG: &str =
    "build: mkdir sub && echo hi > sub/made && chmod g+rwxs sub && chmod g+rw sub/made
deploy:
  run: cat sub/made
  approve: true
";

/// A folder with a program that every account can start, and a bare repository of one of them.
struct Place {
    dir: TempDir,
}

/// Somebody who pushes and works on the server, with a umask of his own.
struct Account {
    /// None for whoever runs the tests.
    ids: Option<(u32, u32)>,
    umask: &'static str,
    home: PathBuf,
    program: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        open_up(dir.path());
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_tinyci"), bin.join("tinyci")).unwrap();
        open_up(&bin);
        open_up(&bin.join("tinyci"));
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// An account with a home, and a clone in it once there is something to clone.
    fn account(&self, name: &str, ids: Option<(u32, u32)>, umask: &'static str) -> Account {
        let home = self.path(name);
        fs::create_dir(&home).unwrap();
        let config = "[user]\nname = Ada\nemail = ada@example.org\n[safe]\ndirectory = *\n\
                      [init]\ndefaultBranch = main\n";
        fs::write(home.join(".gitconfig"), config).unwrap();
        if let Some((user, group)) = ids {
            chown(&home, Some(user), Some(group)).unwrap();
        }
        Account { ids, umask, home, program: self.path("bin/tinyci") }
    }

    /// The folder in which the group keeps its repositories.
    fn repositories(&self, ids: Option<(u32, u32)>) -> PathBuf {
        let dir = self.path("repos");
        fs::create_dir(&dir).unwrap();
        if let Some((user, group)) = ids {
            chown(&dir, Some(user), Some(group)).unwrap();
        }
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o2775)).unwrap();
        dir
    }
}

fn open_up(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Account {
    /// A program in a folder, as this account with its umask.
    fn command(&self, dir: &Path, words: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.program.parent().unwrap().display());
        command
            .args(["-c", &format!("umask {} && exec \"$@\"", self.umask), "sh"])
            .args(words)
            .current_dir(dir)
            .stdin(Stdio::null())
            .env("HOME", &self.home)
            .env("PATH", path)
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for name in ["XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_DIR", "GIT_WORK_TREE"] {
            command.env_remove(name);
        }
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }

    fn run(&self, dir: &Path, words: &[&str]) -> Said {
        Said::of(&self.command(dir, words).output().unwrap())
    }

    #[track_caller]
    fn git(&self, dir: &Path, words: &[&str]) -> String {
        let said = self.run(dir, &[&["git"], words].concat()).with_code(0);
        format!("{}{}", said.out, said.err)
    }

    #[track_caller]
    fn tinyci(&self, dir: &Path, words: &[&str]) -> Said {
        self.run(dir, &[&["tinyci"], words].concat())
    }

    /// Commits and pushes; gives what the push said.
    #[track_caller]
    fn push(&self, server: &Path, message: &str) -> String {
        self.push_with(server, message, CONFIG)
    }

    #[track_caller]
    fn push_with(&self, server: &Path, message: &str, config: &str) -> String {
        let clone = self.home.join("clone");
        if !clone.exists() {
            self.git(&self.home, &["clone", "-q", server.to_str().unwrap(), "clone"]);
        }
        if !self.git(&clone, &["ls-remote", "origin"]).is_empty() {
            self.git(&clone, &["pull", "-q", "--rebase", "origin", "main"]);
        }
        fs::write(clone.join(".tinyci.yml"), config).unwrap();
        fs::write(clone.join(message), message).unwrap();
        if let Some((user, group)) = self.ids {
            for file in [".tinyci.yml", message] {
                chown(clone.join(file), Some(user), Some(group)).unwrap();
            }
        }
        self.git(&clone, &["add", "-A"]);
        self.git(&clone, &["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&clone, &["push", "origin", "HEAD:main"])
    }
}

/// Everything that tinyci has to do with, done by one account after the other.
#[track_caller]
fn work(accounts: &[&Account], server: &Path) {
    let first = accounts[0];
    let head = |who: &Account, rev: &str| who.git(server, &["rev-parse", rev]).trim().to_owned();
    for (number, who) in accounts.iter().cycle().take(4).enumerate() {
        let said = who.push(server, &format!("file{number}"));
        assert!(said.contains("Finished"), "push {number} was not judged:\n{said}");
        let word = who.git(server, &["notes", "--ref", "tinyci-result", "show", "main"]);
        assert_eq!(word.trim(), "success");
    }
    for (number, who) in accounts.iter().enumerate() {
        who.push(server, &format!("release{number}"));
        let tip = head(who, "main");
        who.tinyci(server, &["deploy", "--yes", &tip]).with_code(5);
        who.tinyci(server, &["approve", &tip]).with_code(0);
        who.tinyci(server, &["deploy", "--yes", &tip]).with_code(0);
        // Whose build it is makes no difference: not to make it anew, nor to pack or remove it.
        for commit in ["main~2", "main~3"] {
            who.tinyci(server, &["run", "--retry", &head(who, commit)]).with_code(0);
        }
        who.tinyci(server, &["results", "--forget", &head(who, "main~3")]).with_code(0);
        who.tinyci(server, &["run", "--all"]).with_code(0);
        who.tinyci(server, &["compact", "-n", "3"]).with_code(0);
        who.tinyci(server, &["prune", "--keep", "2"]).with_code(0);
        who.tinyci(server, &["status"]).with_code(0);
        who.tinyci(server, &["log"]).with_code(0);
    }
    first.tinyci(server, &["install", "--hide-refs"]).with_code(0);
}

/// Whatever in the repository another account of the group could not use as its own.
fn out_of_reach(server: &Path, exactly: Option<u32>) -> Vec<String> {
    let (mut found, mut left) = (Vec::new(), vec![server.to_path_buf()]);
    while let Some(path) = left.pop() {
        let there = fs::symlink_metadata(&path).unwrap();
        if there.is_symlink() {
            continue;
        }
        let mode = there.mode() & 0o7777;
        // Whose mark of an approval it is proves who approved: nobody else may write it, and it holds
        // nothing but an id.
        let is_mark = path.file_name().unwrap().to_string_lossy().starts_with("approval.");
        let wanted = match mode {
            _ if there.is_dir() => 0o2070,
            _ if is_mark => 0o040,
            mode if mode & 0o200 == 0 => 0o040,
            _ => 0o060,
        };
        let wanted = if !there.is_dir() && mode & 0o100 != 0 { wanted | 0o010 } else { wanted };
        let beyond = exactly.is_some_and(|granted| !is_mark && mode & 0o006 & !granted != 0);
        if mode & wanted != wanted || beyond {
            found.push(format!("{mode:04o} {}", path.strip_prefix(server).unwrap().display()));
        }
        if there.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

#[test]
fn nothing_that_is_written_is_out_of_the_groups_reach() {
    let ways = [
        ("022", "group", None, None),
        ("077", "all", None, Some("far/builds")),
        ("077", "0660", Some(0o660), None),
    ];
    for (umask, shared, exactly, builds) in ways {
        let place = Place::new();
        let repositories = place.repositories(None);
        let ada = place.account("ada", None, umask);
        ada.git(&repositories, &["init", "-q", "--bare", &format!("--shared={shared}"), "srv.git"]);
        let server = repositories.join("srv.git");
        // Logs of refs are not usual in a bare repository; where they are kept, they are ours too.
        ada.git(&server, &["config", "core.logAllRefUpdates", "always"]);
        if let Some(builds) = builds {
            ada.git(&server, &["config", "tinyci.buildsDir", builds]);
        }
        ada.tinyci(&server, &["install"]).with_code(0);
        work(&[&ada], &server);
        let found = out_of_reach(&server, exactly);
        assert_eq!(found, Vec::<String>::new(), "umask {umask}, core.sharedRepository {shared}");
    }
}

#[test]
fn a_repository_that_is_not_shared_follows_the_umask() {
    for (umask, allowed) in [("077", 0o700), ("027", 0o750)] {
        let place = Place::new();
        let repositories = place.repositories(None);
        let ada = place.account("ada", None, umask);
        ada.git(&repositories, &["init", "-q", "--bare", "srv.git"]);
        let server = repositories.join("srv.git");
        ada.tinyci(&server, &["install"]).with_code(0);
        assert!(ada.push(&server, "file").contains("Finished"));
        for name in ["tinyci", "tinyci/lock", "builds", "hooks/post-receive", "builds/tinyci.log"] {
            let mode = fs::metadata(server.join(name)).unwrap().mode() & 0o777;
            assert_eq!(mode & !allowed, 0, "{name} has {mode:o} with umask {umask}");
        }
    }
}

/// Two accounts of one group push, build, deploy and tidy up in turn. Needs root to be two accounts.
#[test]
fn two_accounts_of_a_group_work_in_one_repository() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can be two accounts");
        return;
    }
    const GROUP: u32 = 65500;
    let ways = [(["022", "022"], "group", "builds"), (["077", "002"], "0660", "../builds")];
    for (umasks, shared, builds) in ways {
        let place = Place::new();
        let ada = place.account("ada", Some((65531, GROUP)), umasks[0]);
        let bob = place.account("bob", Some((65532, GROUP)), umasks[1]);
        let repositories = place.repositories(ada.ids);
        ada.git(&repositories, &["init", "-q", "--bare", &format!("--shared={shared}"), "srv.git"]);
        let server = repositories.join("srv.git");
        ada.git(&server, &["config", "tinyci.buildsDir", builds]);
        ada.tinyci(&server, &["install"]).with_code(0);
        work(&[&ada, &bob], &server);
        // A repository that was moved is marked anew by whoever comes first.
        let moved = repositories.join("moved.git");
        fs::rename(&server, &moved).unwrap();
        bob.tinyci(&moved, &["run", "--retry", "main~1"]).with_code(0);
        fs::rename(&moved, &server).unwrap();
        ada.tinyci(&server, &["run", "--retry", "main~1"]).with_code(0);
        // git itself finds every folder of objects open.
        for number in 0..12 {
            let who = if number % 2 == 0 { &bob } else { &ada };
            let said = who.push(&server, &format!("more{number}"));
            assert!(said.contains("Finished"), "{said}");
        }
        assert_eq!(out_of_reach(&repositories, None), Vec::<String>::new());
    }
}

/// What a build's commands make is theirs: it may stand aside, and stops nothing.
#[test]
fn what_one_accounts_build_has_closed_does_not_stop_the_other() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can be two accounts");
        return;
    }
    const GROUP: u32 = 65500;
    let place = Place::new();
    let ada = place.account("ada", Some((65531, GROUP)), "022");
    let bob = place.account("bob", Some((65532, GROUP)), "022");
    let repositories = place.repositories(ada.ids);
    ada.git(&repositories, &["init", "-q", "--bare", "--shared=group", "srv.git"]);
    let server = repositories.join("srv.git");
    ada.tinyci(&server, &["install"]).with_code(0);
    ada.push_with(&server, "file", "build: mkdir closed && touch closed/file\n");
    let said = bob.tinyci(&server, &["run", "--retry", "main"]).with_code(0);
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains("Finished"), "{told}");
    assert!(told.contains("closed"), "what stands aside is told: {told}");
    assert!(bob.push(&server, "another").contains("Finished"));
    // Each removes what is its own, and the other goes on.
    bob.tinyci(&server, &["prune", "--keep", "1"]);
    ada.tinyci(&server, &["prune", "--keep", "1"]);
    ada.tinyci(&server, &["run", "--retry", "main~"]).with_code(0);
    let word = bob.git(&server, &["notes", "--ref", "tinyci-result", "show", "main~"]);
    assert_eq!(word.trim(), "success");
}

#[test]
fn a_value_that_git_refuses_is_named() {
    let place = Place::new();
    let ada = place.account("ada", None, "022");
    ada.git(&ada.home, &["init", "-q", "--bare", "srv.git"]);
    let config = ada.home.join("srv.git/config");
    let text = fs::read_to_string(&config).unwrap() + "\tsharedRepository = nonsense\n";
    fs::write(&config, text).unwrap();
    let said = ada.tinyci(&ada.home.join("srv.git"), &["status"]).with_code(2);
    assert!(
        said.err.contains("invalid value `nonsense` for `core.sharedRepository`"),
        "{}",
        said.err
    );
}
