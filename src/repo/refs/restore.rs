//! Refs of tinyci's that others deleted or set back: found, and made again from what is remembered
//! of them (`ref_memory`).
//!
//! The rule is that such a ref only grows. One that is gone names again what it named; one that was
//! set back, or replaced, gets back what it lost, beside what it has now. Only a history of
//! deployments that was replaced by another one is left to people: which of two is true, no program
//! knows. Until a run makes a ref again, everything that reads it sees what it named.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use git2::{ObjectType, Oid};

use super::{
    atomic_ref::{self, AtomicRef, Edit},
    ref_memory::{RefMemory, Remembered, is_remembered},
};
use crate::repo::{
    history::walk,
    repository::{BASELINE, RECORDS, Repo, VERDICTS, git_error},
};
use crate::{model::error::Error, util::suggestion::hinted};

/// How often git is kept from removing what a deleted ref would need, in seconds. By default it
/// removes what no ref has needed for two weeks.
const KEPT_FOR: i64 = 24 * 60 * 60;

/// What makes a loss final.
const FOREVER: &str = "`tinyci results --forget-all` makes the loss final";

/// What follows from falling back to an earlier state.
const DAMAGE_HINT: &str = "`git fsck` shows what is missing; what the ref said last is lost, and \
                           commits without a verdict are tested again";

/// The refs that have lost something, and whether it can be brought back.
#[derive(Debug, Default)]
struct Losses {
    /// Refs that are gone or were set back, and what they named before.
    lost: Vec<(String, Oid)>,
    /// Refs whose former contents cannot be joined to what they name now, which is whole as well.
    replaced: Vec<(String, Oid)>,
    /// Refs whose objects are gone too.
    gone: Vec<String>,
}

/// What the refs name, by name; nothing where that is no commit.
pub(in crate::repo) type Named = BTreeMap<String, Option<Oid>>;

impl Repo {
    /// What an own ref that is gone is going to name again; nothing if it is not remembered, or
    /// if an object that it needs is gone as well.
    pub(in crate::repo) fn stand_in(&self, name: &str) -> Option<Oid> {
        if !is_remembered(name) {
            return None;
        }
        let tip = RefMemory::read(self.common_dir()).refs.get(name)?.tip;
        self.is_whole(name, tip).then_some(tip)
    }

