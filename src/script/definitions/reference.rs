//! [`Definitions`]: everything that scripts can use, as data.

use serde::Serialize;

use super::language;
use crate::{
    model::{error::Error, function::HostFunction},
    script::api::{
        registry::{
            COMMAND_OPTIONS, CONSTANTS, Constant, FUNCTIONS, Function, OBJECTS, PROPERTIES, Param,
            Property, RETRY_OPTIONS, WITH_OPTIONS, step_names,
        },
        tester::{COMMIT_KEYS, METHODS, RESULT, RESULT_KEYS},
        types::{ScriptOption, Type, one_of},
    },
};

/// The script API reference, including the functions of the embedding program.
#[derive(Debug, Serialize)]
pub(crate) struct Definitions<'a> {
    pub(super) v: u32,
    pub(super) steps: Vec<&'static str>,
    pub(super) constants: Vec<Entry>,
    pub(super) functions: Vec<FunctionEntry>,
    pub(super) command_options: Vec<Entry>,
    pub(super) retry_options: Vec<Entry>,
    pub(super) with_options: Vec<Entry>,
    pub(super) context: Vec<PropertyEntry>,
    /// Objects that functions return, and the error that `catch` gets.
    pub(super) objects: Vec<PropertyEntry>,
    /// Functions of the language.
    pub(super) language: Vec<FunctionEntry>,
    pub(super) tests: Tests,
    #[serde(skip)]
    pub(super) host: &'a [HostFunction],
}

/// Objects and keys that are available in tests of a pipeline.
#[derive(Debug, Serialize)]
pub(super) struct Tests {
    pub(super) methods: Vec<FunctionEntry>,
    pub(super) result: Vec<PropertyEntry>,
    pub(super) commit: Vec<Entry>,
    pub(super) command: Vec<Entry>,
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionEntry {
    pub(super) name: String,
    pub(super) signature: String,
    /// Minimum and maximum number of arguments.
    pub(super) arguments: [usize; 2],
    /// Parameters with their types. Not known for functions of the embedding program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) params: Vec<ParamEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) returns: Option<String>,
    /// Name of the effect. Absent for functions of the language, which have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effect: Option<&'static str>,
    pub(super) doc: String,
    /// Origin: `tinyci`, `host` (the embedding program) or `language`.
    pub(super) origin: &'static str,
    /// Type of the first argument of a function of the language, such as `string`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct ParamEntry {
    pub(super) name: String,
    pub(super) takes: String,
    pub(super) optional: bool,
}

impl ParamEntry {
    pub(super) fn of(param: &Param) -> Self {
        Self { name: param.name.to_owned(), takes: param.takes.name(), optional: param.optional }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) takes: String,
    pub(super) doc: &'static str,
    /// Keys of the map, if the type is a map with known keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<Entry>,
}

impl Entry {
    pub(super) fn of(option: &ScriptOption) -> Self {
        Self { name: option.name, takes: option.takes.name(), doc: option.doc, keys: Vec::new() }
    }

    pub(super) fn of_constant(constant: &Constant) -> Self {
        let keys = match constant.holds {
            Type::Options(keys) => keys.iter().map(Entry::of).collect(),
            _ => Vec::new(),
        };
        Self { name: constant.name, takes: constant.holds.name(), doc: constant.doc, keys }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct PropertyEntry {
    pub(super) path: &'static str,
    pub(super) holds: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) params: Vec<ParamEntry>,
    pub(super) doc: &'static str,
}

impl PropertyEntry {
    pub(super) fn of(property: &Property) -> Self {
        Self {
            path: property.path,
            holds: property.holds.name(),
            params: property.params.iter().map(ParamEntry::of).collect(),
            doc: property.doc,
        }
    }
}

impl FunctionEntry {
    pub(super) fn of(function: &Function) -> Self {
        Self {
            name: function.name.to_owned(),
            signature: function.signature(),
            arguments: [*function.counts().start(), *function.counts().end()],
            params: function.params.iter().map(ParamEntry::of).collect(),
            returns: Some(function.returns.name()),
            effect: Some(function.effect.name()),
            doc: function.doc.to_owned(),
            origin: "tinyci",
            of: None,
        }
    }

    pub(super) fn of_host(function: &HostFunction) -> Self {
        Self {
            name: function.name.clone(),
            signature: signature(function),
            arguments: [*function.arguments.start(), *function.arguments.end()],
            params: Vec::new(),
            returns: None,
            effect: Some(function.effect.name()),
            doc: function.doc.clone(),
            origin: "host",
            of: None,
        }
    }

