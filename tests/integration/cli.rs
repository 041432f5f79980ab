//! The command line, run as people run it: the built binary, its output to the letter, its exit codes.

mod arguments;
mod check;
mod docs;
mod faults;
mod import;
mod plan;
mod reload;
mod schema;
mod serve;
mod shutdown;
mod tutorial;

/// A set of two fixtures that answers at once.
const FIXTURES: &str = r#"{
  "fixtures": [
    { "name": "greeting", "match": { "user": "hello" }, "reply": { "answer": { "text": "Hello there.", "chunking": "word" } } },
    { "name": "slow", "match": { "user": "slow" },
      "reply": { "answer": { "text": "a b c", "chunking": "word" }, "pacing": { "itl": "30s" } } }
  ]
}"#;
