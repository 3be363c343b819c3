//! One field: what the user wrote, or what the API server makes of its absence.

use sluice_tree::Value;

use crate::defaults::Constant;

/// A field after API defaults.
///
/// Whether a value was written or filled in cannot be told in the cluster, where defaults are always filled in. So a value that equals
/// the default is called the API default in both cases, and the text is the same offline.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    written: Option<&'a Value>,
    default: Option<Constant>,
}

/// A field that should hold a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int {
    /// Nothing there, and no API default.
    Absent,
    /// A whole number.
    Is(i64),
    /// Something that is no whole number.
    Odd,
}

/// A field that should hold a whole number or a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntOrPercent {
    /// Nothing there, and no API default.
    Absent,
    /// A number.
    Int(i64),
    /// Whole percent.
    Percent(i64),
    /// Neither.
    Odd,
}

impl IntOrPercent {
    /// A value as `IntOrString` of Kubernetes.
    #[must_use]
    pub fn of(value: Option<&Value>) -> Self {
        match value {
            None => Self::Absent,
            Some(Value::String(text)) => Self::of_text(text),
            Some(value) => value.as_i64().map_or(Self::Odd, Self::Int),
        }
    }

    fn of_text(text: &str) -> Self {
        text.strip_suffix('%')
            .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map_or(Self::Odd, Self::Percent)
    }
}

impl<'a> Field<'a> {
    pub(super) fn new(
        written: Option<&'a Value>,
        default: impl FnOnce() -> Option<Constant>,
    ) -> Self {
        Self {
            written,
            default: default(),
        }
    }

    /// Whether there is neither a value nor an API default.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        self.written.is_none() && self.default.is_none()
    }

    /// The field as a whole number.
    #[must_use]
    pub fn int(&self) -> Int {
        match (self.written, self.default) {
            (Some(value), _) => value.as_i64().map_or(Int::Odd, Int::Is),
            (None, Some(Constant::Int(value))) => Int::Is(value),
            (None, Some(_)) => Int::Odd,
            (None, None) => Int::Absent,
        }
    }

    /// The field as a text; `None` when it is absent or something else.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        match (self.written, self.default) {
            (Some(value), _) => value.as_str(),
            (None, Some(Constant::Text(text))) => Some(text),
            _ => None,
        }
    }

    /// The field as `IntOrString` of Kubernetes.
    #[must_use]
    pub fn int_or_percent(&self) -> IntOrPercent {
        match self.int() {
            Int::Is(value) => IntOrPercent::Int(value),
            Int::Absent => IntOrPercent::Absent,
            Int::Odd => self.text().map_or(IntOrPercent::Odd, IntOrPercent::of_text),
        }
    }

    /// What stands there, for a finding: `absent`, `7200`, `6 (API default)`.
    #[must_use]
    pub fn found(&self) -> String {
        match (self.written, self.default) {
            (None, None) => "absent".to_owned(),
            (None, Some(default)) => format!("{default} (API default)"),
            (Some(value), default) => {
                let mut text = printed(value);
                if default.is_some_and(|default| default.equals(value)) {
                    text.push_str(" (API default)");
                }
                text
            }
        }
    }
}

/// A value of a manifest for a message: plain where it is a short word or number, otherwise JSON, cut to what a line holds.
pub(crate) fn printed(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        Value::String(text)
            if !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_./%".contains(c))
                // a text that looks like a number must not be shown as one
                && text.parse::<f64>().is_err() =>
        {
            text.as_str().to_owned()
        }
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn an_equal_value_reads_the_same_written_or_filled_in() {
        let six = json!(6);
        for (written, default, found, int) in [
            (None, None, "absent", Int::Absent),
            (None, Some(Constant::Int(6)), "6 (API default)", Int::Is(6)),
            (
                Some(&six),
                Some(Constant::Int(6)),
                "6 (API default)",
                Int::Is(6),
            ),
            (Some(&six), Some(Constant::Int(1)), "6", Int::Is(6)),
            (Some(&json!("6")), None, "\"6\"", Int::Odd),
            (Some(&json!(6.5)), None, "6.5", Int::Odd),
            (Some(&json!({"a": 1})), None, "an object", Int::Odd),
        ] {
            let field = Field { written, default };
            assert_eq!(field.found(), found);
            assert_eq!(field.int(), int);
        }
    }

    #[test]
    fn percentages_are_whole_and_not_negative() {
        for (value, expected) in [
            (json!(3), IntOrPercent::Int(3)),
            (json!("25%"), IntOrPercent::Percent(25)),
            (json!("3"), IntOrPercent::Odd),
            (json!("-5%"), IntOrPercent::Odd),
            (json!("%"), IntOrPercent::Odd),
            (json!("99999999999999999999%"), IntOrPercent::Odd),
            (json!(true), IntOrPercent::Odd),
        ] {
            let field = Field {
                written: Some(&value),
                default: None,
            };
            assert_eq!(field.int_or_percent(), expected, "{value}");
        }
    }

    #[test]
    fn a_hostile_value_prints_short() {
        assert!(printed(&json!("x ".repeat(1 << 20))).len() < 80);
        assert_eq!(printed(&json!("Allow")), "Allow");
        assert_eq!(printed(&json!("a\nb")), "\"a\\nb\"");
    }
}
