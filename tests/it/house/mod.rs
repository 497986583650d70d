//! Rules of the code that the compiler does not check.
//!
//! | file | rules |
//! |---|---|
//! | `absences` | code that may be in only one place, or in none |
//! | `architecture` | ARCHITECTURE.md names only what exists |
//! | `circles` | circles of imports are small |
//! | `contents_pages` | a `mod.rs` names its files and has no code |
//! | `layers` | imports only go down |
//! | `package` | the registry package has every file that it needs, and no other file |
//! | `public_api` | every public name is listed, and has one path |
//! | `state_files` | state files are opened in one place |
//! | `texts` | the contents of the CHANGELOG, SECURITY.md and the guide |
//! | `words` | words that must not come back |
//!
//! `sources` reads the source files, and `imports` finds out which files each of them imports.

mod absences;
mod architecture;
mod circles;
mod contents_pages;
mod imports;
mod layers;
mod package;
mod public_api;
mod sources;
mod state_files;
mod texts;
mod words;
