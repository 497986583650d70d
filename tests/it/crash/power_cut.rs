//! Power cuts, which can lose everything that was not flushed. Each file can lose its contents
//! independently of the others. Changes of names are lost in reverse order, at most back to the
//! last flush, as on a file system with a journal. So a name can refer to a file without its
//! contents.
//!
//! Afterwards, git finds no damage and accepts a push, and no reported verdict is lost.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::{
    points::{choose, try_each},
    scene::{Act, Scene, files_below},
    traced::{Traced, Whom, traced},
};
use crate::support::{Chance, random::seed};

/// The state of a file's contents, as the journal records it.
#[derive(Default)]
struct Contents {
    /// The copy of the contents as they were last flushed. `None` if they were never flushed.
    flushed: Option<String>,
    /// True if the file was written after that flush.
    is_dirty: bool,
}

/// Applies the losses of a power cut. The seed chooses them.
fn cut_power(scene: &Scene, traced: &Traced, chance: &mut Chance) {
    let log = traced.log();
    let flushed = log.iter().rposition(|line| line.starts_with("flush")).map_or(0, |last| last + 1);
    let kept = log.len() - chance.below(log[flushed..].len() + 1);
    log[kept..].iter().rev().for_each(|line| take_back(line, traced.journal.path()));
    let contents = contents(&log);
    for path in files_below(&scene.path()) {
        let meta = fs::symlink_metadata(&path).unwrap();
        if let Some(dirty) = contents.get(&meta.ino()).filter(|it| it.is_dirty && meta.is_file()) {
            lose_contents(&path, dirty, traced.journal.path(), chance);
        }
    }
}

/// Undoes a change of names. Ignores paths that no longer exist: they were undone with their
/// directory.
fn take_back(line: &str, journal: &Path) {
    let words: Vec<&str> = line.split(' ').collect();
    let restore = |saved: &str, path: &str| {
        if saved != "-" {
            let _ = fs::hard_link(journal.join(saved), path);
        }
    };
    match words[..] {
        ["create" | "link", path] => drop(fs::remove_file(path)),
        ["mkdir", path] => drop(fs::remove_dir(path)),
        ["rmdir", path] => drop(fs::create_dir(path)),
        ["unlink", path, saved] => restore(saved, path),
        ["rename", from, to, saved] => {
            let _ = fs::rename(to, from);
            restore(saved, to);
        }
        _ => {}
    }
}

fn contents(log: &[String]) -> HashMap<u64, Contents> {
    let mut contents: HashMap<u64, Contents> = HashMap::new();
    for line in log {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["write", inode] => contents.entry(inode.parse().unwrap()).or_default().is_dirty = true,
            ["flush", inode, saved] => {
                let saved = Some(saved.to_owned());
                contents
                    .insert(inode.parse().unwrap(), Contents { flushed: saved, is_dirty: false });
            }
            _ => {}
        }
    }
    contents
}

/// Keeps the contents of a file, or replaces them with half of them, with zeros, or with the last
/// flushed contents.
fn lose_contents(path: &Path, known: &Contents, journal: &Path, chance: &mut Chance) {
    let written = fs::read(path).unwrap();
    let half = written.len() / 2;
    let left = match chance.below(5) {
        0 => written,
        1 => written[..half].to_vec(),
        2 => vec![0; written.len()],
        _ => match &known.flushed {
            Some(saved) => fs::read(journal.join(saved)).unwrap(),
            None => Vec::new(),
        },
    };
    // Writes in place, because the file can have other names. The mode may not allow it, so it is
    // changed meanwhile.
    let mode = fs::metadata(path).unwrap().permissions();
    let mut writable = mode.clone();
    std::os::unix::fs::PermissionsExt::set_mode(&mut writable, 0o600);
    fs::set_permissions(path, writable).unwrap();
    fs::write(path, left).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

/// Returns the verdicts that the program reported before the cut.
fn reported(out: &str, verdicts: &[String]) -> HashSet<String> {
    let said = |verdict: &&String| {
        let (commit, word) = verdict.split_once(' ').unwrap();
        let line = |line: &str| line.contains(&commit[..7]) && line.contains(word);
        out.lines().any(line)
    };
    verdicts.iter().filter(said).cloned().collect()
}

fn cut_power_at(acts: &[Act], points: usize, default_seed: u64) {
    let seed = seed(default_seed);
    for act in acts {
        let scene = Scene::new(*act, true);
        let before = scene.verdicts();
        let calls = traced(&scene.copy().path(), act.words(), Whom::All, 0).calls;
        let what = format!("{act:?}, power cut, {calls} calls, seed {seed}");
        try_each(&what, &choose(calls, points, seed), |number, point| {
            let victim = scene.copy();
            let traced = traced(&victim.path(), act.words(), Whom::All, point);
            let mut kept = reported(&traced.out, &victim.verdicts());
            kept.extend(before.clone());
            cut_power(&victim, &traced, &mut Chance::new(seed ^ (number as u64) << 32));
            victim.assert_git_accepts();
            let kept: Vec<String> = kept.into_iter().collect();
            victim.assert_recovers(&kept);
        });
    }
}

#[test]
fn a_power_cut_loses_nothing_that_was_reported() {
    cut_power_at(&[Act::Run, Act::Deploy, Act::Install, Act::Merge], 2, 18);
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn power_cuts_at_60_points_of_each_command() {
    cut_power_at(&Act::ALL, 60, 2);
}

#[test]
#[ignore = "takes half an hour: by hand"]
fn power_cuts_at_500_points_of_each_command() {
    cut_power_at(&Act::ALL, 500, 1);
}
