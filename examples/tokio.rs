//! A small service with tokio. Every second it tests the pending commits of a repository and shows
//! their logs. The first Ctrl-C ends the running command and still runs `after_all`; the second kills.
//!
//!     cargo run --example tokio -- /srv/git/app.git

use std::{env, error::Error, io::Write, ops::ControlFlow, time::Duration};

use tinyci::{CancelToken, CommitId, Engine, Event, EventKind, Hook, Selection, Summary};
use tokio::{
    runtime::Handle,
    signal, spawn,
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

/// The size of the event buffer. If the service is slower than the builds, they wait for it.
const EVENTS: usize = 64;

/// A question of a hook, with the channel for its answer.
struct Question {
    commit: CommitId,
    answer: oneshot::Sender<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let (ask, questions) = mpsc::channel(1);
    spawn(answer(questions));
    let engine = spawn_blocking(|| open(path, ask)).await??;

    let cancel = CancelToken::new();
    spawn(stop_on_ctrl_c(cancel.clone()));
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cancel.level() == 0 {
        ticks.tick().await;
        for record in run_pending(&engine, &cancel).await?.records {
            println!("{} {}", record.commit, record.outcome);
        }
    }
    println!("stopped");
    Ok(())
}

/// Opens the repository with a hook that async code answers.
///
/// tinyci calls hooks on its own threads, never on a thread of the runtime. So a hook can block until
/// its answer is ready. Only its own job waits.
fn open(path: String, ask: mpsc::Sender<Question>) -> Result<Engine, tinyci::Error> {
    let runtime = Handle::current();
    let hook = move |hook: &mut tinyci::callback::HookCall<'_>| {
        let (answer, answered) = oneshot::channel();
        let question = Question { commit: hook.commit().id, answer };
        let exchange = async {
            ask.send(question).await.map_err(|_| "the service has stopped")?;
            answered.await.map_err(|_| "the service did not answer")
        };
        hook.set_var("release", &runtime.block_on(exchange)?);
        Ok(())
    };
    Engine::builder(path).hook(Hook::BeforeBuild, hook).open()
}

/// Answers the questions of hooks. A real service would ask a database or another service.
async fn answer(mut questions: mpsc::Receiver<Question>) {
    while let Some(Question { commit, answer }) = questions.recv().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
        // A hook whose job was killed no longer waits.
        let _ = answer.send(format!("release-{}", commit.short()));
    }
}

/// Cancels at each Ctrl-C: the first still runs `after_all`, the second kills.
async fn stop_on_ctrl_c(cancel: CancelToken) {
    while signal::ctrl_c().await.is_ok() {
        cancel.cancel();
    }
}

/// Runs tinyci on a blocking thread of the runtime, and shows the events on this task.
async fn run_pending(engine: &Engine, cancel: &CancelToken) -> Result<Summary, Box<dyn Error>> {
    let (events, mut received) = mpsc::channel(EVENTS);
    let (engine, token) = (engine.clone(), cancel.clone());
    let run = spawn_blocking(move || {
        let mut observer = |event: &Event| match events.blocking_send(event.clone()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        engine.run(&Selection::pending(), &token, &mut observer)
    });
    while let Some(event) = received.recv().await {
        show(&event)?;
    }
    Ok(run.await??)
}

/// Prints an event as a log does: output unchanged, and a line for everything else.
fn show(event: &Event) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    if let EventKind::Output { bytes, .. } = &event.kind {
        out.write_all(bytes)?;
    }
    event.log_lines().iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}
