//! `ctx`: the facts that a script can read. They are objects and not maps: a misspelled key of a
//! map is null, but a misspelled property of an object is an error.

use std::{sync::Arc, thread};

use rhai::{Array, Dynamic, Engine, NativeCallContext};

use crate::{
    model::{
        error::Error,
        step::{Changes, FailureFacts},
    },
    rules::glob::{Names, PathGlobs, names_fault, text_matches_list},
    script::{
        session::{ending::Stop, shared::Session},
        values::{
            kind::kind,
            thrown::{Thrown, throw},
        },
    },
};

/// The object `ctx`. Clones share their state.
#[derive(Clone)]
pub(in crate::script) struct Context(pub(in crate::script) Arc<Session>);

#[derive(Clone)]
struct StepResults(Arc<Session>);

#[derive(Clone)]
struct Failure(FailureFacts);

#[derive(Clone)]
struct Machine(Arc<Session>);

/// Returns a failure of an earlier step. Its command may contain untrusted values that the step
/// read.
fn failure(ctx: &Context, facts: FailureFacts) -> Dynamic {
    ctx.0.read_in(&facts.command);
    ctx.0.read_in(&facts.message);
    Dynamic::from(Failure(facts))
}

/// Registers `ctx` and the objects in it.
pub(in crate::script) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Context>("ctx")
        .register_type_with_name::<StepResults>("ctx.result")
        .register_type_with_name::<Failure>("ctx.failure")
        .register_type_with_name::<Machine>("ctx.machine");
    register_commit(engine);
    engine
        .register_get("base", |ctx: &mut Context| {
            Ok::<_, Thrown>(optional(changes(&ctx.0)?.base.as_deref()))
        })
        .register_get("changes", |ctx: &mut Context| {
            let changes = changes(&ctx.0)?;
            ctx.0.untrusted.read_changes(&changes.paths);
            Ok::<_, Thrown>(list(&changes.paths))
        })
        .register_get("previous", |ctx: &mut Context| {
            let previous = ctx.0.host.previous();
            let previous = previous.map_err(|error| fault(&ctx.0, error))?;
            Ok::<_, Thrown>(optional(previous.as_deref()))
        })
        .register_get("result", |ctx: &mut Context| StepResults(ctx.0.clone()))
        .register_get("failure", |ctx: &mut Context| {
            let first = ctx.0.facts.progress.failures.first();
            first.cloned().map_or(Dynamic::UNIT, |it| failure(ctx, it))
        })
        .register_get("failures", |ctx: &mut Context| -> Array {
            let all = ctx.0.facts.progress.failures.clone().into_iter();
            all.map(|it| failure(ctx, it)).collect()
        })
        .register_get("machine", |ctx: &mut Context| Machine(ctx.0.clone()))
        .register_fn("changed", changed)
        .register_fn("newest_tag", newest_tag);
    engine
        .register_get("build", |it: &mut StepResults| {
            optional(it.0.facts.progress.build.as_deref())
        })
        .register_get("test", |it: &mut StepResults| optional(it.0.facts.progress.test.as_deref()));
    engine
        .register_get("command", |it: &mut Failure| it.0.command.clone())
        .register_get("code", |it: &mut Failure| it.0.code.map_or(Dynamic::UNIT, Dynamic::from))
        .register_get("at", |it: &mut Failure| it.0.at.clone())
        .register_get("label", |it: &mut Failure| optional(it.0.label.as_deref()))
        .register_get("place", |it: &mut Failure| optional(it.0.place.as_deref()))
        .register_get("message", |it: &mut Failure| it.0.message.clone())
        .register_get("tail", |it: &mut Failure| it.0.tail.clone());
    engine
        .register_get("name", |it: &mut Machine| it.0.facts.machine.clone())
        .register_get("os", |_: &mut Machine| std::env::consts::OS)
        .register_get("arch", |_: &mut Machine| std::env::consts::ARCH)
        .register_get("cpus", |_: &mut Machine| {
            thread::available_parallelism().map_or(1, |count| count.get() as i64)
        })
        .register_fn("has", |it: &mut Machine, program: &str| it.0.host.has_program(program));
}

