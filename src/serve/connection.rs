//! One connection: hyper reads requests that are not known, and what answers them is written to the bare socket.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Empty;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::clock::{self, Alarm};
use super::drain::Socket;
use super::farewell::{self, LINGER};
use super::forward::{After, Forwarded};
use super::lines::{Aftermath, Handover, Line, OpenLine};
use super::player::Player;
use super::recall::{Known, Print, Sight};
use super::service::Service;
use super::transport::{First, Transport};
use crate::plan::timeline::Reuse;

/// Serves a connection until it ends or the server cuts it.
pub(crate) async fn serve<I>(service: Service, open: OpenLine, io: I, socket: Socket<I>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    open.until_cut(pin!(run(service, &open, io, socket))).await;
}

/// What comes next on a connection.
enum End {
    /// Nothing: both are done with it.
    Done,
    /// hyper is to read a request, whose first bytes are here; their print, if they came before.
    Read(Option<Print>),
    /// A response is to be played on the bare socket; and how its request is answered when it comes again.
    Play { player: Box<Player>, known: Option<Box<Known>> },
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
    let http = http(&service);
    let mut transport = Transport::new(io, Arc::clone(line), socket);
    let end = loop {
        let mut end = begin(&mut transport, &service, line).await;
        if let End::Read(print) = end {
            (end, transport) = listen(&http, &service, line, transport, print.is_some()).await;
            if let (Some(print), End::Play { known, .. }) = (print, &mut end) {
                // Whatever else was read had a part in what it means.
                service.remember(print, known.take().filter(|_| transport.is_read_up()));
            }
        }
        match end {
            End::Play { player, .. } => match player.play(transport, &service.state.lines).await {
                Some(bare) => transport = bare,
                None => return,
            },
            End::Forward(forwarded) => match Box::pin(forwarded.answer(&mut transport)).await {
                After::Kept => {}
                After::Closed => break End::Met(Reuse::Close),
                After::Reset => break End::Met(Reuse::Reset),
                After::Left => return,
            },
            End::Read(_) | End::Done | End::Idle { .. } | End::Met(_) => break end,
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
        End::Done if line.is_unread() => farewell::close(transport, LINGER, lines).await,
        // What is to be read, played or forwarded has been.
        End::Done | End::Read(_) | End::Play { .. } | End::Forward(_) => {}
        End::Idle { reset: true } | End::Met(Reuse::Reset) => {
            transport.reset_drained(max_hold, lines).await;
        }
        End::Met(Reuse::Blackhole) => farewell::hold(transport, max_hold, lines).await,
        End::Idle { reset: false } | End::Met(Reuse::Close) => {
            farewell::close(transport, LINGER.min(max_hold), lines).await;
        }
    }
}

/// Waits for a request. One that is known is answered at once.
async fn begin<I>(transport: &mut Transport<I>, service: &Service, line: &Arc<Line>) -> End
where
    I: AsyncRead + Unpin,
{
    let mut idle = Idle { max_hold: service.state.config.max_hold, deadline: None, alarm: Alarm::default() };
    transport.expect();
    poll_fn(|cx| {
        let mut print = None;
        let first = transport.poll_first(cx, |bytes| match service.see(bytes) {
            (_, Sight::First | Sight::Each) => None,
            (seen, Sight::Again) => {
                print = Some(seen);
                None
            }
            (_, Sight::Known(known)) => service.answer_again(&known, line),
        });
        match first {
            Poll::Ready(Ok(First::Taken(player))) => Poll::Ready(End::Play { player, known: None }),
            Poll::Ready(Ok(First::Here)) => Poll::Ready(End::Read(print)),
            Poll::Ready(Ok(First::End) | Err(_)) => Poll::Ready(End::Done),
            // Nothing is owed to a client that has not asked yet.
            Poll::Pending if service.state.lines.is_draining() => Poll::Ready(End::Done),
            Poll::Pending => idle.poll(cx, line),
        }
    })
    .await
}

/// Has hyper read a request, until it is known who answers; gives the transport back.
async fn listen<I>(
    http: &http1::Builder,
    service: &Service,
    line: &Arc<Line>,
    transport: Transport<I>,
    again: bool,
) -> (End, Transport<I>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let lines = &service.state.lines;
    // The task has room for it as long as the connection is open; like this it is needed only until it is known who
    // answers.
    let read = service_fn(|request| {
        Box::pin(async move {
            service.respond(request, line, again).await;
            pending::<Result<Response<Empty<Bytes>>, Infallible>>().await
        })
    });
    let mut hyper = http.serve_connection(TokioIo::new(transport), read);
    let mut draining = false;
    let end = poll_fn(|cx| {
        let poll = Pin::new(&mut hyper).poll(cx);
        // Only now: before it has read anything, it would end without doing so.
        if !draining && lines.is_draining() {
            draining = true;
            Pin::new(&mut hyper).graceful_shutdown();
        }
        match poll {
            // Its errors are the client's: it left, or it does not speak HTTP.
            Poll::Ready(_) => Poll::Ready(End::Done),
            Poll::Pending => match line.take_over() {
                Some(handover) => Poll::Ready(handover.into()),
                // Nothing is owed to a client that has not asked for all of it.
                None if draining && line.is_idle() => Poll::Ready(End::Done),
                None => Poll::Pending,
            },
        }
    })
    .await;
    let parts = hyper.into_parts();
    let mut transport = parts.io.into_inner();
    transport.unread(parts.read_buf);
    (end, transport)
}

impl From<Handover> for End {
    fn from(handover: Handover) -> Self {
        match handover {
            Handover::Play { player, known } => Self::Play { player, known },
            Handover::Forward(forwarded) => Self::Forward(forwarded),
        }
    }
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
        match line.aftermath() {
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
fn http(service: &Service) -> http1::Builder {
    let mut http = http1::Builder::new();
    // Its own limit on heads also runs while a connection is idle: the transport's is the one that is used.
    http.max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD + 1024)
        // Whoever answers in our place gets the names as the client wrote them.
        .preserve_header_case(service.state.config.forwarding.is_some());
    http
}

/// How many headers a request may have; more are answered 431.
const MAX_HEADERS: usize = 100;

/// How long the head of a request may be; a longer one is answered 431.
const MAX_HEAD: usize = 64 * 1024;
