//! The rules of the code that a compiler does not check.
//!
//! | file | rules |
//! |---|---|
//! | `absences` | what only one place may do, or none |
//! | `architecture` | ARCHITECTURE.md names what exists |
//! | `circles` | few files import each other |
//! | `contents_pages` | a `mod.rs` names its files and has no code |
//! | `layers` | imports only go down |
//! | `package` | the package of the registry has what it needs, and no stray file |
//! | `public_api` | every public name is listed, and has one path |
//! | `state_files` | files of the state are opened in one place |
//! | `texts` | what the CHANGELOG and the guide have to say |
//! | `words` | words that must not come back |
//!
//! `sources` reads the source files, and `imports` says which import which.

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
