//! The repository. This is the only module that uses git2, and none of git2's types leaves it.
//!
//! Child processes, builds and the network are not here. All reads use one handle, which belongs to
//! one thread at a time. Process-wide options of libgit2 change only if a program asks for it.
//!
//! | file | contents |
//! |---|---|
//! | `repository` | [`Repo`]: an open repository, and conversions of git2's ids and errors |
//! | `config` | opening a repository, and git's configuration |
//! | `objects` | trees, blobs, commits as objects |
//! | `refs` | tinyci's refs and all others |
//! | `history` | the commits, and which of them are pending |
//! | `notes` | verdicts and records |

mod config;
mod history;
mod notes;
mod objects;
mod refs;
mod repository;

pub use self::{
    config::libgit2::tune_process,
    notes::{forget::ForgetReport, merge::MergeReport},
};
pub(crate) use self::{
    config::{
        git_config::HIDE_REFS,
        settings::{Given, Settings},
    },
    history::{
        branches::Branch,
        scan::{PendingCommit, ScanRequest},
    },
    notes::{
        merge::newest_verdict,
        missing::MissingNotes,
        records::Line,
        results::ResultsSnapshot,
        verdicts::{Replace, Written},
    },
    objects::{
        attributes::{AutoCrlf, Conversions},
        description::{CommitText, Decoration},
        reader::{Objects, TreeEntry},
    },
    refs::{
        approvals::{CommitSignature, Signers, StoredApproval},
        deployments::StoredHistory,
        hidden::{READ, Writer, is_ref_name, is_written_by_tinyci},
        lookup::Reachable,
        refspecs::OverwritingRefspec,
    },
};

pub(crate) use self::repository::{REFETCH_ALL, Repo};
