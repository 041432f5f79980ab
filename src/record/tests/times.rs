//! When things came: offsets are those of the service, counted from the request.

use proptest::prelude::*;

use super::*;
use crate::plan::transcript::RecordedEnding;

/// Three events with irregular gaps, the second in two pieces, two in one write; the client reads each as it comes.
#[tokio::test(start_paused = true)]
async fn each_event_has_the_time_of_its_last_byte_and_reaches_the_client_at_once() {
    let taped = Taped::before(|mut wire| async move {
        assert_eq!(wire.request(2).await, ASKED);
        let start = clock::now();
        wire.say(start, 250, STREAM).await;
        wire.say(start, 300, &chunk("data: a\n\n")).await;
        wire.say(start, 317, &chunk("data: ")).await;
        wire.say(start, 1400, &chunk("b\n\n")).await;
        wire.say(start, 1403, &(chunk("data: c\n\n") + &chunk("data: [DONE]\n\n"))).await;
        wire.say(start, 1500, "0\r\n\r\n").await;
    });
    let mut client = taped.connect();
    let start = clock::now();
    client.write_all(ASK.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let mut space = [0; 4096];
    loop {
        let count = client.read(&mut space).await.unwrap();
        if count == 0 {
            break;
        }
        let text = String::from_utf8(space[..count].to_vec()).unwrap();
        seen.push(((clock::now() - start).as_millis(), text));
    }
    let both = chunk("data: c\n\n") + &chunk("data: [DONE]\n\n");
    let together =
        seen.iter().filter(|(at, _)| *at == 1403).map(|(_, text)| text.as_str()).collect::<String>();
    assert_eq!(together, both);
    seen.retain(|(at, _)| *at != 1403);
    assert_eq!(
        seen,
        [
            (250, STREAM.to_owned()),
            (300, chunk("data: a\n\n")),
            (317, chunk("data: ")),
            (1400, chunk("b\n\n")),
            (1500, "0\r\n\r\n".to_owned()),
        ]
    );
    let tape = taped.tape().await;
    let response = &tape.transcripts[0].response;
    assert_eq!((millis(response.at), millis(response.ends_at)), (250.0, 1500.0));
    let event = |at, raw: &str| (at, raw.to_owned());
    assert_eq!(
        events(&tape.transcripts[0]),
        [
            event(300.0, "data: a\n\n"),
            event(1400.0, "data: b\n\n"),
            event(1403.0, "data: c\n\n"),
            event(1403.0, "data: [DONE]\n\n"),
        ]
    );
    assert_eq!(response.ending, RecordedEnding::Complete);
    assert_eq!((tape.told[0].events, tape.told[0].duration), (4, Duration::from_millis(1500)));
}

/// Connecting takes 3 s and the request is taken slowly: neither is part of the recording.
#[tokio::test(start_paused = true)]
async fn offsets_count_from_the_moment_the_request_was_out() {
    #[derive(Debug)]
    struct Slow<D>(D);

    impl<D: Dial> Dial for Slow<D> {
        fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Link, String>> + Send + '_>> {
            Box::pin(async {
                clock::until(clock::now() + Duration::from_secs(3)).await;
                self.0.dial().await
            })
        }
    }

    let serve = |mut wire: Wire| async move {
        wire.request(0).await;
        // More than the pipe holds: the last byte is out only once the rest was read, 2 s later.
        clock::until(clock::now() + Duration::from_secs(2)).await;
        let mut body = vec![0; 3 << 20];
        wire.io.read_exact(&mut body).await.unwrap();
        let start = clock::now();
        wire.say(start, 40, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await;
        wire.say(start, 45, "{}").await;
    };
    let taped = Taped::with(Recorder::builder(), Slow(Memory { serve, is_http2: false }));
    let body = "x".repeat(3 << 20);
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}",
        body.len()
    );
    let answer = taped.ask(&format!("{head}\r\n\r\n{body}")).await;
    assert_eq!(answer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let tape = taped.tape().await;
    let response = &tape.transcripts[0].response;
    assert_eq!((millis(response.at), millis(response.ends_at)), (40.0, 45.0));
    assert_eq!(tape.told[0].duration, Duration::from_millis(5045));
}

/// Has a stream relayed that is written in pieces which end there, a millisecond apart, in one chunk each or without
/// chunks; what was recorded, and what the client read.
fn split(stream: &'static str, cuts: Vec<usize>, is_chunked: bool) -> (Vec<(f64, String)>, String) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async move {
        let taped = Taped::before(move |mut wire| {
            let cuts = cuts.clone();
            async move {
                wire.request(2).await;
                let start = clock::now();
                let length = format!("Content-Length: {}", stream.len());
                let framing = if is_chunked { "Transfer-Encoding: chunked" } else { &length };
                let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n\r\n");
                wire.say(start, 0, &head).await;
                let (mut from, mut at) = (0, 0);
                for cut in cuts.into_iter().chain([stream.len()]) {
                    if cut > from {
                        at += 1;
                        let piece = &stream[from..cut];
                        wire.say(start, at, &if is_chunked { chunk(piece) } else { piece.to_owned() }).await;
                        from = cut;
                    }
                }
                if is_chunked {
                    wire.say(start, at, "0\r\n\r\n").await;
                }
            }
        });
        let answer = taped.ask(ASK).await;
        (events(&taped.tape().await.transcripts[0]), answer)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_a_stream_is_split_into_writes_its_events_are_the_same(
        mut cuts in prop::collection::vec(0..STORY.len(), 0..12),
        is_chunked: bool,
    ) {
        cuts.sort_unstable();
        let (events, answer) = split(STORY, cuts.clone(), is_chunked);
        let texts: Vec<&str> = events.iter().map(|(_, text)| text.as_str()).collect();
        prop_assert_eq!(&texts, &["data: {\"a\":1}\n\n", ": ping\n\n", "event: x\r\ndata: b\r\n\r\n", "data: [DONE]\n\n"]);
        // Each has the time of the write that ended it.
        cuts.dedup();
        cuts.retain(|cut| *cut > 0);
        let mut end = 0;
        for (at, text) in &events {
            end += text.len();
            let write = cuts.iter().filter(|cut| **cut < end).count() + 1;
            prop_assert_eq!(*at, f64::from(u32::try_from(write).unwrap()), "{:?}", text);
        }
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        if !is_chunked {
            prop_assert_eq!(body, STORY);
        }
    }
}

const STORY: &str = "data: {\"a\":1}\n\n: ping\n\nevent: x\r\ndata: b\r\n\r\ndata: [DONE]\n\n";
