//! What others wrote never controls the terminal: output, names, messages, files, of every command.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
};

use crate::support::{
    TestRepo,
    program::{Said, tinyci},
    server::{Server, write_script},
};

/// Writes to the clipboard, rings, erases the screen by an escape and by C1 controls in UTF-8, asks for
/// an answer, hides what follows, deletes, writes over the line, leaves a color on, and shows the rest of
/// the line from right to left.
const HOSTILE: &str = "\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{9b}2J\u{9d}0;x\u{9c}\u{1b}P$q\u{1b}\\\u{1b}[6n\u{1b}[8m\u{7f}a\rb\u{1b}[31mc\u{202e}d\u{2066}e";

/// What git allows in the name of a ref.
const BRANCH: &str = "b\u{9b}2J\u{9d}x";

/// Commands that show output of builds or of a server, in which colors and carriage returns pass.
const SHOW_OUTPUT: [&str; 5] = ["run", "log", "deploy", "rollback", "-r=ssh://host/app"];

/// The first control that a terminal would obey: neither a color nor space, nor a text's direction.
fn control(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = &*text;
    let is_one = |letter: char| letter.is_control() || "\u{202e}\u{2066}".contains(letter);
    while let Some(at) = rest.find(is_one) {
        rest = &rest[at..];
        let color = rest.strip_prefix("\u{1b}[").and_then(|color| {
            let end = color.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
            color[end..].strip_prefix('m').filter(|_| &color[..end] != "8")
        });
        match color {
            Some(behind) => rest = behind,
            None if rest.starts_with(['\n', '\t', '\r']) => rest = &rest[1..],
            None => return Some(rest.chars().take(20).collect()),
        }
    }
    None
}

#[track_caller]
fn assert_tame(what: &str, bytes: &[u8]) {
    if let Some(found) = control(bytes) {
        panic!("{what} writes {found:?} in {}", bytes.escape_ascii());
    }
}

/// A repository with the git hook in which everything that a person writes is hostile.
fn stage() -> Server {
    let server = Server::new();
    let client = &server.client;
    let commit = |config: &str| {
        client.write(".tinyci.rhai", config);
        client.git(&["add", "-A"]);
        let mut commit = client.command();
        commit.args(["commit", "-q", "-m", &format!("subject {HOSTILE}\n\nbody {HOSTILE}")]);
        let commit = commit.env("GIT_AUTHOR_NAME", HOSTILE).env("GIT_COMMITTER_NAME", HOSTILE);
        assert!(commit.status().unwrap().success());
        client.git(&["rev-parse", "HEAD"])
    };
    client.write(&format!("file{HOSTILE}"), HOSTILE);
    client.write("out", HOSTILE);
    commit(
        "fn build() { sh(\"cat out; cat out >&2\"); artifact(`*`); }\nfn deploy() { sh(\"cat out\"); }",
    );
    server.push(&["main"]);
    let failing = format!(
        "fn build() {{ sh(\"cat out\"); log({0:?}); fail({0:?}) }}\nfn deploy() {{}}",
        "\u{1b}]52;c;aGk=\u{7}\u{9b}2J"
    )
    .replace("\\u{1b}", "\\x1b")
    .replace("\\u{7}", "\\x07")
    .replace("\\u{9b}", "\\u009b");
    commit(&failing);
    server.push(&[&format!("main:refs/heads/{BRANCH}")]);
    server
}

