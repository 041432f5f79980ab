//! Which fixtures a request may match, found by what they fix: a thousand are searched as fast as ten.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;

use self::parts::Parts;
use crate::plan::matcher::{Conditions, Fixed, Subject, View};

mod parts;

/// Fixtures by the values that their conditions fix, and then by the parts that they ask for. Of those that fix
/// nothing, all may match.
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
    /// By the print of the values; sorted.
    members: Vec<Member>,
    /// The others, which are many of one print each.
    parts: Vec<(u64, Parts)>,
}

/// What a fixture is found by, and its place in the set.
type Member = (u64, usize);

/// Fixtures found: lists that are each in order, with the places of their first. Gives all places in order.
#[derive(Debug, Default)]
struct Found<'a>(BinaryHeap<Reverse<(usize, &'a [Member])>>);

/// From how many parts on one pass that finds them all costs less than looking for each.
pub(super) const MANY: usize = 16;

/// The texts that fixtures ask for parts of, the likeliest to differ first.
const PARTED: [Subject; 3] = [Subject::User, Subject::System, Subject::ToolResult];

impl Index {
    /// The index of the conditions of fixtures, in order; `many` parts are looked for in one pass.
    pub(super) fn of<'a>(all: impl Iterator<Item = &'a Conditions>, many: usize) -> Self {
        let all: Vec<&Conditions> = all.collect();
        let mut index = Self::default();
        for (at, conditions) in all.iter().enumerate() {
            let (fixed, print) = conditions.fixed();
            match index.groups.iter_mut().find(|group| group.fixed == fixed) {
                Some(group) => group.members.push((print, at)),
                None => index.groups.push(Group { fixed, members: vec![(print, at)], parts: Vec::new() }),
            }
            match conditions.path() {
                Some(path) => index.paths.push((path.to_owned(), at)),
                None if conditions.serve_a_path() => index.patterns.push(at),
                None => {}
            }
        }
        index.groups.iter_mut().for_each(|group| group.sort(&all, many));
        index.paths.sort_unstable();
        index
    }

    /// The fixtures whose fixed values a request has, in order: all that match it are among them.
    pub(super) fn candidates(&self, view: &View<'_>) -> impl Iterator<Item = usize> {
        let mut found = Found::default();
        self.groups.iter().for_each(|group| group.find(view, &mut found));
        found
    }

    /// The fixtures that may serve a path themselves.
    pub(super) fn serving(&self, path: &str) -> impl Iterator<Item = usize> {
        let start = self.paths.partition_point(|(other, _)| other.as_str() < path);
        let exact = self.paths[start..].iter().take_while(move |(other, _)| other == path);
        exact.map(|(_, at)| *at).chain(self.patterns.iter().copied())
    }
}

impl Group {
    /// Sorts the members, and tells those of one print apart by the parts that they ask for.
    fn sort(&mut self, all: &[&Conditions], many: usize) {
        self.members.sort_unstable();
        for alike in mem::take(&mut self.members).chunk_by(|(left, _), (right, _)| left == right) {
            let (start, print) = (self.members.len(), alike[0].0);
            self.members.extend(alike);
            if alike.len() < many {
                continue;
            }
            let mut rest = self.members.split_off(start);
            let parts = PARTED.into_iter().filter_map(|subject| Parts::take(subject, &mut rest, all, many));
            self.parts.extend(parts.map(|parts| (print, parts)));
            self.members.append(&mut rest);
        }
    }

    /// Adds the members that a request may match.
    fn find<'a>(&'a self, view: &View<'_>, found: &mut Found<'a>) {
        let Some(print) = view.print(&self.fixed) else { return };
        found.add(of_print(&self.members, print));
        let parts = self.parts.iter().filter(|(other, _)| *other == print);
        parts.for_each(|(_, parts)| parts.find(view, found));
    }
}

/// The members with this print, in order.
fn of_print(members: &[Member], print: u64) -> &[Member] {
    let start = members.partition_point(|(other, _)| *other < print);
    let count = members[start..].partition_point(|(other, _)| *other == print);
    &members[start..start + count]
}

impl<'a> Found<'a> {
    fn add(&mut self, members: &'a [Member]) {
        self.0.extend(members.first().map(|(_, at)| Reverse((*at, members))));
    }
}

