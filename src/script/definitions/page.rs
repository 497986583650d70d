//! Writes the reference as a Markdown page.

use std::fmt::Write;

use super::reference::{Definitions, Entry, FunctionEntry, ParamEntry, PropertyEntry};

/// The header of a table of functions.
const FUNCTION_HEADER: &str = "| function | returns | meaning |\n|---|---|---|";

/// The names of types in the page, each with a description in Markdown.
const TYPES: [(&str, &str); 17] = [
    ("any value", "A value of any type."),
    ("array", "An array, such as `[1, 2]`."),
    ("bool", "`true` or `false`."),
    ("bytes", "A blob: an array of bytes."),
    ("char", "A character, such as `'a'`."),
    (
        "duration",
        "A string with a unit (`\"500ms\"`, `\"90s\"`, `\"5m\"`), or a number of seconds.",
    ),
    ("error", "The error that `catch` gets."),
    ("function", "A closure, such as `|x| x + 1`."),
    ("int", "An integer, such as `3`."),
    ("iterator", "A value that `for` iterates over."),
    ("map", "A map, such as `#{ a: 1 }`."),
    ("null", "No value. Scripts write `()`."),
    ("number", "An int or a float, such as `1.5`."),
    ("range", "A range of integers, such as `0..9`."),
    ("secret", "The value of a secret. It cannot be converted into a string."),
    ("string", "A string, such as `\"a\"`. A string in backticks can contain `${…}`."),
    ("timestamp", "A point in time."),
];

// Writing to a String does not fail.
impl Definitions<'_> {
    /// Returns the page in Markdown.
    pub(crate) fn to_markdown(&self) -> String {
        let mut page = String::from("# The script API\n\n## Steps\n\n");
        let steps: Vec<String> = self.steps.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            page,
            "A function with one of these names is a step of the pipeline: {}. It takes no parameters, \
             or one: `ctx`.",
            steps.join(", ")
        );
        types(&mut page);
        page.push_str("\n## Constants\n");
        for Entry { name, takes, doc, keys } in &self.constants {
            let _ = writeln!(page, "\n### `const {name}`\n\n{doc}\n\nType: {takes}.");
            if !keys.is_empty() {
                page.push('\n');
                table(&mut page, keys);
            }
        }
        self.functions_of(&mut page, "Functions", "tinyci");
        self.functions_of(&mut page, "Functions of this program", "host");
        options(&mut page, "Options of `sh`, `try_sh` and `capture`", &self.command_options);
        options(&mut page, "Options of `retry`", &self.retry_options);
        options(&mut page, "Options of `with`", &self.with_options);
        properties(&mut page, "The context", &self.context);
        properties(&mut page, "The result of `try_sh` and the error of `catch`", &self.objects);
        self.language(&mut page);
        self.tests(&mut page);
        page
    }

    fn functions_of(&self, page: &mut String, title: &str, origin: &str) {
        let mut functions = self.functions.iter().filter(|it| it.origin == origin).peekable();
        if functions.peek().is_none() {
            return;
        }
        let _ = writeln!(page, "\n## {title}");
        for function in functions {
            let FunctionEntry { signature, doc, effect, params, returns, .. } = function;
            let _ = writeln!(page, "\n### `{signature}`\n\n{doc}\n");
            for ParamEntry { name, takes, optional } in params {
                let optional = if *optional { ", optional" } else { "" };
                let _ = writeln!(page, "- `{name}`: {takes}{optional}");
            }
            if let Some(returns) = returns {
                let _ = writeln!(page, "- returns: {returns}");
            }
            let _ = writeln!(page, "- effect: {}", effect.unwrap_or_default());
        }
    }

    /// Writes the functions of the language, grouped by the type of their first argument.
    fn language(&self, page: &mut String) {
        page.push_str(
            "\n## Functions of the language\n\nEach can be called as `name(value, …)` or as \
             `value.name(…)`. A function that returns null changes the value itself.\n",
        );
        let mut of = None;
        for function in &self.language {
            if function.of != of {
                of = function.of;
                let title = of.unwrap_or_default();
                let _ = writeln!(page, "\n### First argument: {title}\n\n{FUNCTION_HEADER}");
            }
            row(page, function);
        }
    }

    fn tests(&self, page: &mut String) {
        page.push_str("\n## Tests\n\n`t` has a method for each step, and these:\n\n");
        let _ = writeln!(page, "{FUNCTION_HEADER}");
        for function in &self.tests.methods {
            row(page, function);
        }
        properties(page, "The result of a step in a test", &self.tests.result);
        options(page, "The commit of a test", &self.tests.commit);
        options(page, "The result of a command in a test", &self.tests.command);
    }
}

fn types(page: &mut String) {
    page.push_str("\n## Types\n\n| type | values |\n|---|---|\n");
    for (name, doc) in TYPES {
        let _ = writeln!(page, "| {name} | {} |", cell(doc));
    }
}

fn row(page: &mut String, function: &FunctionEntry) {
    let FunctionEntry { name, params, returns, doc, .. } = function;
    let typed = |it: &ParamEntry| {
        format!("{}{}: {}", it.name, if it.optional { "?" } else { "" }, it.takes)
    };
    let params: Vec<String> = params.iter().map(typed).collect();
    let returns = returns.as_deref().unwrap_or_default();
    let signature = format!("`{name}({})`", params.join(", "));
    let _ = writeln!(page, "| {} | {} | {} |", cell(&signature), cell(returns), cell(doc));
}

fn properties(page: &mut String, title: &str, properties: &[PropertyEntry]) {
    let _ = writeln!(page, "\n## {title}\n\n| property | type | meaning |\n|---|---|---|");
    for PropertyEntry { path, holds, doc, .. } in properties {
        let _ = writeln!(page, "| `{path}` | {} | {} |", cell(holds), cell(doc));
    }
}

fn options(page: &mut String, title: &str, options: &[Entry]) {
    let _ = writeln!(page, "\n## {title}\n");
    table(page, options);
}

fn table(page: &mut String, entries: &[Entry]) {
    page.push_str("| key | type | meaning |\n|---|---|---|\n");
    for Entry { name, takes, doc, .. } in entries {
        let _ = writeln!(page, "| `{name}` | {} | {} |", cell(takes), cell(doc));
    }
}

/// Escapes a string for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
