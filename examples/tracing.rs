//! Runs all that is pending, and logs it as a service does: spans for jobs and steps, one record a
//! line of output.
//!
//!     cargo run --example tracing --features tracing -- /srv/git/app.git

use std::env;

use tinyci::{CancelToken, Engine, Event, Selection};
use tracing::{Level, info_span};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Everything but what commands write. `Level::TRACE` shows that too.
    tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_ansi(false).init();
    let path = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    // A span of the program's own: what tinyci logs is inside it.
    let nightly = info_span!("nightly", repository = path).entered();
    let engine = Engine::open(path)?;
    engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {})?;
    drop(nightly);
    Ok(())
}
