//! Problems of one file while they are gathered: pointer, key or value, message.

/// A problem by its JSON pointer; its line and column are looked up when all are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) pointer: String,
    pub(crate) part: Part,
    pub(crate) message: String,
}

/// Which part of the member that a pointer names is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// A value is wrong.
    pub(crate) fn value(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.add(pointer.into(), Part::Value, message.into());
    }

    /// A key is wrong, or should not be there.
    pub(crate) fn key(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.add(pointer.into(), Part::Key, message.into());
    }

    fn add(&mut self, pointer: String, part: Part, message: String) {
        self.0.push(Problem { pointer, part, message });
    }
}

/// A key as a JSON pointer writes it.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The pointer of a member, or of an element.
pub(crate) fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", escaped(key))
}

/// The pointer of what holds this member or element.
pub(crate) fn parent(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or("", |(parent, _)| parent)
}
