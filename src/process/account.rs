//! The accounts of this machine: which number a name has, and which name a number.
//!
//! `id` is asked, and no file is read: accounts may come from a directory that the system asks over
//! the network, and a library that asks it in its own process would load modules into its host.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::Path,
};

use super::helper::ask;
use crate::model::error::Error;

/// The number of the account of this name; none where there is no such account.
///
/// # Errors
///
/// [`Spawn`](crate::ErrorKind::Spawn) where `id` cannot be started, [`ChildLost`](crate::ErrorKind::ChildLost)
/// where its end cannot be known.
pub(crate) fn number_of(
    account: &str,
    env: &BTreeMap<OsString, OsString>,
) -> Result<Option<u32>, Error> {
    let answer = ask("id", &["-u", "--", account].map(OsStr::new), Path::new("/"), env, b"")?;
    Ok(answer.passed.then(|| answer.out.trim().parse().ok()).flatten())
}

/// The name of an account; its number where it has none, or where nobody says.
pub(crate) fn name_of(number: u32, env: &BTreeMap<OsString, OsString>) -> String {
    let digits = number.to_string();
    let answer = ask("id", &["-nu", "--", &digits].map(OsStr::new), Path::new("/"), env, b"");
    let name = answer.ok().filter(|answer| answer.passed).map(|it| it.out.trim().to_owned());
    name.filter(|name| !name.is_empty()).unwrap_or(digits)
}

/// The number of the account that this process acts as.
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
