//! `when`, `retries` and `secrets` in `.tinyci.yml`.

use std::{fs, os::unix::fs::PermissionsExt};

use tinyci::{
    CancelToken, Engine, Event, EventKind, Outcome, Record, Selection, pipeline::Phase,
    record::LeftOutBy,
};

use crate::support::TestRepo;

fn run(repo: &TestRepo) -> (Record, String) {
    let engine = Engine::open(repo.path()).unwrap();
    let mut output = String::new();
    let mut observer = |event: &Event| {
        if let EventKind::Output { bytes, .. } = &event.kind {
            output.push_str(&String::from_utf8_lossy(bytes));
        }
    };
    let summary = engine.run(&Selection::revision("HEAD"), &CancelToken::new(), &mut observer);
    (summary.unwrap().records.into_iter().next().unwrap(), output)
}

#[test]
fn a_false_condition_leaves_out_its_phase_or_its_hook_alone() {
    let repo = TestRepo::new();
    let config = "build: {run: echo build, when: {branch: [release/*, '!*-old']}}\n\
                  test: {run: echo test, when: {changed: ['src/**', '!*.md']}}\n\
                  hooks:\n  before_build: {run: echo before, when: {message: '*[full]*'}}\n  \
                  after_all: {run: echo tagged, when: {tag: v*}}\n";
    repo.write("src/a", "1");
    repo.commit_config(config);
    let (record, output) = run(&repo);
    assert_eq!((record.outcome, output.as_str()), (Outcome::Skipped, "test\n"));
    assert_eq!(record.left_out.len(), 1);
    let left_out = (record.left_out[0].step, record.left_out[0].by);
    assert_eq!(left_out, (Phase::Build.into(), LeftOutBy::Branch));
    let errors: Vec<_> = record.steps.iter().filter_map(|step| step.error.as_deref()).collect();
    assert_eq!(
        errors,
        ["skipped: it is on branch `main`, not on release/*, !*-old", "skipped: it has no tag v*",]
    );
    repo.git(&["checkout", "-q", "-b", "release/2"]);
    repo.write("src/README.md", "1");
    repo.commit("Add more [full]");
    repo.git(&["tag", "v2"]);
    let (record, output) = run(&repo);
    let all = "before\nbuild\ntest\ntagged\n";
    assert_eq!((record.outcome, output.as_str()), (Outcome::Success, all), "nothing is green yet");
    repo.write("src/README.md", "2");
    repo.commit("Add even more [full]");
    let (record, output) = run(&repo);
    assert_eq!((record.outcome, output.as_str()), (Outcome::Success, "before\nbuild\n"));
    assert_eq!((record.left_out.len(), record.left_out[0].by), (1, LeftOutBy::Changed));
}

#[test]
fn a_message_is_compared_without_the_line_break_that_git_puts_behind_it() {
    let repo = TestRepo::new();
    repo.commit_config(
        "build: {run: echo exact, when: {message: config}}\n\
         test: {run: echo end, when: {message: '*fig'}}\n\
         hooks:\n  before_test: {run: echo not, when: {message: '!config'}}\n  \
         after_all: {run: echo part, when: {message: conf}}\n",
    );
    let (record, output) = run(&repo);
    assert_eq!((record.outcome, output.as_str()), (Outcome::Success, "exact\nend\n"));

    // A body counts, and so does what the message holds between its ends.
    repo.commit("\n  Release\n\nconfig");
    assert_eq!(run(&repo).1, "not\nend\n");
}

#[test]
fn a_command_is_tried_again_as_often_as_it_may_be() {
    let repo = TestRepo::new();
    let try_thrice = "echo x >> n; test $(wc -l < n) = 2";
    repo.commit_config(&format!("build: {{run: '{try_thrice}', retries: 1}}\n"));
    let (record, output) = run(&repo);
    assert_eq!(record.outcome, Outcome::Success, "{output}");
    assert_eq!(record.steps[0].commands.len(), 2);
    assert!(output.contains("retrying in 1s (1 of 1)"), "{output}");
}

#[test]
fn secrets_are_variables_of_the_step_and_masked() {
    let repo = TestRepo::new();
    repo.commit_config("build: {run: 'echo $TOKEN; env | grep -c ^TOKEN', secrets: TOKEN}\ntest: 'echo [$TOKEN]'\n");
    let (record, _) = run(&repo);
    assert_eq!((record.outcome, record.left_out[0].by), (Outcome::Skipped, LeftOutBy::Secret));
    assert!(record.steps[0].error.as_deref().unwrap().contains("tinyci.secretRefs"));
    let dir = repo.outside().join("secrets");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(dir.join("TOKEN"), "hunter2222").unwrap();
    fs::set_permissions(dir.join("TOKEN"), fs::Permissions::from_mode(0o600)).unwrap();
    repo.git(&["config", "tinyci.secretsDir", dir.to_str().unwrap()]);
    repo.git(&["config", "tinyci.secretRefs", "refs/heads/main"]);
    repo.commit("again");
    let (record, output) = run(&repo);
    assert_eq!((record.outcome, output.as_str()), (Outcome::Success, "***\n1\n[]\n"), "{record:?}");
    fs::set_permissions(dir.join("TOKEN"), fs::Permissions::from_mode(0o644)).unwrap();
    repo.commit("careless");
    let (record, _) = run(&repo);
    assert_eq!(record.outcome, Outcome::Error, "{record:?}");
}
