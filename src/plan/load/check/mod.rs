//! What a fixture means beyond its shape: parsed into what plans and matching use, or refused with
//! every reason.

use std::path::Path;

use crate::plan::fixture::{AfterLast, Fixture, FixtureFile};
use crate::plan::matcher::Conditions;
use crate::plan::pacing::Pacing;
use crate::plan::reply::{Prepared, Reply};

use super::problems::{Problems, below};
use super::transcripts::Transcripts;

mod answer;
mod limits;
mod pacing;
mod reply;
mod script;
mod transcript;
mod usage;
mod wire;

pub(super) use limits::limits;
#[cfg(feature = "import")]
pub(super) use transcript::check_transcript;
pub(super) use transcript::transcript;

/// A fixture that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) conditions: Conditions,
    /// At least one, unless there are problems.
    pub(crate) replies: Vec<Prepared>,
    /// The pointers of the replies.
    pub(crate) places: Vec<String>,
    pub(crate) times: Option<u64>,
    pub(crate) after_last: AfterLast,
}

/// What a fixture stands in.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// Its file, if it is of one.
    pub(super) file: Option<&'a Path>,
    /// The file's pacing.
    pub(super) defaults: Pacing,
    /// The transcripts that files name.
    pub(super) transcripts: &'a mut Transcripts,
}

/// Checks what a file says beside its fixtures.
pub(super) fn file(file: &FixtureFile, problems: &mut Problems) {
    if let Some(defaults) = &file.defaults.pacing {
        pacing::pacing(defaults, "/defaults/pacing", problems);
    }
    limits(file.limits.as_deref().unwrap_or_default(), problems);
    let Some(models) = &file.models else { return };
    if models.is_empty() {
        problems.value("/models", "`models` is empty, so that no model exists: leave it out, or name some");
    }
    for (index, model) in models.iter().enumerate() {
        let at = format!("/models/{index}");
        if model.trim().is_empty() {
            problems.value(at, "a model needs a name that is not empty");
        } else if models[..index].contains(model) {
            problems.value(at, format!("the model {model:?} is there twice: leave one out"));
        }
    }
}

/// Checks a fixture that stands at the pointer `at`.
pub(super) fn fixture(fixture: Fixture, at: &str, around: Around<'_>, problems: &mut Problems) -> Checked {
    let Around { file, defaults, transcripts } = around;
    if fixture.name.trim().is_empty() {
        problems.value(below(at, "name"), "a fixture needs a name that is not empty");
    }
    let matcher_at = below(at, "match");
    let conditions = Conditions::compile(&fixture.matcher, &matcher_at, problems);
    let has_path = fixture.matcher.path.is_some();
    if fixture.matcher.method.is_some() && !has_path {
        problems.key(
            below(&matcher_at, "method"),
            "`method` goes with `path`: a fixture without one answers chat completions, always POST",
        );
    }
    if fixture.times == Some(0) {
        problems.value(
            below(at, "times"),
            "a fixture that answers 0 times never answers; leave `times` out, or make it 1 or more",
        );
    }
    let mut scope = reply::Scope { has_path, defaults, file, transcripts };
    let (mut replies, mut places) = (Vec::new(), Vec::new());
    for (at, reply) in given(fixture.reply, fixture.replies, at, problems) {
        if let Some(reply) = reply::reply(reply, &at, &mut scope, problems) {
            replies.push(reply);
            places.push(at);
        }
    }
    Checked {
        name: fixture.name,
        conditions,
        replies,
        places,
        times: fixture.times,
        after_last: fixture.after_last.unwrap_or_default(),
    }
}

/// The replies and their pointers.
fn given(
    reply: Option<Reply>,
    replies: Option<Vec<Reply>>,
    at: &str,
    problems: &mut Problems,
) -> Vec<(String, Reply)> {
    let list = below(at, "replies");
    if reply.is_none() && replies.is_none() {
        problems.value(at, "a fixture needs `reply` or `replies`");
    }
    if reply.is_some() && replies.is_some() {
        problems.key(list.clone(), "a fixture has `reply` or `replies`, not both");
    }
    if replies.as_ref().is_some_and(Vec::is_empty) {
        problems.value(list.clone(), "`replies` is empty: give at least one reply");
    }
    let one = reply.map(|reply| (below(at, "reply"), reply));
    let many = replies.into_iter().flatten().enumerate();
    let many = many.map(|(index, reply)| (format!("{list}/{index}"), reply));
    one.into_iter().chain(many).collect()
}
