//! Retests: finds skipped commits that should be tested again, and commits without a verdict that
//! a pushed tag requests.
//!
//! The rules are in [`crate::rules::retest`]. A retest that would certainly run nothing new is
//! decided once and stored, see `LookedAt`.

use crate::{
    engine::{
        context::{engine_call::EngineCall, shared::Shared},
        step::{left_out_of, scripts::LoadedPipeline, unmet, whole_commit_unmet},
    },
    model::{
        commit::{CommitId, GitString},
        error::Error,
        job::{Job, Trigger},
        outcome::Verdict,
        pipeline::{Hook, Phase, Step, StepName},
        selection::RefUpdate,
    },
    repo::{Line, Repo},
    rules::retest::{PastJobs, TestedRef},
    util::version_order,
    workspace::LookedAt,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    attempt::JobSource,
    dry_run::{self, may_run},
};

/// Finds the refs that request a job although a scan found nothing for them.
pub(in crate::engine) struct RetestSearch<'a> {
    pub(in crate::engine) shared: &'a Shared,
    pub(in crate::engine) repo: &'a Repo,
    /// The unhandled pushes.
    pub(in crate::engine) pushes: &'a [Vec<RefUpdate>],
    /// The maximum number of such jobs per push, or `None` without a limit.
    pub(in crate::engine) limit: Option<usize>,
}

/// A job that a ref requests.
struct RequestedJob {
    job: Job,
    /// The full name of the ref.
    name: GitString,
    /// The decision to store if the job is not started. `None` for a commit without a verdict.
    decision: Option<String>,
}

/// The jobs that refs request.
#[derive(Default)]
pub(in crate::engine) struct Found {
    /// The jobs, each with the full name of the ref that requests it.
    pub(in crate::engine) jobs: Vec<(Job, GitString)>,
    /// The pushed refs beyond the limit.
    pub(in crate::engine) ignored_refs: Vec<GitString>,
}

