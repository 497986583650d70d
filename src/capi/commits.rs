//! [`tinyci_commits`]: pending commits, and exporting a commit to a directory.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    sync::OnceLock,
};

use super::{
    cancel::tinyci_cancel,
    code::tinyci_code,
    engine::tinyci_engine,
    error::ErrorOut,
    guard::{self, Completion, Step},
    handle::{Handle, Sealed, handle, optional},
    selection::{selection_of, tinyci_selection},
    text::{CText, borrowed, bytes_out, c_text, c_text_lossy},
};
use crate::{CancelToken, Commit, commit::GitString};

/// A list of commits, read one by one. You own it.
pub struct tinyci_commits(Sealed<Commits>);

handle!(tinyci_commits, Commits, "commits");

impl tinyci_commits {
    fn of(commits: Vec<Commit>) -> Self {
        let all = commits.into_iter().map(|commit| tinyci_commit::new(CommitText::new(commit)));
        Self::new(Commits { all: all.collect(), given: 0 })
    }
}

/// The commits, and how many of them were returned.
pub(super) struct Commits {
    all: Vec<tinyci_commit>,
    given: usize,
}

/// A commit as git stores it. It belongs to the `tinyci_commits` that it came from, and is valid as
/// long as that is.
pub struct tinyci_commit(Sealed<CommitText>);

handle!(tinyci_commit, CommitText, "commit");

/// A commit, and its strings for C.
pub(super) struct CommitText {
    id: CString,
    tree: CString,
    parents: Vec<CString>,
    author: CString,
    subject: CString,
    message: CString,
    branch: Option<CString>,
    json: OnceLock<CString>,
    commit: Commit,
}

impl CommitText {
    fn new(commit: Commit) -> Self {
        Self {
            id: c_text(&commit.id.to_string()),
            tree: c_text(&commit.tree.to_string()),
            parents: commit.parents.iter().map(|id| c_text(&id.to_string())).collect(),
            author: c_text_lossy(commit.author.as_bytes()),
            subject: c_text_lossy(commit.subject.as_bytes()),
            message: c_text_lossy(commit.message.as_bytes()),
            json: OnceLock::new(),
            branch: commit.branch.as_ref().map(|branch| c_text_lossy(branch.as_bytes())),
            commit,
        }
    }
}

/// Finds the pending commits, oldest first. Runs nothing.
///
/// @param engine     The engine.
/// @param selection  The commits to check; NULL for all pending commits.
/// @param out        Where to store the commits; free them with `tinyci_commits_free`. NULL on an
///                   error.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_GIT` if the
///         repository cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pending_commits(
    engine: Option<&tinyci_engine>,
    selection: Option<&tinyci_selection>,
    out: Option<&mut MaybeUninit<*mut tinyci_commits>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let commits = opened.engine.pending_commits(&selection_of(selection)?)?;
        Ok(tinyci_commits::of(commits))
    })
}

/// Resolves a revision to the full id of its commit.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param out       Where to store the id, forty hexadecimal digits; free it with
///                  `tinyci_string_free`. NULL on an error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_resolve(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        Ok(c_text(&opened.engine.resolve(revision.required("revision")?)?.to_string()))
    })
}

/// Reads commits by their revisions, whether they are pending or not. One call for many commits is
/// much faster than one call for each.
///
/// @param engine     The engine.
/// @param revisions  The revisions, one per line, in any git revision syntax.
/// @param out        Where to store the commits, in the order of the revisions; free them with
///                   `tinyci_commits_free`. NULL on an error.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_GIT` if the
///         repository cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commits_load(
    engine: Option<&tinyci_engine>,
    revisions: CText<'_>,
    out: Option<&mut MaybeUninit<*mut tinyci_commits>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let revisions: Vec<&str> =
            revisions.required("revisions")?.lines().filter(|it| !it.is_empty()).collect();
        let engine = &opened.engine;
        let commits = match revisions[..] {
            // Only this call fails if the commit is damaged.
            [revision] => vec![engine.commit(revision)?],
            _ => {
                let ids: Result<Vec<_>, _> =
                    revisions.into_iter().map(|it| engine.resolve(it)).collect();
                engine.commits(&ids?)?.into_iter().flatten().collect()
            }
        };
        Ok(tinyci_commits::of(commits))
    })
}

/// Returns the next commit of a list.
///
/// @param commits  The commits.
/// @param out      Where to store the commit. It belongs to `commits`: do not free it. NULL if
///                 there is none.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_DONE` after the last commit.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commits_next(
    commits: Option<&mut tinyci_commits>,
    out: Option<&mut MaybeUninit<*const tinyci_commit>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::step(commits, out, err, |commits| {
        let Some(commit) = commits.all.get(commits.given) else { return Ok(Step::Done) };
        commits.given += 1;
        Ok(Step::Item(std::ptr::from_ref(commit)))
    })
}

/// Returns the full id of a commit.
///
/// @param commit  The commit, or NULL.
/// @return Forty hexadecimal digits, valid as long as the commit; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_id(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.id)))
}

/// Returns the full id of a commit's tree. Commits with the same tree contain the same files.
///
/// @param commit  The commit, or NULL.
/// @return Forty hexadecimal digits, valid as long as the commit; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_tree(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.tree)))
}

