//! A service that speaks HTTP/2.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::Instant;

use super::*;
use crate::plan::transcript::RecordedEnding;
use crate::serve::clock::Alarm;

/// How the stream ends after its two events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Whole,
    Reset,
    Gone,
}

/// Events at 20 ms and 35 ms; the end at 50 ms.
struct Events {
    start: Instant,
    next: usize,
    end: End,
    alarm: Alarm,
}

impl Body for Events {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let parts = [(20, "data: a\n\n"), (35, "data: b\n\n"), (50, "")];
        let (at, data) = parts[self.next];
        let deadline = self.start + Duration::from_millis(at);
        ready!(self.alarm.poll(cx, deadline));
        self.next = (self.next + 1).min(2);
        Poll::Ready(match (data, self.end) {
            ("", End::Reset) => Some(Err(io::ErrorKind::Other.into())),
            ("", _) => None,
            (data, _) => Some(Ok(Frame::data(Bytes::from(data)))),
        })
    }
}

async fn serve(wire: Wire, end: End, bodies: tokio::sync::mpsc::UnboundedSender<Bytes>) {
    let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
        let bodies = bodies.clone();
        async move {
            assert_eq!(request.version(), Version::HTTP_2);
            assert_eq!(request.uri(), "https://api.example.test/v1/chat/completions");
            let names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
            assert_eq!(names, ["content-type", "content-length"]);
            bodies.send(request.into_body().collect().await.unwrap().to_bytes()).unwrap();
            let start = clock::now();
            clock::until(start + Duration::from_millis(15)).await;
            let mut response = Response::new(Events { start, next: 0, end, alarm: Alarm::default() });
            response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            response.headers_mut().insert("x-a", "1".parse().unwrap());
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // Windows as small as HTTP/2 has them unless told otherwise.
    http.auto_date_header(false).initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let serving = http.serve_connection(TokioIo::new(wire.io), answer);
    match end {
        // It is gone before the end of the stream.
        End::Gone => drop(clock::before(clock::now() + Duration::from_millis(50), serving).await),
        // A client that has its answer leaves.
        End::Whole | End::Reset => drop(serving.await),
    }
}

/// What the client reads, and the recording, of a stream that ends so.
async fn relayed(end: End) -> (String, Tape) {
    let (sender, mut bodies) = tokio::sync::mpsc::unbounded_channel();
    let serve = move |wire: Wire| serve(wire, end, sender.clone());
    let taped = Taped::with(Recorder::builder(), Memory { serve, is_http2: true });
    let answer = taped.ask(ASK).await;
    assert_eq!(bodies.recv().await.unwrap(), "{}");
    (answer, taped.tape().await)
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_http_2_reaches_a_client_of_http_1_and_is_recorded_with_its_end() {
    for (end, ending, last) in [
        (End::Whole, RecordedEnding::Complete, "0\r\n\r\n"),
        (End::Reset, RecordedEnding::Reset, ""),
        (End::Gone, RecordedEnding::Close, ""),
    ] {
        let (answer, tape) = relayed(end).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-a: 1\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let events_sent = chunk("data: a\n\n") + &chunk("data: b\n\n");
        assert_eq!(answer, format!("{head}{events_sent}{last}"), "{end:?}");
        let response = &tape.transcripts[0].response;
        assert_eq!(response.ending, ending);
        assert_eq!((millis(response.at), millis(response.ends_at)), (15.0, 50.0), "{end:?}");
        let expected = [(20.0, "data: a\n\n".to_owned()), (35.0, "data: b\n\n".to_owned())];
        assert_eq!(events(&tape.transcripts[0]), expected);
        // What frames the body for the client is none of the service's headers; x-a may be anything.
        assert_eq!(response.headers, [("content-type".to_owned(), "text/event-stream".to_owned())]);
    }
}

/// A body of 1 MiB needs many windows: it is out when its last piece is.
#[tokio::test(start_paused = true)]
async fn the_request_is_out_with_its_last_piece() {
    let serve = |mut wire: Wire| async move {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (sender, _bodies) = tokio::sync::mpsc::unbounded_channel();
        let served = tokio::spawn(serve(Wire { io: far, broken: Arc::default() }, End::Whole, sender));
        let (mut from, mut to) = tokio::io::split(near);
        let (mut client_from, mut client_to) = tokio::io::split(&mut wire.io);
        // What comes is passed on late: each 64 KiB cost 100 ms.
        let slow = async {
            let mut space = vec![0; 64 << 10];
            while let Ok(count @ 1..) = client_from.read(&mut space).await {
                clock::until(clock::now() + Duration::from_millis(100)).await;
                if to.write_all(&space[..count]).await.is_err() {
                    break;
                }
            }
        };
        let back = tokio::io::copy(&mut from, &mut client_to);
        tokio::select! {
            () = slow => {}
            _ = back => {}
        }
        served.abort();
    };
    let taped = Taped::with(Recorder::builder(), Memory { serve, is_http2: true });
    let body = "x".repeat(1 << 20);
    let request = ASK.replace("Content-Length: 2", &format!("Content-Length: {}", body.len()));
    taped.ask(&(request.strip_suffix("{}").unwrap().to_owned() + &body)).await;
    let tape = taped.tape().await;
    // The last window is on its way for 100 ms or so; the fifteen before it are not counted.
    let at = millis(tape.transcripts[0].response.at);
    assert!((15.0..500.0).contains(&at), "{at}");
    assert!(tape.told[0].duration > Duration::from_millis(1500), "{:?}", tape.told[0].duration);
}

/// A service that stops a stream in its middle and says that this is no error; hyper takes it for the end.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_stopped_without_an_error_is_not_whole() {
    for is_whole in [false, true] {
        let serve = move |wire: Wire| async move {
            let mut connection = h2::server::handshake(wire.io).await.unwrap();
            let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
            let response = Response::builder().header("content-type", "text/event-stream").body(()).unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            stream.send_data(Bytes::from_static(b"data: a\n\n"), is_whole).unwrap();
            let out = clock::now() + Duration::from_millis(10);
            // What is sent goes out while the connection is asked for the next request.
            assert!(clock::before(out, connection.accept()).await.is_none());
            stream.send_reset(h2::Reason::NO_ERROR);
            while connection.accept().await.is_some() {}
        };
        let taped = Taped::with(Recorder::builder(), Memory { serve, is_http2: true });
        let answer = taped.ask(ASK).await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let (last, ending) = match is_whole {
            true => ("0\r\n\r\n", RecordedEnding::Complete),
            false => ("", RecordedEnding::Close),
        };
        assert_eq!(body, chunk("data: a\n\n") + last);
        assert_eq!(taped.tape().await.transcripts[0].response.ending, ending);
    }
}
