//! Checks whether a shell script of several lines continues after a failed command.
//!
//! `sh` runs every line even if an earlier one failed, and a script's status is that of its last
//! command. This file parses as much of the shell's grammar as it needs to separate commands:
//! quotes, comments, here-documents, compound commands. If it cannot parse a script, it reports
//! nothing, because a missing warning is better than a wrong one.

/// Replaces a part of a script that is known only when it runs.
pub(crate) const UNKNOWN: char = '\u{fffc}';

/// Commands that do not fail, whose failure is usually unimportant, or that end the shell if they
/// fail.
const HARMLESS: [&str; 25] = [
    ".", ":", "alias", "break", "continue", "date", "declare", "echo", "exec", "exit", "export",
    "local", "printf", "pwd", "readonly", "return", "set", "shift", "sleep", "trap", "true",
    "type", "umask", "unset", "wait",
];

/// Commands that test something. Before `&&`, their failure is a result.
const QUESTIONS: [&str; 6] = ["[", "[[", "command", "grep", "test", "which"];

/// The maximum nesting depth.
const DEPTH_MAX: usize = 32;

/// Returns the warning for a text whose shell goes on after a command that failed, if it does.
pub(crate) fn lost_failure_warning(text: &str) -> Option<String> {
    let lost = lost_failure(text)?.replace(UNKNOWN, "…");
    Some(format!(
        "if `{lost}` fails, the shell still runs the next line and the failure is lost; write `set \
         -e` as the first line"
    ))
}

/// Returns the first line of the first command that may fail without ending the script. The text
/// may contain placeholders.
fn lost_failure(text: &str) -> Option<String> {
    if !text.trim().contains('\n') {
        return None;
    }
    let text = without_placeholders(text);
    let mut reader = Reader { text: &text, at: 0, heredocs: Vec::new(), depth: 0 };
    let (list, _) = reader.list(&[])?;
    find_lost_failure(&list)
}

/// Replaces each `<%= … %>` with one character.
fn without_placeholders(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<%") {
        plain.push_str(before);
        plain.push(UNKNOWN);
        match after.split_once("%>") {
            Some((_, after)) => rest = after,
            None => return plain,
        }
    }
    plain + rest
}

/// Commands joined by `&&`, `||` and `|`, on one or more lines.
#[derive(Default)]
struct Chain {
    commands: Vec<Command>,
    /// True if `|| …` handles its failure.
    is_handled: bool,
    in_background: bool,
    /// True if a line ends after it.
    ends_line: bool,
    text: String,
}

/// One command.
#[derive(Default)]
struct Command {
    /// The words of a simple command.
    words: Vec<String>,
    /// The command lists of a compound command.
    bodies: Vec<Vec<Chain>>,
    is_compound: bool,
}

fn find_lost_failure(list: &[Chain]) -> Option<String> {
    for (index, chain) in list.iter().enumerate() {
        let bodies = chain.commands.iter().flat_map(|command| &command.bodies);
        if let Some(found) = bodies.into_iter().find_map(|body| find_lost_failure(body)) {
            return Some(found);
        }
        if chain.ends_what_follows() {
            return None;
        }
        let is_read = list.get(index + 1)?.text.contains("$?");
        if chain.ends_line && !is_read && !chain.is_harmless() {
            return chain.text.lines().next().map(|line| line.trim().to_owned());
        }
    }
    None
}

impl Chain {
    /// Returns true if failures after this end the script, if nothing runs after it, or if its
    /// contents are unknown.
    fn ends_what_follows(&self) -> bool {
        let [command] = &self.commands[..] else { return false };
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        match &words[..] {
            ["set", options @ ..] => options.iter().any(|option| {
                let short = option.starts_with('-') && !option.starts_with("--");
                short && option.contains('e') || *option == "errexit"
            }),
            ["exit" | "exec" | "return", ..] => true,
            [only] => only.starts_with(UNKNOWN),
            _ => false,
        }
    }

