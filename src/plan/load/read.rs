//! From a JSON tree to the types of the format, with every problem of its shape.
//!
//! serde stops at the first problem. So what is at fault is recorded and taken out of the tree,
//! and the rest is read again, until it passes. What follows from a problem already recorded (the
//! missing key that was there with a wrong value) is not one of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::problems::{Problem, Problems, below, escaped, parent};
use super::strict::Strict;
use super::words::{self, What};

/// A value of the format, read as far as it can be, and what was taken out for it.
#[derive(Debug)]
pub(super) struct Mended<T> {
    pub(super) value: Option<T>,
    taken: Taken,
}

/// What was taken out of a tree, by pointers into the whole tree.
#[derive(Debug, Default)]
struct Taken {
    base: String,
    /// Elements taken out of arrays.
    elements: BTreeMap<String, BTreeSet<usize>>,
    /// Members that are missing or were taken out, and those that a misspelt key was meant for.
    broken: BTreeSet<String>,
}

impl<T: DeserializeOwned> Mended<T> {
    /// Reads the tree that stands at the pointer `base`.
    pub(super) fn read(mut tree: Value, base: &str, problems: &mut Problems) -> Self {
        let mut taken = Taken { base: base.to_owned(), ..Taken::default() };
        for _ in 0..MOST {
            let error = match serde_path_to_error::deserialize::<_, T>(Strict(&tree)) {
                Ok(value) => {
                    return Self { value: Some(value), taken };
                }
                Err(error) => error,
            };
            let keys = keys(error.path(), &tree);
            let found = Found { serde: error.into_inner().to_string(), keys };
            if !taken.mend(&mut tree, &found, problems) {
                return Self { value: None, taken };
            }
        }
        problems
            .value(base, format!("more than {MOST} problems here; the rest is told when these are fixed"));
        Self { value: None, taken }
    }
}

impl<T> Mended<T> {
    /// A value that needed no mending.
    pub(super) fn whole(value: T) -> Self {
        Self { value: Some(value), taken: Taken::default() }
    }

    /// Adds the problems of the value itself, by their pointers into what was mended, unless they
    /// follow from a problem of its shape.
    pub(super) fn add(&self, found: Problems, problems: &mut Problems) {
        for Problem { pointer, part, message } in found.0 {
            let pointer = self.taken.original(&pointer);
            if !self.taken.explains(&pointer) {
                problems.0.push(Problem { pointer, part, message });
            }
        }
    }
}

/// An error of serde, and the keys and indices to it.
struct Found {
    serde: String,
    keys: Vec<String>,
}

impl Taken {
    /// Records a problem and takes out what is at fault; false where nothing can be.
    fn mend(&mut self, tree: &mut Value, found: &Found, problems: &mut Problems) -> bool {
        let relative: String = found.keys.iter().map(|key| format!("/{}", escaped(key))).collect();
        let pointer = self.original(&format!("{}{relative}", self.base));
        let said = words::say(&found.serde, &pointer, tree.pointer(&relative));
        match said.what {
            What::Missing { key } => {
                if self.broken.insert(below(&pointer, &key)) {
                    problems.value(pointer, said.message);
                }
                let object = tree.pointer_mut(&relative).and_then(Value::as_object_mut);
                let Some(object) = object else { return false };
                object.insert(key.clone(), placeholder(&key));
                return true;
            }
            What::UnknownKey { meant } => {
                self.broken.extend(meant.map(|meant| below(parent(&pointer), &meant)));
                problems.key(pointer, said.message);
            }
            What::UnknownVariant { key } => {
                problems.key(below(&pointer, &key), said.message);
                self.broken.insert(pointer);
            }
            What::Value => {
                if !self.broken.iter().any(|broken| parent(broken) == pointer) {
                    problems.value(pointer.clone(), said.message);
                }
                self.broken.insert(pointer);
            }
        }
        self.take_out(tree, &found.keys)
    }

    fn take_out(&mut self, tree: &mut Value, keys: &[String]) -> bool {
        let Some((last, path)) = keys.split_last() else {
            return false;
        };
        let relative: String = path.iter().map(|key| format!("/{}", escaped(key))).collect();
        let holder = self.original(&format!("{}{relative}", self.base));
        match tree.pointer_mut(&relative) {
            Some(Value::Object(object)) => object.shift_remove(last).is_some(),
            Some(Value::Array(elements)) => {
                let Some(index) = last.parse().ok().filter(|index| *index < elements.len()) else {
                    return false;
                };
                elements.remove(index);
                let taken = self.elements.entry(holder).or_default();
                let index = shifted(index, taken);
                taken.insert(index)
            }
            _ => false,
        }
    }

    /// The pointer into the tree as written, of a pointer into what is left of it.
    fn original(&self, pointer: &str) -> String {
        let mut original = String::new();
        for key in pointer.split('/').skip(1) {
            let index = match self.elements.get(&original) {
                Some(taken) => key.parse().ok().map(|index| shifted(index, taken)),
                None => None,
            };
            original.push('/');
            match index {
                Some(index) => original.push_str(&index.to_string()),
                None => original.push_str(key),
            }
        }
        original
    }

    /// Whether a problem at `pointer` follows from what was taken out.
    fn explains(&self, pointer: &str) -> bool {
        self.broken.iter().any(|broken| {
            let inside = pointer.strip_prefix(broken.as_str());
            inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) || parent(broken) == pointer
        })
    }
}

/// The index among all elements of the one that is at `index` among those not taken.
fn shifted(index: usize, taken: &BTreeSet<usize>) -> usize {
    taken.iter().fold(index, |index, gone| if *gone <= index { index + 1 } else { index })
}

/// The keys and indices of a path. The name of an enum's variant is a key only where the enum is
/// written as an object.
fn keys(path: &serde_path_to_error::Path, tree: &Value) -> Vec<String> {
    let mut keys = Vec::new();
    let mut value = tree;
    for segment in path.iter() {
        let (key, next) = match segment {
            Segment::Seq { index } => (index.to_string(), value.get(index)),
            Segment::Map { key } => (key.clone(), value.get(key)),
            Segment::Enum { variant } => match value.get(variant) {
                Some(next) => (variant.clone(), Some(next)),
                None => continue,
            },
            Segment::Unknown => continue,
        };
        keys.push(key);
        let Some(next) = next else { break };
        value = next;
    }
    keys
}

/// A value that stands for a required one, so that the rest can be read. Nothing is made from it:
/// a file with a missing key does not load.
fn placeholder(key: &str) -> Value {
    match key {
        "fixtures" => Value::Array(Vec::new()),
        "name" | "token" | "base64" | "raw" | "method" | "path" => Value::String(String::new()),
        "p50" | "p95" => Value::from("1s"),
        "per" => Value::from("key"),
        "status" => Value::from(500),
        "response" => serde_json::json!({ "status": 500 }),
        "check_offset" | "start_offset" | "end_offset" | "logprob" => Value::from(0),
        _ => Value::Object(Map::new()),
    }
}

/// Problems of one value that are told at once.
const MOST: usize = 500;
