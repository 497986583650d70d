//! Builds with any amount of output, and builds that leave processes behind, under a memory limit.
//! A program that kept the output in memory would exceed the limit.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::support::{
    TestRepo, eventually,
    processes::{send, with_command},
    program::{run, tinyci},
};

const MIB: u64 = 1 << 20;

/// The address space of a run, in addition to what a run of a small commit needs. The output of a
/// build would not fit in it.
const EXTRA_KIB: u64 = 192 * 1024;

/// Returns a field of a process's status in KiB; 0 if it has ended.
fn status_kib(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(field));
    value.and_then(|value| value.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}

/// Returns the address space in KiB that a run of a small commit reserves. Most of it is stacks and
/// heaps that are never used. Builds of tinyci differ in it by their features and by optimization.
fn baseline_kib() -> u64 {
    static BASELINE: OnceLock<u64> = OnceLock::new();
    *BASELINE.get_or_init(|| {
        let repo = TestRepo::new();
        let (begun, go) = (repo.outside().join("begun"), repo.outside().join("go"));
        let wait = "until [ -e \"$0\" ]; do sleep 0.01; done";
        repo.commit_config(&format!(
            "build: |\n  echo begun; touch '{}'\n  sh -c '{wait}' '{}'\ntest: echo tested\n",
            begun.display(),
            go.display()
        ));
        let mut command = tinyci(repo.path());
        let mut child = command.args(["run", "--all"]).stdout(Stdio::null()).spawn().unwrap();
        eventually("the small commit is being built", || begun.exists());
        let kib = status_kib(child.id(), "VmPeak:");
        fs::write(go, "").unwrap();
        assert!(child.wait().unwrap().success() && kib > 0, "{kib}");
        kib
    })
}

/// Returns a command that starts `tinyci run --all` with a limit on the address space of each
/// process.
fn limited(repo: &TestRepo) -> Command {
    let kib = baseline_kib() + EXTRA_KIB;
    let mut command = Command::new("/bin/sh");
    let plain = tinyci(repo.path());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let script = format!("ulimit -v {kib} && exec \"$0\" run --all");
    command.args(["-c", &script]).arg(plain.get_program()).current_dir(repo.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Waits for the end. Returns the exit code and the peak resident memory in bytes.
fn watch(mut child: Child) -> (Option<i32>, u64) {
    let mut peak = 0;
    loop {
        peak = peak.max(status_kib(child.id(), "VmHWM:") * 1024);
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), peak);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn length(repo: &TestRepo, log: &str) -> u64 {
    fs::metadata(repo.path().join("builds").join(log)).unwrap().len()
}

#[test]
fn three_hundred_megabytes_without_a_newline() {
    let repo = TestRepo::new();
    repo.git(&["config", "tinyci.logLimit", "4m"]);
    let hundred = "head -c 100000000 /dev/zero";
    let id = repo.commit_config(&format!(
        "build: |\n  {hundred}\n  {hundred} | tr '\\000' '\\377'\n  {hundred} | tr '\\000' x\n  \
         echo; echo the end\ntest: echo tested\n"
    ));
    let (code, peak) = watch(limited(&repo).spawn().unwrap());
    assert_eq!((code, repo.verdict(&id).as_deref()), (Some(0), Some("success")));
    assert!(peak > MIB && peak < 64 * MIB, "{peak} bytes were resident");
    for log in ["tinyci.log".to_owned(), format!("1500000060_{id}/tinyci.log")] {
        let length = length(&repo, &log);
        assert!(length > 4 * MIB && length < 5 * MIB, "{log} has {length} bytes");
        let text = fs::read(repo.path().join("builds").join(&log)).unwrap();
        let end = text.len() - 200;
        let end = String::from_utf8_lossy(&text[end..]).into_owned();
        for line in ["] the end\n", "] Testing...\n", "] tested\n"] {
            assert!(end.contains(line), "{line:?} is missing in {end:?}");
        }
    }
    // `tinyci log` needs little memory, too.
    let mut log = tinyci(repo.path());
    let (code, peak) = watch(log.arg("log").stdout(Stdio::null()).spawn().unwrap());
    assert!(code == Some(0) && peak < 64 * MIB, "{code:?} {peak}");
}

#[test]
fn a_million_lines() {
    let repo = TestRepo::new();
    repo.git(&["config", "tinyci.logLimit", "1m"]);
    let id = repo.commit_config("build: seq 1000000\n");
    let (code, peak) = watch(limited(&repo).spawn().unwrap());
    assert_eq!((code, repo.verdict(&id).as_deref()), (Some(0), Some("success")));
    assert!(peak < 64 * MIB, "{peak} bytes were resident");
    let log = run(&repo, &["log"]).with_code(0).out;
    assert!(log.contains("] 1\n") && log.contains("] 1000000\n") && log.len() < 2 << 20);
}

/// Reads slowly, so that the buffers of the run are always full.
#[test]
fn a_slow_reader_costs_no_memory() {
    use std::io::Read;

    let repo = TestRepo::new();
    let id = repo.commit_config("build: head -c 30000000 /dev/zero\n");
    let mut command = limited(&repo);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let (mut chunk, mut total) = (vec![0; 4096], 0);
        loop {
            match out.read(&mut chunk).unwrap() {
                0 => return total,
                read => total += read,
            }
            thread::yield_now();
        }
    });
    let (code, peak) = watch(child);
    assert!(reader.join().unwrap() > 30_000_000, "nothing is lost on the way");
    assert_eq!((code, repo.verdict(&id).as_deref()), (Some(0), Some("success")));
    assert!(peak < 64 * MIB, "{peak} bytes were resident");
}

