//! YAML as cassettes are written in it: a bounded tree that keeps the tags, and scalars as they are written.
//!
//! Scalars are text. Whether `on` is a word or a truth, and `2024-01-01` a day, is for who reads them to say: for a
//! recorded body they are neither. Not a general reader of YAML: merge keys and `%TAG` are nobody's here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

mod breaks;
mod json;
mod quoted;

use breaks::Source;

/// How deep collections may be nested.
pub(super) const MAX_DEPTH: usize = 64;

/// What a file may still cost who reads it. All texts that are cut from one file share one.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    /// How many nodes it may have.
    pub(super) nodes: usize,
    /// How many bytes its aliases may stand for.
    pub(super) aliased: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { nodes: 2_000_000, aliased: 64 << 20 }
    }
}

/// How many quoted scalars with too little indentation are mended before a text counts as broken.
const MAX_MENDED: usize = 16;

/// A node of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// The line on which it starts, from one; zero where nobody knows.
    pub(super) line: usize,
    /// Its tag without the exclamation marks: `binary`, `python/tuple`, `ruby/sym`; empty where there is none.
    pub(super) tag: String,
    /// What it is.
    pub(super) value: Value,
    /// Whether the file breaks off, or breaks, inside of it.
    pub(super) is_cut: bool,
    /// The bytes of all its text and a few for each of its nodes, aliases expanded.
    weight: usize,
}

/// What a [`Node`] is. Children are shared, since aliases stand for them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A scalar, and whether it is plain: such may be a number, a truth or nothing.
    Scalar(String, bool),
    /// A sequence.
    List(Vec<Rc<Node>>),
    /// A mapping, in written order.
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// What was read of a file.
#[derive(Debug)]
pub(super) struct Documents {
    /// The root of each document; the last one is cut if the file is broken.
    pub(super) roots: Vec<Rc<Node>>,
    /// Where and why reading ended, if it was too early.
    pub(super) broken: Option<Broken>,
}

/// Why a file cannot be read further.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Broken {
    /// The line, from one.
    pub(super) line: usize,
    /// What is wrong, with the place.
    pub(super) reason: String,
    /// Whether the file is to be refused rather than what is good of it used.
    pub(super) is_refused: bool,
}

impl Node {
    /// The value of a key of a mapping; of several, the last, as in Python and Ruby.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let mut pairs = self.pairs().iter().rev();
        pairs.find(|(known, _)| known.text() == Some(key)).map(|(_, value)| &**value)
    }

    /// The pairs of a mapping; none where it is something else.
    pub(super) fn pairs(&self) -> &[(Rc<Self>, Rc<Self>)] {
        match &self.value {
            Value::Map(pairs) => pairs,
            Value::List(_) | Value::Scalar(..) => &[],
        }
    }

    /// The items of a sequence; none where it is something else.
    pub(super) fn items(&self) -> &[Rc<Self>] {
        match &self.value {
            Value::List(items) => items,
            Value::Map(_) | Value::Scalar(..) => &[],
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, _) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether it is `null`, `~` or nothing at all.
    pub(super) fn is_null(&self) -> bool {
        let Value::Scalar(text, is_plain) = &self.value else { return false };
        *is_plain && self.tag.is_empty() && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    fn new(line: usize, tag: String, value: Value) -> Self {
        let weight = match &value {
            Value::Scalar(text, _) => text.len(),
            Value::List(items) => items.iter().fold(0, |sum: usize, item| sum.saturating_add(item.weight)),
            Value::Map(pairs) => pairs.iter().fold(0, |sum: usize, (key, value)| {
                sum.saturating_add(key.weight).saturating_add(value.weight)
            }),
        };
        Self { line, tag, value, is_cut: false, weight: weight.saturating_add(8) }
    }
}

/// Reads all documents of a text whose first line is line `first_line` of its file.
pub(super) fn read(text: &str, first_line: usize, allowance: &mut Allowance) -> Documents {
    let mut source = Source::of(text.trim_start_matches('\u{feff}'));
    let mut mended = 0;
    loop {
        let mut tree = Tree::new(&source, first_line, allowance.clone());
        let (broken, stopped) = tree.grow();
        let stopped = stopped.filter(|_| mended < MAX_MENDED);
        match stopped.and_then(|at| quoted::indented(&source.text, at.line(), at.col())) {
            Some(indented) => source.text = Cow::Owned(indented),
            None => {
                *allowance = tree.allowance.clone();
                return Documents { roots: tree.into_roots(), broken };
            }
        }
        mended += 1;
    }
}

/// The tree that grows with each event.
struct Tree<'a> {
    source: &'a Source<'a>,
    /// The line of the file on which the text starts.
    first_line: usize,
    /// How many characters the text has, if its last line has no line break.
    unended: Option<usize>,
    roots: Vec<Rc<Node>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    allowance: Allowance,
}

/// A collection whose end has not come.
struct Open {
    line: usize,
    tag: String,
    anchor: usize,
    children: Children,
}

