//! The client: one thread, one poll loop, nothing allocated and nothing parsed per event.
//!
//! An event has arrived when the read that had its last byte returned.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::answer::Answer;
use crate::section::{NUMBER, RAMP};

/// Connections of one measurement, and what is read from them.
pub(crate) struct Client<'a> {
    answer: &'a Answer,
    requests: Requests,
    poll: Poll,
    connections: Vec<Connection>,
    events: Events,
    buffer: Vec<u8>,
}

/// One connection: where it is in its response.
struct Connection {
    socket: TcpStream,
    asked: Instant,
    /// Bytes of the response so far.
    received: usize,
    /// The last of them.
    tail: [u8; 5],
    /// Ends of events so far, and whether the last byte was the first of two line feeds.
    arrived: usize,
    line_ended: bool,
    ended: bool,
}

/// The requests, one after the other.
struct Requests {
    bytes: Vec<u8>,
    /// Where the digits are that tell one from another, if they are to be told.
    digits: Option<Range<usize>>,
}

impl Requests {
    fn new(answer: &Answer) -> Self {
        let start = answer.request.find(NUMBER).map(|start| start + 1);
        let digits = start.map(|start| start..start + NUMBER.len() - 1);
        Self { bytes: answer.request.clone().into(), digits }
    }

    fn next(&mut self) -> &[u8] {
        let digits = self.digits.clone().into_iter().flatten().rev();
        for at in digits {
            self.bytes[at] = if self.bytes[at] == b'9' { b'0' } else { self.bytes[at] + 1 };
            if self.bytes[at] != b'0' {
                break;
            }
        }
        &self.bytes
    }
}

/// What became of a read.
enum Got {
    /// There was nothing.
    Nothing,
    /// The response goes on.
    Part,
    /// The response is complete.
    Complete,
    /// The connection failed.
    Failure,
}

/// What a window saw of connections that ask again and again.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    pub(crate) responses: u64,
    pub(crate) failures: u64,
    pub(crate) elapsed: Duration,
}

/// What was seen of paced streams.
#[derive(Debug, Default)]
pub(crate) struct Paced {
    /// Microseconds that each event came after it was due, counted from before its request was written.
    pub(crate) late: Vec<f64>,
    /// For each stream, how much later its last event was than the first that had to be waited for.
    pub(crate) drift: Vec<f64>,
    pub(crate) early: u64,
    pub(crate) failures: u64,
    /// From the first request to the last event.
    pub(crate) elapsed: Duration,
}

