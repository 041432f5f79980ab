//! `llmirage serve`: what it prints, what it writes, and how flags reach the server.

use super::FIXTURES;
use crate::support::{Dir, chat_body};

#[test]
fn stdout_starts_with_the_url_alone_and_goes_on_with_lines_that_work() {
    let mut served = Dir::new().command("").serve();
    let port = served.url.strip_prefix("http://127.0.0.1:").unwrap();
    assert!(port.parse::<u16>().unwrap() > 0);

    let curl = served.stdout_line("curl -N");
    assert!(curl.contains(&format!("{}/v1/chat/completions", served.url)), "{curl}");
    let body = curl.split("-d '").nth(1).unwrap().trim_end_matches('\'').to_owned();
    let answer = served.post("/v1/chat/completions", &body);
    assert_eq!((answer.status, answer.events().last()), (200, Some(&"[DONE]")), "{answer:?}");

    let azure = served.stdout_line("/openai/deployments/");
    let path = azure.split('\'').find(|part| part.contains("/openai/")).unwrap();
    let path = path.strip_prefix(served.url.as_str()).unwrap();
    let answer = served.post_with(path, "api-key: test\r\n", &body);
    assert_eq!((answer.status, answer.events().last()), (200, Some(&"[DONE]")), "{answer:?}");
}

#[test]
fn a_quiet_server_prints_its_url_and_nothing_else() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let served = dir.command("-q f.json").serve();
    assert_eq!(served.chat("hello").status, 200);
    assert_eq!(served.chat("something else").status, 404);
    let output = served.stop();
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (0, "", ""));
}

#[cfg(target_os = "linux")]
#[test]
fn as_many_threads_serve_as_was_said() {
    for threads in [1, 5] {
        let served = Dir::new().command(&format!("--threads {threads}")).serve();
        assert_eq!(served.chat("hello").status, 200);
        assert_eq!(served.threads(), threads);
    }
}

#[test]
fn the_ready_file_holds_the_url_while_the_server_runs() {
    let dir = Dir::new();
    dir.create("url", "stale");
    let served = dir.command("--ready-file url").serve();
    // The file is written before the URL is printed.
    assert_eq!(dir.read("url"), served.url);
    assert_eq!(served.get("/health").status, 200);
    served.stop();
    assert!(!dir.path("url").exists());
}

#[test]
fn a_ready_file_that_cannot_be_written_is_a_failure() {
    let (code, stderr) = Dir::new().command("--listen 0 --ready-file no/such/folder/url").fails();
    assert_eq!(code, 1);
    assert!(stderr.starts_with("llmirage: cannot write no/such/folder/url: "), "{stderr}");
}

#[test]
fn an_address_in_use_is_a_failure_at_run_time() {
    let dir = Dir::new();
    let served = dir.command("").serve();
    let (code, stderr) = dir.command(&format!("--listen {}", served.address())).fails();
    assert_eq!(code, 1);
    assert!(stderr.starts_with(&format!("llmirage: cannot listen on {}: ", served.address())), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn each_settled_request_has_its_line() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let mut served = dir.command("f.json").serve();
    served.chat("hello");
    let line = served.stderr_line("POST");
    let columns: Vec<&str> = line.split_whitespace().collect();
    assert!(columns[0].starts_with('+') && columns[0].ends_with('s'), "{line}");
    assert_eq!(columns[1..6], ["POST", "/v1/chat/completions", "200", "greeting#1", "completed"], "{line}");
    assert_eq!(columns[7], "events", "{line}");

    served.post("/session/s-1/v1/chat/completions", &chat_body("hello"));
    let line = served.stderr_line("POST");
    assert!(line.contains(" greeting#1 completed ") && line.ends_with(" session=s-1"), "{line}");

    served.chat("hola");
    let line = served.stderr_line("POST");
    assert!(line.contains(" 404 unmatched "), "{line}");
    assert!(
        line.contains("nearest is \"greeting\" (f.json): user: expected to contain \"hello\", got \"hola\""),
        "{line}"
    );
}

#[test]
fn a_client_that_leaves_is_logged() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let mut served = dir.command("f.json").serve();
    let mut connection = served.connect().send(&crate::support::post(
        "/v1/chat/completions",
        served.address(),
        "",
        &chat_body("slow"),
    ));
    connection.until("\"content\":\"a\"");
    drop(connection);
    let line = served.stderr_line("slow#1");
    assert!(line.contains(" client left 2 of "), "{line}");
}