    /// The own refs below a prefix, also those that are gone and are going to be made again.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the refs cannot be listed.
    pub(in crate::repo) fn own_refs_below(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = self.named_below(prefix)?.into_keys().collect();
        for name in RefMemory::read(self.common_dir()).refs.into_keys() {
            if name.starts_with(prefix) && !names.contains(&name) && self.stand_in(&name).is_some()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Makes those of tinyci's refs again that are gone, and gives those back what they lost that
    /// were set back. Gives out what there is to tell of it, a sentence each.
    ///
    /// Removes the lock file of a writer that was killed in the middle, too.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where refs cannot be read or moved.
    pub(crate) fn restore_refs(&self) -> Result<Vec<String>, Error> {
        let mut told = self.repair_refs()?;
        self.look_at_refs()?;
        let losses = self.losses(&RefMemory::read(self.common_dir()), &self.named()?);
        for (name, tip) in &losses.lost {
            self.give_back(name, *tip)?;
        }
        let restored = self.settle_memory(&losses)?;
        if !restored.is_empty() {
            let message = format!(
                "restored {}, which {} missing or set back",
                listed(&restored),
                were(&restored)
            );
            told.push(hinted(&message, FOREVER));
        }
        told.extend(losses.irreparable());
        Ok(told)
    }

    /// What the next [`restore_refs`](Repo::restore_refs) is going to do, and what it cannot do, a
    /// sentence each.
    ///
    /// # Errors
    ///
    /// As [`restore_refs`](Repo::restore_refs).
    pub(crate) fn lost_refs(&self) -> Result<Vec<String>, Error> {
        let named = self.named()?;
        let mut memory = RefMemory::read(self.common_dir());
        self.learn(&mut memory, &named);
        let losses = self.losses(&memory, &named);
        let mut told = Vec::new();
        let mut names: Vec<String> = losses.lost.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        if !names.is_empty() {
            let message = format!(
                "{} {} missing or set back; the next run restores {}",
                listed(&names),
                are(&names),
                if names.len() == 1 { "it" } else { "them" }
            );
            told.push(hinted(&message, FOREVER));
        }
        told.extend(losses.irreparable());
        Ok(told)
    }

    /// The refs that name a readable state again once a run has repaired them, a sentence each.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where no state of one can be read.
    pub(crate) fn damaged_refs(&self) -> Result<Vec<String>, Error> {
        let told = |(name, id)| {
            let state = self.state_of(id);
            hinted(
                &format!("`{name}` is damaged; the next run repairs it with {state}"),
                DAMAGE_HINT,
            )
        };
        Ok(self.damaged()?.into_iter().map(told).collect())
    }

    /// Lets the refs that are damaged name their newest readable state, and says so.
    fn repair_refs(&self) -> Result<Vec<String>, Error> {
        self.repair_words()?;
        let mut told = Vec::new();
        for (name, id) in self.damaged()? {
            AtomicRef::new(self, name.clone())
                .update("tinyci: repaired", |_| Ok(Edit::Keep(())))?;
            let state = self.state_of(id);
            told.push(hinted(
                &format!("repaired `{name}`, which was damaged, with {state}"),
                DAMAGE_HINT,
            ));
        }
        Ok(told)
    }

    /// The own refs that are damaged, and their newest readable states.
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

    /// A state of a ref, as messages show it.
    fn state_of(&self, id: Oid) -> String {
        let id = id.to_string();
        format!("its newest readable state, `{}`", id.get(..7).unwrap_or(&id))
    }

    /// Whether one commit is another one, or a descendant of it.
    pub(in crate::repo) fn contains(&self, tip: Oid, known: Oid) -> bool {
        tip == known || self.git.graph_descendant_of(tip, known).unwrap_or(false)
    }

    /// Learns what the refs name by now, and keeps git from removing it for a while.
    fn look_at_refs(&self) -> Result<(), Error> {
        let _intent = self.intent()?;
        let before = RefMemory::read(self.common_dir());
        let mut memory = before.clone();
        self.learn(&mut memory, &self.named()?);
        if !(0..KEPT_FOR).contains(&(atomic_ref::now() - memory.kept)) {
            memory.kept = atomic_ref::now();
            let known = memory.refs.values();
            known.flat_map(|it| it.lost.iter().chain([&it.tip])).for_each(|tip| self.freshen(*tip));
        }
        if memory != before {
            // One that cannot be written is an older one, and undoes nothing.
            let _ = self.write_memory(&memory)?;
        }
        Ok(())
    }

    /// Writes an object that is there once more, which changes nothing but its age: `git gc` keeps
    /// what a young object needs.
    pub(in crate::repo) fn freshen(&self, id: Oid) {
        let written = self.git.odb().and_then(|odb| {
            let object = odb.read(id)?;
            odb.write(object.kind(), object.data())
        });
        drop(written);
    }

    /// Learns what refs name that are new, or only grew since they were last looked at. Anybody can
    /// push a new one: it has to be what its name says.
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

    /// What the refs below a prefix named and do not contain now, by their names; nothing for one
    /// where git has removed objects of it.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where refs cannot be listed.
    pub(in crate::repo) fn lost_below(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, Option<Oid>)>, Error> {
        let named = self.named()?;
        let mut memory = RefMemory::read(self.common_dir());
        self.learn(&mut memory, &named);
        let Losses { lost, replaced, gone } = self.losses(&memory, &named);
        let known = lost.into_iter().chain(replaced).map(|(name, tip)| (name, Some(tip)));
        let all = known.chain(gone.into_iter().map(|name| (name, None)));
        Ok(all.filter(|(name, _)| name.starts_with(prefix)).collect())
    }

    /// The names of the refs that have lost something, whether or not it can be brought back.
    pub(in crate::repo) fn lossy(&self, memory: &RefMemory, named: &Named) -> Vec<String> {
        let Losses { lost, replaced, mut gone } = self.losses(memory, named);
        gone.extend(lost.into_iter().chain(replaced).map(|(name, _)| name));
        gone.sort();
        gone.dedup();
        gone
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
                match self.is_whole(name, lost) {
                    false if !losses.gone.contains(name) => losses.gone.push(name.clone()),
                    false => {}
                    true if can_be_joined => losses.lost.push((name.clone(), lost)),
                    true => losses.replaced.push((name.clone(), lost)),
                }
            }
        }
        losses
    }

