//! The script API reference, generated from the tables that scripts run with and from the
//! language's metadata. It is a page, JSON, or a definition file for editors.
//!
//! | file | contents |
//! |---|---|
//! | `reference` | everything that scripts can use, as data |
//! | `language` | the functions of the language |
//! | `page` | the chapter of the guide |
//! | `editor` | definitions for editors |

pub(in crate::script) mod editor;
pub(in crate::script) mod language;
pub(in crate::script) mod page;
pub(in crate::script) mod reference;
