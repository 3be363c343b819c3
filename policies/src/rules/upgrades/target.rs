//! The Kubernetes version that manifests shall work with.

use crate::rule::{TextForm, TextParameter};

pub(super) const NAME: &str = "targetVersion";

pub(super) static TARGET: TextParameter = TextParameter {
    name: NAME,
    // the oldest version that is supported
    default: "1.33",
    form: TextForm {
        passes: "a Kubernetes version such as 1.36",
        holds: |text| minor(text).is_some(),
    },
    meaning: "the Kubernetes version that the manifests shall work with",
};

/// The minor of `1.36`.
pub(super) fn minor(version: &str) -> Option<i64> {
    let digits = version.strip_prefix("1.")?;
    let plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|minor| plain && (1..=99).contains(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_minors_of_kubernetes_1_are_versions() {
        for (text, expected) in [
            (TARGET.default, Some(33)),
            ("1.9", Some(9)),
            ("1.36.2", None),
            ("v1.36", None),
            ("1.", None),
            ("1.+5", None),
            ("1.05", None),
            ("1.100", None),
            ("2.1", None),
            ("", None),
        ] {
            assert_eq!(minor(text), expected, "{text}");
        }
    }
}
