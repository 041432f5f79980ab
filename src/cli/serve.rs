//! `llmirage serve`: from options to a server that runs until it is told to stop.

use std::sync::Arc;

use tokio::runtime;

use super::authority::Authority;
use super::banner::{Banner, Question};
use super::failure::{Failure, count};
use super::fixtures::{Fixtures, Live, Look};
use super::line::Stamp;
use super::log::Log;
use super::observer::Observer;
use super::options::Serve;
use super::output::print;
use super::ready::ReadyFile;
use super::signals::Signals;
use super::watch::Watch;
use crate::plan::FixtureSet;
use crate::serve::{Clock, MockServer};

/// Fixture files that are watched, and what they said last.
type Watching = (Watch, Live);

/// Serves until a signal ends it.
pub(super) fn run(options: Serve) -> Result<(), Failure> {
    let mut threads = runtime::Builder::new_multi_thread();
    if let Some(count) = options.threads {
        threads.worker_threads(count);
    }
    let threads = threads.enable_all().build();
    let threads =
        threads.map_err(|source| Failure::System { task: "start threads", source: source.into() })?;
    let (log, written) = Log::start()?;
    let served = threads.block_on(serve(options, &log));
    // Connections that did not end in time, and there should be none, end with their threads.
    threads.shutdown_background();
    log.finish(&written);
    served
}

async fn serve(options: Serve, log: &Log) -> Result<(), Failure> {
    // Caught before anything is announced: whoever reads the URL may signal at once.
    let signals = Signals::catch();
    let mut signals =
        signals.map_err(|source| Failure::System { task: "catch signals", source: source.into() })?;
    let ready = options.ready_file.map(ReadyFile::claim).transpose()?;
    let (mut watching, fixtures) = load(&options.fixtures, options.watch)?;
    let question = Question::for_set(&fixtures);
    let observer = Arc::new(Observer::new(log.clone(), stamp(options.clock), options.quiet));
    let told = Arc::clone(&observer);
    let mut builder = options.builder.fixtures(fixtures);
    // Entries are made for who asks.
    if !options.quiet || options.strict {
        builder = builder.on_settled(move |entry| told.settled(entry));
    }
    let server = builder.start().await.map_err(Failure::Start)?;
    let authority = server.ca_pem().map(|pem| Authority::write(pem, server.address().port())).transpose()?;
    if let Some(ready) = &ready {
        ready.write(server.base_url())?;
    }
    let banner = Banner {
        key: options.key,
        question,
        authority: authority.as_ref().map(|authority| authority.path().to_owned()),
        guarded: options.guarded,
    };
    announce(&banner, server.base_url(), options.quiet)?;
    if let Some(authority) = authority.as_ref().filter(|_| options.quiet) {
        let path = authority.path().display();
        log.line(format!("llmirage: certificate to trust: {path}"));
    }

    loop {
        tokio::select! {
            biased;
            () = signals.next() => break,
            () = next_change(&mut watching) => reload(&mut watching, &server, log),
        }
    }
    drop(ready);
    stop(server, &mut signals, options.strict.then_some(&*observer)).await?;
    drop(authority);
    Ok(())
}

/// Loads the fixtures; watches their files, if that is wanted.
fn load(fixtures: &Fixtures, watch: bool) -> Result<(Option<Watching>, FixtureSet), Failure> {
    let Fixtures::Paths(paths) = fixtures else {
        return Ok((None, FixtureSet::embedded()));
    };
    if !watch {
        return Ok((None, fixtures.load().map_err(Failure::Load)?));
    }
    // Watched before loaded, so that no change falls in between.
    let mut watch = Watch::start(paths)?;
    let (live, set) = Live::load(paths.clone()).map_err(Failure::Load)?;
    watch.follow(live.transcripts());
    Ok((Some((watch, live)), set))
}

/// Prints the URL and what to try. A reader that left after the first line is no failure: it has
/// what it wanted, and the server goes on.
fn announce(banner: &Banner, url: &str, quiet: bool) -> Result<(), Failure> {
    let printed = print(format!("{url}\n")).and_then(|()| match quiet {
        true => Ok(()),
        false => print(banner.text(url)),
    });
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

async fn next_change(watching: &mut Option<Watching>) {
    match watching {
        Some((watch, _)) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Swaps the fixtures for what the files say now, if they load and say something new.
fn reload(watching: &mut Option<Watching>, server: &MockServer, log: &Log) {
    let Some((watch, live)) = watching else { return };
    let look = live.look();
    watch.follow(live.transcripts());
    match look {
        Look::Same => {}
        Look::New(set, files) => {
            let fixtures = count(set.names().count(), "fixture");
            server.replace_fixtures(set);
            log.line(format!("llmirage: reloaded {fixtures} in {}", count(files, "file")));
        }
        Look::Broken(errors) => {
            let problems = count(errors.iter().count(), "problem");
            log.line(format!("{errors}\nllmirage: {problems}: the fixtures stay as they were"));
        }
    }
}

/// Lets streams finish; a second signal cuts them. Then looks at what `--strict` asks for, requests
/// that ended meanwhile included.
async fn stop(server: MockServer, signals: &mut Signals, strict: Option<&Observer>) -> Result<(), Failure> {
    let summary = server.shutdown_until(signals.next()).await;
    let Some(observer) = strict else {
        return Ok(());
    };
    let mut missed = summary.unmet;
    missed.extend(observer.unmatched(summary.unmatched));
    if missed.is_empty() { Ok(()) } else { Err(Failure::Strict(missed)) }
}

/// Lines show the time of day only where answers do.
fn stamp(clock: Clock) -> Stamp {
    match clock {
        Clock::Frozen => Stamp::SinceStart,
        Clock::System => Stamp::TimeOfDay(clock.since_epoch()),
    }
}
