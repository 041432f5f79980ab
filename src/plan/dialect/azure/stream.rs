//! Azure OpenAI's chunks: OpenAI's with the keys sorted, the content filter's verdicts, and a first
//! chunk about the prompt.

use std::fmt::Write as _;

use rand::RngExt;

use super::super::chunk::{self, Frame, Obfuscation, Order, characters, nullable, quoted};
use super::super::shape::{Details, Shape};
use super::filter;
use crate::plan::reply::Offsets;
use crate::plan::said::{Counts, Said};
use crate::plan::sse::Draft;
use crate::plan::wire::{FilterMode, Profile, Verdicts};

/// Writes a stream.
pub(super) fn stream(said: &[Said<'_>], shape: &Shape, mode: FilterMode) -> Draft {
    let mut draft = Draft::default();
    let mut writer = Writer::new(shape, mode);
    for event in said {
        match event {
            Said::Usage(counts) => writer.usage(&mut draft, event, counts),
            Said::Preamble(_) | Said::Annotation { .. } => borrowed(&mut draft, event, shape),
            _ => match chunk::choice_of(event) {
                Some(index) => writer.choice(&mut draft, index, event),
                None => chunk::verbatim(&mut draft, event),
            },
        }
    }
    // In July 2023 the last line feed was missing.
    if writer.order == Order::Hand && draft.body.ends_with(b"data: [DONE]\n\n") {
        draft.trim_line_feed();
    }
    draft
}

/// Writes a chunk about the filter alone, which has no envelope of its own.
pub(crate) fn borrowed(draft: &mut Draft, said: &Said<'_>, shape: &Shape) {
    let chunk = match said {
        Said::Preamble(verdicts) => preamble(shape, verdicts),
        Said::Annotation { choice, verdicts, filter, offsets, finish } => {
            let Offsets { check_offset, start_offset, end_offset } = offsets;
            format!(
                "{{\"choices\":[{{\"content_filter_offsets\":{{\"check_offset\":{check_offset},\"start_offset\":{start_offset},\
                 \"end_offset\":{end_offset}}},\"content_filter_results\":{},\"finish_reason\":{},\"index\":{choice}}}],\
                 \"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\"}}",
                filter::annotation(shape, verdicts, *filter),
                nullable(*finish),
            )
        }
        _ => return,
    };
    draft.data(said.kind(), |out| out.extend_from_slice(chunk.as_bytes()));
}

/// The first chunk: the verdicts on the prompt.
fn preamble(shape: &Shape, verdicts: &Verdicts) -> String {
    let results = filter::prompt_list(shape, verdicts);
    let blank = "\"id\":\"\",\"object\":\"\",\"created\":0,\"model\":\"\"";
    match order(shape.profile) {
        Order::Hand => {
            format!("{{{blank},\"prompt_annotations\":{results},\"choices\":[],\"usage\":null}}")
        }
        Order::Sorted => format!(
            "{{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":{results}}}"
        ),
    }
}

/// Writes the chunks of one stream.
#[derive(Debug)]
struct Writer<'a> {
    shape: &'a Shape,
    mode: FilterMode,
    order: Order,
    frame: Frame,
    obfuscation: Obfuscation,
    /// The verdict on a harmless piece, and its length in characters.
    safe: (String, usize),
}

impl<'a> Writer<'a> {
    fn new(shape: &'a Shape, mode: FilterMode) -> Self {
        let order = order(shape.profile);
        let safe = filter::completion(shape, &Verdicts::default());
        Self {
            shape,
            mode,
            order,
            frame: frame(shape, order, None),
            obfuscation: Obfuscation(shape.obfuscation.then(|| shape.seed.stream("obfuscation"))),
            safe: (safe.clone(), characters(safe.as_bytes())),
        }
    }

    /// Writes an event that is a chunk with a choice.
    fn choice(&mut self, draft: &mut Draft, index: usize, said: &Said<'_>) {
        let Self { shape, mode, order, frame, obfuscation, safe } = self;
        let empty = ("{}".to_owned(), 2);
        let filtered;
        let results = match said {
            _ if !shape.filtered || *mode != FilterMode::Default => None,
            Said::Text { text, .. } | Said::Refusal { text, .. } if !text.is_empty() => Some(&*safe),
            Said::Filtered { verdicts, .. } => {
                let results = filter::completion(shape, verdicts);
                let length = characters(results.as_bytes());
                filtered = (results, length);
                Some(&filtered)
            }
            _ => Some(&empty),
        };
        let choice = Choice { shape, index, said, results };
        draft.data(said.kind(), |out| {
            frame.write(out, obfuscation, |out| match order {
                Order::Sorted => choice.sorted(out),
                Order::Hand => choice.by_hand(out),
            });
        });
    }

    /// Writes the usage chunk.
    fn usage(&mut self, draft: &mut Draft, said: &Said<'_>, counts: &Counts) {
        let frame = frame(self.shape, self.order, Some(counts));
        draft.data(said.kind(), |out| {
            frame.write(out, &mut self.obfuscation, |_| 0);
        });
    }
}

