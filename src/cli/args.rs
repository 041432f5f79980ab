//! What was typed: the commands and flags, each value checked by itself.
//!
//! Not what it means: flags that only make sense together are checked in `options`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::values::{Certificate, Listen, Size, factor, jitter, rate};
use crate::plan::json::Span;
use crate::plan::pacing::Jitter;
use crate::plan::scenario::Choice;

/// The command line, as typed.
#[derive(Debug, Parser)]
#[command(
    name = "llmirage",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    about = "A mock streaming LLM server for tests: OpenAI and Azure OpenAI on localhost, to the byte"
)]
pub struct LowArgs {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(
        about = "Serve fixtures (the default command)",
        override_usage = "llmirage [serve] [OPTIONS] [PATH]...\n       llmirage check|plan|import|record|faults|schema --help",
        before_long_help = BEFORE_SERVE,
        after_help = AFTER_SERVE_SHORT,
        after_long_help = AFTER_SERVE,
        disable_help_flag = true,
        disable_version_flag = true
    )]
    /// Serve fixtures.
    Serve(Box<ServeArgs>),
    #[command(after_help = AFTER_CHECK)]
    /// Load fixtures and report every problem
    Check(CheckArgs),
    #[command(after_help = AFTER_PLAN)]
    /// Print what a request would be answered with, and when; no sockets
    Plan(PlanArgs),
    /// Make fixtures of captures: curl output, HAR files, cassettes, transcripts
    #[command(after_help = AFTER_IMPORT)]
    Import(ImportArgs),
    /// Relay to the real service and keep what it sends
    #[command(after_help = AFTER_RECORD)]
    Record(Box<RecordArgs>),
    /// List the faults and scenarios, or explain one
    #[command(after_help = AFTER_FAULTS)]
    Faults(FaultsArgs),
    /// Print the JSON Schema of the fixture format
    Schema,
}

