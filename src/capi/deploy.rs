//! Deployments: requests, plans, deploying, rolling back, approving and unlocking.

use std::{ffi::c_char, mem::MaybeUninit};

use super::{
    cancel::tinyci_cancel,
    code::tinyci_code,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard::{self, Completion},
    handle::{Sealed, handle, optional},
    queue::RunResult,
    run::{started, tinyci_run},
    selection::assumption,
    text::{CText, c_text, environment_of},
};
use crate::{
    CancelToken, Error, ErrorKind,
    deploy::{DeployPlan, DeployRequest, DeployRules},
};

/// The commit to deploy, and how. If you pass NULL for a request, that is the newest green commit
/// on the environment's branch that contains the deployed commit.
///
/// You own it. Calls that use it copy it.
pub struct tinyci_deploy_request(Sealed<DeployRequestHandle>);

handle!(tinyci_deploy_request, DeployRequestHandle, "request");

/// The contents of a [`tinyci_deploy_request`].
#[derive(Clone, Default)]
pub struct DeployRequestHandle {
    request: DeployRequest,
    /// The environment of the plan to carry out.
    planned: Option<String>,
}

impl DeployRequestHandle {
    /// Returns the environment: that of the call, else that of the plan, else `production`.
    fn environment(&self, given: Option<&str>) -> Result<String, Failure> {
        match (&self.planned, given) {
            (Some(planned), Some(given)) if planned != given => {
                let message = format!("cannot deploy to `{given}`: the plan is for `{planned}`");
                Err(Error::new(ErrorKind::InvalidArg, message).into())
            }
            (Some(planned), _) => Ok(planned.clone()),
            (None, given) => Ok(given.unwrap_or(DeployRules::PRODUCTION).to_owned()),
        }
    }
}

/// Returns the environment and the request of a call.
fn environment_and_request(
    environment: CText<'_>,
    request: Option<&tinyci_deploy_request>,
) -> Result<(String, DeployRequest), Failure> {
    let handle = optional(request)?.cloned().unwrap_or_default();
    let environment = handle.environment(environment.optional("environment")?)?;
    Ok((environment, handle.request))
}

/// Creates a request to deploy the newest green commit.
///
/// @return The request; free it with `tinyci_deploy_request_free`. NULL only if out of memory.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_new() -> *mut tinyci_deploy_request {
    guard::fresh(DeployRequestHandle::default)
}

/// Sets the commit to deploy.
///
/// @param request   The request.
/// @param revision  The commit, in any git revision syntax; NULL for the newest green commit.
///                  Copied, and resolved when the request is used.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_revision(
    request: Option<&mut tinyci_deploy_request>,
    revision: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |handle| {
        handle.request.revision = revision.optional("revision")?.map(str::to_owned);
        Ok(())
    })
}

/// Sets whether to roll back: to deploy the commit that was deployed before the current one.
///
/// @param request   The request.
/// @param rollback  0 for no, the default; any other number for yes.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_rollback(
    request: Option<&mut tinyci_deploy_request>,
    rollback: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |handle| {
        handle.request.rollback = rollback != 0;
        Ok(())
    })
}

/// Sets whether to deploy a commit that is not green, or to roll back to a commit that is no longer
/// on a deployable branch. The record says that the deployment was forced.
///
/// @param request  The request.
/// @param force    0 for no, the default; any other number for yes.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_force(
    request: Option<&mut tinyci_deploy_request>,
    force: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |handle| {
        handle.request.force = force != 0;
        Ok(())
    })
}

/// Sets whether to deploy the commit's files only, without its build, also if the build was
/// removed. For emergencies. The record says so.
///
/// @param request  The request.
/// @param bare     0 for no, the default; any other number for yes.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_bare(
    request: Option<&mut tinyci_deploy_request>,
    bare: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |handle| {
        handle.request.bare = bare != 0;
        Ok(())
    })
}

/// Assumes the output of a command. Plans run no commands: if a script asks for the output of one,
/// `tinyci_deploy_plan_json` uses the assumed output. A deployment runs the command.
///
/// @param request  The request.
/// @param command  A glob that matches the command as one line, such as `git describe*`. The first
///                 match applies. Copied.
/// @param output   The output of the command. Copied.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_add_assumption(
    request: Option<&mut tinyci_deploy_request>,
    command: CText<'_>,
    output: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |handle| {
        handle.request.assume.push(assumption(command, output)?);
        Ok(())
    })
}

