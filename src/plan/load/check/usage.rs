//! Checks token counts.

use crate::plan::load::problems::{Problems, below};
use crate::plan::reply::{CompletionTokensDetails, PromptTokensDetails, Usage};

/// Checks token counts that stand at the pointer `at`.
pub(super) fn usage(usage: &Usage, at: &str, problems: &mut Problems) {
    let Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens,
        prompt_tokens_details,
        completion_tokens_details,
    } = *usage;
    for (key, count) in [
        ("prompt_tokens", prompt_tokens),
        ("completion_tokens", completion_tokens),
        ("total_tokens", total_tokens),
    ] {
        check(count.unwrap_or_default(), &below(at, key), problems);
    }
    let PromptTokensDetails { audio_tokens, cached_tokens, cache_write_tokens } = prompt_tokens_details;
    let prompt = below(at, "prompt_tokens_details");
    for (key, count) in [
        ("audio_tokens", audio_tokens),
        ("cached_tokens", cached_tokens),
        ("cache_write_tokens", cache_write_tokens),
    ] {
        check(count, &below(&prompt, key), problems);
    }
    let CompletionTokensDetails {
        reasoning_tokens,
        audio_tokens,
        accepted_prediction_tokens,
        rejected_prediction_tokens,
    } = completion_tokens_details;
    let completion = below(at, "completion_tokens_details");
    for (key, count) in [
        ("reasoning_tokens", reasoning_tokens.unwrap_or_default()),
        ("audio_tokens", audio_tokens),
        ("accepted_prediction_tokens", accepted_prediction_tokens),
        ("rejected_prediction_tokens", rejected_prediction_tokens),
    ] {
        check(count, &below(&completion, key), problems);
    }
}

fn check(count: u64, at: &str, problems: &mut Problems) {
    if count > MOST {
        problems.value(at, format!("a token count is at most 2^53, {MOST}, got {count}"));
    }
}

/// What every client reads exactly, and what sums of a few cannot overflow.
const MOST: u64 = 1 << 53;
