//! Recorded exchanges of real servers, replayed over TLS and recorded again.

use llmirage::serve::Tls;
use llmirage::{MockServer, Recorder};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::transcripts;
use crate::planning::shared;
use crate::support::Dir;

#[tokio::test]
async fn recordings_of_real_servers_are_recorded_again_as_they_were() {
    let Some(folder) = shared("transcripts") else {
        return;
    };
    let dir = Dir::new();
    dir.command("import --output out").arg(&folder).output();
    let originals = transcripts(&dir.path("out"));
    let builder = MockServer::builder().tls(Tls::SelfSigned).time_scale(0.0);
    let service = builder.fixtures_from(dir.path("out")).unwrap().start().await.unwrap();
    let recorder = Recorder::builder().upstream(service.base_url()).trust_pem(service.ca_pem().unwrap());
    let recorder = recorder.start().await.unwrap();
    // Every eighth: each needs a handshake of its own. Of those that answer the same request, the first.
    let mut asked = Vec::new();
    for original in originals.values().step_by(8) {
        if !asked.iter().any(|other: &&Value| other["request"] == original["request"]) {
            asked.push(original);
        }
    }
    for (index, original) in asked.iter().enumerate() {
        let mut socket = TcpStream::connect(recorder.address()).await.unwrap();
        socket.write_all(request(original).as_bytes()).await.unwrap();
        socket.read_to_end(&mut Vec::new()).await.unwrap();
        recorder.settled(index + 1).await;
    }
    let again = recorder.transcripts();
    assert_eq!(again.len(), asked.len());
    let mut differ = Vec::new();
    for (original, again) in asked.iter().zip(&again) {
        let again = serde_json::to_value(again).unwrap();
        // Of the same request the service may have said something else first.
        let same = originals.values().filter(|other| other["request"]["body"] == original["request"]["body"]);
        if !same.map(response).any(|response| response == self::response(&again)) {
            differ.push(format!(
                "{}: {} ≠ {}",
                original["request"]["path"],
                response(&again),
                response(original)
            ));
        }
    }
    println!("{} of {} were recorded as they were", asked.len() - differ.len(), asked.len());
    assert!(asked.len() > 20, "{} recordings", asked.len());
    assert_eq!(differ, [""; 0]);
}

/// The recorded request, on a connection that ends with its answer.
fn request(original: &Value) -> String {
    let request = &original["request"];
    let body = match &request["body"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    let own = ["host", "content-length", "connection", "expect", "transfer-encoding"];
    let lines = headers(request).into_iter().filter(|(name, _)| !own.contains(&name.to_lowercase().as_str()));
    let lines: String = lines.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{lines}content-length: {length}\r\n\r\n{body}"
    )
}

/// What was said, without times and without what is the connection's own.
fn response(transcript: &Value) -> Value {
    let mut response = transcript["response"].clone();
    let own = ["connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"];
    let kept: Vec<_> = headers(&response)
        .into_iter()
        .filter(|(name, _)| !own.contains(&name.to_lowercase().as_str()))
        .collect();
    response["headers"] = serde_json::to_value(kept).unwrap();
    for event in response["events"].as_array_mut().into_iter().flatten() {
        event.as_object_mut().unwrap().remove("at");
    }
    let members = response.as_object_mut().unwrap();
    members.remove("at");
    members.remove("ends_at");
    response
}

fn headers(of: &Value) -> Vec<(String, String)> {
    serde_json::from_value(of["headers"].clone()).unwrap_or_default()
}
