//! One release for people: a head, the tree of versions and pods, the batches, what it waits for, when what happened, and the way back by hand.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Pod};
use kube::ResourceExt;
use serde_json::Value;
use sluice_api::{Release, ReleasePhase, ReleaseStatus};
use sluice_planner::template::template_hash;

use crate::{
    age,
    console::{self, Style, Tone, one_line},
};

/// How many pods of one version are drawn; the rest is counted.
const PODS: usize = 12;

/// ReplicaSets and pods, when the caller may see them.
pub type Pods<'a> = Option<(&'a [ReplicaSet], &'a [Pod])>;

/// An icon and a tone for a phase.
#[must_use]
pub fn icon(phase: ReleasePhase) -> (&'static str, Tone) {
    match phase {
        ReleasePhase::Succeeded => ("✔", Tone::Good),
        ReleasePhase::RolledBack | ReleasePhase::RollbackIneffective | ReleasePhase::Failed => {
            ("✖", Tone::Bad)
        }
        ReleasePhase::Aborting => ("⚠", Tone::Bad),
        ReleasePhase::Superseded => ("•", Tone::Quiet),
        ReleasePhase::Paused => ("॥", Tone::Doubtful),
        ReleasePhase::Held | ReleasePhase::Probing => ("◷", Tone::Doubtful),
        ReleasePhase::Batch | ReleasePhase::Baking | ReleasePhase::Finishing => {
            ("◌", Tone::Doubtful)
        }
    }
}

/// The release as text.
#[must_use]
pub fn draw(release: &Release, pods: Pods<'_>, style: Style, now: Timestamp) -> String {
    let status = release.status.clone().unwrap_or_default();
    let mut text = head(release, &status, style, now);
    text.push_str(&tree(release, &status, pods, style, now));
    batches(&status, style, now, &mut text);
    waiting(&status, now, &mut text);
    abort(&status, &mut text);
    timeline(&status, &mut text);
    way_back(release, &status, &mut text);
    text
}

fn row(name: &str, value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        format!("{name:<12}{value}\n")
    }
}

fn head(release: &Release, status: &ReleaseStatus, style: Style, now: Timestamp) -> String {
    let spec = &release.spec;
    let (sign, tone) = icon(status.phase);
    let batch = status
        .batch
        .as_ref()
        .map(|batch| format!("  batch {}", batch.text))
        .unwrap_or_default();
    let phase = format!(
        "{}{}{batch}",
        style.icon(sign, tone),
        style.paint(tone, &status.phase.to_string())
    );
    let short = |hash: &str| hash.get(..10).unwrap_or(hash).to_owned();
    let versions = match (&spec.stable, status.phase) {
        (Some(stable), ReleasePhase::Succeeded) => format!(
            "{} (before it: {})",
            short(&spec.target.hash),
            short(&stable.hash)
        ),
        (Some(stable), _) => format!(
            "{} (stable: {})",
            short(&spec.target.hash),
            short(&stable.hash)
        ),
        (None, _) => format!("{} (nothing to go back to)", short(&spec.target.hash)),
    };
    let mut text = row("Release", &style.paint(Tone::Strong, &release.name_any()));
    text.push_str(&row(
        "Workload",
        &format!(
            "{}/{} in namespace {}",
            spec.workload.kind.as_str().to_lowercase(),
            spec.workload.name,
            release.namespace().unwrap_or_default()
        ),
    ));
    text.push_str(&row("Phase", &phase));
    text.push_str(&row(
        "Why",
        &status.message.as_deref().map(one_line).unwrap_or_default(),
    ));
    text.push_str(&row("Version", &versions));
    text.push_str(&row(
        "Plan",
        &format!("{}/{}", spec.plan.namespace, spec.plan.name),
    ));
    if let Some(pods) = &status.pods {
        let counts = format!(
            "{} wanted; new {} ({} ready), old {} ({} ready)",
            pods.replicas, pods.new, pods.new_ready, pods.old, pods.old_ready
        );
        text.push_str(&row("Pods", &counts));
    }
    text.push_str(&row(
        "Exposure",
        &format!(
            "at most {} at once ever ran the new version",
            plural(u64::from(status.exposure), "pod")
        ),
    ));
    let created = release
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0.to_string());
    text.push_str(&row("Age", &age::since(created.as_deref(), now)));
    for (word, asked) in [("Abort", &spec.abort), ("Retry", &spec.retry)] {
        if let Some(asked) = asked {
            let by = asked.by.as_deref().unwrap_or("somebody");
            text.push_str(&row(
                word,
                &format!("asked for by {}: {}", one_line(by), one_line(&asked.reason)),
            ));
        }
    }
    text
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

