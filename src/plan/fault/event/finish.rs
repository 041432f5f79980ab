//! Finish reasons: with text, against the tool calls, unknown, missing, or not the end.

use std::collections::{BTreeMap, BTreeSet};

use super::chunk::{self, DELTA};
use super::{After, FinishForm, edit, envelope};
use crate::plan::dialect::chunk::quoted;
use crate::plan::fault::Context;
use crate::plan::fault::response::Response;
use crate::plan::timeline::EventKind;

/// Moves each choice's finish reason into its last content chunk. A completion has both together anyway.
pub(super) fn with_content(response: &mut Response, context: &Context<'_>) {
    let order = chunk::order(response, context);
    let mut last_content: BTreeMap<u64, usize> = BTreeMap::new();
    let mut moves = Vec::new();
    let mut stays = vec![true; response.pieces.len()];
    for (index, piece) in response.pieces.iter().enumerate() {
        let &[choice] = chunk::choices(piece).as_slice() else { continue };
        let number = chunk::index(choice);
        if piece.kind == EventKind::Content {
            last_content.insert(number, index);
        }
        let reason = chunk::finish(choice).filter(|_| piece.kind == EventKind::Finish);
        if let Some(reason) = reason
            && let Some(last) = last_content.remove(&number)
        {
            moves.push((last, String::from_utf8_lossy(reason).into_owned()));
            stays[index] = false;
        }
    }
    for (last, reason) in moves {
        let content = &mut response.pieces[last];
        chunk::edit_choices(content, |choice| chunk::set_finish(choice, &reason, order));
        content.kind = EventKind::Finish;
    }
    let mut stays = stays.into_iter();
    response.pieces.retain(|_| stays.next().unwrap_or(true));
}

/// Says `stop` of choices that call tools; `inverse`: `tool_calls` of those that call none.
pub(super) fn stop_with_tools(response: &mut Response, context: &Context<'_>, inverse: bool) {
    let with_tools: BTreeSet<u64> = response
        .pieces
        .iter()
        .flat_map(chunk::choices)
        .filter(|choice| chunk::said(choice).is_some_and(calls_tools))
        .map(chunk::index)
        .collect();
    let reason = if inverse { "\"tool_calls\"" } else { "\"stop\"" };
    change(response, context, |number| (with_tools.contains(&number) != inverse).then(|| reason.to_owned()));
}

/// Says this of every choice that finishes.
pub(super) fn unknown(response: &mut Response, context: &Context<'_>, value: &str) {
    change(response, context, |_| Some(quoted(value)));
}

/// Takes the reason away from every choice that finishes.
pub(super) fn missing(response: &mut Response, context: &Context<'_>, form: FinishForm) {
    match form {
        FinishForm::Null => change(response, context, |_| Some("null".to_owned())),
        FinishForm::Empty => change(response, context, |_| Some("\"\"".to_owned())),
        FinishForm::Absent => {
            for piece in &mut response.pieces {
                chunk::edit_choices(piece, |choice| {
                    chunk::finish(choice).and_then(|_| edit::remove(choice, &["finish_reason"]))
                });
            }
        }
    }
}

/// Adds a chunk after the last finish. Usage that comes there anyway is enough.
pub(super) fn chunk_after(response: &mut Response, context: &Context<'_>, what: After) {
    const LATE: &str = "\" (late)\"";
    let order = chunk::order(response, context);
    let Some(last) = response.pieces.iter().rposition(|piece| piece.kind == EventKind::Finish) else {
        return;
    };
    let (kind, said) = match what {
        After::Usage => {
            let after = &response.pieces[last + 1..];
            if !after.iter().any(|piece| piece.kind == EventKind::Usage)
                && let Some(usage) = envelope::usage_chunk(response, order)
            {
                response.insert(last + 1, EventKind::Usage, usage);
            }
            return;
        }
        After::Text => (EventKind::Content, Some(LATE)),
        After::Empty => (EventKind::Other, None),
    };
    // A chunk with text is the pattern of another; where there was none, that of the finish.
    let texts = |piece: &&_| chunk::choices(piece).iter().any(|choice| chunk::text_key(choice).is_some());
    let pattern = said.and_then(|_| response.pieces[..last].iter().rfind(texts));
    let mut piece = pattern.unwrap_or(&response.pieces[last]).clone();
    let changed = chunk::edit_choices(&mut piece, |choice| {
        let delta = match said {
            Some(text) => edit::set(b"{}", "content", text, order, DELTA),
            None => Some(b"{}".to_vec()),
        };
        let said = edit::edit(choice, "delta", |_| delta)?;
        Some(edit::edit(&said, "finish_reason", |_| Some(b"null".to_vec())).unwrap_or(said))
    });
    if changed {
        response.insert(last + 1, kind, piece.bytes);
    }
}

/// Gives choices that finish another reason, as JSON; `reason` has one for the choice or none.
fn change(response: &mut Response, context: &Context<'_>, reason: impl Fn(u64) -> Option<String>) {
    let order = chunk::order(response, context);
    for piece in &mut response.pieces {
        chunk::edit_choices(piece, |choice| {
            chunk::finish(choice)?;
            chunk::set_finish(choice, &reason(chunk::index(choice))?, order)
        });
    }
}

fn calls_tools(said: &[u8]) -> bool {
    let calls = edit::get(said, "tool_calls").and_then(edit::items);
    calls.is_some_and(|calls| !calls.is_empty())
        || edit::get(said, "function_call").and_then(edit::members).is_some()
}
