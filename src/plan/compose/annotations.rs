//! What Azure's asynchronous filter says: verdicts in chunks of their own, between and after the text.

use std::borrow::Cow;

use super::Setting;
use crate::plan::dialect::azure::stream::given_annotation;
use crate::plan::reply::Offsets;
use crate::plan::said::{Filter, Said};
use crate::plan::spoken::Choice;
use crate::plan::wire::{Annotation, Filters};

/// Adds the annotations that the asynchronous filter sends while tokens still come.
pub(super) fn annotate<'a>(said: Vec<Said<'a>>, setting: &Setting<'a>) -> Vec<Said<'a>> {
    const WINDOW: usize = 40;
    let mut out = Vec::with_capacity(said.len() + 4);
    let mut texts = 0;
    let mut seen = 0;
    for event in said {
        let text = match &event {
            Said::Text { choice: 0, text, .. } => Some(text.chars().count()),
            _ => None,
        };
        out.push(event);
        if let Some(count) = text {
            texts += 1;
            seen += count;
            if texts % WINDOW == 0 {
                let clean = Cow::Owned(Default::default());
                out.push(Said::Annotation {
                    choice: 0,
                    verdicts: clean,
                    filter: Filter::Blocklists,
                    offsets: offsets(setting, seen),
                    finish: None,
                });
            }
        }
    }
    out
}

/// Puts the annotations that a fixture gives where it says.
pub(super) fn place<'a>(chunks: Vec<Said<'a>>, annotations: &[Annotation]) -> Vec<Said<'a>> {
    let count = chunks.len();
    let mut out = Vec::with_capacity(count + annotations.len());
    let due = |out: &mut Vec<Said<'a>>, sent: usize| {
        let here =
            annotations.iter().filter(|annotation| annotation.after.unwrap_or(count).min(count) == sent);
        out.extend(here.map(|annotation| Said::Chunk(Cow::Owned(given_annotation(annotation)))));
    };
    for (sent, chunk) in chunks.into_iter().enumerate() {
        due(&mut out, sent);
        out.push(chunk);
    }
    due(&mut out, count);
    out
}

/// Whether one of the annotations ends a choice.
pub(super) fn cuts(annotations: &[Annotation], choice: usize) -> bool {
    annotations.iter().any(|annotation| annotation.choice == choice && annotation.finish_reason.is_some())
}

/// The annotations that follow the finish: one for each filter, over the whole text.
pub(super) fn verdicts<'a>(
    choice: usize,
    spoken: &'a Choice,
    setting: &Setting<'a>,
) -> impl Iterator<Item = Said<'a>> {
    let offsets = offsets(setting, spoken.text.iter().map(|text| text.chars().count()).sum());
    let verdicts = &setting.filters.completion;
    FILTERS.into_iter().map(move |filter| Said::Annotation {
        choice,
        verdicts: Cow::Borrowed(verdicts),
        filter,
        offsets,
        finish: None,
    })
}

/// The annotation with which the asynchronous filter ends a stream.
pub(super) fn hit<'a>(choice: usize, spoken: &'a Choice, setting: &Setting<'a>) -> Option<Said<'a>> {
    let Filters { completion, after, .. } = setting.filters;
    let filter = FILTERS.into_iter().find(|filter| completion.filtered_by(*filter)).unwrap_or(Filter::Named);
    let sent = spoken.text.iter().take((*after)?).map(|text| text.chars().count()).sum();
    let offsets = offsets(setting, sent);
    Some(Said::Annotation {
        choice,
        verdicts: Cow::Borrowed(completion),
        filter,
        offsets,
        finish: Some("content_filter"),
    })
}

const FILTERS: [Filter; 4] = [Filter::Code, Filter::Blocklists, Filter::Text, Filter::Categories];

/// Offsets count from the start of the prompt, in characters; the checked part starts where it ends.
fn offsets(setting: &Setting<'_>, seen: usize) -> Offsets {
    let request = setting.request;
    let prompt = (request.system_text().chars().count() + request.user_text().chars().count()) as u64;
    Offsets { check_offset: prompt, start_offset: prompt, end_offset: prompt + seen as u64 }
}
