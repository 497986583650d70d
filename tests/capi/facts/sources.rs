//! The syntax trees of `src/capi/`.

use std::{collections::BTreeMap, fs};

use syn::{FnArg, Item, ItemConst, ItemFn, ItemType, Pat, Type};

use crate::header::root;

/// All files of `src/capi/`, by their name without `.rs`.
pub(super) struct Sources(BTreeMap<String, syn::File>);

impl Sources {
    pub(super) fn read() -> Self {
        let mut files = Vec::new();
        for entry in fs::read_dir(root().join("src/capi")).expect("src/capi") {
            let path = entry.expect("an entry").path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Some(name) = name.strip_suffix(".rs") else { continue };
            let text = fs::read_to_string(&path).expect("a source");
            files.push((name.to_owned(), text));
        }
        Self::parse(files)
    }

    /// The files of these names and texts.
    pub(super) fn parse(files: Vec<(String, String)>) -> Self {
        let parsed = files
            .into_iter()
            .map(|(name, text)| (name, syn::parse_file(&text).expect("a source of Rust")));
        Self(parsed.collect())
    }

    fn items(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.0.iter().flat_map(|(file, tree)| tree.items.iter().map(move |it| (file.as_str(), it)))
    }

    /// A free function, and the file that it is in: as a path in `file` names it.
    pub(super) fn function(&self, file: &str, path: &[String]) -> Option<(&str, &ItemFn)> {
        let (name, qualifiers) = path.split_last()?;
        let found: Vec<(&str, &ItemFn)> = self
            .items()
            .filter_map(|(file, item)| match item {
                Item::Fn(function) if function.sig.ident == name => Some((file, function)),
                _ => None,
            })
            .collect();
        if let Some(module) = qualifiers.last() {
            return found.into_iter().find(|(file, _)| file == module);
        }
        let own = found.iter().find(|(found, _)| *found == file).copied();
        own.or(if found.len() == 1 { found.first().copied() } else { None })
    }

    /// The function of the C ABI that has this name.
    pub(super) fn exported(&self, name: &str) -> (&str, &ItemFn) {
        self.function("", &[name.to_owned()]).unwrap_or_else(|| panic!("src/capi has no {name}"))
    }

    pub(super) fn constants(&self) -> impl Iterator<Item = &ItemConst> {
        self.items().filter_map(|(_, item)| match item {
            Item::Const(it) if it.ident.to_string().starts_with("TINYCI_") => Some(it),
            _ => None,
        })
    }

    /// The `type NAME = …;` of this name.
    pub(super) fn alias(&self, name: &str) -> Option<&ItemType> {
        self.items().find_map(|(_, item)| match item {
            Item::Type(it) if it.ident == name => Some(it),
            _ => None,
        })
    }
}

/// The names and types of a function's parameters.
pub(super) fn parameters(function: &ItemFn) -> Vec<(String, &Type)> {
    let typed = function.sig.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(it) => match &*it.pat {
            Pat::Ident(name) => Some((name.ident.to_string(), &*it.ty)),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    });
    typed.collect()
}

/// The documentation of an item, on one line.
pub(super) fn doc(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|it| match &it.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ")
}