/// `llmirage [serve] [PATH]...`
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Fixture files, or folders of them [default: a built-in set]
    ///
    /// Folders are searched for *.json files, their subfolders too, in the order of their names. The
    /// first fixture that matches a request answers it: files in the order of the paths, fixtures in
    /// the order of the file. Without a path a built-in set is served that shows each feature.
    #[arg(value_name = "PATH", help_heading = "Fixtures")]
    pub(super) paths: Vec<PathBuf>,

    /// What ids, jitter and other random choices are drawn from
    ///
    /// The same fixtures, requests and seed give the same bytes at the same offsets, on every
    /// machine.
    #[arg(long, value_name = "N", env = "LLMIRAGE_SEED", default_value_t = 0, help_heading = "Fixtures")]
    pub(super) seed: u64,

    /// Where `created`, dates and ids take the time from
    ///
    /// Limits and waits go by the system's clock in any case, and so does a date in `retry-after`, since a
    /// client compares it with its own.
    #[arg(long, value_enum, env = "LLMIRAGE_CLOCK", default_value_t = ClockArg::Frozen, help_heading = "Fixtures")]
    pub(super) clock: ClockArg,

    /// What a request gets that no fixture matches
    #[arg(long, value_enum, env = "LLMIRAGE_UNMATCHED", default_value_t = UnmatchedArg::Error, help_heading = "Fixtures")]
    pub(super) unmatched: UnmatchedArg,

    /// Exit with 1 if a request was unmatched or a fixture's `times` was not reached
    ///
    /// Checked at shutdown; what was missed is listed on stderr.
    #[arg(long, env = "LLMIRAGE_STRICT", value_parser = FalseyValueParser::new(), help_heading = "Fixtures")]
    pub(super) strict: bool,

    /// Load the fixtures again when a file changes
    ///
    /// Requests see the old set or the new one, never half of each. A set that does not load leaves
    /// the old one serving, and every problem is printed.
    #[arg(long, env = "LLMIRAGE_WATCH", value_parser = FalseyValueParser::new(), help_heading = "Fixtures")]
    pub(super) watch: bool,

    /// Time to first token: when the first content goes out
    ///
    /// Counted from the moment the request was read. Overrides the fixtures' own. A duration has a
    /// unit: 300ms, 1.5s, 2m.
    #[arg(long, value_name = "DUR", env = "LLMIRAGE_TTFT", help_heading = "Pacing")]
    pub(super) ttft: Option<Span>,

    /// Inter-token latency: the time between content events
    #[arg(long, value_name = "DUR", env = "LLMIRAGE_ITL", help_heading = "Pacing")]
    pub(super) itl: Option<Span>,

    /// Tokens per second, instead of --itl
    #[arg(long, value_name = "N", env = "LLMIRAGE_TPS", value_parser = rate, conflicts_with = "itl", help_heading = "Pacing")]
    pub(super) tps: Option<f64>,

    /// How the time between content events varies
    ///
    /// A number x: evenly within itl × (1 ± x). `normal:5ms`: that standard deviation.
    /// `lognormal:20ms,60ms`: that median and that 95th percentile, instead of itl. `exponential`:
    /// random arrivals with the mean itl.
    #[arg(long, value_name = "X", env = "LLMIRAGE_JITTER", value_parser = jitter, help_heading = "Pacing")]
    pub(super) jitter: Option<Jitter>,

    /// Multiplies every time; 0 waits for nothing
    #[arg(long, value_name = "X", env = "LLMIRAGE_TIME_SCALE", value_parser = factor, default_value_t = 1.0, help_heading = "Pacing")]
    pub(super) time_scale: f64,

    /// Break answers: a fault by its name, like stall, or with more, like close-mid-stream@event:3
    ///
    /// In `NAME:key=value,…@POSITION` keys are the fault's parameters, and `attempt`, `first`, `every`,
    /// `probability`, `user` and `model`, which choose requests: `rate-limit:first=2`. Positions:
    /// `head`, `event:3` (after three events; -1 is before the last), `event:3,byte:10`, `byte:100`,
    /// `elapsed:1s`, `end`, and events by name: `role`, `first-content`, `finish`, `usage`, `done`. May
    /// be given again, also in one word with spaces between, as in the environment; a space in a value
    /// is %20, a comma %2C.
    #[arg(long, value_name = "SPEC", env = "LLMIRAGE_FAULT", value_delimiter = ' ', help_heading = "Faults")]
    pub(super) fault: Vec<Choice>,

    /// Where to listen; port 0 takes a free one
    ///
    /// An IP address with a port, `localhost:PORT`, or a port alone (on 127.0.0.1). An address that
    /// other machines can reach needs --admin-token.
    #[arg(
        long,
        value_name = "ADDR",
        env = "LLMIRAGE_LISTEN",
        default_value = "127.0.0.1:4010",
        help_heading = "Network"
    )]
    pub(super) listen: Listen,

    /// Accept this API key only [default: any key, or none]
    ///
    /// May be given again. In the environment: separated by commas.
    #[arg(long, value_name = "KEY", env = "LLMIRAGE_API_KEY", value_parser = NonEmptyStringValueParser::new(), value_delimiter = ',', help_heading = "Network")]
    pub(super) api_key: Vec<String>,

    /// Serve https, with a certificate made for this run, or with these PEM files
    ///
    /// Without files a certificate authority is made for this run, and the path of its certificate
    /// printed: give it to clients as a trusted root.
    #[arg(long, value_name = "CERT,KEY", env = "LLMIRAGE_TLS", num_args = 0..=1, require_equals = true, default_missing_value = "self-signed", help_heading = "Network")]
    pub(super) tls: Option<Certificate>,

    /// Answer to this Host name, too [default: loopback names]
    ///
    /// Other names are refused with 421, so that no web page can reach the server by a name of its
    /// own (DNS rebinding). May be given again. In the environment: separated by commas.
    #[arg(long, value_name = "NAME", env = "LLMIRAGE_ALLOW_HOST", value_parser = NonEmptyStringValueParser::new(), value_delimiter = ',', help_heading = "Network")]
    pub(super) allow_host: Vec<String>,

    /// Ask for this token (`authorization: Bearer TOKEN`) below /__admin
    #[arg(long, value_name = "TOKEN", env = "LLMIRAGE_ADMIN_TOKEN", value_parser = NonEmptyStringValueParser::new(), hide_env_values = true, help_heading = "Network")]
    pub(super) admin_token: Option<String>,

    /// The largest request body: 512KiB, 10MiB
    #[arg(
        long,
        value_name = "SIZE",
        env = "LLMIRAGE_MAX_BODY",
        default_value = "10MiB",
        help_heading = "Limits"
    )]
    pub(super) max_body: Size,

    /// How many connections may be open; one more is closed at once
    #[arg(long, value_name = "N", env = "LLMIRAGE_MAX_CONNECTIONS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Limits")]
    pub(super) max_connections: u32,

    /// How many threads serve connections [default: one per core]
    #[arg(long, value_name = "N", env = "LLMIRAGE_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Limits")]
    pub(super) threads: Option<u16>,

    /// The longest wait between two events of an answer
    ///
    /// Longer waits of fixtures are cut to this, so that no test hangs.
    #[arg(
        long,
        value_name = "DUR",
        env = "LLMIRAGE_MAX_HOLD",
        default_value = "60s",
        help_heading = "Limits"
    )]
    pub(super) max_hold: Span,

    /// How many requests the journal keeps
    #[arg(
        long,
        value_name = "N",
        env = "LLMIRAGE_JOURNAL_LIMIT",
        default_value_t = 1000,
        help_heading = "Limits"
    )]
    pub(super) journal_limit: u32,

    /// How long streams may go on after SIGINT or SIGTERM
    ///
    /// A second signal cuts them at once.
    #[arg(long, value_name = "DUR", env = "LLMIRAGE_GRACE", default_value = "5s", help_heading = "Limits")]
    pub(super) grace: Span,

    /// Write the base URL to this file once connections are accepted
    ///
    /// The file appears whole (written aside, then renamed) and holds the URL alone; it goes away
    /// at shutdown. The URL is also stdout's first line.
    #[arg(long, value_name = "PATH", env = "LLMIRAGE_READY_FILE", help_heading = "Output")]
    pub(super) ready_file: Option<PathBuf>,

    /// No line per request on stderr, and nothing but the URL on stdout
    #[arg(long, short, env = "LLMIRAGE_QUIET", value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub(super) quiet: bool,

    /// Print help (-h: short, --help: long)
    #[arg(long, short, action = ArgAction::Help, help_heading = "Output")]
    help: Option<bool>,

    /// Print the version
    #[arg(long, short = 'V', action = ArgAction::Version, help_heading = "Output")]
    version: Option<bool>,
}

