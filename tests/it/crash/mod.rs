//! What goes wrong with the machine or the process: nothing is lost, nothing is left half done.
//!
//! | file | tests |
//! |---|---|
//! | `bounds` | configs, scripts, trees and calls that would take any time |
//! | `disk` | a full disk at every point of a run where something is written |
//! | `kill` | `kill -9` at every point of a run |
//! | `output` | builds that print or leave behind any amount of anything, under a memory limit |
//! | `signals` | the first signal stops and cleans up, the second kills |
//! | `state_files` | FIFOs and links in the place of files that tinyci keeps |
//! | `writers` | many processes that write results at once |

mod bounds;
mod disk;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod signals;
mod state_files;
mod writers;
