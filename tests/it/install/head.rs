//! A bare repository whose HEAD names a branch that nobody pushes.

use crate::support::{TestRepo, program::Said, server::Server};

const REMEDY: &str = "hint: `git symbolic-ref HEAD refs/heads/main` in that repository";

#[test]
fn install_status_deploy_and_the_push_tell_the_remedy() {
    let repo = TestRepo::bare();
    repo.git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
    let server = Server::on(repo);
    let said =
        |args: &[&str], code| Said::of(&server.tinyci(args).output().unwrap()).with_code(code);
    assert!(!said(&["install"], 0).out.contains(REMEDY), "nothing is pushed yet");

    server.client.git(&["config", "user.name", "Ada"]);
    server.client.commit_config("build: 'true'\ndeploy: 'true'\n");
    let pushed = server.push(&["main"]);
    assert_eq!(pushed.lines().iter().filter(|line| line.contains(REMEDY)).count(), 1);
    assert!(said(&["install"], 0).out.contains(REMEDY));
    assert!(said(&["status"], 0).err.contains(REMEDY));
    assert!(said(&["status", "--json"], 0).out.contains(REMEDY));
    let refused = said(&["deploy", "--yes"], 2).err;
    assert!(refused.contains("nothing to deploy") && refused.contains(REMEDY), "{refused}");
    let named = said(&["deploy", "--yes", "main"], 2).err;
    assert!(named.contains(REMEDY), "{named}");

    // A config that lists its branches deploys all the same, and is told.
    server.client.commit_config("build: 'true'\ndeploy:\n  branch: main\n  run: 'true'\n");
    server.push(&["main"]);
    let planned = said(&["deploy", "--dry-run"], 0);
    assert!(planned.out.contains(REMEDY), "{}", planned.out);
    let deployed = said(&["deploy", "--yes"], 0);
    assert!(deployed.out.contains(REMEDY), "{}", deployed.out);

    server.repo.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    server.client.commit("mended");
    assert!(!server.push(&["main"]).err.contains("symbolic-ref"));
    for args in [&["install"][..], &["status"], &["deploy", "--yes"]] {
        let said = said(args, 0);
        assert!(!format!("{}{}", said.out, said.err).contains("symbolic-ref"), "{args:?}");
    }
}
