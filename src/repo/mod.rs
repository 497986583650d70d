//! The repository: the only module that knows git2. No type of git2 leaves it.
//!
//! Not here: child processes, builds, network. Everything is read through one handle that belongs to one
//! thread at a time; nothing process-wide of libgit2 is set unless a program asks for it.
//!
//! | file | holds |
//! |---|---|
//! | `repository` | [`Repo`]: an open repository, and the errors of git2 as ours |
//! | `config` | opening it, and git's configuration |
//! | `objects` | trees, blobs, commits as objects |
//! | `refs` | tinyci's refs and all others |
//! | `history` | which commits there are and are pending |
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
        scan::{DueCommit, ScanRequest},
    },
    notes::{
        merge::{SourceResults, word_that_holds},
        records::Line,
        verdicts::{Replace, Written},
    },
    objects::{
        attributes::{AutoCrlf, Conversions},
        description::{CommitText, Decoration},
        reader::{Objects, TreeEntry},
    },
    refs::{
        approvals::{CommitSignature, Signers, StoredApproval},
        deployments::DeployHistory,
        hidden::{READ, Writer, is_believed, is_ref_name},
        lookup::Reachable,
        refspecs::TakingRefspec,
    },
};

pub(crate) use self::repository::Repo;
