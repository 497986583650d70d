//! Asks a repository what programs usually ask, in one line each.
//!
//!     cargo run --example one_liners -- /srv/git/app.git

use std::{env, error::Error};

use tinyci::{
    CancelToken, Engine, Event, Format, Outcome, Pipeline, RecordFilter, Selection, Vars,
    deploy::DeployRequest,
};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let (engine, cancel) = (Engine::open(path)?, CancelToken::new());
    let selection = Selection::pending();
    let dir = env::temp_dir().join(format!("tinyci-example-{}", std::process::id()));

    // The pending commits, and the jobs that the next run would start.
    let pending = engine.pending_commits(&selection)?;
    let plan = engine.plan(&selection)?;
    println!("{} pending, {} jobs", pending.len(), plan.jobs.len());

    // The files of a commit, and the steps in its config.
    let export = engine.export("HEAD", &dir, &cancel)?;
    let steps: Vec<_> = engine.pipeline("HEAD")?.steps().map(|step| step.name.as_str()).collect();
    println!("{} files, steps: {}", export.files, steps.join(" "));
    std::fs::remove_dir_all(&dir)?;

    // A config and a template that are not in a commit.
    let nightly = Pipeline::parse("build: make nightly\n", Format::Yaml, "nightly.yml")?;
    let mut vars = Vars::new();
    vars.set("goal", "all")?;
    let command = tinyci::interpolate("make <%= goal %>", &vars)?;
    println!("{} step, `{command}`", nightly.steps().count());

    // The newest green commit, and its deployment.
    let green = engine.records(&RecordFilter::new().outcome(Outcome::Success).limit(1))?;
    println!("green: {}", green.first().map_or("none".to_owned(), |it| it.commit.to_string()));
    if let Some(environment) = env::args().nth(2) {
        let mut observer = |event: &Event| event.log_lines().iter().for_each(|it| println!("{it}"));
        let done = engine.deploy(&environment, DeployRequest::newest(), &cancel, &mut observer)?;
        println!("{}", done.outcome);
    }
    Ok(())
}
