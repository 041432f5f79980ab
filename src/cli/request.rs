//! The request that `llmirage plan` is asked about: a file with a body, or with a whole request.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, request};
use serde_json::{Map, Value};

use super::failure::Failure;

/// A request as a client would send it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Typed {
    pub(super) method: Method,
    /// The path with its query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Typed {
    /// Reads a request file; `-` is stdin.
    pub(super) fn read(file: &Path, target: &str) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        let read = if file == Path::new("-") {
            io::stdin().lock().read_to_end(&mut bytes).map(drop)
        } else {
            fs::read(file).map(|read| bytes = read)
        };
        read.map_err(|source| Failure::Read { path: file.to_owned(), source })?;
        Self::parse(bytes, target).map_err(|problem| Failure::Usage(format!("{}: {problem}", file.display())))
    }

    /// The head as the service wants it.
    pub(super) fn parts(&self) -> Result<request::Parts, Failure> {
        // Without this, "host/path" would be a host.
        if !self.target.starts_with('/') {
            return Err(no_path(&self.target));
        }
        let mut request = Request::builder().method(&self.method).uri(&self.target);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
        }
        match request.body(()) {
            Ok(request) => Ok(request.into_parts().0),
            Err(_) => Err(no_path(&self.target)),
        }
    }

    /// A JSON object with none but the keys of a request is one; everything else is a body.
    fn parse(bytes: Vec<u8>, target: &str) -> Result<Self, String> {
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(whole)) if is_whole(&whole) => Self::whole(whole, target),
            _ => Ok(Self {
                method: Method::POST,
                target: target.to_owned(),
                headers: usual_headers(),
                body: bytes.into(),
            }),
        }
    }

    fn whole(mut whole: Map<String, Value>, target: &str) -> Result<Self, String> {
        let method = text(whole.remove("method"), "method")?.unwrap_or_else(|| "POST".to_owned());
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| format!("method: {method:?} is none"))?;
        let target = text(whole.remove("path"), "path")?.unwrap_or_else(|| target.to_owned());
        let body = match whole.remove("body") {
            None => Bytes::new(),
            Some(Value::String(text)) => text.into(),
            Some(value) => value.to_string().into(),
        };
        let headers = match whole.remove("headers") {
            None => usual_headers(),
            Some(Value::Object(headers)) => read_headers(headers)?,
            Some(_) => return Err("headers: expected an object of strings".to_owned()),
        };
        Ok(Self { method, target, headers, body })
    }
}

fn no_path(target: &str) -> Failure {
    Failure::Usage(format!("{target:?} is no path: it starts with a slash"))
}

/// Whether an object is a request and not a body: it has keys, and all are a request's.
fn is_whole(object: &Map<String, Value>) -> bool {
    !object.is_empty() && object.keys().all(|key| KEYS.contains(&key.as_str()))
}

fn text(value: Option<Value>, key: &str) -> Result<Option<String>, String> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("{key}: expected a string, got {other}")),
    }
}

fn read_headers(headers: Map<String, Value>) -> Result<HeaderMap, String> {
    let mut read = HeaderMap::new();
    for (name, value) in headers {
        let value = text(Some(value), &name)?.unwrap_or_default();
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: {name:?} is no name"))?;
        let value =
            HeaderValue::from_str(&value).map_err(|_| format!("headers: {name}: {value:?} is no value"))?;
        read.append(header, value);
    }
    Ok(read)
}

/// What every client sends; both kinds of key, so that every dialect finds its own.
fn usual_headers() -> HeaderMap {
    let headers = [
        ("host", "127.0.0.1"),
        ("content-type", "application/json"),
        ("authorization", "Bearer sk-test"),
        ("api-key", "test"),
    ];
    headers
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect()
}

const KEYS: [&str; 4] = ["method", "path", "headers", "body"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Typed, String> {
        Typed::parse(text.as_bytes().to_vec(), "/v1/chat/completions")
    }

    #[test]
    fn a_body_alone_is_posted_as_it_is() {
        for body in
            ["{\"model\": \"m\", \"messages\": []}", "{}", "[]", "{\"body\":1,\"model\":2}", "{ broken", ""]
        {
            let request = parse(body).unwrap();
            assert_eq!(request.method, Method::POST, "{body}");
            assert_eq!(request.target, "/v1/chat/completions", "{body}");
            assert_eq!(&request.body[..], body.as_bytes());
            assert_eq!(request.headers["authorization"], "Bearer sk-test");
        }
    }

    #[test]
    fn a_whole_request_says_everything_itself() {
        let request = parse(r#"{"method":"GET","path":"/v1/models?a=b","headers":{"X-One":"1"}}"#).unwrap();
        assert_eq!((request.method, request.target.as_str()), (Method::GET, "/v1/models?a=b"));
        assert_eq!(request.headers.len(), 1);
        assert_eq!(request.headers["x-one"], "1");
        assert!(request.body.is_empty());

        let request = parse(r#"{"body":{"model":"m","n":1}}"#).unwrap();
        assert_eq!(&request.body[..], br#"{"model":"m","n":1}"#);
        let request = parse(r#"{"body":"{ broken"}"#).unwrap();
        assert_eq!(&request.body[..], b"{ broken");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (text, expected) in [
            (r#"{"method":1}"#, "method: expected a string, got 1"),
            (r#"{"method":"GE T"}"#, r#"method: "GE T" is none"#),
            (r#"{"path":["/"]}"#, r#"path: expected a string, got ["/"]"#),
            (r#"{"headers":[]}"#, "headers: expected an object of strings"),
            (r#"{"headers":{"a b":"c"}}"#, r#"headers: "a b" is no name"#),
            (r#"{"headers":{"a":"b\n"}}"#, r#"headers: a: "b\n" is no value"#),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()));
        }
    }
}
