//! Field paths as findings write them: `spec.template.spec.containers[0].resources`, `metadata.labels["app.kubernetes.io/name"]`.

pub use sluice_policies::schema::{push_index, push_key};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// An entry of a map, or the item of a list that has this name.
    Key(&'a str),
    /// An item of a list.
    Index(usize),
}

/// The steps of a path; what cannot be read ends it, so that the nearest known place is still found.
#[must_use]
pub fn parse(path: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let quoted = inner.strip_prefix(['"', '\'']);
            let (inside, after) = match quoted {
                Some(text) => match text.split_once(['"', '\'']) {
                    Some((key, after)) => (key, after.strip_prefix(']').unwrap_or(after)),
                    None => return segments,
                },
                None => match inner.split_once(']') {
                    Some(parts) => parts,
                    None => return segments,
                },
            };
            segments.push(match inside.parse() {
                Ok(index) if quoted.is_none() => Segment::Index(index),
                _ => Segment::Key(inside),
            });
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end > 0 {
                segments.push(Segment::Key(&rest[..end]));
            }
            rest = &rest[end..];
        }
    }
    segments
}

/// The steps of a path as text, keys that are no plain words in quotes.
#[must_use]
pub fn text(segments: &[Segment<'_>]) -> String {
    let mut text = String::new();
    for segment in segments {
        match segment {
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
            Segment::Key(key) if key.is_empty() || key.contains(['.', '[', ']', '"', '\'']) => {
                text.push_str(&format!("[{key:?}]"));
            }
            Segment::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Segment::*, *};

    #[test]
    fn writes_what_it_reads() {
        for path in [
            "spec.containers[2].image",
            "metadata.labels[\"a.b/c\"].x",
            "-",
            "",
        ] {
            assert_eq!(text(&parse(path)), path);
        }
    }

    #[test]
    fn reads_paths_as_findings_write_them() {
        for (path, segments) in [
            ("-", vec![Key("-")]),
            ("spec.replicas", vec![Key("spec"), Key("replicas")]),
            (
                "spec.containers[2].image",
                vec![Key("spec"), Key("containers"), Index(2), Key("image")],
            ),
            (
                "metadata.labels[\"a.b/c\"].x",
                vec![Key("metadata"), Key("labels"), Key("a.b/c"), Key("x")],
            ),
            (
                "spec.containers[app]",
                vec![Key("spec"), Key("containers"), Key("app")],
            ),
            ("a[", vec![Key("a")]),
            ("a..b", vec![Key("a"), Key("b")]),
            ("", vec![]),
        ] {
            assert_eq!(parse(path), segments, "{path}");
        }
    }
}
