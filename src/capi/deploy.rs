//! Deployments: what is wanted, what it would do, doing it, and what a person says to it.

use std::{ffi::c_char, mem::MaybeUninit};

use super::{
    cancel::tinyci_cancel,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard::{self, Act},
    handle::{Sealed, handle, optional},
    queue::Found,
    run::{started, tinyci_run},
    selection::assumption,
    status::tinyci_code,
    text::{CText, c_text, environment_of},
};
use crate::{
    CancelToken, Error, ErrorKind,
    deploy::{DeployPlan, DeployRequest, DeployRules},
};

/// What is to be deployed. Where one is asked for, NULL is the newest green commit of the environment's
/// branch that contains what is deployed.
///
/// Owned by the host. What it is given to copies it.
pub struct tinyci_deploy_request(Sealed<DeployRequestHandle>);

handle!(tinyci_deploy_request, DeployRequestHandle, "request");

/// What is behind it.
#[derive(Clone, Default)]
pub struct DeployRequestHandle {
    request: DeployRequest,
    /// Where the plan leads to that it carries out.
    planned: Option<String>,
}

impl DeployRequestHandle {
    /// Where to: what the host says, else the plan, else where everybody deploys to.
    fn environment(&self, said: Option<&str>) -> Result<String, Failure> {
        match (&self.planned, said) {
            (Some(planned), Some(said)) if planned != said => {
                let message = format!("the plan is one for `{planned}`, and not for `{said}`");
                Err(Error::new(ErrorKind::InvalidArg, message).into())
            }
            (Some(planned), _) => Ok(planned.clone()),
            (None, said) => Ok(said.unwrap_or(DeployRules::PRODUCTION).to_owned()),
        }
    }
}

/// The request and the environment that a call is about.
fn wanted(
    environment: CText<'_>,
    request: Option<&tinyci_deploy_request>,
) -> Result<(String, DeployRequest), Failure> {
    let wanted = optional(request)?.cloned().unwrap_or_default();
    let environment = wanted.environment(environment.optional("environment")?)?;
    Ok((environment, wanted.request))
}

/// Makes a request for the newest commit that is green.
///
/// @return The request, to be freed with `tinyci_deploy_request_free`; NULL only where memory is
///         short.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_new() -> *mut tinyci_deploy_request {
    guard::fresh(DeployRequestHandle::default)
}

/// Names the commit to deploy.
///
/// @param request   The request.
/// @param revision  The commit, in any of git's revision syntax; NULL for the newest that is green.
///                  Copied; looked up when the request is used.
/// @param err       Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_revision(
    request: Option<&mut tinyci_deploy_request>,
    revision: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |wanted| {
        wanted.request.revision = revision.optional("revision")?.map(str::to_owned);
        Ok(())
    })
}

/// Says whether to go back to what was deployed before the deployment that is there now.
///
/// @param request   The request.
/// @param rollback  0 for no, which is how a request begins; anything else for yes.
/// @param err       Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_rollback(
    request: Option<&mut tinyci_deploy_request>,
    rollback: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |wanted| {
        wanted.request.rollback = rollback != 0;
        Ok(())
    })
}

/// Says whether to deploy also what is not green, and to go back also to what is no longer on a branch
/// that deploys. The record keeps it.
///
/// @param request  The request.
/// @param force    0 for no, which is how a request begins; anything else for yes.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_force(
    request: Option<&mut tinyci_deploy_request>,
    force: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |wanted| {
        wanted.request.force = force != 0;
        Ok(())
    })
}

/// Says whether to deploy the commit's files at once, without what a build adds, also if its build is
/// gone: for emergencies. The record keeps it.
///
/// @param request  The request.
/// @param bare     0 for no, which is how a request begins; anything else for yes.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_bare(
    request: Option<&mut tinyci_deploy_request>,
    bare: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |wanted| {
        wanted.request.bare = bare != 0;
        Ok(())
    })
}

