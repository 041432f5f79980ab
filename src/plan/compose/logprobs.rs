//! Log probabilities: an answer's own, or made up.

use std::borrow::Cow;

use rand::RngExt;

use crate::plan::dialect::shape::{Logprobs, Shape};
use crate::plan::reply::TokenLogprob;
use crate::plan::spoken::Choice;

/// The log probability of each piece, where they were asked for: the answer's own, or made up.
pub(super) fn of<'a>(
    index: usize,
    choice: &'a Choice,
    shape: &Shape,
) -> impl FnMut(usize, &'a str) -> Option<Cow<'a, TokenLogprob>> {
    let mut stream = shape.seed.stream(&format!("logprobs {index}"));
    let asked = shape.logprobs;
    move |at, text| {
        let Logprobs::Asked(top) = asked else {
            return None;
        };
        if let Some(own) = choice.logprobs.as_ref().and_then(|own| own.get(at)) {
            return Some(Cow::Borrowed(own));
        }
        let mut draw = |token: &str, least: f32| {
            let chance: f32 = stream.random();
            let (square, likely) = (chance * chance, 2.5);
            let logprob = f64_as_printed(-(least + likely * square * square * square));
            TokenLogprob { token: token.to_owned(), logprob, bytes: None, top_logprobs: Vec::new() }
        };
        let mut entry = draw(text, 0.000_002);
        let alternatives = ALTERNATIVES.iter().filter(|token| **token != text).enumerate();
        let alternatives = alternatives
            .map(|(rank, token)| draw(token, 3.0 + 2.0 * f32::from(u8::try_from(rank).unwrap_or(u8::MAX))));
        let ranked: Vec<TokenLogprob> =
            std::iter::once(entry.clone()).chain(alternatives).take(top).collect();
        entry.top_logprobs = ranked;
        Some(Cow::Owned(entry))
    }
}

/// Tokens a model might have said instead; nobody's test depends on which.
const ALTERNATIVES: [&str; 21] = [
    " the", ",", " a", ".", " and", " to", " of", " is", " in", "The", " I", "Hello", " that", " it", " for",
    "\n", " you", " with", "!", " on", "?",
];

/// Logprobs are single precision on the wire: the shortest digits that give the same `f32`.
fn f64_as_printed(value: f32) -> f64 {
    value.to_string().parse().expect("a printed number is a number")
}
