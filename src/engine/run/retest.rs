//! The second look: which commits whose verdict is `skipped` are tested again, and which commits
//! without a verdict a pushed tag asks for.
//!
//! What is decided here rests on the rules of [`crate::rules::retest`]. What would certainly run nothing
//! new is decided once: see `looked-at`.

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

/// A look at refs that may ask for a job though a scan has nothing for them.
pub(in crate::engine) struct SecondLook<'a> {
    pub(in crate::engine) shared: &'a Shared,
    pub(in crate::engine) repo: &'a Repo,
    /// What was pushed and not looked at before, push by push.
    pub(in crate::engine) pushes: &'a [Vec<RefUpdate>],
    /// How many such jobs one push may start; any number if it says nothing.
    pub(in crate::engine) limit: Option<usize>,
}

/// A job that a ref asks for.
struct Asked {
    job: Job,
    /// The ref's full name.
    name: GitString,
    /// What is remembered if it is left alone; a commit without a verdict needs nothing.
    decision: Option<String>,
}

/// What a second look found.
#[derive(Default)]
pub(in crate::engine) struct Found {
    /// The jobs, each with the full name of the ref that asks for it.
    pub(in crate::engine) jobs: Vec<(Job, GitString)>,
    /// The refs of pushes that ask for too many.
    pub(in crate::engine) left: Vec<GitString>,
}

