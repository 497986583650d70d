//! Finds and restores refs of tinyci that others deleted or set back, from the file `refs`
//! (`ref_memory`).
//!
//! These refs only grow. A deleted ref gets its old value again. A ref that was set back or
//! replaced gets its lost commits merged into its current ones. Only a replaced history of
//! deployments is left to the user, because tinyci cannot know which of the two is true. Until a
//! run restores a ref, all readers see its old value.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use git2::{ObjectType, Oid};

use super::{
    atomic_ref::{self, AtomicRef, Edit},
    ref_memory::{RefMemory, Remembered, is_remembered},
};
use crate::repo::{
    history::walk::{self, AncestorSearch},
    objects::commit::stored,
    repository::{BASELINE, RECORDS, Repo, VERDICTS, git_error},
};
use crate::{
    model::{error::Error, stored_names::families},
    util::suggestion::hinted,
};

/// The interval at which tinyci renews the objects of remembered refs, in seconds. By default, git
/// removes objects that no ref has needed for two weeks.
const RENEW_INTERVAL: i64 = 24 * 60 * 60;

/// The hint for users who want to keep the loss.
const FORGET_HINT: &str = "`tinyci results --forget-all` makes the loss final";

/// The hint for a ref that is moved back to an earlier state.
const DAMAGE_HINT: &str = "`git fsck` shows what is missing; the newest values of the ref are lost, \
                           and commits without a verdict are tested again";

/// The refs that lost commits, grouped by whether these can be restored.
#[derive(Debug, Default)]
struct Losses {
    /// The refs that were deleted or set back, and their lost commits.
    lost: Vec<(String, Oid)>,
    /// The refs whose lost commits cannot be merged with the current ones. Both are complete.
    replaced: Vec<(String, Oid)>,
    /// The refs whose lost objects are missing too.
    unrecoverable: Vec<String>,
}

/// The commits that refs name, by ref name; `None` for another or a broken object.
pub(in crate::repo) type Named = BTreeMap<String, Option<Oid>>;

impl Repo {
    /// Returns the commit to which a deleted ref will be restored.
    ///
    /// Returns `None` if the ref is not remembered or one of its objects is missing.
    pub(in crate::repo) fn remembered_tip(&self, name: &str) -> Option<Oid> {
        if !is_remembered(name) {
            return None;
        }
        let tip = RefMemory::read(self.common_dir()).refs.get(name)?.tip;
        self.is_complete(name, tip).then_some(tip)
    }

