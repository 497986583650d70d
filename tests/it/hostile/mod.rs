//! Damaged repositories, and repositories that git would never write. Every command ends, with the
//! same result as git or with a reason, and loses no verdict.
//!
//! A seed chooses the cases, and a failure message names it. Set the environment variable
//! `TINYCI_TEST_SEED` to try the same case again, or other ones.
//!
//! | file | tests |
//! |---|---|
//! | `calls` | runs the program, which must end |
//! | `damage` | damaged files of the git directory, compared with git |
//! | `dice` | pseudorandom numbers from a seed |
//! | `environment` | git's configuration in the environment, and files that may not be read |
//! | `history` | malformed commits |
//! | `partial` | partial clones |
//! | `trees` | malformed trees, compared with `git archive` |

mod calls;
mod damage;
mod dice;
mod environment;
mod history;
mod partial;
mod trees;
