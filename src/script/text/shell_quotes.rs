//! Finds the places in a shell command at which quotes are open.
//!
//! The output of `q` is one word only outside of quotes. Between double quotes, its own quotes are
//! ordinary characters, and a `$(…)` in it runs. This reads only the part of the shell's grammar
//! that opens and closes quotes.

/// A construct that is open at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Words. If they are a command inside another construct, this character ends it.
    Words(Option<char>),
    DoubleQuotes,
}

/// A shell command, read once from its beginning to its end.
pub(in crate::script) struct ShellQuotes<'t> {
    text: &'t str,
    at: usize,
    /// The open constructs, outermost first.
    open: Vec<Open>,
    /// The word that ends the here-document that begins on the next line.
    here: Option<&'t str>,
}

impl<'t> ShellQuotes<'t> {
    pub(in crate::script) fn new(text: &'t str) -> Self {
        Self { text, at: 0, open: vec![Open::Words(None)], here: None }
    }

    /// Returns true if a quoted word can begin at this place. Places must be given in ascending
    /// order.
    pub(in crate::script) fn take_word_at(&mut self, place: usize) -> bool {
        while self.at < place {
            self.step();
        }
        self.at == place && self.open.last() != Some(&Open::DoubleQuotes)
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads one character, or one construct in which no word can begin.
    fn step(&mut self) {
        let rest = self.rest();
        let Some(letter) = rest.chars().next() else { return self.at = usize::MAX };
        let in_words = self.open.last() != Some(&Open::DoubleQuotes);
        let length = match letter {
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '\'' if in_words => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            '#' if in_words && self.begins_word() => rest.find('\n').unwrap_or(rest.len()),
            '\n' if self.here.is_some() => self.here_document(),
            '<' if in_words && rest.starts_with("<<") => self.here_operator(),
            _ => {
                self.open_or_close(letter);
                letter.len_utf8()
            }
        };
        self.at += length;
    }

    fn open_or_close(&mut self, letter: char) {
        let (top, is_command) = (self.open.last().copied(), self.text[..self.at].ends_with('$'));
        match (letter, top) {
            ('"', Some(Open::DoubleQuotes)) | (')', Some(Open::Words(Some(')')))) => {
                self.open.pop();
            }
            ('`', Some(Open::Words(Some('`')))) => drop(self.open.pop()),
            ('"', _) => self.open.push(Open::DoubleQuotes),
            ('`', _) => self.open.push(Open::Words(Some('`'))),
            ('(', Some(Open::Words(_))) => self.open.push(Open::Words(Some(')'))),
            ('(', Some(Open::DoubleQuotes)) if is_command => {
                self.open.push(Open::Words(Some(')')));
            }
            _ => {}
        }
    }

    fn begins_word(&self) -> bool {
        self.text[..self.at].chars().next_back().is_none_or(|it| " \t\n;&|()".contains(it))
    }

    /// Reads `<<` and the word that ends the here-document. Returns the number of bytes read.
    fn here_operator(&mut self) -> usize {
        let text = self.text;
        let rest = text.get(self.at + 2..).unwrap_or_default();
        if rest.starts_with('<') {
            return 3;
        }
        let word = rest.trim_start_matches(['-', ' ', '\t', '\'', '"', '\\']);
        let end = word.find(|it: char| !it.is_alphanumeric() && it != '_');
        let word = word.get(..end.unwrap_or(word.len())).filter(|word| !word.is_empty());
        // A digit follows a shift operator, as in `$((1<<2))`, and not a here-document.
        self.here = word.filter(|it| !it.starts_with(|it: char| it.is_ascii_digit()));
        2
    }

    /// Returns the length of a here-document, including the line that ends it.
    fn here_document(&mut self) -> usize {
        let Some(word) = self.here.take() else { return 1 };
        let mut length = 1;
        for line in self.rest()[1..].split_inclusive('\n') {
            length += line.len();
            if line.trim() == word {
                // The next word begins after this line.
                return length;
            }
        }
        length
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Commands with `@` in the place of a quoted word, and true if it would be one word.
    const TEXTS: [(&str, bool); 26] = [
        ("echo @", true),
        ("echo \"a\" @", true),
        ("echo a\\\"b @", true),
        ("echo \"a \\\" b\" @", true),
        ("echo 'it' \\' @ x", true),
        ("echo \"$(echo @)\"", true),
        ("echo \"`echo @`\"", true),
        ("echo \"$(echo \"a)\" @)\"", true),
        ("(echo @)", true),
        ("echo a#b @", true),
        ("# don't\necho @", true),
        ("echo $# @", true),
        ("cat <<END\ndon't \"\nEND\necho @", true),
        ("cat <<-'END'\n\tdon't\n\tEND\necho @", true),
        ("echo $((1<<2)) @\necho @", true),
        ("echo \"it's\" @", true),
        ("echo @ \"", true),
        ("echo \"@\"", false),
        ("echo \"a @ b\"", false),
        ("echo '@'", false),
        ("echo \"$(echo a) @\"", false),
        ("echo \"${X:-@}\"", false),
        ("cat <<END\n@\nEND\n", false),
        ("cat <<'END'\n@\nEND\n", false),
        ("echo a # @", false),
        ("echo \\@", false),
    ];

    #[test]
    fn a_quoted_word_is_one_only_outside_of_quotes() {
        for (text, expected) in TEXTS {
            for (place, _) in text.match_indices('@') {
                assert_eq!(ShellQuotes::new(text).take_word_at(place), expected, "{text}");
            }
        }
    }

    /// A real shell confirms it: an accepted word is one word, and nothing in it runs.
    #[test]
    fn a_shell_runs_nothing_in_a_word_that_is_let_through() {
        let dir = tempfile::tempdir().unwrap();
        for (text, expected) in TEXTS.into_iter().filter(|(_, expected)| *expected) {
            for payload in ["$(touch pwned)", "`touch pwned`", "x; touch pwned", "\ntouch pwned\n"]
            {
                let command =
                    text.replace('@', &crate::script::functions::commands::quoted(payload));
                let mut shell = Command::new("/bin/sh");
                let _ = shell.args(["-c", &command]).current_dir(&dir).output().unwrap();
                assert!(!dir.path().join("pwned").exists(), "{expected} {command}");
            }
        }
    }
}
