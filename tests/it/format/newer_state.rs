//! A repository that a newer version of tinyci has used. No newer program exists, so the tests write
//! by hand what one would write: a higher format, unknown fields, files, refs and words.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use tinyci::{CancelToken, Engine, ErrorKind, Event, Record, RecordFilter, Selection};

use crate::support::{
    TestRepo,
    program::{Said, run_in, tinyci},
    server::{Server, search_path, write_script},
};

/// What a version writes that raises only the number for writers.
const WRITE_2: &str = "tinyci format\nread 1 0.1.0\nwrite 2 9.9.0\nsince 2031\n";
/// The same of both numbers.
const READ_2: &str = "tinyci format\nread 2 9.9.0\nwrite 3 9.9.1\n";

const CONFIG: &str = "build: echo built\ndeploy: 'true'\n";

/// Commands that change nothing. The last word is whether one needs a repository.
const READERS: [(&[&str], bool); 17] = [
    (&["plan"], true),
    (&["plan", "HEAD"], true),
    (&["results"], true),
    (&["log"], true),
    (&["artifacts", "HEAD"], true),
    (&["deployments"], true),
    (&["deploy", "--dry-run"], true),
    (&["prune", "--keep", "9", "--dry-run"], true),
    (&["status"], true),
    (&["settings"], true),
    (&["check", "-c", "HEAD"], true),
    (&["export", "HEAD", "../exported"], true),
    (&["check", "-", "--name", ".tinyci.yml"], false),
    (&["convert"], false),
    (&["defs"], false),
    (&["completions", "bash"], false),
    (&["version"], false),
];

/// Commands that change a ref, the state, git's configuration or builds.
const WRITERS: [&[&str]; 22] = [
    &["run", "--all"],
    &["run", "--all", "--no-wait"],
    &["run", "--retry", "HEAD"],
    &["run", "HEAD", "--step", "build"],
    &["install"],
    &["uninstall"],
    &["cancel"],
    &["cancel", "HEAD"],
    &["skip", "HEAD"],
    &["results", "--forget", "HEAD"],
    &["results", "--forget-all", "--yes"],
    &["results", "--merge", "origin"],
    &["deploy", "--yes"],
    &["deploy", "--unlock", "seen"],
    &["deployments", "--retire", "production"],
    &["rollback", "--yes"],
    &["approve", "HEAD"],
    &["compact", "-n", "0"],
    &["prune", "--keep", "0"],
    &["setup-remote", "origin"],
    &["setup-remote", "--undo", "origin"],
    &["deploy", "--yes", "--force", "HEAD"],
];

/// A repository in which two commits were tested and deployed, and one is pending.
fn repository() -> TestRepo {
    let repo = TestRepo::new();
    repo.git(&["remote", "add", "origin", "../elsewhere"]);
    for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.org")] {
        repo.git(&["config", key, value]);
    }
    for text in [CONFIG, "build: echo built again\ndeploy: 'true'\n"] {
        repo.commit_config(text);
        run_in(repo.path(), &["run", "--all"]).with_code(0);
        run_in(repo.path(), &["deploy", "--yes"]).with_code(0);
    }
    repo.commit("pending");
    repo
}

fn state(repo: &TestRepo) -> PathBuf {
    repo.path().join(".git/tinyci")
}

fn raise(repo: &TestRepo, format: &str) {
    fs::write(state(repo).join("format"), format).unwrap();
}

/// Every file below a directory with its contents.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => left.push(path),
                false => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    found
}

#[track_caller]
fn assert_refused(said: &Said, what: &str, release: &str) {
    assert_eq!(said.code, Some(4), "{what}\nstdout:\n{}\nstderr:\n{}", said.out, said.err);
    let reason = format!("needs tinyci {release} or later, and this is tinyci");
    assert!(said.err.contains(&reason), "{what}: {}", said.err);
    assert!(said.err.contains("\nhint: install that version"), "{what}: {}", said.err);
}

