//! What the flags of `serve` mean together: checked once, here, so that the rest of the program sees
//! only what makes sense.

use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::args::{ClockArg, LowArgs, ServeArgs, UnmatchedArg};
use super::failure::Failure;
use super::fixtures::Fixtures;
use super::values::Certificate;
use crate::plan::Pacing;
use crate::plan::scenario::Choice;
use crate::serve::{Builder, Clock, MockServer, Unmatched};

/// How to serve.
#[derive(Debug)]
pub(super) struct Serve {
    /// The server, complete but for its listeners to events.
    pub(super) builder: Builder,
    /// Where the fixtures come from.
    pub(super) fixtures: Fixtures,
    /// How many threads serve connections, unless one per core.
    pub(super) threads: Option<usize>,
    /// Where the base URL is written.
    pub(super) ready_file: Option<PathBuf>,
    /// The clock of bodies and ids, and so of the log.
    pub(super) clock: Clock,
    /// Only the URL on stdout, no line per request on stderr.
    pub(super) quiet: bool,
    /// Whether unmatched requests and unmet `times` fail the run.
    pub(super) strict: bool,
    /// Whether changed files are loaded again.
    pub(super) watch: bool,
    /// A key that is accepted, for the examples.
    pub(super) key: String,
    /// Whether `/__admin` asks for a token.
    pub(super) guarded: bool,
}

impl Serve {
    /// Reads meaning into the flags.
    pub(super) fn new(args: ServeArgs) -> Result<Self, Failure> {
        check(&args)?;
        let pacing = Pacing {
            ttft: args.ttft,
            itl: args.itl,
            tps: args.tps,
            jitter: args.jitter,
            ..Pacing::default()
        };
        let clock = match args.clock {
            ClockArg::Frozen => Clock::Frozen,
            ClockArg::System => Clock::System,
        };
        let unmatched = match args.unmatched {
            UnmatchedArg::Error => Unmatched::Error,
            UnmatchedArg::Echo => Unmatched::Echo,
        };
        let mut builder = MockServer::builder()
            .seed(args.seed)
            .clock(clock)
            .listen(args.listen.0)
            .pacing(pacing)
            .time_scale(args.time_scale)
            .unmatched(unmatched)
            .max_body(args.max_body.0)
            .max_connections(size(args.max_connections))
            .max_hold(args.max_hold.0)
            .journal_limit(size(args.journal_limit))
            .grace(args.grace.0);
        let key = args.api_key.first().cloned().unwrap_or_else(|| "sk-test".to_owned());
        builder = args.fault.into_iter().fold(builder, |builder, choice| match choice {
            Choice::Fault(fault) => builder.fault(fault),
            Choice::Scenario(scenario) => builder.scenario(scenario),
        });
        builder = args.api_key.into_iter().fold(builder, Builder::api_key);
        builder = args.allow_host.into_iter().fold(builder, Builder::allow_host);
        let guarded = args.admin_token.is_some();
        if let Some(token) = args.admin_token {
            builder = builder.admin_token(token);
        }
        Ok(Self {
            builder: secure(builder, args.tls.unwrap_or(Certificate::Off))?,
            fixtures: Fixtures::new(args.paths),
            threads: args.threads.map(usize::from),
            ready_file: args.ready_file,
            clock,
            quiet: args.quiet,
            strict: args.strict,
            watch: args.watch,
            key,
            guarded,
        })
    }
}

/// What is wrong between flags, the first of it.
fn check(args: &ServeArgs) -> Result<(), Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    if args.watch && args.paths.is_empty() {
        return usage("--watch needs a PATH: the built-in fixtures do not change".to_owned());
    }
    let scenarios: Vec<String> = args
        .fault
        .iter()
        .filter(|choice| matches!(choice, Choice::Scenario(_)))
        .map(Choice::to_string)
        .collect();
    if scenarios.len() > 1 {
        return usage(format!(
            "--fault: one scenario answers a request: {} do not go together",
            scenarios.join(" and ")
        ));
    }
    let address = args.listen.0;
    if !address.ip().is_loopback() && args.admin_token.is_none() {
        return usage(format!(
            "--listen {address} is open to the network: add --admin-token TOKEN to protect /__admin \
             (and --allow-host NAME for each name that clients use)"
        ));
    }
    let command = args.paths.iter().find(|path| is_command(path) && !path.exists());
    match command {
        Some(command) => {
            let command = command.display();
            usage(format!("there is no file {command}; the command comes first: llmirage {command} …"))
        }
        None => Ok(()),
    }
}

#[cfg(feature = "tls")]
#[expect(clippy::unnecessary_wraps, reason = "fails where the feature is off")]
fn secure(builder: Builder, certificate: Certificate) -> Result<Builder, Failure> {
    use crate::serve::Tls;

    Ok(match certificate {
        Certificate::Off => builder,
        Certificate::SelfSigned => builder.tls(Tls::SelfSigned),
        Certificate::Files(cert, key) => builder.tls(Tls::Files { cert, key }),
    })
}

#[cfg(not(feature = "tls"))]
fn secure(builder: Builder, certificate: Certificate) -> Result<Builder, Failure> {
    match certificate {
        Certificate::Off => Ok(builder),
        Certificate::SelfSigned | Certificate::Files(..) => {
            Err(Failure::Usage("--tls: this llmirage was built without TLS".to_owned()))
        }
    }
}

fn is_command(path: &Path) -> bool {
    LowArgs::command().get_subcommands().any(|command| path.as_os_str() == command.get_name())
}

/// A limit as the library counts it.
fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