/// Returns a script whose processes double until this depth. The depth limits the number of
/// processes, so that the script is harmless even if it is not stopped.
fn bomb(depth: u32, mark: &str) -> String {
    format!(
        "bomb() {{ if [ $1 -gt 0 ]; then bomb $(($1-1)) & bomb $(($1-1)) & fi; \
         sh -c 'sleep 300; :' {mark}; }}\n  bomb {depth}"
    )
}

#[test]
fn a_fork_bomb_ends_with_its_time() {
    let repo = TestRepo::new();
    let mark = repo.outside().file_name().unwrap().to_str().unwrap().to_owned();
    let id = repo.commit_config(&format!("build: |\n  {}\n", bomb(5, &mark)));
    repo.git(&["config", "tinyci.jobTimeout", "2s"]);
    repo.git(&["config", "tinyci.gracePeriod", "1s"]);
    let said = run(&repo, &["run", "--all"]).with_code(1);
    assert!(said.out.contains("timed out"), "{}", said.out);
    assert_eq!(repo.verdict(&id).as_deref(), Some("failure"));
    let strays = with_command(&mark);
    assert!(strays.is_empty(), "{} live on", strays.len());
}

#[test]
fn a_fork_bomb_that_outlives_its_command_is_no_daemon() {
    let repo = TestRepo::new();
    let mark = repo.outside().file_name().unwrap().to_str().unwrap().to_owned();
    let id = repo.commit_config(&format!("build: |\n  {} &\n  exit 0\n", bomb(6, &mark)));
    run(&repo, &["run", "--all"]).with_code(1);
    assert_eq!(repo.verdict(&id).as_deref(), Some("failure"));
    let strays = with_command(&mark);
    assert!(strays.is_empty(), "{} live on", strays.len());
}

/// Tests that a background process that keeps the output open does not delay the end of the run,
/// and continues after it.
#[test]
fn a_daemon_survives_success() {
    let repo = TestRepo::new();
    let mark = repo.outside().file_name().unwrap().to_str().unwrap().to_owned();
    let (alive, go) = (repo.outside().join("alive"), repo.outside().join("go"));
    let id = repo.commit_config(&format!(
        "build: |\n  sh -c 'until [ -e {go} ]; do sleep 0.01; done; touch {alive}; sleep 300; :' \
         {mark} &\n  echo in the background\n",
        go = go.display(),
        alive = alive.display()
    ));
    let said = run(&repo, &["run", "--all"]).with_code(0);
    assert!(said.out.ends_with(&format!("Finished {id}\n")), "{}", said.out);
    fs::write(go, "").unwrap();
    eventually("the daemon lives", || alive.exists());
    with_command(&mark).iter().for_each(|process| send(process.pid, Signal::KILL));
}
