//! The examples that deploy, one for each flavour, from the first push to the rollback: with programs
//! that write down how they are called in place of docker and systemd.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::support::{
    program::{Said, tinyci},
    server::{Pushed, Server, search_path, write_script},
};

/// A server and a project with an example's config, and a home with stand-ins for programs.
struct Project {
    server: Server,
    home: PathBuf,
}

impl Project {
    fn new(example: &str, programs: &[&str]) -> Self {
        let server = Server::new();
        let home = server.outside("home");
        for name in programs {
            // It fails at the call whose number the file `fail` holds.
            let text = format!(
                "#!/bin/sh\necho \"{name} $*\" >> '{0}/calls'\n\
                 test \"$(wc -l < '{0}/calls')\" != \"$(cat '{0}/fail' 2>/dev/null)\"\n",
                home.display()
            );
            write_script(&home.join("bin").join(name), &text);
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
        let name = format!(".tinyci.{}", path.extension().unwrap().to_str().unwrap());
        server.client.write(&name, fs::read(path).unwrap());
        Self { server, home }
    }

    fn path(&self) -> std::ffi::OsString {
        let theirs = search_path();
        let folders = [self.home.join("bin")].into_iter().chain(env::split_paths(&theirs));
        env::join_paths(folders).unwrap()
    }

    /// The program on the server.
    fn tinyci(&self, args: &[&str]) -> Said {
        let mut command = tinyci(self.server.repo.path());
        command.args(args).env("PATH", self.path()).env("HOME", &self.home);
        Said::of(&command.env("SITE_ROOT", self.home.join("www")).output().unwrap())
    }

    /// Commits what is there, and pushes it: a green commit.
    #[track_caller]
    fn push(&self, message: &str) -> (String, Pushed) {
        let id = self.server.client.commit(message);
        let mut push = self.server.push_command(&["HEAD"]);
        push.env("PATH", self.path()).env("HOME", &self.home);
        let pushed = Pushed::of(&push.env("SITE_ROOT", self.home.join("www")).output().unwrap());
        assert_eq!(self.server.verdicts(&[&id]), ["success"], "{}", pushed.err);
        (id, pushed)
    }

    /// The calls of the stand-ins since the last look.
    #[cfg(feature = "rhai")]
    fn calls(&self) -> Vec<String> {
        let calls = self.home.join("calls");
        let text = fs::read_to_string(&calls).unwrap_or_default();
        let _ = fs::remove_file(calls);
        text.lines().map(str::to_owned).collect()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home.join(name)).unwrap()
    }
}

#[cfg(feature = "rhai")]
#[test]
fn docker_compose_and_a_systemd_unit() {
    let project = Project::new("docker-compose.rhai", &["docker", "docker-compose", "systemctl"]);
    let Project { server, home, .. } = &project;
    server.client.git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
    server.repo.git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
    server.repo.git(&["config", "user.name", "Ada"]);
    server.repo.git(&["config", "user.email", "ada@example.org"]);
    let secrets = home.join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::write(secrets.join("REGISTRY_TOKEN"), "hunter2").unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&secrets, 0o700);
    mode(&secrets.join("REGISTRY_TOKEN"), 0o600);
    server.repo.git(&["config", "tinyci.secretsDir", secrets.to_str().unwrap()]);
    server.repo.git(&["config", "tinyci.secretRefs", "refs/heads/master"]);
    let expected = |id: &str| {
        [
            "docker login --password-stdin -u ci".to_owned(),
            format!("docker tag fml:{id} fml:production"),
            "docker push fml:production".to_owned(),
            "systemctl --user restart fml".to_owned(),
        ]
    };

    let (first, _) = project.push("first");
    project.calls();
    project.tinyci(&["deploy", "--yes"]).with_code(5);
    assert_eq!(project.calls(), [""; 0]);
    project.tinyci(&["approve", &first]).with_code(0);
    project.tinyci(&["deploy", "--yes"]).with_code(0);
    assert_eq!(project.calls(), expected(&first));

    let (second, _) = project.push("second");
    project.calls();
    project.tinyci(&["approve", &second]).with_code(0);
    // The unit does not come up: what was deployed before counts, and the same is tried again.
    fs::write(home.join("fail"), "4").unwrap();
    project.tinyci(&["deploy", "--yes"]).with_code(1);
    assert_eq!(project.calls(), expected(&second));
    fs::remove_file(home.join("fail")).unwrap();
    let status = project.tinyci(&["status"]).with_code(0).out;
    assert!(status.contains(&format!("deployed  production: {}", &first[..7])), "{status}");
    project.tinyci(&["deploy", "--yes"]).with_code(0);
    assert_eq!(project.calls(), expected(&second));
    project.tinyci(&["rollback", "--yes"]).with_code(0);
    assert_eq!(project.calls(), expected(&first));
}

#[test]
fn a_link_that_is_turned_in_the_manner_of_capistrano() {
    let project = Project::new("symlink-switch.yml", &[]);
    let (server, www) = (&project.server, project.home.join("www/production"));
    server.client.write("Makefile", "all:\n\tcp page built\ncheck:\n\ttest -s built\n");
    let mut ids = Vec::new();
    for number in 1..=7 {
        server.client.write("page", format!("release {number}\n"));
        ids.push(project.push(&format!("release {number}")).0);
        project.tinyci(&["deploy", "--yes"]).with_code(0);
        let served = project.read("www/production/current/built");
        assert_eq!(served, format!("release {number}\n"));
        fs::write(www.join("current/log").join(number.to_string()), "").unwrap();
    }
    let releases = || {
        let entries = fs::read_dir(www.join("releases")).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let mut newest = ids.split_off(2);
    newest.sort();
    assert_eq!(releases(), newest);
    assert_eq!(fs::read_dir(www.join("shared/log")).unwrap().count(), 7, "logs outlive releases");

    // Twice back, each to the release that is there already.
    for number in [6, 5] {
        project.tinyci(&["rollback", "--yes"]).with_code(0);
        let served = project.read("www/production/current/built");
        assert_eq!(served, format!("release {number}\n"));
    }
    assert_eq!(releases(), newest);
    // Another environment has releases of its own.
    project.tinyci(&["deploy", "--yes", "--to", "staging"]).with_code(0);
    assert_eq!(project.read("www/staging/current/built"), "release 7\n");
    assert_eq!(project.read("www/production/current/built"), "release 5\n");
}

#[cfg(feature = "rhai")]
#[test]
fn a_static_site_that_follows_every_green_push() {
    let project = Project::new("static-site.rhai", &[]);
    let client = &project.server.client;
    client.write("Makefile", "site:\n\tmkdir -p site && cp page site/index.html\n");
    let served = || project.read("www/current/index.html");
    client.write("page", "one\n");
    let (first, pushed) = project.push("one");
    assert!(pushed.has(&format!("Deployed {} to production", &first[..7])), "{}", pushed.err);
    assert_eq!(served(), "one\n");

    client.write("page", "two\n");
    project.push("two");
    assert_eq!(served(), "two\n");
    project.tinyci(&["rollback", "--yes"]).with_code(0);
    assert_eq!(served(), "one\n");

    // A branch is built and not served.
    client.git(&["switch", "-q", "-c", "topic"]);
    client.write("page", "a draft\n");
    project.push("a draft");
    assert_eq!(served(), "one\n");
    client.git(&["switch", "-q", "main"]);
    client.write("page", "three\n");
    project.push("three");
    assert_eq!(served(), "three\n");
}
