//! Which fixtures a request may match, found by what they fix: a thousand are searched as fast as ten.

use crate::plan::matcher::{Conditions, Fixed, View};

/// Fixtures by the values that their conditions fix. Of those that fix nothing, all may match.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    groups: Vec<Group>,
    /// The fixtures that serve one path, by its text.
    paths: Vec<(String, usize)>,
    /// The fixtures that serve paths of a pattern.
    patterns: Vec<usize>,
}

/// The fixtures that fix the same values.
#[derive(Clone, Debug)]
struct Group {
    fixed: Vec<Fixed>,
    /// The print of the values, and the fixture's place in the set; sorted.
    members: Vec<(u64, usize)>,
}

impl Index {
    /// The index of the conditions of fixtures, in order.
    pub(super) fn of<'a>(all: impl Iterator<Item = &'a Conditions>) -> Self {
        let mut index = Self::default();
        for (at, conditions) in all.enumerate() {
            let (fixed, print) = conditions.fixed();
            match index.groups.iter_mut().find(|group| group.fixed == fixed) {
                Some(group) => group.members.push((print, at)),
                None => index.groups.push(Group { fixed, members: vec![(print, at)] }),
            }
            match conditions.path() {
                Some(path) => index.paths.push((path.to_owned(), at)),
                None if conditions.serve_a_path() => index.patterns.push(at),
                None => {}
            }
        }
        index.groups.iter_mut().for_each(|group| group.members.sort_unstable());
        index.paths.sort_unstable();
        index
    }

    /// The fixtures whose fixed values a request has, in order: all that match it are among them.
    pub(super) fn candidates(&self, view: &View<'_>) -> impl Iterator<Item = usize> {
        let found = |group| Group::with_print(group, view.print(&group.fixed)?);
        let mut found: Vec<&[(u64, usize)]> = self.groups.iter().filter_map(found).collect();
        std::iter::from_fn(move || {
            let next =
                found.iter_mut().min_by_key(|members| members.first().map_or(usize::MAX, |(_, at)| *at))?;
            let ((_, at), rest) = next.split_first()?;
            *next = rest;
            Some(*at)
        })
    }

    /// The fixtures that may serve a path themselves.
    pub(super) fn serving(&self, path: &str) -> impl Iterator<Item = usize> {
        let start = self.paths.partition_point(|(other, _)| other.as_str() < path);
        let exact = self.paths[start..].iter().take_while(move |(other, _)| other == path);
        exact.map(|(_, at)| *at).chain(self.patterns.iter().copied())
    }
}

impl Group {
    /// The members with this print; `None` where there are none.
    fn with_print(&self, print: u64) -> Option<&[(u64, usize)]> {
        let start = self.members.partition_point(|(other, _)| *other < print);
        let count = self.members[start..].partition_point(|(other, _)| *other == print);
        (count > 0).then(|| &self.members[start..start + count])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use crate::plan::matcher::View;
    use crate::plan::request::Request;
    use crate::plan::set::{FixtureSet, Source};

    /// Conditions from so few words that many hold, and several at once.
    fn matcher() -> impl Strategy<Value = Value> {
        let word = || prop::sample::select(vec!["a", "b", "ab"]);
        let condition = move || {
            let kinds = prop::sample::select(vec!["equals", "contains", "glob", "regex"]);
            prop::option::of((kinds, word()).prop_map(|(kind, word)| json!({ kind: word })))
        };
        let path = prop::sample::select(vec!["/v1/chat/completions", "/a", "/b"]);
        let path = (prop::sample::select(vec!["equals", "contains"]), path);
        let path = prop::option::weighted(0.3, path.prop_map(|(kind, path)| json!({ kind: path })));
        let few = (prop::option::of(1..3u64), prop::option::of(any::<bool>()), condition());
        (condition(), condition(), condition(), path, few).prop_map(
            |(model, user, system, path, (turn, stream, tool))| {
                let mut all = json!({
                    "model": model, "user": user, "system": system, "path": path,
                    "turn": turn, "stream": stream, "tool": tool,
                });
                if let Value::Object(all) = &mut all {
                    all.retain(|_, condition| !condition.is_null());
                }
                all
            },
        )
    }

    fn request() -> impl Strategy<Value = Request> {
        let word = || prop::sample::select(vec!["a", "b", "ab", ""]);
        let path = prop::sample::select(vec!["/v1/chat/completions", "/v1/models", "/a", "/b"]);
        (path, word(), word(), word(), any::<bool>(), 0..3usize).prop_map(
            |(path, model, user, system, stream, answers)| {
                let mut messages = vec![json!({ "role": "system", "content": system })];
                messages.extend(vec![json!({ "role": "assistant", "content": "x" }); answers]);
                messages.push(json!({ "role": "user", "content": user }));
                let tools = json!([{ "type": "function", "function": { "name": user } }]);
                let body = json!({
                    "model": model, "stream": stream, "messages": messages, "tools": tools,
                });
                Request::post(path, body)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn what_the_index_finds_is_what_a_search_of_all_finds(
            matchers in prop::collection::vec((matcher(), any::<bool>()), 0..40),
            requests in prop::collection::vec(request(), 1..8),
        ) {
            let fixture = |(at, (matcher, once)): (usize, &(Value, bool))| {
                let mut fixture = json!({ "name": at.to_string(), "match": matcher, "reply": { "error": { "status": 500 } } });
                if *once {
                    fixture["times"] = json!(1);
                }
                fixture
            };
            let fixtures: Vec<Value> = matchers.iter().enumerate().map(fixture).collect();
            let text = json!({ "fixtures": fixtures }).to_string();
            let set = FixtureSet::load(vec![Source::File { path: "a.json".into(), text }]).unwrap();
            for request in &requests {
                let view = View::new(request);
                let matching = set.fixtures.iter().enumerate().filter(|(_, running)| {
                    running.can_answer(request) && running.fixture.conditions.hold(&view)
                });
                let mut expected = Vec::new();
                for (at, running) in matching {
                    expected.push(at);
                    if !running.fixture.is_exhaustible() {
                        break;
                    }
                }
                prop_assert_eq!(set.candidates(request).unwrap_or_default(), expected);
                let (method, path) = (&request.call.method, request.call.path.as_str());
                let serves = set.fixtures.iter().any(|running| running.fixture.conditions.serve(method, path));
                prop_assert_eq!(set.serves(method, path), serves);
            }
        }
    }
}
