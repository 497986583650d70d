//! Interventions and cancellations as JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    record::{json, lenient, short},
    version::VERSION,
};
use crate::model::intervention::{CanceledJob, Cancellation, Intervention, InterventionKind};

#[derive(Serialize, Deserialize)]
pub(super) struct InterventionJson<'a> {
    kind: Cow<'a, str>,
    by: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    account: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
}

impl<'a> InterventionJson<'a> {
    pub(super) fn of(intervention: &'a Intervention) -> Self {
        Self {
            kind: intervention.kind.name().into(),
            by: short(&intervention.by),
            account: intervention.account.as_deref().map(short),
            reason: intervention.reason.as_deref().map(short),
        }
    }

    /// Returns `None` if this version does not know the kind.
    pub(super) fn into_intervention(self) -> Option<Intervention> {
        let kind = InterventionKind::ALL.into_iter().find(|kind| kind.name() == self.kind)?;
        let (by, reason) = (self.by.into_owned(), self.reason.map(Cow::into_owned));
        let account = self.account.map(Cow::into_owned);
        Some(Intervention { kind, by, account, reason })
    }
}

#[derive(Serialize)]
struct CancellationJson<'a> {
    v: u32,
    whole_run: bool,
    jobs: Vec<CanceledJobJson<'a>>,
}

#[derive(Serialize)]
struct CanceledJobJson<'a> {
    commit: String,
    job_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

impl<'a> CanceledJobJson<'a> {
    fn of(job: &'a CanceledJob) -> Self {
        let outcome = job.outcome.map(|outcome| outcome.name());
        Self { commit: job.commit.to_string(), job_id: &job.job_id, outcome }
    }
}

impl Cancellation {
    /// Returns one line of JSON.
    ///
    /// ```
    /// let nothing = tinyci::intervention::Cancellation::default();
    /// assert_eq!(nothing.to_json(), r#"{"v":1,"whole_run":false,"jobs":[]}"#);
    /// ```
    pub fn to_json(&self) -> String {
        let jobs = self.jobs.iter().map(CanceledJobJson::of).collect();
        json(&CancellationJson { v: VERSION, whole_run: self.whole_run, jobs })
    }
}
