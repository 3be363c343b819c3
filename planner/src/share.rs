//! `IntOrString` as the Deployment controller resolves it: so many pods, or a share of all.

use serde_json::{Value, json};

/// So many pods, or a share of the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many pods.
    Pods(u32),
    /// So many percent of the replicas.
    Percent(u32),
}

impl Share {
    /// Reads an `IntOrString`; `None` when it is neither a non-negative number nor a percentage.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        if let Some(pods) = value.as_u64() {
            return u32::try_from(pods).ok().map(Self::Pods);
        }
        let digits = value.as_str()?.strip_suffix('%')?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok().map(Self::Percent))?
    }

    /// Rounded up: how `maxSurge` is resolved.
    #[must_use]
    pub fn up(self, replicas: u32) -> u32 {
        match self {
            Self::Pods(pods) => pods,
            Self::Percent(percent) => {
                clamped((u64::from(percent) * u64::from(replicas)).div_ceil(100))
            }
        }
    }

    /// Rounded down: how `maxUnavailable` is resolved.
    #[must_use]
    pub fn down(self, replicas: u32) -> u32 {
        match self {
            Self::Pods(pods) => pods,
            Self::Percent(percent) => clamped(u64::from(percent) * u64::from(replicas) / 100),
        }
    }

    /// As it is written in a manifest.
    #[must_use]
    pub fn value(self) -> Value {
        match self {
            Self::Pods(pods) => json!(pods),
            Self::Percent(percent) => json!(format!("{percent}%")),
        }
    }
}

fn clamped(pods: u64) -> u32 {
    u32::try_from(pods).unwrap_or(u32::MAX)
}

/// `(maxSurge, maxUnavailable)` in pods, as the Deployment controller uses them: surge rounds up, unavailable rounds down, both zero means one
/// unavailable, and no more than all are unavailable.
#[must_use]
pub fn resolve(surge: Share, unavailable: Share, replicas: u32) -> (u32, u32) {
    let surge = surge.up(replicas);
    let unavailable = unavailable.down(replicas);
    if replicas == 0 {
        return (surge, 0);
    }
    match (surge, unavailable) {
        (0, 0) => (0, 1),
        (surge, unavailable) => (surge, unavailable.min(replicas)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_as_the_deployment_controller_does() {
        for (surge, unavailable, replicas, resolved) in [
            (json!("25%"), json!("25%"), 10, (3, 2)),
            (json!("25%"), json!("25%"), 1, (1, 0)),
            (json!(0), json!("10%"), 5, (0, 1)),
            (json!("0%"), json!("30%"), 3, (0, 1)),
            (json!(5), json!(0), 3, (5, 0)),
            (json!(0), json!(7), 3, (0, 3)),
            (json!("100%"), json!("100%"), 4, (4, 4)),
            (json!(2), json!(1), 0, (2, 0)),
        ] {
            let read = |value: &Value| Share::of(value).unwrap();
            assert_eq!(
                resolve(read(&surge), read(&unavailable), replicas),
                resolved,
                "{surge} {unavailable} of {replicas}"
            );
        }
    }

    #[test]
    fn reads_only_what_the_api_server_lets_in() {
        for value in [
            json!("10"),
            json!("%"),
            json!("-1%"),
            json!("+1%"),
            json!(-1),
            json!(1.5),
            json!(null),
            json!("1.5%"),
        ] {
            assert_eq!(Share::of(&value), None, "{value}");
        }
    }
}
