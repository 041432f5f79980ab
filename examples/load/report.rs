//! What was measured, for people, machines and the documentation: medians, spread, ratios.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::args::Args;
use crate::machine::Machine;
use crate::measure::{BINARY, CLIENT, EARLY, FAILED, Found, Metric};
use crate::section::Section;
use crate::server::Subject;

/// Everything measured, in the order in which it came.
pub(crate) struct Report<'a> {
    machine: &'a Machine,
    version: String,
    rounds: u32,
    serve: Vec<String>,
    blocks: Vec<Block>,
}

struct Block {
    section: Section,
    /// Why there are no rows.
    skipped: Option<String>,
    rows: Vec<Row>,
}

/// The values of each round, for each subject.
struct Row {
    metric: Metric,
    values: [Vec<f64>; 3],
}

impl<'a> Report<'a> {
    pub(crate) fn new(machine: &'a Machine, binary: &Path, args: &Args) -> Result<Self, Box<dyn Error>> {
        let version = Command::new(binary).arg("--version").output()?.stdout;
        let version = String::from_utf8(version)?.trim().to_owned();
        Ok(Self { machine, version, rounds: args.rounds(), serve: args.serve.clone(), blocks: Vec::new() })
    }

    pub(crate) fn skip(&mut self, section: Section, why: String) {
        self.blocks.push(Block { section, skipped: Some(why), rows: Vec::new() });
    }

    pub(crate) fn add(&mut self, section: Section, subject: Subject, found: Found) {
        if self.blocks.last().is_none_or(|block| block.section != section) {
            self.blocks.push(Block { section, skipped: None, rows: Vec::new() });
        }
        let Some(block) = self.blocks.last_mut() else { return };
        for (metric, value) in found {
            let at = block.rows.iter().position(|row| row.metric == metric).unwrap_or_else(|| {
                block.rows.push(Row { metric, values: Default::default() });
                block.rows.len() - 1
            });
            block.rows[at].values[subject as usize].push(value);
        }
    }

    /// Whether llmirage sent nothing early and failed nowhere.
    pub(crate) fn is_right(&self) -> bool {
        let rows = self.blocks.iter().flat_map(|block| &block.rows);
        let mut wrong = rows.filter(|row| row.metric == EARLY || row.metric == FAILED);
        wrong.all(|row| row.values[Subject::Llmirage as usize].iter().all(|count| *count == 0.0))
    }

    /// Whether the binary, if it was looked at, is no larger than it may be.
    pub(crate) fn is_small(&self) -> bool {
        let rows = self.blocks.iter().flat_map(|block| &block.rows);
        let mut sizes = rows.filter(|row| row.metric == BINARY).flat_map(|row| row.values.iter().flatten());
        sizes.all(|size| *size <= MAX_BINARY)
    }

