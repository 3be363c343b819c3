//! What a version is: the content hash of a pod template.
//!
//! Two templates are the same version if and only if their hashes are equal. Expects templates as the API server stores them (defaults applied, quantities
//! canonical); the pod-template-hash of the Deployment controller is not used because it changes with its internal encoding and its collision counter.
//!
//! Left out, because other writers put it there and it changes nothing that runs:
//! - `metadata.creationTimestamp`, which encoders print as `null` or not at all;
//! - the label `pod-template-hash`, which the template of a ReplicaSet has and that of its Deployment has not;
//! - annotations that only Sluice writes.
//!
//! An empty `metadata.labels` or `metadata.annotations` is the same as none.
//! `kubectl.kubernetes.io/restartedAt` counts: a restart is a release.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sluice_api::annotation;

/// The label by which the Deployment controller tells the ReplicaSets of a Deployment apart.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The content hash of a pod template: 64 hex digits of SHA-256 over its canonical JSON, see the module for what is left out.
#[must_use]
pub fn template_hash(template: &Value) -> String {
    let mut text = Vec::with_capacity(4096);
    match template {
        Value::Object(fields) => write_object(&mut text, fields, &Level::Template),
        other => write_value(&mut text, other),
    }
    hex(&Sha256::digest(&text))
}

/// The hash of a workload name, for names of objects that would otherwise be too long or clash.
#[must_use]
pub fn name_hash(name: &str) -> String {
    hex(&Sha256::digest(name.as_bytes()))
}

/// Where in the template an object stands: only three places have keys to leave out.
enum Level {
    Template,
    Metadata,
    Labels,
    Annotations,
    Below,
}

impl Level {
    fn leaves_out(&self, key: &str, value: &Value) -> bool {
        match self {
            Self::Metadata => match key {
                "creationTimestamp" => true,
                "labels" | "annotations" => {
                    let level = self.below(key);
                    value.is_null()
                        || value.as_object().is_some_and(|entries| {
                            entries
                                .iter()
                                .all(|(key, value)| level.leaves_out(key, value))
                        })
                }
                _ => false,
            },
            Self::Labels => key == POD_TEMPLATE_HASH,
            Self::Annotations => annotation::OWN.contains(&key),
            Self::Template | Self::Below => false,
        }
    }

    fn below(&self, key: &str) -> Self {
        match (self, key) {
            (Self::Template, "metadata") => Self::Metadata,
            (Self::Metadata, "labels") => Self::Labels,
            (Self::Metadata, "annotations") => Self::Annotations,
            _ => Self::Below,
        }
    }
}

fn write_object(text: &mut Vec<u8>, fields: &Map<String, Value>, level: &Level) {
    // the map's own order depends on a feature that any crate of a build may switch on
    let mut entries: Vec<(&String, &Value)> = fields
        .iter()
        .filter(|(key, value)| !level.leaves_out(key, value))
        .collect();
    if !entries.is_sorted_by(|a, b| a.0 <= b.0) {
        entries.sort_unstable_by_key(|entry| entry.0);
    }
    text.push(b'{');
    for (position, (key, value)) in entries.into_iter().enumerate() {
        if position > 0 {
            text.push(b',');
        }
        write_text(text, key);
        text.push(b':');
        match value {
            Value::Object(fields) => write_object(text, fields, &level.below(key)),
            other => write_value(text, other),
        }
    }
    text.push(b'}');
}

fn write_value(text: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => text.extend_from_slice(b"null"),
        Value::Bool(true) => text.extend_from_slice(b"true"),
        Value::Bool(false) => text.extend_from_slice(b"false"),
        Value::Number(number) => text.extend_from_slice(number.to_string().as_bytes()),
        Value::String(string) => write_text(text, string),
        Value::Array(items) => {
            text.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push(b',');
                }
                write_value(text, item);
            }
            text.push(b']');
        }
        Value::Object(fields) => write_object(text, fields, &Level::Below),
    }
}

/// Only what would end the string or the escape is escaped: the text is hashed, not parsed.
fn write_text(text: &mut Vec<u8>, string: &str) {
    text.push(b'"');
    for byte in string.bytes() {
        if byte == b'"' || byte == b'\\' {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text.push(b'"');
}

fn hex(digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Value {
        json!({
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "a", "image": "x:1", "args": ["a\"b", "c\\"]}]},
        })
    }

    #[test]
    fn order_of_keys_and_foreign_marks_do_not_make_a_version() {
        let plain = template_hash(&template());
        assert_eq!(plain.len(), 64);
        let mut marked = template();
        marked["metadata"]["creationTimestamp"] = Value::Null;
        marked["metadata"]["labels"]["pod-template-hash"] = json!("abc");
        marked["metadata"]["annotations"] = json!({"sluice.dev/hold": "x"});
        assert_eq!(template_hash(&marked), plain);
        let turned: Value = serde_json::from_str(
            r#"{"spec":{"containers":[{"args":["a\"b","c\\"],"image":"x:1","name":"a"}]},"metadata":{"labels":{"app":"a"}}}"#,
        )
        .unwrap();
        assert_eq!(template_hash(&turned), plain);
        let empty = json!({"metadata": {"labels": {}, "annotations": {}}, "spec": {}});
        assert_eq!(
            template_hash(&empty),
            template_hash(&json!({"metadata": {}, "spec": {}}))
        );
    }

    #[test]
    fn every_difference_that_runs_makes_a_version() {
        let plain = template_hash(&template());
        for (pointer, value) in [
            ("/spec/containers/0/image", json!("x:2")),
            ("/spec/containers/0/args", json!(["a\",\"b", "c\\"])),
            ("/spec/containers/0/args", json!(["c\\", "a\"b"])),
            ("/metadata/labels", json!({"app": "b"})),
            (
                "/metadata/labels",
                json!({"app": "a", "x": "pod-template-hash"}),
            ),
        ] {
            let mut other = template();
            *other.pointer_mut(pointer).unwrap() = value.clone();
            assert_ne!(template_hash(&other), plain, "{pointer} = {value}");
        }
        let mut restarted = template();
        restarted["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": "1"});
        assert_ne!(template_hash(&restarted), plain);
        // the same keys deeper down are content
        let mut deeper = template();
        deeper["spec"]["labels"] = json!({"pod-template-hash": "abc"});
        assert_ne!(template_hash(&deeper), plain);
    }
}
