//! [`tinyci_commits`]: what is due; and a commit's tree, written to a folder.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    sync::OnceLock,
};

use super::{
    cancel::tinyci_cancel,
    engine::tinyci_engine,
    error::ErrorOut,
    guard::{self, Act, Step},
    handle::{Handle, Sealed, handle, optional},
    selection::{selection_of, tinyci_selection},
    status::tinyci_code,
    text::{CText, borrowed, bytes_out, c_text, c_text_lossy},
};
use crate::{CancelToken, Commit, commit::GitString};

/// Commits, to be had one by one. Owned by the host.
pub struct tinyci_commits(Sealed<Commits>);

handle!(tinyci_commits, Commits, "commits");

impl tinyci_commits {
    fn of(commits: Vec<Commit>) -> Self {
        let all = commits.into_iter().map(|commit| tinyci_commit::new(CommitText::new(commit)));
        Self::new(Commits { all: all.collect(), given: 0 })
    }
}

/// The commits, and how many were given out.
pub(super) struct Commits {
    all: Vec<tinyci_commit>,
    given: usize,
}

/// What git knows of a commit. It belongs to the `tinyci_commits` that it came from, and lives as
/// long as that does.
pub struct tinyci_commit(Sealed<CommitText>);

handle!(tinyci_commit, CommitText, "commit");

/// A commit, and its texts as C reads them.
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

/// Finds the commits that are due, oldest first. Nothing is run.
///
/// @param engine     The engine.
/// @param selection  Which commits to look at; NULL for all that is pending.
/// @param out        Where the commits are stored, to be freed with `tinyci_commits_free`; NULL on
///                   an error.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_GIT` where
///         the repository cannot be read.
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

/// Finds the commit that a revision names.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param out     Where the commit's full id is stored, forty hexadecimal digits, to be freed with
///                `tinyci_string_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_resolve(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        Ok(c_text(&opened.engine.resolve(rev.required("rev")?)?.to_string()))
    })
}

/// Reads commits by their revisions, whether they are pending or not.
///
/// @param engine  The engine.
/// @param revs    The revisions, one a line, in any of git's revision syntax. Many in one call are
///                far cheaper than a call for each.
/// @param out     Where the commits are stored, in the order of the revisions, to be freed with
///                `tinyci_commits_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_GIT` if the
///         repository cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commits_load(
    engine: Option<&tinyci_engine>,
    revs: CText<'_>,
    out: Option<&mut MaybeUninit<*mut tinyci_commits>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let revs: Vec<&str> = revs.required("revs")?.lines().filter(|it| !it.is_empty()).collect();
        let engine = &opened.engine;
        let commits = match revs[..] {
            // The one way that fails if the commit is damaged.
            [rev] => vec![engine.commit(rev)?],
            _ => {
                let ids: Result<Vec<_>, _> =
                    revs.into_iter().map(|it| engine.resolve(it)).collect();
                engine.commits(&ids?)?.into_iter().flatten().collect()
            }
        };
        Ok(tinyci_commits::of(commits))
    })
}

/// Gives the next commit.
///
/// @param commits  The commits.
/// @param out      Where the commit is stored, which belongs to `commits`: do not free it. NULL
///                 where there is none.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_DONE` when all were given.
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

/// The commit's full id.
///
/// @param commit  The commit, or NULL.
/// @return Forty hexadecimal digits, which live as long as the commit; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_id(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.id)))
}

/// The full id of the commit's tree: two commits with one tree hold the same files.
///
/// @param commit  The commit, or NULL.
/// @return Forty hexadecimal digits, which live as long as the commit; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_tree(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.tree)))
}

/// Returns how many parents the commit has.
///
/// @param commit  The commit, or NULL.
/// @return The number: 0 for a first commit, 2 or more for a merge; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_parent_count(commit: Option<&tinyci_commit>) -> usize {
    guard::peek(commit, |commit| commit.parents.len())
}

/// Returns the full id of one of the commit's parents.
///
/// @param commit  The commit, or NULL.
/// @param index   Which parent, from 0, in git's order.
/// @return Forty hexadecimal digits, which live as long as the commit; NULL if it has no such
///         parent, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_parent(
    commit: Option<&tinyci_commit>,
    index: usize,
) -> *const c_char {
    guard::peek(commit, |commit| borrowed(commit.parents.get(index)))
}

/// Returns the commit's author.
///
/// @param commit  The commit, or NULL.
/// @return `Name <address>`, with U+FFFD in place of what is not UTF-8; it lives as long as the
///         commit. NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_author(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.author)))
}

