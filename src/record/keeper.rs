//! The keeper: makes recordings of what was relayed, on a thread of its own, so that nothing of it delays a relay.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::folder::{Folder, Written};
use super::kept::{Room, Share};
use crate::error::StartError;
use crate::import::{RawExchange, secrets};
use crate::plan::transcript::{RecordedEnding, Transcript};
use crate::serve::{Clock, clock, redact};

/// Called with each exchange that was relayed.
pub(super) type OnRelayed = Box<dyn Fn(&Relayed) + Send + Sync>;

/// An exchange that was relayed, and what became of its recording.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Relayed {
    /// The method.
    pub method: String,
    /// The path below the scope with its query, without secrets.
    pub path: String,
    /// The status code; `None` where no answer came.
    pub status: Option<u16>,
    /// How it ended; `None` where nothing was recorded.
    pub ending: Option<RecordedEnding>,
    /// How many events were recorded; 1 for a body that is no stream.
    pub events: usize,
    /// When the request was read, from the start of the recorder.
    pub at: Duration,
    /// How long the exchange took, connecting included.
    pub duration: Duration,
    /// What should be known of its recording, in sentences without a full stop.
    pub notes: Vec<String>,
    /// What became of its recording.
    pub fate: Fate,
}

/// What became of the recording of an exchange.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fate {
    /// There is one.
    Recorded {
        /// The path of its transcript in the folder; `None` without a folder, or where it was there already.
        file: Option<String>,
    },
    /// There is none.
    NotKept {
        /// Why, a fragment.
        why: String,
    },
}

/// Why there is nothing to record.
#[derive(Debug)]
pub(super) enum Fault {
    /// The service cannot be reached.
    NoService(String),
    /// It did not answer.
    NoAnswer(&'static str),
    /// The body is larger than what is kept of one.
    TooLarge,
    /// Other exchanges have used up the memory for all.
    NoRoom,
    /// The recorder was stopped.
    Cut,
}

/// An exchange that is over.
pub(super) struct Ended {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: Option<u16>,
    pub(super) start: Instant,
    pub(super) end: Instant,
    pub(super) exchange: Result<(Box<RawExchange>, Share), Fault>,
}

enum Message {
    Ended(Box<Ended>),
    /// Nothing more comes; to be told once everything is written.
    Stop(oneshot::Sender<()>),
}

/// What relays and the recorder share.
pub(super) struct Keeper {
    pub(super) room: Arc<Room>,
    /// How much is kept of a body.
    pub(super) max_body: usize,
    queue: Sender<Message>,
    shelf: Arc<Shelf>,
}

/// What was recorded.
struct Shelf {
    transcripts: Mutex<Transcripts>,
    /// How many exchanges were relayed, recorded or not.
    settled: watch::Sender<usize>,
}

#[derive(Default)]
struct Transcripts {
    newest: Vec<(usize, Transcript)>,
    recorded: usize,
    not_kept: usize,
}

/// Who writes.
struct Writer {
    folder: Option<Folder>,
    max_body: usize,
    started: Instant,
    on_relayed: Option<OnRelayed>,
    shelf: Arc<Shelf>,
}

impl Keeper {
    pub(super) fn start(
        folder: Option<Folder>,
        max_body: usize,
        on_relayed: Option<OnRelayed>,
    ) -> Result<Arc<Self>, StartError> {
        let (queue, ended) = channel();
        let started = clock::now();
        let shelf = Arc::new(Shelf { transcripts: Mutex::default(), settled: watch::Sender::new(0) });
        let mut writer = Writer { folder, max_body, started, on_relayed, shelf: Arc::clone(&shelf) };
        let spawned = thread::Builder::new().name("keeper".to_owned()).spawn(move || writer.run(&ended));
        spawned.map_err(StartError::Thread)?;
        Ok(Arc::new(Self { room: Room::new(MAX_ROOM), max_body, queue, shelf }))
    }

    /// The time now, as a recording says it.
    pub(super) fn date(&self) -> String {
        let seconds = i64::try_from(Clock::System.unix()).unwrap_or_default();
        jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
    }

    /// Leaves an exchange to the writer.
    pub(super) fn end(&self, ended: Ended) {
        // A writer that is gone was told that nothing more comes.
        let _ = self.queue.send(Message::Ended(Box::new(ended)));
    }

    /// Waits until everything is written that was left to the writer.
    pub(super) async fn stop(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Message::Stop(done)).is_ok() {
            let _ = written.await;
        }
    }

    /// The transcripts so far.
    pub(super) fn transcripts(&self) -> Vec<Transcript> {
        self.shelf.lock().newest.iter().map(|(_, transcript)| transcript.clone()).collect()
    }

    /// How many exchanges were recorded, and how many were not.
    pub(super) fn counts(&self) -> (usize, usize) {
        let transcripts = self.shelf.lock();
        (transcripts.recorded, transcripts.not_kept)
    }

