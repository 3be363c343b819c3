//! Names of findings that stay when lines move, for whoever compares one run with another.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::verdict::Placed;

/// The fingerprints of one run.
#[derive(Debug, Default)]
pub struct Fingerprints {
    seen: HashMap<String, usize>,
}

impl Fingerprints {
    /// The fingerprint of anything by its parts.
    pub fn over(&mut self, parts: &[&str]) -> String {
        self.unique(hash(parts))
    }

    /// A fingerprint made unique: the second of two that are alike, of two files that speak of one object, gets its number.
    pub fn unique(&mut self, mut text: String) -> String {
        let seen = self.seen.entry(text.clone()).or_default();
        *seen += 1;
        if *seen > 1 {
            text.push_str(&format!("-{seen}"));
        }
        text
    }
}

/// The fingerprint of a finding: rule, object, field and certainty count; the place in the text and what was found there do not.
pub fn of(kind: &str, namespace: &str, name: &str, placed: &Placed) -> String {
    let finding = &placed.finding;
    let certainty = format!("{:?}", finding.certainty);
    hash(&[
        &finding.code,
        &certainty,
        kind,
        namespace,
        name,
        &placed.anchor,
    ])
}

fn hash(parts: &[&str]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hash = Sha256::new();
    for part in parts {
        // with its length, so that no two rows of parts read the same
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    hash.finalize()
        .iter()
        .take(16)
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
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
