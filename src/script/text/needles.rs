//! A search for many strings in one pass: the Aho-Corasick automaton.
//!
//! Untrusted values can be ten thousand paths, and a command can be as long as all of them. One
//! search for each would take minutes, during which no deadline is checked.

use std::{collections::HashMap, iter};

/// A set of strings to search for.
#[derive(Debug)]
pub(in crate::script) struct Needles {
    nodes: Vec<Node>,
    /// The edges: from a node and the next byte to the following node.
    edges: HashMap<(usize, u8), usize>,
    lengths: Vec<usize>,
}

/// A state of the search: the longest prefix of a needle that the text read so far ends with.
#[derive(Debug, Default)]
struct Node {
    parent: usize,
    byte: u8,
    depth: usize,
    /// The node of the longest shorter prefix that ends here too.
    shorter: usize,
    /// The next node on the chain of `shorter` at which a needle ends, or the root.
    shorter_needle: usize,
    /// The index of the needle that ends here.
    needle: Option<usize>,
}

impl Needles {
    /// Builds the automaton. A needle is identified by its index; needles must not be empty.
    pub(in crate::script) fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut needles =
            Self { nodes: vec![Node::default()], edges: HashMap::new(), lengths: Vec::new() };
        for text in texts {
            needles.add(text.as_bytes());
        }
        needles.link();
        needles
    }

    fn add(&mut self, text: &[u8]) {
        let mut at = 0;
        for byte in text {
            let nodes = &mut self.nodes;
            at = *self.edges.entry((at, *byte)).or_insert_with(|| {
                let depth = nodes[at].depth + 1;
                nodes.push(Node { parent: at, byte: *byte, depth, ..Node::default() });
                nodes.len() - 1
            });
        }
        self.nodes[at].needle = Some(self.lengths.len());
        self.lengths.push(text.len());
    }

    /// Sets `shorter` and `shorter_needle` of each node. Shorter prefixes come first, since longer
    /// ones use them.
    fn link(&mut self) {
        let mut order: Vec<usize> = (1..self.nodes.len()).collect();
        order.sort_by_key(|node| self.nodes[*node].depth);
        for node in order {
            let Node { parent, byte, depth, .. } = self.nodes[node];
            let shorter = if depth == 1 { 0 } else { self.next(self.nodes[parent].shorter, byte) };
            self.nodes[node].shorter = shorter;
            let found = self.nodes[shorter].needle.is_some();
            self.nodes[node].shorter_needle =
                if found { shorter } else { self.nodes[shorter].shorter_needle };
        }
    }

    fn next(&self, from: usize, byte: u8) -> usize {
        let mut at = from;
        loop {
            if let Some(next) = self.edges.get(&(at, byte)) {
                return *next;
            }
            if at == 0 {
                return 0;
            }
            at = self.nodes[at].shorter;
        }
    }

    /// Returns each place of a text at which needles end, with the index and start of each needle,
    /// longest first. Matches may overlap.
    pub(in crate::script) fn ends<'s>(
        &'s self,
        text: &'s str,
    ) -> impl Iterator<Item = (usize, impl Iterator<Item = (usize, usize)> + 's)> + 's {
        let mut at = 0;
        text.bytes().enumerate().map(move |(index, byte)| {
            at = self.next(at, byte);
            let end = index + 1;
            (end, self.needles_at(at).map(move |it| (it, end - self.lengths[it])))
        })
    }

    fn needles_at(&self, node: usize) -> impl Iterator<Item = usize> {
        let nodes = iter::successors(Some(node), |node| Some(self.nodes[*node].shorter_needle));
        nodes.take_while(|node| *node != 0).filter_map(|node| self.nodes[node].needle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_is_found_those_in_others_included() {
        let texts = ["a", "ab", "aba", "bab", "é", "né a", "aa", "b;b"];
        let needles = Needles::new(texts);
        for text in ["", "x", "ababab", "aaaa", "né aba né né abab;b;b", "bbbbab\u{e9}"] {
            let mut found: Vec<(usize, usize)> = Vec::new();
            for (end, needles) in needles.ends(text) {
                found.extend(needles.map(|(index, start)| {
                    assert_eq!(&text[start..end], texts[index]);
                    (start, end)
                }));
            }
            let begins = (0..text.len()).flat_map(|at| texts.map(|needle| (at, needle)));
            let begins =
                begins.filter(|(at, needle)| text.as_bytes()[*at..].starts_with(needle.as_bytes()));
            let mut expected: Vec<_> = begins.map(|(at, needle)| (at, at + needle.len())).collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_longest_of_those_that_end_at_one_place_comes_first() {
        let needles = Needles::new(["b", "ab", "xab"]);
        let last = needles.ends("xab").last().map(|(_, found)| found.collect::<Vec<_>>());
        assert_eq!(last, Some(vec![(2, 0), (1, 1), (0, 2)]));
    }
}