impl Iterator for Found<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let Reverse((at, members)) = self.0.pop()?;
        self.add(&members[1..]);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{Index, MANY};
    use crate::plan::matcher::View;
    use crate::plan::request::Request;
    use crate::plan::set::{FixtureSet, Source};

    /// Texts that overlap, begin and end with one another, are empty, and come again, short and long.
    fn text() -> impl Strategy<Value = String> {
        let long = "a".repeat(20);
        let longer = "ab".repeat(150);
        let pieces = vec!["a".to_owned(), "b".to_owned(), "é".to_owned(), long, longer];
        prop::collection::vec(prop::sample::select(pieces), 0..4).prop_map(|pieces| pieces.concat())
    }

    /// Conditions from so few words that many hold, and several at once.
    fn matcher() -> impl Strategy<Value = Value> {
        let condition = |likely: f64, kinds: Vec<&'static str>| {
            let condition = (prop::sample::select(kinds), text());
            prop::option::weighted(likely, condition.prop_map(|(kind, text)| json!({ kind: text })))
        };
        let all = || vec!["equals", "contains", "glob", "regex"];
        let parts = || vec!["contains", "contains", "contains", "contains", "equals", "regex"];
        let path = prop::sample::select(vec!["/v1/chat/completions", "/a", "/b"]);
        let path = (prop::sample::select(vec!["equals", "contains"]), path);
        let path = prop::option::weighted(0.2, path.prop_map(|(kind, path)| json!({ kind: path })));
        let texts = (condition(0.7, parts()), condition(0.3, parts()), condition(0.2, parts()));
        let names = (condition(0.2, all()), condition(0.1, all()), path);
        let few = (prop::option::weighted(0.2, 1..3u64), prop::option::weighted(0.2, any::<bool>()));
        (texts, names, few).prop_map(|((user, system, tool_result), (model, tool, path), (turn, stream))| {
            let mut all = json!({
                "user": user, "system": system, "tool_result": tool_result,
                "model": model, "tool": tool, "path": path, "turn": turn, "stream": stream,
            });
            if let Value::Object(all) = &mut all {
                all.retain(|_, condition| !condition.is_null());
            }
            all
        })
    }

    fn request() -> impl Strategy<Value = Request> {
        let path = prop::sample::select(vec!["/v1/chat/completions", "/v1/models", "/a", "/b"]);
        let texts = (text(), text(), text(), prop::option::of(text()));
        (path, texts, any::<bool>(), 0..3usize).prop_map(
            |(path, (model, user, system, result), stream, answers)| {
                let mut messages = vec![json!({ "role": "system", "content": system })];
                messages.extend(vec![json!({ "role": "assistant", "content": "x" }); answers]);
                messages.extend(result.map(|result| json!({ "role": "tool", "content": result })));
                messages.push(json!({ "role": "user", "content": user }));
                let tools = json!([{ "type": "function", "function": { "name": user } }]);
                let body = json!({
                    "model": model, "stream": stream, "messages": messages, "tools": tools,
                });
                Request::post(path, body)
            },
        )
    }

    fn load(matchers: impl IntoIterator<Item = (Value, bool)>) -> FixtureSet {
        let fixture = |(at, (matcher, once)): (usize, (Value, bool))| {
            let mut fixture =
                json!({ "name": at.to_string(), "match": matcher, "reply": { "error": { "status": 500 } } });
            if once {
                fixture["times"] = json!(1);
            }
            fixture
        };
        let fixtures: Vec<Value> = matchers.into_iter().enumerate().map(fixture).collect();
        let text = json!({ "fixtures": fixtures }).to_string();
        FixtureSet::load(vec![Source::File { path: "a.json".into(), text }]).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_the_index_finds_is_what_a_search_of_all_finds(
            matchers in prop::collection::vec((matcher(), any::<bool>()), 0..60),
            requests in prop::collection::vec(request(), 1..8),
            many in prop::sample::select(vec![1, 2, 5, MANY]),
        ) {
            let mut set = load(matchers);
            set.index = Index::of(set.fixtures.iter().map(|running| &running.fixture.conditions), many);
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

    /// The fixtures that are compared with a request for a text of the user.
    fn compared(set: &FixtureSet, user: &str) -> Vec<usize> {
        let messages =
            json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": user }]);
        let request = Request::post("/v1/chat/completions", json!({ "model": "a", "messages": messages }));
        set.index.candidates(&View::new(&request)).collect()
    }

    #[test]
    fn of_a_thousand_fixtures_only_those_are_compared_whose_part_is_there() {
        let number = |number| json!({ "model": "a", "user": format!("number {number}, please") });
        let mut all: Vec<Value> = (0..1000).map(number).collect();
        all.push(json!({ "model": "a", "user": "number 7, please" }));
        all.push(json!({ "model": "b", "user": "number 7, please" }));
        all.push(json!({ "model": "a" }));
        let set = load(all.into_iter().map(|matcher| (matcher, false)));

        assert_eq!(compared(&set, "number 7, please"), [7, 1000, 1002]);
        assert_eq!(compared(&set, "number 12, please, and number 7, please"), [7, 12, 1000, 1002]);
        assert_eq!(compared(&set, "hello"), [1002]);
    }

    #[test]
    fn a_few_parts_are_each_looked_for() {
        let number = |number: usize| (json!({ "user": format!("number {number}, please") }), false);
        let few = load((0..MANY - 1).map(number));
        let many = load((0..MANY).map(number));

        assert_eq!(compared(&few, "hello"), Vec::from_iter(0..MANY - 1));
        assert_eq!(compared(&many, "hello"), Vec::<usize>::new());
    }

    #[test]
    fn where_users_ask_for_the_same_the_other_texts_tell_fixtures_apart() {
        let matcher = |number| json!({ "user": "hello", "system": format!("You are agent {number}.") });
        let set = load((0..MANY).map(|number| (matcher(number), false)));

        assert_eq!(compared(&set, "hello"), Vec::<usize>::new());
    }
}
