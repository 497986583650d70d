//! One config, one answer: what a real run does is what a dry run foretells and what a test of the
//! pipeline shows, as far as each of them knows the inputs; and a deployment likewise.
//!
//! Generated configs go all ways. A dry run assumes that commands pass. So it has to agree with the
//! real run in full where they do, and otherwise up to the first that does not, and with that one.
//! A test of the pipeline is told how commands end, and has to agree in full.

use std::{collections::BTreeMap, fmt, iter, ops::Range, sync::Mutex, thread};

use tinyci::deploy::ApprovalState;

use crate::steps::differential::{
    cases::{Approver, Case},
    ways::{self as ways, Scripted, Seen, SeenCommand, SeenStep},
};

/// How many configs the short test looks at.
const SEEDS: u64 = 200;

/// How many of them are also run with real processes.
const SEEDS_OF_PROCESSES: u64 = 20;

/// How many deployments the short test looks at, and with real processes.
const DEPLOYS: u64 = 120;
const DEPLOYS_OF_PROCESSES: u64 = 12;

/// How many runs and deployments the long test looks at.
const SEEDS_LONG: u64 = 2_500;
const DEPLOYS_LONG: u64 = 1_200;

/// How many disagreements are shown whole.
const SHOWN: usize = 4;

#[test]
fn all_ways_through_a_config_agree() {
    agree(0..SEEDS, |seed| run(seed, Scripted::default()));
}

#[test]
fn all_ways_agree_with_real_processes() {
    agree(0..SEEDS_OF_PROCESSES, |seed| run(seed, Scripted::real()));
}

#[test]
fn all_ways_through_a_deployment_agree() {
    agree(0..DEPLOYS, |seed| deployment(seed, Scripted::default()));
}

#[test]
fn deployments_agree_with_real_processes() {
    agree(0..DEPLOYS_OF_PROCESSES, |seed| deployment(seed, Scripted::real()));
}

#[test]
#[ignore = "takes minutes: see .ci/long"]
fn all_ways_through_many_configs_agree() {
    agree(SEEDS..SEEDS_LONG, |seed| run(seed, Scripted::default()));
    agree(DEPLOYS..DEPLOYS_LONG, |seed| deployment(seed, Scripted::default()));
}

#[track_caller]
fn agree(seeds: Range<u64>, judge: impl Fn(u64) -> Option<Disagreement> + Sync) {
    let count = seeds.end - seeds.start;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let seeds = Mutex::new(seeds);
    let next = || seeds.lock().unwrap().next();
    let work = || -> Vec<Disagreement> { iter::from_fn(next).filter_map(&judge).collect() };
    let mut found: Vec<Disagreement> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    found.sort_by_key(|it| it.case.seed);
    let whole: String = found.iter().take(SHOWN).map(Disagreement::whole).collect();
    let lines: String = found.iter().map(Disagreement::line).collect();
    let number = found.len();
    assert!(
        found.is_empty(),
        "{whole}\n{number} of {count} configs are answered in more than one way:\n{lines}"
    );
}

/// A config that is answered in more than one way.
struct Disagreement {
    case: Case,
    real: Seen,
    /// Which way disagrees with the real run, and what it showed.
    way: &'static str,
    other: Seen,
    /// About what.
    why: String,
}

impl Disagreement {
    fn line(&self) -> String {
        format!("seed {}: the {} disagrees about {}\n", self.case.seed, self.way, self.why)
    }

    fn whole(&self) -> String {
        let Self { case, real, way, other, .. } = self;
        format!("\n== {}{}\nreal run:\n{real}\n{way}:\n{other}", self.line(), case.config)
    }
}

