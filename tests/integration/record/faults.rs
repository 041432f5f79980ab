//! Faults of the service: the client sees them through the recorder as without it, and so does the recording.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use super::{FIXTURES, recorder, transcripts};
use crate::support::{Dir, Served, chat_body, post};

/// What a client reads to the end of the connection, and whether that was a RST.
fn read(served: &Served, path: &str) -> (String, bool) {
    let mut socket = TcpStream::connect(served.address()).unwrap();
    let request = post(path, "127.0.0.1", "authorization: Bearer sk-test\r\n", &chat_body("hello"));
    socket.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes);
    let is_reset = end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    // A character for each byte: bodies may be compressed.
    (bytes.into_iter().map(char::from).collect(), is_reset)
}

/// The body without its chunks, as far as it goes.
fn body(answer: &str) -> String {
    let bytes: Vec<char> = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).chars().collect();
    if !head(answer).to_lowercase().contains("transfer-encoding: chunked") {
        return bytes.into_iter().collect();
    }
    let mut rest = bytes.as_slice();
    let mut body = String::new();
    while let Some(line) = rest.windows(2).position(|pair| pair == ['\r', '\n']) {
        let size: String = rest[..line].iter().collect();
        let (start, size) = (line + 2, usize::from_str_radix(&size, 16).unwrap());
        let end = rest.len().min(start + size);
        body.extend(&rest[start..end]);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    body
}

fn head(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or(answer, |(head, _)| head)
}

#[test]
fn a_fault_is_relayed_and_recorded_as_it_is() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let service = super::upstream(&dir, "f.json");
    // The same without TLS and without a recorder, to compare with.
    let plain = dir.command("f.json").serve();
    for (index, (fault, ending)) in [
        ("close-mid-stream@event:3", "close"),
        ("close-mid-stream@event:3,byte:20", "close"),
        ("reset-mid-stream@event:2", "reset"),
        ("error-in-stream@event:2", ""),
        ("close-delimited", ""),
        ("gzip", ""),
        ("rate-limit", ""),
        ("server-error", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let base = format!("/fault/{fault}");
        let folder = format!("out{index}");
        let mut recording = recorder(&dir, &service, &base, &format!("-o {folder}"));
        let (direct, direct_reset) = read(&plain, &format!("{base}/v1/chat/completions"));
        let (relayed, relayed_reset) = read(&recording, "/v1/chat/completions");
        assert_eq!(head(&relayed), head(&direct), "{fault}");
        assert_eq!((relayed_reset, body(&relayed)), (direct_reset, body(&direct)), "{fault}");
        assert_eq!(relayed.ends_with("0\r\n\r\n"), direct.ends_with("0\r\n\r\n"), "{fault}");
        recording.stderr_line("recorded");
        let transcripts = transcripts(&dir.path(&folder));
        let transcript = transcripts.values().next().unwrap_or_else(|| panic!("{fault}: no transcript"));
        assert_eq!(transcript["response"]["ending"].as_str().unwrap_or_default(), ending, "{fault}");
        match transcript["response"]["events"].is_array() {
            true if fault == "gzip" => assert!(super::events(transcript).ends_with("data: [DONE]\n\n")),
            true => assert_eq!(super::events(transcript), body(&direct), "{fault}"),
            false => assert_eq!(transcript["response"]["body"], body(&direct), "{fault}"),
        }
    }
}
