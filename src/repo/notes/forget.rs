//! Forgets all results. No run undoes this deletion.

use serde::Serialize;

use crate::repo::{
    refs::{atomic_ref::AtomicRef, ref_memory::RefMemory},
    repository::{RECORDS, Repo, VERDICTS},
};
use crate::{model::error::Error, wire};

/// The result of [`Engine::forget_all`](crate::Engine::forget_all).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForgetReport {
    /// The deleted refs: those of the verdicts and of the records.
    pub removed: Vec<String>,
    /// The refs that others had deleted or set back, and that no run restores any longer.
    pub given_up: Vec<String>,
}

impl ForgetReport {
    /// Returns the report as one line of JSON: `removed` and `given_up`.
    ///
    /// ```
    /// let expected = r#"{"v":1,"removed":[],"given_up":[]}"#;
    /// assert_eq!(tinyci::record::ForgetReport::default().to_json(), expected);
    /// ```
    pub fn to_json(&self) -> String {
        wire::json(&ForgottenJson {
            v: wire::VERSION,
            removed: &self.removed,
            given_up: &self.given_up,
        })
    }
}

#[derive(Serialize)]
struct ForgottenJson<'a> {
    v: u32,
    removed: &'a [String],
    given_up: &'a [String],
}

impl Repo {
    /// Deletes all verdicts and records, and forgets every lost ref, so that no run restores it.
    ///
    /// The existing deployments, approvals and baseline remain.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if refs cannot be read or removed;
    /// [`Io`](crate::ErrorKind::Io) if the state cannot be written.
    pub(crate) fn forget_results(&self) -> Result<ForgetReport, Error> {
        let owner = self.acquire_ref_lock()?;
        let mut memory = RefMemory::read(self.common_dir());
        let named = self.named()?;
        let mut forgotten = ForgetReport {
            given_up: self.refs_with_losses(&memory, &named),
            ..ForgetReport::default()
        };
        memory.refs.clear();
        self.learn(&mut memory, &named);
        [VERDICTS, RECORDS].iter().for_each(|name| drop(memory.refs.remove(*name)));
        let unwritten = |source| Error::io("write below", self.common_dir(), source);
        self.write_memory(&memory)?.map_err(unwritten)?;
        // The verdicts first, so that every remaining verdict still has its record.
        for name in [VERDICTS, RECORDS] {
            if AtomicRef::new(self, name).remove(&owner)? {
                forgotten.removed.push(name.to_owned());
            }
        }
        Ok(forgotten)
    }
}
