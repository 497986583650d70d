//! FIFOs and symbolic links in place of tinyci's state files. No command waits for them, follows
//! them, or writes to the target of a link.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::bounds::ended;
use crate::support::{TestRepo, program::run};

const CONFIG: &str = "build: 'true'\ndeploy:\n  run: 'true'\n  branch: main\n";

/// Adds all files below a directory.
fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Returns a repository with state files, and their relative paths.
fn repo_with_state() -> (TestRepo, Vec<PathBuf>) {
    let repo = TestRepo::new();
    repo.commit_config(CONFIG);
    run(&repo, &["install"]).with_code(0);
    run(&repo, &["run", "--all"]).with_code(0);
    let mut files = Vec::new();
    files_below(&repo.path().join(".git/tinyci"), &mut files);
    files_below(&repo.path().join("builds"), &mut files);
    files.retain(|path| !path.components().any(|part| part.as_os_str() == "export"));
    let relative = |path: PathBuf| path.strip_prefix(repo.path()).unwrap().to_path_buf();
    let files: Vec<PathBuf> = files.into_iter().map(relative).collect();
    assert!(files.len() > 5, "{files:?}");
    (repo, files)
}

/// Replaces one state file in a new repository, each in turn, and runs commands that read and write
/// them.
fn call_with(replace: impl Fn(&Path)) {
    let (_, names) = repo_with_state();
    for number in 0..names.len() {
        // The names of builds contain times, so they can differ between repositories.
        let (repo, files) = repo_with_state();
        let Some(file) = files.get(number) else { continue };
        let place = repo.path().join(file);
        fs::remove_file(&place).unwrap();
        replace(&place);
        let what = file.display().to_string();
        repo.commit("another");
        for args in [
            ["status"].as_slice(),
            &["results"],
            &["plan"],
            &["log"],
            &["log", "-c", "HEAD~1"],
            &["deployments"],
            &["run", "--all"],
            &["skip", "HEAD"],
            &["compact", "--keep", "1"],
            &["prune", "--keep", "1"],
        ] {
            let said = ended(&what, repo.path(), args);
            let code = said.code.unwrap_or_else(|| panic!("{what}: {args:?} was killed"));
            assert!(code != 101, "{what}: {args:?} panicked: {}", said.err);
        }
    }
}

#[test]
fn no_command_waits_for_a_fifo() {
    call_with(|place| mknodat(CWD, place, FileType::Fifo, Mode::RWXU, 0).unwrap());
}

#[test]
fn no_command_writes_to_what_a_link_names() {
    let dir = tempfile::tempdir().unwrap();
    let precious = dir.path().join("precious");
    fs::write(&precious, "precious\n").unwrap();
    call_with(|place| symlink(&precious, place).unwrap());
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
}
