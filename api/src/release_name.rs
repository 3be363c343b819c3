//! The name of a Release: fixed at admission, before the Release exists.

use crate::WorkloadKind;

/// The longest name that still leaves room for a suffix in label values and object names.
const LONGEST: usize = 63;

/// The name of the release of `target` (a template hash) to a workload whose generation was `old_generation` when the release was admitted.
///
/// `kind-name-hash10-generation`; a workload name that would make it longer than 63 characters is cut and made unique by ten digits of `name_hash`.
/// The generation makes a second release of the same template a release of its own. It moves with scaling, so it must be kept, never read again later.
#[must_use]
pub fn release_name(
    kind: WorkloadKind,
    name: &str,
    target: &str,
    old_generation: i64,
    name_hash: &str,
) -> String {
    let kind = kind.as_str().to_lowercase();
    let target = target.get(..10).unwrap_or(target);
    let tail = format!("-{target}-{}", old_generation + 1);
    let room = LONGEST.saturating_sub(kind.len() + 1 + tail.len());
    let plain = name.replace('.', "-");
    if plain.len() <= room && plain == name {
        return format!("{kind}-{name}{tail}");
    }
    let mark = name_hash.get(..10).unwrap_or(name_hash);
    let cut: String = plain
        .chars()
        .take(room.saturating_sub(mark.len() + 1))
        .collect();
    format!("{kind}-{}-{mark}{tail}", cut.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_distinct() {
        let hash = "0123456789abcdef";
        let plain = release_name(
            WorkloadKind::Deployment,
            "checkout",
            hash,
            4,
            "ffff000011112222",
        );
        assert_eq!(plain, "deployment-checkout-0123456789-5");
        let long = "a".repeat(253);
        let cut = release_name(
            WorkloadKind::StatefulSet,
            &long,
            hash,
            i64::MAX - 1,
            "ffff000011112222",
        );
        assert!(cut.len() <= 63, "{cut}");
        assert!(cut.contains("ffff000011"), "{cut}");
        assert_ne!(
            release_name(WorkloadKind::Deployment, "a.b", hash, 1, "1111111111"),
            release_name(WorkloadKind::Deployment, "a-b", hash, 1, "2222222222")
        );
    }
}
