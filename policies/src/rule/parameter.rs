//! Typed parameters of rules: their bounds, their defaults, and how a policy's value is read.

use std::fmt;

use serde_json::Value;
use sluice_api::Duration;

use crate::view::field_text;

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

/// A parameter of a rule.
#[derive(Clone, Copy, Debug)]
pub enum Parameter {
    /// A whole number.
    Int(&'static IntParameter),
    /// A span of time.
    Span(&'static SpanParameter),
}

/// The value of a parameter, in the grain of its type: a number, or seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParameterValue {
    /// A whole number.
    Int(i64),
    /// Seconds.
    Span(u64),
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Span(seconds) => write!(f, "{}", Duration::from_secs(*seconds)),
        }
    }
}

impl Parameter {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Int(parameter) => parameter.name,
            Self::Span(parameter) => parameter.name,
        }
    }

    /// Its type, in a word.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "integer",
            Self::Span(_) => "duration",
        }
    }

    /// What it bounds.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        match self {
            Self::Int(parameter) => parameter.meaning,
            Self::Span(parameter) => parameter.meaning,
        }
    }

    /// Its value unless a policy sets it.
    #[must_use]
    pub const fn default(&self) -> ParameterValue {
        match self {
            Self::Int(parameter) => ParameterValue::Int(parameter.default),
            Self::Span(parameter) => ParameterValue::Span(parameter.default),
        }
    }

    /// The least and the greatest value that are accepted.
    #[must_use]
    pub const fn range(&self) -> (ParameterValue, ParameterValue) {
        match self {
            Self::Int(parameter) => (
                ParameterValue::Int(parameter.least),
                ParameterValue::Int(parameter.most),
            ),
            Self::Span(parameter) => (
                ParameterValue::Span(parameter.least),
                ParameterValue::Span(parameter.most),
            ),
        }
    }

    /// What a policy may write, in words.
    #[must_use]
    pub fn passes(&self) -> String {
        let (least, most) = self.range();
        match self {
            Self::Int(_) => format!("a whole number from {least} to {most}"),
            Self::Span(_) => format!("a duration in whole seconds from {least} to {most}"),
        }
    }

    /// The value that a policy wrote; the error is what was found.
    pub(crate) fn read(&self, value: &Value) -> Result<ParameterValue, String> {
        let read = match self {
            Self::Int(_) => value.as_i64().map(ParameterValue::Int),
            Self::Span(_) => value
                .as_str()
                .and_then(|text| text.parse::<Duration>().ok())
                .map(Duration::get)
                .filter(|span| span.subsec_nanos() == 0)
                .map(|span| ParameterValue::Span(span.as_secs())),
        };
        let (least, most) = self.range();
        read.filter(|read| (least..=most).contains(read))
            .ok_or_else(|| field_text(value))
    }
}
