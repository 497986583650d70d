//! Visits the nodes of a syntax tree, and recognizes closures and variables.

use rhai::{AST, ASTNode, Expr, Stmt};

/// Returns true for a closure. Closures are functions with generated names.
pub(in crate::script) fn is_closure(name: &str) -> bool {
    name.contains('$')
}

/// Visits every node, including the value of `break`, which the language's own walk omits.
pub(in crate::script) fn each_node(ast: &AST, visit: &mut dyn FnMut(&[ASTNode<'_>])) {
    ast.walk(&mut |path: &[ASTNode<'_>]| descend(path, visit));
}

fn descend(path: &[ASTNode<'_>], visit: &mut dyn FnMut(&[ASTNode<'_>])) -> bool {
    visit(path);
    if let Some(ASTNode::Stmt(Stmt::BreakLoop(Some(value), ..))) = path.last() {
        value.walk(&mut path.to_vec(), &mut |path: &[ASTNode<'_>]| descend(path, visit));
    }
    true
}

/// Returns the name of the closure that an expression creates, and the names of captured variables.
pub(in crate::script) fn closure_made(expression: &Expr) -> Option<(String, Vec<String>)> {
    match expression {
        Expr::DynamicConstant(value, _) => {
            let pointer = value.read_lock::<rhai::FnPtr>()?;
            is_closure(pointer.fn_name()).then(|| (pointer.fn_name().to_owned(), Vec::new()))
        }
        Expr::FnCall(call, _) if &*call.name == "curry" => {
            let (first, captured) = call.args.split_first()?;
            let (name, _) = closure_made(first)?;
            Some((name, captured.iter().filter_map(variable).map(str::to_owned).collect()))
        }
        // This block shares the captured variables, then creates the closure.
        Expr::Stmt(block) => match block.statements() {
            [Stmt::Share(_), Stmt::Expr(made)] => closure_made(made),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the name of a variable without a module.
pub(in crate::script) fn variable(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(variable, ..) if variable.2.is_empty() => Some(&variable.1),
        _ => None,
    }
}
