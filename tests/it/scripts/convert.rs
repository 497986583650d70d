//! `tinyci convert`: the script that it prints does what the config did, command by command.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tinyci::{
    CancelToken, Engine, Error, Format, Outcome, Pipeline, Selection,
    executor::{CancelView, Command, Executor, Exit, Output, Program},
};

use crate::support::TestRepo;

/// Configs in every form, each key used alone and with others.
const CONFIGS: [&str; 8] = [
    "build: make\n",
    "build: VERSION=<%= commit %> docker-compose build --force-rm test\n\
     test: docker-compose run --rm test\n\
     hooks:\n  after_test_success: docker build -t app:<%= short %> .\n  \
     after_all: rm -rf <%= export %>/tmp; docker rmi \"x:<%= commit %>-test\"\n",
    "build:\n  run: [./configure --prefix='/a b', \"printf 'a\\\\n' \\\"$HOME\\\" `id`\", '']\n  \
     cwd: sub\n  env: {CC: clang, lower: <%= branch %>-<%= short %>, new: \"a ` ${x} \\\\ \\t<%% é\"}\n",
    "build: |\n  if true; then\n    echo ${HOME} <%= branch %>\n  fi\ntest: |\n  a\n  b \\n\n",
    "hooks:\n  before_build: a\n  after_build: b\n  before_test: c\n  after_test: d\n  \
     after_build_failure: e\n  after_test_failure: f\n  after_all: {run: [g, h], timeout: 30m}\n\
     build: b\ntest: t\n",
    "build: {run: echo \"<%= 1 + 1 %> <%%= x %>\", timeout: 2h}\ntest: {run: t, timeout: 5}\n",
    "build: {run: a, retries: 1, when: {branch: [ma*, '!main-*'], message: '*conf*', changed: '**'}}\n\
     test: {run: b, when: {branch: other}}\n\
     hooks:\n  before_build: {run: c, when: {tag: 'v*'}}\n  \
     before_test: {run: d, when: {branch: '!m*n'}}\n  after_all: e\n",
    "build: {run: a, when: {message: config}}\ntest: {run: b, when: {message: '!config'}}\n\
     hooks:\n  before_build: {run: c, when: {message: '*fig'}}\n  \
     after_build: {run: d, when: {message: 'con*fig'}}\n  after_all: {run: e, when: {message: conf}}\n",
];

type Ran = (Program, String, BTreeMap<String, String>);

/// Writes down every command, and lets the one of this number fail.
struct Recorder {
    ran: Arc<Mutex<Vec<Ran>>>,
    fails: usize,
}

impl Executor for Recorder {
    fn execute(
        &self,
        command: &Command,
        _: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        let mut ran = self.ran.lock().unwrap();
        let known = ["CC", "lower", "new"];
        let own = command.env.iter().map(|(name, value)| [name, value]);
        let own = own.map(|pair| pair.map(|text| text.to_str().unwrap().to_owned()));
        let own = own.filter(|[name, _]| known.contains(&name.as_str())).map(Into::into);
        let cwd = command.cwd.to_string_lossy();
        let cwd = cwd.split_once("/export").map_or(&*cwd, |(_, below)| below).to_owned();
        let program = match &command.program {
            // A script refuses an empty command, and has one in its place that does nothing.
            Program::Shell(text) if text.is_empty() => Program::Shell(":".to_owned()),
            Program::Shell(text) => Program::Shell(same_build(text)),
            program => program.clone(),
        };
        ran.push((program, cwd, own.collect()));
        Ok(Exit::Code(i32::from(ran.len() == self.fails)))
    }
}

/// A command without the name of the build's folder, which differs from attempt to attempt.
fn same_build(text: &str) -> String {
    match (text.find("/builds/"), text.find("/export")) {
        (Some(begin), Some(end)) => format!("{}@{}", &text[..begin], &text[end..]),
        _ => text.to_owned(),
    }
}