/// `llmirage check PATH...`
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Fixture files, or folders of them
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,
}

/// `llmirage plan PATH... --request FILE|-`
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Fixture files, or folders of them [default: the built-in set]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// The request: a JSON body, or {"method", "path", "headers", "body"}; - is stdin
    ///
    /// A body alone is sent as POST to --path with the headers of a JSON request and an API key.
    /// What is not JSON is sent as it is.
    #[arg(long, value_name = "FILE", env = "LLMIRAGE_REQUEST")]
    pub(super) request: PathBuf,

    /// Where a body alone is sent
    #[arg(long, value_name = "PATH", env = "LLMIRAGE_PATH", default_value = "/v1/chat/completions")]
    pub(super) path: String,

    /// The answer to the N-th time this request is sent
    #[arg(long, value_name = "N", env = "LLMIRAGE_HIT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) hit: u64,

    /// What ids, jitter and other random choices are drawn from
    #[arg(long, value_name = "N", env = "LLMIRAGE_SEED", default_value_t = 0)]
    pub(super) seed: u64,

    /// How to print the timeline
    #[arg(long, value_enum, env = "LLMIRAGE_FORMAT", default_value_t = PlanFormat::Text)]
    pub(super) format: PlanFormat,
}

/// `llmirage import CAPTURE...`
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// Captures, or folders of them; - is stdin
    ///
    /// Folders are searched for files of a known format, their subfolders too, in the order of their
    /// names; other files there are left alone.
    #[arg(value_name = "CAPTURE", required = true)]
    pub(super) captures: Vec<PathBuf>,

    /// The folder for fixtures.json and the transcripts
    ///
    /// What it has already stays: requests that are known get more replies, others a fixture of their
    /// own, and an exchange that is there changes nothing.
    #[arg(long, short, value_name = "DIR", env = "LLMIRAGE_OUTPUT", default_value = "llmirage-fixtures")]
    pub(super) output: PathBuf,

    /// What the captures are
    #[arg(long, value_enum, env = "LLMIRAGE_FORMAT", default_value_t = FormatArg::Auto)]
    pub(super) format: FormatArg,

    /// What an exchange becomes
    #[arg(long = "as", value_enum, env = "LLMIRAGE_AS", default_value_t = FormArg::Transcript)]
    pub(super) form: FormArg,
}

