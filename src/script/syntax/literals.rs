//! The literals of a script and of everything that it imports.
//!
//! The language cannot tell which parts of a string came from where: its strings have no marks, and
//! `switch`, `+=` and map keys would lose them. So a string is compared with all literals instead.

use std::{collections::BTreeSet, ops::Range, sync::OnceLock};

use rhai::{ASTNode, Dynamic, Expr};

use super::unit::Unit;
use crate::{rules::interpolate::is_safe_byte, script::text::needles::Needles};

/// The literals of a script.
#[derive(Debug)]
pub(in crate::script) struct Literals {
    texts: BTreeSet<String>,
    /// Each `<%= … %>` that is complete within one literal.
    placeholders: BTreeSet<String>,
    needles: OnceLock<Needles>,
}

impl Literals {
    /// Collects the literals of these files.
    pub(in crate::script) fn of<'u>(units: impl Iterator<Item = &'u Unit>) -> Self {
        let mut texts = BTreeSet::new();
        units.for_each(|unit| collect_texts(unit, &mut texts));
        texts.remove("");
        let placeholders = texts.iter().flat_map(|text| {
            text.match_indices("<%").filter_map(|(at, _)| placeholder_at(text, at))
        });
        let placeholders = placeholders.map(str::to_owned).collect();
        Self { texts, placeholders, needles: OnceLock::new() }
    }

    /// Returns true if this placeholder is complete within a literal.
    pub(in crate::script) fn contains_placeholder(&self, placeholder: &str) -> bool {
        self.placeholders.contains(placeholder)
    }

    /// Finds the parts of a string that are literals.
    pub(in crate::script) fn cover(&self, text: &str) -> Cover {
        let needles =
            self.needles.get_or_init(|| Needles::new(self.texts.iter().map(String::as_str)));
        let longest = needles.ends(text).filter_map(|(end, mut found)| {
            let (_, start) = found.next()?;
            Some(start..end)
        });
        Cover::new(text, longest)
    }
}

/// Returns the placeholder that begins at this `<%` of a string, if any.
pub(in crate::script) fn placeholder_at(text: &str, at: usize) -> Option<&str> {
    let inside = text.get(at..)?.strip_prefix("<%=")?;
    // The search stops at the next `<%`. A value may contain a million unclosed ones.
    let inside = inside.split("<%").next().unwrap_or(inside);
    let end = inside.find("%>")?;
    text.get(at..at + "<%=%>".len() + end)
}

/// Adds the literals of a file. Numbers count, since strings are made of them. Names of keys count,
/// since `keys()` returns them.
fn collect_texts(unit: &Unit, texts: &mut BTreeSet<String>) {
    unit.ast.walk(&mut |path: &[ASTNode<'_>]| {
        let Some(ASTNode::Expr(expression)) = path.last() else { return true };
        match expression {
            Expr::StringConstant(text, _) => drop(texts.insert(text.to_string())),
            Expr::CharConstant(letter, _) => drop(texts.insert(letter.to_string())),
            Expr::IntegerConstant(number, _) => drop(texts.insert(number.to_string())),
            Expr::FloatConstant(number, _) => {
                texts.insert(Dynamic::from_float(**number).to_string());
            }
            Expr::BoolConstant(truth, _) => drop(texts.insert(truth.to_string())),
            Expr::Map(map, _) => texts.extend(map.0.iter().map(|(key, _)| key.name.to_string())),
            Expr::Property(property, _) => drop(texts.insert(property.2.to_string())),
            _ => {}
        }
        true
    });
}

/// The parts of a string that are literals, in a form for fast queries.
pub(in crate::script) struct Cover {
    /// For each position, the farthest end of the literals that begin before it.
    reach_from_left: Vec<usize>,
    /// For each position, the first beginning of the literals that end after it.
    reach_from_right: Vec<usize>,
    /// For each position, the number of bytes before it that are in no literal.
    bare: Vec<usize>,
    /// For each position, the number of bytes before it that are special in a shell.
    unsafe_bytes: Vec<usize>,
}

impl Cover {
    /// Builds the tables. `literals` contains the longest literal that ends at each position.
    fn new(text: &str, literals: impl Iterator<Item = Range<usize>>) -> Self {
        let size = text.len() + 1;
        let (mut begins, mut ends) = (vec![0; size], vec![size; size]);
        for literal in literals {
            begins[literal.start] = literal.end;
            ends[literal.end] = literal.start;
        }
        let mut cover = Self {
            reach_from_left: vec![0; size],
            reach_from_right: vec![size; size],
            bare: vec![0; size],
            unsafe_bytes: vec![0; size],
        };
        for (at, byte) in text.bytes().enumerate() {
            let farthest = cover.reach_from_left[at].max(begins[at]);
            cover.reach_from_left[at + 1] = farthest;
            // Digits count as the script's own, because scripts compute numbers.
            let is_bare = farthest <= at && !byte.is_ascii_digit();
            cover.bare[at + 1] = cover.bare[at] + usize::from(is_bare);
            cover.unsafe_bytes[at + 1] = cover.unsafe_bytes[at] + usize::from(!is_safe_byte(byte));
        }
        for at in (0..text.len()).rev() {
            cover.reach_from_right[at] = cover.reach_from_right[at + 1].min(ends[at + 1]);
        }
        cover
    }

    /// Returns true if this part lies within one literal.
    pub(in crate::script) fn has_in_one_literal(&self, part: &Range<usize>) -> bool {
        self.reach_from_left.get(part.start + 1).is_some_and(|reach| *reach >= part.end)
    }

