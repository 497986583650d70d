//! A real sshd of the test's own: a high port of this machine, keys and a home that go with it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    env, fs, io,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::support::{
    eventually,
    program::tinyci,
    server::{search_path, write_script},
    succeed,
};

/// A server that is called `vps`, gone with this value.
pub(crate) struct SshServer {
    dir: TempDir,
    sshd: Child,
}

impl SshServer {
    /// None where this machine has no sshd, and says so.
    pub(crate) fn start() -> Option<Self> {
        let Some(sshd) = program("sshd") else {
            eprintln!("passed over: this machine has no sshd (Debian: openssh-server)");
            return None;
        };
        let dir = TempDir::new().unwrap();
        for folder in ["home", "bin", "server-bin"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for key in ["host", "key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", key])
                .current_dir(dir.path())
                .output();
            succeed("ssh-keygen", &made.unwrap());
        }
        // A system's own start makes this folder, and root's sshd does not work without it.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        // Nobody else takes a port between our look and sshd's, but another test could.
        let (sshd, port) = (0..10).find_map(|_| listen(&sshd, dir.path())).expect("sshd listens");
        configure_client(dir.path(), port);
        Some(Self { dir, sshd })
    }

    /// The home folder of the account that logs in.
    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// The folder of the client's programs: the ssh that knows this server.
    pub(crate) fn client_bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    /// A program that only the server has.
    pub(crate) fn program(&self, name: &str, script: &str) {
        write_script(&self.dir.path().join("server-bin").join(name), script);
    }

    /// Where the client finds its programs.
    pub(crate) fn path(&self) -> std::ffi::OsString {
        let theirs = search_path();
        env::join_paths([self.client_bin()].into_iter().chain(env::split_paths(&theirs))).unwrap()
    }

    /// `ssh vps COMMAND`, not started yet.
    pub(crate) fn ssh(&self, command: &str) -> Command {
        let mut ssh = Command::new(self.client_bin().join("ssh"));
        ssh.args(["vps", command]).stdin(Stdio::null());
        ssh
    }

    /// Runs a command on the server; panics with what it said if it fails.
    #[track_caller]
    pub(crate) fn run(&self, command: &str) -> String {
        succeed(command, &self.ssh(command).output().unwrap())
    }

    /// The program on the client's side, in one of its folders.
    pub(crate) fn tinyci(&self, dir: &Path, args: &[&str]) -> Command {
        let mut command = tinyci(dir);
        command.args(args).env("PATH", self.path());
        command
    }

    /// The same from beginning to end.
    pub(crate) fn tinyci_output(&self, dir: &Path, args: &[&str]) -> Output {
        self.tinyci(dir, args).output().unwrap()
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

/// The program's full path: sshd starts itself again by it, and lies where only root looks.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Starts sshd on a free port; none where that was taken meanwhile.
fn listen(program: &Path, dir: &Path) -> Option<(Child, u16)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = dir.display();
    // What a login finds: its own home, git deaf to the machine, and the program under test.
    let path = search_path();
    let enter = format!(
        "#!/bin/sh\nexport HOME={at}/home PATH={at}/server-bin:'{}'\n\
         export GIT_CONFIG_GLOBAL=\"$HOME/.gitconfig\" GIT_CONFIG_NOSYSTEM=1\n\
         cd \"$HOME\" && exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n",
        path.to_str().unwrap()
    );
    write_script(&dir.join("enter"), &enter);
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nPidFile none\n\
         AuthorizedKeysFile {at}/key.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         SetEnv HOME={at}/home\nForceCommand {at}/enter\n"
    );
    fs::write(dir.join("sshd_config"), config).unwrap();
    let log = fs::File::create(dir.join("sshd.log")).unwrap();
    let mut sshd = Command::new(program);
    sshd.args(["-D", "-e", "-f"]).arg(dir.join("sshd_config"));
    let mut sshd = sshd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let mut ended = false;
    eventually("sshd listens", || {
        ended = sshd.try_wait().unwrap().is_some();
        ended || TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    if !ended {
        return Some((sshd, port));
    }
    let said = fs::read_to_string(dir.join("sshd.log")).unwrap();
    assert!(said.contains("Address already in use"), "sshd does not start: {said}");
    None
}

/// An ssh that knows the server by its name and its key, and asks nobody anything.
fn configure_client(dir: &Path, port: u16) {
    let key = fs::read_to_string(dir.join("host.pub")).unwrap();
    fs::write(dir.join("known_hosts"), format!("[127.0.0.1]:{port} {key}")).unwrap();
    let (at, user) = (dir.display(), user().unwrap());
    let config = format!(
        "Host vps\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {at}/key\n  \
         IdentitiesOnly yes\n  UserKnownHostsFile {at}/known_hosts\n  BatchMode yes\n"
    );
    fs::write(dir.join("ssh_config"), config).unwrap();
    let ssh = program("ssh").unwrap();
    let script = format!("#!/bin/sh\nexec {} -F {at}/ssh_config \"$@\"\n", ssh.display());
    write_script(&dir.join("bin/ssh"), &script);
}

fn user() -> io::Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
