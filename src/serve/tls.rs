//! Serving https, with given certificates or with a self-signed CA.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::server::TlsStream;

use super::accept::Secure;
use crate::error::StartError;

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Tls {
    /// A CA made for this server, and a certificate of it for `localhost`, `127.0.0.1` and `::1`.
    /// Clients have to trust [`MockServer::ca_pem`](super::MockServer::ca_pem).
    SelfSigned,
    /// PEM files.
    Files {
        /// The certificate, and those between it and its CA.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// What shakes hands, and the CA that clients have to trust.
#[derive(Clone)]
pub(crate) struct Acceptor {
    acceptor: TlsAcceptor,
    /// `None` where the certificate was given.
    pub(crate) ca_pem: Option<String>,
}

impl Tls {
    pub(crate) fn acceptor(self) -> Result<Acceptor, StartError> {
        let (certificates, key, ca_pem) = match self {
            Self::SelfSigned => self_signed().map_err(|error| unusable(None, error))?,
            Self::Files { cert, key } => {
                let certificates = CertificateDer::pem_file_iter(&cert)
                    .and_then(Iterator::collect)
                    .map_err(|error| unusable(Some(cert), error))?;
                let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| unusable(Some(key), error))?;
                (certificates, key, None)
            }
        };
        // The provider is given, not installed: installing one is process-wide.
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, key))
            .map_err(|error| unusable(None, error))?;
        Ok(Acceptor { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem })
    }
}

impl Secure for Acceptor {
    type Stream = TlsStream<TcpStream>;

    async fn secure(&self, socket: TcpStream) -> io::Result<Self::Stream> {
        self.acceptor.accept(socket).await
    }

    fn socket(stream: &Self::Stream) -> SockRef<'_> {
        SockRef::from(stream.get_ref().0)
    }
}

fn unusable(file: Option<PathBuf>, source: impl Error + Send + Sync + 'static) -> StartError {
    StartError::Tls { file, source: source.into() }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, Option<String>);

fn self_signed() -> Result<Identity, rcgen::Error> {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    };

    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "llmirage test CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;

    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut leaf = CertificateParams::new(names.to_vec())?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&key, &ca)?;

    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("rcgen writes PKCS #8");
    Ok((vec![leaf.der().clone()], key, Some(ca.pem())))
}