    /// Returns the refs of tinyci below a prefix, including deleted ones that a run will restore.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the refs cannot be listed.
    pub(in crate::repo) fn own_refs_below(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = self.named_below(prefix)?.into_keys().collect();
        for name in RefMemory::read(self.common_dir()).refs.into_keys() {
            if name.starts_with(prefix)
                && !names.contains(&name)
                && self.remembered_tip(&name).is_some()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Restores the refs of tinyci that were deleted or set back. Returns a sentence for the user
    /// about each result.
    ///
    /// Also removes the lock file of a killed writer.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if refs cannot be read or moved.
    pub(crate) fn restore_refs(&self) -> Result<Vec<String>, Error> {
        let mut messages = self.repair_refs()?;
        self.update_memory()?;
        let losses = self.losses(&RefMemory::read(self.common_dir()), &self.named()?);
        for (name, tip) in &losses.lost {
            self.restore_commits(name, *tip)?;
        }
        let restored = self.remove_restored(&losses)?;
        if !restored.is_empty() {
            let message = format!(
                "restored {}, which {} missing or set back",
                listed(&restored),
                were(&restored)
            );
            messages.push(hinted(&message, FORGET_HINT));
        }
        messages.extend(losses.irreparable());
        Ok(messages)
    }

    /// Returns a sentence about everything that the next [`restore_refs`](Repo::restore_refs) will
    /// restore or cannot restore.
    ///
    /// # Errors
    ///
    /// As [`restore_refs`](Repo::restore_refs).
    pub(crate) fn lost_refs(&self) -> Result<Vec<String>, Error> {
        let named = self.named()?;
        let mut memory = RefMemory::read(self.common_dir());
        self.learn(&mut memory, &named);
        let losses = self.losses(&memory, &named);
        let mut messages = Vec::new();
        let mut names: Vec<String> = losses.lost.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        if !names.is_empty() {
            let message = format!(
                "{} {} missing or set back; the next run restores {}",
                listed(&names),
                are(&names),
                if names.len() == 1 { "it" } else { "them" }
            );
            messages.push(hinted(&message, FORGET_HINT));
        }
        messages.extend(losses.irreparable());
        Ok(messages)
    }

    /// Returns a sentence about each ref that is damaged and that the next run repairs.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if no state of such a ref can be read.
    pub(crate) fn damaged_refs(&self) -> Result<Vec<String>, Error> {
        let message = |(name, id)| {
            let state = self.state_of(id);
            hinted(
                &format!("`{name}` is damaged; the next run repairs it with {state}"),
                DAMAGE_HINT,
            )
        };
        Ok(self.damaged()?.into_iter().map(message).collect())
    }

    /// Moves each damaged ref to its newest readable state. Returns a sentence about each.
    fn repair_refs(&self) -> Result<Vec<String>, Error> {
        self.repair_verdict_blobs()?;
        let mut messages = Vec::new();
        for (name, id) in self.damaged()? {
            AtomicRef::new(self, name.clone())
                .update("tinyci: repaired", |_| Ok(Edit::Keep(())))?;
            let state = self.state_of(id);
            messages.push(hinted(
                &format!("repaired `{name}`, which was damaged, with {state}"),
                DAMAGE_HINT,
            ));
        }
        Ok(messages)
    }

    /// Returns the damaged refs of tinyci, each with its newest readable state.
    fn damaged(&self) -> Result<Vec<(String, Oid)>, Error> {
        let memory = RefMemory::read(self.common_dir());
        let fixed = [VERDICTS, RECORDS, BASELINE].map(str::to_owned);
        let names: BTreeSet<String> = fixed.into_iter().chain(memory.refs.into_keys()).collect();
        let mut damaged = Vec::new();
        for name in names {
            let unreadable = |source| git_error(format!("cannot read `{name}`"), source);
            let value = self.ref_value(&name).map_err(unreadable)?;
            if let Some(id) = self.readable_in_place_of(&name, value)? {
                damaged.push((name, id));
            }
        }
        Ok(damaged)
    }

    fn is_damaged(&self, name: &str) -> bool {
        let value = self.ref_value(name);
        value.is_ok_and(|value| !matches!(self.readable_in_place_of(name, value), Ok(None)))
    }

    /// Describes a state of a ref for messages.
    fn state_of(&self, id: Oid) -> String {
        let id = id.to_string();
        format!("its newest readable state, `{}`", id.get(..7).unwrap_or(&id))
    }

    /// Returns true if `tip` is `known` or a descendant of it.
    pub(in crate::repo) fn contains(&self, tip: Oid, known: Oid) -> bool {
        AncestorSearch::new(&self.git, &[tip])
            .and_then(|mut below| below.contains(known))
            .unwrap_or(false)
    }

    /// Updates the memory from the current refs, and protects its objects from `git gc` for a
    /// while.
    fn update_memory(&self) -> Result<(), Error> {
        let _owner = self.acquire_ref_lock()?;
        let before = RefMemory::read(self.common_dir());
        let mut memory = before.clone();
        self.learn(&mut memory, &self.named()?);
        if !(0..RENEW_INTERVAL).contains(&(atomic_ref::now() - memory.kept)) {
            memory.kept = atomic_ref::now();
            let known = memory.refs.values();
            known
                .flat_map(|it| it.lost.iter().chain([&it.tip]))
                .for_each(|tip| self.renew_object(*tip));
        }
        if memory != before {
            // If the memory cannot be written, the old one remains, which is harmless.
            let _ = self.write_memory(&memory)?;
        }
        Ok(())
    }

    /// Writes an existing object again, which renews its age: `git gc` keeps the objects that a
    /// recent object needs.
    pub(in crate::repo) fn renew_object(&self, id: Oid) {
        let written = self.git.odb().and_then(|odb| {
            let object = odb.read(id)?;
            odb.write(object.kind(), object.data())
        });
        drop(written);
    }

    /// Remembers refs that are new or only grew since the last update. Anyone can push a new ref,
    /// so its contents must match its name.
    pub(in crate::repo) fn learn(&self, memory: &mut RefMemory, named: &Named) {
        for (name, tip) in named {
            let Some(tip) = *tip else { continue };
            match memory.refs.get_mut(name) {
                Some(known) if self.contains(tip, known.tip) => known.moved_to(tip),
                Some(_) => {}
                None if is_joinable(name) || self.is_deploy_history(name, tip) => {
                    memory.refs.insert(name.clone(), Remembered::new(tip));
                }
                None => {}
            }
        }
    }

    /// Returns the lost commits of the refs below a prefix, by name. The commit is `None` if git
    /// has removed some of its objects.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if refs cannot be listed.
    pub(in crate::repo) fn lost_below(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, Option<Oid>)>, Error> {
        let named = self.named()?;
        let mut memory = RefMemory::read(self.common_dir());
        self.learn(&mut memory, &named);
        let Losses { lost, replaced, unrecoverable } = self.losses(&memory, &named);
        let known = lost.into_iter().chain(replaced).map(|(name, tip)| (name, Some(tip)));
        let all = known.chain(unrecoverable.into_iter().map(|name| (name, None)));
        Ok(all.filter(|(name, _)| name.starts_with(prefix)).collect())
    }

    /// Returns the names of the refs that lost commits, whether or not these can be restored.
    pub(in crate::repo) fn refs_with_losses(
        &self,
        memory: &RefMemory,
        named: &Named,
    ) -> Vec<String> {
        let Losses { lost, replaced, mut unrecoverable } = self.losses(memory, named);
        unrecoverable.extend(lost.into_iter().chain(replaced).map(|(name, _)| name));
        unrecoverable.sort();
        unrecoverable.dedup();
        unrecoverable
    }

    fn losses(&self, memory: &RefMemory, named: &Named) -> Losses {
        let mut losses = Losses::default();
        for (name, known) in memory.refs.iter().filter(|(name, _)| !self.is_damaged(name)) {
            let now = named.get(name).copied();
            let has = |id: &Oid| now.flatten().is_some_and(|now| self.contains(now, *id));
            for lost in known.lost.iter().chain([&known.tip]).copied().filter(|id| !has(id)) {
                let can_be_joined = match now {
                    None => true,
                    Some(None) => false,
                    Some(Some(now)) => is_joinable(name) || self.contains(lost, now),
                };
                match self.is_complete(name, lost) {
                    false if !losses.unrecoverable.contains(name) => {
                        losses.unrecoverable.push(name.clone())
                    }
                    false => {}
                    true if can_be_joined => losses.lost.push((name.clone(), lost)),
                    true => losses.replaced.push((name.clone(), lost)),
                }
            }
        }
        losses
    }

    /// Restores the lost commits of a ref.
    fn restore_commits(&self, name: &str, lost: Oid) -> Result<(), Error> {
        // If the ref was deleted, this restores it, and nothing else is left to do.
        let reference = AtomicRef::new(self, name.to_owned());
        reference.update("tinyci: restored", |tip| match tip {
            Some(now) if now != lost && self.contains(lost, now) => Ok(Edit::Replace(lost, ())),
            _ => Ok(Edit::Keep(())),
        })?;
        match name {
            VERDICTS | RECORDS => self.merge_lost_notes(name, lost),
            BASELINE => self.merge_lost_baseline(lost),
            _ => Ok(()),
        }
    }

    /// Forgets the commits that were restored or cannot be. Returns the refs whose restoration is
    /// not yet reported.
    fn remove_restored(&self, losses: &Losses) -> Result<Vec<String>, Error> {
        let mut restored: Vec<String> = losses.lost.iter().map(|(name, _)| name.clone()).collect();
        let _owner = self.acquire_ref_lock()?;
        let before = RefMemory::read(self.common_dir());
        let mut memory = before.clone();
        let named = self.named()?;
        for (name, known) in &mut memory.refs {
            if std::mem::take(&mut known.is_restored) {
                restored.push(name.clone());
            }
            let Some(now) = named.get(name).copied().flatten() else { continue };
            let is_lost = |id: Oid| !self.contains(now, id) && self.is_complete(name, id);
            known.lost.retain(|id| is_lost(*id));
            if !is_lost(known.tip) {
                known.moved_to(now);
            }
        }
        if memory != before {
            let _ = self.write_memory(&memory)?;
        }
        restored.sort();
        restored.dedup();
        Ok(restored)
    }

    /// Returns the current commits of the remembered refs.
    pub(in crate::repo) fn named(&self) -> Result<Named, Error> {
        let mut named = self.named_below(families::TINYCI)?;
        named.extend(self.named_below(families::NOTES)?);
        Ok(named)
    }

    fn named_below(&self, prefix: &str) -> Result<Named, Error> {
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let mut named = Named::new();
        for reference in self.git.references_glob(&format!("{prefix}*")).map_err(unlisted)? {
            let reference = reference.map_err(unlisted)?;
            let Some(name) = reference.name().ok().filter(|name| is_remembered(name)) else {
                continue;
            };
            let tip = reference.target().filter(|tip| stored(&self.git, *tip).is_ok());
            named.insert(name.to_owned(), tip);
        }
        Ok(named)
    }

    /// Returns true if all objects exist that a ref with this tip needs. The objects of branches
    /// and tags are assumed to exist.
    fn is_complete(&self, name: &str, tip: Oid) -> bool {
        if let Some(known) = self.complete_tips.borrow().get(&tip) {
            return *known;
        }
        let needs_history = ![VERDICTS, RECORDS].contains(&name);
        let hidden = match needs_history {
            true => self.selected(&["refs/heads/*".to_owned(), "refs/tags/*".to_owned()]),
            false => Ok(BTreeMap::new()),
        };
        let hidden: Vec<Oid> = hidden.map(BTreeMap::into_values).into_iter().flatten().collect();
        let nodes = walk::between(&self.git, &[tip], &hidden);
        let trees = nodes.map(|nodes| nodes.into_iter().map(|node| node.tree).collect());
        let is_complete = trees.is_ok_and(|trees| self.has_trees(trees));
        self.complete_tips.borrow_mut().insert(tip, is_complete);
        is_complete
    }

    fn has_trees(&self, mut left: Vec<Oid>) -> bool {
        let Ok(odb) = self.git.odb() else { return false };
        let mut visited: HashSet<Oid> = HashSet::new();
        while let Some(id) = left.pop() {
            if !visited.insert(id) {
                continue;
            }
            let Ok(tree) = self.git.find_tree(id) else { return false };
            for entry in &tree {
                match entry.kind() {
                    Some(ObjectType::Tree) => left.push(entry.id()),
                    Some(ObjectType::Commit) => {}
                    _ if visited.insert(entry.id()) && !odb.exists(entry.id()) => return false,
                    _ => {}
                }
            }
        }
        true
    }
}

impl Losses {
    fn irreparable(&self) -> Vec<String> {
        let mut messages = Vec::new();
        if !self.unrecoverable.is_empty() {
            let message = format!(
                "cannot restore {}, which {} missing or set back: git has removed objects of {}",
                listed(&self.unrecoverable),
                are(&self.unrecoverable),
                if self.unrecoverable.len() == 1 { "it" } else { "them" },
            );
            messages.push(hinted(&message, FORGET_HINT));
        }
        for (name, lost) in &self.replaced {
            let message = format!(
                "`{name}` was replaced and no longer contains `{lost}`, which tinyci had written"
            );
            let hint =
                format!("`git update-ref --no-deref {name} {lost}` restores it; {FORGET_HINT}");
            messages.push(hinted(&message, &hint));
        }
        messages
    }
}

/// Returns true if two versions of this ref can be merged.
fn is_joinable(name: &str) -> bool {
    [VERDICTS, RECORDS, BASELINE].contains(&name)
}

/// Joins names for a sentence: up to three, and the number of the others.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] if quoted.len() <= SHOWN => format!("{} and {last}", some.join(", ")),
        _ => format!("{} and {} more refs", quoted[..SHOWN].join(", "), quoted.len() - SHOWN),
    }
}

