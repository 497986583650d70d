//! What the guide and the README tell people to type is typed here, and what they tell people to
//! write is read.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use tinyci::{Format, Pipeline};

use crate::support::{
    server::{search_path, write_script},
    sshd::SshServer,
};

/// A piece of code in a text, with the language that it is marked as.
struct Block {
    language: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The chapters of the guide, by name.
fn chapters() -> Vec<(String, Vec<Block>)> {
    let entries = fs::read_dir(root().join("src/guide")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, blocks(&fs::read_to_string(path).unwrap()))
    };
    paths.into_iter().map(read).collect()
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let language = language.to_owned();
                open = Some(Block { language, text: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

fn of_language<'a>(blocks: &'a [Block], language: &str) -> Vec<&'a str> {
    let found = blocks.iter().filter(|block| block.language == language);
    found.map(|block| block.text.as_str()).collect()
}

/// A shell in this folder that stops at the first mistake, with the program at hand and a person's
/// identity set.
fn shell(dir: &Path) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-eu").current_dir(dir).env("PATH", search_path()).env("HOME", dir);
    shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        shell
            .env(format!("GIT_{role}_NAME"), "Ada")
            .env(format!("GIT_{role}_EMAIL"), "ada@example.org");
    }
    shell
}

/// Runs a script; panics with what it said if it fails. Returns what it said.
#[track_caller]
fn type_in(what: &str, dir: &Path, script: &str) -> String {
    let output = shell(dir).arg("-c").arg(format!("exec 2>&1\n{script}")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}: {}\n{script}\nsaid:\n{said}", output.status);
    said
}

#[test]
fn the_commands_of_every_chapter_work_one_after_the_other() {
    let mut scripts = 0;
    for (name, blocks) in chapters() {
        let script = of_language(&blocks, "sh").concat();
        // That one needs a server: it has a test of its own.
        if script.is_empty() || name == "vps.md" {
            continue;
        }
        scripts += 1;
        let dir = TempDir::new().unwrap();
        type_in(&name, dir.path(), &script);
    }
    assert!(scripts >= 4, "only {scripts} chapters have commands");
}

/// The output that these chapters show is what their commands print, but for times and ids.
#[test]
fn the_output_that_is_shown_is_printed() {
    for (name, blocks) in chapters() {
        if !["getting_started.md", "deploy.md"].contains(&name.as_str()) {
            continue;
        }
        let dir = TempDir::new().unwrap();
        let printed = type_in(&name, dir.path(), &of_language(&blocks, "sh").concat());
        let printed: Vec<String> = printed.lines().map(without_times_and_ids).collect();
        let mut lines = 0;
        // A command that is only shown begins with its program.
        let shown = of_language(&blocks, "text").into_iter().filter(|it| !is_command(it));
        for line in shown.flat_map(str::lines) {
            assert!(printed.contains(&without_times_and_ids(line)), "{name}: {line}\n{printed:#?}");
            lines += 1;
        }
        assert!(lines > 8, "{name} shows only {lines} lines");
    }
}

fn is_command(block: &str) -> bool {
    ["git ", "tinyci "].iter().any(|program| block.starts_with(program))
}

/// A line without the words that differ from one run to the next.
fn without_times_and_ids(line: &str) -> String {
    let is_id = |word: &&str| word.len() >= 7 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let is_time = |word: &&str| {
        let number = word.trim_matches(['[', ']']).trim_end_matches(['s', 'm']);
        *word == "now" || number.bytes().all(|it| it.is_ascii_digit() || b":.".contains(&it))
    };
    let words = line.split_whitespace().filter(|word| !is_id(word) && !is_time(word));
    words.collect::<Vec<_>>().join(" ")
}

