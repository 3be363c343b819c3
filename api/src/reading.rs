//! Reading one of our objects from JSON so that a failure names the field. Admission and `sluice check` print the same words.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Why an object cannot be read: something its schema lets through and its type does not, such as a duration of a million hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {found}; passes: what `kubectl explain` says of the field")]
pub struct Unreadable {
    /// Path of the field in what was read, such as `spec.interval`; `-` for the whole.
    pub path: String,
    /// What is wrong there.
    pub found: String,
}

/// Reads a `T`, such as a whole `Gate` from a `&serde_json::Value`.
///
/// # Errors
/// The first field that cannot be read.
pub fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, Unreadable> {
    serde_path_to_error::deserialize(from).map_err(|error| {
        let path = error.path().to_string();
        Unreadable {
            path: if path == "." { "-".to_owned() } else { path },
            found: error.inner().to_string(),
        }
    })
}

/// The type of a value, as definitions call it.
#[must_use]
pub fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Gate, Probe};

    #[test]
    fn names_the_field_that_cannot_be_read() {
        let probe = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Probe", "metadata": {"name": "x"},
            "spec": {"http": {"target": {"url": "http://a.svc/"}}, "interval": "99999999h"}
        });
        let error = read::<Probe, _>(&probe).unwrap_err();
        assert_eq!(error.path, "spec.interval");
        assert!(error.to_string().contains("is not a duration"), "{error}");
        let gate =
            json!({"metadata": {}, "spec": {"components": {"kinds": ["Deployment", "Yacht"]}}});
        let error = read::<Gate, _>(&gate).unwrap_err();
        assert_eq!(error.path, "spec.components.kinds[1]");
        assert_eq!(read::<Gate, _>(&json!(7)).unwrap_err().path, "-");
    }
}
