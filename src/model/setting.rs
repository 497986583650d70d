//! [`Setting`]: a key of the repository's settings, and what is set.

/// One of the settings, `git config tinyci.*`, as [`Engine::settings`](crate::Engine::settings)
/// lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// What `git config` calls it: `tinyci.jobs`.
    pub key: String,
    /// What is set and holds: several values of a key that takes several, else one; none where the
    /// default holds.
    pub values: Vec<String>,
    /// The file that the last of them stands in.
    pub origin: Option<String>,
    /// What holds where nothing is set: a value, or a word about it.
    pub default: &'static str,
    /// What it is for.
    pub description: &'static str,
}
