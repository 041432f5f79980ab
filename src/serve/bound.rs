//! Where a request is bound for, as far as its head tells.

use http::{StatusCode, request};

use super::builder::Config;
use super::{admin, answer, cors, host, scope};
use crate::plan::Timeline;
use crate::plan::request::Call;

/// Where a request is bound for.
pub(crate) enum Bound {
    /// Nowhere: it is refused, or its head is all there is to answer.
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
    pub(crate) fn of(parts: request::Parts, config: &Config) -> Self {
        if !host::is_allowed(&parts.headers, &parts.uri, &config.allow_hosts) {
            let message =
                "this server answers to loopback names only; allow others with --allow-host";
            let status = StatusCode::MISDIRECTED_REQUEST;
            return Self::Answered(answer::refusal(status, "host_refused", message));
        }
        let (scope, path) = match scope::split(parts.uri.path(), &parts.headers) {
            Ok((scope, path)) => (scope, path.to_owned()),
            Err(message) => {
                let refusal = answer::refusal(StatusCode::BAD_REQUEST, "bad_scope", &message);
                return Self::Answered(refusal);
            }
        };
        if path == "/health" || path == admin::PREFIX || path.starts_with(admin::BELOW) {
            let session = scope.session;
            return Self::Own {
                parts,
                path,
                session,
            };
        }
        if let Some(preflight) = cors::preflight(&parts.method, &parts.headers) {
            return Self::Answered(preflight);
        }
        let query = parts.uri.query().map(str::to_owned);
        let call = Call::new(parts.method, path, query, parts.headers, scope);
        Self::Api(call)
    }
}