#[test]
fn a_state_that_only_a_newer_version_may_write_is_read_and_never_changed() {
    let repo = repository();
    raise(&repo, WRITE_2);
    let before = (files(&state(&repo)), files(&repo.path().join("builds")), refs(&repo));
    let config = fs::read(repo.path().join(".git/config")).unwrap();
    for words in WRITERS {
        assert_refused(&run_in(repo.path(), words), &words.join(" "), "9.9.0");
    }
    let after = (files(&state(&repo)), files(&repo.path().join("builds")), refs(&repo));
    assert!(before == after, "a command that was refused has changed something");
    assert_eq!(fs::read(repo.path().join(".git/config")).unwrap(), config);

    for (words, _) in READERS {
        let said = run_in(repo.path(), words);
        assert!(!said.err.contains("9.9.0"), "{words:?}: {}", said.err);
    }
    assert!(before.0 == files(&state(&repo)), "a command that looks has changed something");
    let results = run_in(repo.path(), &["results"]).with_code(0).out;
    assert!(results.contains("success"), "{results}");
    assert_eq!(fs::read_to_string(state(&repo).join("format")).unwrap(), WRITE_2);
}

#[test]
fn a_state_that_only_a_newer_version_can_read_stops_every_command() {
    let repo = repository();
    raise(&repo, READ_2);
    let before = (files(&state(&repo)), refs(&repo));
    let readers = READERS.iter().filter(|(_, needs_it)| *needs_it).map(|(words, _)| *words);
    for words in readers.chain(WRITERS) {
        assert_refused(&run_in(repo.path(), words), &words.join(" "), "9.9.0");
    }
    for (words, _) in READERS.iter().filter(|(_, needs_it)| !needs_it) {
        let said = run_in(repo.path(), words);
        assert!(!said.err.contains("9.9.0"), "{words:?}: {}", said.err);
    }
    assert!(before == (files(&state(&repo)), refs(&repo)));
}

/// A command that is added has to say here what it does to a newer state.
#[test]
fn every_command_is_among_those_that_were_tried() {
    let help = run_in(TestRepo::new().path(), &["--help"]).with_code(0).out;
    let list = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<_> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"run") && names.len() > 15, "{names:?}");
    let tried: Vec<_> = READERS.iter().map(|it| it.0).chain(WRITERS).map(|it| it[0]).collect();
    for name in names.iter().filter(|name| !["help", "test-pipeline"].contains(name)) {
        assert!(tried.contains(name), "`{name}` is neither in READERS nor in WRITERS");
    }
}

#[test]
fn a_push_is_told_which_version_its_server_needs_and_loses_nothing() {
    let server = Server::new();
    server.client.commit_config("build: echo built\n");
    server.push(&["main"]);
    let format = server.repo.path().join("tinyci/format");
    let ours = fs::read_to_string(&format).unwrap();
    assert_eq!(ours, "tinyci format\nread 1 0.1.0\nwrite 1 0.1.0\n");

    fs::write(&format, WRITE_2).unwrap();
    let second = server.client.commit("second");
    let pushed = server.push(&["main"]);
    assert!(pushed.err.contains("needs tinyci 9.9.0 or later"), "{}", pushed.err);
    assert!(pushed.err.contains("remote: hint: install that version"), "{}", pushed.err);
    assert_eq!(server.repo.git(&["rev-parse", "main"]), second, "the push itself went through");
    assert_eq!(server.verdicts(&[&second]), ["-"]);

    // The version that it needs is at work again: it finds what was pushed meanwhile.
    fs::write(&format, &ours).unwrap();
    run_in(server.repo.path(), &["run", "--all"]).with_code(0);
    assert_eq!(server.verdicts(&[&second]), ["success"]);
}

