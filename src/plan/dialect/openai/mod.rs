//! OpenAI.
mod shape;
mod stream;
use crate::plan::dialect::*;
use crate::plan::dialect::completion::{Completion, pretty};
use crate::plan::dialect::chunk::Order;

/// OpenAI.
#[derive(Debug)]
pub struct OpenAi;
impl Dialect for OpenAi {
    fn name(&self) -> &'static str { "openai" }
    fn claim(&self, _: &str, _: Option<&str>) -> Option<Route> { None }
    fn validate(&self, _: &Request, _: Option<&[String]>) -> Result<(), Reject> { Ok(()) }
    fn success(&self, _: &Facts<'_>, _: Form) -> Head { Head { at: Duration::ZERO, status: http::StatusCode::OK, reason: None, headers: vec![] } }
    fn reject(&self, _: &Reject, f: &Facts<'_>) -> (Head, Bytes) { (self.success(f, Form::Stream), Bytes::new()) }
    fn error(&self, _: &ErrorReply, f: &Facts<'_>) -> (Head, Bytes) { (self.success(f, Form::Stream), Bytes::new()) }
    fn models(&self, _: &[&str], _: &Facts<'_>) -> Bytes { Bytes::new() }
//SPEECH
    fn shape(&self, request: &Request, wire: &Wire, now: u64, server: Seed, seed: Seed) -> Shape {
        shape::shape(request, wire, now, server, seed)
    }

    fn stream(&self, said: &[Said<'_>], shape: &Shape, _: FilterMode) -> Draft {
        stream::stream(said, shape)
    }

    fn completion(&self, choices: Vec<Whole<'_>>, counts: Counts, shape: &Shape, _: &Filters) -> String {
        let completion = Completion { shape, order: Order::Hand, choices, counts, prompt_results: None, choice_results: None };
        let compact = completion.json();
        // Bodies are pretty-printed since October 2023.
        let printed = if shape.profile < Profile::new(2023, 10, 1) { compact } else { pretty(&compact, 2) };
        printed + "\n"
    }

    fn blocked(&self, _: &Verdicts, _: &Shape, _: &Facts<'_>) -> (Head, Bytes) {
        unreachable!("OpenAI has no content filter: Shape::filtered is false")
    }
}
