//! What the person who looks after a server asks for: settings, and what pruning did.

use serde::Serialize;

use super::VERSION;
use crate::setting::Setting;

impl Setting {
    /// As one line of JSON: `key`, `values`, `origin` where something is set, `default`, `meaning`.
    pub fn to_json(&self) -> String {
        super::json(&SettingMirror {
            v: VERSION,
            key: self.key,
            values: &self.values,
            origin: self.origin.as_deref(),
            default: self.default,
            meaning: self.meaning,
        })
    }
}

#[derive(Serialize)]
struct SettingMirror<'a> {
    v: u32,
    key: &'a str,
    values: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    default: &'a str,
    meaning: &'a str,
}
