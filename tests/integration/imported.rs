//! Every recorded exchange, imported with one command, served, asked for over a real socket and compared.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::planning::shared;
use crate::support::{Answer, Dir, Served};

#[test]
fn what_was_recorded_is_what_a_client_gets() {
    let Some(folder) = shared("transcripts") else {
        return;
    };
    let recordings = recordings(&folder);
    let dir = Dir::new();
    let printed = dir.command("import --output out").arg(&folder).output();
    let lost: Vec<&str> = printed.stderr.lines().filter(|line| !line.contains(": note: ")).collect();
    assert_eq!((printed.code, lost), (0, vec![]), "{}", printed.stdout);

    let server = dir.command("out --quiet --time-scale 0").serve();
    let answers: Vec<Answer> = recordings.iter().map(|recording| recording.ask(&server)).collect();
    let journal: Value = serde_json::from_str(&server.get("/__admin/requests").body).unwrap();
    let fixtures: Value = serde_json::from_str(&dir.read("out/fixtures.json")).unwrap();

    let mut differ = Vec::new();
    for (index, (recording, answer)) in recordings.iter().zip(&answers).enumerate() {
        let entry = &journal["requests"][index];
        let path = transcript(&fixtures, entry);
        let transcript = path.map(|path| serde_json::from_str(&dir.read(&format!("out/{path}"))).unwrap());
        let found = recording.compare(answer, &transcript.unwrap_or_default());
        differ.extend(found.map(|found| format!("{}: {found}", recording.name)));
    }
    println!("{} of {} came back as they were recorded", recordings.len() - differ.len(), recordings.len());
    assert!(!recordings.is_empty(), "no recordings in {}", folder.display());
    assert_eq!(differ, Vec::<String>::new());
}

/// A recorded exchange, as the file says it that was imported.
struct Recording {
    name: String,
    file: Value,
}

fn recordings(folder: &Path) -> Vec<Recording> {
    let mut recordings = Vec::new();
    for provider in sorted(folder).into_iter().filter(|path| path.is_dir()) {
        let files = sorted(&provider).into_iter();
        for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            let file = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            recordings
                .push(Recording { name: path.strip_prefix(folder).unwrap().display().to_string(), file });
        }
    }
    recordings
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

impl Recording {
    /// Sends the recorded request: its headers but for those of the connection, and the bytes of its body.
    fn ask(&self, server: &Served) -> Answer {
        let request = &self.file["request"];
        let text = |key: &str| request[key].as_str().unwrap();
        let mut message = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            text("method"),
            target(text("url")),
            server.address()
        );
        for (name, value) in headers(&request["headers"]) {
            let own = ["host", "connection", "content-length", "transfer-encoding", "origin", "expect"];
            if !own.contains(&name.to_lowercase().as_str()) {
                message.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        let body = text("body");
        server.connect().send(&format!("{message}content-length: {}\r\n\r\n{body}", body.len())).answer()
    }

    /// What is not as it was recorded. `transcript` is the file that should have answered.
    fn compare(&self, answer: &Answer, transcript: &Value) -> Option<String> {
        let response = &self.file["response"];
        let body = response["body"].as_str().unwrap();
        if Some(u64::from(answer.status)) != response["status"].as_u64() {
            return Some(format!("status {}: {}", answer.status, answer.body));
        }
        if answer.body != body {
            let at = answer.body.bytes().zip(body.bytes()).position(|(sent, recorded)| sent != recorded);
            return Some(format!("the body differs at byte {at:?}"));
        }
        if !answer.complete {
            return Some("the body has no end".to_owned());
        }
        let recorded = headers(&response["headers"]);
        let kept = headers(&transcript["response"]["headers"]);
        let mut rest = recorded.iter();
        if !kept.iter().all(|(name, _)| rest.any(|(other, _)| other == name)) {
            return Some(format!("{kept:?} are not in the order of {recorded:?}"));
        }
        let kept: Vec<_> = kept.into_iter().filter(|(name, _)| !is_framing(name)).collect();
        let sent = answer.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let sent = sent.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let sent: Vec<_> = sent.filter(|(name, _)| !is_framing(name)).collect();
        (sent != kept).then(|| format!("sent {sent:?}, kept {kept:?}"))
    }
}

fn headers(list: &Value) -> Vec<(String, String)> {
    serde_json::from_value(list.clone()).unwrap_or_default()
}

/// Headers that say how this connection carries the body, and how the recorded one did.
fn is_framing(name: &str) -> bool {
    ["connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"]
        .contains(&name.to_lowercase().as_str())
}

/// The path and query of a recorded URL, as clients send it: three have placeholders in angle brackets where the
/// program had a region, and two begin with one for the address.
fn target(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => url.split_once('>').map_or(url, |(_, path)| path.trim_start_matches('/')),
    };
    format!("/{}", path.replace('<', "%3C").replace('>', "%3E"))
}

/// The transcript that answered a request, by the fixture and hit of its entry in the journal.
fn transcript<'a>(fixtures: &'a Value, entry: &Value) -> Option<&'a str> {
    let mut all = fixtures["fixtures"].as_array()?.iter();
    let fixture = all.find(|fixture| fixture["name"] == entry["fixture"])?;
    let hit = usize::try_from(entry["hit"].as_u64()?).ok()?;
    let reply = match fixture["replies"].as_array() {
        Some(replies) => replies.get(hit - 1)?,
        None => &fixture["reply"],
    };
    reply["transcript"].as_str()
}
