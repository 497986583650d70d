//! git's configuration in the environment, and git config files that this account may not read.
//! tinyci must read the same values as git.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    process::Command,
};

use super::calls::{Ended, limited};
use crate::support::{TestRepo, program::tinyci};

/// Runs `tinyci settings`, which shows the value of `tinyci.jobs`.
fn jobs(mut command: Command) -> Ended {
    command.args(["settings", "--json"]);
    limited(command, "settings")
}

fn jobs_value(ended: &Ended) -> u64 {
    assert!(ended.status.success(), "{}", ended.err);
    let mut settings =
        ended.out.lines().map(|line| -> serde_json::Value { serde_json::from_str(line).unwrap() });
    let jobs = settings.find(|it| it["key"] == "tinyci.jobs").unwrap();
    jobs["values"][0].as_str().unwrap_or("1").parse().unwrap()
}

/// Returns the value that `git config tinyci.jobs` prints with the same variables.
fn of_git(repo: &TestRepo, variables: &[(&str, &str)]) -> u64 {
    let mut git = repo.command();
    git.env_remove("GIT_CONFIG_GLOBAL").env_remove("GIT_CONFIG_NOSYSTEM").envs(variables.to_vec());
    let output = git.args(["config", "--default", "1", "tinyci.jobs"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn the_environment_configures_as_it_configures_git() {
    let repo = TestRepo::new();
    let home = repo.outside().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".gitconfig"), "[tinyci]\n\tjobs = 2\n").unwrap();
    let file = |jobs: u32| {
        let path = repo.outside().join(format!("config {jobs}"));
        fs::write(&path, format!("[tinyci]\n\tjobs = {jobs}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (three, four) = (file(3), file(4));
    let home = home.to_str().unwrap();
    let counted = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "TinyCI.Jobs"),
        ("GIT_CONFIG_VALUE_0", "5"),
    ];
    let cases: [&[(&str, &str)]; 8] = [
        &[],
        &[("GIT_CONFIG_GLOBAL", &three)],
        &[("GIT_CONFIG_GLOBAL", "/absent")],
        &[("GIT_CONFIG_GLOBAL", "/absent"), ("GIT_CONFIG_SYSTEM", &four)],
        &[("GIT_CONFIG_SYSTEM", &four)],
        &[("GIT_CONFIG_GLOBAL", ""), ("GIT_CONFIG_SYSTEM", &four), ("GIT_CONFIG_NOSYSTEM", "1")],
        &counted,
        &[counted[0], counted[1], counted[2], ("GIT_CONFIG_PARAMETERS", "'tinyci.jobs'='6'")],
    ];
    for own in [None, Some("7")] {
        own.map(|jobs| repo.git(&["config", "tinyci.jobs", jobs]));
        for case in cases {
            let variables = [&[("HOME", home)], case].concat();
            let mut command = tinyci(repo.path());
            command.env_remove("GIT_CONFIG_GLOBAL").env_remove("GIT_CONFIG_NOSYSTEM");
            command.env_remove("XDG_CONFIG_HOME").envs(variables.clone());
            assert_eq!(jobs_value(&jobs(command)), of_git(&repo, &variables), "{own:?} {case:?}");
        }
    }
    let mut command = tinyci(repo.path());
    command.env("GIT_CONFIG_COUNT", "1");
    let refused = jobs(command);
    assert_eq!(refused.status.code(), Some(2), "{}", refused.err);
    assert!(refused.err.contains("`GIT_CONFIG_KEY_0` is missing"), "{}", refused.err);
}

/// Tests a `HOME` that belongs to another account. `su` and `sudo -u` can leave it so.
#[test]
fn a_home_that_may_not_be_read_is_passed_over_as_git_does() {
    let repo = TestRepo::new();
    // Only root can act as another account, and root can read every file.
    let everything = Command::new("chown").args(["-R", "12345:12345"]).arg(repo.path()).status();
    if !everything.unwrap().success() || chown(repo.outside(), None, None).is_err() {
        return;
    }
    let (outside, home) = (repo.outside(), repo.outside().join("home"));
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(&home).unwrap();
    let config = home.join(".gitconfig");
    fs::write(&config, "[tinyci]\n\tjobs = 2\n").unwrap();
    let program = outside.join("tinyci");
    fs::copy(env!("CARGO_BIN_EXE_tinyci"), &program).unwrap();
    for (file_mode, dir_mode) in [(0o600, 0o755), (0o644, 0o700), (0o644, 0o755)] {
        fs::set_permissions(&config, fs::Permissions::from_mode(file_mode)).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(dir_mode)).unwrap();
        let as_other = |program: &std::path::Path| {
            let mut command = Command::new(program);
            command.uid(12345).gid(12345).current_dir(repo.path()).env("HOME", &home);
            command.env_remove("XDG_CONFIG_HOME").env("GIT_CONFIG_NOSYSTEM", "1");
            command
        };
        let mut git = as_other(std::path::Path::new("git"));
        let git = git.args(["config", "--default", "1", "tinyci.jobs"]).output().unwrap();
        let expected: u64 = String::from_utf8(git.stdout).unwrap().trim().parse().unwrap();
        let found = jobs_value(&jobs(as_other(&program)));
        assert_eq!(found, expected, "{file_mode:o} {dir_mode:o}");
    }
}
