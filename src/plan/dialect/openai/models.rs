//! The bodies of the models API.

use bytes::Bytes;
use serde::Serialize;

use super::super::Facts;
use super::super::layout::Layout;
use super::super::names::snapshot;
use crate::plan::request::Endpoint;

/// The list of models, or the one asked for. (C list; one model T)
pub(in super::super) fn body(names: &[&str], facts: &Facts<'_>) -> Bytes {
    match &facts.call.route.endpoint {
        Endpoint::Model(id) => Layout::Backend.print(&Model::new(id)),
        Endpoint::ChatCompletions | Endpoint::Models | Endpoint::Other => {
            let data: Vec<Model<'_>> = names.iter().map(|name| Model::new(name)).collect();
            Layout::Backend.print(&List { object: "list", data })
        }
    }
}

#[derive(Debug, Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Debug, Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

impl<'a> Model<'a> {
    /// A model; created on the date in its snapshot's name, else with the first chat model.
    fn new(id: &'a str) -> Self {
        let created = created(&snapshot(id)).unwrap_or(1_677_610_602);
        Self { id, object: "model", created, owned_by: "system" }
    }
}

/// Midnight of the date at the end of a snapshot's name.
fn created(snapshot: &str) -> Option<i64> {
    let date = snapshot.get(snapshot.len().checked_sub(10)?..)?;
    let date: jiff::civil::Date = date.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_as_old_as_its_snapshot() {
        for (name, seconds) in [
            ("gpt-4o-mini-2024-07-18", Some(1_721_260_800)),
            ("gpt-4", None),
            ("2024-07-18", Some(1_721_260_800)),
            ("x-2024-13-18", None),
            ("", None),
            ("月月月月月月", None),
        ] {
            assert_eq!(created(name), seconds, "{name}");
        }
    }
}
