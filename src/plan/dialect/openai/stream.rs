//! OpenAI's `chat.completion.chunk` events.

use super::super::azure;
use super::super::chunk::{self, Frame, Hiding, Order, nullable, quoted};
use super::super::shape::Shape;
use crate::plan::said::{Counts, Said};
use crate::plan::sse::Draft;
use crate::plan::wire::Profile;

/// Writes a stream.
pub(super) fn stream(said: &[Said<'_>], shape: &Shape) -> Draft {
    let mut writer = Writer::new(shape);
    let mut draft = Draft::with_capacity(said.len(), writer.frame.weight());
    let parallel = opens_parallel_calls(said);
    for event in said {
        match event {
            Said::Usage(counts) => writer.usage(&mut draft, event, counts),
            // What only Azure says looks the same here, if a script asks for it.
            Said::Preamble(_) | Said::Annotation { .. } => {
                azure::stream::borrowed(&mut draft, event, shape);
            }
            _ => match chunk::choice_of(event) {
                Some(index) => {
                    writer.choice(
                        &mut draft,
                        index,
                        parallel && !matches!(event, Said::Finish { .. }),
                        event,
                    );
                }
                None => chunk::verbatim(&mut draft, event),
            },
        }
    }
    draft
}

/// Whether the model called several tools at once.
fn opens_parallel_calls(said: &[Said<'_>]) -> bool {
    said.iter().any(|event| matches!(event, Said::Call { parallel: true, .. }))
}

/// Writes the chunks of one stream.
#[derive(Debug)]
struct Writer<'a> {
    shape: &'a Shape,
    frame: Frame,
    /// Streams with parallel tool calls have `usage` before `choices`, up to the finish.
    parallel: Frame,
    obfuscation: Hiding<'a>,
}

impl<'a> Writer<'a> {
    fn new(shape: &'a Shape) -> Self {
        let usage = if shape.usage { ",\"usage\":null" } else { "" };
        Self {
            shape,
            frame: frame(shape, "", usage),
            parallel: frame(shape, usage, ""),
            obfuscation: Hiding::new(shape),
        }
    }

    /// Writes an event that is a chunk with a choice.
    fn choice(&mut self, draft: &mut Draft, index: usize, parallel: bool, said: &Said<'_>) {
        let Self { shape, frame, parallel: before, obfuscation } = self;
        let frame = if parallel { before } else { frame };
        draft.data(said.kind(), |out| {
            frame.write(out, obfuscation, |out| {
                choice(out, shape, index, said);
                0
            });
        });
    }

    /// Writes the usage chunk.
    fn usage(&mut self, draft: &mut Draft, said: &Said<'_>, counts: &Counts) {
        let usage = chunk::usage(Order::Hand, self.shape.details, counts);
        let frame = frame(self.shape, "", &format!(",\"usage\":{usage}"));
        draft.data(said.kind(), |out| {
            frame.write(out, &mut self.obfuscation, |_| 0);
        });
    }
}

/// What surrounds a choice, with fields before and after `choices`.
fn frame(shape: &Shape, before: &str, after: &str) -> Frame {
    let head = format!("{}{before},\"choices\":[", envelope(shape));
    Frame::new(head.into_bytes(), format!("]{after}").into_bytes(), b"}".to_vec(), shape.ascii)
}

/// The fields before `choices` and `usage`, with the opening brace.
fn envelope(shape: &Shape) -> String {
    let mut head = format!(
        "{{\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{}",
        quoted(&shape.id),
        shape.created,
        quoted(&shape.model),
    );
    if let Some(tier) = &shape.tier {
        head += &format!(",\"service_tier\":{}", quoted(tier));
    }
    if let Some(fingerprint) = &shape.fingerprint {
        head += &format!(",\"system_fingerprint\":{}", nullable(fingerprint.as_deref()));
    }
    head
}

fn choice(out: &mut Vec<u8>, shape: &Shape, index: usize, said: &Said<'_>) {
    // The first snapshots (0301, 0314) had the index after the delta.
    let index_first = shape.profile >= Profile::new(2023, 6, 13);
    out.extend_from_slice(b"{");
    if index_first {
        out.extend_from_slice(b"\"index\":");
        chunk::whole_number(out, index);
        out.push(b',');
    }
    out.extend_from_slice(b"\"delta\":");
    chunk::delta(out, Order::Hand, shape, said);
    if !index_first {
        out.extend_from_slice(b",\"index\":");
        chunk::whole_number(out, index);
    }
    chunk::logprobs_field(out, Order::Hand, shape, said);
    out.extend_from_slice(b",\"finish_reason\":");
    chunk::finish_reason(out, said);
    out.push(b'}');
}
