//! A seventh language: `luajit/generate.lua` writes a binding for LuaJIT from `include/tinyci.json`
//! alone, and `luajit/test.lua` is a host that uses it on a repository which was pushed to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    header::root,
    library::{are_missing, prefix, run},
    support::TestRepo,
};

/// Asks for a hook, a function and a secret, and deploys.
const SCRIPT: &str = r#"
    const SECRETS = ["TOKEN"];
    fn build() {
        let n = double(21, #{ unit: "m" });
        sh(`echo "<%= greeting %> ${n.length} in release <%= release %>"`);
        sh("echo \"$TOKEN\"", #{ env: #{ TOKEN: secret("TOKEN") } });
    }
    fn deploy() { sh("echo released > \"$LIVE\"", #{ env: #{ LIVE: LIVE_FILE } }); }
"#;

fn folder() -> PathBuf {
    root().join("tests/capi/luajit")
}

fn luajit(arguments: &[&Path]) -> Output {
    let mut luajit = Command::new("luajit");
    luajit.args(arguments).env_remove("LUA_PATH");
    luajit.output().unwrap_or_else(|error| panic!("luajit: {error}"))
}

/// Generates the binding that a description asks for.
fn generated(description: &Path) -> String {
    let output = luajit(&[&folder().join("generate.lua"), description]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    String::from_utf8(output.stdout).expect("a text")
}

fn description() -> Value {
    let text = fs::read_to_string(root().join("include/tinyci.json")).expect("the description");
    serde_json::from_str(&text).expect("JSON")
}

fn written(dir: &TempDir, description: &Value) -> PathBuf {
    let path = dir.path().join("tinyci.json");
    fs::write(&path, description.to_string()).expect("a file");
    path
}

/// A bare repository that a commit with [`SCRIPT`] was pushed to, and the commit.
fn pushed(live: &Path) -> (TestRepo, String) {
    let (server, work) = (TestRepo::bare(), TestRepo::new());
    let live = live.display().to_string();
    work.write(".tinyci.rhai", SCRIPT.replace("LIVE_FILE", &format!("{live:?}")));
    let commit = work.commit("a script");
    work.git(&["push", "-q", server.path().to_str().expect("a path"), "main"]);
    server.git(&["config", "tinyci.secretRefs", "refs/heads/*"]);
    (server, commit)
}

/// Runs `test.lua` with the generated binding, by a command such as valgrind.
fn check(runner: &[&str], rounds: &str) {
    if are_missing(&["luajit", runner[0]]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let binding = generated(&root().join("include/tinyci.json"));
    fs::write(dir.path().join("tinyci.lua"), binding).expect("a file");
    let live = dir.path().join("live");
    let (server, commit) = pushed(&live);
    let mut host = Command::new(runner[0]);
    host.args(&runner[1..]).arg(folder().join("test.lua"));
    host.arg(server.path()).arg(&commit).arg(&live).arg(rounds);
    let path = format!("{}/?.lua;{}/?.lua", dir.path().display(), folder().display());
    host.env("LUA_PATH", path).env("TINYCI_LIBRARY", prefix().join("lib/libtinyci.so"));
    assert_eq!(run(&mut host), "ok\n");
    assert_eq!(server.verdict(&commit).as_deref(), Some("success"));
}

#[test]
fn a_generated_binding_runs_a_push_and_deploys_it() {
    check(&["luajit"], "1000");
}

/// What it owns is freed once, and nothing is used that is gone. Valgrind cannot look into code that
/// LuaJIT compiles as it runs.
#[test]
fn a_generated_binding_does_so_under_valgrind() {
    let runner = [
        "valgrind",
        "-q",
        "--error-exitcode=99",
        "--leak-check=full",
        "--show-leak-kinds=definite",
        "--errors-for-leak-kinds=definite",
        "--fair-sched=yes",
        "luajit",
        "-joff",
    ];
    check(&runner, "10");
}

#[test]
fn the_generated_binding_has_every_function() {
    if are_missing(&["luajit"]) {
        return;
    }
    let description = description();
    let binding = generated(&root().join("include/tinyci.json"));
    for function in description["functions"].as_array().expect("functions") {
        let name = function["name"].as_str().expect("a name");
        // As a call, or as what frees: an object or a text.
        let calls = [format!("library.{name}("), format!("library.{name})")];
        assert!(calls.iter().any(|call| binding.contains(call)), "{name} is not bound");
    }
}

#[test]
fn the_program_of_the_guide_prints_the_results() {
    if are_missing(&["luajit"]) {
        return;
    }
    let guide = fs::read_to_string(root().join("src/guide/embedding.md")).expect("the chapter");
    let program = guide.split("```lua\n").nth(1).and_then(|rest| rest.split("```").next());
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("program.lua"), program.expect("a program")).expect("a file");
    let binding = generated(&root().join("include/tinyci.json"));
    fs::write(dir.path().join("tinyci.lua"), binding).expect("a file");
    let work = TestRepo::new();
    work.commit_config("build: echo release <%= release %>\n");
    let mut clone = Command::new("git");
    clone.args(["clone", "-q", "--bare"]).arg(work.path()).arg(dir.path().join("app.git"));
    run(&mut clone);
    let mut host = Command::new("luajit");
    host.arg("program.lua").current_dir(dir.path());
    host.env("TINYCI_LIBRARY", prefix().join("lib/libtinyci.so")).env_remove("LUA_PATH");
    let printed = run(&mut host);
    let record: Value =
        serde_json::from_str(printed.lines().next().expect("a line")).expect("JSON");
    assert_eq!(record["outcome"], "success");
    assert_eq!(record["steps"][1]["commands"][0]["command"], "/bin/sh -c 'echo release 42'");
}

/// A function that is not there today.
fn invented(parameters: Value, returns: &str) -> Value {
    json!({
        "name": "tinyci_engine_invented",
        "doc": "",
        "threads": "Any thread.",
        "since": "0.2.0",
        "parameters": parameters,
        "returns": { "type": returns, "ownership": null, "nullable": false, "group": "code" },
    })
}

#[test]
fn the_generator_takes_new_functions_and_no_unknown_ones() {
    if are_missing(&["luajit"]) {
        return;
    }
    let status = description()["functions"]
        .as_array()
        .and_then(|all| all.iter().find(|it| it["name"] == "tinyci_check_text_json").cloned())
        .expect("a function that takes and gives much");
    let dir = tempfile::tempdir().expect("a folder");
    let mut with_it = description();
    let functions = with_it["functions"].as_array_mut().expect("functions");
    let returns = status["returns"]["type"].as_str().expect("a type").to_owned();
    functions.push(invented(status["parameters"].clone(), &returns));
    let binding = generated(&written(&dir, &with_it));
    assert!(binding.contains("classes.tinyci_engine.__index.invented = function(_engine, "));

    let mut odd = description();
    let parameter = json!({
        "name": "callback", "type": "void *", "direction": "in", "ownership": "borrowed",
        "nullable": false, "free": null, "owner": null, "length": null, "length_of": null,
        "group": null,
    });
    odd["functions"].as_array_mut().expect("functions").push(invented(json!([parameter]), "void"));
    let output = luajit(&[&folder().join("generate.lua"), &written(&dir, &odd)]);
    assert!(!output.status.success());
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("tinyci_engine_invented: no rule for `callback`"), "{err}");
}
