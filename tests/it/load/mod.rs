//! Load: many pushers, many commits, many verdicts.
//!
//! | file | tests |
//! |---|---|
//! | `hook_cost` | a push costs the same with one verdict there and with thousands |
//! | `pushers` | many that push at once while runs are killed at random |
//! | `soak` | many commits through one process: memory and descriptors |

mod hook_cost;
mod pushers;
mod soak;
