//! Choices in another order.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt;

use super::{Order, chunk, edit};
use crate::plan::fault::Context;
use crate::plan::fault::response::Response;

/// Puts the events of several choices into another order; those of one choice keep theirs, and the times
/// stay where they are. The choices of a completion change places.
pub(super) fn interleave(response: &mut Response, context: &Context<'_>, order: Order) {
    if !response.is_stream() {
        for piece in &mut response.pieces {
            chunk::edit(piece, |json| {
                edit::edit(json, "choices", |choices| shuffle(choices, context, order))
            });
        }
        return;
    }
    let mut slots = Vec::new();
    let mut waiting: BTreeMap<u64, VecDeque<usize>> = BTreeMap::new();
    for (slot, piece) in response.pieces.iter().enumerate() {
        if let [choice] = chunk::choices(piece).as_slice() {
            slots.push(slot);
            waiting.entry(chunk::index(choice)).or_default().push_back(slot);
        }
    }
    if waiting.len() < 2 {
        return;
    }
    let old = response.pieces.clone();
    for (slot, from) in slots.into_iter().zip(turns(waiting.into_values().collect(), context, order)) {
        let piece = &mut response.pieces[slot];
        (piece.kind, piece.bytes) = (old[from].kind, old[from].bytes.clone());
    }
}

/// The events of all choices in the order in which they come.
fn turns(mut choices: Vec<VecDeque<usize>>, context: &Context<'_>, order: Order) -> Vec<usize> {
    match order {
        Order::Grouped => choices.into_iter().flatten().collect(),
        Order::Reverse => {
            choices.reverse();
            let mut turns = Vec::new();
            while !choices.is_empty() {
                turns.extend(choices.iter_mut().filter_map(VecDeque::pop_front));
                choices.retain(|choice| !choice.is_empty());
            }
            turns
        }
        Order::Shuffled => {
            // Whose turn it is: each choice as often as it has events, shuffled.
            let each = choices.iter().enumerate();
            let mut turns: Vec<usize> =
                each.flat_map(|(index, choice)| std::iter::repeat_n(index, choice.len())).collect();
            mix(&mut turns, context);
            turns.into_iter().filter_map(|index| choices[index].pop_front()).collect()
        }
    }
}

fn mix<T>(items: &mut [T], context: &Context<'_>) {
    let mut stream = context.seed.stream("choices-interleaved");
    for last in (1..items.len()).rev() {
        items.swap(last, stream.random_range(0..=last));
    }
}

/// The items of an array in another order, each with what separates them in its place.
fn shuffle(choices: &[u8], context: &Context<'_>, order: Order) -> Option<Vec<u8>> {
    let items = edit::items(choices)?;
    let mut moved: Vec<&[u8]> = items.into_iter().map(|item| &choices[item]).collect();
    match order {
        Order::Grouped => return None,
        Order::Reverse => moved.reverse(),
        Order::Shuffled => mix(&mut moved, context),
    }
    let mut moved = moved.into_iter();
    edit::edit_items(choices, |_| moved.next().map(<[u8]>::to_vec))
}