    /// Gives a ref back what it lost.
    fn give_back(&self, name: &str, lost: Oid) -> Result<(), Error> {
        // Where it is gone, this makes it again and finds nothing else to do.
        let reference = AtomicRef::new(self, name.to_owned());
        reference.update("tinyci: restored", |tip| match tip {
            Some(now) if now != lost && self.contains(lost, now) => Ok(Edit::Replace(lost, ())),
            _ => Ok(Edit::Keep(())),
        })?;
        match name {
            VERDICTS | RECORDS => self.join_notes(name, lost),
            BASELINE => self.join_baseline(lost),
            _ => Ok(()),
        }
    }

    /// Forgets what was given back or cannot be; gives out the refs of which nobody was told yet.
    fn settle_memory(&self, losses: &Losses) -> Result<Vec<String>, Error> {
        let mut restored: Vec<String> = losses.lost.iter().map(|(name, _)| name.clone()).collect();
        let _intent = self.intent()?;
        let before = RefMemory::read(self.common_dir());
        let mut memory = before.clone();
        let named = self.named()?;
        for (name, known) in &mut memory.refs {
            if std::mem::take(&mut known.is_restored) {
                restored.push(name.clone());
            }
            let Some(now) = named.get(name).copied().flatten() else { continue };
            let is_lost = |id: Oid| !self.contains(now, id) && self.is_whole(name, id);
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

    /// What the remembered refs name.
    pub(in crate::repo) fn named(&self) -> Result<Named, Error> {
        let mut named = self.named_below("refs/tinyci/")?;
        named.extend(self.named_below("refs/notes/")?);
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
            let tip = reference.target().filter(|tip| self.git.find_commit(*tip).is_ok());
            named.insert(name.to_owned(), tip);
        }
        Ok(named)
    }

    /// Whether every object is there that a ref with this tip needs. What branches and tags need is
    /// there.
    fn is_whole(&self, name: &str, tip: Oid) -> bool {
        if let Some(known) = self.whole.borrow().get(&tip) {
            return *known;
        }
        let rests_on_history = ![VERDICTS, RECORDS].contains(&name);
        let hidden = match rests_on_history {
            true => self.selected(&["refs/heads/*".to_owned(), "refs/tags/*".to_owned()]),
            false => Ok(BTreeMap::new()),
        };
        let hidden: Vec<Oid> = hidden.map(BTreeMap::into_values).into_iter().flatten().collect();
        let nodes = walk::between(&self.git, &[tip], &hidden);
        let trees = nodes.map(|nodes| nodes.into_iter().map(|node| node.tree).collect());
        let whole = trees.is_ok_and(|trees| self.has_trees(trees));
        self.whole.borrow_mut().insert(tip, whole);
        whole
    }

    fn has_trees(&self, mut left: Vec<Oid>) -> bool {
        let Ok(odb) = self.git.odb() else { return false };
        let mut met: HashSet<Oid> = HashSet::new();
        while let Some(id) = left.pop() {
            if !met.insert(id) {
                continue;
            }
            let Ok(tree) = self.git.find_tree(id) else { return false };
            for entry in &tree {
                match entry.kind() {
                    Some(ObjectType::Tree) => left.push(entry.id()),
                    Some(ObjectType::Commit) => {}
                    _ if met.insert(entry.id()) && !odb.exists(entry.id()) => return false,
                    _ => {}
                }
            }
        }
        true
    }
}

impl Losses {
    fn irreparable(&self) -> Vec<String> {
        let mut told = Vec::new();
        if !self.gone.is_empty() {
            let message = format!(
                "cannot restore {}, which {} missing or set back: git has removed objects of {}",
                listed(&self.gone),
                are(&self.gone),
                if self.gone.len() == 1 { "it" } else { "them" },
            );
            told.push(hinted(&message, FOREVER));
        }
        for (name, lost) in &self.replaced {
            let message = format!(
                "`{name}` was replaced and no longer contains `{lost}`, which tinyci had written"
            );
            let hint = format!("`git update-ref --no-deref {name} {lost}` restores it; {FOREVER}");
            told.push(hinted(&message, &hint));
        }
        told
    }
}

/// Whether what such a ref names and what it named before can be one.
fn is_joinable(name: &str) -> bool {
    [VERDICTS, RECORDS, BASELINE].contains(&name)
}

/// Names as a sentence has them: three, and how many more.
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
        model::{commit::CommitId, deployment::Deployment, outcome::Verdict},
        testing::TestRepo,
    };

    const DEPLOYS: &str = "refs/tinyci/deployments/production";

    fn open(test: &TestRepo) -> Repo {
        Repo::open(test.path()).unwrap()
    }

    fn id(digit: &str) -> CommitId {
        digit.repeat(40).parse().unwrap()
    }

    /// A repository with two verdicts, a baseline and a deployment.
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
        let author = ("Ada", "ada@example.org");
        repo.record_deployment("production", author, |_| Ok(Some(entry.clone()))).unwrap();
        assert_eq!(repo.restore_refs().unwrap(), [""; 0]);
        test
    }

    /// A commit of somebody's.
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
                    // As one that is looked for afterwards, it is loose.
                    let tip = test.git(&["rev-parse", name]);
                    test.git(&["update-ref", "-d", name]);
                    test.git(&["update-ref", name, &tip]);
                    fs::remove_file(git_dir.join(name)).unwrap();
                }
                assert_ne!(refs(&test), before);
                let next = open(&test).lost_refs().unwrap();
                assert!(next[0].contains(&format!("`{name}` is missing")), "{next:?}");
                assert_ne!(refs(&test), before, "to ask changes nothing");
                let told = open(&test).restore_refs().unwrap();
                assert_eq!((told.len(), refs(&test)), (1, before.clone()), "{told:?}");
                assert!(told[0].contains("`tinyci results --forget-all`"), "{told:?}");
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
        let told = repo.restore_refs().unwrap();
        let both = format!("restored `{VERDICTS}` and `{DEPLOYS}`, which were missing");
        assert!(told[0].starts_with(&both), "{told:?}");
    }

    #[test]
    fn what_was_set_back_or_replaced_is_joined_again() {
        let test = repository();
        let tip = test.git(&["rev-parse", VERDICTS]);
        test.git(&["update-ref", VERDICTS, &format!("{tip}^")]);
        assert_eq!(open(&test).restore_refs().unwrap().len(), 1);
        assert_eq!(test.git(&["rev-parse", VERDICTS]), tip, "as if nothing had been");

        // Another repository's, with a note of its own, pushed or fetched by force.
        test.git(&["update-ref", "-d", "refs/notes/theirs"]);
        let head = test.git(&["rev-parse", "HEAD"]);
        test.git(&["notes", "--ref", "refs/notes/theirs", "add", "-m", "skipped", &head]);
        test.git(&["update-ref", VERDICTS, "refs/notes/theirs"]);
        let told = open(&test).restore_refs().unwrap();
        assert!(told.len() == 1 && told[0].contains("set back"), "{told:?}");
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
        // And what they added is remembered from then on.
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
            let told = open(&test).restore_refs().unwrap();
            assert!(told.len() == 1 && told[0].contains(&remedy), "{told:?}");
            assert_eq!(open(&test).lost_refs().unwrap(), told);
            assert_eq!(test.git(&["rev-parse", DEPLOYS]), theirs);
        }
        test.git(&["update-ref", DEPLOYS, &ours]);
        let told = open(&test).restore_refs().unwrap();
        assert_eq!(told, [""; 0]);
        // What is put back and what is given up: both end it.
        test.git(&["update-ref", DEPLOYS, &theirs]);
        open(&test).forget_results().unwrap();
        assert_eq!(open(&test).restore_refs().unwrap(), [""; 0]);
        assert_eq!(test.git(&["rev-parse", DEPLOYS]), theirs);
    }

    #[test]
    fn what_was_there_before_is_learned_and_what_anybody_pushes_is_not() {
        let test = repository();
        let before = refs(&test);
        // As in a repository that was copied without its state.
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
            let told = open(&test).restore_refs().unwrap();
            assert!(told.len() == 1 && told[0].contains("cannot restore"), "{told:?}");
            assert_eq!(open(&test).lost_refs().unwrap(), told);
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

    /// A tip that is there, and some object below it that is not, makes no ref: git would find the
    /// repository broken.
    #[test]
    fn what_lacks_a_single_object_is_not_restored() {
        let test = repository();
        let blob = test.git(&["rev-parse", &format!("{VERDICTS}^:{}", id("1"))]);
        let (folder, file) = blob.split_at(2);
        fs::remove_file(test.path().join(".git/objects").join(folder).join(file)).unwrap();
        test.git(&["update-ref", "-d", VERDICTS]);
        let told = open(&test).restore_refs().unwrap();
        assert!(told[0].contains("cannot restore"), "{told:?}");
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
            let told = open(&test).restore_refs().unwrap();
            assert_eq!(told[0].contains("cannot restore"), !kept, "{told:?}");
        }
    }
}