impl<'a> Client<'a> {
    pub(crate) fn connect(
        server: SocketAddr,
        count: usize,
        answer: &'a Answer,
    ) -> Result<Self, Box<dyn Error>> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let socket = std::net::TcpStream::connect(server)
                .map_err(|error| format!("connection {} of {count}: {error}", index + 1))?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
            connections.push(Connection::new(socket));
        }
        Ok(Self {
            answer,
            requests: Requests::new(answer),
            poll,
            connections,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 << 10],
        })
    }

    /// Asks on every connection, and again whenever an answer is complete. `edge` is called when the window
    /// begins, after a warm-up, and when it ends.
    pub(crate) fn closed(
        &mut self,
        window: Duration,
        mut edge: impl FnMut(),
    ) -> Result<Closed, Box<dyn Error>> {
        let mut seen = Closed::default();
        let (mut complete, mut before) = (0, None);
        let begun = Instant::now();
        for connection in &mut self.connections {
            connection.ask(self.requests.next())?;
        }
        loop {
            let elapsed = begun.elapsed();
            match before {
                None if elapsed >= WARM_UP => {
                    before = Some((complete, elapsed));
                    edge();
                }
                Some((so_far, since)) if elapsed >= since + window => {
                    edge();
                    seen.responses = complete - so_far;
                    seen.elapsed = elapsed - since;
                    return Ok(seen);
                }
                _ => {}
            }
            self.wait(Duration::from_millis(10))?;
            for event in &self.events {
                let Some(connection) = self.connections.get_mut(event.token().0) else { continue };
                while !connection.ended {
                    match connection.read(self.answer, &mut self.buffer, |_, _| {}) {
                        Got::Nothing => break,
                        Got::Part => {}
                        Got::Complete => {
                            complete += 1;
                            connection.ask(self.requests.next())?;
                        }
                        Got::Failure => {
                            connection.ended = true;
                            seen.failures += 1;
                        }
                    }
                    if !READS_ON {
                        break;
                    }
                }
            }
            // Nobody is left to ask, so the window would count nothing.
            if seen.failures == self.connections.len() as u64 {
                return Err("every connection failed".into());
            }
        }
    }

    /// Asks once on every connection, evenly over [`RAMP`], and notes when each event comes. `all_open` is
    /// called once all streams were asked for.
    pub(crate) fn paced(&mut self, mut all_open: impl FnMut()) -> Result<Paced, Box<dyn Error>> {
        let due: Vec<f64> = self.answer.events.iter().map(|event| micros(event.at)).collect();
        let first_waited = due.iter().position(|at| *at > 0.0).unwrap_or(0);
        let streams = self.connections.len();
        let mut seen = Paced { late: Vec::with_capacity(streams * due.len()), ..Paced::default() };
        let mut first_late = vec![f64::NAN; streams];
        let (mut asked, mut open, mut was_all_open) = (0, streams, false);
        let gap = RAMP / u32::try_from(streams)?;
        let begun = Instant::now();
        let last_ask = gap * u32::try_from(streams)?;
        let deadline = begun + RAMP + self.answer.duration() + PATIENCE;
        while open > 0 && Instant::now() < deadline {
            let now = begun.elapsed();
            while asked < streams && gap * u32::try_from(asked)? <= now {
                self.connections[asked].ask(self.requests.next())?;
                asked += 1;
            }
            if asked == streams && !was_all_open && now >= last_ask + SETTLING {
                was_all_open = true;
                all_open();
            }
            let wait = match asked < streams {
                true => (gap * u32::try_from(asked)?).saturating_sub(now),
                false => Duration::from_millis(50),
            };
            self.wait(wait)?;
            for event in &self.events {
                let index = event.token().0;
                let Some(connection) = self.connections.get_mut(index) else { continue };
                while !connection.ended {
                    let got = connection.read(self.answer, &mut self.buffer, |number, after| {
                        let Some(at) = due.get(number) else { return };
                        let late = after.as_secs_f64() * 1e6 - at;
                        seen.early += u64::from(late < 0.0);
                        seen.late.push(late);
                        if number == first_waited {
                            first_late[index] = late;
                        }
                        if number + 1 == due.len() {
                            seen.drift.push(late - first_late[index]);
                        }
                    });
                    let whole = connection.arrived == due.len();
                    match got {
                        Got::Nothing => break,
                        Got::Part => {}
                        Got::Complete | Got::Failure => {
                            (open, connection.ended) = (open - 1, true);
                            seen.elapsed = begun.elapsed();
                            seen.failures += u64::from(!(matches!(got, Got::Complete) && whole));
                        }
                    }
                    if !READS_ON {
                        break;
                    }
                }
            }
        }
        seen.failures += open as u64;
        Ok(seen)
    }

    fn wait(&mut self, longest: Duration) -> Result<(), Box<dyn Error>> {
        match self.poll.poll(&mut self.events, Some(longest)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        let asked = Instant::now();
        Self { socket, asked, received: 0, tail: [0; 5], arrived: 0, line_ended: false, ended: false }
    }

    /// Sends the request. It fits into the socket's buffer: the one before was answered.
    fn ask(&mut self, request: &[u8]) -> Result<(), Box<dyn Error>> {
        (self.received, self.arrived, self.line_ended) = (0, 0, false);
        self.asked = Instant::now();
        Ok(self.socket.write_all(request)?)
    }

    /// Reads what there is, once; `event` gets the number of each event that ended in it, and when.
    fn read(&mut self, answer: &Answer, buffer: &mut [u8], mut event: impl FnMut(usize, Duration)) -> Got {
        let len = loop {
            match self.socket.read(buffer) {
                Ok(0) => return Got::Failure,
                Ok(len) => break len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Got::Nothing,
                Err(_) => return Got::Failure,
            }
        };
        let after = self.asked.elapsed();
        let bytes = &buffer[..len];
        if self.received == 0 && !bytes.starts_with(b"HTTP/1.1 200 ") {
            return Got::Failure;
        }
        self.received += len;
        if !answer.chunked {
            return match self.received >= answer.head.len() + answer.body.len() {
                true => Got::Complete,
                false => Got::Part,
            };
        }
        if answer.duration() > Duration::ZERO {
            self.count(bytes, |number| event(number, after));
        }
        self.keep_tail(bytes);
        // No part of a body ends like its last chunk: events end with line feeds.
        let body_came = self.received > answer.head.len() + answer.body.len();
        if body_came && self.tail == *b"0\r\n\r\n" { Got::Complete } else { Got::Part }
    }

    /// Counts the ends of events: an empty line of line feeds alone. Heads and chunks have CRLF.
    fn count(&mut self, bytes: &[u8], mut event: impl FnMut(usize)) {
        for byte in bytes {
            let line_ends = *byte == b'\n';
            if line_ends && self.line_ended {
                event(self.arrived);
                self.arrived += 1;
            }
            self.line_ended = line_ends && !self.line_ended;
        }
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(self.tail.len())..];
        self.tail.rotate_left(new.len());
        let old = self.tail.len() - new.len();
        self.tail[old..].copy_from_slice(new);
    }
}

#[expect(clippy::cast_precision_loss, reason = "an answer does not last 285 years")]
fn micros(at: u64) -> f64 {
    at as f64
}

/// Whether a socket is read until it has nothing: without that Windows tells of it no more. Elsewhere the next
/// byte is told of, since no answer fills the buffer, and a read for nothing would cost the client its time.
const READS_ON: bool = cfg!(windows);

/// How long connections are busy before a window begins.
const WARM_UP: Duration = Duration::from_millis(300);

/// How long after the last request all streams are surely open.
const SETTLING: Duration = Duration::from_millis(100);

/// How late a stream may be before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);