/// `llmirage record --upstream URL`
#[derive(Args, Debug)]
pub struct RecordArgs {
    /// The real service, like `https://api.openai.com`
    ///
    /// A path in it stands before the path of every request. Keys are the client's: they go to the service as
    /// they are, and into no file.
    #[arg(long, value_name = "URL", env = "LLMIRAGE_UPSTREAM")]
    pub(super) upstream: String,

    /// The folder of recordings: fixtures.json, and the transcripts that it names
    #[arg(long, short, value_name = "DIR", env = "LLMIRAGE_OUTPUT", default_value = "llmirage-fixtures")]
    pub(super) output: PathBuf,

    /// Which requests go to the service
    #[arg(long, value_enum, env = "LLMIRAGE_MODE", default_value_t = ModeArg::Once)]
    pub(super) mode: ModeArg,

    /// Trust the authorities of this PEM file, too [default: those of the system]
    #[arg(long, value_name = "FILE", env = "LLMIRAGE_CA")]
    pub(super) ca: Option<PathBuf>,

    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", env = "LLMIRAGE_LISTEN", default_value = "127.0.0.1:4010")]
    pub(super) listen: Listen,

    /// Answer to this Host name, too [default: loopback names]
    #[arg(long, value_name = "NAME", env = "LLMIRAGE_ALLOW_HOST", value_parser = NonEmptyStringValueParser::new(), value_delimiter = ',')]
    pub(super) allow_host: Vec<String>,

    /// Ask for this token (`authorization: Bearer TOKEN`) below /__admin
    #[arg(long, value_name = "TOKEN", env = "LLMIRAGE_ADMIN_TOKEN", value_parser = NonEmptyStringValueParser::new(), hide_env_values = true)]
    pub(super) admin_token: Option<String>,

    /// The largest body of a request, and the largest of a response that is recorded
    #[arg(long, value_name = "SIZE", env = "LLMIRAGE_MAX_BODY", default_value = "64MiB")]
    pub(super) max_body: Size,

    /// How many connections may be open; one more is closed at once
    #[arg(long, value_name = "N", env = "LLMIRAGE_MAX_CONNECTIONS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_connections: u32,

    /// How long exchanges may go on after SIGINT or SIGTERM
    #[arg(long, value_name = "DUR", env = "LLMIRAGE_GRACE", default_value = "5s")]
    pub(super) grace: Span,

    /// Write the base URL to this file once connections are accepted
    #[arg(long, value_name = "PATH", env = "LLMIRAGE_READY_FILE")]
    pub(super) ready_file: Option<PathBuf>,

    /// No line per exchange on stderr, and nothing but the URL on stdout
    #[arg(long, short, env = "LLMIRAGE_QUIET", value_parser = FalseyValueParser::new())]
    pub(super) quiet: bool,
}

/// `llmirage faults [NAME]`
#[derive(Args, Debug)]
pub struct FaultsArgs {
    /// A fault, or scenario:NAME [default: list all]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
}

/// `--clock`
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ClockArg {
    /// 2026-01-01T00:00:00Z for ever, so that answers can be compared
    Frozen,
    /// The system's clock
    System,
}

/// `--unmatched`
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum UnmatchedArg {
    /// 404, with the nearest fixture and the condition it failed
    Error,
    /// An answer that repeats the last user message
    Echo,
}

/// `--mode`
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ModeArg {
    /// All into a new folder; none where there are recordings: those are replayed, other requests refused
    Once,
    /// Those that no recording answers: what is there is replayed
    New,
    /// All; what is recorded replaces older recordings of the same request
    All,
}

/// `--format` of `plan`
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum PlanFormat {
    /// The head, then one line per event: time, number, kind, bytes
    Text,
    /// The same as JSON
    Json,
    /// The bytes of the body, nothing else
    Wire,
}

