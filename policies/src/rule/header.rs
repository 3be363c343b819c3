//! What a rule sees that goes by `apiVersion` and `kind` alone.

use sluice_tree::Value;

use super::{ParameterValue, TextParameter, case::text_of};

/// The head of an object of any kind.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// Its `apiVersion`; empty when it has none.
    pub api_version: &'a str,
    /// Its `kind`; empty when it has none.
    pub kind: &'a str,
    /// What the policy set; a parameter that is not in here has its default.
    pub(crate) set: &'a [(&'static str, ParameterValue)],
}

impl<'a> Header<'a> {
    pub(crate) fn of(object: &'a Value, set: &'a [(&'static str, ParameterValue)]) -> Self {
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            set,
        }
    }

    /// The value of a text parameter.
    #[must_use]
    pub fn text(&self, parameter: &TextParameter) -> &'a str {
        text_of(self.set, parameter)
    }
}