    /// Waits until so many exchanges were relayed, and recorded or not.
    pub(super) async fn settled(&self, exchanges: usize) {
        let mut settled = self.shelf.settled.subscribe();
        // The sender is ours.
        let _ = settled.wait_for(|settled| *settled >= exchanges).await;
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Transcripts> {
        self.transcripts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn run(&mut self, ended: &Receiver<Message>) {
        while let Ok(message) = ended.recv() {
            match message {
                Message::Ended(ended) => self.settle(*ended),
                Message::Stop(done) => {
                    // Whoever asked may be gone.
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    fn settle(&mut self, ended: Ended) {
        let Ended { method, path, status, start, end, exchange } = ended;
        let (path, query) = path.split_once('?').map_or((&*path, None), |(path, query)| (path, Some(query)));
        let mut relayed = Relayed {
            method,
            path: redact::target(path, query),
            status,
            ending: None,
            events: 0,
            at: start.saturating_duration_since(self.started),
            duration: end.saturating_duration_since(start),
            notes: Vec::new(),
            fate: Fate::NotKept { why: String::new() },
        };
        let kept = match exchange {
            // Its share of the memory is given back once it is written.
            Ok((exchange, _share)) => self.keep(*exchange),
            Err(fault) => Err(fault.to_string(self.max_body)),
        };
        let kept = kept.map(|(transcript, Written { file, notes })| {
            relayed.ending = Some(transcript.response.ending);
            relayed.events = transcript.response.events.as_ref().map_or(1, Vec::len);
            (relayed.notes, relayed.fate) = (notes, Fate::Recorded { file });
            transcript
        });
        self.shelf.put(kept.as_ref().ok().cloned());
        if let Err(why) = kept {
            relayed.fate = Fate::NotKept { why };
        }
        if let Some(told) = &self.on_relayed {
            told(&relayed);
        }
        self.shelf.settled.send_modify(|settled| *settled += 1);
    }

    /// Makes a recording without secrets, and writes it.
    fn keep(&mut self, exchange: RawExchange) -> Result<(Transcript, Written), String> {
        let exchange = exchange.exchange().map_err(|damage| damage.reason)?;
        let mut clean = exchange.clone();
        secrets::scrub(&mut clean);
        let smells: Vec<String> =
            secrets::smells(&clean.transcript).iter().map(ToString::to_string).collect();
        if !smells.is_empty() {
            return Err(format!("it smells of a secret: {}", smells.join("; ")));
        }
        let written = match &mut self.folder {
            // What a request is told by is how it was sent, so the folder replaces secrets itself.
            Some(folder) => folder.add(exchange)?,
            None => Written { file: None, notes: clean.notes },
        };
        Ok((clean.transcript, written))
    }
}

impl Shelf {
    /// Keeps a transcript, and forgets the oldest beyond the limit.
    fn put(&self, transcript: Option<Transcript>) {
        let mut shelf = self.lock();
        let Some(transcript) = transcript else {
            shelf.not_kept += 1;
            return;
        };
        shelf.recorded += 1;
        let asked = transcript.request.as_ref().and_then(|request| request.body.as_ref());
        let weight = transcript.response.bytes().len() + asked.map_or(0, weight);
        shelf.newest.push((weight, transcript));
        let mut total: usize = shelf.newest.iter().map(|(weight, _)| weight + LEAST).sum();
        let forgotten = shelf.newest.iter().take_while(|(weight, _)| {
            let is_over = total > MAX_ROOM;
            total -= weight + LEAST;
            is_over
        });
        let forgotten = forgotten.count();
        shelf.newest.drain(..forgotten);
    }
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    let inside: usize = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(weight).sum(),
        Value::Object(object) => object.iter().map(|(key, value)| key.len() + weight(value)).sum(),
    };
    size_of::<Value>() + inside
}

impl Fault {
    fn to_string(&self, max_body: usize) -> String {
        match self {
            Self::NoService(why) => why.clone(),
            Self::NoAnswer(why) => (*why).to_owned(),
            Self::TooLarge => format!("its body has more than {max_body} bytes"),
            Self::NoRoom => {
                format!(
                    "exchanges that are not written yet fill the {} MiB there are for them",
                    MAX_ROOM >> 20
                )
            }
            Self::Cut => "the recorder was stopped before it ended".to_owned(),
        }
    }
}

/// Without what was recorded.
impl fmt::Debug for Keeper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Keeper").field("max_body", &self.max_body).finish_non_exhaustive()
    }
}

/// The memory for exchanges that are relayed or wait to be written, and for those that are remembered.
const MAX_ROOM: usize = 256 << 20;

/// About what a transcript takes beside its body.
const LEAST: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_with_what_was_asked() {
        let shelf = Shelf { transcripts: Mutex::default(), settled: watch::Sender::new(0) };
        let asked =
            json!({ "method": "POST", "path": "/", "headers": [], "body": ["x".repeat(MAX_ROOM / 4)] });
        let transcript = json!({ "request": asked, "response": { "status": 200, "headers": [] } });
        let transcript: Transcript = serde_json::from_value(transcript).unwrap();
        for _ in 0..5 {
            shelf.put(Some(transcript.clone()));
        }
        let kept = shelf.lock();
        assert_eq!((kept.newest.len(), kept.recorded), (3, 5));
    }
}
