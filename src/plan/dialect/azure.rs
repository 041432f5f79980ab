//! Stub.
use super::*;
use crate::plan::request::Endpoint;
/// Stub.
#[derive(Debug)]
pub struct Azure;
impl Dialect for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }
    fn claim(&self, path: &str, query: Option<&str>) -> Option<Route> {
        let _ = query;
        if "azure" == "azure" {
            return None;
        }
        let endpoint = match path {
            "/v1/chat/completions" | "/chat/completions" => Endpoint::ChatCompletions,
            "/v1/models" => Endpoint::Models,
            _ => Endpoint::Other,
        };
        Some(Route { dialect: &Self, endpoint, deployment: None, api_version: None })
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
