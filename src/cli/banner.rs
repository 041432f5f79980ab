//! What to try: the lines on stdout after the URL, made to work as they are pasted.

use std::path::PathBuf;

use serde_json::{Value, json};

/// What the lines depend on beside the URL.
#[derive(Debug)]
pub(super) struct Banner {
    /// A key that is accepted.
    pub(super) key: String,
    /// A model that exists.
    pub(super) model: String,
    /// The certificate that clients have to trust, for https.
    pub(super) authority: Option<PathBuf>,
    /// Whether `/__admin` asks for a token.
    pub(super) guarded: bool,
}

impl Banner {
    /// The lines, for a base URL.
    pub(super) fn text(&self, url: &str) -> String {
        let Self { key, model, .. } = self;
        let message = json!([{ "role": "user", "content": "hello" }]);
        let body = json!({ "model": model, "stream": true, "messages": message });
        let openai = self.curl(
            &format!("{url}/v1/chat/completions"),
            &format!("authorization: Bearer {key}"),
            &body,
        );
        let deployment =
            format!("{url}/openai/deployments/{model}/chat/completions?api-version=2024-10-21");
        let azure = self.curl(&deployment, &format!("api-key: {key}"), &body);
        let token = if self.guarded {
            " (with the admin token)"
        } else {
            ""
        };
        let mut text = format!(
            "\n\
             Try it:\n  {openai}\n\n\
             As Azure OpenAI:\n  {azure}\n\n\
             SDKs: base URL {url}/v1; for Azure the endpoint {url}\n\
             What was asked{token}: {url}/__admin/requests\n"
        );
        if let Some(authority) = &self.authority {
            text.push_str(&format!("Certificate to trust: {}\n", authority.display()));
        }
        text
    }

    fn curl(&self, url: &str, header: &str, body: &Value) -> String {
        let trust = self
            .authority
            .as_ref()
            .map(|path| format!(" --cacert {}", quoted(&path.display().to_string())));
        format!(
            "curl -N{} {} -H {} -H 'content-type: application/json' -d {}",
            trust.unwrap_or_default(),
            quoted(url),
            quoted(header),
            quoted(&body.to_string())
        )
    }
}

/// A word as a shell reads it back.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner() -> Banner {
        Banner {
            key: "sk-test".to_owned(),
            model: "gpt-4o".to_owned(),
            authority: None,
            guarded: false,
        }
    }

    #[test]
    fn the_lines_are_complete() {
        assert_eq!(
            banner().text("http://127.0.0.1:4010"),
            r#"
Try it:
  curl -N 'http://127.0.0.1:4010/v1/chat/completions' -H 'authorization: Bearer sk-test' -H 'content-type: application/json' -d '{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]}'

As Azure OpenAI:
  curl -N 'http://127.0.0.1:4010/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21' -H 'api-key: sk-test' -H 'content-type: application/json' -d '{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]}'

SDKs: base URL http://127.0.0.1:4010/v1; for Azure the endpoint http://127.0.0.1:4010
What was asked: http://127.0.0.1:4010/__admin/requests
"#
        );
    }

    #[test]
    fn https_names_the_certificate_and_quotes_survive_the_shell() {
        let banner = Banner {
            key: "it's".to_owned(),
            authority: Some("/tmp/ca.pem".into()),
            ..banner()
        };
        let text = banner.text("https://127.0.0.1:1");
        assert!(
            text.contains("curl -N --cacert '/tmp/ca.pem' 'https://127.0.0.1:1/v1"),
            "{text}"
        );
        assert!(
            text.contains(r"-H 'authorization: Bearer it'\''s'"),
            "{text}"
        );
        assert!(
            text.ends_with("Certificate to trust: /tmp/ca.pem\n"),
            "{text}"
        );
    }
}
