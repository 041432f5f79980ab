//! What is secret: one registry, for what is accepted as a key, for what is blotted out of the journal, and for what
//! is replaced in a transcript, so that they cannot drift apart.

mod name;
mod noise;
mod shape;

pub(crate) use name::{KEYS, is_hinted, is_parameter, is_secret};
#[cfg(feature = "import")]
pub(crate) use noise::is_noise;
#[cfg(feature = "import")]
pub(crate) use shape::{Found, at};
pub(crate) use shape::{Kind, find};