/// Keys are sorted since March 2024 at the latest; a reply of February still had OpenAI's order.
pub(crate) fn order(profile: Profile) -> Order {
    if profile < Profile::new(2024, 3, 1) { Order::Hand } else { Order::Sorted }
}

/// What surrounds the choice; with counts, of the usage chunk.
fn frame(shape: &Shape, order: Order, counts: Option<&Counts>) -> Frame {
    let usage = match counts {
        Some(counts) => format!(",\"usage\":{}", chunk::usage(order, shape.details, counts)),
        None if shape.usage || order == Order::Hand => ",\"usage\":null".to_owned(),
        None => String::new(),
    };
    let (id, model, created) = (quoted(&shape.id), quoted(&shape.model), shape.created);
    let object = "\"object\":\"chat.completion.chunk\"";
    let mut fingerprint = String::new();
    if let Some(value) = &shape.fingerprint {
        fingerprint = format!(",\"system_fingerprint\":{}", nullable(value.as_deref()));
    }
    if order == Order::Hand {
        return Frame {
            head: format!(
                "{{\"id\":{id},{object},\"created\":{created},\"model\":{model}{fingerprint},\"choices\":["
            )
            .into_bytes(),
            mid: format!("]{usage}").into_bytes(),
            tail: b"}".to_vec(),
            ascii: shape.ascii,
        };
    }
    // Since September 2026 the usage chunk says how long what took, and where.
    let telemetry = counts.is_some() && shape.details == Details::CacheWrite;
    let (latency, routing) =
        if telemetry { (latency_checkpoint(shape), routing(shape)) } else { Default::default() };
    let tier =
        shape.tier.as_deref().map(|tier| format!(",\"service_tier\":{}", quoted(tier))).unwrap_or_default();
    Frame {
        head: b"{\"choices\":[".to_vec(),
        mid: format!("],\"created\":{created},\"id\":{id}{latency},\"model\":{model}").into_bytes(),
        tail: format!(",{object}{routing}{tier}{fingerprint}{usage}}}").into_bytes(),
        ascii: shape.ascii,
    }
}

/// A choice of a chunk, with Azure's verdict on it.
struct Choice<'a> {
    shape: &'a Shape,
    index: usize,
    said: &'a Said<'a>,
    /// The verdict, and its length in characters.
    results: Option<&'a (String, usize)>,
}

impl Choice<'_> {
    /// Writes the choice with its keys sorted. Returns how many characters Azure added to OpenAI's.
    fn sorted(&self, out: &mut Vec<u8>) -> usize {
        let mut added = 0;
        out.push(b'{');
        if let Some((results, length)) = self.results {
            const KEY: &str = "\"content_filter_results\":";
            out.extend_from_slice(KEY.as_bytes());
            out.extend_from_slice(results.as_bytes());
            out.push(b',');
            added = KEY.len() + length + 1;
        }
        out.extend_from_slice(b"\"delta\":");
        chunk::delta(out, Order::Sorted, self.shape, self.said);
        out.extend_from_slice(b",\"finish_reason\":");
        chunk::finish_reason(out, self.said);
        out.extend_from_slice(format!(",\"index\":{}", self.index).as_bytes());
        chunk::logprobs_field(out, Order::Sorted, self.shape, self.said);
        out.push(b'}');
        added
    }

    /// Writes the choice as it was in 2023, before there was anything to hide.
    fn by_hand(&self, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(format!("{{\"index\":{},\"finish_reason\":", self.index).as_bytes());
        chunk::finish_reason(out, self.said);
        out.extend_from_slice(b",\"delta\":");
        chunk::delta(out, Order::Hand, self.shape, self.said);
        if let Some((results, _)) = self.results {
            out.extend_from_slice(format!(",\"content_filter_results\":{results}").as_bytes());
        }
        out.push(b'}');
        0
    }
}

fn latency_checkpoint(shape: &Shape) -> String {
    let mut stream = shape.seed.stream("latency_checkpoint");
    let between_tokens = stream.random_range(4..9);
    let engine_first = stream.random_range(80..120);
    let before = stream.random_range(100..160);
    let service_first = stream.random_range(550..800);
    let generation = stream.random_range(500..1400);
    let mut out = String::from(",\"latency_checkpoint\":");
    let _ = write!(
        out,
        "{{\"engine_tbt_ms\":{between_tokens},\"engine_ttft_ms\":{engine_first},\"engine_ttlt_ms\":{},\"pre_inference_ms\":{before},\
         \"service_tbt_ms\":{between_tokens},\"service_ttft_ms\":{service_first},\"service_ttlt_ms\":{},\"user_visible_ttft_ms\":{}}}",
        engine_first + generation,
        service_first + generation,
        service_first - before,
    );
    out
}

fn routing(shape: &Shape) -> String {
    let session = shape.seed.hex("routing", 8);
    format!(",\"routing\":{{\"serving_pipereplica\":\"d20260919024711-{session}-prefill-r0-dp0-prefill\"}}")
}
