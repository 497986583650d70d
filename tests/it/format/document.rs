//! FORMAT.md, held against the code: what one names, the other has.

use std::{collections::BTreeMap, fs, path::PathBuf};

use tinyci::{Engine, Outcome, deploy::DeployOutcome, record::LeftOutBy};

use crate::support::TestRepo;

/// The sections with the fields of a JSON object, and the structs in `src/` that are written as one.
/// What is flattened into a struct is named behind it.
const OBJECTS: [(&str, &str, &[&str]); 13] = [
    ("Record", "wire/record.rs", &["Record"]),
    ("Step", "wire/record.rs", &["Step"]),
    ("Command", "wire/record.rs", &["Command", "Exit"]),
    ("Failure", "wire/record.rs", &["Failure", "Exit"]),
    ("Left-out step", "wire/record.rs", &["LeftOut"]),
    ("Intervention", "wire/intervention.rs", &["Intervention"]),
    ("Artifact", "wire/artifact.rs", &["Artifact"]),
    ("Artifact total", "wire/artifact.rs", &["ArtifactTotal"]),
    ("Deployment", "wire/deployment.rs", &["Deployment"]),
    ("Approval", "wire/deployment.rs", &["StoredApproval"]),
    ("Approval proof", "wire/deployment.rs", &["Proof"]),
    ("Mark", "workspace/ownership.rs", &["Mark"]),
    ("Stamp", "workspace/stamp.rs", &["Stamp"]),
];

/// The sections with names, and the modules of `model/stored_names.rs` that hold them.
const NAMES: [(&str, &str); 3] =
    [("Refs", "refs"), ("State directory", "state"), ("Builds directory", "builds")];

fn read(name: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The text of a section, up to the next heading.
fn section(text: &str, title: &str) -> String {
    let found = text.split("\n#").find(|part| {
        part.trim_start_matches('#').lines().next().is_some_and(|line| line.trim() == title)
    });
    found.unwrap_or_else(|| panic!("FORMAT.md has no section `{title}`")).to_owned()
}

/// The names in the first column of a section's tables.
fn names_of(title: &str) -> Vec<String> {
    let text = section(&read("FORMAT.md"), title);
    let names = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names.map(str::to_owned).collect()
}

/// The fields of a struct, in order. `(name, true)` is one that is flattened.
fn fields(source: &str, name: &str) -> Vec<(String, bool)> {
    let begin =
        [format!("struct {name}Mirror"), format!("struct {name}Json"), format!("struct {name} ")];
    let at = begin.iter().find_map(|begin| source.find(begin.as_str()));
    let at = at.unwrap_or_else(|| panic!("there is no struct for `{name}`"));
    let body = source[at..].split_once('{').unwrap().1.split("\n}").next().unwrap();
    let (mut found, mut is_flat) = (Vec::new(), false);
    for line in body.lines().map(str::trim) {
        is_flat |= line.starts_with("#[serde(flatten");
        let line =
            line.split_once(") ").filter(|_| line.starts_with("pub")).map_or(line, |it| it.1);
        if let Some((field, _)) = line.split_once(": ").filter(|_| !line.starts_with(['/', '#']))
            && field.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
        {
            found.push((field.to_owned(), std::mem::take(&mut is_flat)));
        }
    }
    found
}

#[test]
fn every_field_that_is_stored_is_in_the_document_in_its_order_and_no_other() {
    for (title, file, structs) in OBJECTS {
        let source = read(&format!("src/{file}"));
        let mut expected = Vec::new();
        for (field, is_flat) in fields(&source, structs[0]) {
            match is_flat {
                false => expected.push(field),
                // Either one of the structs that are named, or what a newer version wrote.
                true if field == "unknown" => {}
                true => expected.extend(fields(&source, structs[1]).into_iter().map(|it| it.0)),
            }
        }
        assert!(!expected.is_empty(), "{title}");
        assert_eq!(names_of(title), expected, "the section `{title}` of FORMAT.md and src/{file}");
    }
}

/// The values of the constants of each module in `model/stored_names.rs`.
fn stored_names() -> BTreeMap<String, Vec<String>> {
    let source = read("src/model/stored_names.rs");
    let modules = source.split("pub(crate) mod ").skip(1);
    modules
        .map(|module| {
            let values = module.split(": &str = \"").skip(1);
            let values = values.filter_map(|value| value.split('"').next()).map(str::to_owned);
            (module.split(' ').next().unwrap().to_owned(), values.collect())
        })
        .collect()
}

#[test]
fn every_ref_and_file_is_in_the_document_and_no_other() {
    let stored = stored_names();
    for (title, module) in NAMES {
        let mut expected = stored[module].clone();
        // The directory itself is what the section is about.
        expected.retain(|name| !(module == "state" && name == "tinyci"));
        let mut found = names_of(title);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "the section `{title}` of FORMAT.md");
    }
}

