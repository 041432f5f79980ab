//! How fast llmirage is, and how right its clock: `cargo run --release --example load`.
//!
//! It starts the built release server as a process of its own, over and over, and asks it over loopback. Beside
//! it, in turns, it starts two limits that know nothing but the bytes llmirage sent: a task per connection that
//! writes them to a TCP socket (`raw`), and a bare hyper server of them (`hyper`). What it prints, and what the
//! figures leave out, is explained in docs/performance.md, whose table it writes with `--write`.
//!
//! It sends traffic to 127.0.0.1 only, ends by itself, and ends no processes but those it started.

#![expect(clippy::disallowed_methods, reason = "it measures time, and waits for processes")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it measured")]

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

mod answer;
mod args;
mod client;
mod limit;
mod machine;
mod measure;
mod report;
mod section;
mod server;
mod write;

use args::Args;
use machine::Machine;
use report::Report;
use server::Subject;

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.limit {
        Some(limit) => limit::run(*limit, &args),
        None => run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let binary = server::built(args)?;
    let machine = Machine::prepare(args);
    let mut report = Report::new(&machine, &binary, args)?;
    for section in args.sections() {
        if let Some(why) = machine.refuses(section) {
            report.skip(section, why);
            continue;
        }
        let setup = section.prepare(&binary, args)?;
        for round in 1..=args.rounds() {
            for subject in Subject::ALL {
                eprintln!("{}: round {round} of {}: {}", section.title(), args.rounds(), subject.name());
                report.add(section, subject, measure::measure(&setup, subject, args)?);
            }
        }
    }
    if let Some(path) = &args.write {
        write::into(path, &report.markdown())?;
    }
    match args.json {
        true => println!("{:#}", report.json()),
        false => print!("{}", report.text()),
    }
    match (report.is_right(), report.is_small()) {
        (true, true) => Ok(()),
        (false, _) => Err("events came early or answers failed, see above".into()),
        (true, false) => Err("the binary is too large, see above".into()),
    }
}