/// A deployment of a commit that was run before.
fn deployment(seed: u64, scripted: Scripted) -> Option<Disagreement> {
    let case = Case::deployed(seed);
    let repo = ways::repository(&case);
    let engine = ways::engine(&case, &repo, scripted.clone());
    let run = ways::run(&engine, &scripted);
    if case.approver == Approver::Person {
        ways::approve(&engine);
    }
    let (planned, approval) = ways::plan_deploy(&engine, &case);
    let (real, asked) = ways::deploy(&engine, &case, &scripted);
    let foretold = same_approval(&case, &approval, asked);
    // What was planned is what follows the approval.
    let waits = real.outcome == "awaiting_approval";
    let foretold = foretold.and_then(|()| if waits { Ok(()) } else { foretells(&planned, &real) });
    if let Err(why) = foretold {
        return Some(Disagreement { case, real, way: "plan", other: planned, why });
    }
    let is_begun = !real.steps.is_empty();
    let tested =
        (case.testable && is_begun).then(|| ways::test_deploy(&engine, &case, &repo, &run))?;
    let why = equals(&tested, &real).err()?;
    Some(Disagreement { case, real, way: "pipeline test", other: tested, why })
}

/// A plan knows whether somebody is asked, and whether a person has said yes.
fn same_approval(case: &Case, planned: &ApprovalState, asked: bool) -> Result<(), String> {
    let expected = match (asked, case.approver) {
        (false, _) => matches!(planned, ApprovalState::NotNeeded),
        (true, Approver::Person) => matches!(planned, ApprovalState::Given(_)),
        (true, _) => matches!(planned, ApprovalState::Awaiting),
    };
    expected.then_some(()).ok_or_else(|| format!("whether it asks: {asked} and {planned:?}"))
}

fn run(seed: u64, scripted: Scripted) -> Option<Disagreement> {
    let case = Case::new(seed);
    let repo = ways::repository(&case);
    let engine = ways::engine(&case, &repo, scripted.clone());
    let planned = ways::plan(&engine);
    let real = ways::run(&engine, &scripted);
    if let Err(why) = foretells(&planned, &real) {
        return Some(Disagreement { case, real, way: "dry run", other: planned, why });
    }
    let tested = case.testable.then(|| ways::test(&engine, &case, &repo))?;
    let why = equals(&tested, &real).err()?;
    Some(Disagreement { case, real, way: "pipeline test", other: tested, why })
}

/// Whether a command that the dry run takes to pass did not.
fn departs(command: &SeenCommand) -> bool {
    let passed = command.exit.is_none_or(|exit| exit.outcome().passed());
    !passed && !command.text.ends_with(" allowed")
}

/// A dry run agrees with the real one up to the first command that did not pass.
fn foretells(planned: &Seen, real: &Seen) -> Result<(), String> {
    for (index, step) in real.steps.iter().enumerate() {
        let Some(foretold) = planned.steps.get(index).filter(|it| it.name == step.name) else {
            return Err(format!("whether `{}` is taken", step.name));
        };
        if foretold.outcome == ways::UNKNOWN {
            return begins_as_foretold(&foretold.commands, step);
        }
        if same_commands(&foretold.commands, step)? {
            return Ok(());
        }
        same_step(foretold, step)?;
    }
    same_end(planned, real)
}

/// A test of the pipeline agrees with the real run in everything.
fn equals(tested: &Seen, real: &Seen) -> Result<(), String> {
    for (index, step) in real.steps.iter().enumerate() {
        let Some(other) = tested.steps.get(index).filter(|it| it.name == step.name) else {
            return Err(format!("whether `{}` is taken", step.name));
        };
        let (told, done) = (branches(&other.commands), branches(&step.commands));
        for index in 0..told.len().max(done.len()) {
            let nothing = Group::default();
            let told = told.get(index).unwrap_or(&nothing);
            let done = done.get(index).unwrap_or(&nothing);
            if told != done {
                return Err(format!("the commands of `{}`: {done} and {told}", step.name));
            }
        }
        same_step(other, step)?;
    }
    same_end(tested, real)
}

fn same_end(other: &Seen, real: &Seen) -> Result<(), String> {
    if let Some(step) = other.steps.get(real.steps.len()) {
        return Err(format!("whether `{}` is taken", step.name));
    }
    if other.outcome != real.outcome {
        let (real, other) = (&real.outcome, &other.outcome);
        return Err(format!("the outcome of the run: {real} and {other}"));
    }
    match &other.remembered {
        Some(values) if real.remembered.as_ref() != Some(values) => {
            Err("the values that were remembered".to_owned())
        }
        _ => Ok(()),
    }
}

