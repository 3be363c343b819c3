//! Labels people set and Sluice reads.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// On a Namespace: how much Sluice may do there, see [`Mode`].
pub const MODE: &str = "sluice.dev/mode";

/// What the label [`MODE`] of a namespace says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not seen at all.
    Off,
    /// Judged and counted, nobody is told. What a namespace without the label gets.
    #[default]
    Audit,
    /// Findings and closed gates come back as warnings; nothing is refused, held or stepped.
    Warn,
    /// Findings deny, closed gates refuse, releases are held and stepped.
    Enforce,
}

/// A label value that names no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a mode: use off, audit, warn or enforce")]
pub struct ModeError {
    /// The value found.
    pub found: String,
}

impl Mode {
    /// The mode of a namespace from its label value. A missing label is `audit`; a value that is no mode is `audit` too:
    /// a typo must neither refuse people's work nor switch judging off.
    #[must_use]
    pub fn of_label(value: Option<&str>) -> Self {
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or_default()
    }

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Audit => "audit",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Off, Self::Audit, Self::Warn, Self::Enforce]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| ModeError {
                found: text.to_owned(),
            })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
