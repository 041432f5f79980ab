//! The relay: gives a request to the real service and its answer to the client, each part as it comes.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Version};
use http_body::{Body, Frame};
use tokio::io::AsyncWriteExt;

use super::call::{self, Answer};
use super::head::{Framing, lines};
use super::keeper::{Fault, Keeper};
use super::kept::Kept;
use super::upstream::{Dial, Upstream};
use crate::plan::transcript::RecordedEnding;
use crate::serve::forward::{After, Client, Forward, Outgoing};

/// Answers requests with what the service says.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) upstream: Upstream,
    pub(super) dial: Box<dyn Dial>,
    pub(super) keeper: Arc<Keeper>,
}

impl Forward for Relay {
    fn answer<'a>(
        &'a self,
        request: Outgoing,
        client: &'a mut dyn Client,
    ) -> Pin<Box<dyn Future<Output = After> + Send + 'a>> {
        Box::pin(self.relay(request, client))
    }
}

/// What the client asked, as far as the answer depends on it.
struct Asked {
    method: Method,
    version: Version,
    keeps: bool,
}

impl Relay {
    async fn relay(&self, request: Outgoing, client: &mut dyn Client) -> After {
        let asked = Asked {
            method: request.method.clone(),
            version: request.version,
            keeps: request.version >= Version::HTTP_11
                && !call::options(&request.headers).any(|option| option == "close"),
        };
        let mut kept = Kept::begin(&self.keeper, &request, &self.upstream);
        let link = match while_there(client, self.dial.dial()).await {
            Some(Ok(link)) => link,
            Some(Err(why)) => {
                let told = tell(client, &asked, &why).await;
                kept.fail(Fault::NoService(why));
                return told;
            }
            None => {
                kept.fail(Fault::NoAnswer("the client left before anything came"));
                return After::Left;
            }
        };
        match while_there(client, call::call(link, &self.upstream, request)).await {
            Some(Ok(answer)) => {
                kept.head(&answer);
                let (ending, after) = pass_on(client, &asked, answer, &mut kept).await;
                kept.end(ending);
                after
            }
            Some(Err(error)) => {
                let (why, after) = match call::ending(&error) {
                    RecordedEnding::Reset => {
                        ("the service reset the connection before it answered", After::Reset)
                    }
                    _ => ("the service closed the connection before it answered", After::Closed),
                };
                kept.fail(Fault::NoAnswer(why));
                after
            }
            None => {
                kept.fail(Fault::NoAnswer("the client left before anything came"));
                After::Left
            }
        }
    }
}

/// What comes of a body, and whether the client is still there.
enum Came {
    Part(Frame<Bytes>),
    End,
    Broken(hyper::Error),
    Left,
}

/// Passes an answer on, part by part; how it ended, and what becomes of the client's connection.
async fn pass_on(
    client: &mut dyn Client,
    asked: &Asked,
    answer: Answer,
    kept: &mut Kept,
) -> (RecordedEnding, After) {
    let framing = answer.head.framing(&asked.method, asked.version);
    let is_kept = asked.keeps && framing != Framing::ToClose && !answer.head.says_close();
    let head = answer.head.write(framing, asked.version);
    if write(client, &head).await.is_err() {
        return (RecordedEnding::ClientLeft, After::Left);
    }
    let mut answer = answer;
    let mut trailers = HeaderMap::new();
    loop {
        let came = poll_fn(|cx| match Pin::new(&mut answer.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(part))) => Poll::Ready(Came::Part(part)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Came::Broken(error)),
            Poll::Ready(None) => Poll::Ready(Came::End),
            Poll::Pending => client.poll_left(cx).map(|()| Came::Left),
        });
        let part = match came.await {
            Came::Part(part) => part,
            Came::End if answer.is_cut() => return (RecordedEnding::Close, After::Closed),
            Came::End => break,
            Came::Broken(error) => {
                let ending = call::ending(&error);
                let is_reset = ending == RecordedEnding::Reset;
                return (ending, if is_reset { After::Reset } else { After::Closed });
            }
            Came::Left => return (RecordedEnding::ClientLeft, After::Left),
        };
        let data = match part.into_data() {
            Ok(data) => data,
            Err(part) => {
                trailers.extend(part.into_trailers().unwrap_or_default());
                continue;
            }
        };
        kept.data(&data);
        if !data.is_empty() && write(client, &framed(&data, framing)).await.is_err() {
            return (RecordedEnding::ClientLeft, After::Left);
        }
    }
    if framing == Framing::Chunked && write(client, &last_chunk(&trailers)).await.is_err() {
        // Everything was there: nothing more would have come.
        return (RecordedEnding::Complete, After::Left);
    }
    (RecordedEnding::Complete, if is_kept { After::Kept } else { After::Closed })
}

/// What `future` yields, or `None` once the client leaves.
async fn while_there<F: Future>(client: &mut dyn Client, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => client.poll_left(cx).map(|()| None),
    })
    .await
}

async fn write(client: &mut dyn Client, bytes: &[u8]) -> io::Result<()> {
    client.write_all(bytes).await?;
    client.flush().await
}

/// A part of a body as it goes out.
fn framed(data: &Bytes, framing: Framing) -> Bytes {
    if framing != Framing::Chunked {
        return data.clone();
    }
    let mut chunk = BytesMut::with_capacity(data.len() + 20);
    chunk.extend_from_slice(format!("{:X}\r\n", data.len()).as_bytes());
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk.freeze()
}

fn last_chunk(trailers: &HeaderMap) -> BytesMut {
    let mut chunk = BytesMut::from(&b"0\r\n"[..]);
    for (name, value) in lines(trailers) {
        for part in [name.as_bytes(), b": ", &value, b"\r\n"] {
            chunk.extend_from_slice(part);
        }
    }
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// Tells the client in our own name that there is no service.
async fn tell(client: &mut dyn Client, asked: &Asked, why: &str) -> After {
    let error = serde_json::json!({
        "message": format!("llmirage record: {why}"),
        "type": "llmirage_error",
        "param": null,
        "code": "upstream_unreachable"
    });
    let body = format!("{}\n", serde_json::json!({ "error": error }));
    let close = if asked.keeps { "" } else { "connection: close\r\n" };
    let answer = format!(
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{close}\r\n{}",
        body.len(),
        if asked.method == Method::HEAD { "" } else { &body }
    );
    match write(client, answer.as_bytes()).await {
        Ok(()) if asked.keeps => After::Kept,
        Ok(()) => After::Closed,
        Err(_) => After::Left,
    }
}
