//! An object of a review as a JSON value without its `metadata.managedFields`: nothing that judges reads them, and they are a good part of most objects.

use std::fmt;

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::SeqAccessDeserializer,
    },
};
use serde_json::{Map, Value};

/// Reads the object. What is no object is read as the value it is.
///
/// # Errors
/// When the text is no JSON.
pub(super) fn read(text: &str) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = Part::Object.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(object)
}

/// Where in the object a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Object,
    Metadata,
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = match (self, key.as_str()) {
                (Self::Object, "metadata") => entries.next_value_seed(Self::Metadata)?,
                (Self::Metadata, "managedFields") => {
                    entries.next_value::<IgnoredAny>()?;
                    continue;
                }
                _ => entries.next_value()?,
            };
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Value, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_managed_fields_of_the_object_itself_are_left_out() {
        let text = r#"{"kind": "Deployment", "metadata": {"name": "a", "managedFields": [{"fieldsV1": {"f:spec": {"f:x": {}}}}], "labels": {"b": "c"}},
            "managedFields": 1, "spec": {"replicas": 3, "ratio": 0.5, "template": {"metadata": {"managedFields": [2]}}, "none": null, "list": [true, -7]}}"#;
        let mut whole: Value = serde_json::from_str(text).unwrap();
        whole["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("managedFields");
        assert_eq!(read(text).unwrap(), whole);
    }

    #[test]
    fn what_has_no_such_shape_reads_as_any_json() {
        for text in [
            "null",
            "true",
            "3",
            "-3",
            "1.5",
            "1e400",
            "18446744073709551615",
            "\"a\\nb\"",
            "[{\"metadata\": {\"managedFields\": 1}}]",
            "{\"metadata\": null}",
            "{\"metadata\": [1]}",
            "{\"metadata\": \"x\"}",
            "{\"a\": 1, \"a\": 2}",
            "{\"metadata\": {\"name\": \"a\"}, \"metadata\": {\"name\": \"b\"}}",
            "",
            "{",
            "{\"metadata\": {\"managedFields\": }}",
            "{} {}",
        ] {
            let expected = serde_json::from_str::<Value>(text);
            match (read(text), expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text}"),
                (Err(_), Err(_)) => {}
                (read, expected) => panic!("{text}: {read:?}, expected {expected:?}"),
            }
        }
        let deep = "[".repeat(100_000);
        assert!(read(&format!("{{\"metadata\": {{\"a\": {deep}")).is_err());
    }
}
