//! The real service: where it is, whom it is trusted by, and connections to it.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::StartError;
use crate::serve::clock;

/// Where the real service is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Upstream {
    /// Whether over TLS.
    pub(super) is_https: bool,
    /// The host, with its port where that is not the usual one.
    pub(super) authority: String,
    /// What stands before every path; without a slash at its end.
    pub(super) base: String,
    host: String,
    port: u16,
}

impl Upstream {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// In words, what is wrong with it.
    pub(super) fn read(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "{:?} is no address of a service: {why}; expected one like https://api.openai.com",
                shown(url)
            )
        };
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(wrong("it is neither https:// nor http://")),
            None => return Err(wrong("it does not begin with https:// or http://")),
        };
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        if authority.contains('@') {
            return Err("an address of a service has no user in it: keys are the client's".to_owned());
        }
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        if uri.query().is_some() {
            return Err(wrong("it has a query"));
        }
        Ok(Self {
            is_https,
            authority: authority.to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
        })
    }

    /// The URL without its base path.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.authority)
    }
}

/// What of a URL is not a secret, whatever it was meant to be: neither a user nor a query.
fn shown(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    url.rsplit('@').next().unwrap_or_default()
}

/// A byte stream to the service.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<I: AsyncRead + AsyncWrite + Send + Unpin> Stream for I {}

/// A connection to the service.
pub(super) struct Link {
    pub(super) io: Box<dyn Stream>,
    /// Whether HTTP/2 is spoken on it.
    pub(super) is_http2: bool,
}

/// Who connects to the service.
pub(super) trait Dial: fmt::Debug + Send + Sync {
    /// Connects.
    ///
    /// # Errors
    ///
    /// In words, why it cannot.
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Link, String>> + Send + '_>>;
}

/// Connects over TCP, and TLS.
pub(super) struct Dialer {
    upstream: Upstream,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Dialer {
    /// Trusts what the system trusts, and the authorities of `ca`.
    pub(super) fn new(upstream: Upstream, ca: &[Authority]) -> Result<Self, StartError> {
        let tls = match upstream.is_https {
            true => Some((connector(ca)?, name(&upstream)?)),
            false => None,
        };
        Ok(Self { upstream, tls })
    }

    async fn connect(&self) -> Result<Link, String> {
        let origin = self.upstream.origin();
        let limit = clock::now() + CONNECT_LIMIT;
        let connecting = TcpStream::connect((self.upstream.host.as_str(), self.upstream.port));
        let socket = match clock::before(limit, connecting).await {
            Some(socket) => socket.map_err(|error| format!("cannot connect to {origin}: {error}"))?,
            None => return Err(format!("cannot connect to {origin} within {} s", CONNECT_LIMIT.as_secs())),
        };
        // Without it, the kernel may hold back the end of a request.
        let _ = socket.set_nodelay(true);
        let Some((connector, name)) = &self.tls else {
            return Ok(Link { io: Box::new(socket), is_http2: false });
        };
        let shaking = connector.connect(name.clone(), socket);
        let stream = match clock::before(clock::now() + CONNECT_LIMIT, shaking).await {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => return Err(format!("no TLS with {origin}: {}", untrusted(&error))),
            None => return Err(format!("no TLS with {origin} within {} s", CONNECT_LIMIT.as_secs())),
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Link { io: Box::new(stream), is_http2 })
    }
}

impl Dial for Dialer {
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Link, String>> + Send + '_>> {
        Box::pin(self.connect())
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Dialer").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

/// Certificates of authorities that are trusted.
#[derive(Clone, Debug)]
pub(super) enum Authority {
    /// A PEM file.
    File(PathBuf),
    /// PEM.
    Pem(String),
}

impl Authority {
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, StartError> {
        let (read, file) = match self {
            Self::File(path) => {
                (CertificateDer::pem_file_iter(path).and_then(Iterator::collect), Some(path.as_path()))
            }
            Self::Pem(pem) => (CertificateDer::pem_slice_iter(pem.as_bytes()).collect(), None),
        };
        let certificates: Vec<_> = read.map_err(|error| unusable(file, error))?;
        match certificates.is_empty() {
            true => Err(unusable(file, "it holds no certificate in PEM")),
            false => Ok(certificates),
        }
    }
}

fn connector(ca: &[Authority]) -> Result<TlsConnector, StartError> {
    let mut roots = RootCertStore::empty();
    // Some of a system's certificates cannot be read now and then; those that can do.
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    for authority in ca {
        for certificate in authority.certificates()? {
            let file = if let Authority::File(path) = authority { Some(path.as_path()) } else { None };
            roots.add(certificate).map_err(|error| unusable(file, error))?;
        }
    }
    if roots.is_empty() {
        return Err(unusable(None, "this system has no trusted certificates; give those of the service"));
    }
    // The provider is given, not installed: installing one is process-wide.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(None, error))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn name(upstream: &Upstream) -> Result<ServerName<'static>, StartError> {
    ServerName::try_from(upstream.host.clone())
        .map_err(|_| StartError::Upstream(format!("{:?} is no name that TLS knows", upstream.host)))
}

fn unusable(file: Option<&Path>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StartError {
    StartError::Tls { file: file.map(Path::to_owned), source: source.into() }
}

/// Why hands were not shaken, and what to do where the certificate is the reason.
fn untrusted(error: &io::Error) -> String {
    let text = error.to_string();
    match text.contains("certificate") {
        true => format!("{text}; trust another authority with --ca FILE"),
        false => text,
    }
}

/// How long connecting may take, and shaking hands.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_what_stands_before_every_path() {
        for (url, origin, base, host, port) in [
            ("https://api.openai.com", "https://api.openai.com", "", "api.openai.com", 443),
            ("https://api.openai.com/", "https://api.openai.com", "", "api.openai.com", 443),
            ("http://localhost:4010/base/", "http://localhost:4010", "/base", "localhost", 4010),
            ("https://[::1]:8443/a/b", "https://[::1]:8443", "/a/b", "::1", 8443),
        ] {
            let upstream = Upstream::read(url).unwrap();
            assert_eq!(upstream.origin(), origin, "{url}");
            assert_eq!((&*upstream.base, &*upstream.host, upstream.port), (base, host, port), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (url, why) in [
            ("api.openai.com", "it does not begin with https:// or http://"),
            ("ftp://a", "it is neither https:// nor http://"),
            ("https://a", "it has a query"),
            ("a b", "invalid uri character"),
        ] {
            let given = match why {
                "it has a query" => format!("{url}?key=sk-1"),
                "invalid uri character" => format!("https://user:sk-1@{url}"),
                _ => url.to_owned(),
            };
            assert_eq!(
                Upstream::read(&given).unwrap_err(),
                format!(
                    "{url:?} is no address of a service: {why}; expected one like https://api.openai.com"
                )
            );
        }
        assert_eq!(
            Upstream::read("https://user:sk-1@a").unwrap_err(),
            "an address of a service has no user in it: keys are the client's"
        );
    }
}