/// Returns the author as git stores it, in any encoding.
///
/// @param commit  The commit, or NULL.
/// @param len     Where the number of bytes is stored, or NULL.
/// @return The bytes, without a NUL behind them, which live as long as the commit; NULL and 0 for
///         NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_author_bytes(
    commit: Option<&tinyci_commit>,
    len: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    bytes(commit, len, |commit| Some(&commit.author))
}

/// The branch that the commit is judged for, without `refs/heads/`.
///
/// @param commit  The commit, or NULL.
/// @return The branch, with U+FFFD in place of what is not UTF-8; it lives as long as the commit.
///         NULL where no branch holds the commit, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_branch(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(commit.branch.as_ref()))
}

/// The same as git holds it, in any encoding.
///
/// @param commit  The commit, or NULL.
/// @param len     Where the number of bytes is stored, or NULL.
/// @return The bytes, without a NUL behind them, which live as long as the commit; NULL and 0 where
///         no branch holds the commit, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_branch_bytes(
    commit: Option<&tinyci_commit>,
    len: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    bytes(commit, len, |commit| commit.branch.as_ref())
}

/// The first paragraph of the commit's message, on one line.
///
/// @param commit  The commit, or NULL.
/// @return The text, with U+FFFD in place of what is not UTF-8; it lives as long as the commit.
///         NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_subject(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.subject)))
}

/// The same as git holds it, in any encoding.
///
/// @param commit  The commit, or NULL.
/// @param len     Where the number of bytes is stored, or NULL.
/// @return The bytes, without a NUL behind them, which live as long as the commit; NULL and 0 for
///         NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_subject_bytes(
    commit: Option<&tinyci_commit>,
    len: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    bytes(commit, len, |commit| Some(&commit.subject))
}

/// Returns the commit's whole message.
///
/// @param commit  The commit, or NULL.
/// @return The message, with U+FFFD in place of what is not UTF-8; it lives as long as the commit.
///         NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_message(commit: Option<&tinyci_commit>) -> *const c_char {
    guard::peek(commit, |commit| borrowed(Some(&commit.message)))
}

/// Returns the message as git stores it, in any encoding.
///
/// @param commit  The commit, or NULL.
/// @param len     Where the number of bytes is stored, or NULL.
/// @return The bytes, without a NUL behind them, which live as long as the commit; NULL and 0 for
///         NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_message_bytes(
    commit: Option<&tinyci_commit>,
    len: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    bytes(commit, len, |commit| Some(&commit.message))
}

/// Returns all of the commit as one line of JSON: `id`, `tree`, `parents`, `time` in seconds since
/// 1970, `author`, `subject`, `message`, and `branch` if it has one.
///
/// @param commit  The commit, or NULL.
/// @return The JSON, which lives as long as the commit; NULL for NULL.
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
    len: Option<&mut MaybeUninit<usize>>,
    text: impl FnOnce(&Commit) -> Option<&GitString>,
) -> *const u8 {
    let usable = commit.and_then(|commit| commit.0.usable());
    bytes_out(usable.and_then(|it| text(&it.commit)).map(GitString::as_bytes), len)
}

/// The committer's time.
///
/// @param commit  The commit, or NULL.
/// @return Seconds since 1970 in UTC; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commit_time(commit: Option<&tinyci_commit>) -> i64 {
    guard::peek(commit, |commit| commit.commit.time)
}

/// Frees commits.
///
/// @param commits  The commits, which are gone then with every `tinyci_commit` of theirs, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_commits_free(commits: Option<Box<tinyci_commits>>) {
    guard::free(commits);
}

/// Writes a commit's tree to a folder: what `git archive` packs, except that `export-ignore` leaves
/// nothing out.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param dir     The folder, which must not exist or be empty.
/// @param cancel  What can stop it from another thread; NULL for nothing.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit;
///         `TINYCI_INVALID_ARG` for a folder that is not empty; `TINYCI_GIT` for a tree that cannot
///         be read or must not be written; `TINYCI_IO` where the folder cannot be made or the disk
///         is full; `TINYCI_CANCELED`. On an error nothing of it is left behind.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_export_commit(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    dir: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act(engine, err, |opened| {
        let never = CancelToken::new();
        let cancel = optional(cancel)?.unwrap_or(&never);
        opened.engine.export(rev.required("rev")?, dir.path("dir")?, cancel)?;
        Ok(Act::Done)
    })
}
