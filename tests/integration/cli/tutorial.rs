//! docs/transcripts.md, done as it says, from the top to the bottom; what it does ends in tests/recorded.
//!
//! Its Python and JavaScript are run by tests/sdk/run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Dir, Served};

/// The Rust of the page, as it is there.
mod hello {
    use super::my_app;

    include!("tutorial/hello.rs");
}

/// What the Rust of the page tests.
mod my_app {
    use std::io;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    /// What the service says to `user`; an error, where its answer is not whole.
    pub(super) async fn ask(base_url: &str, user: &str) -> io::Result<String> {
        let host = base_url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await?;
        let body = crate::support::chat_body(user);
        stream.write_all(crate::support::post("/v1/chat/completions", host, "", &body).as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        if !answer.ends_with("\r\n0\r\n\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let chunks =
            answer.lines().filter_map(|line| line.strip_prefix("data: {")).map(|rest| format!("{{{rest}"));
        let chunks = chunks.map(|chunk| serde_json::from_str::<serde_json::Value>(&chunk).unwrap());
        Ok(chunks
            .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
            .collect())
    }
}

const PAGE: &str = "docs/transcripts.md";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The blocks of code of the page, each with its language.
fn blocks() -> Vec<(String, String)> {
    let page = read(PAGE);
    let fenced = page.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').unwrap())
        .map(|(kind, code)| (kind.to_owned(), code.to_owned()))
        .collect()
}

/// The first block in a language.
fn first(kind: &str) -> String {
    blocks().into_iter().find(|(known, _)| known == kind).unwrap().1
}

#[cfg(unix)]
#[test]
fn the_page_about_transcripts_can_be_followed_from_the_top_to_the_bottom() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: no curl");
        return;
    }
    let mut reader = Reader::new();
    let mut done = 0;
    for (kind, code) in blocks() {
        match kind.as_str() {
            "sh" => reader.run(&code),
            "console" => reader.compare(&code),
            _ => continue,
        }
        done += 1;
    }
    assert!(done >= 12, "{done} blocks");
    let Reader { dir, mut servers, .. } = reader;
    assert_eq!(dir.read("tests/recorded/fixtures.json"), read("tests/recorded/fixtures.json"));
    assert_eq!(timeless(&dir.read(HELLO)), timeless(&read(HELLO)));
    let events = |text: &str| serde_json::from_str::<Value>(text).unwrap()["response"]["events"].clone();
    assert!(events(&dir.read(HELLO))[3]["at"].is_string());
    let recorder = servers.remove("127.0.0.1:4011").unwrap().stop();
    assert!(
        recorder.stderr.ends_with("llmirage: recorded 1 exchange in tests/recorded-live\n"),
        "{recorder:?}"
    );
    assert_eq!(timeless(&dir.read("tests/recorded-live/transcripts/hello.json")), timeless(&read(HELLO)));
}

const HELLO: &str = "tests/recorded/transcripts/hello.json";

/// A transcript without what is another in each run: times, ids, what tells the tool.
fn timeless(transcript: &str) -> Value {
    let mut transcript: Value = serde_json::from_str(transcript).unwrap();
    transcript["recorded"] = Value::Null;
    let response = &mut transcript["response"];
    for key in ["at", "ends_at"] {
        response[key] = Value::Null;
    }
    for event in response["events"].as_array_mut().unwrap() {
        event["at"] = Value::Null;
        let raw = event["raw"].as_str().unwrap().to_owned();
        let chunk = raw.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok());
        event["raw"] = chunk.map_or_else(|| json!(raw), |chunk| chunk["choices"].clone());
    }
    let pairs = response["headers"].as_array().unwrap().clone();
    response["headers"] = pairs.into_iter().map(|pair| pair[0].clone()).collect();
    // The recorder sees names in small letters.
    let sent = transcript["request"]["headers"].as_array().unwrap().clone();
    let sent = sent.into_iter().map(|pair| json!([pair[0].as_str().unwrap().to_ascii_lowercase(), pair[1]]));
    transcript["request"]["headers"] = sent.filter(|pair| pair[0] != "user-agent").collect();
    transcript
}

/// Somebody who does what the page says.
struct Reader {
    dir: Dir,
    env: BTreeMap<String, String>,
    /// The servers that run, by the address that the page gives them.
    servers: BTreeMap<String, Served>,
    /// Servers in whose place another was started.
    _others: Vec<Served>,
}

