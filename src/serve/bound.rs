//! Where a request is bound for, as far as its path and headers tell.

use http::{StatusCode, request};

use super::{admin, answer, cors, scope};
use crate::plan::Timeline;
use crate::plan::request::Call;

/// Where a request is bound for.
pub(crate) enum Bound {
    /// Nowhere: its head is all there is to answer.
    Answered(Timeline),
    /// The server's own routes.
    Own {
        /// The head.
        parts: request::Parts,
        /// The path below the scope.
        path: String,
        /// The session of the scope.
        session: String,
    },
    /// A provider's API, or a route that only a fixture can serve.
    Api(Call),
}

impl Bound {
    /// Reads the head of a request.
    pub(crate) fn of(parts: request::Parts) -> Self {
        let (scope, path) = match scope::split(parts.uri.path(), &parts.headers) {
            Ok((scope, path)) => (scope, path.to_owned()),
            Err(message) => {
                let refusal = answer::refusal(StatusCode::BAD_REQUEST, "bad_scope", &message);
                return Self::Answered(refusal);
            }
        };
        if path == "/health" || path == admin::PREFIX || path.starts_with(admin::BELOW) {
            let session = scope.session;
            return Self::Own { parts, path, session };
        }
        if let Some(preflight) = cors::preflight(&parts.method, &parts.headers) {
            return Self::Answered(preflight);
        }
        let query = parts.uri.query().map(str::to_owned);
        Self::Api(Call::new(parts.method, path, query, parts.headers, scope))
    }
}