/// Sets the person who deploys. Default: the person in the engine's options, else the one in git's
/// configuration.
///
/// @param request  The request.
/// @param name     The person's name. Copied.
/// @param address  The person's email address. Copied.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_by(
    request: Option<&mut tinyci_deploy_request>,
    name: CText<'_>,
    address: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |handle| {
        let (name, address) = (name.required("name")?, address.required("address")?);
        handle.request.by = Some((name.to_owned(), address.to_owned()));
        Ok(())
    })
}

/// Sets a plan to carry out: its commit, to its environment, only if what is deployed there has not
/// changed since. It replaces everything in the request except the person who deploys.
///
/// @param request  The request.
/// @param plan     The JSON from `tinyci_deploy_plan_json`. Copied.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for an invalid plan. On an error, nothing changes.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_plan(
    request: Option<&mut tinyci_deploy_request>,
    plan: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |handle| {
        let (environment, request) = DeployPlan::request_from_json(plan.required("plan")?)?;
        let by = handle.request.by.take();
        *handle = DeployRequestHandle {
            request: DeployRequest { by, ..request },
            planned: Some(environment),
        };
        Ok(())
    })
}

/// Frees a request.
///
/// @param request  The request, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_free(request: Option<Box<tinyci_deploy_request>>) {
    guard::free(request);
}

/// Returns what a deployment would do, without doing it: the output of
/// `tinyci deploy --dry-run --json`. You can show the plan to a person, then carry it out with
/// `tinyci_deploy_request_set_plan`.
///
/// @param engine       The engine.
/// @param environment  The environment; NULL for that of the request's plan, else `production`.
/// @param request      The request; NULL for the newest green commit.
/// @param out          Where to store the JSON, one line without a newline; free it with
///                     `tinyci_string_free`. NULL on an error.
/// @param err          Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if the deployment would await approval: check `approval` in the JSON.
///         Otherwise the errors of `tinyci_deploy_start` and its `tinyci_run_next`, except that you
///         can plan during a deployment.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_plan_json(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    request: Option<&tinyci_deploy_request>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let (environment, request) = environment_and_request(environment, request)?;
        Ok(c_text(&opened.engine.deploy_plan(&environment, request)?.to_json()))
    })
}

/// Starts a deployment: the step `deploy` of the commit's config, in its export directory. It runs
/// in threads of the library. Read its events with `tinyci_run_next`, and its result with
/// `tinyci_run_deployment_json` or `tinyci_run_deploy_outcome`. If the build of the commit was
/// removed, tinyci builds it again first, and takes the run lock for that when another run is
/// between two commits.
///
/// It does not ask for confirmation: to let a person confirm, show a plan first.
///
/// The config or the setting `approve` can require an approval. tinyci looks for it in the
/// repository, then asks your program if you set `TINYCI_HANDLER_APPROVAL`. If the setting
/// `approvers` has values, tinyci asks your program only if it runs as one of the listed accounts.
/// Without a valid approval nothing is deployed, and the outcome is
/// `TINYCI_OUTCOME_AWAITING_APPROVAL`.
///
/// @param engine       The engine.
/// @param environment  The environment; NULL for that of the request's plan, else `production`.
/// @param request      The request; NULL for the newest green commit.
/// @param cancel       A token that stops the run, which keeps it alive; NULL for none.
/// @param out          Where to store the run; free it with `tinyci_run_free`. NULL on an error.
/// @param err          Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_UNSUPPORTED` if this process ignores SIGCHLD, because tinyci could
///         not learn how commands end: set it to SIG_DFL first. Other errors that prevent the
///         deployment from beginning are returned by `tinyci_run_next`: `TINYCI_NOT_FOUND` if there
///         is nothing to deploy; `TINYCI_INVALID_ARG` for a commit that is not green, is not on a
///         deployable branch, or whose config does not define the environment; also if you must
///         name a commit (`must_be_named` in the plan), because several are equally new or deployed
///         changes would be lost; `TINYCI_BUSY` during another deployment there, after an
///         interrupted one (see `tinyci_unlock_deployments`), and if the deployed commit differs
///         from the plan; `TINYCI_CANCELED`; `TINYCI_HOST_ABORT` if your program refused or did not
///         answer a request for an approval; `TINYCI_HOST_FAULT` if it aborted one. A failed
///         deployment is not an error.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_start(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    request: Option<&tinyci_deploy_request>,
    cancel: Option<&tinyci_cancel>,
    out: Option<&mut MaybeUninit<*mut tinyci_run>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let (environment, request) = environment_and_request(environment, request)?;
        started(opened, optional(cancel)?, move |engine, cancel, observer| {
            deploy(engine, &environment, &request, cancel, observer)
        })
    })
}

