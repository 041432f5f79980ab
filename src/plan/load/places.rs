//! Where in the text a JSON pointer points: line and column, which serde_json does not tell.
//!
//! Only for texts that serde_json has read: nothing here finds a syntax error.

use super::problems::{Part, below};

/// The places of all values of a text, and the keys that are there twice.
#[derive(Debug)]
pub(super) struct Places<'a> {
    text: &'a str,
    /// Whether every character is a byte: nothing needs to be counted then, which takes long where all is one line.
    is_ascii: bool,
    /// The offset of each line.
    lines: Vec<usize>,
    root: Node,
    /// The pointer of each key that repeats an earlier one, with its offset and the earlier one's.
    pub(super) duplicates: Vec<Duplicate>,
}

/// A key that repeats an earlier one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub(super) pointer: String,
    pub(super) at: usize,
    pub(super) first: usize,
}

#[derive(Debug)]
struct Node {
    key: Option<(String, usize)>,
    at: usize,
    children: Vec<Self>,
}

impl<'a> Places<'a> {
    /// Scans a valid JSON text.
    pub(super) fn scan(text: &'a str) -> Self {
        let mut scanner = Scanner { text, at: 0, pointer: String::new(), duplicates: Vec::new() };
        let root = scanner.value(None);
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, is_ascii: text.is_ascii(), lines, root, duplicates: scanner.duplicates }
    }

    /// Line and column of the value at a pointer, or of its key. A pointer into nowhere is where
    /// the last value on the way is.
    pub(super) fn place(&self, pointer: &str, part: Part) -> (usize, usize) {
        let mut node = &self.root;
        let mut whole = true;
        for key in pointer.split('/').skip(1) {
            match node.child(key) {
                Some(child) => node = child,
                None => {
                    whole = false;
                    break;
                }
            }
        }
        let at = match (&node.key, part) {
            (Some((_, key)), Part::Key) if whole => *key,
            _ => node.at,
        };
        self.line_column(at)
    }

    /// Line and column of a byte offset, from 1, the column in characters.
    pub(super) fn line_column(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines[line - 1];
        let before = if self.is_ascii { at - start } else { self.text[start..at].chars().count() };
        (line, before + 1)
    }
}

impl Node {
    /// The child that a segment of a pointer names; of keys that repeat, the last counts.
    fn child(&self, segment: &str) -> Option<&Self> {
        if self.children.first()?.key.is_none() {
            return self.children.get(segment.parse::<usize>().ok()?);
        }
        let key = segment.replace("~1", "/").replace("~0", "~");
        let named = |child: &&Self| child.key.as_ref().is_some_and(|(name, _)| *name == key);
        self.children.iter().rev().find(named)
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    pointer: String,
    duplicates: Vec<Duplicate>,
}

impl Scanner<'_> {
    fn value(&mut self, key: Option<(String, usize)>) -> Node {
        self.skip_space();
        let at = self.at;
        let children = match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => {
                self.string();
                Vec::new()
            }
            _ => {
                let rest = &self.text.as_bytes()[at..];
                let end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
                self.at += rest.iter().position(end).unwrap_or(rest.len());
                Vec::new()
            }
        };
        Node { key, at, children }
    }

    fn object(&mut self) -> Vec<Node> {
        let mut members: Vec<Node> = Vec::new();
        // Sorted, so that a large object is not searched from end to end for every key.
        let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        self.at += 1;
        loop {
            self.skip_separators();
            match self.peek() {
                Some(b'"') => {}
                _ => {
                    self.at += 1;
                    return members;
                }
            }
            let at = self.at;
            let key = self.string();
            let outer = self.pointer.len();
            self.pointer = below(&self.pointer, &key);
            match seen.get(&key) {
                Some(&first) => {
                    self.duplicates.push(Duplicate { pointer: self.pointer.clone(), at, first });
                }
                None => {
                    seen.insert(key.clone(), at);
                }
            }
            members.push(self.value(Some((key, at))));
            self.pointer.truncate(outer);
        }
    }

    fn array(&mut self) -> Vec<Node> {
        let mut elements = Vec::new();
        self.at += 1;
        loop {
            self.skip_separators();
            if matches!(self.peek(), Some(b']') | None) {
                self.at += 1;
                return elements;
            }
            let outer = self.pointer.len();
            self.pointer.push_str(&format!("/{}", elements.len()));
            elements.push(self.value(None));
            self.pointer.truncate(outer);
        }
    }

    /// The string that starts here, decoded.
    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        serde_json::from_str(&self.text[start..self.at]).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r' | b':')) {
            self.at += 1;
        }
    }

    fn skip_separators(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r' | b',')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"a\": [1, {\"月/~\": \"x\", \"b\": true}],\n  \"c\" : null\n}\n";

    #[track_caller]
    fn check(pointer: &str, part: Part, expected: (usize, usize)) {
        assert_eq!(Places::scan(TEXT).place(pointer, part), expected, "{pointer}");
    }

    #[test]
    fn values_are_found_by_pointer() {
        check("", Part::Value, (1, 1));
        check("/a", Part::Value, (2, 8));
        check("/a/0", Part::Value, (2, 9));
        check("/a/1", Part::Value, (2, 12));
        check("/a/1/月~1~0", Part::Value, (2, 20));
        check("/a/1/b", Part::Value, (2, 30));
        check("/c", Part::Value, (3, 9));
    }

    #[test]
    fn keys_are_found_by_pointer() {
        check("/a", Part::Key, (2, 3));
        check("/a/1/b", Part::Key, (2, 25));
        check("/a/1", Part::Key, (2, 12));
        check("", Part::Key, (1, 1));
    }

    #[test]
    fn a_pointer_into_nowhere_is_the_value_it_starts_from() {
        check("/a/1/x/y", Part::Key, (2, 12));
        check("/a/7", Part::Value, (2, 8));
        check("/c/0", Part::Value, (3, 9));
    }

    #[test]
    fn repeated_keys_are_found_at_every_depth() {
        let places = Places::scan(r#"{"a": 1, "b": [{"c": 1, "c": {"d": 0, "d": 0}}], "a": 2}"#);
        let found: Vec<_> =
            places.duplicates.iter().map(|twice| (twice.pointer.as_str(), twice.at)).collect();
        assert_eq!(found, [("/b/0/c", 24), ("/b/0/c/d", 38), ("/a", 49)]);
        assert_eq!(places.place("/a", Part::Value), (1, 55));
    }
}