fn are(names: &[String]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
}

fn were(names: &[String]) -> &'static str {
    if names.len() == 1 { "was" } else { "were" }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::Path,
        time::{Duration, SystemTime},
    };

    use super::*;
    use crate::{
        model::{commit::CommitId, deployment::Deployment, identity::Identity, outcome::Verdict},
        testing::TestRepo,
    };

    const DEPLOYS: &str = "refs/tinyci/deployments/production";

    fn open(test: &TestRepo) -> Repo {
        Repo::open(test.path()).unwrap()
    }

    fn id(digit: &str) -> CommitId {
        digit.repeat(40).parse().unwrap()
    }

    /// Makes a repository with two verdicts, a baseline and a deployment.
    fn repository() -> TestRepo {
        let test = TestRepo::new();
        let commit = test.commit("one");
        let repo = open(&test);
        repo.write_verdict(
            id("1"),
            Verdict::Success,
            crate::repo::notes::verdicts::Replace::Nothing,
        )
        .unwrap();
        repo.write_verdict(
            id("2"),
            Verdict::Failure,
            crate::repo::notes::verdicts::Replace::Nothing,
        )
        .unwrap();
        repo.extend_baseline(&[commit.parse().unwrap()]).unwrap();
        let line = format!(
            r#"{{"commit":"{commit}","environment":"production","outcome":"failure","started":"2026-11-24T19:49:58.000Z","deployed_by":"Ada <a@b>","id":"1"}}"#
        );
        let entry = Deployment::from_json(&line).unwrap();
        let author = Identity { name: "Ada".into(), address: "ada@example.org".into() };
        repo.record_deployment("production", &author, |_| Ok(Some(entry.clone()))).unwrap();
        assert_eq!(repo.restore_refs().unwrap(), [""; 0]);
        test
    }

    /// Makes a commit as another user would.
    fn entry(test: &TestRepo, message: &str, before: Option<&str>) -> String {
        let parents = before.into_iter().flat_map(|parent| ["-p", parent]);
        let args = ["commit-tree", "-m", message, "HEAD^{tree}"].into_iter().chain(parents);
        test.git(&args.collect::<Vec<_>>())
    }

    fn refs(test: &TestRepo) -> String {
        test.git(&[
            "for-each-ref",
            "--format=%(refname) %(objectname)",
            "refs/notes",
            "refs/tinyci",
        ])
    }

    fn word(test: &TestRepo, digit: &str) -> String {
        open(test)
            .verdict(id(digit))
            .unwrap()
            .map(|note| note.verdict.unwrap().to_string())
            .unwrap()
    }

    #[test]
    fn whatever_deleted_it_a_ref_names_again_what_it_named() {
        let test = repository();
        let before = refs(&test);
        let git_dir = test.path().join(".git");
        for name in [VERDICTS, BASELINE, DEPLOYS] {
            for packed in [false, true] {
                if packed {
                    test.git(&["pack-refs", "--all"]);
                    test.git(&["update-ref", "-d", name]);
                } else {
                    // A deleted ref that is read afterwards is a loose ref.
                    let tip = test.git(&["rev-parse", name]);
                    test.git(&["update-ref", "-d", name]);
                    test.git(&["update-ref", name, &tip]);
                    fs::remove_file(git_dir.join(name)).unwrap();
                }
                assert_ne!(refs(&test), before);
                let next = open(&test).lost_refs().unwrap();
                assert!(next[0].contains(&format!("`{name}` is missing")), "{next:?}");
                assert_ne!(refs(&test), before, "to ask changes nothing");
                let messages = open(&test).restore_refs().unwrap();
                assert_eq!((messages.len(), refs(&test)), (1, before.clone()), "{messages:?}");
                assert!(messages[0].contains("`tinyci results --forget-all`"), "{messages:?}");
                assert_eq!(open(&test).restore_refs().unwrap(), [""; 0], "it is told once");
                assert_eq!(open(&test).lost_refs().unwrap(), [""; 0]);
            }
        }
    }

    #[test]
    fn a_ref_that_is_gone_reads_as_it_was_and_is_not_begun_anew() {
        let test = repository();
        for name in [VERDICTS, DEPLOYS] {
            test.git(&["update-ref", "-d", name]);
        }
        let repo = open(&test);
        assert_eq!(word(&test, "2"), "failure");
        assert_eq!(repo.deploy_environments().unwrap(), ["production"]);
        repo.write_verdict(
            id("3"),
            Verdict::Success,
            crate::repo::notes::verdicts::Replace::Nothing,
        )
        .unwrap();
        assert_eq!(test.git(&["notes", "--ref", VERDICTS, "list"]).lines().count(), 3);
        let messages = repo.restore_refs().unwrap();
        let both = format!("restored `{VERDICTS}` and `{DEPLOYS}`, which were missing");
        assert!(messages[0].starts_with(&both), "{messages:?}");
    }

    #[test]
    fn what_was_set_back_or_replaced_is_joined_again() {
        let test = repository();
        let tip = test.git(&["rev-parse", VERDICTS]);
        test.git(&["update-ref", VERDICTS, &format!("{tip}^")]);
        assert_eq!(open(&test).restore_refs().unwrap().len(), 1);
        assert_eq!(test.git(&["rev-parse", VERDICTS]), tip, "as if nothing had been");

        // A notes commit of another repository, pushed or fetched by force.
        test.git(&["update-ref", "-d", "refs/notes/theirs"]);
        let head = test.git(&["rev-parse", "HEAD"]);
        test.git(&["notes", "--ref", "refs/notes/theirs", "add", "-m", "skipped", &head]);
        test.git(&["update-ref", VERDICTS, "refs/notes/theirs"]);
        let messages = open(&test).restore_refs().unwrap();
        assert!(messages.len() == 1 && messages[0].contains("set back"), "{messages:?}");
        assert_eq!(["1", "2"].map(|digit| word(&test, digit)), ["success", "failure"]);
        assert_eq!(test.verdict(&head).unwrap(), "skipped");
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);

        let other = test.commit("two");
        let baseline = entry(&test, "baseline", Some(&other));
        test.git(&["update-ref", BASELINE, &baseline]);
        assert_eq!(open(&test).restore_refs().unwrap().len(), 1);
        assert!(test.git(&["log", "--format=%H", BASELINE]).contains(&head));
        test.git(&["fsck", "--strict"]);
    }

    #[test]
    fn what_others_add_or_take_away_by_a_commit_of_its_own_stays() {
        let test = repository();
        open(&test).remove_verdict(id("1")).unwrap();
        let head = test.git(&["rev-parse", "HEAD"]);
        test.git(&["notes", "--ref", VERDICTS, "add", "-m", "skipped", &head]);
        test.git(&["notes", "--ref", VERDICTS, "remove", &head]);
        let before = refs(&test);
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);
        assert_eq!((refs(&test), open(&test).verdict(id("1")).unwrap()), (before.clone(), None));
        // From then on, the other commits are remembered too.
        test.git(&["update-ref", "-d", VERDICTS]);
        assert_eq!(open(&test).restore_refs().unwrap().len(), 1);
        assert_eq!(refs(&test), before);
    }

    #[test]
    fn a_history_of_deployments_that_was_replaced_is_left_to_people() {
        let test = repository();
        let ours = test.git(&["rev-parse", DEPLOYS]);
        let theirs = entry(&test, "another", None);
        test.git(&["update-ref", DEPLOYS, &theirs]);
        for _ in 0..2 {
            let remedy = format!("`git update-ref --no-deref {DEPLOYS} {ours}` restores it");
            let messages = open(&test).restore_refs().unwrap();
            assert!(messages.len() == 1 && messages[0].contains(&remedy), "{messages:?}");
            assert_eq!(open(&test).lost_refs().unwrap(), messages);
            assert_eq!(test.git(&["rev-parse", DEPLOYS]), theirs);
        }
        test.git(&["update-ref", DEPLOYS, &ours]);
        let messages = open(&test).restore_refs().unwrap();
        assert_eq!(messages, [""; 0]);
        // Restoring the commit and forgetting the results both end the loss.
        test.git(&["update-ref", DEPLOYS, &theirs]);
        open(&test).forget_results().unwrap();
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);
        assert_eq!(test.git(&["rev-parse", DEPLOYS]), theirs);
    }

    #[test]
    fn what_was_there_before_is_learned_and_what_anybody_pushes_is_not() {
        let test = repository();
        let before = refs(&test);
        // The same as in a repository that was copied without its state.
        fs::remove_file(test.path().join(".git/tinyci/refs")).unwrap();
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);
        let pushed =
            ["refs/tinyci/deployments/staging", "refs/tinyci/deployments/a/b", "refs/tinyci/x"];
        pushed.iter().for_each(|name| drop(test.git(&["update-ref", name, "HEAD"])));
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);
        pushed.iter().for_each(|name| drop(test.git(&["update-ref", "-d", name])));
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);
        test.git(&["update-ref", "-d", DEPLOYS]);
        assert_eq!(open(&test).restore_refs().unwrap().len(), 1);
        assert_eq!(refs(&test), before);
    }

    #[test]
    fn only_forgetting_all_is_final() {
        let test = repository();
        test.git(&["update-ref", "-d", DEPLOYS]);
        let forgotten = open(&test).forget_results().unwrap();
        assert_eq!(
            (forgotten.removed, forgotten.given_up),
            (vec![VERDICTS.into()], vec![DEPLOYS.into()])
        );
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);
        let left = refs(&test);
        assert!(left.lines().count() == 1 && left.starts_with(BASELINE), "{left}");
        assert!(open(&test).deploy_environments().unwrap().is_empty());
    }

    #[test]
    fn what_git_has_removed_is_told_until_there_is_something_new() {
        let test = repository();
        test.git(&["update-ref", "-d", VERDICTS]);
        test.git(&["gc", "-q", "--prune=now"]);
        let before = refs(&test);
        for _ in 0..2 {
            let messages = open(&test).restore_refs().unwrap();
            assert!(messages.len() == 1 && messages[0].contains("cannot restore"), "{messages:?}");
            assert_eq!(open(&test).lost_refs().unwrap(), messages);
            assert_eq!(refs(&test), before);
            assert_eq!(open(&test).verdict(id("1")).unwrap(), None);
        }
        open(&test)
            .write_verdict(
                id("3"),
                Verdict::Success,
                crate::repo::notes::verdicts::Replace::Nothing,
            )
            .unwrap();
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);
        assert_eq!(word(&test, "3"), "success");
    }

    /// If the tip exists but another object is missing, the ref is not restored: git would report a
    /// broken repository.
    #[test]
    fn what_lacks_a_single_object_is_not_restored() {
        let test = repository();
        let blob = test.git(&["rev-parse", &format!("{VERDICTS}^:{}", id("1"))]);
        let (folder, file) = blob.split_at(2);
        fs::remove_file(test.path().join(".git/objects").join(folder).join(file)).unwrap();
        test.git(&["update-ref", "-d", VERDICTS]);
        let messages = open(&test).restore_refs().unwrap();
        assert!(messages[0].contains("cannot restore"), "{messages:?}");
        assert!(!refs(&test).contains(VERDICTS));
    }

    /// Makes all loose objects a year old.
    fn age(dir: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => age(&path),
                false => {
                    let file = fs::File::open(&path).unwrap();
                    let year = Duration::from_secs(365 * 24 * 60 * 60);
                    file.set_modified(SystemTime::now() - year).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_gc_after_the_deletion_removes_nothing_that_a_look_has_kept() {
        for kept in [true, false] {
            let test = repository();
            let repo = open(&test);
            age(&test.path().join(".git/objects"));
            let mut memory = RefMemory::read(repo.common_dir());
            memory.kept = if kept { 0 } else { memory.kept };
            repo.write_memory(&memory).unwrap().unwrap();
            repo.restore_refs().unwrap();
            test.git(&["update-ref", "-d", VERDICTS]);
            test.git(&["gc", "-q"]);
            let messages = open(&test).restore_refs().unwrap();
            assert_eq!(messages[0].contains("cannot restore"), !kept, "{messages:?}");
        }
    }
}
