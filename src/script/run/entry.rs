//! Turns a step's function into a program: the top level of the script, followed by the body of the
//! function.
//!
//! When an error that no script can catch leaves a function, the language drops its position. In a
//! program the position stays, so a limit error points at the line of the step.

use rhai::{AST, ASTFlags, ASTNode, Dynamic, Expr, Ident, Module, Stmt};

/// Returns the program of a step. `context` is the argument of its function.
pub(in crate::script) fn program(ast: &AST, step: &str, context: Option<Dynamic>) -> AST {
    let mut statements = ast.statements().to_vec();
    let found = ast.iter_fn_def().find(|function| *function.name == *step);
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