fn tree(
    release: &Release,
    status: &ReleaseStatus,
    pods: Pods<'_>,
    style: Style,
    now: Timestamp,
) -> String {
    let Some((sets, pods)) = pods else {
        return String::new();
    };
    let mut sets: Vec<&ReplicaSet> = sets
        .iter()
        .filter(|set| {
            set.status
                .as_ref()
                .is_some_and(|status| status.replicas > 0)
        })
        .collect();
    if sets.is_empty() {
        return String::new();
    }
    sets.sort_by_key(|set| std::cmp::Reverse(set.creation_timestamp().map(|time| time.0)));
    let stable = release.spec.stable.as_ref();
    let mut text = format!(
        "\n{}{}/{}\n",
        style.icon("⟳", Tone::Quiet),
        release.spec.workload.kind.as_str().to_lowercase(),
        release.spec.workload.name
    );
    for (index, set) in sets.iter().enumerate() {
        let last = index + 1 == sets.len();
        let hash = set
            .labels()
            .get("pod-template-hash")
            .cloned()
            .unwrap_or_default();
        let version =
            serde_json::to_value(set.spec.as_ref().and_then(|spec| spec.template.clone()))
                .map(|template| template_hash(&without_hash_label(template)))
                .unwrap_or_default();
        let role = if version == release.spec.target.hash {
            if status.phase == ReleasePhase::Succeeded {
                "new, now stable"
            } else {
                "new"
            }
        } else if stable.is_some_and(|stable| stable.hash == version) {
            "stable"
        } else {
            "older"
        };
        let counts = set
            .status
            .as_ref()
            .map(|status| {
                format!(
                    "{}, {} ready",
                    plural(u64::from(status.replicas.unsigned_abs()), "pod"),
                    status.ready_replicas.unwrap_or_default()
                )
            })
            .unwrap_or_default();
        text.push_str(&format!(
            "{}{}{hash} ({role}): {counts}\n",
            if last { "└─ " } else { "├─ " },
            style.icon("⧉", Tone::Quiet)
        ));
        let trunk = if last { "   " } else { "│  " };
        let mut own: Vec<&Pod> = pods
            .iter()
            .filter(|pod| {
                pod.owner_references()
                    .iter()
                    .any(|owner| Some(&owner.uid) == set.uid().as_ref())
            })
            .collect();
        // what is not well first: it is what one looks for
        own.sort_by_key(|pod| (state(pod).well, pod.name_any()));
        for (index, pod) in own.iter().take(PODS).enumerate() {
            let end = index + 1 == own.len().min(PODS) && own.len() <= PODS;
            text.push_str(&format!(
                "{trunk}{}{}\n",
                if end { "└─ " } else { "├─ " },
                pod_line(pod, style, now)
            ));
        }
        if own.len() > PODS {
            text.push_str(&format!("{trunk}└─ and {} more\n", own.len() - PODS));
        }
    }
    text
}

/// The label that the Deployment controller adds to the template of a ReplicaSet is no part of the version.
fn without_hash_label(mut template: Value) -> Value {
    if let Some(labels) = template
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.remove("pod-template-hash");
    }
    template
}

struct PodState {
    well: bool,
    words: String,
    restarts: i32,
}

/// What a pod is doing, with the real reason why it is not well.
fn state(pod: &Pod) -> PodState {
    let status = pod.status.as_ref();
    let containers = status
        .and_then(|status| status.container_statuses.as_deref())
        .unwrap_or_default();
    let restarts = containers
        .iter()
        .map(|container| container.restart_count)
        .sum();
    let ready = status
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let reason = containers.iter().find_map(|container| {
        let state = container.state.as_ref()?;
        let waiting = state
            .waiting
            .as_ref()
            .and_then(|waiting| waiting.reason.clone());
        waiting.or_else(|| {
            state
                .terminated
                .as_ref()
                .and_then(|ended| ended.reason.clone())
        })
    });
    let phase = status
        .and_then(|status| status.phase.clone())
        .unwrap_or_else(|| "Pending".to_owned());
    let words = if pod.metadata.deletion_timestamp.is_some() {
        "terminating".to_owned()
    } else if ready {
        "ready".to_owned()
    } else {
        reason.unwrap_or_else(|| format!("{phase}, not ready"))
    };
    PodState {
        well: ready && pod.metadata.deletion_timestamp.is_none(),
        words,
        restarts,
    }
}

