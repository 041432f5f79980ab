//! A running server: its lines, its signals, its end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::{Answer, Connection, Output};

/// A server that runs; the end of the test ends it.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    /// stdout's first line.
    pub(crate) url: String,
    stdout: Lines,
    stderr: Lines,
    _unread: Option<ChildStderr>,
}

impl Served {
    /// A server that was just started; waits for its URL.
    pub(crate) fn new(mut child: Child) -> Self {
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self::with(child, stderr, None)
    }

    /// The same, with a stderr that nobody reads.
    pub(crate) fn unheard(mut child: Child) -> Self {
        let unread = child.stderr.take();
        Self::with(child, Lines::of(std::io::empty()), unread)
    }

    fn with(mut child: Child, stderr: Lines, unread: Option<ChildStderr>) -> Self {
        let mut stdout = Lines::of(child.stdout.take().unwrap());
        match stdout.next() {
            Some(url) => Self { child, url, stdout, stderr, _unread: unread },
            None => panic!("the server did not start: {}", stderr.rest()),
        }
    }

    /// The host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// `GET path`
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect()
            .send(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address()))
            .answer()
    }

    /// `POST path` with a JSON body and a bearer key.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.connect().send(&post(path, self.address(), "authorization: Bearer sk-test\r\n", body)).answer()
    }

    /// `POST path` with a JSON body and these header lines.
    pub(crate) fn post_with(&self, path: &str, headers: &str, body: &str) -> Answer {
        self.connect().send(&post(path, self.address(), headers, body)).answer()
    }

    /// A streaming chat completion with one user message.
    pub(crate) fn chat(&self, user: &str) -> Answer {
        self.post("/v1/chat/completions", &chat_body(user))
    }

    /// Waits for a line on stderr that contains `part`.
    pub(crate) fn stderr_line(&mut self, part: &str) -> String {
        self.stderr.find(part)
    }

    /// Waits for a line on stdout that contains `part`.
    pub(crate) fn stdout_line(&mut self, part: &str) -> String {
        self.stdout.find(part)
    }

    /// How many threads of the runtime there are.
    #[cfg(target_os = "linux")]
    pub(crate) fn threads(&self) -> usize {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let names =
            threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
        names.filter(|name| name.starts_with("tokio-")).count()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Ends the server with SIGTERM and gives what it had still to say.
    pub(crate) fn stop(self) -> Output {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for the end and gives what was said and not yet read.
    pub(crate) fn wait(mut self) -> Output {
        let status = self.child.wait().unwrap();
        Output {
            code: status.code().expect("no signal ended it"),
            stdout: self.stdout.rest(),
            stderr: self.stderr.rest(),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of a streaming chat completion with one user message.
pub(crate) fn chat_body(user: &str) -> String {
    format!(r#"{{"model":"gpt-4o","stream":true,"messages":[{{"role":"user","content":"{user}"}}]}}"#)
}

/// The bytes of a POST on a connection that is closed after it.
pub(crate) fn post(path: &str, host: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The lines of a pipe, read by a thread so that the pipe is never full.
#[derive(Debug)]
struct Lines {
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines, seen: Vec::new() }
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                panic!("no line came after {:#?}", self.seen)
            }
        }
    }

    fn find(&mut self, part: &str) -> String {
        while let Some(line) = self.next() {
            if line.contains(part) {
                return line;
            }
        }
        panic!("no line with {part:?} in {:#?}", self.seen)
    }

    fn rest(&self) -> String {
        self.lines.iter().map(|line| line + "\n").collect()
    }
}

/// A line that takes longer than this is a failure, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);