#[test]
fn no_command_lets_what_others_wrote_control_the_terminal() {
    let server = stage();
    let (repo, client) = (&server.repo, &server.client);
    // Notes that others wrote, and a setting with a name of theirs.
    let green = client.git(&["rev-parse", "main~"]);
    let red = client.git(&["rev-parse", "main"]);
    repo.git(&["notes", "--ref", "runs/tinyci", "append", "-m", HOSTILE, &red]);
    repo.git(&["notes", "--ref", "tinyci-result", "add", "-f", "-m", HOSTILE, &red]);
    repo.git(&["config", "tinyci.pin", &format!("/nowhere/{HOSTILE}")]);
    // A config that cannot be read, and one that is given by name.
    let broken = repo.outside().join(format!("broken{HOSTILE}"));
    fs::create_dir(&broken).unwrap();
    fs::write(
        broken.join(".tinyci.yml"),
        format!("build: 'true'\n{HOSTILE:?}: 1\nx{HOSTILE}: y\n"),
    )
    .unwrap();
    let broken = broken.to_str().unwrap();
    let export = repo.outside().join(format!("export{HOSTILE}"));
    let export = export.to_str().unwrap();
    let ssh = repo.outside().join("ssh");
    write_script(&ssh, "#!/bin/sh\ncat \"$HOSTILE\"; cat \"$HOSTILE\" >&2\n");
    let hostile = repo.outside().join("hostile");
    fs::write(&hostile, HOSTILE).unwrap();
    let person = format!("--asked-by=A{HOSTILE}B <a@b>");
    let table: &[&[&str]] = &[
        &["install"],
        &["install", "--hide-refs"],
        &["plan", "--all"],
        &["plan", "--dry-run", &green],
        &["plan", HOSTILE],
        &["run", "--retry", &green],
        &["run", "--retry", "--json", &red],
        &["run", "--retry", &red],
        &["run", "-q", "--retry", &red],
        &["run", "--step", "build", &green],
        &["run", HOSTILE],
        &["results"],
        &["results", "--all-attempts", &red],
        &["results", "--json"],
        &["results", "--format", "%H %s %an %ae %D %N"],
        &["log"],
        &["log", "-c", &red, "-n", "3"],
        &["log", "-c", HOSTILE],
        &["artifacts", &green],
        &["artifacts", "--json", &green],
        &["artifacts", &green, HOSTILE],
        &["deploy", "--dry-run"],
        &[&person, "deploy", "--yes"],
        &["deploy", "--yes", &red],
        &["deploy", "--to", HOSTILE],
        &["deployments"],
        &["deployments", "--json"],
        &["rollback", "--yes"],
        &[&person, "approve", &green],
        &[&person, "approve", &red],
        &["skip", "-m", HOSTILE, &green],
        &["skip", "--reason", HOSTILE, &green],
        &["cancel", &green],
        &["status"],
        &["status", "--json"],
        &["check", broken],
        &["check", HOSTILE],
        &["convert", broken],
        &["-D", broken, "convert"],
        &["-D", broken, "check"],
        &["-D", broken, "status"],
        &["test-pipeline", broken],
        &["test-pipeline"],
        &["export", &green, export],
        &["compact", "--keep", "0", "-b", HOSTILE],
        &["prune", "--keep", "0", "--dry-run"],
        &["prune", "--keep", "0"],
        &["settings"],
        &["settings", "--json"],
        &["setup-remote", HOSTILE],
        &["-r=ssh://host/app", "log"],
        &["-r=ssh://host/app", "artifacts", "HEAD", "x"],
        &["completions", "bash"],
        &["defs"],
        &["version"],
        &["uninstall"],
        &[HOSTILE],
    ];
    for words in table {
        let mut command = tinyci(repo.path());
        command.env("GIT_SSH", &ssh).env("HOSTILE", &hostile).stdin(Stdio::null());
        let output = command.args(*words).output().unwrap();
        let what = format!("tinyci {}", words.join(" ").escape_default());
        assert_tame(&what, &output.stdout);
        assert_tame(&what, &output.stderr);
        let is_line = |bytes: &[u8]| !bytes.iter().any(|byte| b"\r\x1b".contains(byte));
        let shows_output = words.iter().any(|word| SHOW_OUTPUT.contains(word));
        let shown = output.stdout.escape_ascii();
        assert!(shows_output || is_line(&output.stdout), "{what} writes over lines: {shown}");
        let shown = output.stderr.escape_ascii();
        assert!(words[0].starts_with("-r") || is_line(&output.stderr), "{what}: {shown}");
    }
    // So that a new command is not left out.
    let help =
        String::from_utf8(tinyci(repo.path()).arg("--help").output().unwrap().stdout).unwrap();
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for name in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        let is_there = table.iter().any(|words| words.contains(&name)) || name == "help";
        assert!(is_there, "`{name}` is not in the table");
    }
}

#[test]
fn output_reaches_the_pusher_with_its_colors_and_files_keep_its_bytes() {
    let server = Server::new();
    let output = format!("\u{1b}[31mred\u{1b}[0m 10%\r20%\n{HOSTILE}\n");
    server.client.write("out", &output);
    let id = server.client.commit_config("build: cat out\n");
    let pushed = server.push_command(&["main"]).output().unwrap();
    assert_tame("git push", &pushed.stderr);
    let err = String::from_utf8_lossy(&pushed.stderr).into_owned();
    assert!(err.contains("\u{1b}[31mred\u{1b}[0m 10%"), "{err:?}");
    assert!(err.contains("^[]52;c;aGk=^G^[[2J<9b>2J<9d>0;x<9c>^[P$q^["), "{err:?}");

    let log = fs::read(server.repo.path().join("builds/tinyci.log")).unwrap();
    assert!(String::from_utf8(log).unwrap().contains(HOSTILE), "the log has the bytes");
    let shown = server.tinyci(&["log", "-c", &id]).output().unwrap();
    assert_tame("tinyci log", &shown.stdout);
    let ends = "\u{1b}[31mc<U+202E>d<U+2066>e\u{1b}[0m\n";
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(ends), "a color ends with its line: {shown:?}");
    let raw = Said::of(&server.tinyci(&["log", "-c", &id, "--raw"]).output().unwrap());
    assert!(raw.out.contains(HOSTILE), "{:?}", raw.out);
    let events = Said::of(&server.tinyci(&["run", "--json", "--retry", &id]).output().unwrap());
    let has_it = events.out.lines().any(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["text"].as_str().is_some_and(|text| text.contains(HOSTILE))
    });
    assert!(has_it, "events have the bytes: {}", events.out);
}

