//! Repositories of every version of the format, which are kept for ever: each is opened, read, and
//! used. That of the current version is compared with what this program writes.
//!
//! `TINYCI_WRITE_FORMAT=1 cargo test --all-features --test it format::fixtures` writes that of the
//! current version. Once a release has written a version, its fixture does not change.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

use tinyci::Record;

use crate::support::{
    TestRepo,
    program::{run, run_in},
    server::{Server, search_path},
    succeed,
};

/// A version, the records that its repository has, and the commits with a verdict.
const VERSIONS: [(&str, usize, usize); 2] = [("0.5", 0, 2), ("1", 7, 5)];

const CURRENT: &str = "1";

const GREEN: &str = "\
build: echo built > built
test: [test -e built, 'exit 0']
hooks:
  after_all: 'true'
deploy: {run: 'true', approve: true}
";

const SCRIPT: &str = r#"const DEPLOY = #{ approve: true };
fn build(ctx) {
    sh("echo built > built.txt");
    artifact("built.txt");
    remember("image", #{ name: "app", numbers: [1, 2.5, true, ()] });
}
fn test(ctx) {
    if ctx.branch == "elsewhere" { skip("not here"); }
    parallel(["a", "b"], |name| sh(["true", name]));
}
fn deploy(ctx) { sh("true"); }
"#;

fn fixture(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format").join(version)
}

/// What a person does with a repository, so that it has one of everything.
fn story() -> Server {
    let server = Server::new();
    let (repo, client) = (&server.repo, &server.client);
    for (key, value) in [
        ("user.name", "Ada"),
        ("user.email", "ada@example.org"),
        ("tinyci.secretRefs", "refs/heads/*"),
        ("tinyci.buildsDir", "builds"),
    ] {
        repo.git(&["config", key, value]);
    }
    let green = client.commit_config(GREEN);
    server.push(&["main"]);
    let red = client.commit_config(&GREEN.replace("exit 0", "echo no; exit 3"));
    server.push(&["main"]);
    client.git(&["rm", "-q", ".tinyci.yml"]);
    client.write(".tinyci.rhai", SCRIPT);
    let script = client.commit("A script");
    client.git(&["tag", "v1"]);
    server.push(&["main", "v1"]);
    client.commit("Left out by its pusher");
    server.push(&["-o", "ci.skip", "main"]);
    let person = client.commit("Left out by a person");
    fetch(&server);
    run(repo, &["skip", "--reason", "only notes", &person]).with_code(0);
    client.git(&["rm", "-q", ".tinyci.rhai"]);
    client.commit_config("build: {run: 'true', secrets: [token]}\n");
    fetch(&server);
    run(repo, &["run", "--all"]).with_code(4);

    // Deployments: one that waits, one that is approved, a second one, and the way back.
    run(repo, &["deploy", "--yes", &green]).with_code(5);
    run(repo, &["approve", &green]).with_code(0);
    run(repo, &["deploy", "--yes", &green]).with_code(0);
    run(repo, &["approve", &script]).with_code(0);
    run(repo, &["deploy", "--yes", &script]).with_code(0);
    run(repo, &["rollback", "--yes"]).with_code(0);
    run(repo, &["run", "--retry", &red]).with_code(1);
    run(repo, &["compact", "-n", "1"]).with_code(0);
    server
}

/// Brings the client's branch to the server without the hook.
fn fetch(server: &Server) {
    let client = server.client.path().to_str().unwrap();
    server.repo.git(&["fetch", "-q", "--update-head-ok", client, "main:main"]);
}

/// Everything that the repository keeps, as one text in which whatever differs from one time, place
/// and account to another has the same word.
fn shape(repo: &TestRepo) -> String {
    let mut text = String::new();
    for name in repo.git(&["for-each-ref", "--format=%(refname)"]).lines() {
        text += &format!("ref {name}\n");
    }
    for commit in repo.git(&["log", "--reverse", "--format=%H", "main"]).lines() {
        for notes in ["tinyci-result", "runs/tinyci"] {
            let note = repo.try_git(&["notes", "--ref", notes, "show", commit]);
            text += &format!("note {notes}\n{}", String::from_utf8_lossy(&note.stdout));
        }
    }
    for name in ["refs/tinyci/deployments/production", "refs/tinyci/baseline"] {
        let log = repo.try_git(&["log", "--first-parent", "--reverse", "--format=%an%n%B%P", name]);
        text += &format!("history of {name}\n{}", String::from_utf8_lossy(&log.stdout));
    }
    let approvals = ["for-each-ref", "--format=%(contents)", "refs/tinyci/approvals"];
    text += &repo.git(&approvals);
    for dir in ["tinyci", "builds"] {
        for (path, bytes) in files(&repo.path().join(dir)) {
            let name = path.strip_prefix(repo.path()).unwrap().display().to_string();
            // What an archive holds, its header says; the logs have a form of their own.
            let is_text = dir == "tinyci" || name.ends_with(".json") || name.ends_with(".jsonl");
            let bytes = if is_text { String::from_utf8_lossy(&bytes) } else { "".into() };
            text += &format!("\nfile {name}\n{bytes}");
        }
    }
    // Tasks that run at once end in any order.
    let text = text.replace("true b", "true a").replace(repo.path().to_str().unwrap(), PLACE);
    normal(&text)
}

/// Where the fixture of the current version says that it is.
const PLACE: &str = "/srv/git/app.git";

/// The text with `#` for each digit of an id, a time or a number.
fn normal(text: &str) -> String {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric();
    let mut shape = String::new();
    for word in text.split_inclusive(|letter| !is_of_word(letter)) {
        let (word, end) = match word.char_indices().next_back() {
            Some((at, letter)) if !is_of_word(letter) => word.split_at(at),
            _ => (word, ""),
        };
        let is_number = word.starts_with(|letter: char| letter.is_ascii_digit());
        let is_hex = word.bytes().all(|it| it.is_ascii_hexdigit()) && word.len() >= 7;
        shape += match is_number && word.len() > 1 || is_hex {
            true => "#",
            false => word,
        };
        shape += end;
    }
    // Fields that depend on the machine that runs the tests, and on how fast it is.
    let lines = shape.lines().map(|line| {
        let line = cut(&cut(line, "\"account\":\"", '"'), "\"machine\":\"", '"');
        cut(&cut(&line, "\"duration_ms\":", ','), "\"approved_by\":\"", '"')
    });
    let mut lines: Vec<String> = lines.collect();
    lines.dedup();
    lines.join("\n")
}

/// The line without what stands between each beginning and its end.
fn cut(line: &str, begin: &str, end: char) -> String {
    let mut parts = line.split(begin);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept += begin;
        kept += part.split_once(end).map_or("", |(value, _)| &part[value.len()..]);
    }
    kept
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut left) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(dir) = left.pop() {
        for path in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => left.push(path),
                false => found.push((path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (path, bytes) in files(from) {
        let to = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
}

/// Writes the fixture of the current version.
fn write(server: &Server) {
    let (repo, dir) = (&server.repo, fixture(CURRENT));
    let _ = fs::remove_dir_all(&dir);
    let export = ["fast-export", "--all", "--signed-tags=verbatim", "--reencode=no"];
    copy(&repo.path().join("tinyci"), &dir.join("state"));
    copy(&repo.path().join("builds"), &dir.join("builds"));
    fs::write(dir.join("repository.fi"), repo.git(&export) + "\n").unwrap();
    for mark in ["state/id", "builds/tinyci.owner"] {
        let mark = dir.join(mark);
        let text = fs::read_to_string(&mark).unwrap();
        let text = text.replace(repo.path().to_str().unwrap(), PLACE);
        fs::write(&mark, cut(&text, "\"machine\":\"", '"')).unwrap();
    }
}

/// The repository of a version, as a bare one in a place of its own.
fn restore(version: &str) -> TestRepo {
    let (repo, dir) = (TestRepo::bare(), fixture(version));
    let mut import = repo.command();
    import.args(["fast-import", "--quiet", "--force"]).stdin(Stdio::piped());
    let mut import = import.spawn().unwrap();
    let stream = fs::read(dir.join("repository.fi")).unwrap();
    import.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(import.wait().unwrap().success(), "{version}");
    for (from, to) in [("state", "tinyci"), ("builds", "builds")] {
        if dir.join(from).exists() {
            copy(&dir.join(from), &repo.path().join(to));
        }
    }
    let settings =
        [("user.name", "Ada"), ("user.email", "ada@example.org"), ("tinyci.buildsDir", "builds")];
    for (key, value) in settings {
        repo.git(&["config", key, value]);
    }
    repo
}

#[test]
fn every_version_is_read_whole() {
    for (version, records, verdicts) in VERSIONS {
        let repo = restore(version);
        let results = run(&repo, &["results", "--json", "--all-attempts"]).with_code(0).out;
        let read = results.lines().map(|line| Record::from_json(line).unwrap());
        // A verdict without a record is shown as one.
        let read = read.filter(|record| !record.job_id.is_empty()).count();
        assert_eq!(read, records, "{version}:\n{results}");
        let notes = repo.git(&["notes", "--ref", "tinyci-result", "list"]);
        assert_eq!(notes.lines().count(), verdicts, "{version}");
        for line in notes.lines() {
            let id = line.split(' ').nth(1).unwrap();
            let word = repo.verdict(id).unwrap();
            let said = run(&repo, &["results", "--format", "%N", id]).with_code(0).out;
            assert_eq!(said.lines().next(), Some(&*word), "{version}: {id}");
            let said = run(&repo, &["results", id]).with_code(0).out;
            assert!(!said.contains("foreign"), "{version}: {said}");
        }
        for words in
            [&["status"][..], &["plan"], &["log"], &["settings"], &["deployments", "--json"]]
        {
            let said = run(&repo, words).with_code(0);
            assert!(!said.err.contains("passed over"), "{version}: {}", said.err);
        }
    }
}

#[test]
fn every_version_is_used_and_keeps_what_it_had() {
    for (version, ..) in VERSIONS {
        let repo = restore(version);
        let before = (lines(&repo), repo.git(&["rev-parse", "main"]));
        run(&repo, &["install"]).with_code(0);
        let client = TestRepo::new();
        client.git(&["remote", "add", "origin", repo.path().to_str().unwrap()]);
        client.git(&["fetch", "-q", "origin"]);
        client.git(&["reset", "-q", "--hard", "origin/main"]);
        client.git(&["rm", "-rq", "--ignore-unmatch", ".tinyci.rhai"]);
        let id = client.commit_config("build: 'true'\ndeploy: 'true'\n");
        let mut push = client.command();
        push.args(["push", "-q", "origin", "HEAD:main"]).env("PATH", search_path());
        succeed("git push", &push.output().unwrap());
        assert_eq!(repo.verdict(&id).as_deref(), Some("success"), "{version}");
        run(&repo, &["deploy", "--yes"]).with_code(0);
        run(&repo, &["rollback", "--yes", "--dry-run"]);
        run(&repo, &["compact", "-n", "0"]).with_code(0);
        run(&repo, &["results", "--forget", &before.1]);
        run(&repo, &["prune", "--keep", "0"]).with_code(0);
        let after = lines(&repo);
        assert!(before.0.iter().all(|line| after.contains(line)), "{version}: a record is lost");
        let mark = fs::read_to_string(repo.path().join("tinyci/format")).unwrap();
        assert!(mark.starts_with("tinyci format\nread 1 "), "{version}: {mark}");
    }
}

/// The lines of all records, as they stand in the notes.
fn lines(repo: &TestRepo) -> Vec<String> {
    let list = repo.try_git(&["notes", "--ref", "runs/tinyci", "list"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let blobs = list.lines().filter_map(|line| line.split(' ').next());
    let texts = blobs.map(|blob| repo.git(&["cat-file", "blob", blob]));
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn what_is_written_today_has_the_form_of_the_current_version() {
    let server = story();
    if std::env::var_os("TINYCI_WRITE_FORMAT").is_some() {
        write(&server);
    }
    let (now, then) = (shape(&server.repo), shape(&restore(CURRENT)));
    for (number, (now, then)) in now.lines().zip(then.lines()).enumerate() {
        assert_eq!(now, then, "line {} of the shape", number + 1);
    }
    assert_eq!(now, then);
}

#[test]
fn a_version_that_is_stored_is_among_those_that_are_read() {
    let entries = fs::read_dir(fixture("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "README.md").collect();
    names.sort();
    assert_eq!(names, VERSIONS.map(|it| it.0));
    // A higher format needs a fixture of its own.
    let repo = TestRepo::new();
    repo.commit_config("build: 'true'\n");
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    let format = fs::read_to_string(repo.path().join(".git/tinyci/format")).unwrap();
    assert!(format.contains(&format!("\nwrite {CURRENT} ")), "{format}");
}