/// `--format` of `import`
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum FormatArg {
    /// What each looks like
    Auto,
    /// The body of a stream, as curl -N prints it
    Sse,
    /// What curl -i, -v or --trace prints
    Curl,
    /// HTTP Archive, as browsers export it
    Har,
    /// A cassette of vcrpy or of Ruby's VCR
    Vcr,
    /// A transcript, or other JSON of one exchange
    Json,
}

/// `--as`
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum FormArg {
    /// The recorded bytes, at the recorded times
    Transcript,
    /// An answer that gives the recorded bytes, to be edited
    Answer,
}

impl LowArgs {
    /// Reads a command line; a first argument that is no command belongs to `serve`.
    pub(super) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
        let mut args: Vec<OsString> = args.into_iter().collect();
        let mut command = Self::command();
        if args.iter().any(|arg| arg == "-h") {
            // The short help is an overview; the twins are in the long one.
            command = command.mut_subcommands(|command| command.mut_args(|arg| arg.hide_env(true)));
        }
        let first = args.get(1).and_then(|first| first.to_str()).unwrap_or_default();
        match first {
            // `help` and `help COMMAND` are what other tools taught people to type.
            "help" => {
                args.remove(1);
                args.truncate(2);
                if args.len() == 1 {
                    args.push("serve".into());
                }
                args.push("--help".into());
            }
            "-V" | "--version" => {}
            name if command.find_subcommand(name).is_some() => {}
            _ => args.insert(1.min(args.len()), "serve".into()),
        }
        let matches = command.try_get_matches_from(args)?;
        Self::from_arg_matches(&matches).map(|low| low.command)
    }
}

const BEFORE_SERVE: &str = "\
llmirage stands in for the OpenAI and Azure OpenAI chat-completions APIs. Point an SDK's base URL at
it; it answers from fixtures, at the pace and with the breakage that they or the flags ask for.";

const AFTER_SERVE_SHORT: &str = "\
Commands:
  llmirage [serve] [PATH]...             Serve fixtures (the default command)
  llmirage check PATH...                 Load fixtures and report every problem
  llmirage plan PATH... --request FILE   Print what a request would be answered with, and when
  llmirage import CAPTURE... [-o DIR]    Make fixtures of recorded exchanges
  llmirage record --upstream URL         Relay to the real service and keep what it sends
  llmirage faults [NAME]                 List the faults and scenarios, or explain one
  llmirage schema                        Print the JSON Schema of the fixture format

--help says more. Every flag has a twin in the environment: --ready-file is LLMIRAGE_READY_FILE.";

const AFTER_SERVE: &str = "\
Commands:
  llmirage [serve] [PATH]...             Serve fixtures (the default command)
  llmirage check PATH...                 Load fixtures and report every problem
  llmirage plan PATH... --request FILE   Print what a request would be answered with, and when
  llmirage import CAPTURE... [-o DIR]    Make fixtures of recorded exchanges
  llmirage record --upstream URL         Relay to the real service and keep what it sends
  llmirage faults [NAME]                 List the faults and scenarios, or explain one
  llmirage schema                        Print the JSON Schema of the fixture format

Examples:
  llmirage                                         the built-in fixtures on http://127.0.0.1:4010
  llmirage tests/fixtures --strict                 in CI: unmatched requests fail the run
  llmirage --listen 127.0.0.1:0 --ready-file url   any free port, its URL in a file
  llmirage --ttft 300ms --tps 50 fixtures.json     a pace like a real model's
  llmirage --time-scale 0 fixtures.json            no waiting at all
  llmirage --fault close-mid-stream@event:3        every stream breaks after three events

Exit codes:
  0  served until SIGINT or SIGTERM
  1  failed at run time; with --strict also: an unmatched request, or `times` not reached
  2  the command line or the fixtures are wrong

A folder called like a command is written ./check. On the command line a flag wins over its
environment twin.";

const AFTER_CHECK: &str = "\
Every problem is printed as file:line:column: pointer: message, warnings after them. Exit code 2 if
there is a problem, 0 if there are none or only warnings.

Examples:
  llmirage check tests/fixtures
  llmirage check greeting.json tools.json";

const AFTER_PLAN: &str = "\
The request goes through validation and matching as in the server; a request that would be refused
shows the refusal.

