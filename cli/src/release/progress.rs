//! How far the release of a workload's applied template is, and whether waiting for it is over. Pure: from what was read to lines and an outcome.

use serde_json::Value;
use sluice_api::{
    Release, ReleasePhase,
    annotation::{self, HOLD, Hold},
};
use sluice_planner::template::template_hash;

use crate::{console::one_line, outcome::Outcome};

/// What was read about one workload.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// The live Deployment.
    pub deployment: &'a Value,
    /// The Releases of this uid, in any order.
    pub releases: &'a [Release],
    /// `Err` says why nothing steps this workload.
    pub plan: Result<(), String>,
}

/// Where waiting is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The release that is waited for, once it is known.
    pub release: Option<String>,
    /// Its phase.
    pub phase: Option<ReleasePhase>,
    /// What has happened so far, oldest first. It only ever grows at its end.
    pub happened: Vec<String>,
    /// What is going on now; a change of it is worth a line.
    pub now: String,
    /// Set when waiting is over.
    pub outcome: Option<Outcome>,
}

impl Progress {
    fn without_release(now: impl Into<String>, outcome: Option<Outcome>) -> Self {
        Self {
            release: None,
            phase: None,
            happened: Vec::new(),
            now: now.into(),
            outcome,
        }
    }
}

/// The progress of the release of the template that is applied now.
///
/// The hold on the workload names the release while one is on. Without a hold it is the youngest release of this uid: a rollback puts the old template back,
/// so the live template alone does not tell what was applied last.
#[must_use]
pub fn of_workload(seen: &Seen<'_>) -> Progress {
    let name = seen.deployment["metadata"]["name"]
        .as_str()
        .unwrap_or_default();
    let hold: Result<Option<Hold>, _> = annotation::read(
        HOLD,
        seen.deployment["metadata"]["annotations"][HOLD].as_str(),
    );
    let uid = seen.deployment["metadata"]["uid"]
        .as_str()
        .unwrap_or_default();
    match hold {
        Err(_) => Progress::without_release(
            format!(
                "the annotation {HOLD} of deployment/{name} is not what Sluice writes: nobody can tell"
            ),
            Some(Outcome::CannotTell),
        ),
        Ok(Some(hold)) if hold.uid.is_empty() || hold.uid == uid => match seen
            .releases
            .iter()
            .find(|release| release.metadata.name.as_deref() == Some(&hold.release))
        {
            Some(release) => of_release(release),
            None => Progress {
                release: Some(hold.release.clone()),
                ..Progress::without_release(
                    format!("held; release {} is not recorded yet", hold.release),
                    None,
                )
            },
        },
        // a hold with another uid is a copy of somebody else's
        Ok(_) => without_hold(seen, name),
    }
}

fn without_hold(seen: &Seen<'_>, name: &str) -> Progress {
    let live = template_hash(&seen.deployment["spec"]["template"]);
    if let Some(youngest) = youngest(seen.releases) {
        let progress = of_release(youngest);
        let ended_well = progress.phase == Some(ReleasePhase::Succeeded);
        if !ended_well || youngest.spec.target.hash == live {
            return progress;
        }
    }
    if let Err(why) = &seen.plan {
        return Progress::without_release(
            format!(
                "no release of Sluice's: {why}; what runs is rolled out by Kubernetes alone, ask `kubectl rollout status deployment/{name}`"
            ),
            Some(Outcome::CannotTell),
        );
    }
    // a plan applies, but this template was there before it, or came in unheld
    match native(seen.deployment) {
        Ok(()) => Progress::without_release(
            "the applied version runs everywhere; no release of it was needed",
            Some(Outcome::Yes),
        ),
        Err(why) => Progress::without_release(
            format!(
                "no release of the applied version is recorded; Kubernetes alone rolls it out: {why}"
            ),
            None,
        ),
    }
}

/// The release that was made last.
#[must_use]
pub fn youngest(releases: &[Release]) -> Option<&Release> {
    releases.iter().max_by_key(|release| {
        let created = release
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0);
        // the name ends in a generation that grows: it orders two of the same second
        let generation = release
            .metadata
            .name
            .as_deref()
            .and_then(|name| name.rsplit('-').next())
            .and_then(|tail| tail.parse::<u64>().ok());
        (created, generation)
    })
}