#[test]
fn the_system_clock_shows_in_answers_and_in_the_log() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let mut served = dir.command("f.json --clock system").serve();
    assert!(!served.chat("hello").body.contains("\"created\":1767225600"));
    let line = served.stderr_line("POST");
    let time = line.split_whitespace().next().unwrap();
    assert_eq!((time.len(), time.matches(':').count()), ("14:03:22.118".len(), 2), "{line}");

    let served = dir.command("f.json").serve();
    assert!(served.chat("hello").body.contains("\"created\":1767225600"));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let ask = |args: &str| dir.command(args).serve().chat("hello").body;
    let first = ask("f.json");
    assert_eq!(first, ask("f.json --seed 0"));
    assert_ne!(first, ask("f.json --seed 1"));
}

#[test]
fn pacing_flags_override_the_fixtures() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    for flags in ["--itl 1ms", "--time-scale 0", "--tps 1000", "--max-hold 5ms"] {
        let mut served = dir.command(flags).arg("f.json").serve();
        let answer = served.chat("slow");
        assert_eq!(answer.events().last(), Some(&"[DONE]"), "{flags}");
        // The fixture alone takes a minute.
        let line = served.stderr_line("slow#1");
        let took = line.rsplit(' ').next().unwrap().trim_end_matches('s');
        let seconds = took.parse::<f64>().unwrap_or(0.0);
        assert!(took.ends_with(['m', 'u']) || seconds < 30.0, "{flags}: {line}");
    }
}

#[test]
fn a_fault_breaks_every_stream_at_the_same_byte() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let mut served = dir.command("f.json --fault close-mid-stream@event:2").serve();
    let answer = served.chat("hello");
    assert!(answer.head.contains("Transfer-Encoding: chunked"), "{}", answer.head);
    assert_eq!((answer.status, answer.events().len(), answer.complete), (200, 2, false), "{answer:?}");
    let line = served.stderr_line("POST");
    assert!(line.contains(" greeting#1 faulted 2 events "), "{line}");
    assert!(line.contains(" fault=close-mid-stream@event:2"), "{line}");
}

#[test]
fn echo_answers_what_nothing_matches() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let served = dir.command("f.json --unmatched echo").serve();
    let answer = served.chat("moonlight");
    assert!(answer.status == 200 && answer.body.contains("moon"), "{answer:?}");
}

#[test]
fn keys_bodies_and_hosts_are_limited() {
    let dir = Dir::new();
    let served = dir.command("--api-key one --api-key two --max-body 1KiB --allow-host mock.test").serve();
    let with = |key: &str| {
        served
            .post_with(
                "/v1/chat/completions",
                &format!("authorization: Bearer {key}\r\n"),
                &chat_body("hello"),
            )
            .status
    };
    assert_eq!((with("one"), with("two"), with("three")), (200, 200, 401));
    let large = chat_body(&"x".repeat(2000));
    let answer = served.post_with("/v1/chat/completions", "authorization: Bearer one\r\n", &large);
    assert_eq!(answer.status, 413);
    let host = |name: &str| {
        served
            .connect()
            .send(&format!("GET /health HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n"))
            .answer()
            .status
    };
    assert_eq!((host("localhost"), host("mock.test"), host("evil.test")), (200, 200, 421));
}

