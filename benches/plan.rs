//! How long planning takes, by size: `cargo bench --bench plan`.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use llmirage::plan::set::Hits;

mod workload;

use workload::{By, EVENTS, FIXTURES};

fn main() {
    divan::main();
}

/// Per request, and per event of the stream: found, admitted, planned.
#[divan::bench(args = EVENTS)]
fn stream(bencher: Bencher<'_, '_>, events: usize) {
    plan(bencher.counter(ItemsCount::new(events)), events, true);
}

/// The same answers in one piece.
#[divan::bench(args = EVENTS)]
fn json(bencher: Bencher<'_, '_>, events: usize) {
    plan(bencher, events, false);
}

fn plan(bencher: Bencher<'_, '_>, events: usize, stream: bool) {
    let set = workload::load(workload::stream_file(events));
    let request = workload::request("hello", stream);
    let mut hits = Hits::default();
    let planned = workload::answer(&set, &request, &mut hits).events.len();
    assert_eq!(planned, if stream { events } else { 1 });
    bencher.bench_local(|| workload::answer(&set, black_box(&request), &mut hits));
}

/// The last fixture of a set is found by a part of a text.
#[divan::bench(args = FIXTURES)]
fn find_by_part(bencher: Bencher<'_, '_>, fixtures: usize) {
    find(bencher, fixtures, By::Part);
}

/// The last fixture of a set is found by a whole text.
#[divan::bench(args = FIXTURES)]
fn find_by_whole(bencher: Bencher<'_, '_>, fixtures: usize) {
    find(bencher, fixtures, By::Whole);
}

fn find(bencher: Bencher<'_, '_>, fixtures: usize, by: By) {
    let set = workload::load(workload::set_file(fixtures));
    let request = by.request(fixtures);
    bencher.bench_local(|| set.candidates(black_box(&request)));
}

/// A file of fixtures is checked and made ready.
#[divan::bench(args = FIXTURES)]
fn load(bencher: Bencher<'_, '_>, fixtures: usize) {
    let file = workload::set_file(fixtures);
    bencher
        .counter(ItemsCount::new(fixtures))
        .with_inputs(|| file.clone())
        .bench_local_values(workload::load);
}