enum Children {
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>, Option<Rc<Node>>),
}

impl<'a> Tree<'a> {
    fn new(source: &'a Source<'a>, first_line: usize, allowance: Allowance) -> Self {
        let unended = (!source.text.ends_with(['\n', '\r'])).then(|| source.text.chars().count());
        let (roots, open, anchors) = (Vec::new(), Vec::new(), HashMap::new());
        Self { source, first_line, unended, roots, open, anchors, allowance }
    }

    /// Takes all there is; why not, and where the text is not YAML if it is that.
    fn grow(&mut self) -> (Option<Broken>, Option<Marker>) {
        let mut parser = Parser::new_from_str(&self.source.text);
        while let Some(event) = parser.next_event() {
            match event.map(|(event, span)| self.take(event, span)) {
                Ok(Ok(())) => {}
                Ok(Err(broken)) => return (Some(broken), None),
                Err(error) => return (Some(self.syntax(&error)), Some(*error.marker())),
            }
        }
        (None, None)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Alias(anchor) => self.alias(anchor, span.start),
            Event::Scalar(text, style, anchor, tag) => {
                self.count(span.start)?;
                let text = self.exact(text.into_owned(), style, span);
                let value = Value::Scalar(text, style == ScalarStyle::Plain);
                let node = Rc::new(Node::new(self.line(span.start), name(tag.as_deref()), value));
                self.put(anchor, node);
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(anchor, tag.as_deref(), span.start, Children::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.open(anchor, tag.as_deref(), span.start, Children::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let anchor = open.anchor;
                    self.put(anchor, Rc::new(open.close()));
                }
                Ok(())
            }
        }
    }

    /// The text of a scalar as PyYAML and Ruby read it.
    fn exact(&self, mut text: String, style: ScalarStyle, span: Span) -> String {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        // Our parser adds the line break that the end of the file has not.
        if is_block && self.unended == Some(span.end.index()) && text.ends_with('\n') {
            text.pop();
        }
        self.source.restored(text, style)
    }

    fn open(
        &mut self,
        anchor: usize,
        tag: Option<&Tag>,
        start: Marker,
        children: Children,
    ) -> Result<(), Broken> {
        self.count(start)?;
        if self.open.len() == MAX_DEPTH {
            return Err(self.broken(start, &format!("collections are nested more than {MAX_DEPTH} deep")));
        }
        self.open.push(Open { line: self.line(start), tag: name(tag), anchor, children });
        Ok(())
    }

    fn alias(&mut self, anchor: usize, start: Marker) -> Result<(), Broken> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(self.broken(start, "this alias stands for what contains it"));
        };
        let Some(left) = self.allowance.aliased.checked_sub(node.weight) else {
            let reason =
                "the aliases of this file stand for more than 64 MiB; no recorder writes such a file";
            return Err(Broken { is_refused: true, ..self.broken(start, reason) });
        };
        self.allowance.aliased = left;
        self.put(0, node);
        Ok(())
    }

    /// Puts a node where it belongs: into the innermost open collection.
    fn put(&mut self, anchor: usize, node: Rc<Node>) {
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut().map(|open| &mut open.children) {
            None => self.roots.push(node),
            Some(Children::List(items)) => items.push(node),
            Some(Children::Map(pairs, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => pairs.push((key, node)),
            },
        }
    }

    fn count(&mut self, start: Marker) -> Result<(), Broken> {
        let Some(left) = self.allowance.nodes.checked_sub(1) else {
            let reason = "the file has more than two million values; import it in parts";
            return Err(Broken { is_refused: true, ..self.broken(start, reason) });
        };
        self.allowance.nodes = left;
        Ok(())
    }

    /// The roots, with what is still open closed and marked.
    fn into_roots(mut self) -> Vec<Rc<Node>> {
        while let Some(open) = self.open.pop() {
            let node = Node { is_cut: true, ..open.close() };
            self.put(0, Rc::new(node));
        }
        self.roots
    }

    fn line(&self, at: Marker) -> usize {
        self.first_line + self.source.line(at.line()) - 1
    }

    fn broken(&self, at: Marker, reason: &str) -> Broken {
        let line = self.line(at);
        Broken { line, reason: format!("line {line}, column {}: {reason}", at.col() + 1), is_refused: false }
    }

    fn syntax(&self, error: &ScanError) -> Broken {
        self.broken(*error.marker(), &format!("not YAML: {}", error.info()))
    }
}

impl Open {
    fn close(self) -> Node {
        let value = match self.children {
            Children::List(items) => Value::List(items),
            Children::Map(pairs, _) => Value::Map(pairs),
        };
        Node::new(self.line, self.tag, value)
    }
}

/// A tag as [`Node::tag`] has it.
fn name(tag: Option<&Tag>) -> String {
    let Some(tag) = tag else { return String::new() };
    let whole = format!("{}{}", tag.handle, tag.suffix);
    whole.trim_start_matches("tag:yaml.org,2002:").trim_start_matches('!').to_owned()
}

#[cfg(test)]
mod tests;
