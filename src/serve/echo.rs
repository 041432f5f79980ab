//! What `--unmatched echo` answers: the text of the last user message.

use crate::plan::Request;
use crate::plan::reply::{Answer, Content, Prepared};

/// A reply that says what was asked.
pub(crate) fn reply(request: &Request) -> Prepared {
    let text = Some(request.user_text());
    Prepared::new(Content::Answer(Answer { text, ..Answer::default() }))
}