Examples:
  llmirage plan fixtures.json --request body.json
  echo '{\"model\":\"gpt-4o\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}' |
    llmirage plan --request - --format wire
  llmirage plan fixtures.json --request body.json --hit 2 --format json
  llmirage plan --request body.json \\
    --path '/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21'";

const AFTER_IMPORT: &str = "\
Keys, tokens, cookies and other secrets are replaced before anything is written; an exchange that still
looks like it has one is refused. What is wrong with an exchange is told on stderr, and the others are
imported.

Examples:
  curl -isN https://api.openai.com/v1/chat/completions … | llmirage import -
  llmirage import tests/cassettes -o tests/fixtures
  llmirage import chat.har --as answer

Exit codes:
  0  every exchange was imported, or was there already
  1  some were damaged or refused; the others were imported
  2  the command line or the fixtures in DIR are wrong, or a capture cannot be read";

const AFTER_RECORD: &str = "\
Point the client at the URL that is printed, in the place of the service. Answers are passed on as they come
and never altered; what is written has keys, cookies and other secrets replaced, and goes to files that only
their owner can read. `llmirage DIR` replays it.

Examples:
  llmirage record --upstream https://api.openai.com -o tests/recorded
  llmirage record --upstream https://my-resource.openai.azure.com --mode new
  llmirage record --upstream https://localhost:8443 --ca ca.pem --mode all

Exit codes:
  0  relayed until SIGINT or SIGTERM
  1  failed at run time
  2  the command line or the recordings are wrong";

const AFTER_FAULTS: &str = "\
Examples:
  llmirage faults                          all of them: name, place, what a good client does
  llmirage faults close-mid-stream         one: its parameters, its bytes, who breaks on it
  llmirage faults scenario:quota-wall      a scenario: what happens, and what to check";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &str) -> Result<Command, clap::Error> {
        let args = std::iter::once("llmirage").chain(args.split_whitespace());
        LowArgs::read(args.map(OsString::from))
    }

    #[test]
    fn the_table_of_flags_is_sound() {
        LowArgs::command().debug_assert();
    }

    #[test]
    fn what_is_no_command_belongs_to_serve() {
        for (args, paths) in [
            ("", &[][..]),
            ("a.json", &["a.json"]),
            ("serve", &[]),
            ("serve a b", &["a", "b"]),
            ("-q a", &["a"]),
            ("./check", &["./check"]),
        ] {
            match read(args) {
                Ok(Command::Serve(serve)) => {
                    assert_eq!(serve.paths, paths.iter().map(PathBuf::from).collect::<Vec<_>>(), "{args}");
                }
                other => panic!("{args}: {other:?}"),
            }
        }
        assert!(matches!(read("check a"), Ok(Command::Check(_))));
        assert!(matches!(read("schema"), Ok(Command::Schema)));
    }

    #[test]
    fn every_flag_has_its_environment_twin() {
        for command in LowArgs::command().get_subcommands() {
            for flag in command.get_arguments().filter(|flag| !flag.is_positional()) {
                let long = flag.get_long().expect("every flag has a long name");
                let twin = format!("LLMIRAGE_{}", long.to_uppercase().replace('-', "_"));
                match long {
                    "help" | "version" => assert_eq!(flag.get_env(), None),
                    _ => assert_eq!(flag.get_env(), Some(twin.as_ref()), "{} --{long}", command.get_name()),
                }
            }
        }
    }

    #[test]
    fn every_flag_says_what_it_is_for() {
        for command in LowArgs::command().get_subcommands() {
            for flag in command.get_arguments() {
                let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty() && !help.ends_with('.'), "{}: {:?}", flag.get_id(), help);
                if command.get_name() == "serve" {
                    assert!(flag.get_help_heading().is_some(), "{} has a heading", flag.get_id());
                }
            }
        }
    }

    #[test]
    fn help_lists_every_command() {
        for command in LowArgs::command().get_subcommands().filter(|command| command.get_name() != "serve") {
            let line = format!("  llmirage {}", command.get_name());
            assert!(AFTER_SERVE.contains(&line) && AFTER_SERVE_SHORT.contains(&line), "{line}");
        }
    }
}
