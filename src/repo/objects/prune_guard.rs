//! Protects new objects from a `git gc` that runs at the same time.
//!
//! `git gc --prune=now` removes every loose object that no ref needed when it started. It does not
//! notice that a ref has moved since then, so it would remove objects that the ref needs, and with them
//! all verdicts. While git runs it, the file `gc.pid` exists. During that time, tinyci also writes its
//! new objects into a pack before the ref moves, and into another one afterwards. `git repack` removes
//! only packs that existed before it read the refs, so it can remove the first pack, which contains
//! objects that no ref needed yet, but not the second. The packs have different names, because git
//! compares names.

use std::{io::Write, path::PathBuf};

use flate2::{Compression, write::ZlibEncoder};
use git2::{ErrorClass, ErrorCode, ObjectType, Oid};
use sha1_smol::Sha1;

use crate::{
    repo::repository::{NewObjects, Repo},
    util::state_file,
};

/// The file that exists while `git gc` runs.
const GC_PID: &str = "gc.pid";

/// The objects that one move of a ref needs, until they are safe from `git gc`.
pub(in crate::repo) struct PruneGuard {
    objects: NewObjects,
    /// True if `git gc` was running before the ref moved.
    is_gc_running: bool,
}

impl Repo {
    /// Starts to protect objects that were written. Call this before the ref moves.
    ///
    /// # Errors
    ///
    /// Fails if `git gc` runs and the pack cannot be written.
    pub(in crate::repo) fn guard_from_prune(
        &self,
        objects: NewObjects,
    ) -> Result<PruneGuard, git2::Error> {
        let is_gc_running = self.is_gc_running();
        if is_gc_running && !objects.is_empty() {
            self.write_pack(&objects, Phase::BeforeMove)?;
        }
        Ok(PruneGuard { objects, is_gc_running })
    }

    fn is_gc_running(&self) -> bool {
        self.common_dir().join(GC_PID).exists()
    }

    /// Writes a pack of these objects.
    fn write_pack(&self, objects: &NewObjects, phase: Phase) -> Result<(), git2::Error> {
        let (pack, name) = pack(objects, phase).map_err(|error| failed(&error))?;
        let dir = self.common_dir().join("objects/pack");
        let files = ["pack", "idx"].map(|kind| dir.join(format!("pack-{name}.{kind}")));
        let odb = self.git.odb()?;
        let mut writer = odb.packwriter()?;
        writer.write_all(&pack).map_err(|error| failed(&error))?;
        writer.commit()?;
        // git may already have moved the objects to its own pack and removed this one.
        let files: Vec<_> = files.iter().filter_map(|file| state_file::open(file).ok()).collect();
        let flush = self.flush()?;
        flush.objects(&files).map_err(|error| failed(&error))?;
        flush.object_dirs(&[&dir]).map_err(|(_, error)| failed(&error))
    }

    fn loose_file(&self, id: Oid) -> PathBuf {
        super::new_objects::loose_path(&self.common_dir().join("objects"), id)
    }
}

impl PruneGuard {
    /// Ends the protection after the ref has moved. A `git gc` that starts now keeps the objects.
    ///
    /// # Errors
    ///
    /// Fails if the pack cannot be written.
    pub(in crate::repo) fn finish(self, repo: &Repo) -> Result<(), git2::Error> {
        let Self { objects, is_gc_running } = self;
        let exists = |id: Oid| repo.git.odb().is_ok_and(|odb| odb.exists(id));
        let is_gone = |id: &Oid| !repo.loose_file(*id).exists() && !exists(*id);
        let at_risk = is_gc_running || repo.is_gc_running() || objects.keys().any(is_gone);
        match at_risk && !objects.is_empty() {
            true => repo.write_pack(&objects, Phase::AfterMove),
            false => Ok(()),
        }
    }
}

/// The time at which a pack is written.
#[derive(Clone, Copy)]
enum Phase {
    BeforeMove,
    AfterMove,
}

