//! What stored certificates say, and whether they work. Pure.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{issue::Keyed, names::ServingNames};

/// What a certificate says about its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
}

impl Facts {
    /// When two thirds of its life are over.
    #[must_use]
    pub fn two_thirds(&self) -> Timestamp {
        let from = self.not_before.as_second();
        let life = self.not_after.as_second().saturating_sub(from);
        Timestamp::from_second(from + life / 3 * 2).unwrap_or(self.not_after)
    }
}

/// What is wrong with stored certificates.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The text holds no certificate.
    #[error("no certificate in PEM found")]
    NoCertificate(#[source] Option<rustls::pki_types::pem::Error>),
    /// The certificate is no X.509.
    #[error("the certificate cannot be read")]
    Unreadable(#[source] x509_parser::error::X509Error),
    /// Its times are out of range.
    #[error("the certificate's times cannot be read")]
    Times(#[source] jiff::Error),
    /// The text holds no private key.
    #[error("no private key in PEM found")]
    NoKey(#[source] rustls::pki_types::pem::Error),
    /// The key is not the certificate's, or of a kind that is not supported.
    #[error("the private key does not fit the certificate")]
    Key(#[source] rustls::Error),
    /// The authority cannot be trusted.
    #[error("the authority cannot be used")]
    Authority(#[source] rustls::Error),
    /// Authorities in this form are not accepted.
    #[error("the authority cannot be used to verify")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    /// A client would refuse the certificate.
    #[error("a client asking for {name} refuses the certificate")]
    Refused {
        /// The name it asks for.
        name: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// A name is none.
    #[error("`{name}` is no server name")]
    Name {
        /// As given.
        name: String,
        /// Why not.
        #[source]
        source: rustls::pki_types::InvalidDnsNameError,
    },
}

/// The first certificate of a PEM text.
///
/// # Errors
/// No certificate in it, or one that cannot be read.
pub fn facts(cert_pem: &str) -> Result<Facts, InspectError> {
    facts_of(&first(cert_pem)?)
}

/// Every certificate of a PEM text, in its order: what a published bundle holds.
///
/// # Errors
/// No certificate in it, or one that cannot be read.
pub fn all_facts(pem: &str) -> Result<Vec<Facts>, InspectError> {
    every(pem)?.iter().map(facts_of).collect()
}

fn facts_of(der: &CertificateDer<'_>) -> Result<Facts, InspectError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| InspectError::Unreadable(error.into()))?;
    let at = |seconds| Timestamp::from_second(seconds).map_err(InspectError::Times);
    Ok(Facts {
        not_before: at(certificate.validity().not_before.timestamp())?,
        not_after: at(certificate.validity().not_after.timestamp())?,
    })
}

fn every(pem: &str) -> Result<Vec<CertificateDer<'static>>, InspectError> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| InspectError::NoCertificate(Some(error)))?;
    if found.is_empty() {
        return Err(InspectError::NoCertificate(None));
    }
    Ok(found)
}

fn first(cert_pem: &str) -> Result<CertificateDer<'static>, InspectError> {
    CertificateDer::pem_slice_iter(cert_pem.as_bytes())
        .next()
        .ok_or(InspectError::NoCertificate(None))?
        .map_err(|error| InspectError::NoCertificate(Some(error)))
}

/// A certificate chain with its key, ready to be served.
///
/// # Errors
/// Text that holds neither, or a key that is not the certificate's.
pub fn certified_key(
    cert_pem: &str,
    key_pem: &str,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, InspectError> {
    let chain = CertificateDer::pem_slice_iter(cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| InspectError::NoCertificate(Some(error)))?;
    if chain.is_empty() {
        return Err(InspectError::NoCertificate(None));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(InspectError::NoKey)?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(InspectError::Key)?;
    // `from_der` lets a key pass whose public half it cannot compare; that is no proof
    certified.keys_match().map_err(InspectError::Key)?;
    Ok(certified)
}

/// Whether a client that trusts `ca_pem` accepts this certificate for each name at `now`, and the key is the certificate's.
///
/// # Errors
/// The first reason why not.
pub fn check(
    ca_pem: &str,
    leaf: &Keyed,
    names: &ServingNames,
    now: Timestamp,
) -> Result<(), InspectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    certified_key(&leaf.cert_pem, &leaf.key_pem, &provider)?;
    let mut roots = RootCertStore::empty();
    roots.add(first(ca_pem)?).map_err(InspectError::Authority)?;
    let by_name = names.dns().iter().map(|name| {
        ServerName::try_from(name.clone()).map_err(|source| InspectError::Name {
            name: name.clone(),
            source,
        })
    });
    let by_address = names
        .addresses()
        .iter()
        .map(|address: &IpAddr| Ok(ServerName::IpAddress((*address).into())));
    let names = by_name.chain(by_address).collect::<Result<Vec<_>, _>>()?;
    accepted(roots, &leaf.cert_pem, &names, now)
}

/// Whether a client that trusts this bundle and nothing else accepts the certificate for `host` at `now`, as the API server does.
///
/// # Errors
/// The reason why not.
pub fn trusted(
    ca_bundle: &str,
    cert_pem: &str,
    host: &str,
    now: Timestamp,
) -> Result<(), InspectError> {
    let mut roots = RootCertStore::empty();
    for authority in every(ca_bundle)? {
        roots.add(authority).map_err(InspectError::Authority)?;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|source| InspectError::Name {
        name: host.to_owned(),
        source,
    })?;
    accepted(roots, cert_pem, &[name], now)
}

fn accepted(
    roots: RootCertStore,
    cert_pem: &str,
    names: &[ServerName<'static>],
    now: Timestamp,
) -> Result<(), InspectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(InspectError::Verifier)?;
    let certificate = first(cert_pem)?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(
        u64::try_from(now.as_second()).unwrap_or(0),
    ));
    for name in names {
        verifier
            .verify_server_cert(&certificate, &[], name, &[], at)
            .map_err(|source| InspectError::Refused {
                name: name.to_str().into_owned(),
                source,
            })?;
    }
    Ok(())
}