impl SecondLook<'_> {
    /// Looks at the selected refs and at the tags that were pushed. `due` are the commits that are
    /// due anyway.
    pub(in crate::engine) fn at_refs(&self, due: &HashSet<CommitId>) -> Result<Found, Error> {
        let mut refs = self.repo.ref_tips(&self.shared.settings.refs)?;
        let tags = self.pushed_tags(&refs)?;
        let workspace = self.shared.workspace();
        let before = workspace.looked_at();
        let state_key = self.state_key(&refs)?;
        if before.state_key == state_key && tags.is_empty() {
            return Ok(Found::default());
        }
        let settled = self.repo.verdicts_of(refs.iter().chain(&tags).map(|(_, tip)| *tip))?;
        let mut asked: Vec<Asked> = Vec::new();
        for (name, tip) in &tags {
            let asks =
                !settled.contains_key(tip) && !due.contains(tip) && self.repo.has_config(*tip)?;
            if asks && !asked.iter().any(|it| it.job.commit.id == *tip) {
                let (job, name) = (self.of_tag(*tip, name)?, name.clone());
                asked.push(Asked { job, name, decision: None });
            }
        }
        refs.extend(tags);
        let is_skipped = |tip: &CommitId| {
            settled.get(tip).is_some_and(|it| it.verdict == Some(Verdict::Skipped))
        };
        let mut skipped: BTreeMap<CommitId, Vec<GitString>> = BTreeMap::new();
        for (name, tip) in refs.into_iter().filter(|(_, tip)| is_skipped(tip)) {
            skipped.entry(tip).or_default().push(name);
        }
        let mut after = LookedAt::default();
        asked.extend(self.again(skipped, &before, &mut after)?);
        let found = self.limited(self.oldest_first(asked)?, &mut after)?;
        after.state_key = if found.jobs.is_empty() { state_key } else { String::new() };
        if after != before && self.repo.may_cache() {
            workspace.keep_looked_at(&after);
        }
        Ok(found)
    }

    /// Looks at one commit whose verdict is `skipped`, for the refs that name it and for the one
    /// that a person named.
    pub(in crate::engine) fn at_commit(
        &self,
        id: CommitId,
        named: Option<&GitString>,
    ) -> Result<Option<Job>, Error> {
        let selected = self.repo.ref_tips(&self.shared.settings.refs)?.into_iter();
        let refs = named.cloned().into_iter();
        let refs = refs.chain(selected.filter(|(_, tip)| *tip == id).map(|(name, _)| name));
        let skipped = BTreeMap::from([(id, refs.collect())]);
        let mut asked = self.again(skipped, &LookedAt::default(), &mut LookedAt::default())?;
        Ok(asked.pop().map(|asked| asked.job))
    }

    /// The tags that were pushed and are still there, but for those that are selected anyway.
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

    /// What the answer "nothing" rests on: the refs, the results and the settings.
    fn state_key(&self, refs: &[(GitString, CommitId)]) -> Result<String, Error> {
        let mut hasher = DefaultHasher::new();
        refs.hash(&mut hasher);
        Ok(format!("{} {:016x} {}", self.repo.results_key()?, hasher.finish(), self.settings_key()))
    }

    /// Stands for a commit with its records, its tags and all else that decides over its refs.
    fn decision_key(&self, id: CommitId, records: &[u8], tags: &[GitString]) -> String {
        let mut hasher = DefaultHasher::new();
        (records, tags).hash(&mut hasher);
        format!("{id} {:016x} {}", hasher.finish(), self.settings_key())
    }

    /// Stands for what decides beside the commit: who may have secrets, and this release.
    fn settings_key(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.shared.settings.secret_refs.hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    fn of_tag(&self, tip: CommitId, name: &GitString) -> Result<Job, Error> {
        let tag = TestedRef::of_ref(name).and_then(|it| it.tag().cloned());
        Ok(Job { tag, ..Job::new(self.repo.commit(tip)?, Trigger::Tag) })
    }

    /// The jobs of commits that were skipped, for the first of the refs that would run something
    /// new.
    fn again(
        &self,
        skipped: BTreeMap<CommitId, Vec<GitString>>,
        before: &LookedAt,
        after: &mut LookedAt,
    ) -> Result<Vec<Asked>, Error> {
        let records = self.repo.record_texts(skipped.keys().copied())?;
        let tags = self.tags_by_commit()?;
        let pushed = pushed_tags(self.repo, self.pushes, &|id| skipped.contains_key(id))?;
        let mut asked = Vec::new();
        for (id, refs) in skipped {
            let text = records.get(&id).map(Vec::as_slice).unwrap_or_default();
            let key = self.decision_key(id, text, of_commit(&tags, id));
            let mut candidate = None;
            for name in refs {
                let decision = format!("{key} {name}");
                if !before.decisions.contains(&decision) {
                    if candidate.is_none() {
                        candidate = Candidate::of(self, id, text, pushed.get(&id))?;
                    }
                    if candidate.as_ref().is_some_and(|it| it.leaves_it_to_the_tag(&name)) {
                        continue;
                    }
                    if let Some(job) =
                        candidate.as_ref().and_then(|it| it.job_for(&name).transpose())
                    {
                        asked.push(Asked { job: job?, name, decision: Some(decision) });
                        break;
                    }
                }
                after.decisions.insert(decision);
            }
        }
        Ok(asked)
    }

    /// An ancestor comes first: `changed` compares with the nearest green one.
    fn oldest_first(&self, mut asked: Vec<Asked>) -> Result<Vec<Asked>, Error> {
        let ids: Vec<CommitId> = asked.iter().map(|it| it.job.commit.id).collect();
        let order = self.repo.by_topology(&ids)?.into_iter().zip(0..);
        let order: HashMap<CommitId, usize> = order.collect();
        asked.sort_by_key(|it| order.get(&it.job.commit.id).copied());
        Ok(asked)
    }

    /// Of a push that asks for too many jobs those for HEAD's branch and for the newest tag. The
    /// others are decided against, until somebody names them.
    fn limited(&self, mut asked: Vec<Asked>, after: &mut LookedAt) -> Result<Found, Error> {
        let mut left = Vec::new();
        for push in self.pushes {
            let names: HashSet<&GitString> = push.iter().map(|update| &update.reference).collect();
            let of_push = || asked.iter().filter(|it| names.contains(&it.name));
            if self.limit.is_none_or(|limit| of_push().count() <= limit) {
                continue;
            }
            let head = self.repo.ref_tips(&["refs/heads/*".to_owned()])?.into_iter().next();
            let head = head.map(|(name, _)| name);
            let tagged = of_push().filter(|it| it.job.tag.is_some()).map(|it| it.job.commit.id);
            let newest = self.repo.by_topology(&tagged.collect::<Vec<_>>())?.pop();
            let stays = |it: &Asked| {
                let is_newest = it.job.tag.is_some() && Some(it.job.commit.id) == newest;
                !names.contains(&it.name) || Some(&it.name) == head.as_ref() || is_newest
            };
            let (stay, goes): (Vec<_>, Vec<_>) = asked.into_iter().partition(stays);
            left.extend(goes);
            asked = stay;
        }
        // A skipped commit that is left alone is not looked at again for the same ref.
        after.decisions.extend(left.iter_mut().filter_map(|it: &mut Asked| it.decision.take()));
        let jobs = asked.into_iter().map(|it| (it.job, it.name)).collect();
        Ok(Found { jobs, left: left.into_iter().map(|it| it.name).collect() })
    }

    /// All tags, by the commit that they name: a branch may ask for a job once its tip has one.
    fn tags_by_commit(&self) -> Result<HashMap<CommitId, Vec<GitString>>, Error> {
        let mut tags: HashMap<CommitId, Vec<GitString>> = HashMap::new();
        for (name, commit) in self.repo.ref_tips(&["refs/tags/*".to_owned()])? {
            tags.entry(commit).or_default().push(name);
        }
        Ok(tags)
    }
}

