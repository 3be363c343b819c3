//! Typed parameters of rules: their bounds, their defaults, and how a policy's value is read.
//!
//! A parameter accepts a value or says what it found and what would pass; it never takes a value for another. What means the same is the same value:
//! `1h` and `60m`, `0.5Gi` and `512Mi`, a list in any order. So the digest of a set, which is made of these values, changes only with the meaning.

mod number;
mod text;

use std::fmt;

use sluice_api::Duration;
use sluice_tree::Value;

pub(crate) use number::ratio_text;
pub use number::{IntParameter, QuantityParameter, RatioParameter, SpanParameter};
pub use text::{BoolParameter, TextForm, TextParameter, TextsParameter};

use crate::{capacity::Quantity, view::field_text};

/// A parameter of a rule.
#[derive(Clone, Copy, Debug)]
pub enum Parameter {
    /// A whole number.
    Int(&'static IntParameter),
    /// A span of time.
    Span(&'static SpanParameter),
    /// How many times as much, in hundredths.
    Ratio(&'static RatioParameter),
    /// An amount of a resource.
    Quantity(&'static QuantityParameter),
    /// Yes or no.
    Bool(&'static BoolParameter),
    /// A text.
    Text(&'static TextParameter),
    /// A set of texts.
    Texts(&'static TextsParameter),
}

/// The value of a parameter, in the grain of its type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParameterValue {
    /// A whole number.
    Int(i64),
    /// Seconds.
    Span(u64),
    /// Hundredths.
    Ratio(i64),
    /// An amount of a resource.
    Quantity(Quantity),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(String),
    /// Texts, sorted, each once.
    Texts(Vec<String>),
}

/// A value that a parameter does not accept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Where in the value; empty for the whole.
    pub(crate) at: String,
    /// What was found.
    pub(crate) found: String,
    /// What would pass.
    pub(crate) passes: String,
}

impl fmt::Display for ParameterValue {
    /// One text for one value; texts are quoted, so that no text looks like another value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Span(seconds) => write!(f, "{}", Duration::from_secs(*seconds)),
            Self::Ratio(hundredths) => f.write_str(&ratio_text(*hundredths)),
            Self::Quantity(quantity) => write!(f, "{quantity}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{}", Value::from(text.as_str())),
            Self::Texts(texts) => write!(f, "{}", Value::from(texts.as_slice())),
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
            Self::Ratio(parameter) => parameter.name,
            Self::Quantity(parameter) => parameter.name,
            Self::Bool(parameter) => parameter.name,
            Self::Text(parameter) => parameter.name,
            Self::Texts(parameter) => parameter.name,
        }
    }

    /// Its type, in a word or two.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "integer",
            Self::Span(_) => "duration",
            Self::Ratio(_) => "ratio",
            Self::Quantity(_) => "quantity",
            Self::Bool(_) => "boolean",
            Self::Text(_) => "text",
            Self::Texts(_) => "list of texts",
        }
    }

    /// What it means.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        match self {
            Self::Int(parameter) => parameter.meaning,
            Self::Span(parameter) => parameter.meaning,
            Self::Ratio(parameter) => parameter.meaning,
            Self::Quantity(parameter) => parameter.meaning,
            Self::Bool(parameter) => parameter.meaning,
            Self::Text(parameter) => parameter.meaning,
            Self::Texts(parameter) => parameter.meaning,
        }
    }

    /// Its value unless a policy sets it.
    #[must_use]
    pub fn default(&self) -> ParameterValue {
        match self {
            Self::Int(parameter) => ParameterValue::Int(parameter.default),
            Self::Span(parameter) => ParameterValue::Span(parameter.default),
            Self::Ratio(parameter) => ParameterValue::Ratio(parameter.default),
            Self::Quantity(parameter) => ParameterValue::Quantity(parameter.default()),
            Self::Bool(parameter) => ParameterValue::Bool(parameter.default),
            Self::Text(parameter) => ParameterValue::Text(parameter.default.to_owned()),
            Self::Texts(parameter) => {
                ParameterValue::Texts(parameter.default.iter().map(|&t| t.to_owned()).collect())
            }
        }
    }

    /// What is accepted, in the fewest words: `1 to 5`.
    #[must_use]
    pub fn accepted(&self) -> String {
        match self {
            Self::Int(parameter) => parameter.accepted(),
            Self::Span(parameter) => parameter.accepted(),
            Self::Ratio(parameter) => parameter.accepted(),
            Self::Quantity(parameter) => parameter.accepted(),
            Self::Bool(_) => "true, false".to_owned(),
            Self::Text(parameter) => parameter.form.passes.to_owned(),
            Self::Texts(parameter) => parameter.accepted(),
        }
    }

    /// What a policy may write, in words.
    #[must_use]
    pub fn passes(&self) -> String {
        match self {
            Self::Int(_) => format!("a whole number from {}", self.accepted()),
            Self::Span(_) => format!("a duration in whole seconds from {}", self.accepted()),
            Self::Ratio(_) => format!(
                "a number with at most two decimals from {}",
                self.accepted()
            ),
            Self::Quantity(_) => format!("a quantity from {}", self.accepted()),
            Self::Bool(_) => "true or false".to_owned(),
            Self::Text(_) => self.accepted(),
            Self::Texts(_) => format!("a list of {}", self.accepted()),
        }
    }

    /// The value that a policy wrote.
    pub(crate) fn read(&self, value: &Value) -> Result<ParameterValue, Misfit> {
        let read = match self {
            Self::Int(parameter) => parameter.read(value).map(ParameterValue::Int),
            Self::Span(parameter) => parameter.read(value).map(ParameterValue::Span),
            Self::Ratio(parameter) => parameter.read(value).map(ParameterValue::Ratio),
            Self::Quantity(parameter) => parameter.read(value).map(ParameterValue::Quantity),
            Self::Bool(_) => value.as_bool().map(ParameterValue::Bool),
            Self::Text(parameter) => parameter.read(value).map(ParameterValue::Text),
            Self::Texts(parameter) => {
                let texts = parameter.read(value).map_err(|wrong| match wrong {
                    text::WrongList::Item(index, found) => Misfit {
                        at: format!("[{index}]"),
                        found,
                        passes: parameter.form.passes.to_owned(),
                    },
                    text::WrongList::Whole(found) => self.misfit(found),
                })?;
                return Ok(ParameterValue::Texts(texts));
            }
        };
        read.ok_or_else(|| self.misfit(field_text(value)))
    }

    fn misfit(&self, found: String) -> Misfit {
        Misfit {
            at: String::new(),
            found,
            passes: self.passes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    static RATIO: RatioParameter = RatioParameter {
        name: "ratio",
        default: 400,
        least: 100,
        most: 10_000,
        meaning: "-",
    };
    static QUANTITY: QuantityParameter = QuantityParameter {
        name: "memory",
        default: "64Mi",
        least: "1Ki",
        most: "1Ti",
        meaning: "-",
    };
    static BOOL: BoolParameter = BoolParameter {
        name: "strict",
        default: false,
        meaning: "-",
    };
    static TEXT: TextParameter = TextParameter {
        name: "mode",
        default: "a",
        form: TextForm {
            passes: "a or b",
            holds: |text| matches!(text, "a" | "b"),
        },
        meaning: "-",
    };
    static TEXTS: TextsParameter = TextsParameter {
        name: "names",
        default: &[],
        least: 1,
        most: 3,
        form: TextForm {
            passes: "a word of small letters",
            holds: |text| text.bytes().all(|b| b.is_ascii_lowercase()),
        },
        meaning: "-",
    };

    #[test]
    fn what_is_accepted_is_one_value_however_it_is_written() {
        for (parameter, written, value) in [
            (Parameter::Ratio(&RATIO), json!(4), "4"),
            (Parameter::Ratio(&RATIO), json!(1.5), "1.5"),
            (Parameter::Ratio(&RATIO), json!("1.50"), "1.5"),
            (Parameter::Ratio(&RATIO), json!("1.05"), "1.05"),
            (Parameter::Ratio(&RATIO), json!("100"), "100"),
            (Parameter::Quantity(&QUANTITY), json!("0.5Gi"), "512Mi"),
            (Parameter::Quantity(&QUANTITY), json!(2048), "2Ki"),
            (Parameter::Bool(&BOOL), json!(true), "true"),
            (Parameter::Text(&TEXT), json!("b"), "\"b\""),
            (
                Parameter::Texts(&TEXTS),
                json!(["b", "a", "b"]),
                "[\"a\",\"b\"]",
            ),
        ] {
            let read = parameter.read(&written).unwrap();
            assert_eq!(read.to_string(), value, "{written}");
        }
    }

    #[test]
    fn what_is_not_accepted_says_where_and_what_would_pass() {
        let ratio = "a number with at most two decimals from 1 to 100";
        let quantity = "a quantity from 1Ki to 1Ti";
        let texts = "a list of 1 to 3 texts, each a word of small letters";
        let word = "a word of small letters";
        for (parameter, written, at, found, passes) in [
            (Parameter::Ratio(&RATIO), json!(0.5), "", "0.5", ratio),
            (
                Parameter::Ratio(&RATIO),
                json!("1.555"),
                "",
                "\"1.555\"",
                ratio,
            ),
            (Parameter::Ratio(&RATIO), json!("4x"), "", "4x", ratio),
            (Parameter::Ratio(&RATIO), json!(1e300), "", "1e+300", ratio),
            (Parameter::Ratio(&RATIO), json!(-1), "", "-1", ratio),
            (Parameter::Ratio(&RATIO), json!("."), "", ".", ratio),
            (
                Parameter::Quantity(&QUANTITY),
                json!("2Ti"),
                "",
                "2Ti",
                quantity,
            ),
            (
                Parameter::Quantity(&QUANTITY),
                json!("lots"),
                "",
                "lots",
                quantity,
            ),
            (
                Parameter::Quantity(&QUANTITY),
                json!([]),
                "",
                "a list",
                quantity,
            ),
            (
                Parameter::Bool(&BOOL),
                json!("true"),
                "",
                "true",
                "true or false",
            ),
            (Parameter::Text(&TEXT), json!("c"), "", "c", "a or b"),
            (Parameter::Text(&TEXT), json!(3), "", "3", "a or b"),
            (Parameter::Texts(&TEXTS), json!("a"), "", "a", texts),
            (
                Parameter::Texts(&TEXTS),
                json!([]),
                "",
                "an empty list",
                texts,
            ),
            (
                Parameter::Texts(&TEXTS),
                json!(["a", "b", "c", "d"]),
                "",
                "4 texts",
                texts,
            ),
            (
                Parameter::Texts(&TEXTS),
                json!(["a", "B"]),
                "[1]",
                "B",
                word,
            ),
            (
                Parameter::Texts(&TEXTS),
                json!(["a", ""]),
                "[1]",
                "\"\"",
                word,
            ),
            (Parameter::Texts(&TEXTS), json!(["a", 3]), "[1]", "3", word),
            (
                Parameter::Texts(&TEXTS),
                json!(["a".repeat(254)]),
                "[0]",
                "a text of 254 bytes",
                word,
            ),
        ] {
            let misfit = parameter.read(&written).unwrap_err();
            assert_eq!(
                (
                    misfit.at.as_str(),
                    misfit.found.as_str(),
                    misfit.passes.as_str()
                ),
                (at, found, passes),
                "{written}"
            );
        }
    }
}
