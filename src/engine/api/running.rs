//! A run, and what follows it: what a push deploys, and the builds that are to go.

use super::retention;
use crate::engine::{
    context::{process_env::ProcessEnv, shared::Shared},
    deploy::auto_deploy::deploy_pushed,
    run::driver::RunDriver,
};
use crate::model::{error::Error, record::Summary};

/// Runs, deploys what was pushed if its config says so, and sees to old builds.
pub(in crate::engine) fn run(
    shared: &Shared,
    env: &ProcessEnv,
    mut driver: RunDriver<'_>,
) -> Result<Summary, Error> {
    driver.test()?;
    if driver.may_deploy() {
        let RunDriver { pushed, cancel, events, .. } = &driver;
        driver.summary.deployments = deploy_pushed(shared, env, pushed, cancel, events);
    }
    if driver.has_built() {
        let warnings = retention::after_run(shared, &driver.cancel);
        warnings.into_iter().for_each(|message| driver.warn(message));
    }
    Ok(driver.finish())
}
