//! What a rule is given to judge.

use sluice_api::Duration;

use super::{
    BoolParameter, IntParameter, ParameterValue, QuantityParameter, RatioParameter, SpanParameter,
    TextParameter, TextsParameter,
};
use crate::{
    Facts,
    capacity::Quantity,
    view::{Field, Read, View},
};

/// One object before one rule.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The object.
    pub view: &'a View<'a>,
    /// The object it replaces, when it replaces one of the same kind.
    pub old: Option<&'a View<'a>>,
    /// The namespace it lies in.
    pub namespace: &'a str,
    /// What is known beside the object.
    pub facts: &'a Facts<'a>,
    /// What the policy set; a parameter that is not in here has its default.
    pub(crate) set: &'a [(&'static str, ParameterValue)],
}

impl<'a> Case<'a> {
    /// A field of the object after API defaults.
    #[must_use]
    pub fn field(&self, read: Read) -> Field<'a> {
        self.view.field(read)
    }

    /// The value of a number parameter.
    #[must_use]
    pub fn int(&self, parameter: &IntParameter) -> i64 {
        match self.set_value(parameter.name) {
            Some(ParameterValue::Int(value)) => *value,
            _ => parameter.default,
        }
    }

    /// The value of a span parameter, in seconds.
    #[must_use]
    pub fn seconds(&self, parameter: &SpanParameter) -> i64 {
        let seconds = match self.set_value(parameter.name) {
            Some(ParameterValue::Span(value)) => *value,
            _ => parameter.default,
        };
        i64::try_from(seconds).unwrap_or(i64::MAX)
    }

    /// The value of a ratio parameter, in hundredths.
    #[must_use]
    pub fn hundredths(&self, parameter: &RatioParameter) -> i64 {
        match self.set_value(parameter.name) {
            Some(ParameterValue::Ratio(value)) => *value,
            _ => parameter.default,
        }
    }

    /// The value of a quantity parameter.
    #[must_use]
    pub fn quantity(&self, parameter: &QuantityParameter) -> Quantity {
        match self.set_value(parameter.name) {
            Some(ParameterValue::Quantity(value)) => *value,
            _ => parameter.default(),
        }
    }

    /// The value of a yes-or-no parameter.
    #[must_use]
    pub fn yes(&self, parameter: &BoolParameter) -> bool {
        match self.set_value(parameter.name) {
            Some(ParameterValue::Bool(value)) => *value,
            _ => parameter.default,
        }
    }

    /// The value of a text parameter.
    #[must_use]
    pub fn text(&self, parameter: &TextParameter) -> &'a str {
        text_of(self.set, parameter)
    }

    /// The texts of a parameter that takes a list, sorted.
    #[must_use]
    pub fn texts(&self, parameter: &TextsParameter) -> Vec<&'a str> {
        match self.set_value(parameter.name) {
            Some(ParameterValue::Texts(values)) => values.iter().map(String::as_str).collect(),
            _ => parameter.default.to_vec(),
        }
    }

    fn set_value(&self, name: &str) -> Option<&'a ParameterValue> {
        value_of(self.set, name)
    }
}

fn value_of<'a>(
    set: &'a [(&'static str, ParameterValue)],
    name: &str,
) -> Option<&'a ParameterValue> {
    set.iter()
        .find(|(set, _)| *set == name)
        .map(|(_, value)| value)
}

/// The value of a text parameter, among those that a policy set.
pub(super) fn text_of<'a>(
    set: &'a [(&'static str, ParameterValue)],
    parameter: &TextParameter,
) -> &'a str {
    match value_of(set, parameter.name) {
        Some(ParameterValue::Text(value)) => value,
        _ => parameter.default,
    }
}

/// `10 to 3600 seconds (10s to 1h)`, or `10 seconds (10s)` when both ends are one.
#[must_use]
pub(crate) fn seconds_text(least: i64, most: i64) -> String {
    let span = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
    if least == most {
        format!("{least} seconds ({})", span(least))
    } else {
        format!(
            "{least} to {most} seconds ({} to {})",
            span(least),
            span(most)
        )
    }
}
