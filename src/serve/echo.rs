//! What `--unmatched echo` answers: the text of the last user message, the first 64 KiB of it.

use crate::plan::Request;
use crate::plan::reply::{Answer, Content, Prepared};

/// A reply that says what was asked.
pub(crate) fn reply(request: &Request) -> Prepared {
    let mut text = request.user_text();
    let end = (0..=MOST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    Prepared::new(Content::Answer(Answer { text: Some(text), ..Answer::default() }))
}

/// How many bytes are said at most: a request of 10 MiB must not make an answer of many times that.
const MOST: usize = 64 * 1024;