impl RetestSearch<'_> {
    /// Checks the selected refs and the pushed tags. `pending` contains the commits that are pending
    /// anyway.
    pub(in crate::engine) fn at_refs(&self, pending: &HashSet<CommitId>) -> Result<Found, Error> {
        let mut refs = self.repo.ref_tips(&self.shared.settings.refs)?;
        let tags = self.pushed_tags(&refs)?;
        let workspace = self.shared.workspace();
        let before = workspace.looked_at();
        let state_key = self.state_key(&refs)?;
        if before.state_key == state_key && tags.is_empty() {
            return Ok(Found::default());
        }
        let verdicts = self.repo.verdicts_of(refs.iter().chain(&tags).map(|(_, tip)| *tip))?;
        let mut requested: Vec<RequestedJob> = Vec::new();
        for (name, tip) in &tags {
            let requests_job = !verdicts.contains_key(tip)
                && !pending.contains(tip)
                && self.repo.has_config(*tip)?;
            if requests_job && !requested.iter().any(|it| it.job.commit.id == *tip) {
                let (job, name) = (self.tag_job(*tip, name)?, name.clone());
                requested.push(RequestedJob { job, name, decision: None });
            }
        }
        refs.extend(tags);
        let is_skipped = |tip: &CommitId| {
            verdicts.get(tip).is_some_and(|it| it.verdict == Some(Verdict::Skipped))
        };
        let mut skipped: BTreeMap<CommitId, Vec<GitString>> = BTreeMap::new();
        for (name, tip) in refs.into_iter().filter(|(_, tip)| is_skipped(tip)) {
            skipped.entry(tip).or_default().push(name);
        }
        let mut after = LookedAt::default();
        requested.extend(self.retests(skipped, &before, &mut after)?);
        let found = self.limited(self.oldest_first(requested)?, &mut after)?;
        after.state_key = if found.jobs.is_empty() { state_key } else { String::new() };
        if after != before && self.repo.may_cache() {
            workspace.keep_looked_at(&after);
        }
        Ok(found)
    }

    /// Checks one skipped commit, for the refs that point to it and for the ref that the caller
    /// named.
    pub(in crate::engine) fn at_commit(
        &self,
        id: CommitId,
        named: Option<&GitString>,
    ) -> Result<Option<Job>, Error> {
        let selected = self.repo.ref_tips(&self.shared.settings.refs)?.into_iter();
        let refs = named.cloned().into_iter();
        let refs = refs.chain(selected.filter(|(_, tip)| *tip == id).map(|(name, _)| name));
        let skipped = BTreeMap::from([(id, refs.collect())]);
        let mut requested =
            self.retests(skipped, &LookedAt::default(), &mut LookedAt::default())?;
        Ok(requested.pop().map(|requested| requested.job))
    }

    /// Returns the pushed tags that still exist and are not among the selected refs.
    fn pushed_tags(
        &self,
        selected: &[(GitString, CommitId)],
    ) -> Result<Vec<(GitString, CommitId)>, Error> {
        let mut tags = Vec::new();
        for update in self.pushes.iter().flatten().filter(|update| update.new.is_some()) {
            let name = &update.reference;
            let is_tag = TestedRef::of_ref(name).is_some_and(|it| it.tag().is_some());
            let is_known = || selected.iter().chain(&tags).any(|(known, _)| known == name);
            if is_tag && !is_known() {
                tags.extend(self.repo.ref_tip(name)?.map(|tip| (name.clone(), tip)));
            }
        }
        tags.sort();
        Ok(tags)
    }

    /// Returns a key of all inputs of the result "no jobs": the refs, the results and the
    /// settings.
    fn state_key(&self, refs: &[(GitString, CommitId)]) -> Result<String, Error> {
        let mut hasher = DefaultHasher::new();
        refs.hash(&mut hasher);
        Ok(format!("{} {:016x} {}", self.repo.results_key()?, hasher.finish(), self.settings_key()))
    }

    /// Returns a key of a commit, its records, its tags and the settings.
    fn decision_key(&self, id: CommitId, records: &[u8], tags: &[GitString]) -> String {
        let mut hasher = DefaultHasher::new();
        (records, tags).hash(&mut hasher);
        format!("{id} {:016x} {}", hasher.finish(), self.settings_key())
    }

    /// Returns a key of the settings that affect decisions, and of this release.
    fn settings_key(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.shared.settings.secret_refs.hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    fn tag_job(&self, tip: CommitId, name: &GitString) -> Result<Job, Error> {
        let tag = TestedRef::of_ref(name).and_then(|it| it.tag().cloned());
        Ok(Job { tag, ..Job::new(self.repo.commit(tip)?, Trigger::Tag) })
    }

    /// Returns the jobs that retest skipped commits, each for the first ref that would run
    /// something new.
    fn retests(
        &self,
        skipped: BTreeMap<CommitId, Vec<GitString>>,
        before: &LookedAt,
        after: &mut LookedAt,
    ) -> Result<Vec<RequestedJob>, Error> {
        let records = self.repo.record_texts(skipped.keys().copied())?;
        let tags = self.tags_by_commit()?;
        let pushed = pushed_tags(self.repo, self.pushes, &|id| skipped.contains_key(id))?;
        let mut requested = Vec::new();
        for (id, refs) in skipped {
            let text = records.get(&id).map(Vec::as_slice).unwrap_or_default();
            let key = self.decision_key(id, text, tags_of(&tags, id));
            let mut candidate = None;
            for name in refs {
                let decision = format!("{key} {name}");
                if !before.decisions.contains(&decision) {
                    if candidate.is_none() {
                        candidate = Candidate::of(self, id, text, pushed.get(&id))?;
                    }
                    if candidate.as_ref().is_some_and(|it| it.adds_only_the_tag(&name)) {
                        continue;
                    }
                    if let Some(job) =
                        candidate.as_ref().and_then(|it| it.job_for(&name).transpose())
                    {
                        requested.push(RequestedJob { job: job?, name, decision: Some(decision) });
                        break;
                    }
                }
                after.decisions.insert(decision);
            }
        }
        Ok(requested)
    }

    /// Sorts ancestors first, because `changed` compares with the nearest green one.
    fn oldest_first(&self, mut requested: Vec<RequestedJob>) -> Result<Vec<RequestedJob>, Error> {
        let ids: Vec<CommitId> = requested.iter().map(|it| it.job.commit.id).collect();
        let order = self.repo.by_topology(&ids)?.into_iter().zip(0..);
        let order: HashMap<CommitId, usize> = order.collect();
        requested.sort_by_key(|it| order.get(&it.job.commit.id).copied());
        Ok(requested)
    }

    /// Applies the limit to each push. A push beyond it gets jobs only for the branch of HEAD and
    /// for the newest tag. The other jobs are decided against until a caller names them.
    fn limited(
        &self,
        mut requested: Vec<RequestedJob>,
        after: &mut LookedAt,
    ) -> Result<Found, Error> {
        let mut ignored = Vec::new();
        for push in self.pushes {
            let names: HashSet<&GitString> = push.iter().map(|update| &update.reference).collect();
            let of_push = || requested.iter().filter(|it| names.contains(&it.name));
            if self.limit.is_none_or(|limit| of_push().count() <= limit) {
                continue;
            }
            let head = self.repo.ref_tips(&["refs/heads/*".to_owned()])?.into_iter().next();
            let head = head.map(|(name, _)| name);
            let tagged = of_push().filter(|it| it.job.tag.is_some()).map(|it| it.job.commit.id);
            let newest = self.repo.by_topology(&tagged.collect::<Vec<_>>())?.pop();
            let is_kept = |it: &RequestedJob| {
                let is_newest = it.job.tag.is_some() && Some(it.job.commit.id) == newest;
                !names.contains(&it.name) || Some(&it.name) == head.as_ref() || is_newest
            };
            let (kept, excess): (Vec<_>, Vec<_>) = requested.into_iter().partition(is_kept);
            ignored.extend(excess);
            requested = kept;
        }
        // The decision is stored, so that the same ref does not request the retest again.
        after
            .decisions
            .extend(ignored.iter_mut().filter_map(|it: &mut RequestedJob| it.decision.take()));
        let jobs = requested.into_iter().map(|it| (it.job, it.name)).collect();
        Ok(Found { jobs, ignored_refs: ignored.into_iter().map(|it| it.name).collect() })
    }

    /// Returns all tags by the commit that they point to. A branch may request a job once its tip
    /// has a tag.
    fn tags_by_commit(&self) -> Result<HashMap<CommitId, Vec<GitString>>, Error> {
        let mut tags: HashMap<CommitId, Vec<GitString>> = HashMap::new();
        for (name, commit) in self.repo.ref_tips(&["refs/tags/*".to_owned()])? {
            tags.entry(commit).or_default().push(name);
        }
        Ok(tags)
    }
}

