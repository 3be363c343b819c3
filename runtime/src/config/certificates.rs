//! How long the webhook's certificates live, and whether such lives leave room for being replaced in time.

use std::time;

use serde::{Deserialize, Serialize};
use sluice_api::Duration;

/// The shortest life. Certificates are valid from five minutes before they are made, and renewed when two thirds of that are over: shorter ones would be
/// due for renewal when they are made.
const SHORTEST: time::Duration = time::Duration::from_secs(180);
/// API servers and replicas learn of a change within seconds.
const SHORTEST_OVERLAP: time::Duration = time::Duration::from_secs(5);

/// How long the webhook's certificates live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct CertificatesConfig {
    /// Life of an authority.
    pub authority: Duration,
    /// Life of a serving certificate.
    pub serving: Duration,
    /// How long two authorities are trusted together, before and after the new one signs.
    pub overlap: Duration,
}

impl Default for CertificatesConfig {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            authority: Duration::from_secs(365 * DAY),
            serving: Duration::from_secs(90 * DAY),
            overlap: Duration::from_secs(DAY),
        }
    }
}

/// As it is written in the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    authority: Option<Duration>,
    serving: Option<Duration>,
    overlap: Option<Duration>,
}

impl TryFrom<Written> for CertificatesConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let usual = Self::default();
        let authority = written.authority.unwrap_or(usual.authority);
        let serving = written.serving.unwrap_or(usual.serving.min(authority));
        // a day, or what fits
        let fits = Duration::from_secs(authority.get().as_secs() / 12);
        let overlap = written.overlap.unwrap_or(usual.overlap.min(fits));
        for (field, found) in [("authority", authority), ("serving", serving)] {
            if found.get() < SHORTEST {
                return Err(format!(
                    "certificates.{field}: `{found}` is too short: use at least 3m"
                ));
            }
        }
        if serving > authority {
            return Err(format!(
                "certificates.serving: `{serving}` is longer than the authority's `{authority}`: use at most that"
            ));
        }
        // the last third of its life must hold both overlaps, and as much again for a leader that is away
        if overlap.get() < SHORTEST_OVERLAP || overlap.get() * 12 > authority.get() {
            return Err(format!(
                "certificates.overlap: `{overlap}` cannot be: use at least 5s and at most a twelfth of the authority's `{authority}`"
            ));
        }
        Ok(Self {
            authority,
            serving,
            overlap,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn lives_that_leave_no_room_for_their_renewal_are_refused() {
        for (text, expected) in [
            ("{}", Ok("8760h 2160h 24h")),
            ("{authority: 48h}", Ok("48h 48h 4h")),
            ("{authority: 720h, serving: 24h}", Ok("720h 24h 24h")),
            (
                "{authority: 200s, serving: 180s, overlap: 10s}",
                Ok("3m20s 3m 10s"),
            ),
            (
                "{authority: 1m}",
                Err("certificates.authority: `1m` is too short"),
            ),
            (
                "{serving: 1m}",
                Err("certificates.serving: `1m` is too short"),
            ),
            (
                "{authority: 24h, serving: 25h}",
                Err("longer than the authority's `24h`"),
            ),
            ("{overlap: 1s}", Err("certificates.overlap: `1s` cannot be")),
            ("{authority: 24h, overlap: 3h}", Err("at most a twelfth")),
            ("{autority: 24h}", Err("autority")),
        ] {
            let parsed = parse("sluice.yaml", &format!("certificates: {text}\n"));
            match (parsed, expected) {
                (Ok(config), Ok(expected)) => {
                    let found = config.certificates;
                    let found = format!("{} {} {}", found.authority, found.serving, found.overlap);
                    assert_eq!(found, expected, "{text}");
                }
                (Err(error), Err(part)) => {
                    let error = error.to_string();
                    assert!(
                        error.starts_with("sluice.yaml:1:") && error.contains(part),
                        "{text}: {error}"
                    );
                }
                (parsed, _) => panic!("{text}: {parsed:?}"),
            }
        }
    }
}
