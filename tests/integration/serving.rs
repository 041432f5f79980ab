//! Serving: heads to the byte, routes, keys, sessions, CORS, TLS, start and stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use llmirage::plan::FixtureSet;
use llmirage::plan::set::Source;
use llmirage::plan::timeline::Ending;
use llmirage::serve::{Outcome, Service, Tls, Unmatched};
use llmirage::{At, Fault, Fixture, MockServer, Reply, StartError, When};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::raw::{self, ask, chat, connect, get, json, once, stream};

fn fixtures() -> FixtureSet {
    let text = r#"{"fixtures":[{"name":"any","match":{"user":{"regex":"^[^u]"}},"reply":"one two three"}]}"#;
    let source = Source::File { path: "any.json".into(), text: text.to_owned() };
    FixtureSet::load(vec![source]).unwrap()
}

fn service() -> Service {
    MockServer::builder().fixtures(fixtures()).service().unwrap()
}

#[tokio::test(start_paused = true)]
async fn heads_keep_the_order_and_the_case_of_every_name() {
    let service = MockServer::builder().timeline(stream(&[(0, "one")], Ending::Complete)).service().unwrap();
    let head = "HTTP/1.1 200 OK\r\n\
        Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
        Content-Type: text/event-stream; charset=utf-8\r\n\
        Transfer-Encoding: chunked\r\n\
        Connection: keep-alive\r\n\
        access-control-expose-headers: X-Request-ID\r\n\
        Server: cloudflare\r\n\
        x-request-id: req_1\r\n\
        set-cookie: __cf_bm=1\r\n\
        set-cookie: _cfuvid=2\r\n\
        CF-Ray: 9e4f9c1c4d1ed88b-LHR\r\n\r\n";
    for _ in 0..3 {
        assert_eq!(once(&service, &ask()).await.head, head);
    }
}

