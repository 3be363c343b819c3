//! The policy files that ship with Sluice.

/// The file that is meant when nobody says otherwise.
pub const DEFAULT_SET: &str = "reliability.yaml";

/// Every shipped policy file: its name and its text, ready for `kubectl apply`.
#[must_use]
pub fn library() -> &'static [(&'static str, &'static str)] {
    &[
        (DEFAULT_SET, include_str!("../library/reliability.yaml")),
        (
            "production.yaml",
            include_str!("../library/production.yaml"),
        ),
        (
            "security-basics.yaml",
            include_str!("../library/security-basics.yaml"),
        ),
    ]
}

/// The names of the shipped sets that use a rule.
#[must_use]
pub fn sets_with(rule: &str) -> Vec<&'static str> {
    library()
        .iter()
        .filter(|(_, text)| {
            text.lines()
                .any(|line| line.trim().strip_prefix("- use: ") == Some(rule))
        })
        .filter_map(|(file, _)| file.strip_suffix(".yaml"))
        .collect()
}
