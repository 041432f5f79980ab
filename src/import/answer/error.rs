//! A recorded error as a fixture's: as little of it as gives the body again.

use serde_json::{Map, Value, json};

use super::search::Search;
use super::{Regenerated, asked, pace, unsaid};
use crate::plan::transcript::Transcript;

/// The `error` that says a recorded error again.
pub(super) fn reply(transcript: &Transcript, body: &[u8]) -> Result<Regenerated, String> {
    let response = &transcript.response;
    let request = asked::typed(&asked::of_error(transcript)).map_err(|reason| unsaid(&reason))?;
    let search = Search { request: &request, recorded: body };
    let mut best = None;
    for mut error in candidates(response.status, body) {
        if let Some(wait) = response.header("retry-after") {
            error.insert("retry_after".to_owned(), json!(wait));
        }
        let mut reply = json!({ "error": error });
        let Ok(difference) = search.difference(&reply) else {
            continue;
        };
        let is_same = difference.is_none();
        if let Some(pacing) = pace::of(response) {
            reply["pacing"] = pacing;
        }
        best = Some(Regenerated { reply, difference });
        if is_same {
            break;
        }
    }
    best.ok_or_else(|| unsaid("its request is none that fixtures answer"))
}

/// What may be enough: the status alone, its code, all fields, the body itself.
fn candidates(status: u16, body: &[u8]) -> Vec<Map<String, Value>> {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let fields = json.get("error").and_then(Value::as_object);
    let with = |keys: &[&str]| {
        let mut error = Map::from_iter([("status".to_owned(), json!(status))]);
        for key in keys {
            let given = fields.and_then(|fields| fields.get(*key));
            error.extend(
                given.filter(|given| !given.is_null()).map(|given| ((*key).to_owned(), given.clone())),
            );
        }
        error
    };
    let mut body_itself = with(&[]);
    body_itself.insert("body".to_owned(), json!(String::from_utf8_lossy(body)));
    let mut candidates = vec![with(&[])];
    if fields.is_some() {
        candidates.extend([with(&["code"]), with(&["code", "message"])]);
        candidates.push(with(&["code", "type", "message", "param"]));
    }
    candidates.push(body_itself);
    candidates
}