/// Returns how many parents a commit has.
///
/// @param commit  The commit, or NULL.
/// @return The number: 0 for a first commit, 2 or more for a merge; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_parent_count(commit: Option<&tinyci_commit>) -> usize {
    guard::peek(commit, |commit| commit.parents.len())
}

/// Returns the full id of one of a commit's parents.
///
/// @param commit  The commit, or NULL.
/// @param index   The index of the parent, from 0, in git's order.
/// @return Forty hexadecimal digits, valid as long as the commit; NULL if there is no such parent,
///         and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_parent(
    commit: Option<&tinyci_commit>,
    index: usize,
) -> *const c_char {
    guard::peek(commit, |commit| borrowed(commit.parents.get(index)))
}

/// Returns the author of a commit.
///
/// @param commit  The commit, or NULL.
/// @return `Name <address>`, valid as long as the commit; U+FFFD replaces what is not UTF-8. NULL
///         for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_author(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.author)))
}

/// Returns the author as git stores it, in any encoding.
///
/// @param commit  The commit, or NULL.
/// @param length  Where to store the number of bytes, or NULL.
/// @return The bytes without a final NUL, valid as long as the commit; NULL, and length 0, for
///         NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_author_bytes(
    commit: Option<&tinyci_commit>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    bytes(commit, length, |commit| Some(&commit.author))
}

/// Returns the branch that the commit is tested for, without `refs/heads/`.
///
/// @param commit  The commit, or NULL.
/// @return The branch, valid as long as the commit; U+FFFD replaces what is not UTF-8. NULL if no
///         branch contains the commit, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_branch(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(commit.branch.as_ref()))
}

/// Returns the branch as git stores it, in any encoding.
///
/// @param commit  The commit, or NULL.
/// @param length  Where to store the number of bytes, or NULL.
/// @return The bytes without a final NUL, valid as long as the commit; NULL, and length 0, if no
///         branch contains the commit, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_branch_bytes(
    commit: Option<&tinyci_commit>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    bytes(commit, length, |commit| commit.branch.as_ref())
}

/// Returns the subject of a commit: the first paragraph of its message, on one line.
///
/// @param commit  The commit, or NULL.
/// @return The subject, valid as long as the commit; U+FFFD replaces what is not UTF-8. NULL for
///         NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_subject(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.subject)))
}

/// Returns the subject as git stores it, in any encoding.
///
/// @param commit  The commit, or NULL.
/// @param length  Where to store the number of bytes, or NULL.
/// @return The bytes without a final NUL, valid as long as the commit; NULL, and length 0, for
///         NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_subject_bytes(
    commit: Option<&tinyci_commit>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    bytes(commit, length, |commit| Some(&commit.subject))
}

/// Returns the complete message of a commit.
///
/// @param commit  The commit, or NULL.
/// @return The message, valid as long as the commit; U+FFFD replaces what is not UTF-8. NULL for
///         NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_message(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.message)))
}

/// Returns the message as git stores it, in any encoding.
///
/// @param commit  The commit, or NULL.
/// @param length  Where to store the number of bytes, or NULL.
/// @return The bytes without a final NUL, valid as long as the commit; NULL, and length 0, for
///         NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_message_bytes(
    commit: Option<&tinyci_commit>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    bytes(commit, length, |commit| Some(&commit.message))
}

/// Returns a commit as one line of JSON: `id`, `tree`, `parents`, `time` in seconds since 1970,
/// `author`, `subject`, `message`, and `branch` if it has one.
///
/// @param commit  The commit, or NULL.
/// @return The JSON, valid as long as the commit; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_json(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| {
        borrowed(Some(commit.json.get_or_init(|| c_text(&commit.commit.to_json()))))
    })
}

fn bytes(
    commit: Option<&tinyci_commit>,
    length: Option<&mut MaybeUninit<usize>>,
    text: impl FnOnce(&Commit) -> Option<&GitString>,
) -> *const u8 {
    let usable = commit.and_then(|commit| commit.0.usable());
    bytes_out(usable.and_then(|it| text(&it.commit)).map(GitString::as_bytes), length)
}

/// Returns the committer time of a commit.
///
/// @param commit  The commit, or NULL.
/// @return Seconds since 1970-01-01 00:00 UTC; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_time(commit: Option<&tinyci_commit>) -> i64 {
    guard::peek(commit, |commit| commit.commit.time)
}

/// Frees a list of commits and each `tinyci_commit` in it.
///
/// @param commits  The commits, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commits_free(commits: Option<Box<tinyci_commits>>) {
    guard::free(commits);
}

/// Writes the files of a commit to a directory, like `git archive`, but without honoring
/// `export-ignore`.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param dir       The directory, which must be empty or not exist.
/// @param cancel    A token that stops the export from another thread; NULL for none.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_INVALID_ARG` for a
///         directory that is not empty; `TINYCI_GIT` for a tree that cannot be read or is not safe
///         to write; `TINYCI_IO` if the directory cannot be created or the disk is full;
///         `TINYCI_CANCELED`. On an error, the files already written are removed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_export_commit(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    dir: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act(engine, err, |opened| {
        let never = CancelToken::new();
        let cancel = optional(cancel)?.unwrap_or(&never);
        opened.engine.export(revision.required("revision")?, dir.path("dir")?, cancel)?;
        Ok(Completion::Done)
    })
}