/// A skipped commit, with its past jobs and its current pipeline.
struct Candidate<'a> {
    search: &'a RetestSearch<'a>,
    id: CommitId,
    past: PastJobs,
    loaded: LoadedPipeline,
    missing_steps: Vec<StepName>,
    /// The tag that was pushed for it, for any requesting ref.
    pushed_tag: Option<GitString>,
}

impl<'a> Candidate<'a> {
    /// Returns `None` if nothing can be tested again, because no record allows it or the commit
    /// has no config.
    fn of(
        search: &'a RetestSearch<'a>,
        id: CommitId,
        records: &[u8],
        pushed_tag: Option<&GitString>,
    ) -> Result<Option<Self>, Error> {
        let lines = Repo::records_in(id, records);
        let records = lines.iter().filter_map(|line| match line {
            Line::Record(record) => Some(&**record),
            Line::Foreign(_) => None,
        });
        let Some(past) = PastJobs::of(records) else { return Ok(None) };
        let commit = search.repo.commit_for(id, None)?;
        let Ok(loaded) = LoadedPipeline::load(search.shared, search.repo, &commit) else {
            return Ok(None);
        };
        let missing_steps = past.missing_steps(&loaded.pipeline);
        let pushed_tag = pushed_tag.cloned();
        let candidate = Self { search, id, past, loaded, missing_steps, pushed_tag };
        Ok((!candidate.missing_steps.is_empty()).then_some(candidate))
    }

    /// Returns true if the ref is the branch of the last job, so that only the pushed tag adds
    /// something.
    fn adds_only_the_tag(&self, name: &GitString) -> bool {
        let branch = TestedRef::of_ref(name).filter(|it| it.tag().is_none());
        self.pushed_tag.is_some() && branch.is_some_and(|it| self.past.is_of(it.short()))
    }

    /// Returns the job that retests the commit for a ref, if it would run something new.
    fn job_for(&self, name: &GitString) -> Result<Option<Job>, Error> {
        let Some(tested_ref) = TestedRef::of_ref(name) else { return Ok(None) };
        let branch = self.past.branch_for(&tested_ref);
        let job = Job {
            tag: tested_ref.tag().or(self.pushed_tag.as_ref()).cloned(),
            retest_reason: Some(self.past.why_again(&tested_ref)),
            ..Job::new(self.search.repo.commit_for(self.id, branch)?, Trigger::Retest)
        };
        let runs = if self.loaded.pipeline.script.is_some() {
            self.past.may_differ_for(&tested_ref) && self.script_may_run(&job)?
        } else {
            self.conditions_are_met(&job)?
        };
        Ok(runs.then_some(job))
    }

