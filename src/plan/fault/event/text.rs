//! Deltas that say their role or their text in an unusual way.
//!
//! `obfuscation` hides how long a token is; it is left as it was, though the text has another length then.

use std::collections::BTreeMap;

use super::chunk::{self, DELTA};
use super::{ContentForm, RoleForm, Separator, edit};
use crate::plan::fault::response::{Piece, Response};
use crate::plan::fault::{At, Context};
use crate::plan::timeline::EventKind;

/// Repeats each choice's role in all its deltas, or takes it out of them, or makes it empty.
pub(super) fn role(response: &mut Response, context: &Context<'_>, form: RoleForm) {
    let order = chunk::order(response, context);
    let mut roles: BTreeMap<u64, String> = BTreeMap::new();
    for piece in &mut response.pieces {
        chunk::edit_choices(piece, |choice| {
            let number = chunk::index(choice);
            chunk::edit_said(choice, |said| {
                let own = edit::get(said, "role");
                match form {
                    RoleForm::Missing => edit::remove(said, &["role"]),
                    RoleForm::Empty => own.and_then(|_| edit::set(said, "role", "\"\"", order, DELTA)),
                    RoleForm::Repeat => {
                        if let Some(own) = own {
                            roles.insert(number, String::from_utf8_lossy(own).into_owned());
                            return None;
                        }
                        edit::set(said, "role", roles.get(&number)?, order, DELTA)
                    }
                }
            })
        });
    }
}

/// Takes the content out of the delta at a place, or out of all of them.
pub(super) fn content(at: At, response: &mut Response, form: ContentForm) {
    let without = |piece: &mut Piece| {
        chunk::edit_choices(piece, |choice| {
            chunk::edit_said(choice, |said| match form {
                ContentForm::Null => edit::edit(said, "content", |_| Some(b"null".to_vec())),
                ContentForm::Absent => edit::remove(said, &["content"]),
                ContentForm::ReasoningOnly => edit::rename(said, "content", "reasoning_content"),
            })
        });
    };
    super::at_each(at, response, without);
}

/// Puts an emoji before the text at a place: its two halves, each escaped in an event of its own.
pub(super) fn split_surrogate(at: At, response: &mut Response) {
    let Some(index) = chunk::text_from(response, response.target(at)).filter(|_| response.is_stream()) else {
        return;
    };
    let halves = ["\"\\ud83d\"", "\"\\ude00\""].map(|half| {
        let mut piece = response.pieces[index].clone();
        chunk::edit_choices(&mut piece, |choice| {
            let key = chunk::text_key(choice)?;
            let said =
                chunk::edit_said(choice, |said| edit::edit(said, key, |_| Some(half.as_bytes().to_vec())))?;
            let unfinished = chunk::finish(&said).is_some().then(|| b"null".to_vec());
            Some(edit::edit(&said, "finish_reason", |_| unfinished).unwrap_or(said))
        });
        piece.bytes
    });
    for (offset, bytes) in halves.into_iter().enumerate() {
        response.insert(index + offset, EventKind::Content, bytes);
    }
}

/// Puts raw characters at the end of the text at a place that some readers take for the end of a line.
pub(super) fn separate(at: At, response: &mut Response, char: Separator) {
    let Some(index) = chunk::text_from(response, response.target(at)) else { return };
    let characters = match char {
        Separator::Line => "\u{2028}",
        Separator::Paragraph => "\u{2029}",
        Separator::NextLine => "\u{85}",
        Separator::All => "\u{2028}\u{2029}\u{85}",
    };
    chunk::edit_choices(&mut response.pieces[index], |choice| {
        let key = chunk::text_key(choice)?;
        chunk::edit_said(choice, |said| {
            edit::edit(said, key, |text| {
                let inside = edit::inside(text)?;
                Some([b"\"", inside, characters.as_bytes(), b"\""].concat())
            })
        })
    });
}
