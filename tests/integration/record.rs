//! `llmirage record`, in front of llmirage itself over TLS: what is relayed, what is recorded, and what is written.
//!
//! Exact times and every split of bytes are in `src/record/tests`, on paused time; here are sockets and processes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::support::{Dir, Served};

mod command;
mod faults;
mod http2;
mod shared;
mod times;

/// llmirage over https, and the certificate to trust.
fn upstream(dir: &Dir, args: &str) -> (Served, String) {
    let mut served = dir.command(&format!("{args} --tls")).serve();
    let line = served.stdout_line("Certificate to trust: ");
    let ca = line.split_once(": ").unwrap().1.to_owned();
    (served, ca)
}

/// A recorder before it, with `base` before every path.
fn recorder(dir: &Dir, (served, ca): &(Served, String), base: &str, args: &str) -> Served {
    dir.command(&format!("record --upstream {}{base} --ca {ca} {args}", served.url)).serve()
}

/// TLS for `localhost` with this protocol above it, and the certificate to trust.
fn acceptor(protocol: &str) -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![protocol.into()];
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// The transcripts of a folder, by the names of their files.
fn transcripts(folder: &Path) -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(folder.join("transcripts")).into_iter().flatten();
    let read = entries.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    });
    read.collect()
}

/// The only transcript of a folder.
fn transcript(dir: &Dir, folder: &str) -> Value {
    let mut transcripts = transcripts(&dir.path(folder));
    assert_eq!(transcripts.len(), 1, "{:?}", transcripts.keys());
    transcripts.pop_first().unwrap().1
}

/// The bytes of the events of a transcript.
fn events(transcript: &Value) -> String {
    let events = transcript["response"]["events"].as_array().unwrap();
    events.iter().map(|event| event["raw"].as_str().unwrap()).collect()
}

/// A stream with a gap before each event.
const FIXTURES: &str = r#"{ "fixtures": [
    { "name": "slow", "match": { "user": "slow" },
      "reply": { "answer": { "text": "a b c", "chunking": "word" }, "pacing": { "itl": "60s" } } },
    { "name": "hello", "match": { "user": "hello" },
      "reply": { "answer": { "text": "Hello, how are you today?", "chunking": "word" } } } ] }"#;
