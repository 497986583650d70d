//! Formats the excerpt of an error: file, line and column, the line itself, and a caret below the
//! column.

use std::fmt::Write;

use super::source::Source;
use crate::model::error::{Error, ErrorKind, Position};

/// Maximum number of characters shown of a line. It keeps minified scripts from flooding the log.
const LINE_CHARACTERS_MAX: usize = 160;

/// Returns an error at a place in a script.
pub(in crate::script) fn error(
    source: &Source,
    position: Position,
    message: impl Into<String>,
) -> Error {
    let excerpt = excerpt(source, position, "", &[], &str::to_owned);
    Error::new(ErrorKind::Script, message)
        .with_path(&*source.name)
        .with_position(position)
        .with_excerpt(excerpt)
}

/// Returns the lines that show a place. `suffix` follows the place; each note gets a line.
/// `mask` removes secrets before the line is cut, because no mask recognizes half a secret.
pub(in crate::script) fn excerpt(
    source: &Source,
    position: Position,
    suffix: &str,
    notes: &[String],
    mask: &dyn Fn(&str) -> String,
) -> String {
    let number = position.line.to_string();
    let gutter = " ".repeat(number.len() + 2);
    let mut text = format!("{}--> {}:{position}{suffix}", &gutter[1..], source.name);
    if let Some(line) = source.line(position.line) {
        let before: String = line.chars().take(position.column.saturating_sub(1)).collect();
        let (line, column) = cut(&mask(line), mask(&before).chars().count() + 1);
        let space: String = line.chars().take(column.saturating_sub(1)).map(blank).collect();
        // Writing to a String does not fail.
        let _ = write!(text, "\n{gutter}|\n {number} | {line}\n{gutter}| {space}^");
    }
    for note in notes {
        let _ = write!(text, "\n{gutter}= {note}");
    }
    text
}

/// Cuts a line to the maximum length around the column, and returns it with the new column. Control
/// characters, which could move a terminal's cursor, are replaced.
fn cut(line: &str, column: usize) -> (String, usize) {
    let shown = |letter: char| {
        if letter.is_control() && letter != '\t' { char::REPLACEMENT_CHARACTER } else { letter }
    };
    let start = column.saturating_sub(LINE_CHARACTERS_MAX / 2);
    let start = if line.chars().count() <= LINE_CHARACTERS_MAX { 0 } else { start };
    let line = line.chars().skip(start).take(LINE_CHARACTERS_MAX).map(shown).collect();
    (line, column - start)
}

/// Returns whitespace as wide as this character. A tab stays a tab, so that it ends at the same
/// column.
fn blank(letter: char) -> &'static str {
    match letter {
        '\t' => "\t",
        letter if is_combining(letter) => "",
        letter if is_wide(letter) => "  ",
        _ => " ",
    }
}

/// Returns true for characters that terminals show two columns wide.
fn is_wide(letter: char) -> bool {
    matches!(u32::from(letter),
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd)
}

/// Returns true for combining marks and for joiners, which have no width.
fn is_combining(letter: char) -> bool {
    matches!(u32::from(letter),
        0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, line: usize, column: usize) -> Vec<String> {
        let source = Source::new(text.as_bytes(), "ci/a.rhai").unwrap();
        let text = excerpt(
            &source,
            Position::new(line, column),
            " in build",
            &["note".into()],
            &str::to_owned,
        );
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_caret_stands_under_the_column() {
        assert_eq!(
            shown("fn build() {\n    sh(1);\n}", 2, 5),
            ["  --> ci/a.rhai:2:5 in build", "   |", " 2 |     sh(1);", "   |     ^", "   = note"]
        );
    }

    #[test]
    fn tabs_wide_and_combining_letters_keep_it_there() {
        assert_eq!(shown("\t日本e\u{301}x", 1, 6)[3], "   | \t     ^");
        assert_eq!(shown("\t日本e\u{301}x", 1, 6)[2], " 1 | \t日本e\u{301}x");
    }

    #[test]
    fn long_lines_are_cut_around_it_and_places_outside_show_none() {
        let line = format!("{}!{}", "x".repeat(1000), "y".repeat(1000));
        let lines = shown(&line, 1, 1001);
        assert!(lines[2].len() < 200 && lines[2].contains('!'));
        assert_eq!(lines[2].find('!'), lines[3].find('^'));
        let source = Source::new(line.replace('!', "!secret").as_bytes(), "a").unwrap();
        let mask = |text: &str| text.replace("!secret", "***");
        let at = |column| excerpt(&source, Position::new(1, column), "", &[], &mask);
        for column in [915, 925, 1001, 1005, 1080, 1084, 1090] {
            assert!(!at(column).contains("secret") && !at(column).contains('!'), "{}", at(column));
            assert!(at(column).ends_with('^'), "{}", at(column));
        }
        assert_eq!(shown("x", 7, 1).len(), 2);
        assert_eq!(shown("a\u{1b}[2J", 1, 1)[2], " 1 | a\u{fffd}[2J");
    }
}