/// Registers the properties that stay the same during a job.
fn register_commit(engine: &mut Engine) {
    type Get = fn(&Session) -> Dynamic;
    let properties: [(&str, Get); 18] = [
        ("commit", |it| it.facts.commit.clone().into()),
        ("short", |it| it.facts.short.clone().into()),
        ("tree", |it| it.facts.tree.clone().into()),
        ("branch", |it| {
            it.host.asked_for_ref();
            it.read("branch");
            optional(it.facts.branch.as_deref())
        }),
        ("tags", |it| {
            it.host.asked_for_ref();
            it.read("tags");
            list(&it.facts.tags).into()
        }),
        ("tag", |it| {
            it.host.asked_for_ref();
            it.read("tag");
            optional(it.facts.step_tag.as_deref())
        }),
        ("subject", |it| {
            it.read("subject");
            it.facts.subject.clone().into()
        }),
        ("message", |it| {
            it.read("message");
            it.facts.message.clone().into()
        }),
        ("author", |it| {
            it.read("author");
            it.facts.author.clone().into()
        }),
        ("time", |it| it.facts.time.into()),
        ("parents", |it| list(&it.facts.parents).into()),
        ("export_dir", |it| it.facts.export_dir.clone().into()),
        ("build_dir", |it| it.facts.build_dir.clone().into()),
        ("repo", |it| it.facts.repo.clone().into()),
        ("job_id", |it| it.facts.job_id.clone().into()),
        ("step", |it| it.facts.step.clone().into()),
        ("environment", |it| optional(it.facts.environment.as_deref())),
        ("trigger", |it| it.facts.trigger.clone().into()),
    ];
    for (name, get) in properties {
        engine.register_get(name, move |ctx: &mut Context| get(&ctx.0));
    }
}

/// Implements `ctx.newest_tag(globs)`.
fn newest_tag(ctx: &mut Context, globs: Dynamic) -> Result<Dynamic, Thrown> {
    let globs = globs_of("newest_tag", globs)?;
    if let Some(fault) = names_fault(Names::Tags, &globs) {
        return Err(throw(fault.message));
    }
    ctx.0.host.asked_for_ref();
    ctx.0.read("tags");
    let matches = |tag: &str| text_matches_list(globs.iter().map(String::as_str), tag);
    Ok(optional(ctx.0.facts.tag_for(matches).as_deref()))
}

/// Reads a glob or an array of globs.
pub(in crate::script) fn globs_of(name: &str, globs: Dynamic) -> Result<Vec<String>, Thrown> {
    let globs = globs.flatten_clone();
    let texts: Option<Vec<String>> = match globs.read_lock::<Array>() {
        Some(list) => list.iter().map(|glob| glob.clone().into_string().ok()).collect(),
        None => globs.clone().into_string().ok().map(|glob| vec![glob]),
    };
    texts.ok_or_else(|| {
        let found = kind(&globs);
        throw(format!("`{name}` takes a glob or an array of globs, not {found}"))
    })
}

/// Implements `ctx.changed(globs)`.
fn changed(call: NativeCallContext<'_>, ctx: &mut Context, globs: Dynamic) -> Result<bool, Thrown> {
    let texts = globs_of("changed", globs)?;
    PathGlobs::new(&texts).map_err(|fault| throw(fault.message))?;
    let answer = ctx.0.host.changed(&texts).map_err(|error| fault(&ctx.0, error))?;
    let source = call.call_source().unwrap_or_default();
    let line = call.call_position().line().unwrap_or_default();
    ctx.0.host.decided(&format!("changed({})", shown(&texts)), answer, &format!("{source}:{line}"));
    Ok(answer)
}

fn shown(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    if quoted.len() == 1 { quoted.concat() } else { format!("[{}]", quoted.join(", ")) }
}

fn changes(session: &Session) -> Result<Arc<Changes>, Thrown> {
    session.host.changes().map_err(|error| fault(session, error))
}

/// Stops the step with a fault, because the script did not cause this error.
fn fault(session: &Session, error: Error) -> Thrown {
    session.stop_with(Stop::Fault(Arc::new(error)))
}

fn optional(text: Option<&str>) -> Dynamic {
    text.map_or(Dynamic::UNIT, |text| text.to_owned().into())
}

fn list(texts: &[String]) -> Array {
    texts.iter().map(|text| text.clone().into()).collect()
}