#[test]
fn an_admin_token_opens_the_network() {
    let dir = Dir::new();
    let served = dir.command("--listen 0.0.0.0:0 --admin-token secret").serve_as_told();
    // Listening everywhere is reached here at a loopback address.
    let port = served.url.strip_prefix("http://127.0.0.1:").unwrap().to_owned();
    let admin = |headers: &str| {
        let connection = crate::support::Connection::open(&format!("127.0.0.1:{port}"));
        let head = format!(
            "GET /__admin/requests HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n"
        );
        connection.send(&head).answer().status
    };
    assert_eq!((admin(""), admin("authorization: Bearer secret\r\n")), (401, 200));
}

#[test]
fn fixtures_that_do_not_load_are_listed_and_nothing_is_served() {
    let dir = Dir::new();
    dir.create("f.json", r#"{ "fixtures": [ { "name": "a", "reply": 1 } ] }"#);
    let (code, stderr) = dir.command("f.json").fails();
    assert_eq!(code, 2);
    assert!(stderr.starts_with("f.json:1:"), "{stderr}");
    assert!(stderr.ends_with("llmirage: 1 problem\n"), "{stderr}");
}

#[test]
fn every_flag_works_from_the_environment() {
    let dir = Dir::new();
    dir.create("f.json", FIXTURES);
    let served = dir
        .command("f.json")
        .env("LLMIRAGE_LISTEN", "127.0.0.1:0")
        .env("LLMIRAGE_READY_FILE", "url")
        .env("LLMIRAGE_QUIET", "1")
        .env("LLMIRAGE_STRICT", "true")
        .env("LLMIRAGE_WATCH", "0")
        .env("LLMIRAGE_API_KEY", "one,two")
        .env("LLMIRAGE_FAULT", "close-mid-stream:attempt=1@event:1 close-mid-stream:attempt=9@head")
        .serve_as_told();
    assert_eq!(dir.read("url"), served.url);
    let answer =
        served.post_with("/v1/chat/completions", "authorization: Bearer two\r\n", &chat_body("hello"));
    assert_eq!((answer.events().len(), answer.complete), (1, false));
    let output = served.stop();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

#[test]
fn https_prints_the_certificate_to_trust_and_removes_it_at_the_end() {
    let dir = Dir::new();
    let mut served = dir.command("--tls").serve();
    let port = served.url.strip_prefix("https://127.0.0.1:").unwrap().to_owned();
    assert!(served.stdout_line("curl -N").contains(" --cacert "));
    let line = served.stdout_line("Certificate to trust: ");
    let path = line.strip_prefix("Certificate to trust: ").unwrap().to_owned();
    assert!(path.ends_with(&format!("llmirage-ca-{port}.pem")), "{path}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    served.stop();
    assert!(!std::path::Path::new(&path).exists());

    let mut quiet = dir.command("-q --tls").serve();
    let line = quiet.stderr_line("certificate to trust: ");
    assert!(line.starts_with("llmirage: certificate to trust: "), "{line}");
    assert_eq!(quiet.stop().stdout, "");
}

#[test]
fn a_certificate_that_cannot_be_used_is_an_error_of_usage() {
    let dir = Dir::new();
    dir.create("key.pem", "not a key");
    let (code, stderr) = dir.command("--listen 0 --tls=cert.pem,key.pem").fails();
    assert_eq!(code, 2);
    assert!(stderr.starts_with("llmirage: cannot use the TLS certificate: cert.pem: "), "{stderr}");
    let served = dir.command("").env("LLMIRAGE_TLS", "false").serve();
    assert!(served.url.starts_with("http://"), "{}", served.url);
}

#[test]
fn a_parent_that_does_not_read_stderr_does_not_stall_answers() {
    let served = Dir::new().command("").serve_unheard();
    // Lines of more bytes than a pipe holds.
    let path = format!("/{}", "x".repeat(300));
    for _ in 0..400 {
        assert_eq!(served.get(&path).status, 404);
    }
    assert_eq!(served.stop().code, 0);
}
