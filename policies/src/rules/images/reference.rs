//! An image reference, taken apart.

use sluice_tree::Value;

use crate::view::{Container, field_text};

/// `registry.example.org/team/app:1@sha256:…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    /// What comes before tag and digest, as written.
    pub(super) name: &'a str,
    pub(super) tag: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    pub(super) fn parse(image: &'a str) -> Self {
        let (rest, digest) = match image.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (image, None),
        };
        // a colon before the last slash belongs to a port
        let start = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[start..].split_once(':') {
            Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], Some(tag)),
            None => (rest, None),
        };
        Self {
            name,
            tag: tag.filter(|tag| !tag.is_empty()),
            digest: digest.filter(|digest| is_digest(digest)),
        }
    }

    /// Whether the same text may mean another image tomorrow by intent: `latest`, or no tag at all, which means the same.
    pub(super) fn floats(&self) -> bool {
        self.digest.is_none() && self.tag.is_none_or(|tag| tag == "latest")
    }
}

/// `algorithm:hex`, as long as any algorithm in use makes it.
fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty() && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// The image of a container, or what stands in its place.
pub(super) fn of_container<'a>(container: &Container<'a>) -> Result<&'a str, String> {
    match container.get("image") {
        Some(Value::String(image)) if !image.is_empty() => Ok(image),
        // the API server keeps an empty text and nothing apart no more than we do
        None | Some(Value::String(_)) => Err("absent".to_owned()),
        Some(other) => Err(field_text(other)),
    }
}

/// An image for a message.
pub(super) fn text(image: &str) -> String {
    const LONGEST: usize = 120;
    let plain: String = image
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(LONGEST)
        .collect();
    if plain.len() < image.len() && image.chars().count() > LONGEST {
        return format!("{plain}…");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_is_taken_apart() {
        let pinned = format!("registry.example.org:5000/team/app:1@{DIGEST}");
        let untagged = format!("app@{DIGEST}");
        for (image, name, tag, digest, floats) in [
            ("app", "app", None, None, true),
            ("app:latest", "app", Some("latest"), None, true),
            ("app:1.29", "app", Some("1.29"), None, false),
            (
                "registry.example.org:5000/team/app",
                "registry.example.org:5000/team/app",
                None,
                None,
                true,
            ),
            (
                pinned.as_str(),
                "registry.example.org:5000/team/app",
                Some("1"),
                Some(DIGEST),
                false,
            ),
            (untagged.as_str(), "app", None, Some(DIGEST), false),
            ("app@sha256:short", "app", None, None, true),
            ("app:", "app", None, None, true),
            ("", "", None, None, true),
            ("ä:é@", "ä", Some("é"), None, false),
        ] {
            let reference = Reference::parse(image);
            assert_eq!(reference, Reference { name, tag, digest }, "{image}");
            assert_eq!(reference.floats(), floats, "{image}");
        }
    }

    #[test]
    fn an_image_in_a_message_is_short_and_of_one_line() {
        assert_eq!(text("a/b:1"), "a/b:1");
        assert_eq!(text("a\nb"), "a\u{fffd}b");
        assert_eq!(text(&"ä".repeat(500)).chars().count(), 121);
    }
}
