//! Azure OpenAI.
pub(crate) mod filter;
mod shape;
pub(super) mod stream;
use crate::plan::dialect::*;
use crate::plan::dialect::completion::Completion;

/// Azure OpenAI.
#[derive(Debug)]
pub struct Azure;
impl Dialect for Azure {
    fn name(&self) -> &'static str { "azure" }
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

    fn stream(&self, said: &[Said<'_>], shape: &Shape, mode: FilterMode) -> Draft {
        stream::stream(said, shape, mode)
    }

    fn completion(&self, choices: Vec<Whole<'_>>, counts: Counts, shape: &Shape, filters: &Filters) -> String {
        let filtering = shape.filtered && filters.mode != FilterMode::Off;
        let completion = Completion {
            shape,
            order: stream::order(shape.profile),
            choices,
            counts,
            prompt_results: filtering.then(|| filter::prompt_list(shape, &filters.prompt)),
            choice_results: filtering.then(|| filter::whole_completion(shape, &filters.completion)),
        };
        completion.json() + "\n"
    }

    fn blocked(&self, verdicts: &Verdicts, shape: &Shape, facts: &Facts<'_>) -> (Head, Bytes) {
        let _ = (verdicts, shape);
        self.reject(&Reject::Stub, facts)
    }
}
