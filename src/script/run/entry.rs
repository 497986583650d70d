//! From a phase's function to a program: what stands at the top of the script, then the body of the
//! function.
//!
//! The language takes the place off an error that no script can catch where it leaves a function. In
//! a program it stays, so that a limit points at the line of the phase that spent it.

use rhai::{AST, ASTFlags, ASTNode, Dynamic, Expr, Ident, Module, Stmt};

/// The program of a phase. `context` is what its function takes.
pub(in crate::script) fn program(ast: &AST, phase: &str, context: Option<Dynamic>) -> AST {
    let mut statements = ast.statements().to_vec();
    let found = ast.iter_fn_def().find(|function| *function.name == *phase);
    if let Some(function) = found {
        if let (Some(name), Some(value)) = (function.params.first(), context) {
            let at = function.body.start_position();
            let name = Ident { name: name.clone(), pos: at };
            let value = Expr::DynamicConstant(Box::new(value), at);
            statements.push(Stmt::Var(Box::new((name, value, None)), ASTFlags::empty(), at));
        }
        let mut module = Module::new();
        module.set_script_fn(function.clone());
        let mut body = Vec::new();
        AST::new([], module).walk(&mut |path: &[ASTNode<'_>]| {
            if let [ASTNode::Stmt(statement)] = path {
                body.push((*statement).clone());
            }
            true
        });
        let (begin, end) = (function.body.start_position(), function.body.end_position());
        statements.push(Stmt::Block(Box::new(rhai::StmtBlock::new(body, begin, end))));
    }
    let mut program = AST::new(statements, ast.shared_lib().clone());
    if let Some(source) = ast.source() {
        program.set_source(source);
    }
    program
}
