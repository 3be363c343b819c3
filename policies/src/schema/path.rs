//! Paths of fields: how findings write them, and how they are read again.

use std::fmt::Write;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A field, or the entry of a map.
    Key(&'a str),
    /// An item of a list: this one, or whichever.
    Item(Option<usize>),
}

/// The steps of a path.
pub(super) fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("[\"") {
            let (key, after) = inner.split_once("\"]").unwrap_or((inner, ""));
            steps.push(Step::Key(key));
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']').unwrap_or((inner, ""));
            steps.push(Step::Item(index.parse().ok()));
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end > 0 {
                steps.push(Step::Key(&rest[..end]));
            }
            rest = &rest[end..];
        }
    }
    steps
}

/// Adds a field or the entry of a map to a path.
pub fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | '$'));
    if !plain {
        // keys of manifests may be any size; a finding is read by people
        let short: String = key.chars().take(LONGEST_KEY).collect();
        let dots = if short.len() < key.len() { "…" } else { "" };
        let _ = write!(path, "[\"{short}{dots}\"]");
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key.get(..LONGEST_KEY).unwrap_or(key));
}

/// Label keys, the longest keys that Kubernetes has, end here.
const LONGEST_KEY: usize = 253 + 1 + 63;

/// Adds an item of a list to a path.
pub fn push_index(path: &mut String, index: usize) {
    let _ = write!(path, "[{index}]");
}

#[cfg(test)]
mod tests {
    use super::{Step::*, *};

    #[test]
    fn paths_are_read_as_they_are_written() {
        for (path, expected) in [
            ("", vec![]),
            ("spec.replicas", vec![Key("spec"), Key("replicas")]),
            (
                "spec.containers[12].image",
                vec![Key("spec"), Key("containers"), Item(Some(12)), Key("image")],
            ),
            (
                "metadata.labels[\"a.b/c\"]",
                vec![Key("metadata"), Key("labels"), Key("a.b/c")],
            ),
            ("a[*].b", vec![Key("a"), Item(None), Key("b")]),
            ("a[\"open", vec![Key("a"), Key("open")]),
            ("a[0", vec![Key("a"), Item(Some(0))]),
            ("..", vec![]),
        ] {
            assert_eq!(steps(path), expected, "{path}");
        }
        let mut path = String::new();
        push_key(&mut path, "metadata");
        push_key(&mut path, "labels");
        push_key(&mut path, "a.b/c");
        push_index(&mut path, 3);
        push_key(&mut path, "");
        assert_eq!(path, "metadata.labels[\"a.b/c\"][3][\"\"]");
    }
}
