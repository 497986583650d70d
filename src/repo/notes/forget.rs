//! Forgetting all results: the one deletion of tinyci's refs that no run undoes.

use serde::Serialize;

use crate::repo::{
    refs::{atomic_ref::AtomicRef, ref_memory::RefMemory},
    repository::{RECORDS, Repo, VERDICTS},
};
use crate::{model::error::Error, wire};

/// What [`Engine::forget_all`](crate::Engine::forget_all) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForgetReport {
    /// The refs that are gone now: those of the verdicts and of the records.
    pub removed: Vec<String>,
    /// The refs that others had deleted or set back, and that no run restores any more.
    pub given_up: Vec<String>,
}

impl ForgetReport {
    /// As one line of JSON: `removed` and `given_up`.
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
    /// Forgets all verdicts and records, and every loss: what is missing now is not made again. The
    /// deployments, approvals and baseline that are there stay.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where refs cannot be read or removed,
    /// [`Io`](crate::ErrorKind::Io) where the state cannot be written.
    pub(crate) fn forget_results(&self) -> Result<ForgetReport, Error> {
        let owner = self.intent()?;
        let mut memory = RefMemory::read(self.common_dir());
        let named = self.named()?;
        let mut forgotten =
            ForgetReport { given_up: self.lossy(&memory, &named), ..ForgetReport::default() };
        memory.refs.clear();
        self.learn(&mut memory, &named);
        [VERDICTS, RECORDS].iter().for_each(|name| drop(memory.refs.remove(*name)));
        let unwritten = |source| Error::io("write below", self.common_dir(), source);
        self.write_memory(&memory)?.map_err(unwritten)?;
        // The verdicts first: there is never one without what it rests on.
        for name in [VERDICTS, RECORDS] {
            if AtomicRef::new(self, name).remove(&owner)? {
                forgotten.removed.push(name.to_owned());
            }
        }
        Ok(forgotten)
    }
}
