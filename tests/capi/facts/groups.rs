//! The groups of the constants: each is a `type` of its own in `src/capi/`, which its constants,
//! and the parameters and results that take them, have in Rust. C sees a number.

use std::collections::BTreeMap;

use syn::Type;

use super::sources::{Sources, doc};

/// Constants that belong together.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// The C type of its numbers.
    pub(super) number: &'static str,
    pub(super) doc: String,
    /// What the names of its constants begin with.
    pub(super) prefix: String,
}

/// The groups by their Rust type, and the group of each constant.
pub(super) struct Groups {
    pub(super) by_type: BTreeMap<String, Group>,
    pub(super) of_constants: BTreeMap<String, String>,
}

/// The macros that the header has besides: they come from Cargo.toml.
const VERSION_MACROS: &str = "TINYCI_VERSION";
const VERSION_GROUP: &str = "version";

impl Groups {
    pub(super) fn read(sources: &Sources, faults: &mut Vec<String>) -> Self {
        let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for constant in sources.constants() {
            let name = constant.ident.to_string();
            let kind = type_name(&constant.ty).unwrap_or_default();
            if sources.alias(&kind).is_none() {
                faults.push(format!(
                    "{name} is in no group: give it a type of its group in src/capi/, such as \
                     `OutcomeNumber` or `PruneFlags`"
                ));
                continue;
            }
            members.entry(kind).or_default().push(name);
        }
        let mut groups = Self { by_type: BTreeMap::new(), of_constants: BTreeMap::new() };
        for (kind, names) in members {
            match Group::of(sources, &kind, &names) {
                Ok(group) => {
                    let named = names.into_iter().map(|name| (name, group.name.clone()));
                    groups.of_constants.extend(named);
                    groups.by_type.insert(kind, group);
                }
                Err(fault) => faults.push(fault),
            }
        }
        groups
    }

    /// The group of a constant of the header.
    pub(super) fn of_constant(&self, name: &str) -> Option<&str> {
        let is_version = name.starts_with(VERSION_MACROS).then_some(VERSION_GROUP);
        is_version.or_else(|| self.of_constants.get(name).map(String::as_str))
    }
}

impl Group {
    fn of(sources: &Sources, kind: &str, names: &[String]) -> Result<Self, String> {
        let alias = sources.alias(kind).ok_or_else(|| format!("no `type {kind}`"))?;
        let number = match type_name(&alias.ty).as_deref() {
            Some("i32") => "int32_t",
            Some("u32") => "uint32_t",
            _ => return Err(format!("`type {kind}` is neither i32 nor u32")),
        };
        let (name, meaning) = if let Some(name) = kind.strip_prefix("tinyci_") {
            (name.to_owned(), "code")
        } else if let Some(name) = kind.strip_suffix("Number") {
            (snake(name), "choice")
        } else if let Some(name) = kind.strip_suffix("Flags") {
            (snake(name), "flags")
        } else if let Some(name) = kind.strip_suffix("Constant") {
            (snake(name), "constant")
        } else {
            return Err(format!("`type {kind}` ends with neither Number, Flags nor Constant"));
        };
        let doc = doc(&alias.attrs);
        if doc.is_empty() {
            return Err(format!("`type {kind}` says nothing"));
        }
        let prefix = match meaning {
            "code" | "constant" => "TINYCI_".to_owned(),
            _ => common_prefix(&name, names),
        };
        if meaning != "code" && meaning != "constant" && prefix == "TINYCI_" {
            return Err(format!("the constants of `{kind}` have no name in common: {names:?}"));
        }
        Ok(Self { name, kind: meaning, number, doc, prefix })
    }
}

/// What the names of a group begin with: `TINYCI_<GROUP>_`, or else what they have in common.
fn common_prefix(group: &str, names: &[String]) -> String {
    let own = format!("TINYCI_{}_", group.to_uppercase());
    if names.iter().all(|name| name.starts_with(&own)) {
        return own;
    }
    let first = names.first().map(String::as_str).unwrap_or_default();
    let ends = first.match_indices('_').map(|(at, _)| &first[..=at]);
    let common = ends.rev().find(|prefix| names.iter().all(|name| name.starts_with(prefix)));
    common.unwrap_or_default().to_owned()
}

/// The name of a type that is a plain path.
pub(super) fn type_name(kind: &Type) -> Option<String> {
    match kind {
        Type::Path(it) => it.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// `JobCancel` as `job_cancel`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
