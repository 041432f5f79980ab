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
    let goals: [Goal; 4] = [
        ("as answers", 95, |_, reply| reply.get("answer").is_some()),
        // Audio is nothing that an answer says.
        ("as answers or scripts", 99, |_, _| true),
        // Text is cut where the model's tokens end, so that it can be edited.
        ("without giving pieces", 90, |_, reply| !reply.to_string().contains("\"chunking\"")),
        ("with the filter by rule", 90, |name, reply| {
            name.contains("async") || reply.get("filters").is_none()
        }),
    ];
    check("chat-sse", &goals, Recording::said_again);
}

/// A capture may have no request: the response tells what was asked.
#[test]
fn recorded_streams_are_said_again_without_their_requests() {
    let goals: [Goal; 1] = [("without requests", 95, |_, reply| reply.get("answer").is_some())];
    check("chat-sse", &goals, |Recording { name, transcript }| {
        let transcript = Transcript { request: None, ..transcript.clone() };
        Recording { name: name.clone(), transcript }.said_again()
    });
}

#[test]
fn recorded_bodies_are_said_again_byte_for_byte() {
    check("chat-json", &[("as answers or errors", 85, |_, _| true)], Recording::said_again);
}

/// What is counted, how many in a hundred there must be of it, and what it is of a name and a reply.
type Goal = (&'static str, usize, fn(&str, &Value) -> bool);

/// Recordings of any provider and endpoint are said again, or it is told where not, or why.
#[test]
fn no_recording_is_too_foreign() {
    let Some(folder) = shared("transcripts") else {
        return;
    };
    for provider in ["anthropic", "compat", "copilot", "gemini", "openai", "azure"] {
        let (mut same, mut different, mut told) = (0, 0, 0);
        for recording in Recording::all(&folder.join(provider), "") {
            match recording.said_again() {
                Ok(_) => same += 1,
                Err(miss) if miss.starts_with("differs at byte ") => different += 1,
                Err(reason) => {
                    told += 1;
                    assert!(reason.ends_with(": keep it as a transcript"), "{}: {reason}", recording.name);
                }
            }
        }
        println!("{provider}: {same} the same, {different} not, {told} kept as transcripts");
    }
}

/// Imports all recordings of a kind, per provider; names every miss and its first differing byte.
fn check(kind: &str, goals: &[Goal], said_again: fn(&Recording) -> Result<Value, String>) {
    let Some(folder) = shared("transcripts") else {
        return;
    };
    for provider in ["openai", "azure"] {
        let recordings = Recording::all(&folder.join(provider), kind);
        assert!(!recordings.is_empty(), "no recordings in {}", folder.display());
        let said: Vec<(&str, Result<Value, String>)> =
            recordings.iter().map(|recording| (recording.name.as_str(), said_again(recording))).collect();
        for (name, miss) in said.iter().filter_map(|(name, said)| Some((name, said.as_ref().err()?))) {
            println!("{provider}/{name}: {miss}");
        }
        for (what, at_least, holds) in goals {
            let is_same =
                |said: &Result<Value, String>, name| said.as_ref().is_ok_and(|reply| holds(name, reply));
            let (same, others): (Vec<_>, Vec<_>) = said.iter().partition(|(name, said)| is_same(said, name));
            println!("{provider} {kind} {what}: {} of {}", same.len(), recordings.len());
            others.iter().for_each(|(name, _)| println!("  not {name}"));
            assert!(same.len() * 100 >= recordings.len() * at_least, "{provider} {kind} {what}");
        }
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
