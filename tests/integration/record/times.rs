//! Times over real sockets and TLS: as the service's own, within 2 ms.
//!
//! That is what a machine with nothing else to do measures. A busy one wakes everybody late, so the best of several
//! runs counts, and the median of its events; on paused time offsets are exact (`src/record/tests/times.rs`).

use llmirage::plan::timeline::Ending;
use llmirage::serve::Tls;
use llmirage::{MockServer, Recorder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::raw::{ask, stream};

/// When the events are due, in milliseconds.
const DUE: [u64; 8] = [40, 75, 120, 150, 190, 260, 270, 330];

/// How late each event was recorded, in milliseconds, the least late first.
async fn lateness() -> Vec<f64> {
    let events: Vec<(u64, &str)> = DUE.iter().map(|due| (*due, "data: x\n\n")).collect();
    let builder = MockServer::builder().timeline(stream(&events, Ending::Complete)).tls(Tls::SelfSigned);
    let service = builder.start().await.unwrap();
    let recorder = Recorder::builder().upstream(service.base_url()).trust_pem(service.ca_pem().unwrap());
    let recorder = recorder.start().await.unwrap();
    let mut client = TcpStream::connect(recorder.address()).await.unwrap();
    client.write_all(ask().as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"0\r\n\r\n") {
        assert!(client.read_buf(&mut seen).await.unwrap() > 0);
    }
    recorder.settled(1).await;
    let transcript = recorder.transcripts().remove(0);
    let events = transcript.response.events.unwrap();
    assert_eq!(events.len(), DUE.len());
    let at = events.iter().map(|event| event.at.unwrap().0.as_secs_f64() * 1000.0);
    let mut late: Vec<f64> = at.zip(DUE).map(|(at, due)| at - due as f64).collect();
    late.sort_by(f64::total_cmp);
    late
}

#[tokio::test]
async fn events_are_recorded_within_two_milliseconds_of_when_they_were_due() {
    let mut runs = Vec::new();
    for _ in 0..8 {
        let late = lateness().await;
        // The upstream's clock starts when it has read the request, the recorder's when that is out: never later.
        assert!(late[0] > -2.0, "{late:?}");
        let median = late[late.len() / 2];
        runs.push(late);
        if median <= 2.0 {
            println!("late by {:?} ms", runs.last());
            return;
        }
    }
    panic!("in no run was the median within 2 ms: {runs:?}");
}
