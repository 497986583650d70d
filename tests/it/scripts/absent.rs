//! A tinyci that was built without scripts.

use tinyci::{CancelToken, Engine, Outcome, Selection};

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
        assert_eq!(record.outcome, Outcome::NoVerdict);
        assert!(record.reason.as_deref().unwrap().contains("the feature `rhai`"), "{record:?}");
    }
    assert_eq!(repo.verdict(&id), None);
}
