//! The reference of the script API, written from the tables that scripts run by and from what the
//! language's engine says of itself: as a page, as JSON, and as a file of definitions for editors.
//!
//! | file | holds |
//! |---|---|
//! | `reference` | all that scripts can use, as data |
//! | `language` | what the language itself has |
//! | `page` | the chapter of the guide |
//! | `editor` | definitions for editors |

mod editor;
mod language;
mod page;
mod reference;

pub(crate) use self::reference::definitions;