#[test]
fn an_engine_that_was_opened_before_the_format_was_raised_stops_too() {
    let repo = repository();
    let engine = Engine::open(repo.path()).unwrap();
    let run = || engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {});
    raise(&repo, WRITE_2);
    assert_eq!(run().unwrap_err().kind(), ErrorKind::NewerFormat);
    assert_eq!(engine.records(&RecordFilter::default()).unwrap().len(), 2);
    raise(&repo, READ_2);
    assert_eq!(
        engine.records(&RecordFilter::default()).unwrap_err().kind(),
        ErrorKind::NewerFormat
    );
    assert_eq!(Engine::open(repo.path()).unwrap_err().kind(), ErrorKind::NewerFormat);
}

#[test]
fn a_run_writes_no_verdict_once_the_format_was_raised_beneath_it() {
    let repo = TestRepo::new();
    let raise = "printf 'tinyci format\\nread 1 0.1.0\\nwrite 2 9.9.0\\n' > $TINYCI_REPO/.git/tinyci/format";
    let commit = repo.commit_config(&format!("build: \"{}\"\n", raise.replace('\\', "\\\\")));
    let said = run_in(repo.path(), &["run", "--all"]).with_code(4);
    assert!(said.err.contains("needs tinyci 9.9.0 or later"), "{}\n{}", said.out, said.err);
    assert_eq!(repo.verdict(&commit), None);
}

#[test]
fn a_damaged_format_stops_every_command_and_says_what_to_do() {
    let repo = repository();
    for text in ["", "tinyci format\nread 1", "\u{0}\u{0}"] {
        raise(&repo, text);
        for words in [&["status"][..], &["run", "--all"]] {
            let said = run_in(repo.path(), words).with_code(4);
            assert!(said.err.contains("format` is damaged"), "{}", said.err);
            assert!(said.err.contains("ever used it, `rm '"), "{}", said.err);
        }
    }
    fs::remove_file(state(&repo).join("format")).unwrap();
    run_in(repo.path(), &["run", "--all"]).with_code(0);
}

fn refs(repo: &TestRepo) -> String {
    repo.git(&["for-each-ref", "refs/notes", "refs/tinyci"])
}

fn note(repo: &TestRepo, notes: &str, commit: &str) -> String {
    repo.git(&["notes", "--ref", notes, "show", commit])
}

fn append(repo: &TestRepo, notes: &str, commit: &str, text: &str) {
    repo.git(&["notes", "--ref", notes, "append", "--no-separator", "-m", text, commit]);
}

