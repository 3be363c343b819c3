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

mod json;

use sha2::{Digest, Sha256};
use sluice_api::annotation;

pub use json::{Json, Look};

/// The label by which the Deployment controller tells the ReplicaSets of a Deployment apart.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The content hash of a pod template: 64 hex digits of SHA-256 over its canonical JSON, see the module for what is left out.
#[must_use]
pub fn template_hash<J: Json>(template: &J) -> String {
    let mut text = Hashed::default();
    match template.look() {
        Look::Object => write_object(&mut text, template, &Level::Template),
        _ => write_value(&mut text, template),
    }
    text.hex()
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
    fn leaves_out<J: Json>(&self, key: &str, value: &J) -> bool {
        match self {
            Self::Metadata => match key {
                "creationTimestamp" => true,
                "labels" | "annotations" => {
                    let level = self.below(key);
                    match value.look() {
                        Look::Null => true,
                        Look::Object => value
                            .entries()
                            .all(|(key, value)| level.leaves_out(key, value)),
                        _ => false,
                    }
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

fn write_object<J: Json>(text: &mut Hashed, object: &J, level: &Level) {
    // the map's own order depends on a feature that any crate of a build may switch on
    let mut entries: Vec<(&str, &J)> = object
        .entries()
        .filter(|(key, value)| !level.leaves_out(key, *value))
        .collect();
    if !entries.is_sorted_by(|a, b| a.0 <= b.0) {
        entries.sort_unstable_by_key(|entry| entry.0);
    }
    text.push(b"{");
    for (position, (key, value)) in entries.into_iter().enumerate() {
        if position > 0 {
            text.push(b",");
        }
        write_text(text, key);
        text.push(b":");
        match value.look() {
            Look::Object => write_object(text, value, &level.below(key)),
            _ => write_value(text, value),
        }
    }
    text.push(b"}");
}

fn write_value<J: Json>(text: &mut Hashed, value: &J) {
    match value.look() {
        Look::Null => text.push(b"null"),
        Look::Bool(true) => text.push(b"true"),
        Look::Bool(false) => text.push(b"false"),
        Look::Number(number) => text.push(number.to_string().as_bytes()),
        Look::Text(string) => write_text(text, string),
        Look::List => {
            text.push(b"[");
            for (position, item) in value.items().enumerate() {
                if position > 0 {
                    text.push(b",");
                }
                write_value(text, item);
            }
            text.push(b"]");
        }
        Look::Object => write_object(text, value, &Level::Below),
    }
}

/// Only what would end the string or the escape is escaped: the text is hashed, not parsed.
fn write_text(text: &mut Hashed, string: &str) {
    text.push(b"\"");
    let mut rest = string.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        let (plain, escaped) = rest.split_at(at);
        text.push(plain);
        text.push(b"\\");
        let (one, after) = escaped.split_at(1);
        text.push(one);
        rest = after;
    }
    text.push(rest);
    text.push(b"\"");
}

/// A text of which only the hash is wanted: of a large one no more than a piece is ever held.
#[derive(Default)]
struct Hashed {
    hash: Sha256,
    piece: Vec<u8>,
}

impl Hashed {
    const PIECE: usize = 8 << 10;

    fn push(&mut self, bytes: &[u8]) {
        if self.piece.len() + bytes.len() > Self::PIECE {
            self.hash.update(&self.piece);
            self.piece.clear();
            if bytes.len() > Self::PIECE {
                return self.hash.update(bytes);
            }
        }
        self.piece.extend_from_slice(bytes);
    }

    fn hex(mut self) -> String {
        self.hash.update(&self.piece);
        hex(&self.hash.finalize())
    }
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
    use serde_json::{Value, json};

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
        // whichever way it is held
        assert_eq!(template_hash(&sluice_tree::Value::from(&marked)), plain);
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

    #[test]
    fn a_template_of_any_size_is_hashed_as_one_text() {
        for length in [0, 1, 8_100, 8_190, 8_191, 8_192, 8_193, 20_000, 100_000] {
            let text = "x\"y".repeat(length / 3) + &"z".repeat(length % 3);
            let template = json!({"spec": {"list": [&text, &text, &text], "number": -7, "odd": 0.5, "none": null, "yes": true}});
            let escaped = text.replace('"', "\\\"");
            let whole = format!(
                "{{\"spec\":{{\"list\":[\"{escaped}\",\"{escaped}\",\"{escaped}\"],\"none\":null,\"number\":-7,\"odd\":0.5,\"yes\":true}}}}"
            );
            let expected = hex(&Sha256::digest(whole.as_bytes()));
            assert_eq!(template_hash(&template), expected, "{length}");
            let tree = sluice_tree::Value::from(&template);
            assert_eq!(template_hash(&tree), expected, "{length}");
        }
    }
}
