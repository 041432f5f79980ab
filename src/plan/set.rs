//! A set of fixtures, ready to answer: which fixture, which hit, which reply.
/// Stub.
#[derive(Debug)]
pub struct FixtureSet;
