//! Imports: modules from the commit's tree, all read before anything runs.
//!
//! The path of an import is a literal, so loading a script finds everything that it can run. Cycles
//! are found without recursion in the engine. Modules are those of the commit, even if a build
//! changes the export.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use rhai::{
    ASTNode, Engine, EvalAltResult, Expr, Module, ModuleResolver, Position as RhaiPosition, Scope,
    Shared, Stmt,
};

use super::unit::{Unit, place};
use crate::{
    model::{
        error::{Error, Position},
        script::{Tree, TreeFile},
    },
    script::{
        text::{excerpt, source::Source},
        values::thrown::bare,
    },
    util::lock::lock,
};

/// Maximum number of modules that a script may import, directly or indirectly.
pub(in crate::script) const MODULES_MAX: usize = 32;

/// An `import` statement.
struct Import {
    path: String,
    position: Position,
}

/// Reads everything that a script imports, directly or indirectly.
pub(in crate::script) struct Importer<'a> {
    pub(in crate::script) tree: &'a dyn Tree,
    /// Parses a file and checks its top level.
    pub(in crate::script) parse: &'a dyn Fn(Source) -> Result<Unit, Error>,
    /// Modules by their path in the tree.
    pub(in crate::script) modules: BTreeMap<String, Unit>,
}

impl Importer<'_> {
    /// Reads the imports of a file. `chain` contains the paths of the files that led to it.
    pub(in crate::script) fn follow(
        &mut self,
        unit: &Unit,
        chain: &mut Vec<String>,
    ) -> Result<(), Error> {
        for import in imports_of(unit)? {
            let at = |message: String| excerpt::error(&unit.source, import.position, message);
            let path = module_path(&import.path)
                .map_err(|why| at(format!("`{}` cannot be imported: {why}", import.path)))?;
            if let Some(begin) = chain.iter().position(|other| *other == path) {
                let circle: Vec<&str> =
                    chain.iter().skip(begin).map(String::as_str).chain([&*path]).collect();
                return Err(at(format!("imports form a circle: {}", circle.join(" → "))));
            }
            if self.modules.contains_key(&path) {
                continue;
            }
            if self.modules.len() >= MODULES_MAX {
                return Err(at(format!("more than {MODULES_MAX} modules are imported")));
            }
            let bytes = match self.tree.entry(&path)? {
                TreeFile::File(bytes) => bytes,
                TreeFile::Link => {
                    return Err(at(format!(
                        "`{path}` is a symbolic link or in a linked directory; a module must be a \
                         regular file"
                    )));
                }
                TreeFile::Absent => return Err(at(self.tree.lacks(&path))),
            };
            let module = (self.parse)(Source::new(&bytes, &path)?)?;
            self.modules.insert(path.clone(), module.clone());
            chain.push(path);
            self.follow(&module, chain)?;
            chain.pop();
        }
        Ok(())
    }
}

/// Returns the imports of a file, including those in functions.
fn imports_of(unit: &Unit) -> Result<Vec<Import>, Error> {
    let mut imports = Vec::new();
    let mut computed = None;
    unit.ast.walk(&mut |path: &[ASTNode<'_>]| {
        let Some(ASTNode::Stmt(Stmt::Import(import, at))) = path.last() else { return true };
        match &import.0 {
            Expr::StringConstant(text, _) => {
                imports.push(Import { path: text.to_string(), position: place(*at) });
            }
            other => computed = Some(place(other.position())),
        }
        computed.is_none()
    });
    match computed {
        None => Ok(imports),
        Some(position) => {
            let message = "the path of an import must be a literal string in quotes, so that it is \
                           known before anything runs";
            Err(excerpt::error(&unit.source, position, message))
        }
    }
}

/// Returns the file that an import refers to: `ci/go` is `ci/go.rhai` from the top of the tree.
pub(in crate::script) fn module_path(import: &str) -> Result<String, String> {
    if import.starts_with('/') {
        return Err("a path begins at the top of the repository, not with `/`".to_owned());
    }
    let is_invalid = |part: &str| part.is_empty() || matches!(part, "." | "..");
    if import.split('/').any(is_invalid) || import.contains(['\\', '\0']) {
        return Err(
            "a path consists of names separated by single `/`, without `.` and `..`".to_owned()
        );
    }
    Ok(if import.ends_with(".rhai") { import.to_owned() } else { format!("{import}.rhai") })
}

/// Provides the modules that were read to a running script.
pub(in crate::script) struct Modules {
    units: Arc<BTreeMap<String, Unit>>,
    ready: Mutex<BTreeMap<String, Shared<Module>>>,
}

impl Modules {
    pub(in crate::script) fn new(units: Arc<BTreeMap<String, Unit>>) -> Self {
        Self { units, ready: Mutex::default() }
    }
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.units.keys()).finish()
    }
}

impl ModuleResolver for Modules {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: RhaiPosition,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let absent = || Box::new(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position));
        let path = module_path(path).map_err(|_| absent())?;
        let ready = || lock(&self.ready);
        if let Some(module) = ready().get(&path) {
            return Ok(module.clone());
        }
        let unit = self.units.get(&path).ok_or_else(absent)?;
        let module = Module::eval_ast_as_new(Scope::new(), &unit.ast, engine).map_err(|error| {
            bare(Box::new(EvalAltResult::ErrorInModule(path.clone(), error, position)))
        })?;
        let module = Shared::new(module);
        ready().insert(path, module.clone());
        Ok(module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_tree() {
        assert_eq!(module_path("ci/go"), Ok("ci/go.rhai".to_owned()));
        assert_eq!(module_path("go.rhai"), Ok("go.rhai".to_owned()));
        for bad in ["", "/etc/x", "../x", "a/../x", "a//b", "./a", "a/.", "a\\b", "a\0b", "a/"] {
            assert!(module_path(bad).is_err(), "{bad:?}");
        }
    }
}
