//! [`Setting`]: a setting of a repository, with its values.

/// One setting, `git config tinyci.*`, as [`Engine::settings`](crate::Engine::settings) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The name for `git config`: `tinyci.jobs`.
    pub key: String,
    /// The values that are set; some keys take several. Empty if nothing is set, and the default
    /// applies.
    pub values: Vec<String>,
    /// The file that sets the last value. `None` if nothing is set.
    pub origin: Option<String>,
    /// The default as a value for `git config`. `None` if no value has the same effect.
    pub default: Option<&'static str>,
    /// The default for people: the value, or words such as `no limit`.
    pub default_description: &'static str,
    /// The purpose of the setting, with units.
    pub description: &'static str,
}