/// Assumes the output of a command: `tinyci_deploy_plan_json` uses it if a script asks for the output
/// of a command, since plans run nothing. A deployment runs the command.
///
/// @param request  The request.
/// @param command  A glob over the command, as one line, such as `git describe*`; the first that
///                 matches applies. Copied.
/// @param output   The output that the command is assumed to write. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_add_assumption(
    request: Option<&mut tinyci_deploy_request>,
    command: CText<'_>,
    output: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |wanted| {
        wanted.request.assume.push(assumption(command, output)?);
        Ok(())
    })
}

/// Says who deploys. Without it, whom the engine's options name, else whom git's configuration names.
///
/// @param request  The request.
/// @param name     The person's name. Copied.
/// @param address  The person's mail address. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_by(
    request: Option<&mut tinyci_deploy_request>,
    name: CText<'_>,
    address: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |wanted| {
        let (name, address) = (name.required("name")?, address.required("address")?);
        wanted.request.by = Some((name.to_owned(), address.to_owned()));
        Ok(())
    })
}

/// Asks for exactly what was planned, in the place of everything but who deploys: that commit, to
/// that environment, and only if nothing else is deployed there by then.
///
/// @param request  The request.
/// @param plan     What `tinyci_deploy_plan_json` gave. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for what is no plan; nothing is changed then.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_set_plan(
    request: Option<&mut tinyci_deploy_request>,
    plan: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |wanted| {
        let (environment, request) = DeployPlan::request_from_json(plan.required("plan")?)?;
        let by = wanted.request.by.take();
        *wanted = DeployRequestHandle {
            request: DeployRequest { by, ..request },
            planned: Some(environment),
        };
        Ok(())
    })
}

/// Frees a request.
///
/// @param request  The request, which is gone then, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deploy_request_free(request: Option<Box<tinyci_deploy_request>>) {
    guard::free(request);
}

/// Tells what a deployment would do, without doing it: what `tinyci deploy --dry-run --json`
/// prints. To be shown to a person, and then to be carried out as it is, see
/// `tinyci_deploy_request_set_plan`.
///
/// @param engine       The engine.
/// @param environment  Where to; NULL for the plan's that the request has, else `production`.
/// @param request      What; NULL for the newest commit that is green.
/// @param out          Where the JSON is stored, one line without its end, to be freed with
///                     `tinyci_string_free`; NULL on an error.
/// @param err          Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where the deployment would wait for an approval: its `approval` tells;
///         else as `tinyci_run_next` of `tinyci_deploy_start`, except that a plan can be made while
///         something is deployed.
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
        let (environment, request) = wanted(environment, request)?;
        Ok(c_text(&opened.engine.deploy_plan(&environment, request)?.to_json()))
    })
}

/// Starts a deployment: the `deploy` of the commit's config, in its export. A build that is gone is
/// made again first, which takes the run lock between two commits. It goes on in threads of
/// the library's, and its events wait to be pulled. What came of it, `tinyci_run_deployment_json`
/// and `tinyci_run_deploy_outcome` tell.
///
/// Nobody is asked whether it may begin: a host shows a plan first, and asks. An approval that the
/// config wants, or the setting `approve`, is looked for in the repository, and asked of the host where
/// it said so with `TINYCI_HANDLER_APPROVAL`; without one that counts the deployment does nothing, and
/// is `TINYCI_OUTCOME_AWAITING_APPROVAL`. Where the setting `approvers` lists somebody, the host is asked only if
/// it runs as one of the accounts there.
///
/// @param engine       The engine.
/// @param environment  Where to; NULL for the plan's that the request has, else `production`.
/// @param request      What; NULL for the newest commit that is green.
/// @param cancel       What stops it from outside, of which it keeps a reference; NULL for nothing.
/// @param out          Where the run is stored, to be freed with `tinyci_run_free`; NULL on an
///                     error.
/// @param err          Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_UNSUPPORTED` if this process ignores SIGCHLD, as `tinyci_run_start`.
///         What keeps it from beginning comes out of `tinyci_run_next`: `TINYCI_NOT_FOUND` where
///         there is nothing to deploy; `TINYCI_INVALID_ARG` for a commit that is not green, not on a
///         branch that is deployed, or whose config knows no such environment, and where a commit has
///         to be named: several are as new as each other, or what is deployed would be lost (the plan's
///         `must_be_named`); `TINYCI_BUSY` while
///         another deployment runs there, after one that was interrupted (`tinyci_unlock_deployments`),
///         and where something else is deployed than was planned; `TINYCI_CANCELED`;
///         `TINYCI_HOST_ABORT` where the host refused or left a request for an approval, and
///         `TINYCI_HOST_FAULT` where it aborted one. A deployment that fails is no error.
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
        let (environment, request) = wanted(environment, request)?;
        started(opened, optional(cancel)?, move |engine, cancel, observer| {
            deploy(engine, &environment, &request, cancel, observer)
        })
    })
}

