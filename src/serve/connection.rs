//! One connection: hyper as long as responses are healthy, the bare socket once one breaks.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::drain::Queue;
use super::lines::OpenLine;
use super::service::Service;
use super::takeover;
use super::transport::Transport;

/// Serves a connection until it ends or the server cuts it.
pub(crate) async fn serve<I>(service: Service, open: OpenLine, io: I, queue: Queue)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    open.until_cut(run(service, &open, io, queue)).await;
}

async fn run<I>(service: Service, open: &OpenLine, io: I, queue: Queue)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let line = open.line();
    let lines = Arc::clone(&service.state.lines);
    let transport = Transport::new(io, Arc::clone(line), queue);
    let answer = service_fn(|request| {
        let (service, line) = (service.clone(), Arc::clone(line));
        async move { Ok::<_, Infallible>(service.respond(request, &line).await) }
    });
    let mut hyper = http().serve_connection(TokioIo::new(transport), answer);
    let mut draining = false;
    let takeover = poll_fn(|cx| {
        if !draining && lines.is_draining() {
            draining = true;
            Pin::new(&mut hyper).graceful_shutdown();
        }
        match Pin::new(&mut hyper).poll(cx) {
            // Its errors are the client's: it left, or it does not speak HTTP.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => match line.take_over() {
                Some(takeover) => Poll::Ready(Some(takeover)),
                // Nothing is owed to a client that has not asked yet, or not all of it.
                None if draining && line.is_idle() => Poll::Ready(None),
                None => Poll::Pending,
            },
        }
    })
    .await;
    let transport = hyper.into_parts().io.into_inner();
    match takeover {
        Some(takeover) => takeover.play(transport, &lines).await,
        None if line.is_unread() => takeover::close(transport, takeover::LINGER, &lines).await,
        None => {}
    }
}

/// hyper, with every limit set that it has.
fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(IDLE_LIMIT)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD + 1024)
        // Planned heads have their own date, or none.
        .auto_date_header(false)
        // One buffer, one write: faster than `writev` for small frames.
        .writev(false);
    http
}

/// How long a kept connection may be idle. A head that has begun has 10 s, see `transport`.
const IDLE_LIMIT: Duration = Duration::from_secs(90);

/// How many headers a request may have; more are answered 431.
const MAX_HEADERS: usize = 100;

/// How long the head of a request may be; a longer one is answered 431.
const MAX_HEAD: usize = 64 * 1024;