/// What a run of HEAD ran, and what became of it, if the command of this number fails.
fn run(repo: &TestRepo, fails: usize) -> (Vec<Ran>, Outcome) {
    let ran = Arc::default();
    let recorder = Recorder { ran: Arc::clone(&ran), fails };
    let engine = Engine::builder(repo.path()).executor(recorder).open().unwrap();
    let selection = Selection::revision("HEAD").retry(true);
    let summary = engine.run(&selection, &CancelToken::new(), &mut |_: &tinyci::Event| {}).unwrap();
    engine.forget("HEAD").unwrap();
    let ran = std::mem::take(&mut *ran.lock().unwrap());
    (ran, summary.records[0].outcome)
}

#[test]
fn the_script_runs_what_the_config_ran_whichever_command_fails() {
    for config in CONFIGS {
        let repo = TestRepo::new();
        repo.write("sub/file", "x");
        repo.commit_config(config);
        let pipeline = Pipeline::parse(config, Format::Yaml, ".tinyci.yml").unwrap();
        let script = pipeline.to_rhai().unwrap();
        let report =
            tinyci::check::Checker::new(".").check(&script, Format::Rhai, ".tinyci.rhai").unwrap();
        assert!(report.is_valid(), "{script}\n{:#?}", report.problems);

        // The same commit of both, so that no tag has another value.
        let ends = |repo: &TestRepo| {
            let all = run(repo, 0);
            let count = all.0.len();
            assert!(count > 0, "{config}");
            std::iter::once(all).chain((1..=count).map(|fails| run(repo, fails))).collect()
        };
        let of_config: Vec<_> = ends(&repo);
        repo.git(&["rm", "-q", ".tinyci.yml"]);
        repo.write(".tinyci.rhai", &script);
        repo.git(&["add", "-A"]);
        let old = repo.git(&["rev-parse", "HEAD"]);
        repo.git(&["commit", "-q", "--amend", "--no-edit"]);
        let new = repo.git(&["rev-parse", "HEAD"]);
        let of_script: Vec<_> = ends(&repo);
        let shown = |ends: &[(Vec<Ran>, Outcome)]| {
            format!("{ends:#?}").replace(&old, "COMMIT").replace(&new, "COMMIT")
        };
        let short = |text: String| text.replace(&old[..7], "SHORT").replace(&new[..7], "SHORT");
        assert_eq!(short(shown(&of_script)), short(shown(&of_config)), "{script}");
    }
}

#[cfg(feature = "cli")]
#[test]
fn the_program_prints_it_and_says_what_cannot_be_converted() {
    use crate::support::program::run;
    let repo = TestRepo::new();
    repo.write(".tinyci.yml", "build: {run: make, timeout: 1m}\n");
    let said = run(&repo, &["convert"]).with_code(0);
    let expected = "fn build(ctx) {\n    timeout(\"1m\", || {\n        sh(\"make\");\n    });\n}\n";
    assert_eq!(said.out, expected);
    repo.write("odd.yml", "build: {run: make, cwd: <%= release %>}\n");
    let said = run(&repo, &["convert", "odd.yml"]).with_code(1);
    assert!(
        said.err.contains("odd.yml:1:25: `<%= release %>` cannot be converted"),
        "{}",
        said.err
    );
    repo.write("x.rhai", "");
    run(&repo, &["convert", "x.rhai"]).with_code(2);
    run(&repo, &["convert", "nowhere.yml"]).with_code(2);
}

#[cfg(feature = "cli")]
#[test]
fn the_reference_is_printed_for_people_and_programs() {
    use crate::support::program::run_in;
    let page = run_in("/".as_ref(), &["defs"]).with_code(0).out;
    assert!(page.contains("### `sh(command, options?)`") && page.contains("| `ctx.machine.os` |"));
    let json = run_in("/".as_ref(), &["defs", "--json"]).with_code(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["v"], &json["functions"][0]["name"]), (&1.into(), &"sh".into()));
}
