//! A program that uses rhai and git2 itself, in the same process and at the same time.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tinyci::{CancelToken, Engine, Event, EventKind, Outcome, Selection, Value, callback::Effect};

use crate::support::{TestRepo, eventually};

/// The program's own engine: other limits, other hooks, other functions under tinyci's names.
fn own_engine(printed: &Arc<Mutex<Vec<String>>>, steps: &Arc<AtomicUsize>) -> rhai::Engine {
    let (printed, steps) = (printed.clone(), steps.clone());
    let mut engine = rhai::Engine::new();
    engine.set_max_operations(500);
    engine.on_print(move |text| printed.lock().unwrap().push(text.to_owned()));
    engine.on_progress(move |_| {
        steps.fetch_add(1, Ordering::SeqCst);
        None
    });
    engine.register_fn("sh", |text: &str| format!("own {text}"));
    engine.register_fn("only_here", || 1_i64);
    engine
}

fn use_rhai(engine: &rhai::Engine) {
    let text = engine.eval::<String>("print(\"from the program\"); sh(\"x\")").unwrap();
    assert_eq!(text, "own x");
    // What tinyci forbids its scripts is still the program's: `eval`, and maps without a key.
    assert_eq!(engine.eval::<i64>("let m = #{}; eval(\"40 + 2\") + (m.none ?? 0)").unwrap(), 42);
    assert!(engine.eval::<i64>("loop { }").unwrap_err().to_string().contains("operations"));
    for tinyci_s in ["secret(\"A\")", "parallel([1], |x| x)", "remember(\"a\", 1)"] {
        assert!(engine.eval::<rhai::Dynamic>(tinyci_s).is_err(), "{tinyci_s}");
    }
}

/// Writes an object and a ref, and reads history.
fn use_git2(path: &std::path::Path, name: &str) {
    let repository = git2::Repository::open(path).unwrap();
    let blob = repository.blob(name.as_bytes()).unwrap();
    repository.reference(&format!("refs/program/{name}"), blob, true, "").unwrap();
    let mut walk = repository.revwalk().unwrap();
    walk.push_head().unwrap();
    assert!(walk.all(|id| repository.find_commit(id.unwrap()).is_ok()));
}

const SCRIPT: &str = r#"
fn build(ctx) {
    let n = 0;
    for i in 0..50000 { n += 1; }
    print(`from the script ${n}`);
    sh("echo built");
    asked();
}
fn test(ctx) { only_here(); }
"#;

#[test]
fn neither_disturbs_the_other() {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", SCRIPT);
    let id = repo.commit("script");
    let (printed, steps) = (Arc::default(), Arc::default());
    let own = Arc::new(own_engine(&printed, &steps));
    use_rhai(&own);
    let (inside, path) = (own.clone(), repo.path().to_owned());
    let engine = Engine::builder(repo.path())
        .function("asked", 0..=0, Effect::External, "", move |_| {
            use_rhai(&inside);
            use_git2(&path, "in-function");
            Ok(Value::Null)
        })
        .open()
        .unwrap();
    let mut output = String::new();
    let mut observer = |event: &Event| {
        use_rhai(&own);
        use_git2(repo.path(), "in-observer");
        if let EventKind::Output { bytes, .. } = &event.kind {
            output.push_str(&String::from_utf8_lossy(bytes));
        }
        ControlFlow::Continue(())
    };
    let summary =
        engine.run(&Selection::revision("HEAD"), &CancelToken::new(), &mut observer).unwrap();
    let record = &summary.records[0];
    assert_eq!(output, "from the script 50000\nbuilt\n");
    // The script got through its build, and knows nothing of what the program registered.
    assert_eq!(record.outcome, Outcome::Failure);
    let error = record.steps.iter().find_map(|step| step.error.as_deref()).unwrap_or_default();
    assert!(error.starts_with("there is no function `only_here`"), "{error}");
    assert!(printed.lock().unwrap().iter().all(|line| line == "from the program"));
    let git = git2::Repository::open(repo.path()).unwrap();
    let note = git.find_note(Some("refs/notes/tinyci-result"), git2::Oid::from_str(&id).unwrap());
    assert_eq!(note.unwrap().message().unwrap().trim(), "failure");
    for name in ["in-function", "in-observer"] {
        assert!(git.find_reference(&format!("refs/program/{name}")).is_ok(), "{name}");
    }
}

#[test]
fn both_work_on_one_repository_at_once() {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", "fn build(ctx) { parallel([1, 2], |n| sh(`echo ${n}`)); }");
    let ids: Vec<String> = (0..6).map(|number| repo.commit(&format!("commit {number}"))).collect();
    let (running, rounds) = (Arc::new(Mutex::new(true)), Arc::new(AtomicUsize::new(0)));
    let (going, counted, path) = (running.clone(), rounds.clone(), repo.path().to_owned());
    let program = thread::spawn(move || {
        let own = own_engine(&Arc::default(), &Arc::default());
        while *going.lock().unwrap() {
            use_rhai(&own);
            use_git2(&path, &format!("round-{}", counted.fetch_add(1, Ordering::SeqCst) % 7));
        }
    });
    eventually("the program is at work", || rounds.load(Ordering::SeqCst) > 0);
    let engine = Engine::builder(repo.path()).jobs(2).open().unwrap();
    let summary = engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| ());
    *running.lock().unwrap() = false;
    program.join().unwrap();
    assert_eq!(summary.unwrap().records.len(), ids.len());
    for id in &ids {
        assert_eq!(repo.verdict(id).as_deref(), Some("success"), "{id}");
    }
}