impl Phase {
    /// Returns the compression of the pack's objects. The header of compressed data contains the
    /// level, so the packs of the two phases always differ, and with them their names.
    fn compression(self) -> Compression {
        match self {
            Self::BeforeMove => Compression::fast(),
            Self::AfterMove => Compression::best(),
        }
    }
}

/// Returns a pack without deltas, and the hash that names it.
fn pack(objects: &NewObjects, phase: Phase) -> std::io::Result<(Vec<u8>, String)> {
    let count = u32::try_from(objects.len()).map_err(std::io::Error::other)?;
    let mut pack = [b"PACK", &2_u32.to_be_bytes()[..], &count.to_be_bytes()].concat();
    for (kind, data) in objects.values() {
        write_header(&mut pack, *kind, data.len());
        let mut encoder = ZlibEncoder::new(pack, phase.compression());
        encoder.write_all(data)?;
        pack = encoder.finish()?;
    }
    let hash = Sha1::from(&pack).digest();
    pack.extend(hash.bytes());
    Ok((pack, hash.to_string()))
}

/// Writes the kind and size of an object. The first byte has four bits of the size, each later one
/// seven.
fn write_header(pack: &mut Vec<u8>, kind: ObjectType, size: usize) {
    let kind: u8 = match kind {
        ObjectType::Commit => 1,
        ObjectType::Tree => 2,
        ObjectType::Tag => 4,
        ObjectType::Blob | ObjectType::Any => 3,
    };
    let low = |bits: usize, mask: u8| u8::try_from(bits & usize::from(mask)).unwrap_or_default();
    let mut byte = kind << 4 | low(size, 0x0f);
    let mut rest = size >> 4;
    while rest > 0 {
        pack.push(byte | 0x80);
        byte = low(rest, 0x7f);
        rest >>= 7;
    }
    pack.push(byte);
}

fn failed(error: &std::io::Error) -> git2::Error {
    let message = format!("cannot write a pack: {error}");
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Os, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn git_reads_a_pack_of_objects_of_any_size() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        let mut objects = NewObjects::new();
        for size in [0, 1, 15, 16, 127, 128, 2047, 2048, 300_000] {
            let data = vec![b'x'; size];
            let id = Oid::hash_object(ObjectType::Blob, &data).unwrap();
            objects.insert(id, (ObjectType::Blob, data));
        }
        for phase in [Phase::BeforeMove, Phase::AfterMove, Phase::AfterMove] {
            repo.write_pack(&objects, phase).unwrap();
        }
        for (id, (_, data)) in &objects {
            assert_eq!(test.git(&["cat-file", "-s", &id.to_string()]), data.len().to_string());
        }
        assert_eq!(test.git(&["fsck", "--full", "--strict", "--no-dangling"]), "");
    }

    #[test]
    fn the_packs_before_and_after_a_move_have_different_names() {
        for size in [0, 1, 100, 100_000] {
            let data: Vec<u8> = (0..size).map(|place: u32| place.to_be_bytes()[3] ^ 91).collect();
            let id = Oid::hash_object(ObjectType::Blob, &data).unwrap();
            let objects = NewObjects::from([(id, (ObjectType::Blob, data))]);
            let name = |phase| pack(&objects, phase).unwrap().1;
            assert_ne!(name(Phase::BeforeMove), name(Phase::AfterMove), "{size}");
        }
    }

    #[test]
    fn an_object_that_git_prunes_is_written_again_after_the_ref_moved() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        for running in [false, true] {
            let data = running.to_string().into_bytes();
            let id = repo.make_object(ObjectType::Blob, &data).unwrap();
            if running {
                std::fs::write(test.path().join(GC_PID), "1 host").unwrap();
            }
            let made = repo.store_new_objects(&repo.acquire_ref_lock().unwrap(), id).unwrap();
            let guard = repo.guard_from_prune(made).unwrap();
            test.git(&["prune", "--expire=now"]);
            guard.finish(&repo).unwrap();
            assert_eq!(test.git(&["cat-file", "blob", &id.to_string()]), running.to_string());
        }
    }
}
