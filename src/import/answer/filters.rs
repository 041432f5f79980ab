//! What Azure's filter was heard to say: as verdicts, and as it is on the wire.

use serde_json::{Map, Value, json};

use super::heard::Heard;

/// The ways to say what the filter said, the simplest first.
pub(super) fn of(heard: &Heard) -> Vec<Value> {
    let mode = match () {
        () if !heard.annotations.is_empty() => "asynchronous",
        () if heard.prompt_results.is_none()
            && heard.results.iter().all(|(results, _)| results.is_none()) =>
        {
            return vec![json!({ "mode": "off" })];
        }
        () => "default",
    };
    let mut plain = Map::from_iter([("mode".to_owned(), json!(mode))]);
    let mut exact = plain.clone();
    let on_prompt =
        heard.prompt_results.as_ref().and_then(|list| list.first()?.get("content_filter_results"));
    if let Some(verdicts) = on_prompt.and_then(verdicts).filter(|verdicts| !is_filtered(verdicts)) {
        plain.insert("prompt".to_owned(), Value::Object(verdicts));
    }
    let on_completion = heard.annotations.iter().map(|(_, choice)| choice.get("content_filter_results"));
    let on_completion = on_completion.chain(heard.results.iter().map(|(results, _)| results.as_ref()));
    let mut found = Map::new();
    on_completion.flatten().filter_map(verdicts).for_each(|verdicts| found.extend(verdicts));
    if is_filtered(&found) {
        plain.insert("completion".to_owned(), Value::Object(found));
    }
    if let Some(results) = &heard.prompt_results {
        exact.insert("prompt_results".to_owned(), json!(results));
    }
    let usual = usual(heard);
    if let Some(usual) = &usual {
        exact.insert("results".to_owned(), usual.clone());
    }
    let chunks = chunks(heard, usual.as_ref(), mode == "asynchronous");
    if !chunks.is_empty() {
        exact.insert("chunks".to_owned(), json!(chunks));
    }
    if !heard.annotations.is_empty() {
        exact.insert("annotations".to_owned(), annotations(heard));
    }
    vec![Value::Object(plain), Value::Object(exact)]
}

/// What is said of most pieces of text.
fn usual(heard: &Heard) -> Option<Value> {
    let mut counts: Vec<(&Value, usize)> = Vec::new();
    for (results, speaks) in &heard.results {
        let Some(results) = results.as_ref().filter(|results| *speaks && results.is_object()) else {
            continue;
        };
        match counts.iter_mut().find(|(known, _)| *known == results) {
            Some((_, count)) => *count += 1,
            None => counts.push((results, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(results, _)| results.clone())
}

/// The chunks of which something else is said than of others of their kind.
fn chunks(heard: &Heard, usual: Option<&Value>, is_asynchronous: bool) -> Vec<Value> {
    let empty = json!({});
    let last = heard.results.len().saturating_sub(1);
    let mut chunks = Vec::new();
    for (number, (results, speaks)) in heard.results.iter().enumerate() {
        let by_rule = match speaks {
            _ if is_asynchronous => None,
            true => usual,
            false => Some(&empty),
        };
        if results.as_ref() != by_rule {
            // Counted from the end, so that the text can be edited.
            let number = if heard.is_stream && number == last { json!(-1) } else { json!(number) };
            chunks.push(json!({ "chunk": number, "results": results }));
        }
    }
    chunks
}

fn annotations(heard: &Heard) -> Value {
    let annotation = |(after, choice): &(usize, Value)| {
        let mut annotation = Map::new();
        let mut set = |key: &str, value: Value| annotation.insert(key.to_owned(), value);
        if *after < heard.order.len() {
            set("after", json!(after));
        }
        if let Some(index) = choice.get("index").filter(|index| **index != json!(0)) {
            set("choice", index.clone());
        }
        set("offsets", choice.get("content_filter_offsets").cloned().unwrap_or_default());
        set("results", choice.get("content_filter_results").cloned().unwrap_or_default());
        if let Some(finish) = choice.get("finish_reason").filter(|finish| finish.is_string()) {
            set("finish_reason", finish.clone());
        }
        Value::Object(annotation)
    };
    heard.annotations.iter().map(annotation).collect()
}

/// The verdicts that say more than "safe".
fn verdicts(results: &Value) -> Option<Map<String, Value>> {
    let mut verdicts = Map::new();
    for (name, verdict) in results.as_object()? {
        let is = |flag: &str| verdict.get(flag) == Some(&Value::Bool(true));
        let found = match name.as_str() {
            "hate" | "self_harm" | "sexual" | "violence" => verdict.get("severity").cloned(),
            "jailbreak" | "protected_material_code" | "protected_material_text" => match () {
                () if is("filtered") => Some(json!("filtered")),
                () if is("detected") => Some(json!("detected")),
                () => None,
            },
            "custom_blocklists" => {
                let lists = verdict.as_array().filter(|lists| !lists.is_empty());
                lists.map(|lists| lists.iter().filter_map(|list| list.get("id").cloned()).collect())
            }
            _ => None,
        };
        verdicts.extend(found.filter(|found| *found != json!("safe")).map(|found| (name.clone(), found)));
    }
    Some(verdicts)
}

/// Whether verdicts of a fixture block the prompt or end the completion.
fn is_filtered(verdicts: &Map<String, Value>) -> bool {
    verdicts.contains_key("custom_blocklists")
        || verdicts.values().any(|found| ["medium", "high", "filtered"].iter().any(|bad| found == bad))
}
