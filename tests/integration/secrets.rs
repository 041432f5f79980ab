//! Secrets in recorded exchanges, from which people had taken them already: nothing more is to be found there.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use llmirage::import::secrets::{scrub, smells};
use llmirage::import::{Exchange, RawExchange, RawRequest, RawResponse};
use serde_json::Value;

use crate::planning::shared;

/// Headers of single hosts, which no transcript keeps.
const LEFT_OUT: [&str; 4] =
    ["report-to", "x-clerk-auth-message", "x-clerk-auth-reason", "x-clerk-auth-status"];

#[test]
fn scrubbing_recorded_exchanges_takes_no_header_and_changes_no_body_and_nothing_smells() {
    let Some(folder) = shared("transcripts") else {
        return;
    };
    let mut found = Vec::new();
    let mut count = 0;
    for file in files(&folder) {
        let before = exchange(&fs::read(&file).unwrap());
        let name = file.strip_prefix(&folder).unwrap().display();
        let mut after = before.clone();
        scrub(&mut after);
        let headers = |exchange: &Exchange| -> Vec<String> {
            let names =
                exchange.transcript.response.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
            names.filter(|name| !LEFT_OUT.contains(&name.as_str())).collect()
        };
        if headers(&before) != headers(&after) {
            found.push(format!("{name}: headers {:?}", after.notes));
        }
        let (one, other) = (&before.transcript, &after.transcript);
        if one.response.events != other.response.events || one.response.body != other.response.body {
            found.push(format!("{name}: the response's body {:?}", after.notes));
        }
        let body = |exchange: &Exchange| exchange.transcript.request.as_ref().unwrap().body.clone();
        if body(&before) != body(&after) {
            found.push(format!("{name}: the request's body {:?}", after.notes));
        }
        found.extend(smells(other).iter().map(|smell| format!("{name}: {smell}")));
        count += 1;
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(count >= 400, "{count} transcripts");
}

fn files(folder: &PathBuf) -> Vec<PathBuf> {
    let folders =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    files
}

/// The exchange of a file of that folder.
fn exchange(file: &[u8]) -> Exchange {
    let recorded: Value = serde_json::from_slice(file).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = |side: &Value| -> Vec<(String, String)> {
        let pairs = side["headers"].as_array().into_iter().flatten();
        pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    };
    let body = |side: &Value| match &side["body"] {
        Value::Null => Bytes::new(),
        Value::String(text) => Bytes::copy_from_slice(text.as_bytes()),
        other => Bytes::from(other.to_string()),
    };
    let (request, response) = (&recorded["request"], &recorded["response"]);
    let raw = RawExchange {
        request: Some(RawRequest {
            method: text(&request["method"]),
            url: text(&request["url"]),
            headers: headers(request),
            body: body(request),
        }),
        response: RawResponse {
            status: response["status"].as_u64().unwrap().try_into().unwrap(),
            headers: headers(response),
            body: body(response),
            ..RawResponse::default()
        },
        ..RawExchange::default()
    };
    raw.exchange().unwrap()
}
