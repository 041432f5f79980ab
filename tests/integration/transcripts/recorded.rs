//! Recordings of real servers, where there are any: each is replayed through a socket as it was recorded.

use std::fs;
use std::path::{Path, PathBuf};

use llmirage::import::{RawExchange, RawRequest, RawResponse};
use llmirage::plan::transcript::Transcript;
use llmirage::{Fixture, Matcher, MockServer, Reply};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::planning::shared;

/// Every recording below a folder, in the order of names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn pairs(headers: &Value) -> Vec<(String, String)> {
    serde_json::from_value(headers.clone()).unwrap()
}

/// The recording of a file as a transcript, and its body.
fn transcript(path: &Path) -> (Transcript, String) {
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = text(&file["response"]["body"]);
    let raw = RawExchange {
        request: Some(RawRequest {
            method: text(&file["request"]["method"]),
            url: text(&file["request"]["url"]),
            ..RawRequest::default()
        }),
        response: RawResponse {
            status: u16::try_from(file["response"]["status"].as_u64().unwrap()).unwrap(),
            headers: pairs(&file["response"]["headers"]),
            body: body.clone().into(),
            ..RawResponse::default()
        },
        ..RawExchange::default()
    };
    (raw.exchange().unwrap_or_else(|damage| panic!("{}: {damage}", path.display())).transcript, body)
}

#[tokio::test]
async fn recordings_are_replayed_byte_for_byte_through_a_socket() {
    let Some(folder) = shared("transcripts") else {
        return;
    };
    let recordings: Vec<_> = files(&folder).iter().map(|path| (path.clone(), transcript(path))).collect();
    assert!(!recordings.is_empty(), "no recordings in {}", folder.display());
    let mut builder = MockServer::builder();
    for (index, (_, (transcript, _))) in recordings.iter().enumerate() {
        let fixture = Fixture::named(index.to_string()).when(Matcher::path(format!("/{index}")));
        builder = builder.fixture(fixture.reply(Reply::transcript(transcript.clone())));
    }
    let server = builder.start().await.unwrap();
    for (index, (path, (transcript, body))) in recordings.iter().enumerate() {
        let request = format!("POST /{index} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let status = transcript.response.status;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{}: {text}", path.display());
        let sent = match text.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            true => dechunked(&bytes[head..]),
            false => bytes[head..].to_vec(),
        };
        assert!(sent == body.as_bytes(), "{}: {}", path.display(), String::from_utf8_lossy(&sent));
    }
    println!("{} recordings replayed", recordings.len());
}

/// The data of chunks.
fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a chunk has a size");
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        bytes = &bytes[line + 2..];
        if size == 0 {
            assert_eq!(bytes, b"\r\n");
            return body;
        }
        body.extend_from_slice(&bytes[..size]);
        bytes = bytes[size..].strip_prefix(b"\r\n").expect("a chunk ends");
    }
}