/// Starts going back to what was deployed before the deployment that is there now, with the same
/// checks and the same record. Doing it again goes back further. A request with
/// `tinyci_deploy_request_set_rollback` can say more about it.
///
/// @param engine       The engine.
/// @param environment  Where; NULL for `production`.
/// @param cancel       What stops it from outside, of which it keeps a reference; NULL for nothing.
/// @param out          Where the run is stored, to be freed with `tinyci_run_free`; NULL on an
///                     error.
/// @param err          Where the error is to be stored, or NULL.
/// @return As `tinyci_deploy_start`; `TINYCI_NOT_FOUND` comes out of `tinyci_run_next` where nothing
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
) -> Result<Found, Error> {
    let mut observer = |event: &crate::Event| observer(event);
    let deployment = engine.deploy(environment, request.clone(), cancel, &mut observer)?;
    Ok(Found::Deployment(Box::new(deployment)))
}

/// Approves of one commit, in one environment, with the config that it has, so that the next
/// deployment can go on. The approver is whom the engine's options name, else git's configuration.
///
/// Where git's configuration signs with ssh keys (`gpg.format`, `user.signingKey`), it is signed, by a
/// `git` that is started for it and may ask for a passphrase.
///
/// @param engine       The engine.
/// @param environment  Where the commit may be deployed to; NULL for `production`.
/// @param rev          The commit, in any of git's revision syntax: better its id, since names move.
/// @param approval     Where the approval is stored, what `tinyci approve --json` prints, to be
///                     freed with `tinyci_string_free`, or NULL. Its `reference` is the ref that is
///                     pushed to carry it to the server; its `problem` says why it does not count
///                     here, where that is so.
/// @param err          Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_INVALID_ARG`
///         for one whose config does not deploy there; `TINYCI_UNSUPPORTED` where nobody says who
///         approves; `TINYCI_GIT` or `TINYCI_SPAWN` where it cannot be signed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_approve(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    rev: CText<'_>,
    approval: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::tell(engine, approval, err, |opened| {
        let rev = rev.required("rev")?;
        Ok(c_text(&opened.engine.approve(environment_of(environment)?, rev)?.to_json()))
    })
}

/// Says that somebody has looked at an environment whose last deployment was interrupted, and why
/// it can go on.
///
/// @param engine       The engine.
/// @param environment  Which; NULL for `production`.
/// @param reason       Why, for the record. Copied.
/// @param err          Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` where there was nothing to unlock; `TINYCI_BUSY` while
///         something is being deployed there; `TINYCI_INVALID_ARG` without a reason.
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
        Ok(if unlocked.is_some() { Act::Done } else { Act::Nothing })
    })
}

/// Puts on record that nothing runs in an environment any more: its builds are no longer pinned, until
/// the next deployment revives it. Runs nothing.
///
/// @param engine       The engine.
/// @param environment  Which; NULL for `production`.
/// @param err          Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` where it is retired already; `TINYCI_NOT_FOUND` where nothing
///         was ever deployed to; `TINYCI_BUSY` while something is being deployed there.
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
        Ok(if retired.is_some() { Act::Done } else { Act::Nothing })
    })
}
