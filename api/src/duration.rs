//! A span of time as people write it in manifests: `300ms`, `5s`, `2m`, `1h30m` (Go's units without the day, as everywhere in Kubernetes).

use std::{borrow::Cow, fmt, str::FromStr, time};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest span a manifest may name; far above any sensible bake, far below any overflow.
const LONGEST: time::Duration = time::Duration::from_secs(366 * 24 * 3600);

/// A non-negative span of time with millisecond grain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(time::Duration);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a duration: use whole or decimal numbers with ms, s, m or h, such as 300ms, 5s, 1h30m, at most 8784h"
)]
pub struct DurationError {
    /// The text as written, cut to what fits a message.
    pub found: String,
}

impl Duration {
    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(time::Duration::from_secs(seconds))
    }

    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(time::Duration::from_millis(milliseconds))
    }

    /// The same span for the standard library.
    #[must_use]
    pub const fn get(self) -> time::Duration {
        self.0
    }

    /// Whether the span is empty.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<Duration> for time::Duration {
    fn from(value: Duration) -> Self {
        value.0
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self).ok_or_else(|| DurationError {
            found: text.chars().take(40).collect(),
        })
    }
}

fn parse(text: &str) -> Option<time::Duration> {
    if text == "0" {
        return Some(time::Duration::ZERO);
    }
    if text.is_empty() || text.len() > 32 {
        return None;
    }
    let mut rest = text;
    let mut milliseconds = 0.0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        if number.is_empty() || number.starts_with('.') || number.ends_with('.') {
            return None;
        }
        let number: f64 = number.parse().ok()?;
        let (unit, tail) = [("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6)]
            .iter()
            .find_map(|(name, unit)| tail.strip_prefix(name).map(|tail| (*unit, tail)))?;
        milliseconds += number * unit;
        rest = tail;
    }
    let span = time::Duration::try_from_secs_f64((milliseconds / 1e3 * 1e3).round() / 1e3).ok()?;
    (span <= LONGEST).then_some(span)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        if milliseconds == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let above = match unit {
                "h" => milliseconds,
                "m" => milliseconds % 3_600_000,
                "s" => milliseconds % 60_000,
                _ => milliseconds % 1_000,
            };
            if above / size > 0 {
                write!(f, "{}{unit}", above / size)?;
            }
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 32,
            "pattern": r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_people_write() {
        for (text, milliseconds, canonical) in [
            ("300ms", 300, "300ms"),
            ("5s", 5_000, "5s"),
            ("1.5s", 1_500, "1s500ms"),
            ("2m", 120_000, "2m"),
            ("90m", 5_400_000, "1h30m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
        ] {
            let read: Duration = text.parse().unwrap();
            assert_eq!(read, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(read.to_string(), canonical, "{text}");
            assert_eq!(
                read.to_string().parse::<Duration>().unwrap(),
                read,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "5d",
            ".5s",
            "5.s",
            "1e3s",
            "1..5s",
            "99999999h",
            "5sx",
            "NaNs",
            "infs",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text} was read");
        }
    }
}