fn pod_line(pod: &Pod, style: Style, now: Timestamp) -> String {
    let PodState {
        well,
        words,
        restarts,
    } = state(pod);
    let (sign, tone) = if well {
        ("✔", Tone::Good)
    } else {
        ("◌", Tone::Doubtful)
    };
    let restarts = if restarts > 0 {
        format!(
            ", {}",
            plural(u64::from(restarts.unsigned_abs()), "restart")
        )
    } else {
        String::new()
    };
    let created = pod.creation_timestamp().map(|time| time.0.to_string());
    format!(
        "{}{}  {}{restarts}, {}",
        style.icon(sign, tone),
        pod.name_any(),
        style.paint(tone, &one_line(&words)),
        age::since(created.as_deref(), now)
    )
}

fn batches(status: &ReleaseStatus, style: Style, now: Timestamp, text: &mut String) {
    if status.batches.is_empty() {
        return;
    }
    let ago = |time: &Option<String>| match time {
        Some(time) => format!("{} ago", age::since(Some(time), now)),
        None => "-".to_owned(),
    };
    let rows: Vec<Vec<String>> = status
        .batches
        .iter()
        .map(|batch| {
            let sign = match (&batch.verified, &batch.ready) {
                (Some(_), _) => "✔",
                (None, Some(_)) => "◷",
                (None, None) => "◌",
            };
            let sign = if style.terminal {
                format!("{sign} ")
            } else {
                String::new()
            };
            let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
            for evidence in &batch.evidence {
                *verdicts.entry(evidence.verdict.as_str()).or_default() += 1;
            }
            let verdicts: Vec<String> = verdicts
                .iter()
                .map(|(verdict, count)| format!("{count} {verdict}"))
                .collect();
            vec![
                format!("{sign}{}", batch.index),
                batch.pods.to_string(),
                format!("{} ago", age::since(Some(&batch.started), now)),
                ago(&batch.ready),
                ago(&batch.verified),
                if verdicts.is_empty() {
                    "-".to_owned()
                } else {
                    verdicts.join(", ")
                },
            ]
        })
        .collect();
    text.push('\n');
    text.push_str(&console::table(
        &["BATCH", "PODS", "STARTED", "READY", "VERIFIED", "PROBES"],
        &rows,
    ));
}

fn waiting(status: &ReleaseStatus, now: Timestamp, text: &mut String) {
    if status.waiting_on.is_empty() {
        return;
    }
    text.push_str("\nWaits for\n");
    for waiting in &status.waiting_on {
        let until = waiting
            .until
            .as_deref()
            .and_then(|until| until.parse::<Timestamp>().ok());
        let until = until
            .map(|until| {
                format!(
                    " (for {} more at most)",
                    age::span(until.duration_since(now))
                )
            })
            .unwrap_or_default();
        text.push_str(&format!(
            "  {}: {}{until}\n",
            waiting.reason,
            one_line(&waiting.message)
        ));
    }
}

fn abort(status: &ReleaseStatus, text: &mut String) {
    let Some(abort) = &status.abort else { return };
    text.push_str(&format!(
        "\nAborted: {}: {}\n",
        abort.reason,
        one_line(&abort.message)
    ));
    for evidence in &abort.evidence {
        text.push_str(&format!(
            "  probe {}: {}: {} ({})\n",
            evidence.probe,
            evidence.verdict,
            one_line(&evidence.message),
            evidence.at
        ));
    }
}

fn timeline(status: &ReleaseStatus, text: &mut String) {
    let line = &status.timeline;
    let mut first: Option<Timestamp> = None;
    let mut rows = String::new();
    for (word, time) in [
        ("started", &line.started),
        ("first bad", &line.occurred),
        ("detected", &line.detected),
        ("decided", &line.decided),
        ("rolled back", &line.rolled_back),
        ("verified", &line.verified),
        ("finished", &line.finished),
    ] {
        let Some(written) = time else { continue };
        let parsed = written.parse::<Timestamp>().ok();
        let after = match (first, parsed) {
            (Some(first), Some(time)) => {
                format!("  +{:.3}s", time.duration_since(first).as_secs_f64())
            }
            _ => String::new(),
        };
        first = first.or(parsed);
        rows.push_str(&format!("  {word:<12}{}{after}\n", one_line(written)));
    }
    if !rows.is_empty() {
        text.push_str(&format!("\nTimeline\n{rows}"));
    }
}

