//! Tests all pending commits, and logs them as a service does: spans for jobs and steps, and one
//! record per line of output.
//!
//!     cargo run --example tracing --features tracing -- /srv/git/app.git

use std::env;

use tinyci::{CancelToken, Engine, Event, Selection};
use tracing::{Level, info_span};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Everything except the output of commands, which has `Level::TRACE`.
    tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_ansi(false).init();
    let path = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    // A span of this program. The records of tinyci are inside it.
    let nightly = info_span!("nightly", repository = path).entered();
    let engine = Engine::open(path)?;
    engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {})?;
    drop(nightly);
    Ok(())
}