    pub(super) fn of_language(function: language::LanguageFunction) -> Self {
        let name_of = |types: &[Type]| one_of(types.iter().map(|it| it.name()));
        let param = |(name, types): &(String, Vec<Type>)| ParamEntry {
            name: name.clone(),
            takes: name_of(types),
            optional: false,
        };
        let names: Vec<&str> = function.params.iter().map(|(name, _)| name.as_str()).collect();
        Self {
            signature: format!("{}({})", function.name, names.join(", ")),
            arguments: [names.len(); 2],
            params: function.params.iter().map(param).collect(),
            returns: Some(name_of(&function.returns)),
            effect: None,
            doc: function.doc,
            origin: "language",
            of: Some(function.of),
            name: function.name,
        }
    }
}

/// Returns the script API reference.
pub(crate) fn definitions(host: &[HostFunction]) -> Result<Definitions<'_>, Error> {
    Ok(Definitions::new(host))
}

impl<'a> Definitions<'a> {
    pub(super) fn new(host: &'a [HostFunction]) -> Self {
        let own = FUNCTIONS.iter().map(FunctionEntry::of);
        Self {
            v: 1,
            steps: step_names().collect(),
            constants: CONSTANTS.iter().map(Entry::of_constant).collect(),
            functions: own.chain(host.iter().map(FunctionEntry::of_host)).collect(),
            command_options: COMMAND_OPTIONS.iter().map(Entry::of).collect(),
            retry_options: RETRY_OPTIONS.iter().map(Entry::of).collect(),
            with_options: WITH_OPTIONS.iter().map(Entry::of).collect(),
            context: PROPERTIES.iter().map(PropertyEntry::of).collect(),
            objects: OBJECTS.iter().map(PropertyEntry::of).collect(),
            language: language::functions().into_iter().map(FunctionEntry::of_language).collect(),
            tests: Tests {
                methods: METHODS.iter().map(FunctionEntry::of).collect(),
                result: RESULT.iter().map(PropertyEntry::of).collect(),
                commit: COMMIT_KEYS.iter().map(Entry::of).collect(),
                command: RESULT_KEYS.iter().map(Entry::of).collect(),
            },
            host,
        }
    }

    /// Returns the reference as one line of JSON.
    pub(crate) fn to_json(&self) -> String {
        // Serializing strings and numbers does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Returns a signature such as `post(a, b?)`, since the parameters of a host's function have no
/// names.
pub(super) fn signature(function: &HostFunction) -> String {
    let letters = ('a'..='z').enumerate().take(*function.arguments.end());
    let parameters: Vec<String> = letters
        .map(|(index, letter)| {
            let optional = if index < *function.arguments.start() { "" } else { "?" };
            format!("{letter}{optional}")
        })
        .collect();
    format!("{}({})", function.name, parameters.join(", "))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::function::{Effect, Value};

    pub(in crate::script::definitions) fn host() -> [HostFunction; 1] {
        let doc = "Posts a message.";
        let post =
            HostFunction::new("slack::post", 1..=2, Effect::External, doc, |_| Ok(Value::Null));
        [post.unwrap()]
    }

    #[test]
    fn json_holds_every_function_the_host_s_too() {
        let host = host();
        let json = Definitions::new(&host).to_json();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let functions = json["functions"].as_array().unwrap();
        assert_eq!(functions.len(), FUNCTIONS.len() + 1);
        let last = functions.last().unwrap();
        assert_eq!(last["signature"], "slack::post(a, b?)");
        assert_eq!((&last["origin"], &last["effect"]), (&"host".into(), &"external".into()));
        assert_eq!(json["context"].as_array().unwrap().len(), PROPERTIES.len());
        assert_eq!(functions[0]["params"][0]["takes"], "string or array");
        assert_eq!(json["constants"][0]["keys"][2]["name"], "approve");
        let split = json["language"].as_array().unwrap().iter().find(|it| it["name"] == "split");
        assert_eq!(split.unwrap()["of"], "string");
    }

    /// The chapter of the guide is this page. If it differs, the test writes it again and
    /// fails.
    #[test]
    fn the_guide_has_the_page() {
        let page = Definitions::new(&[]).to_markdown();
        let title = "# The script API\n";
        let chapter = "The output of `tinyci defs`: everything that a script can use. It is generated \
                       from the tables that tinyci runs scripts with.\n";
        let chapter =
            page.replacen(title, chapter, 1).replace("\n## ", "\n# ").replace("\n### ", "\n## ");
        if chapter != include_str!("../../guide/script_api.md") {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/script_api.md");
            std::fs::write(path, chapter).unwrap();
            panic!("the script API changed, and `src/guide/script_api.md` was written anew");
        }
    }

    #[test]
    fn the_page_names_everything_once() {
        let host = host();
        let page = Definitions::new(&host).to_markdown();
        for function in FUNCTIONS {
            assert_eq!(page.matches(&format!("### `{}(", function.name)).count(), 1);
        }
        for constant in CONSTANTS {
            assert_eq!(page.matches(&format!("### `const {}`", constant.name)).count(), 1);
        }
        assert!(page.contains("## Functions of this program\n\n### `slack::post(a, b?)`\n\nPosts"));
        assert!(!Definitions::new(&[]).to_markdown().contains("of this program"));
    }
}
