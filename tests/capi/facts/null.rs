//! Whether a function accepts NULL for a parameter: read from what its body does with it, followed
//! through the functions that it hands the parameter to.

use std::collections::BTreeSet;

use syn::{
    Expr, ExprCall, ExprClosure, ExprLet, ExprMethodCall, ItemFn, Local, Pat,
    visit::{self, Visit},
};

use super::sources::{Sources, parameters};

/// Methods that ask for NULL: the body has something to do in that case.
const ASK: [&str; 2] = ["is_some", "is_none"];

/// Methods that make an error of NULL.
const REFUSE: [&str; 5] = ["required", "path", "of_length", "ok_or", "ok_or_else"];

/// Methods that go on with NULL.
const ACCEPT: [&str; 10] = [
    "optional",
    "lossy",
    "map",
    "map_or",
    "map_or_else",
    "and_then",
    "is_some_and",
    "unwrap_or",
    "unwrap_or_default",
    "unwrap_or_else",
];

/// Methods whose result is NULL if the parameter is.
const SAME: [&str; 3] = ["as_deref", "as_deref_mut", "bytes"];

/// True if the function accepts NULL for the parameter; none if its body does not show it.
pub(super) fn accepts_null(
    sources: &Sources,
    file: &str,
    function: &ItemFn,
    parameter: &str,
) -> Option<bool> {
    let mut uses = Uses { sources, file, parameter, asks: false, found: BTreeSet::new() };
    uses.visit_block(&function.block);
    // Otherwise one use that refuses NULL is enough: the others come after it.
    if uses.asks { Some(true) } else { uses.found.first().copied() }
}

/// The uses of one parameter in one body. `false`, which refuses NULL, is the first of the set.
struct Uses<'a> {
    sources: &'a Sources,
    file: &'a str,
    parameter: &'a str,
    asks: bool,
    found: BTreeSet<bool>,
}

impl Uses<'_> {
    /// True if the expression is the parameter, or NULL with it.
    fn is_parameter(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Path(it) => it.path.is_ident(self.parameter),
            Expr::MethodCall(it) => {
                SAME.iter().any(|same| it.method == same) && self.is_parameter(&it.receiver)
            }
            _ => false,
        }
    }

    fn binds(&self, pattern: &Pat) -> bool {
        let mut names = Names(BTreeSet::new());
        names.visit_pat(pattern);
        names.0.contains(self.parameter)
    }

    /// Follows the parameter into a function that it is handed to.
    fn follow(&mut self, call: &ExprCall, index: usize) {
        let Expr::Path(path) = &*call.func else { return };
        let path: Vec<String> =
            path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let Some((file, function)) = self.sources.function(self.file, &path) else { return };
        let Some((name, _)) = parameters(function).into_iter().nth(index) else { return };
        self.found.extend(accepts_null(self.sources, file, function, &name));
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if self.is_parameter(&call.receiver) {
            self.asks |= ASK.iter().any(|ask| call.method == ask);
            if REFUSE.iter().any(|refuse| call.method == refuse) {
                self.found.insert(false);
            } else if ACCEPT.iter().any(|accept| call.method == accept) {
                self.found.insert(true);
            }
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        for (index, argument) in call.args.iter().enumerate() {
            if self.is_parameter(argument) {
                self.follow(call, index);
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_let(&mut self, it: &'ast ExprLet) {
        if self.is_parameter(&it.expr) {
            self.found.insert(true);
        }
        visit::visit_expr_let(self, it);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let diverges = local.init.as_ref().filter(|init| init.diverge.is_some());
        if diverges.is_some_and(|init| self.is_parameter(&init.expr)) {
            self.found.insert(true);
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        // A closure's own parameter of that name is something else.
        if !closure.inputs.iter().any(|input| self.binds(input)) {
            visit::visit_expr_closure(self, closure);
        }
    }
}

/// The names that a pattern binds.
struct Names(BTreeSet<String>);

impl<'ast> Visit<'ast> for Names {
    fn visit_pat_ident(&mut self, it: &'ast syn::PatIdent) {
        self.0.insert(it.ident.to_string());
        visit::visit_pat_ident(self, it);
    }
}
