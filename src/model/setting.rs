//! [`Setting`]: a setting of a repository, with its values.

/// One of the settings, `git config tinyci.*`, as [`Engine::settings`](crate::Engine::settings)
/// lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The name as `git config` takes it: `tinyci.jobs`.
    pub key: String,
    /// The values that are set: one, or several if the key takes several. Empty if nothing is set, so
    /// that the default applies.
    pub values: Vec<String>,
    /// The file that sets the last of them; `None` if nothing is set.
    pub origin: Option<String>,
    /// The default as a value that `git config` takes; `None` if no value has the same effect.
    pub default: Option<&'static str>,
    /// The default for people: the value, or words such as `no limit`.
    pub default_description: &'static str,
    /// The purpose of the setting, with units.
    pub description: &'static str,
}