#[test]
fn what_a_newer_version_wrote_beside_the_known_stays_byte_for_byte() {
    let repo = repository();
    let old = repo.git(&["rev-parse", "HEAD^"]);
    // A newer version writes fields, a record of another version, files and refs of its own.
    let known = note(&repo, "runs/tinyci", &old);
    let fields = known
        .replacen('{', r#"{"mood":{"good":[1,2.50]},"#, 1)
        .replace("\"job_id\":\"", "\"job_id\":\"n");
    let unknown = fields.replace(r#""v":1"#, r#""v":2"#).replace("success", "brilliant");
    append(&repo, "runs/tinyci", &old, &format!("{fields}\n{unknown}"));
    let lines = note(&repo, "runs/tinyci", &old);
    assert_eq!(lines.lines().count(), 3, "{lines}");
    repo.git(&["update-ref", "refs/tinyci/zeal/x", &old]);
    let build = fs::read_dir(repo.path().join("builds")).unwrap();
    let build = build.map(|it| it.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let stamp = fs::read_to_string(build.join("job.json")).unwrap();
    fs::write(build.join("zeal"), "of the build").unwrap();
    let mut written = vec![
        ("zeal", "anything\n"),
        ("refs", "tinyci refs 2\nanything\n"),
        ("tested-tips", "tinyci tested-tips 7\nanything\n"),
        ("looked-at", "tinyci looked-at 2\nanything\n"),
    ];
    for (name, text) in &written {
        fs::write(state(&repo).join(name), text).unwrap();
    }

    // What a newer server wrote, as it was fetched.
    let fetched = "refs/notes/remotes/origin/runs/tinyci";
    repo.git(&["update-ref", fetched, "refs/notes/runs/tinyci"]);
    let theirs = unknown.replace("\"job_id\":\"n", "\"job_id\":\"m");
    append(&repo, fetched, &old, &theirs);

    // This version tests, deploys, skips, forgets, tests again and merges.
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    run_in(repo.path(), &["deploy", "--yes"]).with_code(0);
    run_in(repo.path(), &["results", "--forget", &old]).with_code(0);
    run_in(repo.path(), &["run", &old]).with_code(0);
    let third = repo.commit("third");
    run_in(repo.path(), &["skip", &third]).with_code(0);
    run_in(repo.path(), &["results", "--merge", "origin"]).with_code(0);

    written.sort_unstable();
    for (name, text) in written {
        assert_eq!(fs::read_to_string(state(&repo).join(name)).unwrap(), text, "{name}");
    }
    let now = note(&repo, "runs/tinyci", &old);
    assert!(now.starts_with(&lines) && now.lines().count() == 5, "{now}");
    assert!(now.lines().any(|line| line == theirs), "{now}");
    assert_eq!(repo.git(&["rev-parse", "refs/tinyci/zeal/x"]), old);
    assert!(build.join("zeal").exists() && stamp.contains("\"v\":1"));

    // What it shows of them: fields as they are, a version that it does not know as such.
    let json = run_in(repo.path(), &["results", "--json", &old]).with_code(0).out;
    let said = run_in(repo.path(), &["results", "--all-attempts", &old]).with_code(0);
    assert!(
        said.out
            .contains("unrecognized cannot read this record: a newer tinyci wrote it (version 2;"),
        "{}",
        said.out
    );
    assert!(!json.contains("brilliant"), "{json}");
    let again = Record::from_json(&fields).unwrap().to_json();
    assert!(again.ends_with(r#""mood":{"good":[1,2.5]}}"#), "{again}");
}

#[test]
fn a_stamp_of_a_newer_version_is_packed_as_it_is() {
    let repo = repository();
    // The newest is not packed, since a deployment would take it.
    repo.commit("newest");
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    let name = repo.git(&["show", "-s", "--format=%ct_%H", "HEAD^"]);
    let dir = repo.path().join("builds").join(&name);
    let stamp = fs::read_to_string(dir.join("job.json")).unwrap();
    let newer = stamp.replace(r#"{"v":1,"#, r#"{"v":2,"mood":["good"],"#);
    fs::write(dir.join("job.json"), &newer).unwrap();
    run_in(repo.path(), &["compact", "-n", "0"]).with_code(0);
    assert!(!dir.exists());
    let archive = fs::read(repo.path().join(format!("builds/{name}.tar.gz"))).unwrap();
    let header = newer.trim_end().as_bytes();
    assert!(archive.windows(header.len()).any(|part| part == header), "the header has no stamp");
}

#[test]
fn a_mark_of_a_newer_version_is_not_replaced() {
    let repo = repository();
    let id = state(&repo).join("id");
    let elsewhere = repo.outside().join("builds of work");
    repo.git(&["config", "tinyci.buildsDir", elsewhere.to_str().unwrap()]);
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    let mark = fs::read_to_string(&id).unwrap();

    // A field that is not known comes along when the repository is moved.
    fs::write(&id, mark.replacen('{', r#"{"mood":"good","#, 1)).unwrap();
    let moved = repo.outside().join("moved");
    fs::rename(repo.path(), &moved).unwrap();
    run_in(&moved, &["run", "--retry", "HEAD"]).with_code(0);
    let after = fs::read_to_string(moved.join(".git/tinyci/id")).unwrap();
    assert!(after.contains(r#""mood":"good""#) && after.contains("moved"), "{after}");

    let newer = after.replace(r#""v":1"#, r#""v":2"#);
    fs::write(moved.join(".git/tinyci/id"), &newer).unwrap();
    let said = run_in(&moved, &["run", "--retry", "HEAD"]).with_code(4);
    assert!(said.err.contains("(version 2; "), "{}", said.err);
    assert_eq!(fs::read_to_string(moved.join(".git/tinyci/id")).unwrap(), newer);
}

#[test]
fn words_that_only_a_newer_version_knows_settle_and_are_never_green() {
    let repo = repository();
    let old = repo.git(&["rev-parse", "HEAD^"]);
    let pending = repo.git(&["rev-parse", "HEAD"]);
    // A verdict of another word, and a record of another outcome.
    repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "brilliant", &pending]);
    let line = note(&repo, "runs/tinyci", &old).replace(&old, &pending);
    append(&repo, "runs/tinyci", &pending, &line.replace("success\",\"v", "brilliant\",\"v"));
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    assert_eq!(repo.verdict(&pending).as_deref(), Some("brilliant"), "it is not tested again");
    let said = run_in(repo.path(), &["deploy", "--yes", &pending]);
    assert_ne!(said.code, Some(0), "{}", said.out);

    // An unknown setting is a warning; it stays, and nothing stops.
    repo.git(&["config", "tinyci.zeal", "much"]);
    let said = run_in(repo.path(), &["status"]).with_code(0);
    assert!(said.err.contains("tinyci.zeal"), "{}", said.err);
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    assert_eq!(repo.git(&["config", "tinyci.zeal"]), "much");
}

#[test]
fn a_deployment_of_a_newer_version_is_in_the_way_of_all_that_rests_on_what_is_deployed() {
    let repo = repository();
    let reference = "refs/tinyci/deployments/production";
    let (tip, deployed) = (repo.git(&["rev-parse", reference]), repo.git(&["rev-parse", "HEAD^"]));
    let message = repo.git(&["log", "-1", "--format=%B", reference]);
    let entry = |message: &str| {
        let tree = format!("{tip}^{{tree}}");
        let entry = repo.git(&["commit-tree", &tree, "-p", &tip, "-p", &deployed, "-m", message]);
        repo.git(&["update-ref", reference, &entry]);
    };
    entry(&message.replace(r#""v":1"#, r#""v":2"#));
    let commands: [&[&str]; 4] = [
        &["deployments", "--to", "production"],
        &["deploy", "--yes", "HEAD^"],
        &["rollback", "--yes"],
        &["prune", "--keep", "0"],
    ];
    for words in commands {
        let said = run_in(repo.path(), words).with_code(4);
        assert!(said.err.contains("deployments to production"), "{words:?}: {}", said.err);
        assert!(said.err.contains("(version 2; "), "{words:?}: {}", said.err);
    }
    assert!(fs::read_dir(repo.path().join("builds")).unwrap().count() > 1, "nothing was removed");
    // Commits are tested all the same.
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    assert_eq!(repo.verdict("HEAD").as_deref(), Some("success"));
}

#[test]
fn a_server_that_was_updated_says_so_over_ssh() {
    let (server, client) = (repository(), TestRepo::new());
    raise(&server, WRITE_2);
    let ssh = client.outside().join("bin/ssh");
    // What a server's sshd does with all but the host.
    write_script(&ssh, "#!/bin/sh\nshift\nexec sh -c \"$*\"\n");
    client.git(&["remote", "add", "origin", &format!("server:{}", server.path().display())]);
    let path = env::join_paths(
        [ssh.parent().unwrap().to_path_buf()].into_iter().chain(env::split_paths(&search_path())),
    );
    let over_ssh = |words: &[&str]| {
        let mut command = tinyci(client.path());
        command.args(["-r", "origin"]).args(words).env("PATH", path.as_ref().unwrap());
        Said::of(&command.output().unwrap())
    };
    let said = over_ssh(&["run", "--all"]).with_code(4);
    assert!(said.err.contains("needs tinyci 9.9.0 or later"), "{}", said.err);
    assert!(said.err.contains("hint: install that version on this machine"), "{}", said.err);
    assert!(over_ssh(&["results"]).with_code(0).out.contains("success"));
}
