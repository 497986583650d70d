//! Failures of the machine and crashes of the process. Nothing is lost, and nothing is left half
//! done.
//!
//! | file | tests |
//! |---|---|
//! | `bounds` | configs, scripts, trees and calls that would take unlimited time |
//! | `damage` | refs whose newest state is damaged |
//! | `disk` | a disk that is full at any point of a run |
//! | `fuzz` | the targets of the fuzzer, and a short test of each |
//! | `kill` | `kill -9` at every point of a run |
//! | `matrix` | `kill -9` before calls that change something, of each command |
//! | `output` | builds with unlimited output or many processes, under a memory limit |
//! | `points` | chooses the points of a crash by a seed, and tries them in parallel |
//! | `power_cut` | power cuts that lose data that was not flushed |
//! | `scene` | repositories to crash in, and the checks after a crash |
//! | `signals` | the first signal stops and cleans up, the second kills |
//! | `state_files` | FIFOs and symbolic links in place of tinyci's state files |
//! | `traced` | runs the program under `tracer.c` |
//! | `writers` | many processes that write results at the same time |

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