    fn is_harmless(&self) -> bool {
        if self.is_handled || self.in_background {
            return true;
        }
        let Some((last, before)) = self.commands.split_last() else { return true };
        let is_question = |command: &Command| {
            command.name().is_some_and(|name| QUESTIONS.contains(&name)) || command.is_harmless()
        };
        last.is_harmless() && before.iter().all(is_question)
    }
}

impl Command {
    /// Returns the program's name, after assignments.
    fn name(&self) -> Option<&str> {
        self.words.iter().find(|word| !is_assignment(word)).map(String::as_str)
    }

    fn is_harmless(&self) -> bool {
        if self.is_compound {
            return self.bodies.iter().flatten().all(Chain::is_harmless);
        }
        match self.name() {
            Some(name) => HARMLESS.contains(&name),
            // `VERSION=$(git describe)` fails if the command does.
            None => !self.words.iter().any(|word| word.contains("$(") || word.contains('`')),
        }
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let fits = |it: char| it.is_ascii_alphanumeric() || it == '_';
        !name.is_empty() && name.chars().all(fits) && !name.starts_with(|it: char| it.is_numeric())
    })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// The here-documents that begin after the next newline: their last lines, and true if leading
    /// tabs are removed.
    heredocs: Vec<(String, bool)>,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts_with(&self, token: &str) -> bool {
        self.rest().starts_with(token)
    }

    fn skip(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        if letter == '\n' {
            self.skip_heredocs();
        }
        Some(letter)
    }

    fn skip_heredocs(&mut self) {
        for (end, tabs) in std::mem::take(&mut self.heredocs) {
            while !self.rest().is_empty() {
                let line = self.rest().split('\n').next().unwrap_or_default();
                let length = line.len() + 1;
                let line = if tabs { line.trim_start_matches('\t') } else { line };
                let is_end = line == end;
                self.at = (self.at + length).min(self.text.len());
                if is_end {
                    break;
                }
            }
        }
    }

    /// Skips blanks, continued lines and comments, and also newlines if `newlines` is true.
    fn skip_blanks(&mut self, newlines: bool) {
        loop {
            if self.starts_with("\\\n") {
                self.at += 2;
            } else if self.starts_with("#") {
                while self.peek().is_some_and(|letter| letter != '\n') {
                    self.skip();
                }
            } else if self.peek().is_some_and(|it| it.is_whitespace() && (newlines || it != '\n')) {
                self.skip();
            } else {
                return;
            }
        }
    }

    /// Returns the word at this position, if it has no quotes or expansions.
    fn keyword(&self) -> &str {
        let end = self.rest().find(|it: char| it.is_whitespace() || ";&|()<>\"'`$\\".contains(it));
        self.rest().get(..end.unwrap_or(self.rest().len())).unwrap_or_default()
    }

    /// Parses commands up to one of these words, and returns the word too. Returns `None` if the
    /// text cannot be parsed.
    fn list(&mut self, enders: &[&str]) -> Option<(Vec<Chain>, String)> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut list: Vec<Chain> = Vec::new();
        loop {
            self.skip_blanks(true);
            while self.peek() == Some(';') && !self.starts_with(";;") {
                self.skip();
                self.skip_blanks(true);
            }
            let word = match self.peek() {
                Some(')') => ")".to_owned(),
                _ => self.keyword().to_owned(),
            };
            if enders.contains(&word.as_str()) {
                self.at += word.len();
                self.depth -= 1;
                return Some((list, word));
            }
            if self.peek().is_none() {
                self.depth -= 1;
                return enders.is_empty().then(|| (list, String::new()));
            }
            let before = self.at;
            list.push(self.chain()?);
            if self.at == before {
                return None;
            }
        }
    }

    fn chain(&mut self) -> Option<Chain> {
        let begin = self.at;
        let mut chain = Chain::default();
        loop {
            chain.commands.push(self.command()?);
            self.skip_blanks(false);
            let end = self.at;
            if self.starts_with("&&") || self.starts_with("||") {
                chain.is_handled |= self.starts_with("||");
                self.at += 2;
            } else if self.starts_with("|") {
                // The status of a pipe is that of its last command.
                chain.commands.pop();
                self.at += if self.starts_with("|&") { 2 } else { 1 };
            } else {
                chain.in_background = self.peek() == Some('&');
                if chain.in_background || (self.peek() == Some(';') && !self.starts_with(";;")) {
                    self.skip();
                    self.skip_blanks(false);
                }
                chain.ends_line = self.peek() == Some('\n');
                chain.text = self.text.get(begin..end)?.to_owned();
                return Some(chain);
            }
            self.skip_blanks(true);
        }
    }

    fn command(&mut self) -> Option<Command> {
        self.skip_blanks(false);
        if self.starts_with("((") {
            return self.skip_to("))");
        }
        let keyword = self.keyword().to_owned();
        let mut command = Command { is_compound: true, ..Command::default() };
        match (self.peek(), keyword.as_str()) {
            (Some('('), _) => {
                self.skip();
                command.bodies.push(self.list(&[")"])?.0);
            }
            (_, "{") => {
                self.at += 1;
                command.bodies.push(self.list(&["}"])?.0);
            }
            (_, "!") => {
                self.at += 1;
                self.command()?;
                return Some(Command { words: vec!["true".to_owned()], ..Command::default() });
            }
            (_, "if") => {
                self.at += 2;
                self.list(&["then"])?;
                self.branches(&mut command)?;
            }
            (_, "while" | "until") => {
                self.at += keyword.len();
                self.list(&["do"])?;
                command.bodies.push(self.list(&["done"])?.0);
            }
            (_, "for" | "select") => {
                self.at += keyword.len();
                self.list(&["do"])?;
                command.bodies.push(self.list(&["done"])?.0);
            }
            (_, "case") => return self.skip_to("esac"),
            (_, "[[") => return self.skip_to("]]"),
            (_, "function") => return self.definition(),
            _ => return self.simple(),
        }
        // Redirections.
        self.words()?;
        Some(command)
    }

    fn branches(&mut self, command: &mut Command) -> Option<()> {
        loop {
            let (body, end) = self.list(&["elif", "else", "fi"])?;
            command.bodies.push(body);
            match end.as_str() {
                "elif" => {
                    self.list(&["then"])?;
                }
                "fi" => return Some(()),
                _ => {}
            }
        }
    }

    /// Skips a construct up to this word without parsing its contents.
    fn skip_to(&mut self, end: &str) -> Option<Command> {
        let words = vec![self.keyword().to_owned()];
        while self.keyword() != end {
            match self.peek()? {
                '#' => self.skip_blanks(false),
                it if it.is_whitespace() => {
                    self.skip();
                }
                ';' | '&' | '|' | '(' | ')' | '<' | '>' => {
                    if end == "))" && self.starts_with(end) {
                        break;
                    }
                    self.skip();
                }
                _ => {
                    self.word()?;
                }
            }
        }
        self.at += end.len();
        self.words()?;
        let is_question = end == "]]";
        let compound = Command { is_compound: true, ..Command::default() };
        Some(if is_question { Command { words, ..Command::default() } } else { compound })
    }

    /// Skips a function's body, which runs only when the function is called.
    fn definition(&mut self) -> Option<Command> {
        while self.peek().is_some_and(|it| it != '{') {
            self.skip();
        }
        self.command()?;
        Some(Command { is_compound: true, ..Command::default() })
    }

    fn simple(&mut self) -> Option<Command> {
        let words = self.words()?;
        if words.len() == 1 && self.starts_with("(") {
            return self.definition();
        }
        Some(Command { words, ..Command::default() })
    }

    /// Parses the words of a simple command.
    fn words(&mut self) -> Option<Vec<String>> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks(false);
            match self.peek() {
                None | Some('\n' | ';' | '|' | ')') => return Some(words),
                Some('(') if words.len() <= 1 => return Some(words),
                Some('(') => return None,
                Some('&') if !self.starts_with("&>") => return Some(words),
                Some('<' | '>' | '&') => self.redirection()?,
                Some(_) => words.push(self.word()?),
            }
        }
    }

    fn redirection(&mut self) -> Option<()> {
        if self.starts_with("<<") && !self.starts_with("<<<") {
            self.at += 2;
            let tabs = self.starts_with("-");
            self.at += usize::from(tabs);
            self.skip_blanks(false);
            let end: String = self.word()?.chars().filter(|it| !"\"'\\".contains(*it)).collect();
            self.heredocs.push((end, tabs));
            return Some(());
        }
        while self.peek().is_some_and(|it| "<>&|-".contains(it)) {
            self.skip();
        }
        if self.starts_with("(") {
            self.at += 1;
            return self.parentheses();
        }
        self.skip_blanks(false);
        self.word().map(drop)
    }

    /// Parses one word, including its quoted parts.
    fn word(&mut self) -> Option<String> {
        let begin = self.at;
        while let Some(letter) = self.peek() {
            match letter {
                it if it.is_whitespace() || ";&|()<>".contains(it) => break,
                '\'' => self.quoted('\'')?,
                '"' => self.quoted('"')?,
                '`' => self.quoted('`')?,
                '\\' => {
                    self.at += 1;
                    self.skip();
                }
                '$' if self.starts_with("$(") => {
                    self.at += 2;
                    self.parentheses()?;
                }
                '$' if self.starts_with("${") => self.braces()?,
                _ => {
                    self.skip();
                }
            }
        }
        let word = self.text.get(begin..self.at)?;
        // `a=(1 2)` is an array, which `sh` does not support.
        (!self.starts_with("(") || !word.ends_with('=')).then(|| word.to_owned())
    }

    fn quoted(&mut self, quote: char) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                it if it == quote => {
                    self.at += 1;
                    return Some(());
                }
                '\\' if quote != '\'' => {
                    self.at += 1;
                    self.at += self.peek()?.len_utf8();
                }
                '$' if quote == '"' && self.starts_with("$(") => {
                    self.at += 2;
                    self.parentheses()?;
                }
                letter => self.at += letter.len_utf8(),
            }
        }
    }

    /// Skips the contents of `(` up to the matching `)`.
    fn parentheses(&mut self) -> Option<()> {
        let mut open = 1;
        while open > 0 {
            match self.peek()? {
                '(' => open += 1,
                ')' => open -= 1,
                quote @ ('\'' | '"' | '`') => {
                    self.quoted(quote)?;
                    continue;
                }
                '\\' => self.at += 1,
                _ => {}
            }
            self.at += self.peek()?.len_utf8();
        }
        Some(())
    }

    fn braces(&mut self) -> Option<()> {
        loop {
            match self.peek()? {
                '}' => {
                    self.at += 1;
                    return Some(());
                }
                quote @ ('\'' | '"') => self.quoted(quote)?,
                letter => self.at += letter.len_utf8(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lost_failure;

    #[test]
    fn a_failure_on_a_line_of_its_own_is_lost() {
        for (text, command) in [
            ("make\nmake test\n", "make"),
            ("\n  cd x\n  make\n", "cd x"),
            ("# build\nmake a # first\nmake b", "make a # first"),
            ("echo begin\nmake a\nmake b", "make a"),
            ("a && b\nc", "a && b"),
            ("a &&\n  b\nc", "a &&"),
            ("a | tee log\nb", "a | tee log"),
            ("make \\\n  all\nmake test", "make \\"),
            ("cat > f <<EOF\nx\nEOF\nmake", "cat > f <<EOF"),
            ("cat <<-'EOF'\n\tx\n\tEOF\nmake", "cat <<-'EOF'"),
            ("if true; then\n  make a\n  make b\nfi", "make a"),
            ("if [ -f x ]; then\n  make a\nfi\nmake b", "if [ -f x ]; then"),
            ("for x in 1 2; do\n  make $x\n  make b\ndone", "make $x"),
            ("(\n  make a\n  make b\n)", "make a"),
            ("V=$(git describe)\nmake", "V=$(git describe)"),
            ("[ -f x ] && make x\nmake", "[ -f x ] && make x"),
            ("set -x\nmake\nmake test", "make"),
            ("make 'a\nb'\nmake", "make 'a"),
            ("make\nset -e\nmake", "make"),
            ("curl <%= env(\"A\") %>\nmake", "curl \u{fffc}"),
            ("make a; echo x\nmake b\nmake c", "make b"),
            ("X=1 make\nmake", "X=1 make"),
        ] {
            assert_eq!(lost_failure(text).as_deref(), Some(command), "{text}");
        }
    }

    #[test]
    fn one_command_over_several_lines_and_what_is_handled_is_fine() {
        for text in [
            "make",
            "make\n",
            "\n\nmake\n# done\n",
            "make \\\n  test",
            "make &&\nmake test",
            "make |\n  tee log",
            "make ||\n  exit 1",
            "make\n\n",
            "if [ -f x ]; then\n  make x\nelse\n  make y\nfi\n",
            "for x in *; do\n  make \"$x\"\ndone",
            "while read x; do\n  echo $x\ndone < file",
            "case $X in\n  a) make a;;\n  *) make b\n     make c;;\nesac",
            "cat > f <<EOF\nmake\nmake test\nEOF\n",
            "cat <<A <<'B'\nx\nA\ny\nB",
            "set -e\nmake\nmake test",
            "set -eu\ncd x\nmake",
            "set -euo pipefail\nmake\nmake",
            "set -o errexit\nmake\nmake",
            "set -e; cd x\nmake",
            "cd x || exit 1\nmake",
            "make || true\nmake test",
            "echo begin\nmake",
            ". venv/bin/activate\nmake",
            "export A=1\nB=2\nmake",
            "f() {\n  make a\n  make b\n}\nf",
            "function f {\n  make a\n}\nf",
            "if [ -z \"$X\" ]; then\n  echo missing >&2\n  exit 1\nfi\nmake",
            "[ -n \"$X\" ] && echo set\nmake",
            "[[ -n $X && -n $Y ]] && echo set\nmake",
            "server &\nmake",
            "make\nstatus=$?\necho $status\nexit $status",
            "sh -c 'make\nmake test'",
            "echo \"a\nb\"\nmake",
            "python3 - <<'PY'\nimport x\nx.y()\nPY",
            "\u{fffc}\nmake\nmake",
            "exec make\nmake",
            "a=(1 2)\nmake",
            "make 'unclosed\nmake",
            "if true; then\nmake",
            "(( x > 1 ))",
            "echo $(date\n) `x\ny`\nmake",
        ] {
            assert_eq!(lost_failure(text), None, "{text}");
        }
    }

    #[test]
    fn damaged_texts_never_panic() {
        let text =
            "set +x\nif a; then\n b 'é' \"$(c `d`)\" <<E\nx\nE\nfi\ncase a in b) c;; esac\n(f)\n";
        for (index, letter) in text.char_indices() {
            for patch in ["", "(", "\n", "'", "$(", "<<", "\\"] {
                let mut damaged = text.to_owned();
                damaged.replace_range(index..index + letter.len_utf8(), patch);
                lost_failure(&damaged);
            }
        }
        lost_failure(&"(\n".repeat(10_000));
        lost_failure(&"a\\".repeat(10_000));
    }
}
