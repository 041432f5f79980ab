//! What loads but is probably a mistake.

use crate::error::LoadError;
use crate::plan::fixture::AfterLast;
use crate::plan::reply::Content;

use super::{FixtureSet, Running};

mod faults;
mod replies;

pub(super) fn lints(set: &FixtureSet) -> Vec<LoadError> {
    let mut lints = Vec::new();
    for (index, running) in set.fixtures.iter().enumerate() {
        let earlier = &set.fixtures[..index];
        if let Some(before) = earlier.iter().find(|before| hides(before, running)) {
            let name = &before.name;
            lints.push(at(
                running,
                "",
                format!("never reached: {name:?} before it answers every request that it would"),
            ));
        }
        if let (Some(models), Some(model)) = (set.models(), running.fixture.conditions.model())
            && !models.iter().any(|known| known == model)
        {
            lints.push(at(
                running,
                "/match/model",
                format!("never reached: {model:?} is not among the `models` that exist"),
            ));
        }
        let replies = running.fixture.replies.len();
        if let Some(times) = running.fixture.times
            && running.fixture.after_last == AfterLast::Pass
            && times > replies as u64
        {
            lints.push(at(
                running,
                "/times",
                format!("never met: it passes after {replies} of {times} hits"),
            ));
        }
        lints.extend(
            unsent(running)
                .then(|| at(running, "", "steps of its script after a fault are never sent".to_owned())),
        );
        for (reply, place) in running.fixture.replies.iter().zip(&running.fixture.places) {
            let found = replies::lints(reply, place).into_iter().chain(faults::lints(reply, place));
            lints.extend(found.map(|(pointer, message)| LoadError { pointer, ..at(running, "", message) }));
        }
    }
    lints
}

/// Whether every request that `later` would answer is answered by `before`, forever.
fn hides(before: &Running, later: &Running) -> bool {
    !before.fixture.is_exhaustible() && before.fixture.conditions.cover(&later.fixture.conditions)
}

fn unsent(running: &Running) -> bool {
    running.fixture.replies.iter().any(|reply| match &reply.content {
        Content::Script(steps) => faults::hides_steps(steps),
        Content::Answer(_) | Content::Error(_) | Content::Transcript(_) => false,
    })
}

fn at(running: &Running, below: &str, message: String) -> LoadError {
    let spot = &running.spot;
    LoadError {
        file: spot.file.clone(),
        fixture: spot.fixture.clone(),
        place: spot.place,
        pointer: format!("{}{below}", spot.pointer),
        message,
    }
}
