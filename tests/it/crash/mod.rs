//! What goes wrong with the machine or the process: nothing is lost, nothing is left half done.
//!
//! | file | tests |
//! |---|---|
//! | `bounds` | configs, scripts, trees and calls that would take any time |
//! | `damage` | refs whose newest state is damaged |
//! | `disk` | a full disk at every point of a run where something is written |
//! | `fuzz` | the targets of the fuzzer, and a short test of them |
//! | `kill` | `kill -9` at every point of a run |
//! | `matrix` | `kill -9` before any call that changes something |
//! | `output` | builds that print or leave behind any amount of anything, under a memory limit |
//! | `points` | points that a seed chooses, and what all processors try at each |
//! | `power_cut` | what was not flushed is lost |
//! | `scene` | repositories in which something is about to happen |
//! | `signals` | the first signal stops and cleans up, the second kills |
//! | `state_files` | FIFOs and links in the place of files that tinyci keeps |
//! | `traced` | the program under `tracer.c` |
//! | `writers` | many processes that write results at once |

mod bounds;
#[cfg(target_os = "linux")]
mod damage;
mod disk;
mod fuzz;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod matrix;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod points;
#[cfg(target_os = "linux")]
mod power_cut;
#[cfg(target_os = "linux")]
mod scene;
#[cfg(target_os = "linux")]
mod signals;
mod state_files;
#[cfg(target_os = "linux")]
mod traced;
mod writers;
