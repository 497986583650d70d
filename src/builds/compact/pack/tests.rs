//! Tests that pack builds on a real disk and read them with the real `tar`.

use std::{
    io::Write,
    os::unix::{
        fs::{FileTypeExt, symlink},
        net::UnixListener,
    },
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use tempfile::TempDir;

use super::*;
use crate::builds::compact::restore;
use crate::{
    model::{cancel::CancelToken, error::ErrorKind},
    testing::succeed,
    workspace::{ExportPlace, JobStamp},
};

fn name(time: u32) -> String {
    format!("{time}_{}", format!("{time:08x}").repeat(5))
}

/// Creates a builds directory with builds of these times, each with a file.
fn builds(times: &[u32]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for time in times {
        let export = dir.path().join(name(*time)).join("export");
        fs::create_dir_all(&export).unwrap();
        fs::write(export.join("file"), time.to_string()).unwrap();
    }
    dir
}

fn workspace(builds_dir: &Path) -> Workspace {
    Workspace::new(builds_dir, Some(builds_dir), builds_dir)
}

fn options(newest: usize, keep_builds: &[&str]) -> CompactOptions {
    CompactOptions {
        keep: newest,
        keep_builds: keep_builds.iter().map(|&word| word.into()).collect(),
    }
}

fn nothing() -> Result<Kept, Error> {
    Ok(Kept::default())
}

fn never() -> CancelView {
    CancelView::new(&CancelToken::new(), 1)
}

fn compact_all(dir: &Path) -> Result<Vec<CompactedBuild>, Error> {
    compact(&workspace(dir), &options(0, &[]), &mut nothing, &never()).map(|done| done.compacted)
}

/// Returns the entries of the directory without the owner files, sorted.
fn listing(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| !["tinyci", "tinyci.owner"].contains(&&**name));
    names.sort();
    names
}

fn shell(dir: &Path, script: &str) -> String {
    let output = Command::new("bash").arg("-euc").arg(script).current_dir(dir).output();
    succeed(script, &output.unwrap())
}

/// Describes everything that an archive must preserve, one line for each file.
fn describe(dir: &Path) -> String {
    let script = "owner='-path ./tinyci -o -path ./tinyci.owner'; \
                  find . -mindepth 1 \\( $owner \\) -prune -o -printf '%P|%y|%m|%s|%U:%G|%T@|%l|%n\\n' \
                  | sed -E 's/\\.[0-9]{10}\\|/|/; s/\\|d\\|([0-9]+)\\|[0-9]+/|d|\\1/' | sort; \
                  find . \\( $owner \\) -prune -o -type f -exec sha256sum {} + | sort";
    shell(dir, script)
}

#[test]
fn a_build_is_the_same_after_packing_and_unpacking() {
    let dir = builds(&[1]);
    let build = dir.path().join(name(1));
    shell(
        &build.join("export"),
        "echo a > a; ln a hard; ln -s a link; ln -s /etc/passwd absolute; ln -s nowhere dangling
         ln -s ./a//b/../c/ untidy; ln -s \"$(printf 'x/%.0s' {1..150})\" longlink
         ln -s \"$(printf 'y%.0s' {1..100})\" hundred; ln -s \"$(printf 'z%.0s' {1..101})\" more
         long=$(printf 'n%.0s' {1..250}); mkdir -p $long/$long; echo b > $long/$long/$long
         ln $long/$long/$long longhard; ln -s $long/$long/$long longlonglink
         ln -s a $long/linkinlong
         mkfifo fifo; touch empty; mkdir -p sub/none; truncate -s 3000001 large; echo end >> large
         touch $'new\\nline' ' ' -- '-rf' '*' 'a\\b' \"q'q\" $'\\xff\\xfe' é; echo s > set; chmod 6755 set
         chmod 0 fifo; chmod 2700 sub; mkdir sticky; chmod 1777 sticky
         if [ $(id -u) = 0 ]; then chown 12345:54321 a; chown -h 3000000:1 link; fi
         find . -exec touch -hd @1000000007 {} +; touch -d @0 empty; touch -d @9999999999 a",
    );
    let before = describe(dir.path());
    let done = compact_all(dir.path()).unwrap();
    let archive = dir.path().join(format!("{}.tar.gz", name(1)));
    let expected = CompactedBuild { name: name(1), archive: archive.clone(), omitted: vec![] };
    assert_eq!(done, [expected]);
    assert_eq!(listing(dir.path()), [format!("{}.tar.gz", name(1))]);

    let out = tempfile::tempdir().unwrap();
    fs::rename(&archive, out.path().join("archive")).unwrap();
    shell(out.path(), "gzip -t archive; mkdir out; tar -xpzf archive -C out --numeric-owner");
    assert_eq!(describe(&out.path().join("out")), before);
}

#[test]
fn deep_trees_fit() {
    let dir = builds(&[1]);
    let deep =
        "for i in {1..300}; do mkdir directory-number-$i; cd directory-number-$i; done; echo x > x";
    shell(&dir.path().join(name(1)), deep);
    compact_all(dir.path()).unwrap();
    let count = shell(dir.path(), "tar -tzf *.tar.gz | wc -l");
    assert_eq!(count, (1 + 2 + 300 + 1).to_string());
}

