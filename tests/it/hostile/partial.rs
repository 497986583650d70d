//! Partial clones: what is missing there is no damage.

use super::calls::call;
use crate::support::TestRepo;

/// A server with two verdicts, and a clone without the contents of files.
#[test]
fn results_need_no_missing_contents_and_what_does_says_how_to_get_them() {
    let server = TestRepo::bare();
    let work = TestRepo::new();
    work.write("file", "old");
    work.commit_config("build: \"true\"\n");
    work.write("file", "new");
    let tip = work.commit("second");
    let url = format!("file://{}", server.path().display());
    work.git(&["push", "-q", &url, "main"]);
    call(server.path(), &["run", "--all"], "the server");
    server.git(&["config", "uploadpack.allowFilter", "true"]);
    let clone = work.outside().join("partial");
    let path = clone.to_str().unwrap();
    work.git(&["clone", "-q", "--no-checkout", "--filter=blob:none", &url, path]);
    let git = |args: &[&str]| {
        let output = work.command_in(&clone).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["fetch", "-q", "origin", "+refs/notes/*:refs/notes/*"]);
    for args in [&["results"][..], &["status"], &["plan"], &["run", "--all"]] {
        let ended = call(&clone, args, "nothing is needed");
        assert_eq!(ended.status.code(), Some(0), "{args:?}: {}", ended.err);
    }
    let needed = call(&clone, &["run", "--retry", &tip], "contents are needed");
    assert_eq!(needed.status.code(), Some(4), "{}", needed.err);
    let said = needed.text();
    assert!(said.contains("is not in this partial clone"), "{said}");
    assert!(said.contains("`git fetch --refetch --no-filter`"), "{said}");
    assert!(!said.contains("damaged") && !said.contains("broken"), "{said}");
    git(&["fetch", "-q", "--refetch", "--no-filter"]);
    let ended = call(&clone, &["run", "--retry", &tip], "contents are there");
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
}
