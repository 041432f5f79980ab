//! How things end: what befalls the service's side reaches the client as it was, and is part of the recording.

use super::*;
use crate::plan::transcript::RecordedEnding;

/// What the service does after an event and half of another.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Reset,
}

/// Has a stream relayed that ends so, on a kept connection; what the client read, and the recording.
async fn broken(end: End) -> (String, Tape) {
    let taped = Taped::before(move |mut wire| async move {
        wire.request(2).await;
        let start = clock::now();
        wire.say(start, 10, STREAM).await;
        wire.say(start, 20, &chunk("data: a\n\n")).await;
        wire.say(start, 30, "9\r\ndata").await;
        clock::until(start + Duration::from_millis(75)).await;
        match end {
            End::Close => drop(wire),
            End::Reset => wire.break_off(io::ErrorKind::ConnectionReset),
        }
    });
    let answer = taped.ask(ASK).await;
    (answer, taped.tape().await)
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_or_reset_is_relayed_to_its_last_byte_and_recorded_so() {
    for (end, ending) in [(End::Close, RecordedEnding::Close), (End::Reset, RecordedEnding::Reset)] {
        let (answer, tape) = broken(end).await;
        // What came of the second event goes out as a chunk, and nothing that would end the body.
        assert_eq!(answer, format!("{STREAM}{}{}", chunk("data: a\n\n"), chunk("data")), "{end:?}");
        let response = &tape.transcripts[0].response;
        assert_eq!(response.ending, ending);
        assert_eq!(
            events(&tape.transcripts[0]),
            [(20.0, "data: a\n\n".to_owned()), (30.0, "data".to_owned())]
        );
        assert_eq!(millis(response.ends_at), 75.0);
        assert_eq!(tape.told[0].ending, Some(ending));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_shorter_than_its_head_says_is_cut() {
    let taped = Taped::before(|mut wire| async move {
        wire.request(2).await;
        wire.say(
            clock::now(),
            0,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"a\"",
        )
        .await;
    });
    let answer = taped.ask(ASK).await;
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"a\""
    );
    let tape = taped.tape().await;
    assert_eq!(tape.transcripts[0].response.ending, RecordedEnding::Close);
    assert_eq!(&tape.transcripts[0].response.bytes()[..], b"{\"a\"");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_with_the_connection_is_complete() {
    let taped = Taped::before(|mut wire| async move {
        wire.request(2).await;
        let start = clock::now();
        wire.say(start, 0, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
        wire.say(start, 5, "data: a\n\n").await;
    });
    let keeps = ASK.replace("Connection: close\r\n", "");
    let answer = taped.ask(&keeps).await;
    assert_eq!(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n");
    assert_eq!(taped.tape().await.transcripts[0].response.ending, RecordedEnding::Complete);
}

/// The client reads so many events of a stream that goes on for ever, and leaves; when the service noticed.
async fn leave_after(count: usize) -> (Tape, Duration) {
    let (noticed, notice) = tokio::sync::mpsc::unbounded_channel();
    let taped = Taped::before(move |mut wire| {
        let noticed = noticed.clone();
        async move {
            wire.request(2).await;
            let start = clock::now();
            wire.say(start, 0, STREAM).await;
            for index in 1..=u64::try_from(count).unwrap() {
                wire.say(start, index * 10, &chunk(&format!("data: {index}\n\n"))).await;
            }
            let mut space = [0; 16];
            let end = wire.io.read(&mut space).await;
            noticed.send((clock::now() - start, end.unwrap())).unwrap();
        }
    });
    let mut client = taped.connect();
    client.write_all(ASK.as_bytes()).await.unwrap();
    let mut seen = String::new();
    while seen.matches("data: ").count() < count || seen.is_empty() {
        seen.push(char::from(client.read_u8().await.unwrap()));
    }
    clock::until(clock::now() + Duration::from_millis(25)).await;
    drop(client);
    let mut notice = notice;
    let (at, read) = notice.recv().await.unwrap();
    assert_eq!(read, 0, "the connection was closed, and nothing was said on it");
    (taped.tape().await, at)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_the_request_and_what_came_is_kept() {
    for count in [0, 1, 3] {
        let (tape, at) = leave_after(count).await;
        let last = 10 * u64::try_from(count).unwrap();
        assert_eq!(at, Duration::from_millis(last + 25), "the service is told at once");
        let response = &tape.transcripts[0].response;
        assert_eq!(response.ending, RecordedEnding::ClientLeft);
        assert_eq!(response.events.as_ref().unwrap().len(), count);
        assert_eq!(millis(response.ends_at), 25.0 + last as f64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_after_the_last_event_has_seen_all() {
    let taped = Taped::before(|mut wire| async move {
        wire.request(2).await;
        wire.say(clock::now(), 0, &format!("{STREAM}{}", chunk("data: [DONE]\n\n"))).await;
        let _ = wire.io.read_u8().await;
    });
    let mut client = taped.connect();
    client.write_all(ASK.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"[DONE]\n\n\r\n") {
        seen.push(client.read_u8().await.unwrap());
    }
    drop(client);
    taped.keeper.settled(1).await;
    assert_eq!(taped.tape().await.transcripts[0].response.ending, RecordedEnding::Complete);
}

#[tokio::test(start_paused = true)]
async fn an_error_inside_the_stream_is_an_event_like_any_other() {
    let error = "event: error\ndata: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    let taped = Taped::before(move |mut wire| async move {
        wire.request(2).await;
        let start = clock::now();
        wire.say(start, 0, STREAM).await;
        wire.say(start, 7, &chunk("data: a\n\n")).await;
        wire.say(start, 9, &(chunk(error) + "0\r\n\r\n")).await;
    });
    let answer = taped.ask(ASK).await;
    assert_eq!(answer, format!("{STREAM}{}{}0\r\n\r\n", chunk("data: a\n\n"), chunk(error)));
    let tape = taped.tape().await;
    assert_eq!(events(&tape.transcripts[0]), [(7.0, "data: a\n\n".to_owned()), (9.0, error.to_owned())]);
    assert_eq!(tape.transcripts[0].response.ending, RecordedEnding::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_answer_is_no_recording() {
    for (end, words) in [
        (End::Close, "the service closed the connection before it answered"),
        (End::Reset, "the service reset the connection before it answered"),
    ] {
        let taped = Taped::before(move |mut wire| async move {
            wire.request(2).await;
            match end {
                End::Close => drop(wire),
                End::Reset => wire.break_off(io::ErrorKind::ConnectionReset),
            }
        });
        assert_eq!(taped.ask(ASK).await, "");
        let tape = taped.tape().await;
        assert_eq!((tape.transcripts.len(), tape.told[0].status), (0, None));
        assert_eq!(why(&tape.told[0]), words);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_reached_is_a_502_that_says_so() {
    #[derive(Debug)]
    struct Nobody;

    impl Dial for Nobody {
        fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Link, String>> + Send + '_>> {
            Box::pin(std::future::ready(Err("cannot connect to https://a: connection refused".to_owned())))
        }
    }

    let taped = Taped::with(Recorder::builder(), Nobody);
    let body = "{\"error\":{\"message\":\"llmirage record: cannot connect to https://a: connection refused\",\
                \"type\":\"llmirage_error\",\"param\":null,\"code\":\"upstream_unreachable\"}}\n";
    let head = format!(
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    // The first leaves the connection open for the second.
    let answer = taped.ask(&(ASK.replace("Connection: close\r\n", "") + ASK)).await;
    assert_eq!(answer, format!("{head}\r\n{body}{head}connection: close\r\n\r\n{body}"));
    let tape = taped.tape().await;
    assert_eq!((tape.transcripts.len(), tape.told.len()), (0, 2));
    assert_eq!(why(&tape.told[0]), "cannot connect to https://a: connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large_is_relayed_and_not_kept() {
    let serve = |mut wire: Wire| async move {
        wire.request(2).await;
        wire.say(clock::now(), 0, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n0123456789ab").await;
    };
    let taped = Taped::with(Recorder::builder().max_body(11), Memory { serve, is_http2: false });
    assert_eq!(taped.ask(ASK).await, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n0123456789ab");
    let tape = taped.tape().await;
    assert_eq!((tape.transcripts.len(), tape.told[0].status), (0, Some(200)));
    assert_eq!(why(&tape.told[0]), "its body has more than 11 bytes");
}
