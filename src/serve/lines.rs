//! The open connections of a server, and how they are told that it stops.
//!
//! Each connection looks at one atomic when it is woken; no lock is shared on the path of a frame.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::Source;
use super::door::Door;
use super::forward::Forwarded;
use super::player::Player;
use super::recall::Known;
use crate::plan::timeline::{Ending, Reuse};

/// The open connections of one server.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Whether there will be more.
    pub(crate) door: Door,
    phase: AtomicU8,
    open: Mutex<Open>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Open {
    lines: BTreeMap<u64, Arc<Line>>,
    last: u64,
}

impl Lines {
    /// Registers a connection, or refuses it where `limit` are open.
    pub(crate) fn open(self: &Arc<Self>, limit: usize, source: Option<Source>) -> Option<OpenLine> {
        let mut open = self.lock();
        if open.lines.len() >= limit {
            return None;
        }
        open.last += 1;
        let (id, line) = (open.last, Arc::new(Line { source, ..Line::default() }));
        open.lines.insert(id, Arc::clone(&line));
        Some(OpenLine { lines: Arc::clone(self), id, line })
    }

    /// Lets every connection end after the answer it is at.
    pub(crate) fn drain(&self) {
        self.enter(DRAINING);
    }

    /// Ends every connection now.
    pub(crate) fn cut(&self) {
        self.enter(CUT);
    }

    /// Whether connections end after the answer they are at.
    pub(crate) fn is_draining(&self) -> bool {
        self.phase.load(Ordering::Acquire) >= DRAINING
    }

    /// Whether every connection was ended.
    pub(crate) fn is_cut(&self) -> bool {
        self.phase.load(Ordering::Acquire) == CUT
    }

    /// Waits until no connection is open.
    pub(crate) async fn emptied(&self) {
        loop {
            let mut emptied = pin!(self.emptied.notified());
            emptied.as_mut().enable();
            if self.lock().lines.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn enter(&self, phase: u8) {
        self.phase.fetch_max(phase, Ordering::AcqRel);
        let lines: Vec<_> = self.lock().lines.values().cloned().collect();
        for line in lines {
            line.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registered connection; dropping it says that the connection is gone.
#[derive(Debug)]
pub(crate) struct OpenLine {
    lines: Arc<Lines>,
    id: u64,
    line: Arc<Line>,
}

impl OpenLine {
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// What `future` yields, or `None` once the server cuts its connections.
    pub(crate) async fn until_cut<F: Future + Unpin>(&self, future: F) -> Option<F::Output> {
        self.until(CUT, future).await
    }

    /// What `future` yields, or `None` once the server begins to stop.
    pub(crate) async fn until_draining<F: Future + Unpin>(&self, future: F) -> Option<F::Output> {
        self.until(DRAINING, future).await
    }

    /// What is waited for is pinned by the caller: a future that took it over would be thrice as large.
    async fn until<F: Future + Unpin>(&self, phase: u8, mut future: F) -> Option<F::Output> {
        poll_fn(|cx| {
            self.line.watch(cx);
            match self.lines.phase.load(Ordering::Acquire) >= phase {
                true => Poll::Ready(None),
                false => Pin::new(&mut future).poll(cx).map(Some),
            }
        })
        .await
    }
}

impl Drop for OpenLine {
    fn drop(&mut self) {
        let mut open = self.lines.lock();
        open.lines.remove(&self.id);
        if open.lines.is_empty() {
            self.lines.emptied.notify_waiters();
        }
    }
}

/// What the parts of one connection tell each other: the task that owns it, its transport below
/// hyper, and the service above.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// What its deadlines are waited for by; without one, by tokio's timer.
    source: Option<Source>,
    /// Who to wake when the server stops.
    waker: Mutex<Option<Waker>>,
    /// Put here by the service, played by the task once hyper has nothing left to write.
    handover: Mutex<Option<Handover>>,
    /// Whether the transport holds bytes that hyper could not write yet.
    unflushed: AtomicBool,
    /// Whether a request is being answered.
    busy: AtomicBool,
    /// Whether a request's body was left unread: closing at once would reset the connection.
    unread: AtomicBool,
    /// Whether the connection was given up because its reader takes nothing.
    stalled: AtomicBool,
    /// What meets the connection after the response.
    aftermath: Mutex<Aftermath>,
}

/// A response that is not hyper's.
#[derive(Debug)]
pub(crate) enum Handover {
    /// One that was planned; and how its request is answered when it comes again, if that was asked.
    Play { player: Box<Player>, known: Option<Box<Known>> },
    /// One that someone else gives.
    Forward(Box<Forwarded>),
}

/// What meets a connection that is kept after a response.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Aftermath {
    /// Nothing: it is kept.
    #[default]
    Kept,
    /// It ends after this time, unless a request comes first.
    Idle {
        /// How long after the response.
        after: Duration,
        /// Whether with RST, not FIN.
        reset: bool,
    },
    /// The next request meets this.
    Reuse(Reuse),
    /// A request has met this.
    Met(Reuse),
}

impl Aftermath {
    /// What an ending means for the connection.
    pub(crate) fn of(ending: Ending) -> Self {
        match ending {
            Ending::Idle { after, reset } => Self::Idle { after, reset },
            Ending::Reuse(reuse) => Self::Reuse(reuse),
            Ending::Complete
            | Ending::Close
            | Ending::Reset { .. }
            | Ending::Abandon
            | Ending::HalfClose
            | Ending::Blackhole
            | Ending::Refuse { .. } => Self::Kept,
        }
    }
}

impl Line {
    pub(crate) fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Leaves a response to the task that owns the connection.
    pub(crate) fn hand_over(&self, handover: Handover) {
        *self.handover.lock().unwrap_or_else(PoisonError::into_inner) = Some(handover);
    }

    /// The response that was handed over, once nothing else is waiting to be written.
    pub(crate) fn take_over(&self) -> Option<Handover> {
        if self.unflushed.load(Ordering::Relaxed) {
            return None;
        }
        self.handover.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn set_unflushed(&self, unflushed: bool) {
        self.unflushed.store(unflushed, Ordering::Relaxed);
    }

    /// The head of a request is whole; it is being answered until what is returned is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> Busy {
        self.busy.store(true, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Whether no request is being answered and every answer is out.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_busy() && !self.unflushed.load(Ordering::Relaxed)
    }

    pub(crate) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    pub(crate) fn give_up(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Says what meets the connection after the response that is going out.
    pub(crate) fn set_aftermath(&self, aftermath: Aftermath) {
        *self.aftermath.lock().unwrap_or_else(PoisonError::into_inner) = aftermath;
    }

    pub(crate) fn aftermath(&self) -> Aftermath {
        *self.aftermath.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first bytes of a request, or all of it, came after a response; whether it is not to be handled.
    pub(crate) fn meet(&self) -> bool {
        let mut aftermath = self.aftermath.lock().unwrap_or_else(PoisonError::into_inner);
        match *aftermath {
            Aftermath::Kept => {}
            Aftermath::Idle { .. } => *aftermath = Aftermath::Kept,
            Aftermath::Reuse(reuse) => *aftermath = Aftermath::Met(reuse),
            Aftermath::Met(_) => return true,
        }
        matches!(*aftermath, Aftermath::Met(_))
    }

    fn watch(&self, cx: &Context<'_>) {
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }

    fn wake(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Line>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
    }
}

const DRAINING: u8 = 1;
const CUT: u8 = 2;
