//! Azure OpenAI's chunks: OpenAI's with the keys sorted, the content filter's verdicts, and a first
//! chunk about the prompt.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rand::RngExt;
use serde_json::{Map, Value, json};

use super::super::chunk::{self, Frame, Hiding, Order, characters, nullable, quoted};
use super::super::shape::{Details, Shape};
use super::filter;
use crate::plan::reply::Offsets;
use crate::plan::said::{Counts, Said};
use crate::plan::sse::Draft;
use crate::plan::wire::{Annotation, FilterMode, Filters, Profile, Verdicts};

/// Writes a stream.
pub(super) fn stream(said: &[Said<'_>], shape: &Shape, filters: &Filters) -> Draft {
    let mut writer = Writer::new(shape, filters);
    let mut draft = Draft::with_capacity(said.len(), writer.frame.weight() + writer.safe.0.len());
    let chunks = said.iter().filter(|event| chunk::choice_of(event).is_some()).count();
    let special = filters.special(chunks);
    writer.special =
        special.map(|(number, results)| (number, results.map(|json| measured(text(json))))).collect();
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

/// A first chunk whose verdicts the fixture gives as they are.
pub(crate) fn given_preamble(profile: Profile, results: &[Value]) -> Value {
    match order(profile) {
        Order::Hand => json!({
            "id": "", "object": "", "created": 0, "model": "", "prompt_annotations": results, "choices": [],
            "usage": null,
        }),
        Order::Sorted => json!({
            "choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": results,
        }),
    }
}

/// An annotation that the fixture gives as it is.
pub(crate) fn given_annotation(annotation: &Annotation) -> Value {
    let Annotation { after: _, choice, offsets, results, finish_reason } = annotation;
    let choice = json!({
        "content_filter_offsets": offsets, "content_filter_results": results, "finish_reason": finish_reason,
        "index": choice,
    });
    json!({ "choices": [choice], "created": 0, "id": "", "model": "", "object": "" })
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
    obfuscation: Hiding<'a>,
    /// The verdict on a harmless piece, and its length in characters.
    safe: (String, usize),
    /// The verdict on nothing.
    empty: (String, usize),
    /// The chunks with a verdict of their own: by number, `None` where they have none.
    special: BTreeMap<usize, Option<(String, usize)>>,
    /// How many chunks with a choice were written.
    written: usize,
}

impl<'a> Writer<'a> {
    fn new(shape: &'a Shape, filters: &Filters) -> Self {
        let order = order(shape.profile);
        let safe = match &filters.results {
            Some(results) => text(results),
            None => filter::completion(shape, &Verdicts::default()),
        };
        Self {
            shape,
            mode: filters.mode,
            order,
            frame: frame(shape, order, None),
            obfuscation: Hiding::new(shape),
            safe: measured(safe),
            empty: measured("{}".to_owned()),
            special: BTreeMap::new(),
            written: 0,
        }
    }

    /// Writes an event that is a chunk with a choice.
    fn choice(&mut self, draft: &mut Draft, index: usize, said: &Said<'_>) {
        let Self { shape, mode, order, frame, obfuscation, safe, empty, special, written } = self;
        let filtered;
        let special = special.get(written);
        *written += 1;
        let results = match said {
            _ if let Some(results) = special => results.as_ref(),
            _ if !shape.filtered || *mode != FilterMode::Default => None,
            Said::Text { text, .. } | Said::Refusal { text, .. } if !text.is_empty() => Some(&*safe),
            Said::Filtered { verdicts, .. } => {
                filtered = measured(filter::completion(shape, verdicts));
                Some(&filtered)
            }
            _ => Some(&*empty),
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

/// Some JSON, and its length in characters.
fn measured(json: String) -> (String, usize) {
    let length = characters(json.as_bytes());
    (json, length)
}

/// An object as it is on the wire.
pub(super) fn text(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).expect("an object of JSON is JSON")
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
        let head = format!(
            "{{\"id\":{id},{object},\"created\":{created},\"model\":{model}{fingerprint},\"choices\":["
        );
        let mid = format!("]{usage}");
        return Frame::new(head.into_bytes(), mid.into_bytes(), b"}".to_vec(), shape.ascii);
    }
    // Since September 2026 the usage chunk says how long what took, and where.
    let telemetry = counts.is_some() && shape.details == Details::CacheWrite;
    let given = |key: &str, given: &Option<Option<Value>>, by_rule: fn(&Shape) -> String| match given {
        Some(Some(object)) if counts.is_some() => format!(",\"{key}\":{object}"),
        None if telemetry => by_rule(shape),
        _ => String::new(),
    };
    let latency = given("latency_checkpoint", &shape.latency_checkpoint, latency_checkpoint);
    let routing = given("routing", &shape.routing, routing);
    let tier =
        shape.tier.as_deref().map(|tier| format!(",\"service_tier\":{}", quoted(tier))).unwrap_or_default();
    let head = b"{\"choices\":[".to_vec();
    let mid = format!("],\"created\":{created},\"id\":{id}{latency},\"model\":{model}");
    let tail = format!(",{object}{routing}{tier}{fingerprint}{usage}}}");
    Frame::new(head, mid.into_bytes(), tail.into_bytes(), shape.ascii)
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
        out.extend_from_slice(b",\"index\":");
        chunk::whole_number(out, self.index);
        chunk::logprobs_field(out, Order::Sorted, self.shape, self.said);
        out.push(b'}');
        added
    }

    /// Writes the choice as it was in 2023, before there was anything to hide.
    fn by_hand(&self, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"{\"index\":");
        chunk::whole_number(out, self.index);
        out.extend_from_slice(b",\"finish_reason\":");
        chunk::finish_reason(out, self.said);
        out.extend_from_slice(b",\"delta\":");
        chunk::delta(out, Order::Hand, self.shape, self.said);
        if let Some((results, _)) = self.results {
            out.extend_from_slice(b",\"content_filter_results\":");
            out.extend_from_slice(results.as_bytes());
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
