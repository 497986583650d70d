//! Writes the script API reference as a definition file, `.d.rhai`, for rhai's language server.
//!
//! Its grammar has no optional parameters, so a function gets one line for each number of
//! arguments.

use std::{collections::BTreeMap, fmt::Write};

use super::{language, reference::Definitions};
use crate::{
    model::function::HostFunction,
    script::api::{
        registry::{CONSTANTS, FUNCTIONS, OBJECTS, PROPERTIES, Param, Property},
        tester::{METHODS, RESULT},
        types::{Type, object_name},
    },
};

/// Function names that the language server reads as keywords.
const NOT_NAMES: [&str; 2] = ["exit", "with"];

// Writing to a String does not fail.
impl Definitions<'_> {
    /// Returns the definition file for editors.
    pub(crate) fn to_rhai(&self) -> String {
        let mut file = String::from("/// The script API of tinyci.\nmodule static;\n");
        types(&mut file);
        for constant in &CONSTANTS {
            docs(&mut file, constant.doc);
            let _ = writeln!(file, "const {}: {};", constant.name, constant.holds.definition());
        }
        for function in FUNCTIONS {
            let returns = function.returns.definition();
            overloads(&mut file, function.name, None, function.params, &returns, function.doc);
        }
        for property in PROPERTIES.iter().chain(&OBJECTS).chain(&RESULT) {
            member(&mut file, property);
        }
        for function in &METHODS {
            let (receiver, returns) = (Some(("t", "T")), function.returns.definition());
            overloads(&mut file, function.name, receiver, function.params, &returns, function.doc);
        }
        for step in &self.steps {
            let doc = format!("Calls `{step}` and returns its result.");
            docs(&mut file, &doc);
            let _ = writeln!(file, "fn {step}(t: T) -> Result;");
            docs(&mut file, &doc);
            let _ = writeln!(file, "fn {step}(t: T, commit: Map) -> Result;");
        }
        for function in language::functions() {
            of_language(&mut file, &function);
        }
        of_host(&mut file, self.host);
        file
    }
}

/// Declares the objects of the API, whose members follow as functions.
fn types(file: &mut String) {
    let of_context = PROPERTIES.iter().map(|it| owner(it.path).0);
    let others = OBJECTS.iter().chain(&RESULT).map(|it| owner(it.path).0);
    let mut names: Vec<String> = of_context.chain(others).map(|it| object_name(&it)).collect();
    names.extend(["Secret".to_owned(), "T".to_owned()]);
    names.sort();
    names.dedup();
    for name in names {
        let _ = writeln!(file, "type {name} = ...;");
    }
}

/// Splits a path into its owner and its name: `ctx.result.build` into `ctx.result` and `build`.
fn owner(path: &str) -> (String, &str) {
    let path = path.split('(').next().unwrap_or(path);
    path.rsplit_once('.').map_or((String::new(), path), |(owner, name)| (owner.to_owned(), name))
}

fn member(file: &mut String, property: &Property) {
    let (owner, name) = owner(property.path);
    let (of, returns) = (object_name(&owner), property.holds.definition());
    if property.params.is_empty() {
        docs(file, property.doc);
        let _ = writeln!(file, "fn get {name}(it: {of}) -> {returns};");
    } else {
        overloads(file, name, Some(("it", &of)), property.params, &returns, property.doc);
    }
}

fn overloads(
    file: &mut String,
    name: &str,
    receiver: Option<(&str, &str)>,
    params: &[Param],
    returns: &str,
    doc: &str,
) {
    let needed = params.iter().filter(|param| !param.optional).count();
    for count in needed..=params.len() {
        let first = receiver.iter().map(|(name, of)| format!("{name}: {of}"));
        let rest = params.iter().take(count);
        let rest = rest.map(|it| format!("{}: {}", it.name, it.takes.definition()));
        let params: Vec<String> = first.chain(rest).collect();
        function(file, name, &params, returns, doc);
    }
}

fn function(file: &mut String, name: &str, params: &[String], returns: &str, doc: &str) {
    let line = format!("fn {name}({}) -> {returns};", params.join(", "));
    if NOT_NAMES.contains(&name) {
        let _ = writeln!(file, "// {line}");
        return;
    }
    docs(file, doc);
    let _ = writeln!(file, "{line}");
}

fn of_language(file: &mut String, described: &language::LanguageFunction) {
    let of =
        |types: &[Type]| types.iter().map(|it| it.definition()).collect::<Vec<_>>().join(" | ");
    let params: Vec<String> =
        described.params.iter().map(|(name, types)| format!("{name}: {}", of(types))).collect();
    function(file, &described.name, &params, &of(&described.returns), &described.doc);
}

