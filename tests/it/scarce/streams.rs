//! Closed and full standard streams, and no `/proc`.

use std::process::Command;

use super::scene::{Ended, Scene};
use crate::support::program::{like, tinyci};

/// Returns a command that tests the pending commits, with these redirections of a shell.
fn redirected(scene: &Scene, redirections: &str) -> Command {
    let script = format!("exec \"$@\" {redirections}");
    scene.below("sh", &["-c", &script, "sh"])
}

#[test]
fn a_run_needs_no_standard_streams() {
    let mut scene = Scene::new();
    for redirections in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        scene.commit();
        let output = redirected(&scene, redirections).output().unwrap();
        assert_eq!(scene.check(redirections, &output, &[]), Ended::Tested);
    }
}

/// Tests that the commit gets its verdict although the output of the run cannot be written.
#[test]
fn a_run_whose_output_is_lost_says_so_and_keeps_its_verdict() {
    let mut scene = Scene::new();
    for redirections in [">/dev/full", ">/dev/full 2>/dev/full"] {
        let id = scene.commit();
        let output = redirected(&scene, redirections).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{redirections}");
        assert_eq!(scene.repo.verdict(&id).as_deref(), Some("success"), "{redirections}");
    }
    scene.assert_recovers("full streams");
}

/// Tests commands whose only result is their output: it is an error if they cannot write it.
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let mut scene = Scene::new();
    scene.commit();
    scene.assert_recovers("nothing");
    for command in ["results", "results --json", "status", "log", "settings", "defs"] {
        let plain = tinyci(scene.repo.path());
        let mut sh = like(&plain, "sh");
        let script = format!("exec \"$0\" {command} >/dev/full");
        let output = sh.args(["-c", &script]).arg(plain.get_program()).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{command}: {err}");
        assert!(err.contains("No space left on device"), "{command}: {err}");
    }
}

#[test]
fn a_run_needs_no_proc() {
    let mut scene = Scene::new();
    let id = scene.commit();
    let hide = "mount -t tmpfs none /proc && exec \"$@\"";
    let output = scene.below("unshare", &["-Urm", "sh", "-c", hide, "sh"]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    if scene.repo.verdict(&id).is_none() && (err.contains("unshare:") || err.contains("mount:")) {
        eprintln!("skipped: {err}");
        return;
    }
    assert_eq!(scene.check("no /proc", &output, &[]), Ended::Tested);
}
