//! Where in a shell's text quotes are open.
//!
//! What `q` makes is one word only where no quotes are open around it: between double quotes its own
//! quotes are letters, and `$(…)` in it is run. Of the shell's grammar this knows what opens and
//! closes quotes, and no more.

/// What is open around a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Words, up to this character if they are a command within another one.
    Words(Option<char>),
    DoubleQuotes,
}

/// A shell's text, read once from its beginning to its end.
pub(in crate::script) struct ShellQuotes<'t> {
    text: &'t str,
    at: usize,
    /// What is open, outermost first.
    open: Vec<Open>,
    /// The word that ends a here-document whose lines follow this one.
    here: Option<&'t str>,
}

impl<'t> ShellQuotes<'t> {
    pub(in crate::script) fn new(text: &'t str) -> Self {
        Self { text, at: 0, open: vec![Open::Words(None)], here: None }
    }

    /// True if a quoted word can begin at this place, which is not before the one asked for last.
    pub(in crate::script) fn take_word_at(&mut self, place: usize) -> bool {
        while self.at < place {
            self.step();
        }
        self.at == place && self.open.last() != Some(&Open::DoubleQuotes)
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads on by a character, or by something that holds no words.
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

    /// Reads `<<`, and behind it which line ends the document.
    fn here_operator(&mut self) -> usize {
        let text = self.text;
        let behind = text.get(self.at + 2..).unwrap_or_default();
        if behind.starts_with('<') {
            return 3;
        }
        let word = behind.trim_start_matches(['-', ' ', '\t', '\'', '"', '\\']);
        let end = word.find(|it: char| !it.is_alphanumeric() && it != '_');
        let word = word.get(..end.unwrap_or(word.len())).filter(|word| !word.is_empty());
        // A shift of numbers has none.
        self.here = word.filter(|it| !it.starts_with(|it: char| it.is_ascii_digit()));
        2
    }

    /// The lines of a here-document, the one that ends it included.
    fn here_document(&mut self) -> usize {
        let Some(word) = self.here.take() else { return 1 };
        let mut length = 1;
        for line in self.rest()[1..].split_inclusive('\n') {
            length += line.len();
            if line.trim() == word {
                // The next word begins behind the line's end.
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

    /// Texts in which `@` is where a quoted word would be, and whether it would be one.
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

    /// What a real shell says: a word that is let through is one, and runs nothing.
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
