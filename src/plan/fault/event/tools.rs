//! Tool calls that end early, or that do not say which call they belong to.

use std::collections::BTreeMap;

use super::chunk::{self, CALL};
use super::{ArgsFinish, IdForm, IndexForm, NameForm, TypeForm, edit};
use crate::plan::dialect::chunk::Order;
use crate::plan::fault::Context;
use crate::plan::fault::response::{Piece, Response};

/// Ends the arguments of the first tool call, or function call, of the first choice after `keep` bytes,
/// default half, or before the character that does not fit. Later pieces of them go, and the finish is told.
pub(super) fn truncate_arguments(
    response: &mut Response,
    context: &Context<'_>,
    keep: Option<u64>,
    finish: ArgsFinish,
) {
    let order = chunk::order(response, context);
    let Some((function, call)) = response.pieces.iter().find_map(first_call) else { return };
    let lengths = response.pieces.iter().flat_map(|piece| arguments(piece, function, call));
    let total: usize = lengths.sum();
    let keep = keep.map_or(total / 2, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
    let mut cutter = Cutter { function, call, left: keep, over: keep >= total };
    if !cutter.over {
        response.pieces.retain_mut(|piece| cutter.keeps(piece));
    }
    let reason = match finish {
        ArgsFinish::Length => "\"length\"",
        ArgsFinish::ToolCalls if function => "\"function_call\"",
        ArgsFinish::ToolCalls => "\"tool_calls\"",
        ArgsFinish::None => "null",
    };
    let streams = response.is_stream();
    let is_end = |choice: &[u8]| chunk::index(choice) == 0 && chunk::finish(choice).is_some();
    if finish == ArgsFinish::None && streams {
        response.pieces.retain(|piece| !chunk::choices(piece).into_iter().any(is_end));
        return;
    }
    for piece in &mut response.pieces {
        chunk::edit_choices(piece, |choice| {
            if is_end(choice) { chunk::set_finish(choice, reason, order) } else { None }
        });
    }
}

/// Gives every tool call of the response this identity. An index that is not there stays so.
pub(super) fn misname(response: &mut Response, context: &Context<'_>, identity: Identity) {
    let order = chunk::order(response, context);
    // The id of each call, as its first delta has it.
    let mut ids: BTreeMap<(u64, u64), String> = BTreeMap::new();
    for piece in &mut response.pieces {
        chunk::edit_choices(piece, |choice| {
            let number = chunk::index(choice);
            chunk::edit_said(choice, |said| {
                edit::edit(said, "tool_calls", |calls| {
                    edit::edit_items(calls, |call| {
                        let key = (number, chunk::index(call));
                        if let Some(id) = edit::get(call, "id") {
                            ids.insert(key, String::from_utf8_lossy(id).into_owned());
                        }
                        identity.edit(call, ids.get(&key).map(String::as_str), order)
                    })
                })
            })
        });
    }
}

/// What is made of a tool call's index, id, type and name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) index: IndexForm,
    pub(super) id: IdForm,
    pub(super) kind: TypeForm,
    pub(super) name: NameForm,
}

impl Identity {
    fn edit(self, call: &[u8], id: Option<&str>, order: Order) -> Option<Vec<u8>> {
        let has = |key| edit::get(call, key).is_some();
        let set = |call: &[u8], key, value: &str| edit::set(call, key, value, order, CALL);
        let number = chunk::index(call);
        let Self { index, id: id_form, kind, name } = self;
        let steps: [Step<'_>; 4] = [
            &|call| match index {
                IndexForm::Missing => edit::remove(call, &["index"]),
                IndexForm::Zero if has("index") => set(call, "index", "0"),
                IndexForm::FromOne if has("index") => {
                    set(call, "index", &number.saturating_add(1).to_string())
                }
                IndexForm::Right | IndexForm::Zero | IndexForm::FromOne => None,
            },
            &|call| match id_form {
                IdForm::Missing => edit::remove(call, &["id"]),
                IdForm::Empty if has("id") => set(call, "id", "\"\""),
                IdForm::Repeated => set(call, "id", id?),
                IdForm::Right | IdForm::Empty => None,
            },
            &|call| match kind {
                TypeForm::Right => None,
                TypeForm::Missing => edit::remove(call, &["type"]),
            },
            &|call| match name {
                NameForm::Right => None,
                NameForm::Empty => edit::edit(call, "function", |function| {
                    edit::edit(function, "name", |_| Some(b"\"\"".to_vec()))
                }),
            },
        ];
        let mut edited = None;
        for step in steps {
            edited = step(edited.as_deref().unwrap_or(call)).or(edited);
        }
        edited
    }
}

