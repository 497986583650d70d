//! The nodes of a syntax tree: each of them, closures and variables.

use rhai::{AST, ASTNode, Expr, Stmt};

/// Closures are functions under names that nobody can write.
pub(in crate::script) fn is_closure(name: &str) -> bool {
    name.contains('$')
}

/// Shows every node, those behind `break` included, which the language's walk leaves out.
pub(in crate::script) fn each_node(ast: &AST, see: &mut dyn FnMut(&[ASTNode<'_>])) {
    ast.walk(&mut |path: &[ASTNode<'_>]| descend(path, see));
}

fn descend(path: &[ASTNode<'_>], see: &mut dyn FnMut(&[ASTNode<'_>])) -> bool {
    see(path);
    if let Some(ASTNode::Stmt(Stmt::BreakLoop(Some(value), ..))) = path.last() {
        value.walk(&mut path.to_vec(), &mut |path: &[ASTNode<'_>]| descend(path, see));
    }
    true
}

/// The name of the closure that an expression makes, and the names of what it captures.
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
        // What makes captured variables shared, and then the closure.
        Expr::Stmt(block) => match block.statements() {
            [Stmt::Share(_), Stmt::Expr(made)] => closure_made(made),
            _ => None,
        },
        _ => None,
    }
}

/// The name of a plain variable.
pub(in crate::script) fn variable(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(variable, ..) if variable.2.is_empty() => Some(&variable.1),
        _ => None,
    }
}