/// Starts a rollback: it deploys the commit that was deployed before the current one, with the same
/// checks and the same kind of record. A second rollback goes back one further deployment. For more
/// options, use `tinyci_deploy_start` with `tinyci_deploy_request_set_rollback`.
///
/// @param engine       The engine.
/// @param environment  The environment; NULL for `production`.
/// @param cancel       A token that stops the run, which keeps it alive; NULL for none.
/// @param out          Where to store the run; free it with `tinyci_run_free`. NULL on an error.
/// @param err          Where to store the error, or NULL.
/// @return As for `tinyci_deploy_start`. `tinyci_run_next` returns `TINYCI_NOT_FOUND` if nothing
///         was deployed before.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_rollback_start(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    out: Option<&mut MaybeUninit<*mut tinyci_run>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let environment = environment_of(environment)?.to_owned();
        started(opened, optional(cancel)?, move |engine, cancel, observer| {
            deploy(engine, &environment, &DeployRequest::rollback(), cancel, observer)
        })
    })
}

fn deploy(
    engine: &crate::Engine,
    environment: &str,
    request: &DeployRequest,
    cancel: &CancelToken,
    observer: &mut dyn FnMut(&crate::Event),
) -> Result<RunResult, Error> {
    let mut observer = |event: &crate::Event| observer(event);
    let deployment = engine.deploy(environment, request.clone(), cancel, &mut observer)?;
    Ok(RunResult::Deployment(Box::new(deployment)))
}

/// Approves the deployment of one commit with its current config to one environment, so that the
/// next deployment can continue. The approver is the person in the engine's options, else the one
/// in git's configuration.
///
/// If git's configuration signs with ssh keys (`gpg.format`, `user.signingKey`), the approval is
/// signed. For that, tinyci runs `git`, which may ask for a passphrase.
///
/// @param engine       The engine.
/// @param environment  The environment; NULL for `production`.
/// @param revision     The commit, in any git revision syntax. Prefer its id, because branches and
///                     tags can move.
/// @param approval     Where to store the approval, the output of `tinyci approve --json`, or NULL;
///                     free it with `tinyci_string_free`. Its `reference` is the ref to push to the
///                     server. Its `problem`, if any, says why the approval does not count here.
/// @param err          Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_INVALID_ARG` if the
///         commit's config does not deploy there; `TINYCI_UNSUPPORTED` if the approver is not
///         configured; `TINYCI_GIT` or `TINYCI_SPAWN` if the approval cannot be signed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_approve(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    revision: CText<'_>,
    approval: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, approval, err, |opened| {
        let revision = revision.required("revision")?;
        Ok(c_text(&opened.engine.approve(environment_of(environment)?, revision)?.to_json()))
    })
}

/// Allows deployments to an environment again after an interrupted one. Check the environment
/// first.
///
/// @param engine       The engine.
/// @param environment  The environment; NULL for `production`.
/// @param reason       Why deployments can continue, for the record. Copied.
/// @param err          Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` if there was nothing to unlock; `TINYCI_BUSY` during a
///         deployment there; `TINYCI_INVALID_ARG` without a reason.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_unlock_deployments(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    reason: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act(engine, err, |opened| {
        let reason = reason.required("reason")?;
        let unlocked = opened.engine.unlock_deployments(environment_of(environment)?, reason)?;
        Ok(if unlocked.is_some() { Completion::Done } else { Completion::NothingToDo })
    })
}

/// Records that an environment is no longer in use. Its builds are no longer protected. The next
/// deployment puts it in use again. Runs nothing: what is deployed there stays.
///
/// @param engine       The engine.
/// @param environment  The environment; NULL for `production`.
/// @param err          Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` if it is already retired; `TINYCI_NOT_FOUND` if nothing was
///         ever deployed there; `TINYCI_BUSY` during a deployment there.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_retire(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act(engine, err, |opened| {
        let retired = opened.engine.retire(environment_of(environment)?)?;
        Ok(if retired.is_some() { Completion::Done } else { Completion::NothingToDo })
    })
}
