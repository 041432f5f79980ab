//! `llmirage record`: from arguments to a recorder that runs until it is told to stop.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime;

use super::args::{ModeArg, RecordArgs};
use super::failure::{Failure, count};
use super::line::{Stamp, plain, span};
use super::log::{Log, Paint};
use super::observer::Observer;
use super::output::print;
use super::ready::ReadyFile;
use super::signals::Signals;
use crate::error::StartError;
use crate::plan::transcript::RecordedEnding;
use crate::record::{Builder, Fate, Mode, Recorder, Relayed, Summary};

/// Relays until a signal ends it.
pub(super) fn run(args: RecordArgs) -> Result<(), Failure> {
    let address = args.listen.0;
    if !address.ip().is_loopback() && args.admin_token.is_none() {
        return Err(Failure::Usage(format!(
            "--listen {address} is open to the network: add --admin-token TOKEN to protect /__admin \
             (and --allow-host NAME for each name that clients use)"
        )));
    }
    let threads = runtime::Builder::new_multi_thread().enable_all().build();
    let threads =
        threads.map_err(|source| Failure::System { task: "start threads", source: source.into() })?;
    let (log, written) = Log::start()?;
    let recorded = threads.block_on(record(args, &log));
    threads.shutdown_background();
    log.finish(&written);
    recorded
}

async fn record(args: RecordArgs, log: &Log) -> Result<(), Failure> {
    // Caught before anything is announced: whoever reads the URL may signal at once.
    let signals = Signals::catch();
    let mut signals =
        signals.map_err(|source| Failure::System { task: "catch signals", source: source.into() })?;
    let ready = args.ready_file.clone().map(ReadyFile::claim).transpose()?;
    let recorder = builder(&args, log).start().await.map_err(|error| match error {
        StartError::Load(errors) => Failure::Load(errors),
        error => Failure::Start(error),
    })?;
    if let Some(ready) = &ready {
        ready.write(recorder.base_url())?;
    }
    announce(&args, &recorder)?;
    signals.next().await;
    drop(ready);
    let summary = recorder.shutdown_until(signals.next()).await;
    log.line(summary_line(&summary, &args.output));
    Ok(())
}

fn builder(args: &RecordArgs, log: &Log) -> Builder {
    let mode = match args.mode {
        ModeArg::Once => Mode::Once,
        ModeArg::New => Mode::New,
        ModeArg::All => Mode::All,
    };
    let mut builder = Recorder::builder()
        .upstream(&args.upstream)
        .folder(&args.output)
        .mode(mode)
        .listen(args.listen.0)
        .max_body(args.max_body.0)
        .max_connections(usize::try_from(args.max_connections).unwrap_or(usize::MAX))
        .grace(args.grace.0);
    builder = args.ca.iter().fold(builder, |builder, file| builder.trust_file(file));
    builder = args.allow_host.iter().fold(builder, |builder, name| builder.allow_host(name));
    builder = args.admin_token.iter().fold(builder, |builder, token| builder.admin_token(token));
    let observer = Arc::new(Observer::new(log.clone(), Stamp::SinceStart, args.quiet));
    let (log, quiet, paint) = (log.clone(), args.quiet, Paint::of_stderr());
    builder.on_replayed(move |entry| observer.settled(entry)).on_relayed(move |relayed| {
        // That something is missing is told in any case.
        if !quiet || matches!(relayed.fate, Fate::NotKept { .. }) {
            log.line(line(relayed, paint));
        }
    })
}