    /// Returns true if this part is the script's own text. Either every byte that is special in a
    /// shell lies in literals that reach beyond the part, or literals cover it completely. A
    /// literal within the part is no proof: a script that joins by `"; "` did not write `x;
    /// reboot`.
    pub(in crate::script) fn is_own(&self, text: &str, part: Range<usize>) -> bool {
        let Range { start, end } = part;
        if self.bare[end] == self.bare[start] {
            return true;
        }
        let open = self.reach_from_left[start].max(start);
        let close = self.reach_from_right[end].min(end);
        let begins_as_option = open == start && text[start..].starts_with('-');
        open >= close || !begins_as_option && self.unsafe_bytes[close] == self.unsafe_bytes[open]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::script::{Tree, TreeFile},
        script::syntax::script::Script,
    };

    struct Empty;

    impl Tree for Empty {
        fn entry(&self, _: &str) -> Result<TreeFile, crate::model::error::Error> {
            Ok(TreeFile::Absent)
        }
    }

    fn literals(body: &str) -> Literals {
        let text = format!("const LIST = [\"in a constant\"]; fn build(ctx) {{ {body} }}");
        let script = Script::load(text.as_bytes(), ".tinyci.rhai", &Empty, &[]).unwrap();
        Literals::of([&script.main].into_iter())
    }

    #[test]
    fn literals_are_found_wherever_the_language_takes_one() {
        let found = literals(
            "let m = #{ key: \"value\", \"quoted key\": 'c', n: -1.5 }; m.set_by_name = true; \
             m[\"index\"] = 7; sh(`a ${m.key + \"within\"} b`); \
             parallel([\"x\"], |it| sh(\"in a closure\")); \
             switch m.key { \"case\" => sh(\"in a switch\"), _ => {} } \
             if m.key == \"compared\" { return; } try { throw \"thrown\"; } catch { }",
        );
        for text in [
            "in a constant",
            "key",
            "value",
            "quoted key",
            "c",
            "-1.5",
            "set_by_name",
            "true",
            "index",
            "7",
            "a ",
            " b",
            "within",
            "x",
            "in a closure",
            "in a switch",
            "compared",
            "thrown",
        ] {
            assert!(found.texts.contains(text), "{text}: {:?}", found.texts);
        }
        assert!(!found.texts.contains(""));
    }

    #[test]
    fn placeholders_are_known_if_they_stand_whole_in_one_literal() {
        let found = literals(
            "sh(\"a <%= short %> <%%= escaped %> <%= open\"); sh(`<%= ${1} %> <%= branch %>`); \
             sh(\"<%= <%= tag %>\");",
        );
        for (placeholder, known) in [
            ("<%= short %>", true),
            ("<%= branch %>", true),
            ("<%= tag %>", true),
            ("<%=short%>", false),
            ("<%= escaped %>", false),
            ("<%= 1 %>", false),
            ("<%= <%= tag %>", false),
            ("<%= open", false),
        ] {
            assert_eq!(found.contains_placeholder(placeholder), known, "{placeholder}");
        }
    }

    /// Applies the same rule in a simple, quadratic form without tables.
    fn is_own_by_the_book(texts: &BTreeSet<String>, text: &str, part: Range<usize>) -> bool {
        let occurrences: Vec<Range<usize>> = texts
            .iter()
            .flat_map(|literal| {
                (0..text.len())
                    .filter(|at| text.as_bytes()[*at..].starts_with(literal.as_bytes()))
                    .map(|at| at..at + literal.len())
            })
            .collect();
        let own = |at: usize| occurrences.iter().any(|it| it.contains(&at));
        let digit = |at: usize| text.as_bytes()[at].is_ascii_digit();
        let beyond = |at: usize| {
            let reaches = |it: &&Range<usize>| it.start < part.start || it.end > part.end;
            occurrences.iter().filter(reaches).any(|it| it.contains(&at))
        };
        let risky = |at: &usize| {
            !is_safe_byte(text.as_bytes()[*at]) || *at == part.start && text.as_bytes()[*at] == b'-'
        };
        part.clone().all(|at| own(at) || digit(at)) || part.clone().filter(risky).all(beyond)
    }

    #[test]
    fn the_tables_say_what_the_rule_says() {
        let alphabet = ["a", "; ", "-", "b c", "7", " ", "é"];
        let mut seed: u64 = 7;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let mut own = 0;
        for _ in 0..400 {
            let mut text = |parts: usize| -> String {
                (0..parts).map(|_| alphabet[random(alphabet.len())]).collect()
            };
            let texts: BTreeSet<String> = (1..4).map(&mut text).collect();
            let whole = text(7);
            let needles = OnceLock::new();
            let literals = Literals { texts, placeholders: BTreeSet::new(), needles };
            let cover = literals.cover(&whole);
            let places: Vec<usize> =
                whole.char_indices().map(|(at, _)| at).chain([whole.len()]).collect();
            for (index, start) in places.iter().enumerate() {
                for end in &places[index + 1..] {
                    let expected = is_own_by_the_book(&literals.texts, &whole, *start..*end);
                    assert_eq!(
                        cover.is_own(&whole, *start..*end),
                        expected,
                        "{:?} in {whole:?}: {:?}",
                        &whole[*start..*end],
                        literals.texts
                    );
                    own += usize::from(expected);
                }
            }
        }
        assert!(own > 1_000, "{own}");
    }
}
