//! What Azure's content filter puts into streams. Asked of another provider, the same chunks come with the
//! keys in OpenAI's order.

use super::chunk::{self, CHOICE, CHUNK};
use super::{Missing, PromptKey, edit};
use crate::plan::dialect::chunk::{Order, object};
use crate::plan::fault::answer::{Category, Severity};
use crate::plan::fault::declare::Argument;
use crate::plan::fault::response::{Piece, Response};
use crate::plan::fault::{At, Context};
use crate::plan::timeline::EventKind;

/// Puts Azure's first chunk into a stream: over the one that it has, else first. A completion gets the key.
pub(super) fn prompt_filter_chunk(
    response: &mut Response,
    context: &Context<'_>,
    key: PromptKey,
    empty_ids: bool,
) {
    let order = chunk::order(response, context);
    let preamble = response.pieces.iter().position(|piece| piece.kind == EventKind::Preamble);
    let (key, other) = match key {
        PromptKey::Results => ("prompt_filter_results", "prompt_annotations"),
        PromptKey::Annotations => ("prompt_annotations", "prompt_filter_results"),
    };
    let ids = envelope_of(response, preamble.map_or(0, |index| index + 1), empty_ids);
    let under_key = |json: &[u8]| match edit::get(json, key) {
        Some(_) => Some(json.to_vec()),
        None => edit::rename(json, other, key),
    };
    if let Some(index) = preamble {
        chunk::edit(&mut response.pieces[index], |json| {
            let named = under_key(json)?;
            ids.iter().try_fold(named, |json, (key, value)| edit::set(&json, key, value, order, CHUNK))
        });
    } else if response.is_stream() {
        let fields = ids.into_iter().chain([("choices", "[]".to_owned()), (key, prompt_results())]);
        let json = object(order, fields.collect());
        response.insert(0, EventKind::Preamble, chunk::event(json.as_bytes()));
    } else {
        for piece in &mut response.pieces {
            chunk::edit(piece, |json| {
                edit::get(json, "choices")?;
                under_key(json).or_else(|| edit::set(json, key, &prompt_results(), order, CHUNK))
            });
        }
    }
}

/// Puts a chunk of the asynchronous filter at a place; without a finish to stand after, before `[DONE]`.
/// Its offsets count the characters of the prompt, too, which is taken to have [`PROMPT`].
pub(super) fn async_filter_chunk(
    at: At,
    response: &mut Response,
    context: &Context<'_>,
    delta: Missing,
    offsets: bool,
) {
    if !response.is_stream() {
        return;
    }
    let order = chunk::order(response, context);
    let index = match at {
        At::Named(name) if !response.pieces.iter().any(|piece| piece.kind == name.kind()) => {
            chunk::done(response)
        }
        at => response.spot(at).index,
    };
    let mut choice = vec![
        ("index", "0".to_owned()),
        ("finish_reason", "null".to_owned()),
        ("content_filter_results", categories(None)),
    ];
    if offsets {
        let said: usize = response.pieces[..index].iter().map(text_length).sum();
        let offsets = format!(
            "{{\"check_offset\":{PROMPT},\"start_offset\":{PROMPT},\"end_offset\":{}}}",
            PROMPT.saturating_add(said)
        );
        choice.push(("content_filter_offsets", offsets));
    }
    match delta {
        Missing::Absent => {}
        Missing::Null => choice.insert(1, ("delta", "null".to_owned())),
    }
    let mut fields = envelope_of(response, 0, true);
    fields.push(("choices", format!("[{}]", object(order, choice))));
    let json = object(order, fields);
    response.insert_at(at, index, EventKind::Filter, chunk::event(json.as_bytes()));
}

/// Puts the filter's own failure where its verdict would be: in the event that a place is about, or the
/// next one with text.
pub(super) fn service_error(at: At, response: &mut Response, context: &Context<'_>) {
    const ERROR: &str =
        r#"{"error":{"code":"content_filter_error","message":"The contents are not filtered"}}"#;
    let order = chunk::order(response, context);
    let Some(index) = chunk::text_from(response, response.target(at)) else { return };
    chunk::edit_choices(&mut response.pieces[index], |choice| {
        let renamed = edit::rename(choice, "content_filter_results", "content_filter_result");
        edit::set(renamed.as_deref().unwrap_or(choice), "content_filter_result", ERROR, order, CHOICE)
    });
}