/// Prints the URL and what it is for.
fn announce(args: &RecordArgs, recorder: &Recorder) -> Result<(), Failure> {
    let url = recorder.base_url();
    let printed = print(format!("{url}\n")).and_then(|()| match args.quiet {
        true => Ok(()),
        false => print(banner(args, recorder)),
    });
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

fn banner(args: &RecordArgs, recorder: &Recorder) -> String {
    let (url, folder, upstream) =
        (recorder.base_url(), args.output.display(), args.upstream.trim_end_matches('/'));
    let does = match (recorder.known(), args.mode) {
        (Some(known), ModeArg::Once) => format!(
            "Replays {} of {folder}, and refuses other requests (--mode new records those, --mode all everything)",
            count(known, "fixture")
        ),
        (Some(known), _) => {
            format!(
                "Replays {} of {folder}, and records what {upstream} answers to other requests",
                count(known, "fixture")
            )
        }
        (None, _) => format!("Records what {upstream} answers, in {folder}"),
    };
    // SDKs of OpenAI want the version in their base URL, unless it is in that of the service.
    let version = if upstream.ends_with("/v1") { "" } else { "/v1" };
    format!(
        "\n{does}\n\nSDKs: base URL {url}{version}; for Azure the endpoint {url}\nTo replay it later: llmirage {folder}\n"
    )
}

/// A relayed exchange in one line:
///
/// ```text
///      +3.118s POST /v1/chat/completions     200 recorded 12 events 231ms: transcripts/hello.json
///      +4.020s POST /v1/chat/completions     200 recorded 3 events, client left 92ms: transcripts/story.json
///      +5.107s POST /v1/chat/completions     --- not recorded 12ms: cannot connect to https://…
/// ```
fn line(relayed: &Relayed, paint: Paint) -> String {
    let time = Stamp::SinceStart.at(relayed.at + relayed.duration);
    let status =
        relayed.status.map_or_else(|| "---".to_owned(), |status| paint.status(status, &status.to_string()));
    let ending = match relayed.ending {
        None | Some(RecordedEnding::Complete) => String::new(),
        Some(RecordedEnding::Close) => paint.broken(", closed early"),
        Some(RecordedEnding::Reset) => paint.broken(", reset"),
        Some(RecordedEnding::ClientLeft) => paint.broken(", client left"),
    };
    let (what, more) = match &relayed.fate {
        Fate::Recorded { file } => {
            let file = file.as_ref().map(|file| format!(": {file}"));
            (format!("recorded {}", count(relayed.events, "event")), file.unwrap_or_default())
        }
        Fate::NotKept { why } => (paint.broken("not recorded"), format!(": {}", plain(why))),
    };
    let notes: String = relayed.notes.iter().map(|note| format!("; {}", plain(note))).collect();
    let path = plain(&relayed.path);
    format!(
        "{time:>12} {:<4} {path:<24} {status} {what}{ending} {}{more}{notes}",
        relayed.method,
        span(relayed.duration)
    )
}

/// What a run did, in one line.
fn summary_line(summary: &Summary, folder: &Path) -> String {
    let Summary { recorded, not_kept, replayed, unmatched, .. } = summary;
    let mut line = format!("llmirage: recorded {} in {}", count(*recorded, "exchange"), folder.display());
    for (number, what) in [
        (*replayed, "replayed"),
        (*not_kept as u64, "not recorded"),
        (*unmatched, "refused: no recording answers"),
    ] {
        if number > 0 {
            line.push_str(&format!(", {number} {what}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::args::{Command, LowArgs};

    fn relayed() -> Relayed {
        Relayed {
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            status: Some(200),
            ending: Some(RecordedEnding::Complete),
            events: 12,
            at: Duration::from_millis(2_887),
            duration: Duration::from_millis(231),
            notes: Vec::new(),
            fate: Fate::Recorded { file: Some("transcripts/hello.json".to_owned()) },
        }
    }

    #[track_caller]
    fn check(relayed: &Relayed, expected: &str) {
        assert_eq!(
            line(relayed, Paint::plain()),
            format!("     +3.118s POST /v1/chat/completions     {expected}")
        );
    }

    #[test]
    fn an_exchange_says_what_was_recorded_and_how_it_ended() {
        check(&relayed(), "200 recorded 12 events 231ms: transcripts/hello.json");
        check(
            &Relayed { fate: Fate::Recorded { file: None }, events: 1, ..relayed() },
            "200 recorded 1 event 231ms",
        );
        for (ending, words) in [
            (RecordedEnding::Close, "closed early"),
            (RecordedEnding::Reset, "reset"),
            (RecordedEnding::ClientLeft, "client left"),
        ] {
            check(
                &Relayed { ending: Some(ending), ..relayed() },
                &format!("200 recorded 12 events, {words} 231ms: transcripts/hello.json"),
            );
        }
    }

    #[test]
    fn what_is_not_recorded_says_why_in_words_fit_for_a_terminal() {
        let fate = Fate::NotKept { why: "a\u{1b}b".to_owned() };
        check(
            &Relayed { fate, status: None, ending: None, ..relayed() },
            "--- not recorded 231ms: a\\u{1b}b",
        );
    }

    #[test]
    fn a_run_is_summed_up_without_what_did_not_happen() {
        let summary = Summary { recorded: 2, ..Summary::default() };
        assert_eq!(summary_line(&summary, Path::new("a")), "llmirage: recorded 2 exchanges in a");
        let summary = Summary { recorded: 1, not_kept: 2, replayed: 3, unmatched: 4 };
        assert_eq!(
            summary_line(&summary, Path::new("a")),
            "llmirage: recorded 1 exchange in a, 3 replayed, 2 not recorded, 4 refused: no recording answers"
        );
    }

    #[test]
    fn an_open_address_is_refused_without_a_token() {
        let args = ["llmirage", "record", "--upstream", "https://a", "--listen", "0.0.0.0:1"];
        let Ok(Command::Record(args)) = LowArgs::read(args.map(Into::into)) else {
            panic!("it is a command line")
        };
        let failure = run(*args).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "--listen 0.0.0.0:1 is open to the network: add --admin-token TOKEN to protect /__admin (and --allow-host \
             NAME for each name that clients use)"
        );
    }
}