/// A name that stands elsewhere could be missing in the document.
#[test]
fn names_of_refs_and_files_stand_in_one_place() {
    let mut left = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = left.pop() {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                left.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
            let is_known = path.ends_with("stored_names.rs") || path.ends_with("tests.rs");
            for name in
                ["state_path(\"", "replace_state(\"", "write_state(\"", "state::DIR).join(\""]
            {
                assert!(is_known || !code.contains(name), "{} has `{name}`", path.display());
            }
            for module in stored_names().values() {
                // Others are words of the language, too.
                for name in module.iter().filter(|name| name.contains(['.', '-', '/'])) {
                    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                    let has = code.filter(|line| line.contains(&format!("\"{name}\""))).count();
                    assert!(is_known || has == 0, "{} has \"{name}\"", path.display());
                }
            }
        }
    }
}

#[test]
fn every_word_is_in_the_document_and_no_other() {
    let words = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names_of("Outcomes"), words(Outcome::ALL.iter().map(|it| it.name()).collect()));
    let deployments = DeployOutcome::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(names_of("Outcomes of deployments"), words(deployments));
    assert_eq!(names_of("Causes"), words(LeftOutBy::ALL.iter().map(|it| it.name()).collect()));
    assert_eq!(names_of("Triggers"), arms("job.rs", "name"));
    let verdicts = Outcome::ALL.iter().filter_map(|it| it.verdict()).map(|it| it.as_str());
    let mut verdicts = words(verdicts.collect());
    verdicts.dedup();
    let mut named = names_of("Verdict words");
    verdicts.sort();
    verdicts.dedup();
    named.sort();
    assert_eq!(named, verdicts);
    let kinds =
        arms("intervention.rs", "name").iter().map(|it| format!("`{it}`")).collect::<Vec<_>>();
    let text = section(&read("FORMAT.md"), "Intervention");
    assert!(kinds.len() == 4 && kinds.iter().all(|kind| text.contains(kind)), "{kinds:?}");
}

/// The words that a function of this name in a file of the model gives out.
fn arms(file: &str, function: &str) -> Vec<String> {
    let source = read(&format!("src/model/{file}"));
    let body = source.split(&format!("fn {function}(self)")).nth(1).unwrap();
    let body = body.split("\n    }\n").next().unwrap();
    let words = body.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next());
    words.map(str::to_owned).collect()
}

#[test]
fn every_setting_is_in_the_document_and_no_other() {
    let settings = Engine::open(TestRepo::new().path()).unwrap().settings().unwrap();
    let keys: Vec<String> = settings.into_iter().map(|setting| setting.key).collect();
    assert_eq!(names_of("Settings"), keys);
}

#[test]
fn the_numbers_in_the_document_are_those_of_the_code() {
    let text = read("FORMAT.md");
    let manifest = read("Cargo.toml");
    let msrv = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(text.contains(&format!("`Cargo.toml`, {msrv} now")), "the MSRV is {msrv}");
    let repo = TestRepo::new();
    repo.commit_config("build: 'true'\n");
    let engine = Engine::open(repo.path()).unwrap();
    let quiet = &mut |_: &tinyci::Event| {};
    engine.run(&tinyci::Selection::pending(), &tinyci::CancelToken::new(), quiet).unwrap();
    let format = fs::read_to_string(repo.path().join(".git/tinyci/format")).unwrap();
    assert!(text.contains(&format!("```text\n{format}```")), "{format}");
}
