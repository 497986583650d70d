//! Compares exports with `git archive | tar -x`, for ordinary and hostile trees.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
    process::Stdio,
};

use super::*;
use crate::export::warning;
use crate::{
    model::{
        cancel::{CancelToken, CancelView},
        error::ErrorKind,
    },
    testing::{TestRepo, succeed},
};

/// All paths below a directory: each with its mode, and its contents or the link's target.
type Listing = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

fn list(root: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let contents = if meta.is_symlink() {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            } else if meta.is_dir() {
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            listing.insert(name, (meta.permissions().mode(), contents));
            if meta.is_dir() {
                dirs.push(path);
            }
        }
    }
    listing
}

/// Returns the listing of git's archive.
fn archive(test: &TestRepo, commit: &str) -> Listing {
    let dir = tempfile::tempdir().unwrap();
    let mut git = test.command();
    let mut git =
        git.args(["archive", commit]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let tar = std::process::Command::new("tar")
        .current_dir(dir.path())
        .args(["--no-same-permissions", "--no-same-owner", "-xf", "-"])
        .stdin(git.stdout.take().unwrap())
        .output();
    succeed("tar", &tar.unwrap());
    assert!(git.wait().unwrap().success());
    list(dir.path())
}

fn export_with(
    test: &TestRepo,
    commit: &str,
    options: ExportOptions,
) -> Result<(Listing, Exported), Error> {
    let temp = tempfile::tempdir().unwrap();
    let target = temp.path().join("export");
    let repo = Repo::open(test.path())?;
    let limits = WorkLimits::new(&CancelView::new(&CancelToken::new(), 1), None);
    let result = export(&repo, commit.parse()?, &target, &options, &limits);
    assert_eq!(target.exists(), result.is_ok(), "a failed export leaves nothing");
    result.map(|exported| (list(&target), exported))
}

fn exported(test: &TestRepo, commit: &str) -> Result<(Listing, Exported), Error> {
    export_with(test, commit, ExportOptions::default())
}

/// Exports, compares with git, and returns the listing.
fn check(test: &TestRepo, commit: &str) -> (Listing, Exported) {
    let (actual, exported) = exported(test, commit).unwrap();
    let expected = archive(test, commit);
    assert_eq!(actual.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, (mode, contents)) in &actual {
        let name_text = String::from_utf8_lossy(name);
        let (expected_mode, expected_contents) = &expected[name];
        assert_eq!(format!("{mode:o}"), format!("{expected_mode:o}"), "mode of {name_text}");
        let (actual, expected) = (contents.escape_ascii(), expected_contents.escape_ascii());
        assert_eq!(actual.to_string(), expected.to_string(), "{name_text}");
    }
    (actual, exported)
}

/// Stores an object, even an invalid one.
fn store(test: &TestRepo, kind: &str, bytes: &[u8]) -> String {
    let mut git = test.command();
    let git = git.args(["hash-object", "-t", kind, "--literally", "-w", "--stdin"]);
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(bytes).unwrap();
    succeed("git hash-object", &git.wait_with_output().unwrap())
}

/// Stores a tree with these modes, names and objects, in this order.
fn store_tree(test: &TestRepo, entries: &[(&str, &[u8], &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(mode.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(id.parse::<CommitId>().unwrap().as_bytes());
    }
    store(test, "tree", &bytes)
}

fn commit_of(test: &TestRepo, tree: &str) -> String {
    test.git(&["commit-tree", "-m", "made by hand", tree])
}

fn refusal(test: &TestRepo, tree: &str) -> Error {
    let commit = commit_of(test, tree);
    exported(test, &commit).expect_err("refused")
}

const MIXED: &[u8] = b"lf\ncrlf\r\nlone \r cr\nlast";

#[test]
fn ordinary_trees_equal_an_archive() {
    let test = TestRepo::new();
    test.write("file", "text\n");
    test.write("empty", "");
    test.write("bin/run", "#!/bin/sh\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(test.path().join("bin/run"), executable).unwrap();
    for n in 0..40 {
        test.write(&format!("deep/{}file", "a/".repeat(n)), format!("{n}"));
    }
    for (text, name) in [("file", "link"), ("/etc/passwd", "absolute"), ("../../none", "dangling")]
    {
        std::os::unix::fs::symlink(text, test.path().join(name)).unwrap();
    }
    let odd = ["new\nline", "-rf", "tab\t", "quo\"te", "back\\slash", "é", "space ", "~", "..."];
    odd.iter().for_each(|name| test.write(name, *name));
    let invalid = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    fs::write(test.path().join(invalid), "bytes").unwrap();
    test.write(&"n".repeat(255), "long name");
    let first = test.commit("one");
    let submodule = format!("160000,{first},sub/module");
    test.git(&["update-index", "--add", "--cacheinfo", &submodule]);
    test.git(&["commit", "-qm", "a submodule"]);
    let commit = test.git(&["rev-parse", "HEAD"]);
    let (listing, exported) = check(&test, &commit);
    assert!(listing.contains_key(b"sub/module".as_slice()));
    assert_eq!((exported.files, exported.warnings), (46 + odd.len() as u64 + 2, vec![]));
    let lengths = listing.values().filter(|(mode, _)| mode & 0o170_000 == 0o100_000);
    assert_eq!(exported.bytes, lengths.map(|(_, contents)| contents.len() as u64).sum::<u64>());
}

#[test]
fn empty_trees_are_as_in_an_archive() {
    let test = TestRepo::new();
    let empty = store(&test, "tree", b"");
    assert!(check(&test, &commit_of(&test, &empty)).0.is_empty());
    let nested = store_tree(&test, &[("40000", b"a", &empty)]);
    let blob = store(&test, "blob", b"text");
    let entries = [("40000", &b"a"[..], nested.as_str()), ("100664", b"b", &blob)];
    let outer = store_tree(&test, &entries);
    assert_eq!(check(&test, &commit_of(&test, &outer)).0.len(), 1);
}

#[test]
fn line_ends_equal_an_archive_under_every_setting() {
    let test = TestRepo::new();
    let contents: [(&str, &[u8]); 6] = [
        ("mixed", MIXED),
        ("lf", b"a\nb\n"),
        ("crlf", b"a\r\nb\r\n"),
        ("nul", b"a\0\nb\n"),
        ("control", b"\x01\x02\n"),
        ("dos", b"a\nb\n\x1a"),
    ];
    let attributes = [
        "",
        "text",
        "-text",
        "text=auto",
        "text=input",
        "text=other",
        "crlf",
        "-crlf",
        "crlf=input",
        "crlf=auto",
        "eol=lf",
        "eol=crlf",
        "eol=other",
        "-eol",
        "text eol=lf",
        "text eol=crlf",
        "text=auto eol=lf",
        "text=auto eol=crlf",
        "-text eol=crlf",
        "text=input eol=crlf",
        "binary",
        "binary text",
        "-binary",
        "!text eol=crlf",
        "text -crlf",
        "text=other crlf",
    ];
    let mut lines = String::new();
    for (n, attributes) in attributes.iter().enumerate() {
        lines.push_str(&format!("*.{n} {attributes}\n"));
        contents.iter().for_each(|(name, text)| test.write(&format!("{name}.{n}"), text));
    }
    // The files are added before the attributes, so that git does not convert them.
    test.git(&["add", "-A"]);
    test.write(".gitattributes", lines);
    test.git(&["add", ".gitattributes"]);
    test.git(&["commit", "-qm", "line ends"]);
    let commit = test.git(&["rev-parse", "HEAD"]);
    for auto_crlf in ["false", "true", "input"] {
        for eol in ["lf", "crlf", "native"] {
            test.git(&["config", "core.autocrlf", auto_crlf]);
            test.git(&["config", "core.eol", eol]);
            check(&test, &commit);
        }
    }
}

#[test]
fn attributes_nest_and_override_as_in_git() {
    let test = TestRepo::new();
    let names = ["a.txt", "b.TXT", "sub/a.txt", "sub/deep/a.txt", "sub/deep/b.c", "other/a.txt"];
    names.iter().for_each(|name| test.write(name, MIXED));
    test.git(&["add", "-A"]);
    let files = [
        (
            "",
            "# comment\n\n*.txt eol=crlf\n!*.c text\n\"quo\\\"te\" text\n[attr]dos text eol=crlf\n\
              /other/** -text\n**/deep/*.c dos\n*.txt bad!name eol=lf\n\ttext leading\n",
        ),
        ("sub/", "*.txt -text\n[attr]dos -text\n/deep/a.txt text=auto\n"),
        ("sub/deep/", "a.txt !text eol=lf\n../a.txt text\nb.[a-c] dos\r\n"),
    ];
    for (dir, text) in files {
        test.write(&format!("{dir}.gitattributes"), text);
        test.git(&["add", &format!("{dir}.gitattributes")]);
    }
    test.git(&["commit", "-qm", "attributes"]);
    let commit = test.git(&["rev-parse", "HEAD"]);
    check(&test, &commit);
    for (info, ignore_case) in [("sub/deep/* eol=crlf text\n", "false"), ("*.txt text\n", "true")] {
        fs::create_dir_all(test.path().join(".git/info")).unwrap();
        fs::write(test.path().join(".git/info/attributes"), info).unwrap();
        test.git(&["config", "core.ignorecase", ignore_case]);
        check(&test, &commit);
    }
}

#[test]
fn the_text_of_a_link_named_gitattributes_is_read_as_git_does() {
    let test = TestRepo::new();
    test.write("a", "a\n");
    std::os::unix::fs::symlink("* eol=crlf", test.path().join(".gitattributes")).unwrap();
    check(&test, &test.commit("a link"));
}

#[test]
fn ident_equals_an_archive() {
    let test = TestRepo::new();
    let text = "$Id$ $Id:$ $Id: x $ $Id: a b $ $Id$$Id$ $Id: open\n$Id:\n$ $Id: y\n$Id$";
    ["a.yes", "b.no", "c.val", "d.crlf"].iter().for_each(|name| test.write(name, text));
    test.git(&["add", "-A"]);
    test.write(".gitattributes", "*.yes ident\n*.val ident=1\n*.crlf ident eol=crlf\n");
    let (listing, _) = check(&test, &test.commit("ident"));
    assert!(listing[b"a.yes".as_slice()].1.starts_with(b"$Id: "));
}

#[test]
fn encodings_equal_an_archive() {
    let test = TestRepo::new();
    let texts: [(&str, &[u8]); 6] = [
        ("ascii", b"plain\n"),
        ("latin", "caf\u{e9}\n".as_bytes()),
        ("euro", "\u{20ac}\n".as_bytes()),
        ("wide", "\u{feff}\u{1f600} \u{41f}\u{440}\n".as_bytes()),
        ("empty", b""),
        ("invalid", b"\xff\xfe\n"),
    ];
    let names = [
        "UTF-16",
        "utf16",
        "UTF-16LE",
        "UTF-16BE",
        "UTF-16LE-BOM",
        "utf-16be-bom",
        "UTF-32",
        "UTF-32LE",
        "UTF-32BE",
        "ISO-8859-1",
        "latin-1",
        "iso8859-15",
        "CP1252",
        "windows-1251",
        "KOI8-R",
        "CP866",
        "UTF-8",
        "utf8",
    ];
    let mut attributes = String::new();
    for (n, encoding) in names.iter().enumerate() {
        attributes.push_str(&format!("*.{n} working-tree-encoding={encoding} eol=crlf\n"));
        texts.iter().for_each(|(name, text)| test.write(&format!("{name}.{n}"), text));
    }
    test.git(&["add", "-A"]);
    test.write(".gitattributes", attributes);
    test.git(&["add", ".gitattributes"]);
    test.git(&["commit", "-qm", "encodings"]);
    let (_, exported) = check(&test, &test.git(&["rev-parse", "HEAD"]));
    assert_eq!(exported.warnings.len(), 1, "{:?}", exported.warnings);
}

#[test]
fn each_ignored_attribute_is_reported_once() {
    let test = TestRepo::new();
    let lines =
        "*.bin filter=lfs\n*.kr working-tree-encoding=EUC-KR\n*.set working-tree-encoding\n";
    // The tree is made by hand, because git does not add files while an encoding has no name.
    let (lines, text) =
        (store(&test, "blob", lines.as_bytes()), store(&test, "blob", b"pointer\n"));
    let files = ["a.bin", "b.bin", "c.kr", "d.set"];
    let mut entries = vec![("100644", &b".gitattributes"[..], lines.as_str())];
    entries.extend(files.iter().map(|name| ("100644", name.as_bytes(), text.as_str())));
    let commit = commit_of(&test, &store_tree(&test, &entries));
    test.git(&["config", "filter.lfs.smudge", "sed s/pointer/SMUDGED/"]);
    let (listing, exported) = exported(&test, &commit).unwrap();
    assert_eq!(listing[b"a.bin".as_slice()].1, b"pointer\n");
    assert_eq!(
        exported.warnings,
        [
            "`a.bin`: tinyci does not run the filter `lfs`; the contents stay as committed",
            "`c.kr`: unsupported `working-tree-encoding` `EUC-KR`; the contents stay UTF-8",
            "`d.set`: its `working-tree-encoding` is empty",
        ]
    );
}

/// Returns all supported placeholders, one on each line.
fn all_placeholders() -> String {
    let simple = "H h T t P p e d D s f b B n N % x41 x0a";
    let person = "n e l N E L t d D i I s";
    let simple = simple.split(' ').map(|name| format!("%{name}"));
    let people = ["a", "c"]
        .iter()
        .flat_map(|who| person.split(' ').map(move |part| format!("%{who}{part}")));
    simple.chain(people).map(|name| format!("{name}=$Format:<{name}>$\n")).collect()
}

#[test]
fn placeholders_equal_an_archive() {
    let test = TestRepo::new();
    test.write(".gitattributes", "*.subst export-subst\n*.crlf export-subst eol=crlf\n");
    test.write("a.subst", all_placeholders());
    test.write("b.crlf", "$Format:%H\n%s$ $Format:$ $Format:%$ $Format:open\n");
    test.write("c.txt", "$Format:%H$");
    test.write(".mailmap", "Ada Lovelace <ada@lovelace.org> <ada@example.org>\n");
    let first = test.commit("one");
    check(&test, &first);

    test.git(&["tag", "light"]);
    test.git(&["tag", "-a", "-m", "annotated", "v1.0"]);
    test.git(&["update-ref", "refs/remotes/origin/main", &first]);
    test.git(&["update-ref", "refs/other/name", &first]);
    test.git(&["branch", "feature/x"]);
    check(&test, &first);
    test.git(&["checkout", "-q", "--detach"]);
    check(&test, &first);

    let messages = [
        "subject only",
        "two\nlines\n\nbody\n\nmore",
        "\n\n  lead. ing..dots/../x -- é ..\n \nbody \n\n",
        "",
        " \n",
        "a\n\n\n\nb\n\n\n",
    ];
    for message in messages {
        let tree = test.git(&["rev-parse", "HEAD^{tree}"]);
        let people = "author  A U. Thor, <a@b@c> 1500000000 -0730\ncommitter C <c> 86399 +0000";
        let text = format!("tree {tree}\nparent {first}\nparent {first}\n{people}\n\n{message}");
        check(&test, &store(&test, "commit", text.as_bytes()));
    }
    test.git(&["gc", "-q"]);
    test.git(&["config", "core.abbrev", "11"]);
    check(&test, &first);
}

#[test]
fn placeholders_that_are_not_exact_stay() {
    let test = TestRepo::new();
    test.write(".gitattributes", "* export-subst\n");
    let text = "$Format:%H %ar$ $Format:%(describe:tags=true)$ $Format:%T$ $Format:%ar$";
    test.write("a", text);
    let commit = test.commit("one");
    let (listing, exported) = exported(&test, &commit).unwrap();
    let tree = test.git(&["rev-parse", "HEAD^{tree}"]);
    let expected = text.replace("$Format:%T$", &tree);
    assert_eq!(String::from_utf8_lossy(&listing[b"a".as_slice()].1), expected);
    assert_eq!(
        exported.warnings,
        [
            "`a`: `export-subst` does not support `%ar`; it stays as written",
            "`a`: `export-subst` does not support `%(describe:tags=true)`; it stays as written",
        ]
    );

    let people = "author \u{e9} <a> 1 +0000\ncommitter C <c> 1 +0000\nencoding ISO-8859-1";
    let text = format!("tree {tree}\n{people}\n\nmessage");
    test.write("a", "$Format:%an$ $Format:%ct %e$");
    let commit = store(&test, "commit", text.as_bytes());
    let (listing, _) = self::exported(&test, &commit).unwrap();
    assert!(listing[b"a".as_slice()].1.starts_with(b"$Format:%H %ar$"));
}

#[test]
fn export_ignore_drops_only_on_request() {
    let test = TestRepo::new();
    let names = ["tests/a", "tests/deep/b", "src/tests", "kept", "src/skip/only", "sub/kept"];
    names.iter().for_each(|name| test.write(name, "text"));
    test.write(".gitattributes", "tests/ export-ignore\nskip export-ignore\nsub/* export-ignore\n");
    let commit = test.commit("one");
    let (all, _) = exported(&test, &commit).unwrap();
    names.iter().for_each(|name| assert!(all.contains_key(name.as_bytes()), "{name}"));
    let options = ExportOptions { export_ignore: true, ..ExportOptions::default() };
    let (fewer, _) = export_with(&test, &commit, options).unwrap();
    let paths = |listing: &Listing| listing.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(&fewer), paths(&archive(&test, &commit)));
    assert!(fewer.len() < all.len());
}

#[test]
fn hostile_names_are_refused_with_their_path() {
    let test = TestRepo::new();
    let blob = store(&test, "blob", b"evil");
    let names =
        [".", "..", ".git", ".GIT", "git~1", ".g\u{200c}it", "../evil", "/tmp/evil", "a/b", ""];
    for name in names {
        for mode in ["100644", "120000", "40000", "160000"] {
            let inner = store_tree(&test, &[(mode, name.as_bytes(), &blob)]);
            let error = refusal(&test, &store_tree(&test, &[("40000", b"folder", &inner)]));
            assert_eq!(error.kind(), ErrorKind::Git);
            let path = format!("`{}`", warning::show(format!("folder/{name}").as_bytes()));
            assert!(error.message().contains(&path), "{name:?}: {error}");
        }
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let test = TestRepo::new();
    let outside = tempfile::tempdir().unwrap();
    let text = store(&test, "blob", outside.path().to_str().unwrap().as_bytes());
    let evil = store(&test, "blob", b"evil");
    let inner = store_tree(&test, &[("100644", b"evil", &evil)]);
    for second in [("40000", &b"a"[..], inner.as_str()), ("100644", b"a", &evil)] {
        let error = refusal(&test, &store_tree(&test, &[("120000", b"a", &text), second]));
        assert!(
            error.message().ends_with("`a` has the same name as another entry on this file system")
        );
        assert_eq!(error.kind(), ErrorKind::Git);
    }
    let twice = [("100644", &b"a"[..], evil.as_str()), ("40000", b"a", &inner)];
    assert_eq!(refusal(&test, &store_tree(&test, &twice)).kind(), ErrorKind::Git);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn broken_trees_name_path_and_object() {
    let test = TestRepo::new();
    let blob = store(&test, "blob", b"text");
    let missing = "12".repeat(20);
    for (mode, reason) in [("100644", "missing"), ("120000", "missing"), ("40000", "missing")] {
        let error = refusal(&test, &store_tree(&test, &[(mode, b"lost", &missing)]));
        let message = error.message();
        assert!(message.contains("`lost`") && message.contains(&missing), "{error}");
        assert!(message.contains(reason), "{error}");
    }
    let error = refusal(&test, &store_tree(&test, &[("140000", b"odd", &blob)]));
    assert!(error.message().contains("`odd` has the unknown mode 140000"), "{error}");
    let error = refusal(&test, &store_tree(&test, &[("40000", b"blob", &blob)]));
    assert!(error.message().contains("`blob`"), "{error}");
    let error =
        refusal(&test, &store_tree(&test, &[("100644", b"tree", &store(&test, "tree", b""))]));
    assert!(error.message().contains("is a tree, not a blob"), "{error}");
    let malformed = store(&test, "tree", b"100644 cut");
    let error = refusal(&test, &store_tree(&test, &[("40000", b"cut", &malformed)]));
    assert!(error.message().contains("malformed"), "{error}");
    for text in [&b""[..], b"a\0b"] {
        let text = store(&test, "blob", text);
        let error = refusal(&test, &store_tree(&test, &[("120000", b"link", &text)]));
        assert_eq!(error.kind(), ErrorKind::Git);
    }
    let name = "n".repeat(256);
    let error = refusal(&test, &store_tree(&test, &[("100644", name.as_bytes(), &blob)]));
    assert_eq!((error.kind(), error.message().contains(&name)), (ErrorKind::Git, true));
}

/// What git cannot have written is the commit's fault; what is missing or in the way is not.
#[test]
fn a_refused_tree_is_the_fault_of_its_commit() {
    let test = TestRepo::new();
    let (blob, empty) = (store(&test, "blob", b"text"), store(&test, "blob", b""));
    let (long, malformed) = ("n".repeat(256), store(&test, "tree", b"100644 cut"));
    let missing = "12".repeat(20);
    let cases: [(&str, &[u8], &str, bool); 9] = [
        ("100644", b".git", &blob, true),
        ("40000", b"..", &empty, true),
        ("120000", b"link", &empty, true),
        ("100644", long.as_bytes(), &blob, true),
        ("140000", b"odd", &blob, true),
        ("40000", b"blob", &blob, true),
        ("40000", b"cut", &malformed, true),
        ("100644", b"lost", &missing, false),
        ("40000", b"lost", &missing, false),
    ];
    for (mode, name, id, expected) in cases {
        let error = refusal(&test, &store_tree(&test, &[(mode, name, id)]));
        assert_eq!(error.is_fault_of_commit(), expected, "{error}");
    }
    let occupied = export_to_file(&test, &commit_of(&test, &store_tree(&test, &[])));
    assert!(!occupied.is_fault_of_commit(), "{occupied}");
}

/// What exporting says where a file is in the way.
fn export_to_file(test: &TestRepo, commit: &str) -> Error {
    let around = tempfile::tempdir().unwrap();
    fs::write(around.path().join("file"), "").unwrap();
    let limits = WorkLimits::new(&CancelView::new(&CancelToken::new(), 1), None);
    let (repo, target) = (Repo::open(test.path()).unwrap(), around.path().join("file"));
    export(&repo, commit.parse().unwrap(), &target, &ExportOptions::default(), &limits).unwrap_err()
}

#[test]
fn a_tree_too_deep_is_refused_and_removed() {
    let test = TestRepo::new();
    let blob = store(&test, "blob", b"text");
    let mut names = Vec::new();
    let mut bytes = Vec::new();
    // `git fast-import` creates all levels in one process.
    for (depth, branch) in [(1500, "fits"), (2500, "deep")] {
        let path = format!("{}file", "d/".repeat(depth));
        let head = format!("commit refs/heads/{branch}\ncommitter C <c> 1 +0000\ndata 1\nm");
        bytes.extend(format!("{head}\nM 100644 {blob} {path}\n\n").into_bytes());
        names.push(branch);
    }
    let mut git = test.command();
    let mut git = git.args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert!(git.wait().unwrap().success());

    let repo = Repo::open(test.path()).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let target = temp.path().join("export");
    let limits = WorkLimits::new(&CancelView::new(&CancelToken::new(), 1), None);
    let run = |branch: &str| {
        let commit = test.git(&["rev-parse", branch]).parse().unwrap();
        export(&repo, commit, &target, &ExportOptions::default(), &limits)
    };
    let error = run("deep").unwrap_err();
    assert!(error.message().ends_with("is nested more than 2048 directories deep"));
    assert!(!target.exists());
    assert_eq!(run("fits").unwrap().files, 1);
}

#[test]
fn a_cancellation_removes_everything() {
    let test = TestRepo::new();
    test.write("a", "text");
    let commit = test.commit("one").parse().unwrap();
    let repo = Repo::open(test.path()).unwrap();
    let target = test.outside().join("export");
    let token = CancelToken::new();
    token.cancel();
    let export = |threshold| {
        let limits = WorkLimits::new(&CancelView::new(&token, threshold), None);
        export(&repo, commit, &target, &ExportOptions::default(), &limits)
    };
    assert_eq!(export(1).unwrap_err().kind(), ErrorKind::Canceled);
    assert!(!target.exists());
    assert_eq!(export(2).unwrap().files, 1);
    assert_eq!(export(2).unwrap_err().kind(), ErrorKind::InvalidArg, "it is full now");
    assert!(target.join("a").exists(), "and left alone");
}

#[test]
fn big_files_are_streamed_and_beyond_the_threshold_not_converted() {
    let test = TestRepo::new();
    test.git(&["config", "core.bigFileThreshold", "5m"]);
    test.write("over", "line\n".repeat(1_100_000));
    test.write("under", "line\n".repeat(900_000));
    test.write("plain.bin", "line\n".repeat(900_000));
    test.git(&["add", "-A"]);
    test.write(".gitattributes", "* text eol=crlf\n*.bin -text\n");
    test.git(&["add", ".gitattributes"]);
    test.git(&["commit", "-qm", "big"]);
    let commit = test.git(&["rev-parse", "HEAD"]);
    check(&test, &commit);
    test.git(&["gc", "-q"]);
    check(&test, &commit);
}
