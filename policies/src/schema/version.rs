//! The Kubernetes versions whose kinds are shipped.

use std::{fmt, str::FromStr};

use super::table::Table;

/// A version of Kubernetes whose kinds are shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesVersion {
    minor: u8,
}

/// A text that names no version whose kinds are shipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// No version at all.
    #[error("{found:?} is not a version of Kubernetes; passes: {shipped}")]
    NotAVersion {
        /// The text, cut to what fits a message.
        found: String,
        /// What would pass.
        shipped: String,
    },
    /// A version of which nothing is known.
    #[error("the kinds of Kubernetes {found} are not shipped; passes: {shipped}")]
    NotShipped {
        /// The version.
        found: String,
        /// What would pass.
        shipped: String,
    },
}

impl KubernetesVersion {
    /// Every version whose kinds are shipped, the oldest first.
    pub fn shipped() -> impl DoubleEndedIterator<Item = Self> {
        Table::shipped().minors().map(|minor| Self { minor })
    }

    /// The newest version whose kinds are shipped.
    #[must_use]
    pub fn newest() -> Self {
        Self::shipped().next_back().unwrap_or(Self { minor: 0 })
    }

    /// The number after `1.`.
    #[must_use]
    pub const fn minor(self) -> u8 {
        self.minor
    }

    /// Its place in the table.
    pub(crate) fn release(self) -> Option<usize> {
        Table::shipped()
            .minors()
            .position(|minor| minor == self.minor)
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

impl FromStr for KubernetesVersion {
    type Err = VersionError;

    /// `1.36`, `v1.36` or `1.36.3`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let shipped = || {
            let words: Vec<String> = Self::shipped().map(|version| version.to_string()).collect();
            words.join(", ")
        };
        let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
        let numbers = (
            parts.next(),
            parts.next().map(str::parse::<u32>),
            parts.next(),
        );
        let patch = numbers
            .2
            .is_none_or(|patch| patch.starts_with(|first: char| first.is_ascii_digit()));
        let (Some("1"), Some(Ok(minor)), true) = (numbers.0, numbers.1, patch) else {
            return Err(VersionError::NotAVersion {
                found: text.chars().take(40).collect(),
                shipped: shipped(),
            });
        };
        Self::shipped()
            .find(|version| u32::from(version.minor) == minor)
            .ok_or_else(|| VersionError::NotShipped {
                found: format!("1.{minor}"),
                shipped: shipped(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_as_people_write_them_and_refuses_others_with_what_is_shipped() {
        for text in ["1.36", "v1.36", "1.36.3", "v1.36.3+k3s1"] {
            assert_eq!(text.parse::<KubernetesVersion>().unwrap().minor(), 36);
        }
        for (text, words) in [
            ("1.12", "the kinds of Kubernetes 1.12 are not shipped"),
            ("1.99999", "are not shipped"),
            ("2.1", "is not a version"),
            ("36", "is not a version"),
            ("", "is not a version"),
            ("1.36.x", "is not a version"),
            ("1.-3", "is not a version"),
        ] {
            let error = text.parse::<KubernetesVersion>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(
                error.ends_with("passes: 1.33, 1.34, 1.35, 1.36, 1.37"),
                "{error}"
            );
        }
        assert_eq!(KubernetesVersion::newest().to_string(), "1.37");
    }
}