    /// Returns true if branch, tag, message and secrets let one of the missing steps run.
    /// `changed` is left to the job, because a step without changes may count as passed.
    fn conditions_are_met(&self, job: &Job) -> Result<bool, Error> {
        let (shared, repo) = (self.search.shared, self.search.repo);
        let facts = JobSource::of_job("plan", job).facts(shared, repo, &job.commit);
        if whole_commit_unmet(&self.loaded.pipeline, &facts, false).is_some() {
            return Ok(false);
        }
        let secrets = shared.secret_policy(&job.commit, &facts.tags);
        for name in &self.missing_steps {
            let before = match name {
                StepName::Phase(Phase::Build) => Some(Hook::BeforeBuild),
                StepName::Phase(Phase::Test) => Some(Hook::BeforeTest),
                _ => None,
            };
            let Some(step) = self.loaded.pipeline.step(*name) else { continue };
            let before = before.and_then(|hook| self.loaded.pipeline.step(hook));
            // Assumes that everything has changed.
            let unmet = |step: &Step| unmet(&facts, &step.when, false, &|_| Ok(true));
            if left_out_of(step, before, &unmet, &|secret| secrets.check(secret))?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns true unless the script certainly leaves out all missing steps for this ref.
    fn script_may_run(&self, job: &Job) -> Result<bool, Error> {
        let (shared, repo) = (self.search.shared, self.search.repo);
        let env = shared.process_env();
        let dry = dry_run::job(EngineCall { shared, env: &env }, repo, job, &self.loaded, &[])?;
        Ok(may_run(&dry, &self.missing_steps))
    }
}

/// Returns the tags that commits without a verdict are tested for. A pushed tag comes before a
/// selected one.
pub(in crate::engine) fn tags_that_ask(
    repo: &Repo,
    pushes: &[Vec<RefUpdate>],
    selected: &[String],
    pending: &HashSet<CommitId>,
) -> Result<HashMap<CommitId, GitString>, Error> {
    if pending.is_empty() {
        return Ok(HashMap::new());
    }
    let selected = repo.ref_tips(selected)?.into_iter();
    let mut tags = newest_tags(selected.filter(|(_, commit)| pending.contains(commit)));
    tags.extend(pushed_tags(repo, pushes, &|id| pending.contains(id))?);
    Ok(tags)
}

/// Returns the pushed tags that still point to one of the included commits.
fn pushed_tags(
    repo: &Repo,
    pushes: &[Vec<RefUpdate>],
    is_included: &dyn Fn(&CommitId) -> bool,
) -> Result<HashMap<CommitId, GitString>, Error> {
    let mut pushed = Vec::new();
    for update in pushes.iter().flatten() {
        let commit = update.new.map(|new| repo.peel(new)).transpose()?.flatten();
        let Some(commit) = commit.filter(is_included) else { continue };
        if repo.ref_tip(&update.reference)? == Some(commit) {
            pushed.push((update.reference.clone(), commit));
        }
    }
    Ok(newest_tags(pushed))
}

/// Returns the tags of a commit.
fn tags_of(tags: &HashMap<CommitId, Vec<GitString>>, id: CommitId) -> &[GitString] {
    tags.get(&id).map(Vec::as_slice).unwrap_or_default()
}

/// Returns the tags among these refs, by commit. If a commit has several, the newest version is
/// kept.
fn newest_tags(
    refs: impl IntoIterator<Item = (GitString, CommitId)>,
) -> HashMap<CommitId, GitString> {
    let mut tags: HashMap<CommitId, GitString> = HashMap::new();
    for (name, commit) in refs {
        let Some(tag) = TestedRef::of_ref(&name).and_then(|it| it.tag().cloned()) else { continue };
        let newest = tags.entry(commit).or_insert_with(|| tag.clone());
        let pair = [newest.to_string(), tag.to_string()];
        if version_order::newest(pair.iter().map(String::as_str)) == Some(&pair[1]) {
            *newest = tag;
        }
    }
    tags
}
