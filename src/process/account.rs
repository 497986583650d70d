//! Looks up the accounts of this machine: the uid of a name, and the name of a uid.
//!
//! This runs `id` and reads no file, because accounts may come from a network directory. A lookup
//! in this process would load the system's modules into the host.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::Path,
};

use super::helper::run_helper;
use crate::model::error::Error;

/// Returns the uid of the account with this name, or `None` if it does not exist.
///
/// # Errors
///
/// [`Spawn`](crate::ErrorKind::Spawn) if `id` cannot be started;
/// [`ChildLost`](crate::ErrorKind::ChildLost) if its exit status is unknown.
pub(crate) fn number_of(
    account: &str,
    env: &BTreeMap<OsString, OsString>,
) -> Result<Option<u32>, Error> {
    let answer =
        run_helper("id", &["-u", "--", account].map(OsStr::new), Path::new("/"), env, b"")?;
    Ok(answer.passed.then(|| answer.out.trim().parse().ok()).flatten())
}

/// Returns the name of an account, or the uid if the name is unknown.
pub(crate) fn name_of(number: u32, env: &BTreeMap<OsString, OsString>) -> String {
    let digits = number.to_string();
    let answer =
        run_helper("id", &["-nu", "--", &digits].map(OsStr::new), Path::new("/"), env, b"");
    let name = answer.ok().filter(|answer| answer.passed).map(|it| it.out.trim().to_owned());
    name.filter(|name| !name.is_empty()).unwrap_or(digits)
}

/// Returns the effective uid of this process.
pub(crate) fn own_number() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_each_other() {
        let env = BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]);
        assert_eq!(name_of(0, &env), "root");
        assert_eq!(number_of("root", &env).unwrap(), Some(0));
        assert_eq!(number_of("no-such-account", &env).unwrap(), None);
        assert_eq!(number_of("-n", &env).unwrap(), None);
        assert_eq!(name_of(4_000_000_000, &env), "4000000000");
    }
}