/// On a real sshd; what only root may do, and systemd, are programs that write down their calls.
#[test]
fn the_way_from_a_bare_machine_to_push_to_deploy_works() {
    let Some(server) = SshServer::start() else { return };
    let calls = server.home().join("calls");
    for name in ["apt-get", "adduser", "loginctl", "install", "systemctl"] {
        let record = format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n", calls.display());
        server.program(name, &record);
    }
    let (_, blocks) = chapters().into_iter().find(|(name, _)| name == "vps.md").unwrap();
    let scripts = of_language(&blocks, "sh");
    let (as_root, at_home) = scripts.split_first().unwrap();
    server.run(as_root);
    let root_did = fs::read_to_string(&calls).unwrap();
    assert_eq!(root_did, as_root.replace("''", ""), "every line of root's");

    let dir = TempDir::new().unwrap();
    let mut shell = shell(dir.path());
    shell.env("PATH", server.path()).arg("-c").arg(format!("exec 2>&1\n{}", at_home.concat()));
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    for part in ["Notes (remotes/origin/tinyci-result)", "Deployed ", "Rolled production back"] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
    let served = fs::read_to_string(server.home().join("app/current/index.html")).unwrap();
    assert_eq!(served, "<h1>Hello</h1>\n", "the first deployment is back");
    let restarts = fs::read_to_string(&calls).unwrap().matches("--user restart app").count();
    assert_eq!(restarts, 3);
}

#[test]
fn every_config_that_is_shown_is_valid() {
    let readme = blocks(&fs::read_to_string(root().join("README.md")).unwrap());
    let texts = chapters().into_iter().chain([("README.md".to_owned(), readme)]);
    let mut configs = 0;
    for (name, blocks) in texts {
        for text in of_language(&blocks, "yaml") {
            let pipeline = Pipeline::parse(text, Format::Yaml, &name)
                .unwrap_or_else(|error| panic!("{name}: {}\n{text}", error.report()));
            assert!(pipeline.warnings.is_empty(), "{name}: {:?}\n{text}", pipeline.warnings);
            configs += 1;
        }
    }
    assert!(configs >= 5, "only {configs} configs are shown");
}

/// The quick start of the README, with a project that has what its config names.
#[test]
fn the_quick_start_of_the_readme_leads_to_a_green_push_and_a_deployment() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, from_start) = text.split_once("\n## Quick start").unwrap();
    let section = blocks(from_start.split("\n## ").next().unwrap());
    let [server, questions, deployment] = of_language(&section, "sh")[..] else {
        panic!("three blocks of sh")
    };
    let [config, with_deployment] = of_language(&section, "yaml")[..] else {
        panic!("two configs")
    };
    let readme = blocks(&text);
    let shown = of_language(&readme, "text")[0];

    let dir = TempDir::new().unwrap();
    type_in("README.md, on the server", dir.path(), server);

    let project = dir.path().join("project");
    fs::create_dir(&project).unwrap();
    fs::write(project.join(".tinyci.yml"), config).unwrap();
    write_script(&project.join("release.sh"), "#!/bin/sh\necho released\n");
    write_script(&dir.path().join("bin/make"), "#!/bin/sh\n");
    type_in("git", &project, "git init -q -b main; git remote add origin ../app.git");
    let push = |subject: &str| {
        let script = format!(
            "git add .; git commit -q -m {subject}\nPATH={}/bin:$PATH git push origin main",
            dir.path().display()
        );
        type_in("README.md, a push", &project, &script)
    };
    let seen = push("first");
    let without_times = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("remote: "));
        lines.map(|line| line.get(11..).unwrap().trim_end().to_owned()).collect()
    };
    let id = type_in("git", &project, "git rev-parse HEAD");
    let expected =
        without_times(&shown.replace("3ac17ede9c81108779bb2e7161b73c834b731881", id.trim()));
    assert!(expected.len() > 5, "{shown}");
    assert_eq!(without_times(&seen), expected, "{seen}");

    let server = dir.path().join("app.git");
    let told = type_in("README.md, afterwards", &server, questions);
    // The newest green commit by --format, and the verdict as git shows it.
    assert!(told.lines().any(|line| line == id.trim()), "{told}");
    assert!(told.contains("Notes (tinyci-result):\n    success\n"), "{told}");

    fs::write(project.join(".tinyci.yml"), with_deployment).unwrap();
    push("second");
    type_in("git", &server, "git config user.name Ada; git config user.email ada@example.org");
    // There is no terminal to ask on, and one deployment has nothing to roll back to.
    let commands = deployment.lines().filter(|line| !line.starts_with("tinyci rollback"));
    let commands: Vec<String> =
        commands.map(|line| line.replace("tinyci deploy ", "tinyci deploy --yes ")).collect();
    let told = type_in("README.md, a deployment", &server, &commands.join("\n"));
    assert!(told.contains("released\n") && told.contains("success     production"), "{told}");
}
