//! What replies say that is probably a mistake.

use std::time::Duration;

use crate::plan::json::Span;
use crate::plan::pacing::{Pacing, whole_micros};
use crate::plan::reply::{Answer, Chunking, Content, Prepared, Replay, Step, TokenLogprob};
use crate::plan::seed::Seed;
use crate::plan::tokens::{Vocabulary, pieces};
use crate::plan::transcript::Pace;

/// The lints of a reply that stands at the pointer `at`, each with its pointer.
pub(super) fn lints(reply: &Prepared, at: &str) -> Vec<(String, String)> {
    let mut lints = Vec::new();
    if !is_recorded(reply) {
        lints.extend(long_gaps(&reply.pacing, at));
        lints.extend(vain_burst(&reply.pacing, at));
    }
    match &reply.content {
        Content::Script(steps) => lints.extend(long_waits(steps, at)),
        Content::Answer(answer) if reply.templates.is_none() => {
            let at = format!("{at}/answer");
            let marked = |choice, at: &str| match answer.template {
                Some(_) => None,
                None => marks(choice, at),
            };
            lints.extend(logprobs(answer, &at).into_iter().chain(marked(answer, &at)));
            for (index, choice) in answer.choices.iter().flatten().enumerate() {
                let at = format!("{at}/choices/{index}");
                lints.extend(logprobs(choice, &at).into_iter().chain(marked(choice, &at)));
            }
        }
        Content::Transcript(replay) => lints.extend(long_recorded_gap(replay, &reply.pacing, at)),
        Content::Answer(_) | Content::Error(_) => {}
    }
    lints
}

/// Pacing may stand at the reply or at the file's defaults: the lint is the reply's.
fn long_gaps(pacing: &Pacing, at: &str) -> Vec<(String, String)> {
    let tps = pacing.tps.and_then(|tps| Duration::try_from_secs_f64(1.0 / tps).ok());
    let gaps = [
        ("head", pacing.head.map(|span| span.0)),
        ("ttft", pacing.ttft.map(|span| span.0)),
        ("itl", pacing.itl.map(|span| span.0)),
        ("tps", tps),
    ];
    let long = |(key, gap): (&str, Option<Duration>)| {
        let gap = gap.filter(|gap| *gap > MAX_HOLD)?;
        Some((at.to_owned(), format!("`{key}` asks for a wait of {gap:?}: {CUT}")))
    };
    gaps.into_iter().filter_map(long).collect()
}

/// Whether pacing of files and replies has nothing to say, since recorded times are used.
fn is_recorded(reply: &Prepared) -> bool {
    let Content::Transcript(replay) = &reply.content else { return false };
    let pace = replay.pace(Pacing::default(), &reply.pacing, Seed::new(0));
    matches!(pace, Pace::Recorded { .. })
}

fn long_recorded_gap(replay: &Replay, pacing: &Pacing, at: &str) -> Option<(String, String)> {
    let Pace::Recorded { scale, head: _ } = replay.pace(Pacing::default(), pacing, Seed::new(0)) else {
        return None;
    };
    let gap = whole_micros(replay.recording.longest_gap().as_secs_f64() * scale);
    let message = || format!("the transcript has a gap of {gap:?}: {CUT}");
    (gap > MAX_HOLD).then(|| (format!("{at}/transcript"), message()))
}

fn vain_burst(pacing: &Pacing, at: &str) -> Option<(String, String)> {
    let Pacing { burst: Some(2..), itl: None, tps: None, jitter: None, .. } = pacing else {
        return None;
    };
    Some((at.to_owned(), "`burst` without `itl` or `tps`: everything goes out at once anyway".to_owned()))
}

/// A template that is not told to be one.
fn marks(answer: &Answer, at: &str) -> Option<(String, String)> {
    let text = answer.text.as_deref().filter(|text| text.contains("{{") && text.contains("}}"));
    let message = "it has {{ and }}, and is sent as it is: say \"template\": true, if it is a template";
    text.map(|_| (format!("{at}/text"), message.to_owned()))
}

fn long_waits(steps: &[Step], at: &str) -> impl Iterator<Item = (String, String)> {
    steps.iter().enumerate().filter_map(move |(index, step)| match step {
        Step::Wait(Span(wait)) if *wait > MAX_HOLD => {
            Some((format!("{at}/script/{index}/wait"), format!("a wait of {wait:?}: {CUT}")))
        }
        _ => None,
    })
}

/// Log probabilities that are not those of the text's pieces. Pieces that depend on the model, and
/// tokens whose bytes are given because they are no text of their own, are not looked at.
fn logprobs(answer: &Answer, at: &str) -> Option<(String, String)> {
    let given = answer.logprobs.as_ref()?;
    let text = answer.text.as_deref().or(answer.refusal.as_deref()).unwrap_or_default();
    let at = format!("{at}/logprobs");
    let chunking = answer.chunking.clone().unwrap_or_default();
    if chunking != Chunking::Token {
        let expected = pieces(text, &chunking, Vocabulary::O200k).len();
        if given.len() != expected {
            let got = given.len();
            let message = format!("the text is sent in {expected} pieces, `logprobs` has {got}");
            return Some((at, message));
        }
    }
    let tokens: String = given.iter().map(|TokenLogprob { token, .. }| token.as_str()).collect();
    let whole = given.iter().all(|logprob| logprob.bytes.is_none());
    (whole && tokens != text).then(|| (at, "their tokens do not join to the text".to_owned()))
}

const CUT: &str = "servers cut it at 60s, unless --max-hold allows more";

/// The longest hold of a server that is not told otherwise.
const MAX_HOLD: Duration = Duration::from_secs(60);
