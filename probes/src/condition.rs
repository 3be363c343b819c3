//! The condition of a Prometheus check: a comparison with a number, such as `< 0.01`. Pure.

use std::{fmt, str::FromStr};

/// A comparison that every sample of a result must satisfy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    comparison: Comparison,
    number: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    NotEqual,
}

impl Comparison {
    // the longer operators first: `<=` also starts with `<`
    const ALL: [(&'static str, Self); 6] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];
}

/// What a condition has to look like; the same words wherever one is refused.
pub const PASSES: &str =
    "one of <, <=, >, >=, ==, != and a finite number, such as `< 0.01` or `>= 2`";

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a condition: use {PASSES}")]
pub struct ConditionError {
    /// The text as written.
    pub found: String,
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let trimmed = text.trim();
            let (comparison, rest) = Comparison::ALL.iter().find_map(|(sign, comparison)| {
                trimmed.strip_prefix(sign).map(|rest| (*comparison, rest))
            })?;
            let number: f64 = rest.trim().parse().ok()?;
            number.is_finite().then_some(Self { comparison, number })
        };
        parse().ok_or_else(|| ConditionError {
            found: crate::outcome::plain(text),
        })
    }
}

impl Condition {
    /// Whether a finite `value` satisfies the condition; `None` for NaN and the infinities, which prove nothing:
    /// they are what PromQL makes of a quotient without a divisor.
    #[must_use]
    pub fn holds(&self, value: f64) -> Option<bool> {
        value.is_finite().then_some(match self.comparison {
            Comparison::Less => value < self.number,
            Comparison::AtMost => value <= self.number,
            Comparison::Greater => value > self.number,
            Comparison::AtLeast => value >= self.number,
            Comparison::Equal => value == self.number,
            Comparison::NotEqual => value != self.number,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Comparison::ALL
            .iter()
            .find_map(|(sign, comparison)| (*comparison == self.comparison).then_some(*sign))
            .unwrap_or_default();
        write!(f, "{sign} {}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_written() {
        for (text, value, holds) in [
            ("< 0.01", 0.0, Some(true)),
            ("<0.01", 0.01, Some(false)),
            ("<= 0.01", 0.01, Some(true)),
            ("> 2", 2.0, Some(false)),
            (">=2", 2.0, Some(true)),
            ("== 1", 1.0, Some(true)),
            ("!= 1", 1.0, Some(false)),
            (" != -1e-3 ", 1.0, Some(true)),
            ("< 0.01", f64::NAN, None),
            ("!= 1", f64::NAN, None),
            ("> 2", f64::INFINITY, None),
            ("< 2", f64::NEG_INFINITY, None),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.holds(value), holds, "{text} of {value}");
        }
    }

    #[test]
    fn refuses_what_is_no_comparison_with_a_finite_number() {
        for text in [
            "", "<", "0.01", "< ", "=< 1", "= 1", "< x", "< NaN", "< inf", "< 1 2", "<> 1", "< 1%",
            "<== 1",
        ] {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.to_string().contains("such as"), "{text}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["< 0.01", "<= 3", "> -2", ">= 0", "== 1", "!= 1"] {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
    }
}