/// Whether the Deployment controller is done with what is applied; `Err` says what is missing. The generation counts: an older state proves nothing.
fn native(deployment: &Value) -> Result<(), String> {
    let number = |pointer: &str| {
        deployment
            .pointer(pointer)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    let wanted = deployment
        .pointer("/spec/replicas")
        .and_then(Value::as_i64)
        .unwrap_or(1);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Err("the Deployment controller has not seen it yet".to_owned());
    }
    if deployment["spec"]["paused"] == true {
        return Err("the rollout is paused".to_owned());
    }
    let (updated, all, available) = (
        number("/status/updatedReplicas"),
        number("/status/replicas"),
        number("/status/availableReplicas"),
    );
    if updated < wanted || all > updated || available < updated {
        return Err(format!(
            "{updated} of {wanted} pods updated, {available} available, {} old ones left",
            (all - updated).max(0)
        ));
    }
    Ok(())
}

/// The progress of one release.
#[must_use]
pub fn of_release(release: &Release) -> Progress {
    let name = release.metadata.name.clone().unwrap_or_default();
    let Some(status) = &release.status else {
        return Progress {
            release: Some(name.clone()),
            ..Progress::without_release(
                format!("release {name} is recorded; no controller has looked at it yet"),
                None,
            )
        };
    };
    let phase = status.phase;
    let mut happened = Vec::new();
    let of = status.batch.as_ref().map_or(0, |batch| batch.of);
    let replicas = status.pods.as_ref().map_or(0, |pods| pods.replicas);
    for batch in &status.batches {
        let title = format!("batch {}/{}", batch.index, of.max(batch.index));
        happened.push(format!(
            "{title}: up to {} of {replicas} pods run the new version",
            batch.pods
        ));
        if batch.ready.is_some() {
            happened.push(format!("{title}: ready"));
        }
        if batch.verified.is_some() {
            happened.push(format!("{title}: verified"));
        }
    }
    if let Some(abort) = &status.abort {
        happened.push(format!(
            "aborting: {}: {}",
            abort.reason,
            one_line(&abort.message)
        ));
    }
    if status.timeline.rolled_back.is_some() {
        happened.push("the stable version is back everywhere".to_owned());
    }
    let outcome = match phase {
        ReleasePhase::Succeeded => Some(Outcome::Yes),
        phase if phase.is_finished() => Some(Outcome::No),
        _ => None,
    };
    let batch = status
        .batch
        .as_ref()
        .filter(|batch| !batch.text.is_empty())
        .map(|batch| format!(" {}", batch.text))
        .unwrap_or_default();
    let mut now = match outcome {
        None => format!("{phase}{batch}"),
        Some(_) => phase.to_string(),
    };
    let waits: Vec<String> = status
        .waiting_on
        .iter()
        .map(|waiting| one_line(&waiting.message))
        .collect();
    if outcome.is_none() && !waits.is_empty() {
        now.push_str(&format!(": {}", waits.join("; ")));
    } else if let Some(message) = &status.message {
        now.push_str(&format!(": {}", one_line(message)));
    }
    Progress {
        release: Some(name),
        phase: Some(phase),
        happened,
        now,
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, annotations: Value) -> Value {
        json!({
            "metadata": {"name": "checkout", "uid": "u", "generation": 3, "annotations": annotations},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "a", "image": image}]}}},
            "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
        })
    }

    fn release(name: &str, image: &str, created: u32, phase: &str) -> Release {
        let hash = template_hash(&json!({"spec": {"containers": [{"name": "a", "image": image}]}}));
        serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": format!("2026-01-01T00:00:{created:02}Z")},
            "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "u"}, "target": {"hash": hash}, "originals": {}, "plan": {"namespace": "shop", "name": "p"}},
            "status": {"phase": phase, "batch": {"index": 2, "of": 4, "pods": 2, "text": "2/4"}, "pods": {"replicas": 20, "new": 2, "newReady": 2, "old": 18, "oldReady": 18},
                "batches": [{"index": 1, "pods": 1, "started": "x", "ready": "x", "verified": "x"}, {"index": 2, "pods": 2, "started": "x"}],
                "waitingOn": [{"reason": "Baking", "message": "bakes until 12:00"}], "message": "why"},
        }))
        .unwrap()
    }

    fn hold(uid: &str, release: &str) -> Value {
        json!({ HOLD: json!({"uid": uid, "target": "t", "release": release}).to_string() })
    }

    #[test]
    fn waits_for_the_release_of_the_applied_template() {
        use Outcome::{CannotTell, No, Yes};
        let (plan, none) = (Ok(()), Err("no plan".to_owned()));
        let ran = |phase| {
            vec![
                release("r-1", "a:1", 1, "Succeeded"),
                release("r-2", "a:2", 2, phase),
            ]
        };
        for (what, live, releases, plan, outcome, words) in [
            (
                "held, not recorded",
                deployment("a:2", hold("u", "r-2")),
                vec![],
                &plan,
                None,
                "held; release r-2 is not recorded yet",
            ),
            (
                "held and stepped",
                deployment("a:2", hold("u", "r-2")),
                ran("Baking"),
                &plan,
                None,
                "Baking 2/4: bakes until 12:00",
            ),
            (
                "done",
                deployment("a:2", json!({})),
                ran("Succeeded"),
                &plan,
                Some(Yes),
                "Succeeded: why",
            ),
            (
                "rolled back: the old template is live",
                deployment("a:1", json!({})),
                ran("RolledBack"),
                &plan,
                Some(No),
                "RolledBack: why",
            ),
            (
                "did not help",
                deployment("a:1", json!({})),
                ran("RollbackIneffective"),
                &plan,
                Some(No),
                "RollbackIneffective: why",
            ),
            (
                "ended without a way back",
                deployment("a:2", json!({})),
                ran("Failed"),
                &plan,
                Some(No),
                "Failed",
            ),
            (
                "superseded",
                deployment("a:2", json!({})),
                ran("Superseded"),
                &plan,
                Some(No),
                "Superseded",
            ),
            (
                "aborting: hold is gone already",
                deployment("a:1", json!({})),
                ran("Aborting"),
                &plan,
                None,
                "Aborting 2/4",
            ),
            (
                "a hold that is a copy",
                deployment("a:2", hold("other", "r-9")),
                ran("Succeeded"),
                &plan,
                Some(Yes),
                "Succeeded",
            ),
            (
                "a hold nobody can read",
                deployment("a:2", json!({ HOLD: "{" })),
                ran("Succeeded"),
                &plan,
                Some(CannotTell),
                "nobody can tell",
            ),
            (
                "never released, plan",
                deployment("a:1", json!({})),
                vec![],
                &plan,
                Some(Yes),
                "no release of it was needed",
            ),
            (
                "never released, no plan",
                deployment("a:1", json!({})),
                vec![],
                &none,
                Some(CannotTell),
                "no plan; what runs is rolled out by Kubernetes alone",
            ),
            (
                "slipped by",
                deployment("a:3", json!({})),
                ran("Succeeded"),
                &none,
                Some(CannotTell),
                "no plan",
            ),
        ] {
            let progress = of_workload(&Seen {
                deployment: &live,
                releases: &releases,
                plan: plan.clone(),
            });
            assert_eq!(progress.outcome, outcome, "{what}: {progress:?}");
            assert!(progress.now.contains(words), "{what}: {progress:?}");
        }
    }

    #[test]
    fn an_unfinished_native_rollout_is_waited_for() {
        for (pointer, value, words) in [
            ("/status/observedGeneration", json!(2), "has not seen it"),
            ("/status/updatedReplicas", json!(1), "1 of 2 pods updated"),
            ("/status/replicas", json!(3), "1 old ones left"),
            ("/status/availableReplicas", json!(1), "1 available"),
        ] {
            let mut live = deployment("a:1", json!({}));
            *live.pointer_mut(pointer).unwrap() = value;
            let progress = of_workload(&Seen {
                deployment: &live,
                releases: &[],
                plan: Ok(()),
            });
            assert_eq!(progress.outcome, None, "{pointer}");
            assert!(progress.now.contains(words), "{progress:?}");
        }
    }

    #[test]
    fn what_happened_only_ever_grows() {
        let progress = of_release(&release("r", "a:2", 1, "Batch"));
        assert_eq!(
            progress.happened,
            [
                "batch 1/4: up to 1 of 20 pods run the new version",
                "batch 1/4: ready",
                "batch 1/4: verified",
                "batch 2/4: up to 2 of 20 pods run the new version"
            ]
        );
    }

    #[test]
    fn the_generation_in_the_name_orders_releases_of_one_second() {
        let releases = [
            release("deployment-checkout-aaaa-10", "a:1", 1, "Succeeded"),
            release("deployment-checkout-bbbb-9", "a:2", 1, "Succeeded"),
        ];
        assert_eq!(
            youngest(&releases).unwrap().metadata.name.as_deref(),
            Some("deployment-checkout-aaaa-10")
        );
    }
}
