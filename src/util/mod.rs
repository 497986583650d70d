//! General helpers that do not depend on tinyci: strings, numbers, time, files.
//!
//! | file | holds |
//! |---|---|
//! | `blob_id` | the id that git gives to contents |
//! | `bytes` | sizes such as `10m`, parsed and formatted |
//! | `clock` | the current time, and the prefix of log lines |
//! | `duration` | durations such as `90s` |
//! | `flush` | [`Flush`](flush::Flush): what tinyci flushes to the disk, by `core.fsync` |
//! | `header` | the version in the first line of a text file |
//! | `hex` | bytes as hexadecimal digits |
//! | `lock` | mutexes that stay usable after a panic |
//! | `sharing` | [`Sharing`](sharing::Sharing): files that other accounts may use |
//! | `state_file` | opening the files that tinyci keeps |
//! | `suggestion` | "did you mean", and `hint:` lines |
//! | `threads` | threads with a large stack, and the text of a panic |
//! | `unfinished` | files that are written under a temporary name and then renamed |
//! | `version_order` | which of two version numbers is newer |

pub(crate) mod blob_id;
pub(crate) mod bytes;
pub(crate) mod clock;
pub(crate) mod duration;
pub(crate) mod flush;
pub(crate) mod header;
pub(crate) mod hex;
pub(crate) mod lock;
pub(crate) mod sharing;
pub(crate) mod state_file;
pub(crate) mod suggestion;
pub(crate) mod threads;
pub(crate) mod unfinished;
pub(crate) mod version_order;
