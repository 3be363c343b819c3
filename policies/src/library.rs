//! The policy files that ship with Sluice.

/// The file that is meant when nobody says otherwise.
pub const DEFAULT_SET: &str = "reliability.yaml";

/// Every shipped policy file: its name and its text, ready for `kubectl apply`.
#[must_use]
pub fn library() -> &'static [(&'static str, &'static str)] {
    &[(DEFAULT_SET, include_str!("../library/reliability.yaml"))]
}
