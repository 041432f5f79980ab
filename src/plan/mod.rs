//! What to send and when, decided as a pure function: (fixture, request, hit, seed) → [`Timeline`].
//!
//! ```text
//! 1 say      reply → deltas → the dialect's SSE events      say, dialect/
//! 2 spoil    event faults                                   fault/
//! 3 pace     one due time per event                         pacing
//! 4 encode   events → bytes                                 sse
//! 5 spoil    byte faults                                    fault/
//! 6 end      head and body as HTTP/1.1                      http1
//! ```
//!
//! Three modules share step 1: `spoken` is an answer cut into pieces, `said` the words for one event, and
//! `say` the pipeline itself.
//!
//! Nothing here performs I/O, reads a clock or draws randomness other than from a
//! [`Seed`](seed::Seed): the same inputs give the same bytes and offsets on every platform.
//! Planning cannot fail; what could is rejected when fixtures are [loaded](load).

pub(crate) mod compose;
pub(crate) mod dialect;
pub mod fault;
pub mod fixture;
pub mod http1;
pub mod json;
pub mod limits;
pub mod load;
pub mod matcher;
pub(crate) mod mold;
pub mod pacing;
pub(crate) mod prompt;
pub(crate) mod ready;
pub mod reject;
pub mod reply;
pub mod request;
pub(crate) mod said;
pub mod say;
pub mod scenario;
pub mod seed;
pub mod set;
pub(crate) mod spoken;
pub(crate) mod sse;
pub mod template;
pub mod timeline;
pub mod tokens;
pub mod transcript;
pub(crate) mod value;
pub mod wire;

pub use fault::when::When;
pub use fault::{At, Fault};
pub use fixture::Fixture;
pub use limits::Limit;
pub use matcher::Matcher;
pub use pacing::Pacing;
pub use reply::Reply;
pub use request::Request;
pub use say::{Occasion, plan};
pub use set::FixtureSet;
pub use timeline::Timeline;
