//! The proof that the generator knows the wire: recorded answers, imported as fixtures, said again.
//!
//! Each recording is imported as `llmirage import --as answer` does it, and the fixture is planned for the recorded
//! request: that must give the recorded body, byte for byte. Nothing is masked.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use llmirage::import::{RawExchange, RawRequest, RawResponse, answer};
use llmirage::plan::transcript::Transcript;
use serde_json::Value;

use crate::planning::{planned, shared};

#[test]
fn recorded_streams_are_said_again_byte_for_byte() {
    check("chat-sse", 95, |_, _| true);
}

#[test]
fn recorded_bodies_are_said_again_byte_for_byte() {
    check("chat-json", 85, |_, _| true);
}

/// Text is cut where the model's tokens end, so that a fixture can be edited: it need not say where.
#[test]
fn tokens_end_where_the_recorded_ones_do() {
    check("chat-sse", 90, |_, reply| !reply.to_string().contains("\"chunking\""));
}

/// What people edit is what is said: rules give the rest.
#[test]
fn what_azures_filter_says_mostly_follows_by_rule() {
    check("chat-sse", 90, |name, reply| name.contains("async") || reply.get("filters").is_none());
}

/// Imports all recordings of a kind, per provider; names every miss and its first differing byte.
fn check(kind: &str, at_least_of_a_hundred: usize, holds: impl Fn(&str, &Value) -> bool) {
    let Some(folder) = shared("transcripts") else {
        return;
    };
    for provider in ["openai", "azure"] {
        let recordings = Recording::all(&folder.join(provider), kind);
        let mut same = 0;
        for recording in &recordings {
            match recording.said_again() {
                Ok(reply) if holds(&recording.name, &reply) => same += 1,
                Ok(reply) => println!("{provider}/{}: the same, but {reply}", recording.name),
                Err(miss) => println!("{provider}/{}: {miss}", recording.name),
            }
        }
        println!("{provider} {kind}: {same} of {}", recordings.len());
        assert!(!recordings.is_empty(), "no recordings in {}", folder.display());
        assert!(same * 100 >= recordings.len() * at_least_of_a_hundred, "{same} of {}", recordings.len());
    }
}

/// A recorded exchange.
struct Recording {
    name: String,
    transcript: Transcript,
}

impl Recording {
    fn all(folder: &Path, kind: &str) -> Vec<Self> {
        let files = fs::read_dir(folder).expect("the folder is readable");
        let mut files: Vec<_> = files.map(|file| file.expect("it is readable").path()).collect();
        files.sort();
        let recordings = files.into_iter().filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            let file: Value = serde_json::from_slice(&fs::read(&path).expect("it is readable")).ok()?;
            let is_exact = file["meta"]["body_fidelity"].as_str()?.starts_with("exact");
            let is_wanted = name.starts_with(kind) && is_exact;
            is_wanted.then(|| Self { name, transcript: transcript(&file) })
        });
        recordings.collect()
    }

    /// The reply that says it again; or why there is none.
    fn said_again(&self) -> Result<Value, String> {
        let imported = answer::reply(&self.transcript)?;
        // A server plans it as the import did; errors may be of paths that only a fixture for them serves.
        if self.transcript.response.status == 200 {
            let request = answer::request(&self.transcript)?;
            let timeline = planned(&request.path, &request.body.unwrap_or_default(), &imported.reply);
            let is_same = timeline.body == self.transcript.response.bytes();
            assert_eq!(imported.difference.is_none(), is_same, "{}: {:?}", self.name, imported.difference);
        }
        imported.difference.map_or(Ok(imported.reply), |difference| Err(difference.to_string()))
    }
}

/// A recording as a transcript.
fn transcript(file: &Value) -> Transcript {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        json => json.to_string(),
    };
    let headers = |message: &Value| {
        let pairs = message["headers"].as_array().into_iter().flatten();
        pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    };
    let (request, response) = (&file["request"], &file["response"]);
    let raw = RawExchange {
        request: Some(RawRequest {
            method: text(&request["method"]),
            url: text(&request["url"]),
            headers: headers(request),
            body: Bytes::from(text(&request["body"])),
        }),
        response: RawResponse {
            status: response["status"].as_u64().and_then(|status| status.try_into().ok()).expect("a status"),
            headers: headers(response),
            body: Bytes::from(text(&response["body"])),
            ..RawResponse::default()
        },
        ..RawExchange::default()
    };
    raw.exchange().expect("recordings are whole").transcript
}
