//! Repositories that are damaged, or that no git would write: every command ends, with what git makes
//! of them or with a reason, and no verdict is lost.
//!
//! What is tried is made by a seed, which a failure names; `TINYCI_TEST_SEED` in the environment tries
//! the same again, or something else.
//!
//! | file | tests |
//! |---|---|
//! | `calls` | calls of the program that must end |
//! | `damage` | damaged files of the git directory, beside what git makes of them |
//! | `dice` | numbers of a seed |
//! | `environment` | git's configuration in the environment, and files that may not be read |
//! | `history` | malformed commits |
//! | `partial` | partial clones |
//! | `trees` | trees, beside `git archive` |

mod calls;
mod damage;
mod dice;
mod environment;
mod history;
mod partial;
mod trees;