fn way_back(release: &Release, status: &ReleaseStatus, text: &mut String) {
    if status.phase.is_finished() || status.way_back.is_empty() {
        return;
    }
    let (namespace, name) = (release.namespace().unwrap_or_default(), release.name_any());
    let workload = &release.spec.workload;
    text.push_str(&format!(
        "\nThe way back: `sluice release abort {name} -n {namespace}`. By hand, with Sluice gone:\n  \
         kubectl delete mutatingwebhookconfigurations,validatingwebhookconfigurations -l app.kubernetes.io/part-of=sluice\n  \
         kubectl -n {namespace} get releases.sluice.dev {name} -o jsonpath='{{.status.wayBack}}' > way-back.json\n  \
         kubectl -n {namespace} patch {} {} --type=json --patch-file way-back.json\n",
        workload.kind.as_str().to_lowercase(),
        workload.name
    ));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release() -> Release {
        serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
            "metadata": {"name": "deployment-checkout-0123456789-3", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "workload": {"kind": "Deployment", "name": "checkout", "uid": "u"}, "target": {"hash": "0123456789abcdef"},
                "stable": {"hash": "fedcba9876543210", "template": {}}, "originals": {}, "plan": {"namespace": "shop", "name": "p"},
            },
            "status": {
                "phase": "Baking", "message": "batch 1/4 bakes", "batch": {"index": 1, "of": 4, "pods": 1, "text": "1/4"},
                "pods": {"replicas": 20, "new": 1, "newReady": 1, "old": 20, "oldReady": 20}, "exposure": 1,
                "waitingOn": [{"reason": "Baking", "message": "the batch is watched", "until": "2026-01-01T00:01:30Z"}],
                "batches": [{"index": 1, "pods": 1, "started": "2026-01-01T00:00:10Z", "ready": "2026-01-01T00:00:20Z"}],
                "timeline": {"started": "2026-01-01T00:00:10Z"}, "wayBack": [{"op": "test"}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_pipe_gets_the_whole_story_in_plain_words() {
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        let text = draw(&release(), None, Style { terminal: false }, now);
        assert_eq!(
            text,
            "Release     deployment-checkout-0123456789-3\n\
             Workload    deployment/checkout in namespace shop\n\
             Phase       Baking  batch 1/4\n\
             Why         batch 1/4 bakes\n\
             Version     0123456789 (stable: fedcba9876)\n\
             Plan        shop/p\n\
             Pods        20 wanted; new 1 (1 ready), old 20 (20 ready)\n\
             Exposure    at most 1 pod at once ever ran the new version\n\
             Age         60s\n\
             \n\
             BATCH   PODS   STARTED   READY     VERIFIED   PROBES\n\
             1       1      50s ago   40s ago   -          -\n\
             \n\
             Waits for\n  Baking: the batch is watched (for 30s more at most)\n\
             \n\
             Timeline\n  started     2026-01-01T00:00:10Z\n\
             \n\
             The way back: `sluice release abort deployment-checkout-0123456789-3 -n shop`. By hand, with Sluice gone:\n  \
             kubectl delete mutatingwebhookconfigurations,validatingwebhookconfigurations -l app.kubernetes.io/part-of=sluice\n  \
             kubectl -n shop get releases.sluice.dev deployment-checkout-0123456789-3 -o jsonpath='{.status.wayBack}' > way-back.json\n  \
             kubectl -n shop patch deployment checkout --type=json --patch-file way-back.json\n"
        );
    }

    #[test]
    fn the_tree_shows_the_real_reason_why_a_pod_is_not_well() {
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        let set: ReplicaSet = serde_json::from_value(json!({
            "metadata": {"name": "checkout-abc", "uid": "s", "labels": {"pod-template-hash": "abc"}}, "spec": {"selector": {}, "template": {"metadata": {}}},
            "status": {"replicas": 1, "readyReplicas": 0}
        }))
        .unwrap();
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "checkout-abc-1", "creationTimestamp": "2026-01-01T00:00:50Z",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "checkout-abc", "uid": "s"}]},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": "a", "image": "a", "imageID": "", "ready": false, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}
        }))
        .unwrap();
        let text = draw(
            &release(),
            Some((&[set], &[pod])),
            Style { terminal: false },
            now,
        );
        assert!(text.contains("deployment/checkout\n└─ abc (older): 1 pod, 0 ready\n   └─ checkout-abc-1  CrashLoopBackOff, 2 restarts, 10s\n"), "{text}");
    }
}
