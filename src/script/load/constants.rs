//! Finds constants with a name close to one that tinyci reads, or in a place where tinyci reads
//! none.
//!
//! `const DEPLOYS = #{ approve: true };` is valid in the language but has no effect, so the
//! approval would be lost silently. Such a constant is an error when a script is loaded, unless the
//! script reads it itself.

use std::collections::BTreeSet;

use rhai::{ASTFlags, ASTNode, Expr, Position, Stmt};

use crate::{
    model::check_report::Severity,
    script::{
        api::registry::CONSTANTS,
        syntax::{nodes::each_node, script::Script, unit::Unit},
    },
    util::suggestion::did_you_mean,
};

/// Returns the names of the constants that tinyci reads before a script runs.
fn known() -> [&'static str; 4] {
    CONSTANTS.map(|constant| constant.name)
}

/// A constant that has no effect on tinyci.
pub(in crate::script) struct Misnamed<'a> {
    pub(in crate::script) unit: &'a Unit,
    pub(in crate::script) at: Position,
    pub(in crate::script) severity: Severity,
    pub(in crate::script) message: String,
}

/// The constants that one file declares and reads.
struct File<'a> {
    unit: &'a Unit,
    /// Constants at the top level.
    constants: Vec<(String, Position)>,
    /// Constants in functions.
    local: Vec<(String, Position)>,
    /// Names read as `global::NAME` or at the top level, or exported under another name.
    read: BTreeSet<String>,
    /// Names read without a qualifier in functions.
    read_locally: BTreeSet<String>,
    /// Names read as `module::NAME`.
    read_of_modules: BTreeSet<String>,
}

/// Finds misnamed constants in a script and the modules that it imports.
pub(in crate::script) fn misnamed(script: &Script) -> Vec<Misnamed<'_>> {
    let main = File::new(&script.main);
    let modules: Vec<File<'_>> = script.modules.values().map(File::new).collect();
    let read_of_modules: BTreeSet<String> =
        modules.iter().chain([&main]).flat_map(|file| file.read_of_modules.clone()).collect();
    let mut found = of_main(&main);
    for file in &modules {
        found.extend(of_module(file, &read_of_modules));
    }
    found.extend(modules.iter().chain([&main]).flat_map(in_functions));
    found
}

impl<'a> File<'a> {
    fn new(unit: &'a Unit) -> Self {
        let mut file = Self {
            unit,
            constants: Vec::new(),
            local: Vec::new(),
            read: BTreeSet::new(),
            read_locally: BTreeSet::new(),
            read_of_modules: BTreeSet::new(),
        };
        let top: BTreeSet<Position> =
            unit.ast.statements().iter().map(|statement| statement.position()).collect();
        each_node(&unit.ast, &mut |path| {
            let is_top = path.first().is_some_and(|first| top.contains(&first.position()));
            file.record(path, is_top);
        });
        file
    }

    fn record(&mut self, path: &[ASTNode<'_>], is_top: bool) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(parts, flags, _)))
                if flags.contains(ASTFlags::CONSTANT) =>
            {
                let list = if is_top { &mut self.constants } else { &mut self.local };
                list.push((parts.0.name.to_string(), parts.0.pos));
            }
            Some(ASTNode::Stmt(Stmt::Export(names, _))) if !names.1.name.is_empty() => {
                self.read.insert(names.0.name.to_string());
            }
            Some(ASTNode::Expr(Expr::Variable(parts, ..))) => {
                let read = match parts.2.path.first() {
                    None if is_top => &mut self.read,
                    None => &mut self.read_locally,
                    Some(module) if module.as_str() == "global" => &mut self.read,
                    Some(_) => &mut self.read_of_modules,
                };
                read.insert(parts.1.to_string());
            }
            _ => {}
        }
    }

    fn misnamed(&self, at: Position, is_read: bool, message: String) -> Misnamed<'a> {
        let severity = if is_read { Severity::Warning } else { Severity::Error };
        Misnamed { unit: self.unit, at, severity, message }
    }
}

fn of_main<'a>(file: &File<'a>) -> Vec<Misnamed<'a>> {
    let unknown = file.constants.iter().filter(|(name, _)| !known().contains(&name.as_str()));
    let found = unknown.filter_map(|(name, at)| {
        let is_read = file.read.contains(name);
        if let Some(meant) = near(name) {
            let unread = if is_read { "" } else { ", and nothing reads it" };
            let message =
                format!("tinyci does not use `const {name}`{unread}; did you mean `{meant}`?");
            return Some(file.misnamed(*at, is_read, message));
        }
        // If a function reads it without `global::`, another check reports that.
        if is_read || file.read_locally.contains(name) || name.starts_with('_') {
            return None;
        }
        let hint = match did_you_mean(name, known()) {
            hint if hint.is_empty() => {
                format!("; the constants that tinyci reads are {}", known().join(", "))
            }
            hint => hint,
        };
        let message = format!("nothing reads the constant `{name}`{hint}");
        Some(file.misnamed(*at, true, message))
    });
    found.collect()
}

fn of_module<'a>(file: &File<'a>, read_elsewhere: &BTreeSet<String>) -> Vec<Misnamed<'a>> {
    let found = file.constants.iter().filter_map(|(name, at)| {
        let is_read = file.read.contains(name) || read_elsewhere.contains(name);
        Some(file.misnamed(*at, is_read, misplaced(name, "in a file that is imported", is_read)?))
    });
    found.collect()
}

fn in_functions<'a>(file: &File<'a>) -> Vec<Misnamed<'a>> {
    let unread = file.local.iter().filter(|(name, _)| {
        // Names with lowercase letters are ordinary local names.
        !name.chars().any(char::is_lowercase) && !file.read_locally.contains(name)
    });
    let found = unread.filter_map(|(name, at)| {
        Some(file.misnamed(*at, false, misplaced(name, "in a function", false)?))
    });
    found.collect()
}

/// Returns the message for a constant that would have an effect at the top level of the script.
fn misplaced(name: &str, place: &str, is_read: bool) -> Option<String> {
    let meant = known().into_iter().find(|known| *known == name).or_else(|| near(name))?;
    let unread = if is_read { "" } else { ", and nothing reads it" };
    Some(format!(
        "tinyci does not use `const {name}` {place}{unread}; move `const {meant}` to the top of \
         the script itself"
    ))
}

/// Returns the known constant that differs from this name by one edit, a plural or the case.
fn near(name: &str) -> Option<&'static str> {
    let plain = name.to_uppercase();
    let singular = plain.strip_suffix("ES").or_else(|| plain.strip_suffix('S')).unwrap_or(&plain);
    known()
        .into_iter()
        .filter(|known| *known != name)
        .find(|known| singular == *known || strsim::damerau_levenshtein(&plain, known) <= 1)
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn one_letter_and_a_plural_are_near_and_other_words_are_not() {
        for (name, meant) in [
            ("DEPLOYS", "DEPLOY"),
            ("DELPOY", "DEPLOY"),
            ("deploy", "DEPLOY"),
            ("Deploys", "DEPLOY"),
            ("SECRET", "SECRETS"),
            ("TIMEOUTS", "TIMEOUT"),
            ("TIME_OUT", "TIMEOUT"),
            ("WHENS", "WHEN"),
            ("WEN", "WHEN"),
        ] {
            assert_eq!(near(name), Some(meant), "{name}");
        }
        for name in ["DEPLOY", "DEPLOYMENT", "VERSION", "TIME", "BRANCH", "ES", ""] {
            assert_eq!(near(name), None, "{name}");
        }
    }
}
