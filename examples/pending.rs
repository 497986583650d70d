//! Tests all pending commits of a repository, and shows the output and the outcomes.
//!
//!     cargo run --example pending -- /srv/git/app.git

use std::{env, io::Write, thread, time::Duration};

use tinyci::{CancelToken, Engine, Event, EventKind, Hook, Selection};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let engine = Engine::builder(path)
        .jobs(2)
        .hook(Hook::BeforeBuild, |hook| {
            hook.set_var("release", "42");
            Ok(())
        })
        .open()?;
    let cancel = CancelToken::new();
    let stop = cancel.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(600));
        stop.cancel();
    });
    let summary = engine.run(&Selection::pending(), &cancel, &mut |event: &Event| {
        if let EventKind::Output { bytes, .. } = &event.kind {
            let _ = std::io::stdout().write_all(bytes);
        }
    })?;
    for record in &summary.records {
        println!("{} {}", record.commit, record.outcome);
    }
    Ok(())
}
