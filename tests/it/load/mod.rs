//! Load: many pushers, many commits, many verdicts.
//!
//! | file | tests |
//! |---|---|
//! | `counts` | counting system calls |
//! | `growth` | no cost grows faster than the refs, commits and verdicts |
//! | `hook_cost` | a push costs the same with one verdict and with thousands |
//! | `pushers` | concurrent pushes while runs are killed at random |
//! | `soak` | many commits in one process: memory and descriptors do not grow |

mod counts;
mod growth;
mod hook_cost;
mod pushers;
mod soak;
