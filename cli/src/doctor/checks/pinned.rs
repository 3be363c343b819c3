//! Whether a workload was left with the settings of a release that is over, or whose record is gone: every later rollout of it would get stuck.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sluice_api::{
    admission_table,
    annotation::{HOLD, ORIGINALS},
};

use super::{Check, Facts, Findings, READ, known, releases::under_way};
use crate::{installation::restore, release::progress};

/// A hold is put on at admission, and its release recorded a moment later.
const BEING_RECORDED: SignedDuration = SignedDuration::from_secs(30);

/// See the module.
pub struct Pinned;

impl Check for Pinned {
    fn name(&self) -> &'static str {
        "pinned"
    }

    fn asks(&self) -> &'static str {
        "is every workload free of the settings of a release that is over?"
    }

    fn without_installation(&self) -> bool {
        true
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let Some(deployments) = known(&facts.deployments, findings, READ) else {
            return;
        };
        let before = findings.0.len();
        let admitted = facts
            .configurations
            .iter()
            .flatten()
            .any(|found| found.name == admission_table::MUTATING);
        for deployment in deployments {
            let uid = deployment["metadata"]["uid"].as_str().unwrap_or_default();
            // a release under way has set these on purpose; where records cannot be read, nobody can tell
            let own = facts.releases.as_ref().map(|releases| {
                let own = releases
                    .iter()
                    .filter(|release| release.spec.workload.uid == uid);
                own.cloned().collect::<Vec<_>>()
            });
            if own.as_ref().is_ok_and(|own| own.iter().any(under_way)) {
                continue;
            }
            let youngest = own.as_ref().ok().and_then(|own| progress::youngest(own));
            let recorded = youngest.and_then(|release| release.spec.originals().ok());
            look(
                deployment,
                facts.now,
                admitted,
                recorded.as_ref(),
                own.as_ref().err().map(|why| why.as_str()),
                findings,
            );
        }
        if findings.0.len() == before {
            findings.fine(format!(
                "none of {} Deployments is left pinned",
                deployments.len()
            ));
        }
    }
}

/// Whether it was written within this span, by the API server's own notes.
fn written_since(deployment: &Value, now: Timestamp, span: SignedDuration) -> bool {
    let managed = deployment["metadata"]["managedFields"].as_array();
    managed
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["time"].as_str()?.parse::<Timestamp>().ok())
        .any(|at| now.duration_since(at) < span)
}

fn look(
    deployment: &Value,
    now: Timestamp,
    admitted: bool,
    recorded: Option<&sluice_api::annotation::Originals>,
    unread: Option<&str>,
    findings: &mut Findings,
) {
    let text = |pointer: &str| {
        deployment
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let what = format!("deployment/{name} in namespace {namespace}");
    let annotations = &deployment["metadata"]["annotations"];
    let held = annotations.get(HOLD).is_some() || annotations.get(ORIGINALS).is_some();
    let restoration = restore::restoration(deployment, recorded);
    // what it remembers of bad versions is no setting of a release
    let pinned = restore::is_pinned(deployment);
    if !pinned && (!held || written_since(deployment, now, BEING_RECORDED)) {
        return;
    }
    if let Some(why) = unread {
        findings.unknown(
            format!("{what} carries settings of a release, and releases cannot be read: {why}"),
            READ,
        );
        return;
    }
    match restoration {
        Ok(None) => {}
        Ok(Some(restoration)) => {
            let repair = if admitted {
                // the webhook would put these back: they are the controller's to take off
                "the leading controller takes it up again or puts it back: see the check `leader`; without a controller: sluice uninstall".to_owned()
            } else {
                let patch = Value::Array(restoration.patch).to_string();
                let patch = patch.replace('\'', "'\\''");
                format!("kubectl -n {namespace} patch deployment {name} --type=json -p '{patch}'")
            };
            findings.broken(
                format!("{what} carries the settings of a release, and none is under way"),
                repair,
            );
        }
        Err(why) => findings.broken(
            format!("{what}: {why}"),
            format!("kubectl -n {namespace} edit deployment {name}"),
        ),
    }
}