impl Reader {
    fn new() -> Self {
        let dir = Dir::new();
        let ask =
            |user: &str| json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": user }] });
        let headers = json!([{ "name": "content-type", "value": "application/json" }]);
        let har = json!({ "log": { "version": "1.2", "creator": { "name": "t", "version": "1" }, "entries": [{
            "startedDateTime": "2025-06-01T12:00:00Z", "time": 5,
            "request": { "method": "POST", "url": "https://api.openai.com/v1/chat/completions", "httpVersion": "HTTP/1.1",
                "headers": headers, "queryString": [], "cookies": [], "headersSize": -1, "bodySize": -1,
                "postData": { "mimeType": "application/json", "text": ask("one").to_string() } },
            "response": { "status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1", "headers": headers,
                "content": { "size": 2, "mimeType": "application/json", "text": "{}" },
                "cookies": [], "redirectURL": "", "headersSize": -1, "bodySize": -1 },
            "cache": {}, "timings": { "send": 0, "wait": 5, "receive": 0 } }] } });
        let cassette = json!({ "version": 1, "interactions": [{
            "request": { "method": "POST", "uri": "https://api.openai.com/v1/chat/completions",
                "headers": { "content-type": ["application/json"] }, "body": ask("two").to_string() },
            "response": { "status": { "code": 200, "message": "OK" },
                "headers": { "content-type": ["application/json"] }, "body": { "string": "{}" } } }] });
        dir.create("chat.har", &har.to_string());
        dir.create("tests/cassettes/chat.json", &cassette.to_string());
        let key =
            format!("-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----", "MIIEvQ2b".repeat(16));
        dir.create("hello.key.sse", &format!("data: {{\"text\":\"{key}\"}}\n\n"));
        let (env, servers) = Default::default();
        Self { dir, env, servers, _others: Vec::new() }
    }

    /// Does what a block of the page says.
    fn run(&mut self, code: &str) {
        let code = self.here(&code.replace("\\\n", " "));
        if let Some(variables) = code.strip_prefix("export ") {
            let pairs = variables.split_whitespace().map(|pair| pair.split_once('=').unwrap());
            self.env.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        } else if let Some(args) = code.strip_prefix("llmirage ") {
            self.serve(args);
        } else {
            let (code, said) = self.sh(&code);
            assert_eq!(code, Some(0), "{said}");
        }
    }

    /// Runs the command of a listing and compares what it prints.
    fn compare(&self, listing: &str) {
        let (command, expected) = listing.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let (_, said) = self.sh(command);
        assert_eq!(said, expected, "{command}");
    }

    fn serve(&mut self, args: &str) {
        let args = args.replace("\"$SERVICE\"", &self.env["SERVICE"]);
        let (args, address) = match args.split_once(" --listen ") {
            Some((args, address)) => (args, address.trim()),
            None => (args.as_str(), "127.0.0.1:4010"),
        };
        let server = self.dir.command(args).serve();
        self._others.extend(self.servers.insert(address.to_owned(), server));
    }

    /// The text with the addresses that the servers really have.
    fn here(&self, text: &str) -> String {
        self.servers.iter().fold(text.to_owned(), |text, (address, server)| {
            text.replace(&format!("http://{address}"), &server.url)
        })
    }

    /// What a shell says to this, and its exit code.
    fn sh(&self, code: &str) -> (Option<i32>, String) {
        let binary = Path::new(env!("CARGO_BIN_EXE_llmirage")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut sh = Command::new("sh");
        sh.args(["-euc", &format!("{{ {code}\n}} 2>&1")]).current_dir(self.dir.path("")).env("PATH", path);
        sh.envs(&self.env).env_remove("LLMIRAGE_SHARED");
        let output = sh.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn the_page_shows_what_is_there() {
    assert_eq!(first("json"), read("tests/recorded/fixtures.json"));
    assert_eq!(first("rust"), read("tests/integration/cli/tutorial/hello.rs"));
}

#[test]
fn the_messages_that_the_page_explains_are_those_of_the_program() {
    let page = read(PAGE);
    let (_, table) = page.split_once("## What the messages mean").unwrap();
    let first_cells =
        table.lines().filter(|line| line.starts_with("| `")).map(|line| line.split(" | ").next().unwrap());
    let messages = first_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    let mut sources = Vec::new();
    super::docs::walk(&format!("{}/src", env!("CARGO_MANIFEST_DIR")), &mut sources);
    // A string goes on in the next line after a backslash.
    let sources: String = sources.concat().split("\\\n").map(str::trim_start).collect();
    let missing: Vec<_> = messages.filter(|message| !sources.contains(message.as_str())).collect();
    assert_eq!(missing, Vec::<String>::new());
}
