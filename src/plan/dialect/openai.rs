//! Stub.
use super::*;
use crate::plan::request::Endpoint;
/// Stub.
#[derive(Debug)]
pub struct OpenAi;
impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }
    fn claim(&self, path: &str, query: Option<&str>) -> Option<Route> {
        let _ = (path, query);
        Some(Route { dialect: &Self, endpoint: Endpoint::Other, deployment: None, api_version: None })
    }
    fn validate(&self, _: &Request, _: Option<&[String]>) -> Result<(), Reject> {
        Ok(())
    }
    fn success(&self, _: &Facts<'_>, _: Form) -> Head {
        unreachable!()
    }
    fn reject(&self, _: &Reject, _: &Facts<'_>) -> (Head, Bytes) {
        unreachable!()
    }
    fn error(&self, _: &ErrorReply, _: &Facts<'_>) -> (Head, Bytes) {
        unreachable!()
    }
    fn models(&self, _: &[&str], _: &Facts<'_>) -> Bytes {
        unreachable!()
    }
}
