//! Which versions of Kubernetes an installation works on. Pure, but for asking the server which it is.

use std::fmt;

use kube::Client;

use crate::cluster::explained;

/// The oldest version that has everything Sluice relies on: with 1.30 ValidatingAdmissionPolicy and the match conditions of webhooks are stable and on
/// everywhere. Without the first, requests for abort and retry would pass unguarded; without the second, Sluice's own writes would wait for Sluice.
pub const OLDEST: KubernetesVersion = KubernetesVersion {
    major: 1,
    minor: 30,
};

/// A version of Kubernetes, as far as features hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion {
    /// 1.
    pub major: u32,
    /// What changes three times a year.
    pub minor: u32,
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl KubernetesVersion {
    /// Whether an installation works on it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self >= OLDEST
    }

    /// From the words of the API server, of which some providers write the minor version as `30+`.
    #[must_use]
    pub fn read(major: &str, minor: &str) -> Option<Self> {
        let digits = |text: &str| {
            let end = text
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len());
            text[..end].parse().ok()
        };
        Some(Self {
            major: digits(major)?,
            minor: digits(minor)?,
        })
    }
}

/// The version of the API server.
///
/// # Errors
/// When it does not answer, or with something that is no version.
pub async fn version_of(client: &Client) -> anyhow::Result<KubernetesVersion> {
    let said = explained(
        client.apiserver_version().await,
        "the version of the API server cannot be read",
    )?;
    KubernetesVersion::read(&said.major, &said.minor).ok_or_else(|| {
        anyhow::anyhow!(
            "the API server says version {:?}.{:?}, which is none",
            said.major,
            said.minor
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_providers_write_them() {
        for (major, minor, expected) in [
            ("1", "30", Some(true)),
            ("1", "29", Some(false)),
            ("1", "36+", Some(true)),
            ("1", "9", Some(false)),
            ("2", "0", Some(true)),
            ("", "30", None),
            ("1", "x", None),
        ] {
            let version = KubernetesVersion::read(major, minor);
            assert_eq!(
                version.map(KubernetesVersion::is_supported),
                expected,
                "{major}.{minor}"
            );
        }
    }
}
