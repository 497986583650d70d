//! A run with what follows it: automatic deployments, and the removal of old builds.

use super::retention;
use crate::engine::{
    context::{process_env::ProcessEnv, shared::Shared},
    deploy::auto_deploy::deploy_pushed,
    run::driver::RunDriver,
};
use crate::model::{error::Error, record::Summary};

/// Runs jobs, deploys pushed commits if their configs say so, and removes old builds.
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