/// Declares the functions of the embedding program, each in its module.
fn of_host(file: &mut String, functions: &[HostFunction]) {
    let mut modules: BTreeMap<Option<&str>, Vec<(&str, &HostFunction)>> = BTreeMap::new();
    for function in functions {
        let (module, name) = match function.name.rsplit_once("::") {
            Some((module, name)) => (Some(module), name),
            None => (None, &*function.name),
        };
        modules.entry(module).or_default().push((name, function));
    }
    for (module, functions) in modules {
        let _ = module.map(|module| writeln!(file, "module {module} {{"));
        for (name, host_function) in functions {
            for count in host_function.arguments.clone() {
                let params = ('a'..='z').take(count).map(|letter| format!("{letter}: ?"));
                function(file, name, &params.collect::<Vec<_>>(), "?", &host_function.doc);
            }
        }
        if module.is_some() {
            file.push_str("}\n");
        }
    }
}

fn docs(file: &mut String, doc: &str) {
    file.push('\n');
    for line in doc.lines() {
        let _ = writeln!(file, "/// {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keywords of the language server that could be the name of a function or parameter.
    const KEYWORDS: [&str; 24] = [
        "in", "do", "if", "for", "as", "match", "case", "new", "use", "with", "module", "package",
        "super", "thread", "sync", "default", "null", "void", "until", "exit", "export", "static",
        "switch", "public",
    ];

    /// Returns the rest of a text after a type, by the grammar of the language server.
    fn after_type(text: &str) -> &str {
        let mut rest = after_one(text.trim_start()).trim_start();
        while let Some(more) = rest.strip_prefix('|') {
            rest = after_one(more.trim_start()).trim_start();
        }
        rest
    }

    fn after_one(text: &str) -> &str {
        if let Some(rest) = text.strip_prefix('?').or_else(|| text.strip_prefix("()")) {
            return rest;
        }
        if let Some(rest) = text.strip_prefix('[') {
            return after_type(rest).strip_prefix(']').unwrap();
        }
        if let Some(mut rest) = text.strip_prefix("#{") {
            loop {
                rest = after_type(after_name(rest.trim_start()).strip_prefix(':').unwrap());
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => return rest.trim_start().strip_prefix('}').unwrap(),
                }
            }
        }
        after_name(text)
    }

    fn after_name(text: &str) -> &str {
        let end = text.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(text.len());
        assert!(end > 0, "a name is due at {text:?}");
        let name = &text[..end];
        assert!(!KEYWORDS.contains(&name), "`{name}` is a keyword");
        &text[end..]
    }

    fn read_function(line: &str) {
        let rest = line.strip_prefix("fn ").unwrap();
        let rest = rest.strip_prefix("get ").unwrap_or(rest);
        let mut rest = after_name(rest).strip_prefix('(').unwrap();
        while !rest.starts_with(')') {
            rest = after_type(after_name(rest.trim_start()).strip_prefix(':').unwrap());
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        let rest = rest.strip_prefix(") -> ").unwrap();
        assert_eq!(after_type(rest), ";", "{line}");
    }

    #[test]
    fn every_line_is_one_that_the_language_server_reads() {
        let host = crate::script::definitions::reference::tests::host();
        let file = Definitions::new(&host).to_rhai();
        for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with("//")) {
            match line.split(' ').next().unwrap() {
                "fn" => read_function(line),
                "const" => {
                    let rest = after_name(line.strip_prefix("const ").unwrap());
                    assert_eq!(after_type(rest.strip_prefix(':').unwrap()), ";", "{line}");
                }
                "type" => {
                    let rest = after_name(line.strip_prefix("type ").unwrap());
                    assert_eq!(rest, " = ...;", "{line}");
                }
                "module" => assert!(line == "module static;" || line == "module slack {", "{line}"),
                "}" => {}
                _ => panic!("{line}"),
            }
        }
        assert!(file.starts_with("/// The script API of tinyci.\nmodule static;\n"));
        let post = "module slack {\n\n/// Posts a message.\nfn post(a: ?) -> ?;\n";
        assert!(file.contains(post), "{file}");
        for known in [
            "fn sh(command: String | Array) -> ();",
            "fn get branch(it: Ctx) -> String | ();",
            "fn changed(it: Ctx, globs: String | [String]) -> bool;",
            "fn split(string: String, delimiter: String | char | int) -> Array;",
            "fn expect(t: T, condition: bool) -> ();",
            "const SECRETS: String | [String];",
        ] {
            assert!(file.contains(known), "{known}");
        }
    }
}
