//! What is measured: which answers, to how many clients, at which pace.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;
use tempfile::TempDir;

use crate::answer::Answer;
use crate::args::Args;
use crate::server::{Server, Subject};

/// One block of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Section {
    /// From the start of the process until it accepts, and what it holds then
    Start,
    /// JSON answers, one connection
    #[value(name = "json-1")]
    Json1,
    /// JSON answers, 64 connections
    #[value(name = "json-64")]
    Json64,
    /// JSON answers, 64 connections, no request twice
    #[value(name = "json-64-new")]
    Json64New,
    /// Streams of 100 events without waiting, one connection
    #[value(name = "streams-1")]
    Streams1,
    /// Streams of 100 events without waiting, 64 connections
    #[value(name = "streams-64")]
    Streams64,
    /// Streams of 100 events without waiting, 64 connections, no request twice
    #[value(name = "streams-64-new")]
    Streams64New,
    /// One stream of 100 events, 20 ms between them
    #[value(name = "paced-1")]
    Paced1,
    /// 100 such streams
    #[value(name = "paced-100")]
    Paced100,
    /// 1,000 such streams
    #[value(name = "paced-1000")]
    Paced1000,
    /// 5,000 such streams
    #[value(name = "paced-5000")]
    Paced5000,
    /// 10,000 streams of 20 events, 250 ms between them
    #[value(name = "paced-10000")]
    Paced10000,
}

/// How a section asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// Nothing is asked.
    None,
    /// So many connections, each with one request after the other.
    Closed { connections: usize },
    /// So many connections, each with one request; they are sent evenly within [`RAMP`].
    Paced { streams: usize },
}

/// What each request has another number in the place of, if no request comes twice.
pub(crate) const NUMBER: &str = " 00000000";

/// How long it takes until all paced streams are asked for.
pub(crate) const RAMP: Duration = Duration::from_secs(1);

impl Section {
    pub(crate) const ALL: [Self; 12] = [
        Self::Start,
        Self::Json1,
        Self::Json64,
        Self::Json64New,
        Self::Streams1,
        Self::Streams64,
        Self::Streams64New,
        Self::Paced1,
        Self::Paced100,
        Self::Paced1000,
        Self::Paced5000,
        Self::Paced10000,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Json1 => "JSON answers without waiting, 1 connection",
            Self::Json64 => "JSON answers without waiting, 64 connections",
            Self::Json64New => "JSON answers without waiting, 64 connections, no request twice",
            Self::Streams1 => "streams of 100 events without waiting, 1 connection",
            Self::Streams64 => "streams of 100 events without waiting, 64 connections",
            Self::Streams64New => "streams of 100 events without waiting, 64 connections, no request twice",
            Self::Paced1 => "1 stream, 100 events, 20 ms apart",
            Self::Paced100 => "100 streams, 100 events, 20 ms apart",
            Self::Paced1000 => "1,000 streams, 100 events, 20 ms apart",
            Self::Paced5000 => "5,000 streams, 100 events, 20 ms apart",
            Self::Paced10000 => "10,000 streams, 20 events, 250 ms apart",
        }
    }

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(crate) fn is_quick(self) -> bool {
        !matches!(self, Self::Paced5000 | Self::Paced10000)
    }

    pub(crate) fn load(self) -> Load {
        match self {
            Self::Start => Load::None,
            Self::Json1 | Self::Streams1 => Load::Closed { connections: 1 },
            Self::Json64 | Self::Json64New | Self::Streams64 | Self::Streams64New => {
                Load::Closed { connections: 64 }
            }
            Self::Paced1 => Load::Paced { streams: 1 },
            Self::Paced100 => Load::Paced { streams: 100 },
            Self::Paced1000 => Load::Paced { streams: 1000 },
            Self::Paced5000 => Load::Paced { streams: 5000 },
            Self::Paced10000 => Load::Paced { streams: 10_000 },
        }
    }

    /// How many sockets it needs at once.
    pub(crate) fn sockets(self) -> usize {
        match self.load() {
            Load::None => 0,
            Load::Closed { connections } => connections,
            Load::Paced { streams } => streams,
        }
    }

    fn is_stream(self) -> bool {
        !matches!(self, Self::Start | Self::Json1 | Self::Json64 | Self::Json64New)
    }

    fn events(self) -> usize {
        if self == Self::Paced10000 { 20 } else { 100 }
    }

    fn gap(self) -> Option<&'static str> {
        match (self.load(), self) {
            (Load::Paced { .. }, Self::Paced10000) => Some("250ms"),
            (Load::Paced { .. }, _) => Some("20ms"),
            _ => None,
        }
    }

    /// Writes the fixture, asks llmirage for its answer, and keeps that for the limits.
    pub(crate) fn prepare(self, binary: &Path, args: &Args) -> Result<Setup, Box<dyn Error>> {
        let folder = tempfile::Builder::new().prefix("llmirage-load-").tempdir()?;
        let fixtures = folder.path().join("fixtures.json");
        std::fs::write(&fixtures, self.fixtures())?;
        let mut setup = Setup {
            section: self,
            binary: binary.to_owned(),
            fixtures,
            answer: Answer::default(),
            answer_file: folder.path().join("answer.json"),
            folder,
        };
        let server = Server::start(&setup, Subject::Llmirage, args)?;
        setup.answer = Answer::capture(server.address, &setup.fixtures, &self.body())?;
        drop(server);
        let events = if self.is_stream() { self.events() } else { 1 };
        if setup.answer.events.len() != events {
            return Err(format!("the answer has {} events, not {events}", setup.answer.events.len()).into());
        }
        setup.answer.write(&setup.answer_file)?;
        Ok(setup)
    }

    /// One fixture: an answer of common words, each of which is one token.
    fn fixtures(self) -> String {
        let words = ["the", "of", "and", "to", "in", "is", "that", "for", "it", "as"];
        // Beside the content there are the role, the finish and `[DONE]`.
        let text: Vec<&str> = words.iter().copied().cycle().take(self.events() - 3).collect();
        let pacing = self.gap().map_or_else(|| json!({}), |gap| json!({ "ttft": gap, "itl": gap }));
        let fixture = json!({ "name": "load", "reply": text.join(" ") });
        json!({ "defaults": { "pacing": pacing }, "fixtures": [fixture] }).to_string()
    }

    fn body(self) -> String {
        let number = if matches!(self, Self::Json64New | Self::Streams64New) { NUMBER } else { "" };
        let text = format!("Say something of an ordinary length{number}.");
        let message = json!({ "role": "user", "content": text });
        json!({ "model": "gpt-4o", "stream": self.is_stream(), "messages": [message] }).to_string()
    }
}

/// A section that is ready to be measured.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) section: Section,
    pub(crate) binary: PathBuf,
    pub(crate) fixtures: PathBuf,
    pub(crate) answer: Answer,
    pub(crate) answer_file: PathBuf,
    /// Removed with this.
    pub(crate) folder: TempDir,
}
