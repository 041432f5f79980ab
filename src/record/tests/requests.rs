//! What the service gets, and connections that are used again.

use super::*;

/// Has a request relayed to a service with this base; what the service got.
async fn forwarded(base: &'static str, request: &str, body: usize) -> String {
    let (got, mut gets) = tokio::sync::mpsc::unbounded_channel();
    let serve = move |mut wire: Wire| {
        let got = got.clone();
        async move {
            got.send(wire.request(body).await).unwrap();
            wire.say(clock::now(), 0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .await;
        }
    };
    let builder = Recorder::builder().upstream(format!("https://api.example.test{base}"));
    let (service, _keeper) = builder.service(Box::new(Memory { serve, is_http2: false })).unwrap();
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let (read, ()) = tokio::join!(client.read_to_string(&mut answer), service.serve_connection(server));
    read.unwrap();
    assert!(
        answer.ends_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        "{answer}"
    );
    gets.recv().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_on_as_it_came_with_the_services_own_host() {
    let request = "POST /v1/chat/completions?a=b HTTP/1.1\r\nuser-agent: OpenAI/Python 1\r\nX-Stainless-Lang: python\r\n\
                   HOST: localhost:4010\r\nAuthorization: Bearer sk-1\r\nAccept-Encoding: gzip, br\r\n\
                   Connection: keep-alive\r\nContent-Length: 4\r\nX-a: 1\r\n\r\n{ } ";
    let expected = request.replace("localhost:4010", "api.example.test");
    assert_eq!(forwarded("", request, 4).await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_the_connections_or_ours_stays_here() {
    let request = "POST /session/one/openai/v1/responses HTTP/1.1\r\nHost: localhost\r\nX-Llmirage-Session: two\r\n\
                   Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nKeep-Alive: timeout=5\r\n\
                   Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}";
    let expected = "POST /base/openai/v1/responses HTTP/1.1\r\nHost: api.example.test\r\nConnection: keep-alive\r\n\
                    Content-Length: 2\r\n\r\n{}";
    assert_eq!(forwarded("/base/", request, 2).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_chunked_request_stays_chunked() {
    let request = "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let expected = "POST /v1/files HTTP/1.1\r\nHost: api.example.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                    5\r\nabcde\r\n0\r\n\r\n";
    assert_eq!(forwarded("", request, "5\r\nabcde\r\n0\r\n\r\n".len()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_again_and_each_answer_is_its_requests() {
    let taped = Taped::before(|mut wire| async move {
        let request = wire.request(1).await;
        let body = request.split_once("\r\n\r\n").unwrap().1;
        let start = clock::now();
        wire.say(start, 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        wire.say(start, 10, &(chunk(body) + "0\r\n\r\n")).await;
    });
    let ask = |body: &str, more: &str| {
        format!("POST /v1/x HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: 1\r\n\r\n{body}")
    };
    // The second comes while the first is answered, the third in one piece with it.
    let all = ask("1", "") + &ask("2", "") + &ask("3", "Connection: close\r\n");
    let answer =
        |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk(body));
    assert_eq!(taped.ask(&all).await, answer("1") + &answer("2") + &answer("3"));
    let tape = taped.tape().await;
    let bodies = tape.transcripts.iter().map(|transcript| transcript.response.bytes());
    assert_eq!(bodies.collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_exchanges_at_once_do_not_meet() {
    let taped = Arc::new(Taped::before(|mut wire| async move {
        let request = wire.request(3).await;
        let body = request.split_once("\r\n\r\n").unwrap().1.to_owned();
        let start = clock::now();
        wire.say(start, 5, STREAM).await;
        for index in 1..=20 {
            wire.say(start, 10 * index, &chunk(&format!("data: {body} {index}\n\n"))).await;
        }
        wire.say(start, 300, "0\r\n\r\n").await;
    }));
    let asking = (0..100).map(|index| {
        let taped = Arc::clone(&taped);
        tokio::spawn(async move {
            let body = format!("{index:03}");
            let answer = taped
                .ask(&(ASK.replace("Content-Length: 2", "Content-Length: 3").replace("{}", &body)))
                .await;
            let events: String = (1..=20).map(|index| chunk(&format!("data: {body} {index}\n\n"))).collect();
            assert_eq!(answer, format!("{STREAM}{events}0\r\n\r\n"));
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
    let tape = Arc::into_inner(taped).unwrap().tape().await;
    assert_eq!(tape.transcripts.len(), 100);
    for transcript in &tape.transcripts {
        let body = transcript.request.as_ref().unwrap().body.clone();
        let expected: Vec<_> = (1..=20u32)
            .map(|index| (f64::from(10 * index), format!("data: {} {index}\n\n", name(&body))))
            .collect();
        assert_eq!(events(transcript), expected);
    }
}

/// The number of a request, as its body says it.
fn name(body: &Option<serde_json::Value>) -> String {
    body.as_ref().and_then(serde_json::Value::as_str).unwrap().to_owned()
}
