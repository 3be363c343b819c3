//! The TLS configuration that is served: TLS 1.3 and 1.2, ALPN `http/1.1` only, as the API server speaks to webhooks. Pure.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{
    inspect::{self, InspectError},
    issue::Keyed,
};

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// The certificate or the key.
    #[error("the certificate cannot be served")]
    Certificate(#[source] InspectError),
    /// The TLS library.
    #[error("no TLS configuration can be made")]
    Tls(#[source] rustls::Error),
}

/// A server configuration for this certificate.
///
/// # Errors
/// A certificate or key that cannot be read, or that do not belong together.
pub fn server_config(leaf: &Keyed) -> Result<ServerConfig, ServingError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = inspect::certified_key(&leaf.cert_pem, &leaf.key_pem, &provider)
        .map_err(ServingError::Certificate)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ServingError::Tls)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(key))));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // the API server's client never resumes a session; tickets would only cost
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// A client configuration that trusts this bundle and nothing else, as the API server does. For self-tests.
///
/// # Errors
/// A bundle without a usable certificate.
pub fn client_config(ca_bundle: &[u8]) -> Result<ClientConfig, ServingError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_bundle) {
        let certificate = certificate
            .map_err(|error| ServingError::Certificate(InspectError::NoCertificate(Some(error))))?;
        roots.add(certificate).map_err(ServingError::Tls)?;
    }
    if roots.is_empty() {
        return Err(ServingError::Certificate(InspectError::NoCertificate(None)));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ServingError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The one certificate, whatever name is asked for: the client checks it, not we.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
