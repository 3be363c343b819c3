//! Issues authorities and serving certificates: ECDSA on P-256. Pure but for the random keys.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber, date_time_ymd,
};

use crate::{names::ServingNames, rotation::Terms};

/// Certificates are valid from this long before they are issued, for clocks that are behind ours.
pub const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A name is none that a certificate can carry.
    #[error("`{name}` cannot be a certificate's name: use a DNS name in ASCII")]
    Name {
        /// As given.
        name: String,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// The authority's stored certificate or key cannot be used to sign.
    #[error("the stored authority cannot sign")]
    Authority(#[source] rcgen::Error),
    /// The cryptography failed.
    #[error("the certificate could not be made")]
    Make(#[source] rcgen::Error),
    /// The clock says a time that no certificate can carry.
    #[error("no certificate can be made at {now}: the clock must be between 1970 and 9999")]
    Clock {
        /// What the clock says.
        now: Timestamp,
    },
}

/// A certificate and its key, both PEM. Its `Debug` leaves the key out.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The certificate.
    pub cert_pem: String,
    /// Its private key, PKCS #8.
    pub key_pem: String,
}

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyed")
            .field("cert_pem", &self.cert_pem)
            .finish_non_exhaustive()
    }
}

/// A new authority with a serving certificate of it.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The authority.
    pub ca: Keyed,
    /// The serving certificate.
    pub leaf: Keyed,
}

/// A new authority and a serving certificate of it for these names.
///
/// # Errors
/// A name that no certificate can carry, or a failure of the cryptography.
pub fn issue(now: Timestamp, names: &ServingNames, terms: &Terms) -> Result<Bundle, IssueError> {
    let ca = authority(now, terms)?;
    let leaf = leaf(now, names, &ca, terms)?;
    Ok(Bundle { ca, leaf })
}

/// A new authority.
///
/// # Errors
/// A failure of the cryptography, or an impossible clock.
pub fn authority(now: Timestamp, terms: &Terms) -> Result<Keyed, IssueError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IssueError::Make)?;
    let mut params = CertificateParams::default();
    // authorities that overlap need different names, or a verifier may try the wrong one
    params.distinguished_name = subject(&format!("sluice-webhook-ca-{}", hex(tail(&key))));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, terms.authority)?;
    params.serial_number = Some(serial(now, &key));
    let certificate = params.self_signed(&key).map_err(IssueError::Make)?;
    Ok(Keyed {
        cert_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    })
}

/// A serving certificate of this authority, never valid longer than it.
///
/// # Errors
/// An authority that cannot sign, a name that no certificate can carry, or a failure of the cryptography.
pub fn leaf(
    now: Timestamp,
    names: &ServingNames,
    ca: &Keyed,
    terms: &Terms,
) -> Result<Keyed, IssueError> {
    let ca_key = KeyPair::from_pem(&ca.key_pem).map_err(IssueError::Authority)?;
    let issuer = Issuer::from_ca_cert_pem(&ca.cert_pem, ca_key).map_err(IssueError::Authority)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IssueError::Make)?;
    let mut params = CertificateParams::default();
    let first = names.dns().first().map_or("sluice-webhook", String::as_str);
    // a common name holds 64 characters; verifiers read the alternative names
    params.distinguished_name = subject(&first.chars().take(64).collect::<String>());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    for name in names.dns() {
        let name = name
            .as_str()
            .try_into()
            .map_err(|source| IssueError::Name {
                name: name.clone(),
                source,
            })?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    for address in names.addresses() {
        params.subject_alt_names.push(SanType::IpAddress(*address));
    }
    let lifetime = crate::inspect::facts(&ca.cert_pem).map_or(terms.leaf, |ca| {
        terms.leaf.min(remaining(now, ca.not_after))
    });
    valid(&mut params, now, lifetime)?;
    params.serial_number = Some(serial(now, &key));
    let certificate = params.signed_by(&key, &issuer).map_err(IssueError::Make)?;
    Ok(Keyed {
        cert_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    })
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject.push(DnType::OrganizationName, "sluice.dev");
    subject
}

fn remaining(now: Timestamp, until: Timestamp) -> Duration {
    until
        .duration_since(now)
        .try_into()
        .unwrap_or(Duration::ZERO)
}

/// Makes it valid from a little before `now`, for this long from `now`.
fn valid(params: &mut CertificateParams, now: Timestamp, span: Duration) -> Result<(), IssueError> {
    let seconds = u64::try_from(now.as_second()).map_err(|_| IssueError::Clock { now })?;
    // the last instant that a certificate can carry is in the year 9999
    if seconds.saturating_add(span.as_secs()) > 253_402_300_000 {
        return Err(IssueError::Clock { now });
    }
    let at = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params.not_before = at(seconds.saturating_sub(BACKDATED.as_secs()));
    params.not_after = at(seconds + span.as_secs());
    Ok(())
}

/// Positive, unique without a random source of its own: the time and the public key, which is random.
fn serial(now: Timestamp, key: &KeyPair) -> SerialNumber {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&now.as_second().to_be_bytes()[3..]);
    bytes.extend_from_slice(tail(key));
    SerialNumber::from(bytes)
}

/// The last bytes of the public key, which are random.
fn tail(key: &KeyPair) -> &[u8] {
    let public = key.public_key_raw();
    &public[public.len().saturating_sub(8)..]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