/// Everything of a step but its commands.
fn same_step(other: &SeenStep, real: &SeenStep) -> Result<(), String> {
    let name = &real.name;
    if other.outcome != real.outcome {
        return Err(format!("the outcome of `{name}`: {} and {}", real.outcome, other.outcome));
    }
    // A command that fails says nothing beside its outcome where no script is.
    if other.sentence != real.sentence {
        let [real, other] = [real, other].map(|it| it.sentence.as_deref().unwrap_or("-"));
        return Err(format!("why `{name}` ended so: {real:?} and {other:?}"));
    }
    if other.warnings != real.warnings {
        return Err(format!("the warnings of `{name}`"));
    }
    if other.facts.is_some() && other.facts != real.facts {
        return Err(format!("what `{name}` printed"));
    }
    Ok(())
}

/// Whether a step begins with the commands that were foretold before its dry run ended. The order of
/// branches that run at once does not matter.
fn begins_as_foretold(foretold: &[SeenCommand], step: &SeenStep) -> Result<(), String> {
    let by_branch = |commands| -> Vec<&SeenCommand> {
        branches(commands).into_iter().flat_map(|group| group.0.into_values().flatten()).collect()
    };
    let (foretold, done) = (by_branch(foretold), by_branch(&step.commands));
    let goes_on = !done.iter().any(|command| departs(command));
    let same = foretold.iter().zip(&done).all(|(told, done)| told.text == done.text);
    let is_beginning = same && (!goes_on || done.len() >= foretold.len());
    is_beginning.then_some(()).ok_or_else(|| format!("how `{}` begins", step.name))
}

/// Whether the commands of a step are those foretold, up to one that did not pass; says whether
/// there was one. Branches that run at once are each looked at alone.
fn same_commands(foretold: &[SeenCommand], step: &SeenStep) -> Result<bool, String> {
    let (foretold, real) = (branches(foretold), branches(&step.commands));
    for index in 0..foretold.len().max(real.len()) {
        let nothing = Group::default();
        let group = real.get(index).unwrap_or(&nothing);
        let other = foretold.get(index).unwrap_or(&nothing);
        let departs = group.0.values().flatten().any(|command| departs(command))
            || other.0.values().flatten().any(|command| command.decides);
        if !group.is_foretold_by(other) {
            return Err(format!("the commands of `{}`: {group} and {other}", step.name));
        }
        if departs {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Commands that run one after the other, or at once: those of each branch in their order.
#[derive(Default, PartialEq)]
struct Group<'a>(BTreeMap<&'a str, Vec<&'a SeenCommand>>);

impl Group<'_> {
    /// Whether each branch did what was foretold of it, or the beginning where it did not go on.
    fn is_foretold_by(&self, other: &Self) -> bool {
        let begins = |(branch, commands): (&&str, &Vec<&SeenCommand>)| {
            let foretold = other.0.get(branch).map(Vec::as_slice).unwrap_or_default();
            let stopped = commands.iter().any(|command| departs(command));
            foretold.starts_with(commands) && (stopped || foretold.len() == commands.len())
        };
        self.0.len() == other.0.len() && self.0.iter().all(begins)
    }
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commands = self.0.values().flatten().map(|it| format!("`{}`", it.text));
        match commands.collect::<Vec<_>>() {
            none if none.is_empty() => f.write_str("none"),
            commands => f.write_str(&commands.join(", ")),
        }
    }
}

fn branches(commands: &[SeenCommand]) -> Vec<Group<'_>> {
    let parallel = |command: &'_ SeenCommand| -> Option<String> {
        command.text.split(' ').find(|word| word.starts_with("pn")).map(str::to_owned)
    };
    let mut groups: Vec<(Option<String>, Group<'_>)> = Vec::new();
    for command in commands {
        let token = parallel(command);
        let branch = command.label.as_deref().unwrap_or_default();
        match groups.last_mut() {
            Some((known, group)) if token.is_some() && *known == token => {
                group.0.entry(branch).or_default().push(command);
            }
            _ => groups.push((token, Group([(branch, vec![command])].into()))),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