    /// An aligned table for a terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = self.lines().map(|line| line + "\n").collect::<String>();
        for block in &self.blocks {
            let _ = writeln!(text, "\n{}", block.section.title());
            if let Some(why) = &block.skipped {
                let _ = writeln!(text, "  skipped: {why}");
                continue;
            }
            let rows: Vec<[String; 6]> =
                std::iter::once(HEAD.map(str::to_owned)).chain(block.rows.iter().map(Row::cells)).collect();
            let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let widths: [usize; 6] = std::array::from_fn(width);
            for row in &rows {
                let mut line = format!("  {:<width$}", row[0], width = widths[0]);
                for (cell, width) in row.iter().zip(widths).skip(1) {
                    let _ = write!(line, "  {cell:>width$}");
                }
                let _ = writeln!(text, "{}", line.trim_end());
            }
        }
        text
    }

    /// The same as a table of Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = self.lines().map(|line| line + "\n").collect::<String>();
        let _ = writeln!(text, "\n| {} |\n| --- | ---: | ---: | ---: | ---: | ---: |", HEAD.join(" | "));
        for block in &self.blocks {
            let why = block.skipped.as_ref().map(|why| format!(" skipped: {why}")).unwrap_or_default();
            let _ = writeln!(text, "| **{}**{why} | | | | | |", block.section.title());
            for row in &block.rows {
                let _ = writeln!(text, "| {} |", row.cells().join(" | "));
            }
        }
        text
    }

    /// Every value of every round.
    pub(crate) fn json(&self) -> Value {
        let sections = self.blocks.iter().map(|block| {
            let rows = block.rows.iter().map(|row| (row.metric.name.to_owned(), row.json()));
            json!({
                "section": block.section.name(),
                "skipped": block.skipped,
                "metrics": rows.collect::<serde_json::Map<_, _>>(),
            })
        });
        json!({
            "version": self.version,
            "serve": self.serve,
            "machine": self.machine.json(),
            "rounds": self.rounds,
            "sections": sections.collect::<Vec<_>>(),
        })
    }

    /// What holds of all of it.
    fn lines(&self) -> impl Iterator<Item = String> {
        let with = if self.serve.is_empty() { String::new() } else { format!(" {}", self.serve.join(" ")) };
        let noise = self.machine.noise().map(|busy| {
            format!(
                "**Not to be quoted**: other work was running before the first round (load average {busy})."
            )
        });
        let client = self.client().map(|(busy, section)| {
            let verdict = if busy < 85.0 { "" } else { ", which is then the limit itself" };
            format!("The client's core was at most {busy:.0} % busy{verdict} ({}).", section.title())
        });
        let rounds = match self.rounds {
            1 => "One round.".to_owned(),
            rounds => {
                format!("Median of {rounds} rounds in turns (least–most); ratios are medians of the rounds'.")
            }
        };
        let machine = format!("{}{with} on {}.", self.version, self.machine.line());
        [Some(machine), Some(rounds), client, noise].into_iter().flatten()
    }

    /// Where the client was busiest, in the median.
    fn client(&self) -> Option<(f64, Section)> {
        let rows = self.blocks.iter().flat_map(|block| block.rows.iter().map(|row| (block.section, row)));
        let busy = rows.filter(|(_, row)| row.metric == CLIENT);
        let busy =
            busy.flat_map(|(section, row)| row.values.iter().map(move |values| (median(values), section)));
        busy.filter_map(|(busy, section)| Some((busy?, section)))
            .max_by(|one, other| one.0.total_cmp(&other.0))
    }
}

impl Row {
    fn cells(&self) -> [String; 6] {
        let [llmirage, raw, hyper] = &self.values;
        let shown = |values| spread(values, self.metric.decimals);
        let ratio = |limit: &[f64]| match ratio(llmirage, limit) {
            Some(ratio) if self.metric.compared => format!("{ratio:.2}"),
            _ => String::new(),
        };
        let name = self.metric.name.to_owned();
        [name, shown(llmirage), shown(raw), shown(hyper), ratio(raw), ratio(hyper)]
    }

    fn json(&self) -> Value {
        let subjects = Subject::ALL.into_iter().zip(&self.values);
        let values = subjects.map(|(subject, values)| {
            (subject.name().to_owned(), json!({ "median": median(values), "rounds": values }))
        });
        let mut row: serde_json::Map<_, _> = values.collect();
        if self.metric.compared {
            row.insert("to_raw".to_owned(), json!(ratio(&self.values[0], &self.values[1])));
            row.insert("to_hyper".to_owned(), json!(ratio(&self.values[0], &self.values[2])));
        }
        Value::Object(row)
    }
}

/// The median, with the least and the most where they differ from it.
fn spread(values: &[f64], decimals: usize) -> String {
    let Some(median) = median(values) else { return "n/a".to_owned() };
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let [median, least, most] = [median, least, most].map(|value| number(value, decimals));
    if least == most { median } else { format!("{median} ({least}–{most})") }
}

/// The median of what each round's ratio was: rounds are close in time, so what slows one slows both.
fn ratio(values: &[f64], limit: &[f64]) -> Option<f64> {
    let pairs = values.iter().zip(limit).filter(|(_, limit)| **limit > 0.0);
    median(&pairs.map(|(value, limit)| value / limit).collect::<Vec<_>>())
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        len if len % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// A number with commas between thousands.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let whole = text.split('.').next().map_or(0, str::len);
    let mut grouped = String::with_capacity(text.len() + 4);
    for (index, digit) in text.chars().enumerate() {
        let left = whole.saturating_sub(index);
        if left > 0 && left % 3 == 0 && grouped.ends_with(|digit: char| digit.is_ascii_digit()) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    // What rounds to nothing has no sign.
    match grouped.strip_prefix('-') {
        Some(rest) if rest.chars().all(|digit| matches!(digit, '0' | '.')) => rest.to_owned(),
        _ => grouped,
    }
}

/// How large the binary may be, in MiB.
const MAX_BINARY: f64 = 20.0;

const HEAD: [&str; 6] = ["", "llmirage", "raw", "hyper", "÷ raw", "÷ hyper"];
