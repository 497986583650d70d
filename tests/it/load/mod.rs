//! Load: many pushers, many commits, many verdicts.
//!
//! | file | tests |
//! |---|---|
//! | `hook_cost` | a push costs the same with one verdict and with thousands |
//! | `pushers` | concurrent pushes while runs are killed at random |
//! | `soak` | many commits in one process: memory and descriptors do not grow |

mod hook_cost;
mod pushers;
mod soak;
