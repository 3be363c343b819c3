//! Parameters that can be compared: counts, spans, ratios, amounts.

use sluice_api::Duration;
use sluice_tree::Value;

use crate::capacity::Quantity;

/// A whole number.
#[derive(Debug)]
pub struct IntParameter {
    /// Its name.
    pub name: &'static str,
    /// Its value unless a policy sets it.
    pub default: i64,
    /// The least value that is accepted.
    pub least: i64,
    /// The greatest value that is accepted.
    pub most: i64,
    /// What it bounds.
    pub meaning: &'static str,
}

impl IntParameter {
    pub(super) fn accepted(&self) -> String {
        format!("{} to {}", self.least, self.most)
    }

    pub(super) fn read(&self, value: &Value) -> Option<i64> {
        value
            .as_i64()
            .filter(|read| (self.least..=self.most).contains(read))
    }
}

/// A span of time in whole seconds, written like `90s`, `1h`.
#[derive(Debug)]
pub struct SpanParameter {
    /// Its name.
    pub name: &'static str,
    /// Its value in seconds unless a policy sets it.
    pub default: u64,
    /// The shortest value that is accepted, in seconds.
    pub least: u64,
    /// The longest value that is accepted, in seconds.
    pub most: u64,
    /// What it bounds.
    pub meaning: &'static str,
}

impl SpanParameter {
    pub(super) fn accepted(&self) -> String {
        let span = Duration::from_secs;
        format!("{} to {}", span(self.least), span(self.most))
    }

    pub(super) fn read(&self, value: &Value) -> Option<u64> {
        let span = value.as_str()?.parse::<Duration>().ok()?.get();
        (span.subsec_nanos() == 0 && (self.least..=self.most).contains(&span.as_secs()))
            .then_some(span.as_secs())
    }
}

/// How many times as much, in hundredths, written like `4`, `1.5`.
#[derive(Debug)]
pub struct RatioParameter {
    /// Its name.
    pub name: &'static str,
    /// Its value in hundredths unless a policy sets it.
    pub default: i64,
    /// The least value that is accepted, in hundredths.
    pub least: i64,
    /// The greatest value that is accepted, in hundredths.
    pub most: i64,
    /// What it bounds.
    pub meaning: &'static str,
}

impl RatioParameter {
    pub(super) fn accepted(&self) -> String {
        format!("{} to {}", ratio_text(self.least), ratio_text(self.most))
    }

    pub(super) fn read(&self, value: &Value) -> Option<i64> {
        let hundredths = match value {
            Value::String(text) => hundredths(text)?,
            // printed in the shortest form that means the same number
            Value::Number(number) => hundredths(&number.to_string())?,
            _ => return None,
        };
        (self.least..=self.most)
            .contains(&hundredths)
            .then_some(hundredths)
    }
}

/// A number with at most two decimals.
fn hundredths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    // `4.0` is how a number with a point is printed
    if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let tenths = if fraction.len() == 1 { 10 } else { 1 };
    let fraction = fraction.parse::<i64>().ok()?.checked_mul(tenths)?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(100)?
        .checked_add(fraction)
}

/// A ratio as people write it: `4`, `1.5`, `1.25`.
pub(crate) fn ratio_text(hundredths: i64) -> String {
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match (rest, rest % 10) {
        (0, _) => whole.to_string(),
        (_, 0) => format!("{whole}.{}", rest / 10),
        _ => format!("{whole}.{rest:02}"),
    }
}

/// An amount of a resource, written like `500m`, `64Mi`.
#[derive(Debug)]
pub struct QuantityParameter {
    /// Its name.
    pub name: &'static str,
    /// Its value unless a policy sets it.
    pub default: &'static str,
    /// The least amount that is accepted.
    pub least: &'static str,
    /// The greatest amount that is accepted.
    pub most: &'static str,
    /// What it bounds.
    pub meaning: &'static str,
}

impl QuantityParameter {
    /// Its value unless a policy sets it.
    #[must_use]
    pub fn default(&self) -> Quantity {
        own(self.default)
    }

    pub(super) fn accepted(&self) -> String {
        format!("{} to {}", self.least, self.most)
    }

    pub(super) fn read(&self, value: &Value) -> Option<Quantity> {
        let read = Quantity::of(value).ok()?;
        (own(self.least)..=own(self.most))
            .contains(&read)
            // printed alike, however it is written
            .then(|| read.printed_like(self.default()))
    }
}

/// An amount out of a rule; a test of the catalogue holds that every one can be read.
fn own(text: &str) -> Quantity {
    text.parse().unwrap_or(Quantity::ZERO)
}
