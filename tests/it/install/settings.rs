//! The repository's settings, as a person sees and sets them.

use std::{collections::BTreeMap, fs, path::Path};

use tinyci::Engine;

use crate::support::{
    TestRepo,
    program::{run, tinyci},
};

/// The key column and the default column of the guide's table, and what stands between.
fn documented() -> Vec<(String, String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/operating.md");
    let text = fs::read_to_string(file).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `tinyci."));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let [key, meaning, default] = cells[..] else { panic!("three columns: {row}") };
        let bare = |cell: &str| match cell.strip_prefix('`').and_then(|it| it.strip_suffix('`')) {
            Some(value) if !value.contains('`') => value.to_owned(),
            _ => cell.to_owned(),
        };
        (format!("tinyci.{}", key.trim_end_matches('`')), meaning.to_owned(), bare(default))
    })
    .collect()
}

#[test]
fn the_guide_lists_every_setting_with_its_meaning_and_default() {
    let repo = TestRepo::bare();
    let listed: Vec<_> = Engine::open(repo.path()).unwrap().settings().unwrap();
    let row = |setting: &tinyci::settings::Setting| {
        let default = setting.default_description.to_owned();
        (setting.key.clone(), setting.description.to_owned(), default)
    };
    assert_eq!(documented(), listed.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn settings_are_listed_with_where_they_are_set() {
    let repo = TestRepo::bare();
    repo.git(&["config", "tinyci.jobTimeout", "30m"]);
    let said = run(&repo, &["settings"]).with_code(0);
    let file = repo.path().join("config");
    let timeout = said.out.lines().find(|line| line.starts_with("tinyci.jobTimeout")).unwrap();
    assert!(timeout.contains(" 30m ") && timeout.contains(file.to_str().unwrap()), "{timeout}");
    let jobs = said.out.lines().find(|line| line.starts_with("tinyci.jobs")).unwrap();
    assert!(jobs.contains(" 1 ") && jobs.ends_with("(default)"), "{jobs}");

    let json = run(&repo, &["settings", "--json"]).with_code(0).out;
    let lines: BTreeMap<String, serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|value| (value["key"].as_str().unwrap().to_owned(), value))
        .collect();
    assert_eq!(lines["tinyci.jobTimeout"]["values"][0], "30m");
    assert_eq!(lines["tinyci.jobTimeout"]["origin"], file.to_str().unwrap());
    assert!(lines["tinyci.jobs"].get("origin").is_none());
    assert_eq!(lines["tinyci.jobs"]["default"], "1");
    assert_eq!(lines["tinyci.jobTimeout"]["default"], serde_json::Value::Null);
    assert_eq!(lines["tinyci.jobTimeout"]["default_description"], "no limit");
}

#[test]
fn an_unknown_key_is_reported_by_every_command_that_reads_settings() {
    let repo = TestRepo::new();
    repo.commit_config("build: 'true'\n");
    repo.git(&["config", "tinyci.jbos", "2"]);
    for command in [&["run", "--all"][..], &["check"], &["settings"], &["results"]] {
        let said = run(&repo, command).with_code(0);
        assert!(said.err.contains("did you mean `tinyci.jobs`?"), "{command:?}: {}", said.err);
    }
    repo.git(&["config", "tinyci.jobs", "many"]);
    let said = run(&repo, &["settings"]).with_code(2);
    assert!(said.err.contains("invalid value `many` for `tinyci.jobs` in `"), "{}", said.err);
}

#[test]
fn commands_and_scripts_get_the_variables_that_are_listed() {
    let repo = TestRepo::new();
    let commit =
        repo.commit_config("build: test \"$DEPLOY_KEY,${TOKEN-none},$TINYCI_SHORT\" = \"k,none,$(git --git-dir \"$TINYCI_REPO/.git\" rev-parse --short=7 $TINYCI_COMMIT)\"\n");
    repo.git(&["config", "--add", "tinyci.passEnv", "DEPLOY_*"]);
    let output = tinyci(repo.path())
        .args(["run", "--all"])
        .envs([("DEPLOY_KEY", "k"), ("TOKEN", "t")])
        .output()
        .unwrap();
    assert_eq!(repo.verdict(&commit).as_deref(), Some("success"), "{output:?}");
}

#[cfg(feature = "rhai")]
#[test]
fn a_script_sees_no_more_of_the_environment_than_a_command() {
    let repo = TestRepo::new();
    let script = "fn build(ctx) { if env(\"TOKEN\", \"none\") != \"none\" || env(\"DEPLOY_KEY\") != \"k\" { fail(\"seen\") } }\n";
    repo.write(".tinyci.rhai", script);
    let commit = repo.commit("script");
    repo.git(&["config", "--add", "tinyci.passEnv", "DEPLOY_*"]);
    let output = tinyci(repo.path())
        .args(["run", "--all"])
        .envs([("DEPLOY_KEY", "k"), ("TOKEN", "t")])
        .output()
        .unwrap();
    assert_eq!(repo.verdict(&commit).as_deref(), Some("success"), "{output:?}");
}

#[test]
fn commands_stand_back_as_far_as_is_set() {
    let repo = TestRepo::new();
    let wait =
        "n=0; while [ $(nice) -lt 7 ] && [ $n -lt 1000 ]; do n=$((n+1)); done; test $(nice) -ge 7";
    let commit = repo.commit_config(&format!("build: '{wait}'\n"));
    repo.git(&["config", "tinyci.nice", "7"]);
    let said = run(&repo, &["run", "--all"]).with_code(0);
    assert_eq!(repo.verdict(&commit).as_deref(), Some("success"), "{}", said.out);
}
