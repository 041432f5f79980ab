//! Which requests go to the service, and what becomes of the folder.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::record::Mode;

/// A run of a recorder in a folder: asks each of `users`, and gives the bodies that came and how often the service
/// was asked. Its answers are numbered from `first`.
async fn run(folder: &Path, mode: Mode, first: usize, users: &[&str]) -> (Vec<String>, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let serve = move |mut wire: Wire| {
        let number = first + counted.fetch_add(1, Ordering::Relaxed);
        async move {
            let head = wire.request(0).await;
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            wire.io.read_exact(&mut body).await.unwrap();
            let answer = format!("{{\"answer\":{number}}}");
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}",
                answer.len()
            );
            wire.say(clock::now(), 10, &format!("{head}\r\n\r\n{answer}")).await;
        }
    };
    let builder = Recorder::builder().folder(folder).mode(mode);
    let taped = Taped::with(builder, Memory { serve, is_http2: false });
    let mut answers = Vec::new();
    for user in users {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{user}"}}]}}"#);
        let head = ASK.split_once("Content-Length").unwrap().0;
        let answer = taped.ask(&format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        answers.push(if head.starts_with("HTTP/1.1 200") { body.to_owned() } else { head[9..12].to_owned() });
    }
    let tape = taped.tape().await;
    let lost: Vec<_> =
        tape.told.iter().filter(|relayed| matches!(relayed.fate, Fate::NotKept { .. })).collect();
    assert!(lost.is_empty(), "{lost:?}");
    (answers, asked.load(Ordering::Relaxed))
}

fn answers(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|number| format!("{{\"answer\":{number}}}")).collect()
}

fn transcripts(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder.join("transcripts")).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn once_records_into_a_new_folder_and_then_only_replays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    // The same request twice is two replies, in the order in which they came.
    assert_eq!(run(&path, Mode::Once, 1, &["a", "b", "a"]).await, (answers(&[1, 2, 3]), 3));
    let (replayed, asked) = run(&path, Mode::Once, 4, &["a", "b", "a", "a", "c"]).await;
    assert_eq!(asked, 0);
    let mut expected = answers(&[1, 2, 3, 3]);
    expected.push("404".to_owned());
    assert_eq!(replayed, expected);
}

#[tokio::test(start_paused = true)]
async fn new_replays_what_was_there_and_records_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), Mode::New, 1, &["a"]).await, (answers(&[1]), 1));
    // What is recorded in this run is not replayed in it.
    assert_eq!(run(folder.path(), Mode::New, 2, &["a", "b", "b"]).await, (answers(&[1, 2, 3]), 2));
    assert_eq!(run(folder.path(), Mode::New, 9, &["a", "b", "b"]).await, (answers(&[1, 2, 3]), 0));
}

#[tokio::test(start_paused = true)]
async fn all_records_everything_anew_and_leaves_other_recordings_alone() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), Mode::Once, 1, &["a", "b", "a"]).await;
    assert_eq!(transcripts(folder.path()).len(), 3);
    let before = std::fs::read_to_string(folder.path().join("fixtures.json")).unwrap();
    assert_eq!(run(folder.path(), Mode::All, 4, &["a", "a"]).await, (answers(&[4, 5]), 2));
    assert_eq!(transcripts(folder.path()).len(), 3, "{:?}", transcripts(folder.path()));
    let after = std::fs::read_to_string(folder.path().join("fixtures.json")).unwrap();
    assert_eq!(before.matches("\"name\"").count(), after.matches("\"name\"").count());
    assert_eq!(run(folder.path(), Mode::Once, 9, &["a", "b", "a"]).await, (answers(&[4, 2, 5]), 0));
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn no_secret_is_in_any_file_and_nobody_else_reads_them() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let key = "sk-proj-4fT9xQ2LmZ8vK1cR7wB3nY6dH0sJ5aGe";
    let serve = move |mut wire: Wire| async move {
        let request = wire.request(2).await;
        assert!(
            request.contains(&format!("Authorization: Bearer {key}")),
            "the service gets the key: {request}"
        );
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: session={key}\r\nopenai-organization: acme-4711"
        );
        wire.say(clock::now(), 0, &format!("{head}\r\nContent-Length: 2\r\n\r\n{{}}")).await;
    };
    let taped = Taped::with(Recorder::builder().folder(folder.path()), Memory { serve, is_http2: false });
    let request = ASK.replace("Host:", &format!("Authorization: Bearer {key}\r\nCookie: id={key}\r\nHost:"));
    let answer = taped.ask(&request).await;
    // The client gets what was sent.
    assert!(
        answer.contains(&format!("Set-Cookie: session={key}\r\nopenai-organization: acme-4711\r\n")),
        "{answer}"
    );
    let tape = taped.tape().await;
    assert!(matches!(&tape.told[0].fate, Fate::Recorded { file: Some(_) }), "{:?}", tape.told);
    let mut files = vec![folder.path().join("fixtures.json")];
    files.extend(transcripts(folder.path()).iter().map(|name| folder.path().join("transcripts").join(name)));
    assert_eq!(files.len(), 2);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("sk-proj") && !text.contains("acme-4711"), "{text}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test(start_paused = true)]
async fn what_still_smells_of_a_secret_is_relayed_and_not_written() {
    // In pieces, which nobody can replace in one.
    let event = |text: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let pieces = ["sk-", "proj-t7Gq2LmZ", "9xB4vKc8RwN1pYh5."].map(event).concat();
    let body = pieces + "data: [DONE]\n\n";
    let sent = format!("{STREAM}{}0\r\n\r\n", chunk(&body));
    let serve = {
        let sent = sent.clone();
        move |mut wire: Wire| {
            let sent = sent.clone();
            async move {
                wire.request(2).await;
                wire.say(clock::now(), 0, &sent).await;
            }
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let taped = Taped::with(Recorder::builder().folder(&path), Memory { serve, is_http2: false });
    assert_eq!(taped.ask(ASK).await, sent);
    let tape = taped.tape().await;
    let why = why(&tape.told[0]);
    assert!(why.starts_with("it smells of a secret: /response/events/0/raw: looks like "), "{why}");
    assert!(!why.contains("t7Gq2LmZ"), "{why}");
    assert_eq!((tape.transcripts.len(), path.exists()), (0, false));
}
