//! What is counted under callgrind, one scenario after the other, each between two calls of [`mark`].
//!
//! Not a benchmark by itself: `benches/instructions/run` builds it, runs it under valgrind and compares what
//! was counted with `benches/instructions/recorded.json`. Nothing here depends on the machine: one thread,
//! a paused clock, bytes through memory, a fixed seed, and no tokenizer, which has tables to build first.

use std::future::Future;
use std::hint::black_box;

use llmirage::plan::set::{FixtureSet, Hits};
use llmirage::serve::Unmatched;
use llmirage::{MockServer, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{self, Runtime};

#[path = "../workload/mod.rs"]
mod workload;

use workload::{By, EVENTS, FIXTURES};

/// How often each scenario is done between the two marks, and a quick one before, so that buffers have grown.
const TIMES: u32 = 10;

/// What tells one request from another.
const NUMBER: &str = "00000000";

/// The same for loading, which takes long and has nothing to warm up.
const LOADS: u32 = 1;

#[expect(clippy::print_stdout, reason = "it tells the script which scenario each count is for")]
fn main() {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread needs nothing that could be missing");
    let count = |times: u32, name: &str, task: &mut dyn FnMut()| {
        (0..times).for_each(|_| task());
        mark();
        (0..times).for_each(|_| task());
        mark();
        println!("{times} {name}");
    };
    for fixtures in FIXTURES {
        let file = workload::set_file(fixtures);
        count(LOADS, &format!("load {fixtures} fixtures"), &mut || {
            black_box(workload::load(file.clone()));
        });
        let set = workload::load(file);
        for by in [By::Part, By::Whole] {
            let request = by.request(fixtures);
            count(TIMES, &format!("match the last of {fixtures} fixtures by {by}"), &mut || {
                black_box(set.candidates(&request)).expect("the last fixture matches");
            });
        }
        let mut connection = Connection::open(&runtime, set, false);
        count(TIMES, &format!("serve an echo beside {fixtures} fixtures"), &mut || {
            connection.renew();
            runtime.block_on(connection.ask());
        });
    }
    for (events, stream) in EVENTS.into_iter().flat_map(|events| [(events, false), (events, true)]) {
        let set = workload::load(workload::stream_file(events));
        let (request, mut hits) = (workload::request("hello", stream), Hits::default());
        count(TIMES, &format!("plan {}", answer(events, stream)), &mut || {
            black_box(workload::answer(&set, &request, &mut hits));
        });
        let mut connection = Connection::open(&runtime, set, stream);
        count(TIMES, &format!("serve {}", answer(events, stream)), &mut || {
            connection.renew();
            runtime.block_on(connection.ask());
        });
        count(TIMES, &format!("serve {} again", answer(events, stream)), &mut || {
            runtime.block_on(connection.ask());
        });
    }
}

fn answer(events: usize, stream: bool) -> String {
    match stream {
        true => format!("a stream of {events} events"),
        false => format!("the JSON answer of {events} events"),
    }
}

/// Where callgrind writes what it counted since the call before, and starts anew.
#[inline(never)]
fn mark() {
    black_box(());
}

/// A client's end of a connection, kept for all its requests.
struct Connection {
    io: DuplexStream,
    request: Vec<u8>,
    /// Where its number is.
    number: usize,
    response: Vec<u8>,
}

impl Connection {
    /// A connection to a server of these fixtures, which echoes what they are not for, after one exchange.
    fn open(runtime: &Runtime, set: FixtureSet, stream: bool) -> Self {
        let builder = MockServer::builder().fixtures(set).unmatched(Unmatched::Echo);
        let service = builder.time_scale(0.0).service();
        let service: Service = service.expect("the settings agree");
        let (io, server) = tokio::io::duplex(1 << 20);
        runtime.spawn(async move { service.serve_connection(server).await });
        let body = workload::body(&format!("hello {NUMBER}"), stream).to_string();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sk-bench\r\n\
                    content-type: application/json\r\ncontent-length: ";
        let request = format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes();
        let number = request.windows(NUMBER.len()).position(|window| window == NUMBER.as_bytes());
        let number = number.expect("the body has it");
        let mut connection = Self { io, request, number, response: Vec::new() };
        runtime.block_on(connection.learn());
        connection
    }

    /// Reads one response to its end, which is quiet, and so learns its length.
    async fn learn(&mut self) {
        self.io.write_all(&self.request).await.expect("the server reads");
        let mut buffer = vec![0; 1 << 20];
        let mut len = 0;
        while !ended(&buffer[..len]) {
            len += self.io.read(&mut buffer[len..]).await.expect("the server answers");
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200 OK\r\n"), "the fixture answers");
        self.response = buffer[..len].to_vec();
    }

    /// Makes the request another one, of the same length.
    fn renew(&mut self) {
        let Self { request, number, .. } = self;
        for at in (*number..*number + NUMBER.len()).rev() {
            request[at] = if request[at] == b'9' { b'0' } else { request[at] + 1 };
            if request[at] != b'0' {
                break;
            }
        }
    }

    /// One exchange. Ids differ from hit to hit, lengths do not.
    fn ask(&mut self) -> impl Future<Output = ()> {
        let Self { io, request, response, .. } = self;
        async move {
            io.write_all(request).await.expect("the server reads");
            io.read_exact(response).await.expect("the server answers at the same length");
        }
    }
}

/// Whether these are all bytes of a response.
fn ended(response: &[u8]) -> bool {
    let Some(body) = response.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) else {
        return false;
    };
    let head = String::from_utf8_lossy(&response[..body]).to_ascii_lowercase();
    match head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()) {
        Some(length) => response.len() - body == length.parse::<usize>().expect("a length is a number"),
        None => response.ends_with(b"\r\n0\r\n\r\n"),
    }
}
