//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::limit::Limit;
use crate::section::Section;

/// Measures the built release server, beside a bare TCP writer and a bare hyper server of the same bytes
#[derive(Debug, Parser)]
#[command(name = "load")]
pub(crate) struct Args {
    /// One short round of what is quick, to see that everything works
    #[arg(long)]
    pub(crate) quick: bool,

    /// How often each is measured; in turns [default: 5, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// How many seconds answers are counted for, where nothing waits [default: 2, with --quick 0.5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    window: Option<Duration>,

    /// What to measure, separated by commas [default: all, with --quick all but the largest two]
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    sections: Vec<Section>,

    /// The llmirage to measure [default: cargo builds it]
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,

    /// The cores of the servers, like 0 or 0,2; the client gets all others
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "0")]
    pub(crate) cores: Vec<usize>,

    /// Print JSON, with the value of every round
    #[arg(long)]
    pub(crate) json: bool,

    /// Replace the table in this file
    #[arg(long, value_name = "PATH")]
    pub(crate) write: Option<PathBuf>,

    /// More arguments for llmirage
    #[arg(last = true, value_name = "ARG")]
    pub(crate) serve: Vec<String>,

    /// Be this limit; the program starts itself with it
    #[arg(long, value_enum, hide = true, requires_all = ["answer", "ready"])]
    pub(crate) limit: Option<Limit>,

    /// What the limit serves
    #[arg(long, hide = true)]
    pub(crate) answer: Option<PathBuf>,

    /// Where the limit writes its address
    #[arg(long, hide = true)]
    pub(crate) ready: Option<PathBuf>,
}

impl Args {
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    pub(crate) fn window(&self) -> Duration {
        self.window.unwrap_or_else(|| Duration::from_millis(if self.quick { 500 } else { 2000 }))
    }

    pub(crate) fn sections(&self) -> Vec<Section> {
        match self.sections.as_slice() {
            [] => Section::ALL.into_iter().filter(|section| !self.quick || section.is_quick()).collect(),
            chosen => chosen.to_vec(),
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "between 0.1 and 600 seconds".to_owned())
}
