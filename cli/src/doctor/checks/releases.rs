//! Whether a release stands still although nothing holds it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::Value;
use sluice_api::{Release, reason::WaitReason};

use super::{Check, Facts, Findings, READ, known, some};

/// See the module.
pub struct Releases;

impl Check for Releases {
    fn name(&self) -> &'static str {
        "releases"
    }

    fn asks(&self) -> &'static str {
        "does every release that is under way move, or wait for something that is known?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let Some(releases) = known(&facts.releases, findings, READ) else {
            return;
        };
        let mut moving = Vec::new();
        for release in releases.iter().filter(|release| under_way(release)) {
            let name = format!(
                "{}/{}",
                release.namespace().unwrap_or_default(),
                release.name_any()
            );
            match stuck(release, facts) {
                Some((why, repair)) => findings.broken(format!("{name} is stuck: {why}"), repair),
                None => moving.push(format!("{name} ({})", word(release))),
            }
        }
        if findings.0.is_empty() {
            findings.fine(match moving.as_slice() {
                [] => "none is under way".to_owned(),
                some_moving => format!("under way: {}", some(some_moving)),
            });
        }
    }
}

/// Whether it has not ended.
pub fn under_way(release: &Release) -> bool {
    !release
        .status
        .as_ref()
        .is_some_and(|status| status.phase.is_finished())
}

fn word(release: &Release) -> String {
    let status = release.status.as_ref();
    let waits = status.and_then(|status| status.waiting_on.first());
    let phase = status.map_or_else(|| "not begun".to_owned(), |status| status.phase.to_string());
    match waits {
        Some(waits) => format!("{phase}: {}", waits.message),
        None => phase,
    }
}

/// Why a release that is under way will not move by itself, and what helps.
fn stuck(release: &Release, facts: &Facts) -> Option<(String, String)> {
    let namespace = release.namespace().unwrap_or_default();
    let workload = &release.spec.workload;
    if let Ok(deployments) = &facts.deployments {
        let gone = !deployments
            .iter()
            .any(|found| found["metadata"]["uid"] == Value::String(workload.uid.clone()));
        if gone {
            return Some((
                format!("its workload deployment/{} is gone", workload.name),
                format!(
                    "kubectl -n {namespace} delete releases.sluice.dev {}",
                    release.name_any()
                ),
            ));
        }
    }
    let waiting = release.status.iter().flat_map(|status| &status.waiting_on);
    let mut ended = None;
    for waits in waiting {
        match waits.reason {
            // as long as it takes
            WaitReason::GateNotOpen
            | WaitReason::PausedByUser
            | WaitReason::PlanMissing
            | WaitReason::HumanNeeded => return None,
            _ => {}
        }
        let until = waits
            .until
            .as_deref()
            .and_then(|at| at.parse::<Timestamp>().ok());
        if let Some(until) = until {
            if until > facts.now {
                return None;
            }
            ended = Some(until);
        }
    }
    // what it waits for has an end that is over, or none: then its record must change now and then
    let since = ended.into_iter().chain(written(release)).max()?;
    let still = facts.now.duration_since(since);
    let limit = SignedDuration::try_from(facts.stuck_after).unwrap_or(SignedDuration::MAX);
    (still > limit).then(|| {
        (
            format!("{}, and nothing has changed for {}", word(release), human(still)),
            format!(
                "see the check `leader`; if a controller leads: sluice release get {} -n {namespace}, then sluice release abort",
                release.name_any()
            ),
        )
    })
}

fn human(span: SignedDuration) -> String {
    sluice_api::Duration::from_secs(Duration::try_from(span).unwrap_or_default().as_secs())
        .to_string()
}

/// When the record was written last, by the API server's own notes.
fn written(release: &Release) -> Option<Timestamp> {
    let meta = &release.metadata;
    let managed = meta.managed_fields.iter().flatten();
    managed
        .filter_map(|entry| entry.time.as_ref())
        .chain(&meta.creation_timestamp)
        .map(|time| time.0)
        .max()
}
