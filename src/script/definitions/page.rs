//! The reference as a page for people.

use std::fmt::Write;

use super::reference::{Definitions, Entry, FunctionEntry, ParamEntry, PropertyEntry};

// Writing to a String does not fail.
impl Definitions<'_> {
    /// A page for people.
    pub(crate) fn to_markdown(&self) -> String {
        let mut page = String::from("# The script API\n\n## Phases\n\n");
        let phases: Vec<String> = self.phases.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            page,
            "A function with one of these names, without parameters or with `ctx`, is a phase: {}.",
            phases.join(", ")
        );
        page.push_str("\n## Constants\n");
        for Entry { name, takes, doc, keys } in &self.constants {
            let _ = writeln!(page, "\n### `const {name}`\n\n{doc}\n\nHolds: {takes}.");
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
        properties(&mut page, "What `try_sh` gives back, and what `catch` gets", &self.objects);
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

    /// The language's own, by what they are functions of.
    fn language(&self, page: &mut String) {
        page.push_str(
            "\n## Functions of the language\n\nEach can be called as `name(value, …)` or as \
             `value.name(…)`. What gives `()` changes the value itself.\n",
        );
        let mut of = None;
        for function in &self.language {
            if function.of != of {
                of = function.of;
                let title = of.unwrap_or_default();
                let _ = writeln!(page, "\n### Of: {title}\n\n| | returns | |\n|---|---|---|");
            }
            row(page, function);
        }
    }

    fn tests(&self, page: &mut String) {
        page.push_str(
            "\n## Tests\n\nWhat `t` has, beside a method for each phase.\n\n| | returns | |\n\
             |---|---|---|\n",
        );
        for function in &self.tests.methods {
            row(page, function);
        }
        properties(page, "The result of a phase in a test", &self.tests.result);
        options(page, "A made-up commit", &self.tests.commit);
        options(page, "How a command ends in a test", &self.tests.command);
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
    let _ = writeln!(page, "\n## {title}\n\n| | holds | |\n|---|---|---|");
    for PropertyEntry { path, holds, doc, .. } in properties {
        let _ = writeln!(page, "| `{path}` | {} | {} |", cell(holds), cell(doc));
    }
}

fn options(page: &mut String, title: &str, options: &[Entry]) {
    let _ = writeln!(page, "\n## {title}\n");
    table(page, options);
}

fn table(page: &mut String, entries: &[Entry]) {
    page.push_str("| | takes | |\n|---|---|---|\n");
    for Entry { name, takes, doc, .. } in entries {
        let _ = writeln!(page, "| `{name}` | {} | {} |", cell(takes), cell(doc));
    }
}

/// A text in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
