//! Names of findings that stay when lines move, for whoever compares one run with another.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::verdict::Placed;

/// Hands out fingerprints; those of one run are unique.
#[derive(Debug, Default)]
pub struct Fingerprints {
    seen: HashMap<String, usize>,
}

impl Fingerprints {
    /// The fingerprint of a finding: rule, object, field and certainty count; the place in the text and what was found there do not.
    /// The same finding twice, of two files that speak of one object, differs by its number.
    pub fn of(&mut self, kind: &str, namespace: &str, name: &str, placed: &Placed) -> String {
        let finding = &placed.finding;
        let certainty = format!("{:?}", finding.certainty);
        self.over(&[
            &finding.code,
            &certainty,
            kind,
            namespace,
            name,
            &placed.anchor,
        ])
    }

    /// The fingerprint of anything else.
    pub fn over(&mut self, parts: &[&str]) -> String {
        let mut hash = Sha256::new();
        for part in parts {
            // with its length, so that no two rows of parts read the same
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let mut text = String::with_capacity(32);
        for byte in hash.finalize().iter().take(16) {
            text.push_str(&format!("{byte:02x}"));
        }
        let seen = self.seen.entry(text.clone()).or_default();
        *seen += 1;
        if *seen > 1 {
            text.push_str(&format!("-{seen}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_unique_and_tell_parts_apart() {
        let mut fingerprints = Fingerprints::default();
        let first = fingerprints.over(&["a", "bc"]);
        assert_eq!(first.len(), 32);
        assert_ne!(first, fingerprints.over(&["ab", "c"]));
        assert_eq!(fingerprints.over(&["a", "bc"]), format!("{first}-2"));
        assert_eq!(Fingerprints::default().over(&["a", "bc"]), first);
    }
}