#[test]
fn sockets_are_omitted_and_reported() {
    let dir = builds(&[1]);
    let socket = dir.path().join(name(1)).join("export/s");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    let done = compact_all(dir.path()).unwrap();
    assert_eq!(done[0].omitted, [socket]);
}

#[test]
fn only_old_builds_are_packed_and_other_names_stay() {
    let dir = builds(&[999_999_999, 1_000_000_000, 1_100_000_000, 1_200_000_000]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "x").unwrap();
    symlink(outside.path(), dir.path().join(name(5))).unwrap();
    symlink(outside.path(), dir.path().join(name(999_999_999)).join("export/out")).unwrap();
    for name in ["notes", "1_abc", &format!("{}.bak", name(6))] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("tinyci.log"), "log").unwrap();
    fs::write(dir.path().join(name(7)), "a file of such a name").unwrap();
    let before = listing(dir.path());

    let deployed = format!("/srv/builds/{}/export", name(1_000_000_000));
    let options = self::options(1, &[&deployed, "feedbeef"]);
    let _busy = workspace(dir.path()).build(&name(1_100_000_000)).prepare(&|| false).unwrap();
    let done = compact(&workspace(dir.path()), &options, &mut nothing, &never()).unwrap();
    assert_eq!(done.compacted.len(), 1);
    assert_eq!(done.unmatched, ["feedbeef"]);
    let old = name(999_999_999);
    let after = before.into_iter().map(|it| if it == old { format!("{it}.tar.gz") } else { it });
    assert_eq!(listing(dir.path()), after.collect::<Vec<_>>());
    assert_eq!(fs::read_to_string(outside.path().join("precious")).unwrap(), "x");
}

#[test]
fn an_older_archive_is_replaced_and_leftovers_are_removed() {
    let dir = builds(&[1, 2]);
    let place = |suffix: &str| dir.path().join(format!("{}{suffix}", name(1)));
    fs::write(place(".tar.gz"), "of an earlier attempt").unwrap();
    fs::write(place(".tar.gz.new"), "half").unwrap();
    fs::create_dir_all(place(".removed").join("export")).unwrap();
    let gone = format!("{}.tar.gz.new", name(3));
    fs::write(dir.path().join(gone), "half, its build is gone").unwrap();
    fs::write(dir.path().join("x.tar.gz.new"), "not ours").unwrap();
    compact(&workspace(dir.path()), &options(1, &[]), &mut nothing, &never()).unwrap();
    let expected = [format!("{}.tar.gz", name(1)), name(2), "x.tar.gz.new".into()];
    assert_eq!(listing(dir.path()), expected);
    let text = shell(dir.path(), &format!("tar -xzOf {0}.tar.gz {0}/export/file", name(1)));
    assert_eq!(text, "1");
}

#[test]
fn a_build_that_cannot_be_archived_stays_complete() {
    let dir = builds(&[1]);
    let blocked = dir.path().join(format!("{}.tar.gz", name(1)));
    fs::create_dir_all(blocked.join("not empty")).unwrap();
    let before = describe(dir.path());
    let done = compact(&workspace(dir.path()), &options(0, &[]), &mut nothing, &never()).unwrap();
    assert_eq!(done.compacted, []);
    let [left] = &done.not_removed[..] else { panic!("{done:?}") };
    assert_eq!(left.path, dir.path().join(name(1)));
    assert!(left.reason.contains(blocked.to_str().unwrap()), "{left}");
    assert_eq!(describe(dir.path()), before);
}

#[test]
fn a_build_with_an_unreadable_file_stays() {
    let dir = builds(&[1, 2]);
    let file = dir.path().join(name(1)).join("export/file");
    shell(dir.path(), &format!("chmod 0 {}", file.display()));
    if File::open(&file).is_ok() {
        return; // Root reads everything.
    }
    let done = compact(&workspace(dir.path()), &options(0, &[]), &mut nothing, &never()).unwrap();
    assert!(done.not_removed[0].reason.contains(file.to_str().unwrap()), "{done:?}");
    assert_eq!(listing(dir.path()), [name(1), format!("{}.tar.gz", name(2))]);
}

#[test]
fn a_cancel_leaves_the_build() {
    let dir = builds(&[1]);
    let before = describe(dir.path());
    let token = CancelToken::new();
    token.cancel();
    let cancel = CancelView::new(&token, 1);
    let error = compact(&workspace(dir.path()), &options(0, &[]), &mut nothing, &cancel);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Canceled);
    assert_eq!(describe(dir.path()), before);
}