/// A commit that was skipped, with what it was and would be judged by.
struct Candidate<'a> {
    look: &'a SecondLook<'a>,
    id: CommitId,
    past: PastJobs,
    loaded: LoadedPipeline,
    lacking: Vec<StepName>,
    /// The tag that was pushed for it, whichever ref asks.
    pushed_tag: Option<GitString>,
}

impl<'a> Candidate<'a> {
    /// None if nothing can be tested again: no record allows it, or there is no config to do it by.
    fn of(
        look: &'a SecondLook<'a>,
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
        let commit = look.repo.commit_for(id, None)?;
        let Ok(loaded) = LoadedPipeline::load(look.shared, look.repo, &commit) else {
            return Ok(None);
        };
        let lacking = past.missing_steps(&loaded.pipeline);
        let pushed_tag = pushed_tag.cloned();
        let candidate = Self { look, id, past, loaded, lacking, pushed_tag };
        Ok((!candidate.lacking.is_empty()).then_some(candidate))
    }

    /// Whether a ref is the branch of the last job, to which only the tag has something to add that
    /// was pushed.
    fn leaves_it_to_the_tag(&self, name: &GitString) -> bool {
        let branch = TestedRef::of_ref(name).filter(|it| it.tag().is_none());
        self.pushed_tag.is_some() && branch.is_some_and(|it| self.past.is_of(it.short()))
    }

    /// The job that tests it again for a ref, if that would run something new.
    fn job_for(&self, name: &GitString) -> Result<Option<Job>, Error> {
        let Some(tested_ref) = TestedRef::of_ref(name) else { return Ok(None) };
        let branch = self.past.branch_for(&tested_ref);
        let job = Job {
            tag: tested_ref.tag().or(self.pushed_tag.as_ref()).cloned(),
            retest_reason: Some(self.past.why_again(&tested_ref)),
            ..Job::new(self.look.repo.commit_for(self.id, branch)?, Trigger::Retest)
        };
        let runs = if self.loaded.pipeline.script.is_some() {
            self.past.may_differ_for(&tested_ref) && self.script_may_run(&job)?
        } else {
            self.conditions_hold(&job)?
        };
        Ok(runs.then_some(job))
    }