type Step<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// The first call of the first choice in a piece: whether it is a function call, and its index.
fn first_call(piece: &Piece) -> Option<(bool, u64)> {
    let mut choices = chunk::choices(piece).into_iter().filter(|choice| chunk::index(choice) == 0);
    choices.find_map(|choice| {
        let said = chunk::said(choice)?;
        let calls = edit::get(said, "tool_calls").and_then(|calls| Some((calls, edit::items(calls)?)));
        if let Some((calls, items)) = calls {
            return items.first().map(|first| (false, chunk::index(&calls[first.clone()])));
        }
        edit::get(said, "function_call").and_then(edit::members).map(|_| (true, 0))
    })
}

/// How long each piece of the arguments of a call is that is in this event.
fn arguments(piece: &Piece, function: bool, call: u64) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut add = |function: &[u8]| {
        lengths.extend(edit::get(function, "arguments").and_then(edit::length));
    };
    for choice in chunk::choices(piece).into_iter().filter(|choice| chunk::index(choice) == 0) {
        let Some(said) = chunk::said(choice) else { continue };
        if function {
            edit::get(said, "function_call").into_iter().for_each(&mut add);
            continue;
        }
        let calls = edit::get(said, "tool_calls").unwrap_or_default();
        let items = edit::items(calls).unwrap_or_default().into_iter().map(|item| &calls[item]);
        // A message has no indexes: its first call is the one.
        let mut seen = 0;
        for item in items {
            if is_call(item, call, &mut seen) {
                edit::get(item, "function").into_iter().for_each(&mut add);
            }
        }
    }
    lengths
}

/// Whether a tool call of an array is the one with this index. Calls without an index are counted in `seen`.
fn is_call(item: &[u8], call: u64, seen: &mut u64) -> bool {
    if edit::get(item, "index").is_some() {
        return chunk::index(item) == call;
    }
    *seen += 1;
    *seen - 1 == call
}

/// Cuts the arguments of one call, event by event.
struct Cutter {
    function: bool,
    call: u64,
    /// How many bytes may still come.
    left: usize,
    /// Whether the cut has been made.
    over: bool,
}

impl Cutter {
    /// Edits an event; says whether it stays.
    fn keeps(&mut self, piece: &mut Piece) -> bool {
        let alone = is_alone(piece);
        let mut gone = false;
        chunk::edit_choices(piece, |choice| {
            if chunk::index(choice) != 0 {
                return None;
            }
            chunk::edit_said(choice, |said| {
                if self.function {
                    return edit::edit(said, "function_call", |call| self.cut(call, &mut gone));
                }
                let mut seen = 0;
                edit::edit(said, "tool_calls", |calls| {
                    edit::edit_items(calls, |item| {
                        let ours = is_call(item, self.call, &mut seen);
                        ours.then(|| edit::edit(item, "function", |call| self.cut(call, &mut gone)))?
                    })
                })
            })
        });
        !(gone && alone)
    }

    /// Cuts the arguments of a call's function. `gone`: there is nothing left that it says.
    fn cut(&mut self, function: &[u8], gone: &mut bool) -> Option<Vec<u8>> {
        let opens = edit::get(function, "name").is_some();
        edit::edit(function, "arguments", |arguments| {
            let length = edit::length(arguments)?;
            if !self.over && length <= self.left {
                self.left -= length;
                return None;
            }
            let left = if self.over { 0 } else { self.left };
            self.over = true;
            let cut = edit::cut(arguments, left)?;
            *gone = cut.len() == 2 && !opens;
            Some(cut)
        })
    }
}

/// Whether an event says one piece of one call, and nothing else.
fn is_alone(piece: &Piece) -> bool {
    let choices = chunk::choices(piece);
    let [choice] = choices.as_slice() else { return false };
    let Some(said) = edit::get(choice, "delta") else { return false };
    let one = edit::members(said).is_some_and(|members| members.len() == 1);
    let calls = edit::get(said, "tool_calls").and_then(edit::items);
    one && chunk::finish(choice).is_none() && calls.is_none_or(|calls| calls.len() == 1)
}