/// Ends the stream as the filter does: at a place, or at the first finish if that comes earlier, with a
/// chunk that finishes each choice, then `[DONE]`. A completion gets the reason, and on Azure the verdict.
pub(super) fn content_filter_finish(
    at: At,
    response: &mut Response,
    context: &Context<'_>,
    category: Category,
    severity: Severity,
) {
    let order = chunk::order(response, context);
    let hit = Some((category, severity));
    let filtered = |choice: &[u8]| {
        let finished = chunk::set_finish(choice, "\"content_filter\"", order)?;
        if !chunk::is_azure(context) {
            return Some(finished);
        }
        // What else the filter says of the choice stays.
        let in_place = edit::edit(&finished, "content_filter_results", |results| {
            let (name, verdict) = verdicts(hit).into_iter().find(|(_, verdict)| verdict.contains("true"))?;
            edit::get(results, name)?;
            edit::set(results, name, &verdict, order, &[])
        });
        in_place.or_else(|| edit::set(&finished, "content_filter_results", &categories(hit), order, CHOICE))
    };
    if !response.is_stream() {
        response.pieces.iter_mut().for_each(|piece| {
            chunk::edit_choices(piece, filtered);
        });
        return;
    }
    let is_finish = |kind: EventKind| kind == EventKind::Finish;
    let finishes = || response.pieces.iter().filter(|piece| is_finish(piece.kind) && has_delta(piece));
    let mut ends: Vec<_> = finishes().cloned().collect();
    let first = response.pieces.iter().position(|piece| is_finish(piece.kind));
    let index = response.spot(at).index.min(first.unwrap_or_else(|| chunk::done(response)));
    if ends.is_empty() {
        // A stream that never finished: the chunk before the place is the pattern, else that after it.
        let (before, after) = response.pieces.split_at(index);
        ends.extend(before.iter().rev().chain(after).find(|piece| has_delta(piece)).cloned());
    }
    if ends.is_empty() {
        return;
    }
    let done = super::done_event(response);
    super::end_before(response, at, index);
    for mut end in ends {
        chunk::edit_choices(&mut end, |choice| {
            let silent = chunk::edit_said(choice, |_| Some(b"{}".to_vec()));
            filtered(silent.as_deref().unwrap_or(choice))
        });
        let index = response.pieces.len();
        response.insert_at(at, index, EventKind::Finish, end.bytes);
    }
    let index = response.pieces.len();
    response.insert_at(at, index, EventKind::Done, done);
}

/// How many characters a prompt has for the offsets of a chunk that no fixture gave.
const PROMPT: usize = 44;

fn has_delta(piece: &Piece) -> bool {
    chunk::choices(piece).iter().any(|choice| chunk::said(choice).is_some())
}

/// How many characters of text a piece has.
fn text_length(piece: &Piece) -> usize {
    let length = |choice: &&[u8]| {
        let text = edit::get(chunk::said(choice)?, chunk::text_key(choice)?)?;
        serde_json::from_slice::<String>(text).ok().map(|text| text.chars().count())
    };
    chunk::choices(piece).iter().filter_map(length).sum()
}

/// The ids of a chunk of the filter: empty, or those of the first chunk from `from` on.
fn envelope_of(response: &Response, from: usize, empty: bool) -> Vec<(&'static str, String)> {
    let own = chunk::envelope(response, from).filter(|_| !empty);
    let fields = [("id", "\"\""), ("object", "\"\""), ("created", "0"), ("model", "\"\"")];
    let value = |(key, blank): (&'static str, &str)| {
        let own = own.and_then(|json| edit::get(json, key));
        (key, own.map_or_else(|| blank.to_owned(), |own| String::from_utf8_lossy(own).into_owned()))
    };
    fields.into_iter().map(value).collect()
}

/// The verdicts on a harmless prompt.
fn prompt_results() -> String {
    let jailbreak = (r#"{"detected":false,"filtered":false}"#).to_owned();
    let mut results = verdicts(None);
    results.push(("jailbreak", jailbreak));
    format!("[{{\"prompt_index\":0,\"content_filter_results\":{}}}]", object(Order::Sorted, results))
}

/// The verdicts on a text of which one category is filtered, or none.
fn categories(filtered: Option<(Category, Severity)>) -> String {
    object(Order::Sorted, verdicts(filtered))
}

fn verdicts(filtered: Option<(Category, Severity)>) -> Vec<(&'static str, String)> {
    let all = [
        ("hate", Category::Hate),
        ("self_harm", Category::SelfHarm),
        ("sexual", Category::Sexual),
        ("violence", Category::Violence),
    ];
    let verdict = |category: Category| match filtered {
        Some((found, severity)) if found == category => {
            let severity = severity.show().unwrap_or_default();
            format!("{{\"filtered\":true,\"severity\":{severity}}}")
        }
        _ => r#"{"filtered":false,"severity":"safe"}"#.to_owned(),
    };
    all.into_iter().map(|(name, category)| (name, verdict(category))).collect()
}