    /// True if branch, tag, message and secrets let one of the lacking steps run. What `changed`
    /// says is found out by the job: it may count as passed.
    fn conditions_hold(&self, job: &Job) -> Result<bool, Error> {
        let (shared, repo) = (self.look.shared, self.look.repo);
        let facts = JobSource::of_job("plan", job).facts(shared, repo, &job.commit);
        if whole_commit_unmet(&self.loaded.pipeline, &facts, false).is_some() {
            return Ok(false);
        }
        let secrets = shared.secret_policy(&job.commit, &facts.tags);
        for name in &self.lacking {
            let before = match name {
                StepName::Phase(Phase::Build) => Some(Hook::BeforeBuild),
                StepName::Phase(Phase::Test) => Some(Hook::BeforeTest),
                _ => None,
            };
            let Some(step) = self.loaded.pipeline.step(*name) else { continue };
            let before = before.and_then(|hook| self.loaded.pipeline.step(hook));
            // As if everything had changed.
            let unmet = |step: &Step| unmet(&facts, &step.when, false, &|_| Ok(true));
            if left_out_of(step, before, &unmet, &|secret| secrets.check(secret))?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// True unless the script certainly leaves all lacking steps out for this ref.
    fn script_may_run(&self, job: &Job) -> Result<bool, Error> {
        let (shared, repo) = (self.look.shared, self.look.repo);
        let env = shared.process_env();
        let dry = dry_run::job(EngineCall { shared, env: &env }, repo, job, &self.loaded, &[])?;
        Ok(may_run(&dry, &self.lacking))
    }
}

/// The tags that commits without a verdict are tested for: those that were pushed, else those that are
/// selected, which nobody can have tested yet.
pub(in crate::engine) fn tags_that_ask(
    repo: &Repo,
    pushes: &[Vec<RefUpdate>],
    selected: &[String],
    due: &HashSet<CommitId>,
) -> Result<HashMap<CommitId, GitString>, Error> {
    if due.is_empty() {
        return Ok(HashMap::new());
    }
    let selected = repo.ref_tips(selected)?.into_iter();
    let mut tags = newest_tags(selected.filter(|(_, commit)| due.contains(commit)));
    tags.extend(pushed_tags(repo, pushes, &|id| due.contains(id))?);
    Ok(tags)
}

/// The tags that were pushed and still name one of some commits.
fn pushed_tags(
    repo: &Repo,
    pushes: &[Vec<RefUpdate>],
    is_wanted: &dyn Fn(&CommitId) -> bool,
) -> Result<HashMap<CommitId, GitString>, Error> {
    let mut pushed = Vec::new();
    for update in pushes.iter().flatten() {
        let commit = update.new.map(|new| repo.peel(new)).transpose()?.flatten();
        let Some(commit) = commit.filter(is_wanted) else { continue };
        if repo.ref_tip(&update.reference)? == Some(commit) {
            pushed.push((update.reference.clone(), commit));
        }
    }
    Ok(newest_tags(pushed))
}

/// What these tags have for a commit.
fn of_commit(tags: &HashMap<CommitId, Vec<GitString>>, id: CommitId) -> &[GitString] {
    tags.get(&id).map(Vec::as_slice).unwrap_or_default()
}

/// Of these refs the tags, by commit: of several on one commit the newest version.
fn newest_tags(
    refs: impl IntoIterator<Item = (GitString, CommitId)>,
) -> HashMap<CommitId, GitString> {
    let mut tags: HashMap<CommitId, GitString> = HashMap::new();
    for (name, commit) in refs {
        let Some(tag) = TestedRef::of_ref(&name).and_then(|it| it.tag().cloned()) else { continue };
        let known = tags.entry(commit).or_insert_with(|| tag.clone());
        let pair = [known.to_string(), tag.to_string()];
        if version_order::newest(pair.iter().map(String::as_str)) == Some(&pair[1]) {
            *known = tag;
        }
    }
    tags
}
