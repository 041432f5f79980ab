//! Requests that came before, byte for byte: their answer is not planned again, but cast.
//!
//! What is a hit's own is drawn from its seed, and always of one length: ids, cookies, random characters. So a mold
//! is a plan with gaps where such texts stand. What is drawn is declared; where it stands is found in the plans of
//! a few hits. This is invisible: what is cast has the bytes and times of what is planned
//! (`tests::what_is_cast_is_what_is_planned`), and a draw that nobody declared costs the mold: to be missed, it would
//! have to come out the same for four hits.

use std::sync::Arc;
use std::time::Duration;

use self::draws::Draws;
use super::dialect::shape::COMPLETION_ID;
use super::fault::when::Turn;
use super::limits::Allowance;
use super::pacing::Pacing;
use super::ready::{Key, LARGEST, call_digits, hiding};
use super::reply::{Content, Prepared};
use super::request::Request;
use super::said::Counts;
use super::say::{Occasion, common_seed, plan, shape};
use super::seed::Draw;
use super::timeline::{Body, Head, HeadPattern, Headers, Pattern, Timeline};
use super::tokens::Vocabulary;

mod draws;
#[cfg(test)]
mod tests;

/// The plan of one request by one reply, but for what is a hit's own: each later hit is cast from it.
#[derive(Debug)]
pub(crate) struct Mold {
    terms: Terms,
    draws: Draws,
    headers: Arc<HeadPattern>,
    body: Arc<Pattern>,
    /// The plan of one hit, without header lines and body.
    rest: Timeline,
}

/// What hits of one mold have in common of their occasions.
#[derive(Debug)]
struct Terms {
    seed: u64,
    now: u64,
    pacing: Pacing,
    time_scale: f64,
    max_hold: Duration,
}

impl Mold {
    /// The mold of a plan; `None` where hits differ in more than is known of. It is for this request alone, its head
    /// included, and takes as long as some plans: a request that comes once needs none.
    pub(crate) fn of(reply: &Prepared, request: &Request, occasion: &Occasion<'_>) -> Option<Self> {
        let (heads, ids) = (request.call.route.dialect.draws(), ids(reply, request, occasion)?);
        let in_lines = 0..heads.len();
        let in_body = heads.len()..heads.len() + ids.len();
        let mut draws =
            Draws::new(common_seed(&request.call, occasion), occasion.now, [heads, &ids].concat());
        let hits = others(occasion).map(|occasion| (plan(reply, request, &occasion), occasion));
        let [(first, _), ..] = &hits;
        if first.body.len() > LARGEST {
            return None;
        }
        let lines = hits.each_ref().map(|(planned, at)| (at.hit, planned.head.headers.written()));
        let bodies = hits.each_ref().map(|(planned, at)| (at.hit, planned.body.bytes()));
        let (mut lines, mut gaps) = (draws.find(in_lines, &lines)?, draws.find(in_body, &bodies)?);
        draws.keep_used(&mut [&mut lines, &mut gaps]);
        gaps.extend(hiding(&first.body));
        gaps.sort_unstable_by_key(|gap| gap.start);
        let texts = draws.texts(occasion.hit);
        let mold = Self {
            terms: Terms::of(occasion),
            headers: HeadPattern::new(&first.head.headers, lines, &texts).into(),
            body: Pattern::new(first.body.bytes().clone(), gaps, &texts).into(),
            rest: Timeline {
                head: Head { headers: Headers::default(), ..first.head.clone() },
                body: Body::default(),
                ..first.clone()
            },
            draws,
        };
        let proves = |(planned, occasion): &(Timeline, Occasion<'_>)| mold.cast(occasion.hit) == *planned;
        hits.iter().all(proves).then_some(mold)
    }

    /// Whether hits of the same fixture are cast from it on this occasion. Turn and what a client's clock shows may
    /// differ: without faults nothing depends on them.
    pub(crate) fn fits(&self, occasion: &Occasion<'_>) -> bool {
        self.terms.hold(occasion)
    }

    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        let events = size_of_val(&*self.rest.events);
        size_of::<Self>() + self.headers.weight() + self.body.weight() + events
    }

    /// What `plan` gives at this hit, on an occasion that fits.
    pub(crate) fn cast(&self, hit: u64) -> Timeline {
        let filling = Arc::new(self.draws.of(hit));
        let Timeline { head, body: _, events, framing, ending, ends_at, faults } = &self.rest;
        let Head { at, status, reason, headers: _ } = head;
        let headers = Headers::filled(&self.headers, &filling);
        Timeline {
            head: Head { at: *at, status: *status, reason: reason.clone(), headers },
            body: Body::filled(&self.body, filling),
            events: events.clone(),
            framing: framing.clone(),
            ending: *ending,
            ends_at: *ends_at,
            faults: faults.clone(),
        }
    }
}

/// What is drawn for the ids in a body; `None` where hits differ in more than that and their heads.
fn ids(reply: &Prepared, request: &Request, occasion: &Occasion<'_>) -> Option<Vec<Draw>> {
    let Content::Answer(answer) = &reply.content else { return None };
    let faults = [&reply.faults, &request.call.scope.faults, occasion.faults];
    let broken = faults.iter().any(|faults| !faults.is_empty());
    let limited = occasion.limits != Allowance::default();
    let steady = reply.pacing.and(occasion.pacing).is_steady();
    if broken || limited || !steady || reply.templates.is_some() {
        return None;
    }
    let shape = shape(request, &reply.wire, occasion);
    Key::of(request, &shape, Counts::default(), &reply.filters)?;
    let spoken = reply.spoken.cut(answer, Vocabulary::of(&shape.model));
    let calls = (0..spoken.choice(0).calls.len()).map(|number| call_digits(0, number));
    Some(std::iter::once(COMPLETION_ID).chain(calls).collect())
}

/// This occasion and some others of one mold, as unlike as they may be.
fn others<'a>(occasion: &Occasion<'a>) -> [Occasion<'a>; 4] {
    [occasion.hit, occasion.hit.wrapping_add(1), occasion.hit ^ 1 << 40, !occasion.hit].map(|hit| {
        let turn = Turn { attempt: hit, count: hit, print: hit };
        Occasion { hit, wall: occasion.wall ^ hit, turn, ..*occasion }
    })
}

impl Terms {
    fn of(occasion: &Occasion<'_>) -> Self {
        let Occasion { seed, now, pacing, time_scale, max_hold, .. } = *occasion;
        Self { seed, now, pacing, time_scale, max_hold }
    }

    /// Whether an occasion has them, and nothing else that a plan depends on.
    fn hold(&self, occasion: &Occasion<'_>) -> bool {
        let Occasion {
            fixture: _,
            hit: _,
            seed,
            now,
            wall: _,
            pacing,
            time_scale,
            max_hold,
            faults,
            turn: _,
            limits,
        } = *occasion;
        self.seed == seed
            && self.now == now
            && self.pacing == pacing
            && self.time_scale == time_scale
            && self.max_hold == max_hold
            && faults.is_empty()
            && limits == Allowance::default()
    }
}
