//! One connection: hyper as long as responses are healthy, the bare socket once one breaks.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::clock::{self, Alarm};
use super::drain::Socket;
use super::forward::{After, Forwarded};
use super::lines::{Aftermath, Handover, Line, OpenLine};
use super::service::Service;
use super::takeover::{self, Takeover};
use super::transport::Transport;
use crate::plan::timeline::Reuse;

/// Serves a connection until it ends or the server cuts it.
pub(crate) async fn serve<I>(service: Service, open: OpenLine, io: I, socket: Socket<I>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    open.until_cut(pin!(run(service, &open, io, socket))).await;
}

/// Why hyper does not go on with a connection.
enum End {
    /// It is done with it.
    Done,
    /// A response is to be played on the bare socket.
    Takeover(Box<Takeover>),
    /// Someone else answers.
    Forward(Box<Forwarded>),
    /// It was idle for as long as it may be, and ends with a RST or a FIN.
    Idle { reset: bool },
    /// A request came that meets this.
    Met(Reuse),
}

async fn run<I>(service: Service, open: &OpenLine, io: I, socket: Socket<I>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let line = open.line();
    let mut transport = Transport::new(io, Arc::clone(line), socket);
    let end = loop {
        let (end, bare) = speak(&service, line, transport).await;
        transport = bare;
        let End::Forward(forwarded) = end else { break end };
        match Box::pin(forwarded.answer(&mut transport)).await {
            After::Kept => {}
            After::Closed => break End::Met(Reuse::Close),
            After::Reset => break End::Met(Reuse::Reset),
            After::Left => return,
        }
    };
    // Rare, and longer than what most connections need: it takes room only where it happens.
    Box::pin(finish(end, open, transport, &service)).await;
}

/// Ends a connection that hyper does not go on with.
async fn finish<I>(end: End, open: &OpenLine, transport: Transport<I>, service: &Service)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (line, lines, max_hold) = (open.line(), &service.state.lines, service.state.config.max_hold);
    // Reading is not bounded as that of a request's head is.
    let _busy = line.begin_request();
    match end {
        End::Takeover(takeover) => takeover.play(transport, lines).await,
        End::Done if line.is_unread() => takeover::close(transport, takeover::LINGER, lines).await,
        // What is to be forwarded has been.
        End::Done | End::Forward(_) => {}
        End::Idle { reset: true } | End::Met(Reuse::Reset) => {
            transport.reset_drained(max_hold, lines).await;
        }
        End::Met(Reuse::Blackhole) => takeover::hold(transport, max_hold, lines).await,
        End::Idle { reset: false } | End::Met(Reuse::Close) => {
            takeover::close(transport, takeover::LINGER.min(max_hold), lines).await;
        }
    }
}

/// Speaks through hyper, until it does not go on; gives the transport back.
async fn speak<I>(service: &Service, line: &Arc<Line>, transport: Transport<I>) -> (End, Transport<I>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let lines = Arc::clone(&service.state.lines);
    let max_hold = service.state.config.max_hold;
    let answer = service_fn(|request| {
        let (service, line) = (service.clone(), Arc::clone(line));
        // hyper has room for it as long as the connection is open; like this it is needed only until
        // the answer begins.
        Box::pin(async move {
            // It came in one piece with the request before it.
            if line.meet() {
                return std::future::pending().await;
            }
            Ok::<_, Infallible>(service.respond(request, &line).await)
        })
    });
    let mut http = http();
    // Whoever answers in our place gets the names as the client wrote them.
    http.preserve_header_case(service.state.config.forwarding.is_some());
    let mut hyper = http.serve_connection(TokioIo::new(transport), answer);
    let mut draining = false;
    let mut idle = Idle { max_hold, deadline: None, alarm: Alarm::default() };
    let end = poll_fn(|cx| {
        if !draining && lines.is_draining() {
            draining = true;
            Pin::new(&mut hyper).graceful_shutdown();
        }
        match Pin::new(&mut hyper).poll(cx) {
            // Its errors are the client's: it left, or it does not speak HTTP.
            Poll::Ready(_) => Poll::Ready(End::Done),
            Poll::Pending => match line.take_over() {
                Some(handover) => Poll::Ready(match *handover {
                    Handover::Play(takeover) => End::Takeover(Box::new(takeover)),
                    Handover::Forward(forwarded) => End::Forward(Box::new(forwarded)),
                }),
                // Nothing is owed to a client that has not asked yet, or not all of it.
                None if draining && line.is_idle() => Poll::Ready(End::Done),
                None => idle.poll(cx, line),
            },
        }
    })
    .await;
    let parts = hyper.into_parts();
    let mut transport = parts.io.into_inner();
    transport.unread(parts.read_buf);
    (end, transport)
}

/// Waits while a connection is idle after a response that something comes after.
struct Idle {
    /// The longest that anything is held.
    max_hold: Duration,
    deadline: Option<Instant>,
    alarm: Alarm,
}

impl Idle {
    fn poll(&mut self, cx: &mut Context<'_>, line: &Line) -> Poll<End> {
        let aftermath = if line.is_idle() { line.aftermath() } else { Aftermath::Kept };
        match aftermath {
            Aftermath::Idle { after, reset } => {
                let deadline = *self.deadline.get_or_insert_with(|| clock::now() + after.min(self.max_hold));
                self.alarm.poll(cx, deadline).map(|()| End::Idle { reset })
            }
            Aftermath::Met(reuse) => Poll::Ready(End::Met(reuse)),
            Aftermath::Kept | Aftermath::Reuse(_) => {
                self.deadline = None;
                Poll::Pending
            }
        }
    }
}

/// hyper, with every limit set that it has.
fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    // Its own limit on heads also runs while a connection is idle: the transport's is the one that is used.
    http.max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD + 1024)
        // Planned heads have their own date, or none.
        .auto_date_header(false)
        // One buffer, one write: faster than `writev` for small frames.
        .writev(false);
    http
}

/// How many headers a request may have; more are answered 431.
const MAX_HEADERS: usize = 100;

/// How long the head of a request may be; a longer one is answered 431.
const MAX_HEAD: usize = 64 * 1024;