#[tokio::test(start_paused = true)]
async fn no_header_is_added_to_a_planned_head() {
    let mut timeline = json(401, "{}");
    timeline.head.reason = Some("PermissionDenied".into());
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    let head = "HTTP/1.1 401 PermissionDenied\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(once(&service, &ask()).await.head, head);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_does_not_promise_to_be_kept() {
    let service = MockServer::builder().timeline(stream(&[(0, "one")], Ending::Complete)).service().unwrap();
    for request in [
        chat("/v1/chat/completions", "Connection: close\r\n", raw::ASK),
        chat("/v1/chat/completions", "Connection: TE, Close\r\n", raw::ASK),
        ask().replace("HTTP/1.1", "HTTP/1.0"),
        chat("/v1/chat/completions", "Connection: keep-alive\r\n", raw::ASK).replace("HTTP/1.1", "HTTP/1.0"),
        chat("/v1/chat/completions", "Connection: close, keep-alive\r\n", raw::ASK)
            .replace("HTTP/1.1", "HTTP/1.0"),
    ] {
        let mut client = connect(&service, 64 * 1024);
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert_eq!(answer.to_lowercase().matches("connection:").count(), 1, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn head_requests_get_the_head_alone_and_the_connection_stays() {
    let service = MockServer::builder().timeline(json(200, "{\"a\":1}")).service().unwrap();
    let mut client = connect(&service, 1024);
    for _ in 0..2 {
        let answer = raw::exchange(&mut client, "HEAD /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!((answer.status(), answer.header("content-length")), (200, Some("7")));
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_paths_are_404_and_wrong_methods_405_for_every_method() {
    let service = service();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let request = |path: &str| {
            format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}",
                raw::ASK.len(),
                raw::ASK
            )
        };
        assert_eq!(once(&service, &request("/nothing/here")).await.status(), 404, "{method}");
        let expected = if method == "POST" { 200 } else { 405 };
        assert_eq!(once(&service, &request("/v1/chat/completions")).await.status(), expected, "{method}");
        let expected = if method == "GET" { 200 } else { 405 };
        assert_eq!(once(&service, &request("/v1/models")).await.status(), expected, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fixture_with_a_path_wins_over_the_routes_of_the_api() {
    let text = r#"{"fixtures":[
        {"name":"models","match":{"path":"/v1/models","method":"GET"},"reply":{"script":[{"event":{"data":"1"}}]}},
        {"name":"model","match":{"path":"/v1/models/x"},"reply":{"script":[{"event":{"data":"2"}}]}},
        {"name":"chat","match":{"path":"/v1/chat/completions"},"reply":{"script":[{"event":{"data":"3"}}]}}]}"#;
    let source = Source::File { path: "own.json".into(), text: text.to_owned() };
    let service = MockServer::builder().fixtures(FixtureSet::load(vec![source]).unwrap()).service().unwrap();
    for (request, fixture) in [(get("/v1/models"), "models"), (get("/v1/models/x"), "model"), (ask(), "chat")]
    {
        assert_eq!(once(&service, &request).await.status(), 200);
        assert_eq!(service.journal().entries().last().unwrap().fixture.as_deref(), Some(fixture));
    }
    assert_eq!(once(&service, &get("/models")).await.json()["object"], "list");
}

#[tokio::test(start_paused = true)]
async fn only_configured_keys_pass_in_either_header() {
    let service = MockServer::builder().fixtures(fixtures()).api_key("one").api_key("two").service().unwrap();
    let cases = [
        ("", 401),
        ("Authorization: Bearer one\r\n", 200),
        ("authorization: bearer two\r\n", 200),
        ("api-key: two\r\n", 200),
        ("api-key: one\r\nAuthorization: Bearer other\r\n", 200),
        ("Authorization: Bearer three\r\n", 401),
        ("Authorization: one\r\n", 401),
        ("api-key: \r\n", 401),
    ];
    for (extra, expected) in cases {
        assert_eq!(
            once(&service, &chat("/v1/chat/completions", extra, raw::ASK)).await.status(),
            expected,
            "{extra}"
        );
    }
    assert_eq!(once(&service, &get("/health")).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn sessions_count_their_own_hits() {
    let service = service();
    for (path, extra) in [
        ("/v1/chat/completions", ""),
        ("/session/a/v1/chat/completions", ""),
        ("/v1/chat/completions", "x-llmirage-session: a\r\n"),
        ("/v1/chat/completions", ""),
    ] {
        assert_eq!(once(&service, &chat(path, extra, raw::ASK)).await.status(), 200);
    }
    let entries = service.journal().settled(4).await;
    let hits: Vec<_> = entries.iter().map(|entry| (entry.session.as_str(), entry.hit.unwrap())).collect();
    assert_eq!(hits, [("", 1), ("a", 1), ("a", 2), ("", 2)]);
    assert!(entries.iter().all(|entry| entry.path == "/v1/chat/completions"));
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_scope_breaks_this_answer_only() {
    let service = service();
    let broken = chat("/v1/chat/completions", "x-llmirage-fault: close-mid-stream@event:2\r\n", raw::ASK);
    let mut client = connect(&service, 64 * 1024);
    client.write_all(broken.as_bytes()).await.unwrap();
    client.read_to_end(&mut Vec::new()).await.unwrap();
    once(&service, &ask()).await;
    let outcomes: Vec<_> = service.journal().settled(2).await.iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes[0], Outcome::Faulted { events: 2, ending: Ending::Close });
    assert!(matches!(outcomes[1], Outcome::Completed { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_does_not_exist_is_a_400_that_says_so() {
    let answer = once(&service(), &chat("/fault/explode/v1/chat/completions", "", raw::ASK)).await;
    assert_eq!(answer.status(), 400);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("fault \"explode\": "), "{message}");
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_scope_compose_and_those_that_cannot_are_a_400() {
    let service = service();
    let sent = "x-llmirage-fault: bom\r\nx-llmirage-fault: close-mid-stream@event:2\r\n";
    for (path, headers) in [
        ("/fault/bom/fault/close-mid-stream@event:2/v1/chat/completions", ""),
        ("/fault/empty-response/v1/chat/completions", sent),
    ] {
        let mut client = connect(&service, 64 * 1024);
        client.write_all(chat(path, headers, raw::ASK).as_bytes()).await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
    }
    let entries = service.journal().settled(2).await;
    assert!(entries.iter().all(|entry| entry.faults == ["bom", "close-mid-stream@event:2"]), "{entries:?}");
    let path = "/fault/stall/fault/close-mid-stream/v1/chat/completions";
    let answer = once(&service, &chat(path, "", raw::ASK)).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.json()["error"]["message"],
        "a response ends once: close-mid-stream does not go with stall; leave one out, or choose another \
         attempt for it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_scopes_fault_goes_over_the_servers_and_that_over_the_replys() {
    let reply = Reply::text("One two three").fault(Fault::close(At::event(3)));
    let fixture = || Fixture::named("x").reply(reply.clone());
    let server =
        MockServer::builder().fixture(fixture()).fault(Fault::close(At::event(2))).service().unwrap();
    let bare = MockServer::builder().fixture(fixture()).service().unwrap();
    let scoped = "x-llmirage-fault: close-mid-stream@event:1\r\n";
    for (service, headers, nth, events) in [(&bare, "", 1, 3), (&server, "", 1, 2), (&server, scoped, 2, 1)] {
        let mut client = connect(service, 64 * 1024);
        client.write_all(chat("/v1/chat/completions", headers, raw::ASK).as_bytes()).await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        let entries = service.journal().settled(nth).await;
        let last = entries.last().unwrap();
        assert_eq!(last.outcome, Outcome::Faulted { events, ending: Ending::Close }, "{headers}");
        assert_eq!(last.faults, [format!("close-mid-stream@event:{events}")]);
    }
}

#[test]
fn faults_that_make_no_sense_do_not_start() {
    let refused = |faults: &[Fault]| {
        let builder =
            faults.iter().cloned().fold(MockServer::builder(), |builder, fault| builder.fault(fault));
        let error = builder.service().map(|_| ()).unwrap_err();
        assert!(matches!(error, StartError::Fault(_)), "{error:?}");
        error.to_string()
    };
    assert_eq!(
        refused(&[Fault::rate_limit().at(At::Head).when(When::attempt(0))]),
        "rate-limit is about the whole response and takes no place, got head; \
         `attempt` of rate-limit: it counts from 1, got 0"
    );
    assert_eq!(
        refused(&[Fault::rate_limit(), "server-error".parse().unwrap()]),
        "a request gets one answer: server-error does not go with rate-limit; leave one out, or choose another \
         attempt for it"
    );
}

#[tokio::test]
async fn an_unmatched_request_is_counted_and_may_be_echoed() {
    let request = chat(
        "/v1/chat/completions",
        "",
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"unmatched words"}]}"#,
    );
    for (unmatched, status, text) in
        [(Unmatched::Error, 404, "no fixture matches"), (Unmatched::Echo, 200, "unmatched words")]
    {
        let server = MockServer::builder().fixtures(fixtures()).unmatched(unmatched).start().await.unwrap();
        let answer = raw::over_tcp(server.address(), &request).await;
        assert_eq!(answer.status(), status);
        assert!(status == 404 || answer.body.contains(text), "{}", answer.body);
        assert_eq!(server.unmatched_count(), 1);
        assert!(server.journal().settled(1).await[0].unmatched);
    }
}

#[tokio::test(start_paused = true)]
async fn an_echo_says_64_kib_at_most() {
    let service = MockServer::builder().fixtures(fixtures()).unmatched(Unmatched::Echo).service().unwrap();
    let text = "u".repeat(100_000);
    let body = format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let answer = once(&service, &chat("/v1/chat/completions", "", &body)).await.json();
    let said = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!((said.len(), text.starts_with(said)), (65_536, true));
}

#[tokio::test(start_paused = true)]
async fn a_preflight_is_answered_with_what_it_asks_for() {
    let request = "OPTIONS /session/a/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: http://app.test:3000\r\n\
        Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type,x-stainless-os\r\n\r\n";
    let answer = once(&service(), request).await;
    let head = "HTTP/1.1 204 No Content\r\n\
        access-control-allow-origin: http://app.test:3000\r\n\
        vary: Origin\r\n\
        access-control-allow-methods: POST\r\n\
        access-control-allow-headers: authorization,content-type,x-stainless-os\r\n\
        access-control-max-age: 600\r\n\r\n";
    assert_eq!(answer.head, head);
}

#[tokio::test(start_paused = true)]
async fn a_page_may_read_the_answer_and_its_request_id() {
    let timeline = stream(&[(0, "one")], Ending::Complete);
    let service = MockServer::builder().timeline(timeline).service().unwrap();
    let plain = once(&service, &ask()).await.head;
    let origin = chat("/v1/chat/completions", "Origin: http://app.test\r\n", raw::ASK);
    let expected = plain.replace("access-control-expose-headers: X-Request-ID\r\n", "").replace(
        "\r\n\r\n",
        "\r\naccess-control-allow-origin: http://app.test\r\nvary: Origin\r\naccess-control-expose-headers: x-request-id\r\n\r\n",
    );
    assert_eq!(once(&service, &origin).await.head, expected);
}

#[tokio::test]
async fn two_servers_in_one_process_share_nothing() {
    let first = MockServer::builder().timeline(json(200, "1")).start().await.unwrap();
    let second = MockServer::builder().timeline(json(200, "22")).start().await.unwrap();
    assert_ne!(first.address(), second.address());
    assert_eq!(raw::over_tcp(first.address(), &ask()).await.body, "1");
    assert_eq!(raw::over_tcp(second.address(), &ask()).await.body, "22");
    assert_eq!(raw::over_tcp(second.address(), &ask()).await.body, "22");
    assert_eq!((first.journal().settled(1).await.len(), second.journal().settled(2).await.len()), (1, 2));
}

#[tokio::test]
async fn an_address_open_to_the_network_needs_an_admin_token() {
    let open: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let refused = MockServer::builder().listen(open).start().await;
    assert!(matches!(refused, Err(StartError::Exposed { address }) if address == open));
    let server = MockServer::builder().listen(open).admin_token("t").start().await.unwrap();
    let expected = format!("http://127.0.0.1:{}", server.address().port());
    assert_eq!(server.base_url(), expected, "the address that a client can use");
    server.shutdown().await;
}

#[test]
fn a_timeline_that_cannot_be_played_is_refused() {
    let good = || stream(&[(0, "one"), (5, "two")], Ending::Complete);
    let mut short = good();
    short.events[1].end = 5;
    let mut disordered = good();
    disordered.events[0].end = 7;
    let mut back = good();
    back.events[1].at = Duration::ZERO;
    back.events[0].at = Duration::from_millis(1);
    let mut late = good();
    late.head.at = Duration::from_millis(1);
    let mut eventless = good();
    eventless.events = Vec::new().into();
    for timeline in [short, disordered, back, late, eventless] {
        let refused = MockServer::builder().timeline(timeline).service();
        assert!(matches!(refused, Err(StartError::Timeline(_))), "{refused:?}");
    }
    assert!(MockServer::builder().timeline(good()).service().is_ok());
}

#[test]
fn keys_are_not_shown_by_debug() {
    let builder = MockServer::builder().api_key("hunter2").admin_token("hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
    assert!(!format!("{:?}", builder.service().unwrap()).contains("hunter2"));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let server = MockServer::builder().start().await.unwrap();
    let error = MockServer::builder().listen(server.address()).start().await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", server.address()));
}

/// A server whose answer has events now and after `later` milliseconds, with a client that waits for
/// the second.
async fn streaming(later: u64, grace: Duration) -> (MockServer, TcpStream) {
    let timeline = stream(&[(0, "one"), (later, "two")], Ending::Complete);
    let server = MockServer::builder().timeline(timeline).grace(grace).start().await.unwrap();
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    client.write_all(ask().as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"one\r\n") {
        client.read_buf(&mut seen).await.unwrap();
    }
    (server, client)
}

#[tokio::test]
async fn a_shutdown_lets_streams_finish_within_the_grace() {
    let (server, mut client) = streaming(50, Duration::from_secs(30)).await;
    let (address, journal) = (server.address(), server.journal().clone());
    server.shutdown().await;
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "3\r\ntwo\r\n0\r\n\r\n");
    assert_eq!(journal.settled(1).await[0].outcome, Outcome::Completed { events: 2 });
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_cuts_what_does_not_finish() {
    let (server, mut client) = streaming(60_000, Duration::from_millis(20)).await;
    let journal = server.journal().clone();
    server.shutdown().await;
    assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 0);
    assert_eq!(journal.settled(1).await[0].outcome, Outcome::Cut { events: 1 });
}

#[tokio::test]
async fn a_server_that_is_dropped_cuts_its_streams_and_stops_accepting() {
    let (server, mut client) = streaming(60_000, Duration::from_secs(60)).await;
    let (address, journal) = (server.address(), server.journal().clone());
    drop(server);
    assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 0);
    assert_eq!(journal.settled(1).await[0].outcome, Outcome::Cut { events: 1 });
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_idle_connections() {
    let server =
        MockServer::builder().timeline(json(200, "{}")).grace(Duration::from_secs(60)).start().await.unwrap();
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(raw::exchange(&mut idle, &ask()).await.status(), 200);
    let start = Instant::now();
    server.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    assert!(silent.read(&mut [0]).await.is_ok_and(|len| len == 0));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_half_a_head_a_handshake_or_a_client_that_lingers() {
    let server = |builder: llmirage::serve::Builder| builder.grace(Duration::from_secs(60)).start();
    let broken = stream(&[(0, "one")], Ending::Close);

    let plain = server(MockServer::builder().timeline(broken)).await.unwrap();
    let mut half = TcpStream::connect(plain.address()).await.unwrap();
    half.write_all(b"POST /v1/chat").await.unwrap();
    let mut lingering = TcpStream::connect(plain.address()).await.unwrap();
    lingering.write_all(ask().as_bytes()).await.unwrap();
    lingering.read_to_end(&mut Vec::new()).await.unwrap();

    let secure = server(MockServer::builder().tls(Tls::SelfSigned)).await.unwrap();
    let mut silent = TcpStream::connect(secure.address()).await.unwrap();
    silent.write_all(b"\x16\x03").await.unwrap();

    let start = Instant::now();
    plain.shutdown().await;
    secure.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_shutdown_counts_what_was_asked_while_it_waited() {
    let once = r#"{"fixtures":[{"name":"once","match":{"user":"hi"},"times":1,"reply":"one"}]}"#;
    let source = Source::File { path: "once.json".into(), text: once.to_owned() };
    let fixtures = FixtureSet::load(vec![source]).unwrap();
    let server =
        MockServer::builder().fixtures(fixtures).grace(Duration::from_secs(60)).start().await.unwrap();
    let mut clients = Vec::new();
    for body in [raw::ASK.to_owned(), raw::ASK.replace("hi", "ho")] {
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        let request = chat("/v1/chat/completions", "Expect: 100-continue\r\n", &body);
        let (head, body) = request.split_at(request.len() - body.len());
        client.write_all(head.as_bytes()).await.unwrap();
        // The head was read, so that the server waits for the answer to be out.
        client.read_exact(&mut [0; 25]).await.unwrap();
        clients.push((client, body.to_owned()));
    }
    assert_eq!((server.unmet().len(), server.unmatched_count()), (1, 0));
    let ask = async {
        for (client, body) in &mut clients {
            client.write_all(body.as_bytes()).await.unwrap();
            client.read_to_end(&mut Vec::new()).await.unwrap();
        }
    };
    let (summary, ()) = tokio::join!(server.shutdown(), ask);
    assert_eq!((summary.unmet.len(), summary.unmatched), (0, 1));
}

#[tokio::test]
async fn replaced_fixtures_answer_later_requests_and_hits_stay() {
    let server = MockServer::builder().fixtures(fixtures()).start().await.unwrap();
    raw::over_tcp(server.address(), &ask()).await;
    server.replace_fixtures(fixtures());
    raw::over_tcp(server.address(), &ask()).await;
    let hits: Vec<_> = server.journal().settled(2).await.iter().map(|entry| entry.hit.unwrap()).collect();
    assert_eq!(hits, [1, 2]);
    assert_eq!(server.unmet(), [""; 0]);
}

pub(crate) async fn tls_client(server: &MockServer, ca: &str) -> tokio_rustls::client::TlsStream<TcpStream> {
    use rustls_pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    roots.add(rustls_pki_types::CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
}

#[tokio::test]
async fn https_plays_whole_and_broken_responses_with_its_own_ca() {
    for ending in [Ending::Complete, Ending::Close] {
        let timeline = stream(&[(0, "one"), (0, "two")], ending);
        let server = MockServer::builder().timeline(timeline).tls(Tls::SelfSigned).start().await.unwrap();
        assert!(server.base_url().starts_with("https://127.0.0.1:"));
        let mut client = tls_client(&server, server.ca_pem().unwrap()).await;
        client
            .write_all(chat("/v1/chat/completions", "Connection: close\r\n", raw::ASK).as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let end = match ending {
            Ending::Complete => "6\r\nonetwo\r\n0\r\n\r\n",
            _ => "6\r\nonetwo\r\n",
        };
        assert!(answer.ends_with(&format!("\r\n\r\n{end}")), "{answer}");
    }
}

#[tokio::test]
async fn a_certificate_can_be_given_in_files_and_a_bad_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = Tls::Files { cert: cert.clone(), key: key.clone() };
    let server = MockServer::builder().timeline(json(200, "{}")).tls(files).start().await.unwrap();
    assert_eq!(server.ca_pem(), None);
    let mut client = tls_client(&server, &made.cert.pem()).await;
    assert_eq!(raw::exchange(&mut client, &ask()).await.status(), 200);
    let missing = Tls::Files { cert: folder.path().join("none.pem"), key };
    let error = MockServer::builder().tls(missing).start().await.unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");
}

#[tokio::test]
async fn a_plain_client_of_an_https_server_is_dropped() {
    let server = MockServer::builder().tls(Tls::SelfSigned).start().await.unwrap();
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    client.write_all(ask().as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"));
}

#[tokio::test(start_paused = true)]
async fn a_status_without_a_reason_has_none() {
    let service = MockServer::builder().timeline(json(529, "{}")).service().unwrap();
    let answer = once(&service, &ask()).await;
    assert!(answer.head.starts_with("HTTP/1.1 529 \r\n"), "{}", answer.head);
    assert_eq!(service.journal().settled(1).await[0].status, StatusCode::from_u16(529).unwrap());
}
