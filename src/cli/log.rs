//! stderr while serving: one line per settled request, and notices in their order.
//!
//! Lines go through a bounded queue to a thread of their own. A parent that does not read the pipe it
//! gave us must not stall an answer: lines that find the queue full are dropped and counted.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::failure::{Failure, count};

/// The way to stderr; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// Told once everything is written.
#[derive(Debug)]
pub(super) struct Written(Receiver<()>);

enum Message {
    Line(String),
    End,
}

impl Log {
    /// Starts the thread that writes.
    pub(super) fn start() -> Result<(Self, Written), Failure> {
        let (queue, lines) = sync_channel(QUEUE);
        let (told, written) = sync_channel(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let log = Self { queue, dropped: Arc::clone(&dropped) };
        let writer = thread::Builder::new().name("log".to_owned());
        let writer = writer.spawn(move || {
            write_lines(&lines, &dropped);
            // The other side may have stopped waiting.
            let _ = told.try_send(());
        });
        match writer {
            Ok(_) => Ok((log, Written(written))),
            Err(source) => Err(Failure::System { task: "start a thread", source: source.into() }),
        }
    }

    /// Writes a line, soon.
    pub(super) fn line(&self, line: impl Into<String>) {
        if self.queue.try_send(Message::Line(line.into())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all lines are written, or until stderr has been blocked for too long.
    pub(super) fn finish(&self, written: &Written) {
        if self.queue.try_send(Message::End).is_ok() {
            // Either way there is nothing more to do.
            let _ = written.0.recv_timeout(PATIENCE);
        }
    }
}

fn write_lines(lines: &Receiver<Message>, dropped: &AtomicU64) {
    while let Ok(Message::Line(line)) = lines.recv() {
        let mut err = io::stderr().lock();
        // A closed stderr is the parent's choice; the server goes on.
        let _ = writeln!(err, "{line}");
        match dropped.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => {
                let lost = count(usize::try_from(lost).unwrap_or(usize::MAX), "line");
                let _ = writeln!(err, "llmirage: {lost} lost: nobody read stderr for a while");
            }
        }
    }
}

/// Colours of the terminal, if stderr is one that wants them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// As the environment wants it: <https://no-color.org>.
    pub(super) fn of_stderr() -> Self {
        let refused =
            |name, value: fn(&std::ffi::OsStr) -> bool| std::env::var_os(name).is_some_and(|it| value(&it));
        let refused =
            refused("NO_COLOR", |value| !value.is_empty()) || refused("TERM", |value| value == "dumb");
        Self(io::stderr().is_terminal() && !refused)
    }

    /// No colours.
    #[cfg(test)]
    pub(super) const fn plain() -> Self {
        Self(false)
    }

    /// `text` in the colour that its status has.
    pub(super) fn status(self, status: u16, text: &str) -> String {
        let colour = match status {
            ..400 => 32,
            400..500 => 33,
            _ => 31,
        };
        self.in_colour(colour, text)
    }

    /// `text` in the colour of what broke.
    pub(super) fn broken(self, text: &str) -> String {
        self.in_colour(33, text)
    }

    fn in_colour(self, colour: u8, text: &str) -> String {
        if self.0 { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// How many lines wait at most.
const QUEUE: usize = 4096;

/// How long the end waits for a stderr that does not move.
const PATIENCE: Duration = Duration::from_secs(1);
