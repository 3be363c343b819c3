//! An object of a review: what rules look at, and what the planner is shown of it.
//!
//! `metadata.managedFields` is not read: nothing that judges looks at it, and it is a good part of most objects. The planner wants of a pod template no more
//! than its hash, so the object is never held a second time.

use std::cell::OnceCell;

use serde_json::Map;
use sluice_planner::template::template_hash;
use sluice_tree::{Reader, Value};

/// The most values of one object: as many as `sluice check` reads of a document, and several times what an API server stores. A value takes a hundred bytes
/// at most, whatever it is.
const MOST: usize = 500_000;

/// An object of a review.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    /// What rules look at.
    pub tree: Value,
    shown: OnceCell<serde_json::Value>,
    hash: OnceCell<String>,
}

impl Manifest {
    /// Reads the object. What is no object is read as the value it is.
    ///
    /// # Errors
    /// When the text is no JSON, or has more values than any object.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let reader = Reader::default()
            .without("metadata", "managedFields")
            .at_most(MOST);
        Ok(Self {
            tree: reader.read(text)?,
            ..Self::default()
        })
    }

    /// The object with an empty pod template.
    pub fn object(&self) -> &serde_json::Value {
        self.shown.get_or_init(|| without_template(&self.tree))
    }

    /// The hash of its pod template.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| template_hash(self.template()))
    }

    /// The same, of an object that replaces another: comparing is cheaper than hashing, and most updates change no template.
    pub fn hash_after<'a>(&'a self, old: &'a Self) -> &'a str {
        if self.template() == old.template() {
            old.hash()
        } else {
            self.hash()
        }
    }

    fn template(&self) -> &Value {
        &self.tree["spec"]["template"]
    }
}

/// Everything but what the pod template holds. One that is no object stays, for the planner to say so.
fn without_template(object: &Value) -> serde_json::Value {
    let Value::Object(parts) = object else {
        return object.into();
    };
    let shown = |fields: &sluice_tree::Map| -> Map<String, serde_json::Value> {
        fields
            .iter()
            .map(|(name, value)| {
                let shown = if name == "template" && value.is_object() {
                    Map::new().into()
                } else {
                    value.into()
                };
                (name.as_str().to_owned(), shown)
            })
            .collect()
    };
    parts
        .iter()
        .map(|(name, part)| {
            let shown = match part {
                Value::Object(fields) if name == "spec" => shown(fields).into(),
                part => part.into(),
            };
            (name.as_str().to_owned(), shown)
        })
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn read(text: &str) -> Result<Value, serde_json::Error> {
        Manifest::read(text).map(|manifest| manifest.tree)
    }

    #[test]
    fn only_the_managed_fields_of_the_object_itself_are_left_out() {
        let text = r#"{"kind": "Deployment", "metadata": {"name": "a", "managedFields": [{"fieldsV1": {"f:spec": {"f:x": {}}}}], "labels": {"b": "c"}},
            "managedFields": 1, "spec": {"replicas": 3, "ratio": 0.5, "template": {"metadata": {"managedFields": [2]}}, "none": null, "list": [true, -7]}}"#;
        let mut whole: Json = serde_json::from_str(text).unwrap();
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
            let expected = serde_json::from_str::<Json>(text);
            match (read(text), expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text}"),
                (Err(_), Err(_)) => {}
                (read, expected) => panic!("{text}: {read:?}, expected {expected:?}"),
            }
        }
        let deep = "[".repeat(100_000);
        assert!(read(&format!("{{\"metadata\": {{\"a\": {deep}")).is_err());
    }

    #[test]
    fn an_object_of_more_values_than_any_is_refused_and_says_so() {
        let most = format!("[{}0]", "0,".repeat(MOST - 2));
        assert!(read(&most).is_ok());
        let more = format!("[{}0]", "0,".repeat(MOST - 1));
        let error = read(&more).unwrap_err().to_string();
        assert!(error.starts_with("more than 500000 values"), "{error}");
    }

    #[test]
    fn the_planner_is_shown_everything_but_what_the_template_holds() {
        for (text, template) in [
            (
                r#"{"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}, "replicas": 3, "strategy": {"type": "Recreate"}}, "status": {"replicas": 1}}"#,
                json!({}),
            ),
            (
                r#"{"metadata": {"annotations": {"a": "b"}}, "spec": {"template": "odd"}}"#,
                json!("odd"),
            ),
            (r#"{"spec": {"template": null}}"#, Json::Null),
        ] {
            let manifest = Manifest::read(text).unwrap();
            let mut whole: Json = serde_json::from_str(text).unwrap();
            let held = std::mem::replace(&mut whole["spec"]["template"], template);
            assert_eq!(*manifest.object(), whole);
            assert_eq!(manifest.hash(), template_hash(&held));
        }
        for text in ["[1, {}]", "7", "{}", r#"{"spec": 3}"#] {
            let manifest = Manifest::read(text).unwrap();
            assert_eq!(
                *manifest.object(),
                serde_json::from_str::<Json>(text).unwrap()
            );
        }
    }
}
