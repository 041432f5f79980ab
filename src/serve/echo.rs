//! What `--unmatched echo` answers: the text of the last user message.

use crate::plan::reply::{Answer, Content, Prepared};
use crate::plan::wire::{Filters, Wire};
use crate::plan::{Pacing, Request};

/// A reply that says what was asked.
pub(crate) fn reply(request: &Request) -> Prepared {
    let answer = Answer {
        text: Some(request.user_text()),
        ..Answer::default()
    };
    Prepared {
        content: Content::Answer(answer),
        status: None,
        headers: Vec::new(),
        pacing: Pacing::default(),
        fault: None,
        filters: Filters::default(),
        wire: Wire::default(),
    }
}
