//! Which version an installation replaces. Pure.

use std::fmt;

/// This program's version.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// From what to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing is installed.
    New,
    /// The same version is there.
    Same,
    /// An older one is there, by what it says of itself.
    Upgrade(String),
    /// One is there that does not say its version, as those before 0.1.0 was released did not.
    FromUnknown,
    /// A newer one is there, or one whose version cannot be read.
    Downgrade(String),
}

impl Change {
    /// From what the cluster holds.
    #[must_use]
    pub fn between(is_installed: bool, said: Option<&str>) -> Self {
        match (is_installed, said) {
            (_, Some(said)) if said == OWN => Self::Same,
            (_, Some(said)) => match (numbers(said), numbers(OWN)) {
                (Some(there), Some(own)) if there < own => Self::Upgrade(said.to_owned()),
                _ => Self::Downgrade(said.to_owned()),
            },
            (true, None) => Self::FromUnknown,
            (false, None) => Self::New,
        }
    }

    /// Why it is not done, when it is not.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Downgrade(there) => Some(format!(
                "version {there} is installed, and this is {OWN}: definitions and records of a newer version are not taken back. Use `sluice` {there}, or uninstall with it first"
            )),
            _ => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => write!(f, "installing Sluice {OWN}"),
            Self::Same => write!(f, "Sluice {OWN} is installed: putting right what differs"),
            Self::Upgrade(there) => write!(
                f,
                "upgrading Sluice from {there} to {OWN}: definitions and rights first, then the programs, one replica after the other; releases under way go on"
            ),
            Self::FromUnknown => write!(
                f,
                "bringing an installation that does not say its version to {OWN}; releases under way go on"
            ),
            Self::Downgrade(there) => write!(f, "Sluice {there} is installed, this is {OWN}"),
        }
    }
}

/// The three numbers of a version. What comes before a release, as `0.2.0-rc.1`, counts as that release minus a bit.
fn numbers(text: &str) -> Option<([u64; 3], bool)> {
    let (plain, before) = match text.split_once('-') {
        Some((plain, _)) => (plain, false),
        None => (text, true),
    };
    let plain = plain.split('+').next()?;
    let mut numbers = [0; 3];
    let mut parts = plain.split('.');
    for number in &mut numbers {
        *number = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then_some((numbers, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_older_is_upgraded() {
        let upgrade = |from: &str| Change::Upgrade(from.to_owned());
        let downgrade = |from: &str| Change::Downgrade(from.to_owned());
        for (installed, said, expected) in [
            (false, None, Change::New),
            (true, None, Change::FromUnknown),
            (true, Some(OWN), Change::Same),
            // an installation that was broken off after the namespace
            (false, Some(OWN), Change::Same),
            (true, Some("0.0.9"), upgrade("0.0.9")),
            (true, Some("0.1.0-rc.1"), upgrade("0.1.0-rc.1")),
            (true, Some("99.0.0"), downgrade("99.0.0")),
            (true, Some("0.10.0"), downgrade("0.10.0")),
            (true, Some("latest"), downgrade("latest")),
            (true, Some("1.2"), downgrade("1.2")),
        ] {
            let change = Change::between(installed, said);
            assert_eq!(
                change.problem().is_some(),
                matches!(change, Change::Downgrade(_))
            );
            assert_eq!(change, expected, "{installed} {said:?}");
        }
    }
}