#[test]
fn a_file_that_is_being_written_keeps_its_build() {
    let dir = builds(&[1]);
    let path = dir.path().join(name(1)).join("growing");
    // Large enough that the writing thread runs while the file is being read.
    fs::write(&path, vec![b'x'; 4_000_000]).unwrap();
    let done = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::options().append(true).open(&path).unwrap();
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"x").unwrap();
            }
        });
        let result = compact(&workspace(dir.path()), &options(0, &[]), &mut nothing, &never());
        done.store(true, Ordering::Relaxed);
        result
    });
    let [left] = &result.unwrap().not_removed[..] else { panic!("the build was packed") };
    assert!(left.reason.contains("growing`: it changed while tinyci read it"), "{left}");
    assert_eq!(listing(dir.path()), [name(1)]);
    assert_eq!(compact_all(dir.path()).unwrap().len(), 1);
}

#[test]
fn a_second_call_is_refused() {
    let dir = builds(&[1]);
    let place = workspace(dir.path());
    let held = place.builds_folder().unwrap();
    let error = compact_all(dir.path()).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Busy, Some(dir.path())));
    drop(held);
    assert_eq!(compact_all(dir.path()).unwrap().len(), 1);
}

#[test]
fn a_missing_builds_directory_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(compact_all(&dir.path().join("builds")).unwrap(), []);
}

/// Tests the check during the walk, for a mount made after the first check.
#[cfg(target_os = "linux")]
#[test]
fn an_archive_enters_no_mount() {
    use crate::testing::{mount, with_own_mounts};

    let dir = builds(&[1]);
    let (at, kept) = (dir.path().join(name(1)).join("export/mnt"), dir.path().join("kept"));
    for name in [&at, &kept] {
        fs::create_dir(name).unwrap();
    }
    with_own_mounts(|| {
        mount(&["--bind", kept.to_str().unwrap(), at.to_str().unwrap()]);
        let (path, parent) = (dir.path().join("archive"), File::open(dir.path()).unwrap());
        let file = File::create_new(&path).unwrap();
        let archive_file = ArchiveFile { file, path: &path, comment: None };
        let (parent_path, name) = (dir.path(), name(1));
        let source = SourceDir { parent: &parent, parent_path, name: &name };
        let written = archive::write(archive_file, &source, &never());
        let error = written.unwrap_err().to_string();
        let expected = format!("a file system is mounted at `{}`", at.display());
        assert!(error.starts_with(&expected), "{error}");
    });
}

#[test]
fn an_archive_contains_the_stamp_of_its_job() {
    let dir = builds(&[1, 2]);
    let place = workspace(dir.path());
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let stamp = |run: &str, finished| JobStamp {
        finished,
        ..JobStamp::begun(run.to_owned(), at(5), ExportPlace::Usual)
    };
    let (first, second) = (place.build(&name(1)), place.build(&name(2)));
    first.write_stamp(&stamp("first", Some(at(7)))).unwrap();
    assert_eq!(first.packed_stamp(), None);
    compact_all(dir.path()).unwrap();
    assert_eq!((first.stamp(), first.packed_stamp()), (None, Some(stamp("first", Some(at(7))))));
    assert_eq!(second.packed_stamp(), None, "one that no job wrote into");

    // A canceled job may run between packing and restoring. TinyCI 0.5 wrote no stamp.
    for build in [&first, &second] {
        fs::create_dir(build.dir()).unwrap();
        build.write_stamp(&stamp("canceled", None)).unwrap();
        restore(build, "run", &never()).unwrap();
        assert!(build.export_dir().join("file").exists());
        assert_eq!(build.stamp(), build.packed_stamp());
    }

    // Existing files keep their stamp.
    second.write_stamp(&stamp("newer", Some(at(9)))).unwrap();
    restore(&second, "run", &never()).unwrap();
    assert_eq!(second.stamp(), Some(stamp("newer", Some(at(9)))));
}

#[test]
fn the_build_of_a_canceled_job_does_not_replace_a_good_archive() {
    let dir = builds(&[1]);
    let place = workspace(dir.path());
    let build = place.build(&name(1));
    let stamp = |run: &str, finished| JobStamp {
        finished,
        ..JobStamp::begun(run.to_owned(), UNIX_EPOCH, ExportPlace::Usual)
    };
    build.write_stamp(&stamp("canceled", None)).unwrap();
    assert_eq!(compact_all(dir.path()).unwrap().len(), 1, "without one it is packed");
    fs::create_dir(build.dir()).unwrap();
    for (finished, packed) in [(None, 0), (Some(UNIX_EPOCH), 1)] {
        build.write_stamp(&stamp("again", finished)).unwrap();
        assert_eq!(compact_all(dir.path()).unwrap().len(), packed);
    }
    assert_eq!(build.packed_stamp(), Some(stamp("again", Some(UNIX_EPOCH))));
}

#[test]
fn a_build_deployed_during_compacting_stays() {
    let dir = builds(&[1, 2, 3]);
    let mut calls = 0;
    let mut keep = || {
        calls += 1;
        let mut kept = Kept::default();
        if calls > 1 {
            kept.build(&name(2), "deployed".to_owned());
        }
        Ok(kept)
    };
    let done = compact(&workspace(dir.path()), &options(0, &[]), &mut keep, &never()).unwrap();
    let packed: Vec<String> = done.compacted.into_iter().map(|build| build.name).collect();
    assert_eq!(packed, [name(1), name(3)]);
    assert!(dir.path().join(name(2)).is_dir());
}
