//! A program that uses rhai, git2 and tinyci. A rule in rhai selects commits, which git2 reads from
//! the repository. tinyci tests them, and their pipelines can call a function of the program.
//!
//!     cargo run --example rhai_and_git2 -- /srv/git/app.git 'subject.starts_with("Release")'

use std::{
    env,
    io::Write,
    sync::{Arc, Mutex},
};

use tinyci::{CancelToken, Engine, Event, EventKind, Selection, Value, callback::Effect};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let path = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let rule = env::args().nth(2).unwrap_or_else(|| "true".to_owned());
    let rules = Arc::new(Mutex::new(rules()));
    let asked = rules.clone();
    let engine = Engine::builder(&path)
        .function("program::shout", 1..=1, Effect::Pure, "Uppercases.", move |arguments| {
            let text = arguments.first().and_then(Value::as_str).unwrap_or_default().to_owned();
            let rules = asked.lock().map_err(|_| "the rules are gone")?;
            let mut scope = rhai::Scope::new();
            scope.push("text", text);
            Ok(Value::from(rules.eval_with_scope::<String>(&mut scope, "shout(text)")?))
        })
        .open()?;
    let wanted = wanted(&path, &rule, &rules)?;
    for id in &wanted {
        engine.run(&Selection::revision(id), &CancelToken::new(), &mut |event: &Event| {
            if let EventKind::Output { bytes, .. } = &event.kind {
                let _ = std::io::stdout().write_all(bytes);
            }
        })?;
    }
    let repository = git2::Repository::open(&path)?;
    for id in &wanted {
        let note = repository.find_note(Some("refs/notes/tinyci-result"), git2::Oid::from_str(id)?);
        let verdict = note.ok().and_then(|note| note.message().map(str::to_owned).ok());
        println!("{id} {}", verdict.as_deref().map_or("no verdict", str::trim));
    }
    Ok(())
}

/// Returns the program's own rhai engine, with its own functions and limits. tinyci's scripts do not
/// see it.
fn rules() -> rhai::Engine {
    let mut rules = rhai::Engine::new();
    rules.set_max_operations(1_000);
    rules.register_fn("shout", |text: &str| text.to_uppercase());
    rules.register_fn("sh", |text: &str| format!("the program's own sh: {text}"));
    rules
}

/// Returns the commits in HEAD's history for which the rule is true, oldest first.
fn wanted(path: &str, rule: &str, rules: &Mutex<rhai::Engine>) -> Result<Vec<String>, Failure> {
    let rules = rules.lock().map_err(|_| "the rules are gone")?;
    let repository = git2::Repository::open(path)?;
    let mut walk = repository.revwalk()?;
    walk.push_head()?;
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE)?;
    let mut wanted = Vec::new();
    for id in walk {
        let commit = repository.find_commit(id?)?;
        let mut scope = rhai::Scope::new();
        scope.push("subject", commit.summary()?.unwrap_or_default().to_owned());
        if rules.eval_with_scope::<bool>(&mut scope, rule)? {
            wanted.push(commit.id().to_string());
        }
    }
    Ok(wanted)
}
