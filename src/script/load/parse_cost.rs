//! Counts the cost of parsing a file while it is parsed.
//!
//! For each name, the parser searches all functions and closures read so far, and the variables in
//! scope. A generated file with thousands of closures would keep it busy for minutes, and no
//! deadline applies to parsing. So these lookups have a limit.

#![expect(deprecated, reason = "rhai marks the sight of each token so to call it volatile")]

use std::sync::{Arc, Mutex};

use rhai::{Engine, LexError, Token};

use crate::{script::language::engine::own_word, util::lock::lock};

/// Maximum number of lookups. It allows thousands of functions and closures that use outer
/// variables. That takes 0.1 seconds, or 2 seconds if rhai is built without optimization.
pub(in crate::script) const LOOKUPS_MAX: u64 = 20_000_000;

/// The error message for a file that exceeds the limit.
pub(in crate::script) const TOO_MANY: &str =
    "too many functions, closures and variables in this file; move parts of it to modules";

/// The counters of one file.
#[derive(Debug, Default)]
struct Count {
    /// Number of functions and closures in the file.
    functions: u64,
    /// Number of variables and imports in the current function.
    variables: u64,
    /// Number of parameters in the current list. Each is compared to those before it.
    parameters: Option<u64>,
    lookups: u64,
}

impl Count {
    fn count(&mut self, token: &Token) {
        match token {
            Token::Fn => {
                self.functions += 1;
                self.variables = 0;
                self.parameters = Some(0);
            }
            Token::Pipe if self.parameters.is_some() => self.parameters = None,
            // Treated as a closure. It may be an operator, but those are few.
            Token::Pipe | Token::Or => {
                self.lookups += self.functions + self.variables;
                self.functions += 1;
                self.parameters = (*token == Token::Pipe).then_some(0);
            }
            Token::Let | Token::Const | Token::For | Token::Import => self.variables += 1,
            Token::Identifier(_) => {
                let parameters = self.parameters.unwrap_or_default();
                self.lookups += self.functions + self.variables + parameters;
                self.parameters = self.parameters.map(|count| count + 1);
            }
            Token::LeftParen | Token::Comma => {}
            _ => self.parameters = None,
        }
    }
}

/// Counts the lookups of an engine, and stops the parser if there are too many.
#[derive(Clone)]
pub(in crate::script) struct Lookups {
    max: u64,
    count: Arc<Mutex<Count>>,
}

impl Lookups {
    /// Limits an engine to `max` lookups a file.
    pub(in crate::script) fn limit(engine: &mut Engine, max: u64) -> Self {
        let lookups = Self { max, count: Arc::default() };
        let seen = lookups.clone();
        engine.on_parse_token(move |token, _, _| {
            let token = own_word(token);
            lock(&seen.count).count(&token);
            if !seen.are_too_many() {
                return token;
            }
            Token::LexError(Box::new(LexError::Runtime(TOO_MANY.to_owned())))
        });
        lookups
    }

    /// Resets the counters for the next file.
    pub(in crate::script) fn begin(&self) {
        *lock(&self.count) = Count::default();
    }

    /// Returns true if the limit was exceeded. The parser may report another error, because it
    /// stopped at an unexpected place.
    pub(in crate::script) fn are_too_many(&self) -> bool {
        lock(&self.count).lookups > self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a text is parsed, and whether it is refused because of its lookups.
    fn parse(text: &str) -> (bool, bool) {
        let mut engine = crate::script::language::engine::engine();
        let lookups = Lookups::limit(&mut engine, 100_000);
        lookups.begin();
        (engine.compile(text).is_ok(), lookups.are_too_many())
    }

    #[test]
    fn every_shape_of_too_many_is_counted() {
        let build = |line: &str, count: usize| {
            let body: String = (0..count).map(|n| line.replace('@', &n.to_string())).collect();
            format!("fn build(ctx) {{ {body} }}")
        };
        for line in [
            "defer(|| sh(ctx.commit));\n",
            "let f = || ctx;",
            "let v@ = ctx;",
            "f(|x| x);",
            "if true { import \"a\" as a@; || ctx }",
            "|| 1;",
        ] {
            assert_eq!(parse(&build(line, 100)), (true, false), "{line}");
            assert_eq!(parse(&build(line, 700)), (false, true), "{line}");
        }
        let parameters: String = (0..1_000).map(|n| format!("p{n},")).collect();
        for list in [format!("fn f({parameters}x) {{ }}"), format!("|{parameters}x| x")] {
            assert_eq!(parse(&list), (false, true));
        }
    }

    #[test]
    fn long_files_of_ordinary_functions_are_none() {
        let lines = "    let x = ctx.commit; sh([\"make\", x, ctx.branch]);\n".repeat(10);
        let body = format!("{lines}    retry(3, || sh(x)); parallel([1], |y| sh(y));\n");
        let text: String = (0..360).map(|n| format!("fn f{n}(ctx) {{\n{body}}}\n")).collect();
        let mut engine = crate::script::language::engine::engine();
        let lookups = Lookups::limit(&mut engine, LOOKUPS_MAX);
        assert!(text.len() > 200_000, "{}", text.len());
        assert!(engine.compile(&text).is_ok() && !lookups.are_too_many());
    }
}