#[test]
fn a_server_cannot_control_the_terminal_of_its_client() {
    let client = TestRepo::new();
    let ssh = client.outside().join("ssh");
    let hostile = client.outside().join("hostile");
    fs::write(&hostile, HOSTILE).unwrap();
    // The end of a sequence comes later than its beginning; a master of ssh keeps the pipes open.
    write_script(
        &ssh,
        "#!/bin/sh\nsleep 1000 &\necho $! >\"$HOSTILE.pid\"\nprintf '\\033[3'; sleep 0.1\n\
         printf '1mred'\ncat \"$HOSTILE\"; cat \"$HOSTILE\" >&2; exit 3\n",
    );
    let mut command = tinyci(client.path());
    command.env("GIT_SSH", &ssh).env("HOSTILE", &hostile).args(["-r=ssh://host/app", "log"]);
    let output = command.output().unwrap();
    assert_tame("stdout", &output.stdout);
    assert_tame("stderr", &output.stderr);
    let said = Said::of(&output);
    assert_eq!(said.code, Some(3));
    assert!(said.out.starts_with("\u{1b}[31mred^[]52;") && said.out.ends_with("\u{1b}[0m"));
    assert!(said.err.starts_with("^[]52;"), "{}", said.err);
    let pid: i32 =
        fs::read_to_string(hostile.with_extension("pid")).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let mut command = tinyci(client.path());
    write_script(&ssh, "#!/bin/sh\ncat \"$HOSTILE\"\n");
    command.env("GIT_SSH", &ssh).env("HOSTILE", &hostile);
    let raw = Said::of(&command.args(["-r=ssh://host/app", "log", "--raw"]).output().unwrap());
    assert_eq!(raw.out, HOSTILE);
}

/// What a pipe gets unchanged is shown on a terminal: a file that a job kept.
#[test]
#[cfg(target_os = "linux")]
fn the_contents_of_a_file_are_visible_on_a_terminal_and_unchanged_elsewhere() {
    let repo = TestRepo::new();
    repo.write("out", HOSTILE);
    repo.write(".tinyci.rhai", "fn build() { artifact(\"out\"); }");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "-m", "one"]);
    Said::of(&tinyci(repo.path()).args(["run", "HEAD"]).output().unwrap()).with_code(0);
    let args = ["artifacts", "HEAD", "out", "-o", "-"];
    let piped = tinyci(repo.path()).args(args).output().unwrap();
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), HOSTILE);

    let shown = on_a_terminal(tinyci(repo.path()).args(args), 0);
    assert_tame("a terminal", shown.as_bytes());
    assert!(shown.starts_with("^[]52;c;aGk=^G"), "{shown}");
}

/// Of the help for wrong arguments, colors pass, and what is wrong is visible.
#[test]
#[cfg(target_os = "linux")]
fn wrong_arguments_are_told_in_colors_and_visible() {
    let repo = TestRepo::new();
    let shown = on_a_terminal(tinyci(repo.path()).arg(HOSTILE), 2);
    assert_tame("wrong arguments", shown.as_bytes());
    assert!(shown.contains("\u{1b}[31merror:\u{1b}[0m") && shown.contains("^[]52;"), "{shown}");
}

/// What a command writes to a terminal with colors.
#[cfg(target_os = "linux")]
fn on_a_terminal(command: &mut Command, code: i32) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let other_end = fs::File::options().read(true).write(true).open(name).unwrap();
    command.env("TERM", "xterm").env_remove("NO_COLOR").stderr(other_end.try_clone().unwrap());
    let ended = command.stdout(other_end).status().unwrap();
    assert_eq!(ended.code(), Some(code));
    // The command keeps the other end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut shown = Vec::new();
    // It ends with an error, as the other end is closed.
    let _ = fs::File::from(terminal).read_to_end(&mut shown);
    String::from_utf8(shown).unwrap()
}
