//! How far a release has spread after a batch: a number of pods or a share of all.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A cumulative batch size. Ordering between the two forms needs the replica count, see [`BatchSize::pods`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchSize {
    /// So many pods, at least one.
    Pods(u32),
    /// So many percent of the replicas, 1 to 100.
    Percent(u8),
}

/// Why a text is no batch size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a batch size: use a number of pods of at least 1, or a share from \"1%\" to \"100%\""
)]
pub struct BatchSizeError {
    /// The text as written, cut to what fits a message.
    pub found: String,
}

impl BatchSize {
    /// Pods that run the new version after this batch of a workload with `replicas` pods.
    ///
    /// A share is rounded down as the Deployment controller rounds `maxUnavailable`, but never below one pod, and 100 % is always everything.
    #[must_use]
    pub fn pods(self, replicas: u32) -> u32 {
        match self {
            Self::Pods(pods) => pods.min(replicas),
            Self::Percent(percent) => {
                let share = u64::from(replicas) * u64::from(percent) / 100;
                u32::try_from(share)
                    .unwrap_or(replicas)
                    .max(1)
                    .min(replicas)
            }
        }
    }
}

impl FromStr for BatchSize {
    type Err = BatchSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || BatchSizeError {
            found: text.chars().take(20).collect(),
        };
        let digits = |digits: &str| {
            (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.parse::<u32>().ok())
                .flatten()
        };
        match text.strip_suffix('%') {
            Some(percent) => match digits(percent) {
                Some(percent @ 1..=100) => {
                    Ok(Self::Percent(u8::try_from(percent).map_err(|_| error())?))
                }
                _ => Err(error()),
            },
            None => match digits(text) {
                Some(pods) if pods >= 1 => Ok(Self::Pods(pods)),
                _ => Err(error()),
            },
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods(pods) => write!(f, "{pods}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pods(pods) => serializer.serialize_u32(*pods),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for BatchSize {
    fn schema_name() -> Cow<'static, str> {
        "BatchSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_against_the_replicas() {
        for (size, replicas, pods) in [
            ("1", 20, 1),
            ("10%", 20, 2),
            ("50%", 20, 10),
            ("100%", 20, 20),
            ("10%", 3, 1),
            ("99%", 3, 2),
            ("5", 3, 3),
            ("10%", 0, 0),
            ("100%", 7, 7),
        ] {
            assert_eq!(
                size.parse::<BatchSize>().unwrap().pods(replicas),
                pods,
                "{size} of {replicas}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_size() {
        for text in [
            "0",
            "0%",
            "101%",
            "-1",
            "10 %",
            "ten",
            "",
            "%",
            "1.5",
            "+3",
            "99999999999",
        ] {
            assert!(text.parse::<BatchSize>().is_err(), "{text} was read");
        }
    }
}
