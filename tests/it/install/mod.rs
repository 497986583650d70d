//! How a repository gets to use tinyci.
//!
//! | file | tests |
//! |---|---|
//! | `head` | a bare repository whose HEAD names a branch without commits |
//! | `hooks` | the git hook beside other hooks and in other places |
//! | `moving_over` | the example project of TinyCI 0.5, and repositories that move over from it |
//! | `settings` | the settings of a repository |
//! | `shared_accounts` | `core.sharedRepository` |

mod head;
mod hooks;
mod moving_over;
mod settings;
#[cfg(target_os = "linux")]
mod shared_accounts;
