//! How connections are left: with a FIN, after what the client still has to say.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::clock::{self, Alarm};
use super::drain::HURRY;
use super::lines::Lines;

/// Ends a connection with a FIN, and reads what the client still sends for at most `linger`, or for
/// [`HURRY`] once the server stops.
///
/// A socket that is closed with unread bytes sends a RST instead, which destroys what the client has
/// not read yet.
pub(crate) async fn close<I>(mut io: I, linger: Duration, lines: &Lines)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let farewell = async {
        if io.shutdown().await.is_ok() {
            left(&mut io).await;
        }
    };
    before(clock::now() + linger, HURRY, lines, farewell).await;
}

/// Says nothing for at most `most`, or until the client leaves or the server stops; then closes.
pub(crate) async fn hold<I>(mut io: I, most: Duration, lines: &Lines)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    before(clock::now() + most, Duration::ZERO, lines, left(&mut io)).await;
    close(io, LINGER.min(most), lines).await;
}

/// What `future` yields, or `None` once the deadline passes, or `hurry` after the server began to stop.
pub(super) async fn before<F: Future>(
    mut deadline: Instant,
    hurry: Duration,
    lines: &Lines,
    future: F,
) -> Option<F::Output> {
    let mut alarm = Alarm::default();
    let mut hurries = false;
    let mut future = pin!(future);
    poll_fn(|cx| {
        if !hurries && lines.is_draining() {
            hurries = true;
            deadline = deadline.min(clock::now() + hurry);
        }
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => alarm.poll(cx, deadline).map(|()| None),
        }
    })
    .await
}

/// Reads and discards until the client has closed its side or the connection is broken.
pub(super) async fn left<I: AsyncRead + Unpin>(io: &mut I) -> io::Error {
    poll_fn(|cx| poll_left(io, cx)).await
}

/// Reads and discards; ready once the client has closed its side or the connection is broken.
pub(super) fn poll_left<I: AsyncRead + Unpin>(io: &mut I, cx: &mut Context<'_>) -> Poll<io::Error> {
    let mut space = [0; 1024];
    // A client that sends without end must not keep the task from its deadlines.
    for _ in 0..16 {
        let mut buf = ReadBuf::new(&mut space);
        match Pin::new(&mut *io).poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => {
                return Poll::Ready(io::ErrorKind::UnexpectedEof.into());
            }
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(error),
            Poll::Pending => return Poll::Pending,
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// How long a connection stays open for reading after its FIN.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
