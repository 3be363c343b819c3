//! Objects as YAML that every reader understands the same way.

use serde::Serialize;
use serde_json::Value;

/// Why an object could not be written.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// The object is no JSON-like value.
    #[error("the object is not made of maps, lists and plain values")]
    Object(#[source] serde_json::Error),
    /// The writer refused.
    #[error("the YAML writer refused the object")]
    Writer(#[source] serde_saphyr::SerializeError),
}

/// One YAML document, keys in alphabetical order, absent fields left out, strings that any YAML version could read as something else in quotes.
///
/// # Errors
/// When the object cannot be written as a tree of maps, lists and plain values.
pub fn document<T: Serialize>(object: &T) -> Result<String, YamlError> {
    let value = serde_json::to_value(object).map_err(YamlError::Object)?;
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        // text is never folded: a line of the source is a line of the file
        folded_wrap_chars: 1_000_000
    };
    serde_saphyr::to_string_with_options(&sorted(value), options).map_err(YamlError::Writer)
}

/// The same value with sorted keys, whatever map type `serde_json` was built with.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strings_that_look_like_something_else_stay_strings() {
        let value = json!({
            "yes": "yes", "on": "on", "y": "y", "n": "n", "octal": "0644", "number": "1", "exponent": "1e3", "hex": "0x1f", "null": "null", "tilde": "~",
            "empty": "", "date": "2024-01-01", "sexagesimal": "12:30:45", "colon": "a: b", "hash": "a #b", "at": "@a", "star": "*a", "and": "&a", "bang": "!a",
            "percent": "10%", "lines": "a\nb\n", "open": "a\nb", "spaces": "  a", "long": "word ".repeat(100), "quote": "it's \"so\"", "dash": "- a",
            "list": [], "map": {}, "nested": [[1, 2], {"a": [true, null, 1.5]}],
            "json": "{\"a\":1}", "cel": "has(self.name) != has(self.selector)", "inf": ".inf", "tab": "a\tb", "unicode": "✔ größer"
        });
        let text = document(&value).unwrap();
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, value, "{text}");
    }
}
