//! A tinyci that was built without scripts.

use tinyci::{
    CancelToken, Engine, ErrorKind, Format, Outcome, Pipeline, Selection,
    check::{Checker, DefinitionsFormat},
    script::TestOptions,
};

use crate::support::TestRepo;

#[test]
fn a_commit_that_needs_scripts_is_left_for_a_tinyci_that_has_them() {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", "fn build() {}");
    let id = repo.commit("script");
    let engine = Engine::open(repo.path()).unwrap();
    // More often than a commit is tried that only gets no verdict.
    for _ in 0..5 {
        let run = engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &_| ());
        let record = &run.unwrap().records[0];
        assert_eq!(record.outcome, Outcome::Error);
        assert!(record.reason.as_deref().unwrap().contains("the feature `rhai`"), "{record:?}");
    }
    assert_eq!(repo.verdict(&id), None);
}

#[test]
fn every_other_call_says_that_scripts_are_not_built_in() {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", "fn build() {}");
    repo.write(".tinyci.test.rhai", "fn test_build(t) { t.build(); }");
    repo.commit("script");
    let engine = Engine::open(repo.path()).unwrap();
    let checker = Checker::new(repo.path());
    let name = ".tinyci.rhai";
    let errors = [
        Pipeline::parse("fn build() {}", Format::Rhai, name).map(drop),
        checker.parse("fn build() {}", Format::Rhai, name).map(drop),
        checker.check("fn build() {}", Format::Rhai, name).map(drop),
        checker.definitions(DefinitionsFormat::Json).map(drop),
        engine.check("HEAD").map(drop),
        engine.test_pipeline(&TestOptions::revision("HEAD")).map(drop),
        engine.pipeline("HEAD").map(drop),
    ];
    for (call, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{call}: {error}");
        assert!(error.to_string().contains("built without"), "{call}: {error}");
    }
}

#[test]
fn a_placeholder_takes_a_plain_name_only() {
    let name = ".tinyci.yml";
    let pipeline = Pipeline::parse("build: make <%= commit + 1 %>\n", Format::Yaml, name).unwrap();
    let found = pipeline.check_placeholders(&tinyci::Vars::new());
    assert!(found[0].message.contains("expected a name"), "{found:?}");
    let report = Checker::new(".").check("build: make <%= 1 + 1 %>\n", Format::Yaml, name);
    assert!(report.unwrap().problems[0].message.contains("expected a name"));
}
