//! From a failing verdict to the stored decision and to the written rollback, over many releases that fail.
//!
//! The moment of the verdict is the Release's own (`status.timeline.detected`); the moments of the two writes are the API server's: its audit log says when it
//! had answered them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use futures::{TryStreamExt, future::try_join_all};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_api::{Release, ReleasePhase};
use tokio::sync::{Semaphore, watch};

use super::{
    objects,
    report::{Row, Section, percentile},
};
use crate::{
    Plane, PlaneOptions, User,
    installation::{Installation, NAMESPACE as SYSTEM},
};

const NAMESPACE: &str = "aborts";
/// Workloads, each of which gets one bad release after the other: a workload remembers eight bad templates.
const WORKLOADS: usize = 40;
const ROUNDS: usize = 8;
/// Releases under way at once.
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures on a plane of its own.
///
/// # Errors
/// When something does not start, or a release does not end.
pub async fn measure() -> anyhow::Result<Vec<Section>> {
    let controller = format!("system:serviceaccount:{SYSTEM}:sluice-controller");
    let plane = Plane::start(PlaneOptions {
        audit_rules: vec![json!({
            "level": "Request", "users": [controller], "verbs": ["patch"],
            "resources": [
                {"group": "sluice.dev", "resources": ["releases/status"]},
                {"group": "apps", "resources": ["deployments"]},
            ],
        })],
        ..PlaneOptions::default()
    })
    .await?;
    // held until the end: it ends with its handle
    let _sluice = Installation::install(&plane, None).await?;
    let client = plane.client(User::Admin).await?;
    populate(&plane, &client).await?;
    let began = Instant::now();
    let phases = releases(&client).await?;
    let took = began.elapsed();
    let found = latencies(&plane)?;
    section(&phases, &found, took)
}

async fn populate(plane: &Plane, client: &Client) -> anyhow::Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {"sluice.dev/mode": "enforce"}}});
    let components =
        json!({"kinds": ["Deployment"], "selector": {"matchLabels": {"team": "bench"}}});
    objects::apply(
        plane,
        &[
            namespace,
            objects::ours("Probe", NAMESPACE, "canary", &json!({
                "http": {"target": {"pods": "Canary", "port": 8080, "path": "/"}}, "interval": "250ms", "timeout": "240ms", "triggers": ["Release"],
            })),
            objects::ours("RolloutPlan", NAMESPACE, "stepped", &json!({
                "components": components, "batches": [1, "100%"], "bake": "5s", "progressDeadline": "60s", "during": {"probes": [{"name": "canary"}]},
            })),
        ],
    )
    .await?;
    let workloads = (0..WORKLOADS).map(|n| {
        let object = objects::deployment(&workload(n), 2, "registry.test/bench/app:v1");
        (NAMESPACE.to_owned(), object)
    });
    objects::create_all::<Deployment>(client, workloads).await?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let until = Instant::now() + PATIENCE;
    loop {
        let list = deployments.list(&Default::default()).await?;
        let ready = list
            .items
            .iter()
            .filter_map(|deployment| deployment.status.as_ref())
            .filter(|status| status.ready_replicas == Some(2))
            .count();
        if ready == WORKLOADS {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "{ready} of {WORKLOADS} Deployments are ready"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn workload(n: usize) -> String {
    format!("app-{n:02}")
}

/// How every Release ended, by name, with the workload it belongs to.
type Ends = BTreeMap<String, (String, ReleasePhase)>;

/// Lets every workload have its bad releases, and returns how all of them ended.
async fn releases(client: &Client) -> anyhow::Result<BTreeMap<String, usize>> {
    let (sender, ends) = watch::channel(Ends::new());
    let api: Api<Release> = Api::namespaced(client.clone(), NAMESPACE);
    let follow = tokio::spawn(async move {
        watcher(api, watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .try_for_each(|release| {
                let phase = release
                    .status
                    .map(|status| status.phase)
                    .unwrap_or_default();
                if phase.is_finished() {
                    let name = release.metadata.name.unwrap_or_default();
                    sender.send_if_modified(|ends| {
                        ends.insert(name, (release.spec.workload.name, phase))
                            .is_none()
                    });
                }
                std::future::ready(Ok(()))
            })
            .await
    });
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let all = (0..WORKLOADS)
        .map(|n| one_after_the_other(client, workload(n), permits.clone(), ends.clone()));
    let done = try_join_all(all).await;
    follow.abort();
    done?;
    let mut phases = BTreeMap::new();
    for (_, phase) in ends.borrow().values() {
        *phases.entry(phase.to_string()).or_insert(0) += 1;
    }
    Ok(phases)
}

async fn one_after_the_other(
    client: &Client,
    name: String,
    permits: Arc<Semaphore>,
    mut ends: watch::Receiver<Ends>,
) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let over = |ends: &Ends| {
        ends.values()
            .filter(|(workload, _)| *workload == name)
            .count()
    };
    for round in 0..ROUNDS {
        let _permit = permits.acquire().await?;
        let before = over(&ends.borrow());
        let image = format!("registry.test/bench/app:v{}--errors-100", round + 2);
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}});
        deployments
            .patch(&name, &PatchParams::default(), &Patch::Strategic(patch))
            .await
            .with_context(|| format!("release {round} of {name}"))?;
        tokio::time::timeout(PATIENCE, ends.wait_for(|ends| over(ends) > before))
            .await
            .with_context(|| format!("release {round} of {name} does not end"))??;
    }
    Ok(())
}

/// Milliseconds from the verdict to the two writes, sorted.
struct Found {
    decided: Vec<f64>,
    written: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    object_ref: ObjectRef,
    request_object: Value,
    #[serde(rename = "requestURI")]
    uri: String,
    response_status: ResponseStatus,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct ObjectRef {
    resource: String,
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

/// Reads the controller's writes out of the audit log: it has their bodies, which [`crate::AuditLog`] does not keep.
fn latencies(plane: &Plane) -> anyhow::Result<Found> {
    let log = std::fs::read_to_string(plane.audit().path())?;
    let writes = log
        .lines()
        .filter(|line| line.contains("\"requestObject\""))
        .map(serde_json::from_str::<Event>)
        .collect::<Result<Vec<_>, _>>()
        .context("an unreadable audit event")?;
    let mut found = Found {
        decided: Vec::new(),
        written: Vec::new(),
    };
    let mut decided = BTreeSet::new();
    // workloads whose rollback is to come, with the moment of the verdict
    let mut to_come: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut writes: Vec<Event> = writes
        .into_iter()
        .filter(|event| {
            event.stage == "ResponseComplete"
                && event.response_status.code == 200
                && !event.uri.contains("dryRun")
        })
        .collect();
    writes.sort_by_key(|event| event.stage_timestamp);
    for event in writes {
        let operations = event.request_object.as_array().into_iter().flatten();
        let values: Vec<(&str, &Value)> = operations
            .filter(|operation| operation["op"] != "test")
            .map(|operation| {
                (
                    operation["path"].as_str().unwrap_or_default(),
                    &operation["value"],
                )
            })
            .collect();
        if event.object_ref.resource == "deployments" {
            let template = values
                .iter()
                .any(|(path, _)| path.starts_with("/spec/template"));
            if template && let Some(verdict) = to_come.remove(&event.object_ref.name) {
                found
                    .written
                    .push(milliseconds(verdict, event.stage_timestamp)?);
            }
            continue;
        }
        let Some((_, status)) = values.iter().find(|(path, _)| *path == "/status") else {
            continue;
        };
        if status["phase"] != "Aborting" || !decided.insert(event.object_ref.name.clone()) {
            continue;
        }
        let verdict: Timestamp = status["timeline"]["detected"]
            .as_str()
            .with_context(|| format!("{} was aborted without a verdict", event.object_ref.name))?
            .parse()?;
        found
            .decided
            .push(milliseconds(verdict, event.stage_timestamp)?);
        let workload = workload_of(&event.object_ref.name)
            .with_context(|| format!("{} is no release of ours", event.object_ref.name))?;
        to_come.insert(workload, verdict);
    }
    found.decided.sort_by(f64::total_cmp);
    found.written.sort_by(f64::total_cmp);
    Ok(found)
}

/// `app-07` of `deployment-app-07-0123456789-5`.
fn workload_of(release: &str) -> Option<String> {
    let (rest, _generation) = release.rsplit_once('-')?;
    let (rest, _hash) = rest.rsplit_once('-')?;
    rest.strip_prefix("deployment-").map(str::to_owned)
}

fn milliseconds(from: Timestamp, to: Timestamp) -> anyhow::Result<f64> {
    Ok((to - from).total(jiff::Unit::Millisecond)?)
}

fn section(
    phases: &BTreeMap<String, usize>,
    found: &Found,
    took: Duration,
) -> anyhow::Result<Vec<Section>> {
    let ended: Vec<String> = phases
        .iter()
        .map(|(phase, count)| format!("{count} {phase}"))
        .collect();
    if found.decided.is_empty() || found.written.len() != found.decided.len() {
        bail!(
            "{} decisions and {} rollbacks in the audit log; the releases ended {ended:?}",
            found.decided.len(),
            found.written.len()
        );
    }
    let spread = |values: &[f64]| {
        format!(
            "{:.0} ms, {:.0} ms",
            percentile(values, 50.0),
            percentile(values, 100.0)
        )
    };
    Ok(vec![Section {
        title: "From a failing verdict to the way back",
        how: format!(
            "{WORKLOADS} Deployments of two pods get {ROUNDS} bad versions each, {AT_ONCE} releases under way at once, {:.0} s in all. The canary answers errors, and a \
             probe that asks it every 250 ms says Fail after three of them. From the verdict (the Release's timeline) to the API server's answer to the write, as its \
             audit log has it.",
            took.as_secs_f64()
        ),
        rows: vec![
            Row::at_least(
                "aborted releases",
                found.decided.len() as f64,
                300.0,
                "releases",
            ),
            Row::told("how they ended", ended.join(", ")),
            Row::at_most(
                "verdict to stored decision, p99",
                percentile(&found.decided, 99.0),
                200.0,
                "ms",
            ),
            Row::told("the same: median, most", spread(&found.decided)),
            Row::at_most(
                "verdict to written rollback, p99",
                percentile(&found.written, 99.0),
                1000.0,
                "ms",
            ),
            Row::told("the same: median, most", spread(&found.written)),
        ],
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workload_is_read_from_the_name_of_its_release() {
        assert_eq!(
            workload_of("deployment-app-07-0123456789-5").as_deref(),
            Some("app-07")
        );
        assert_eq!(workload_of("job-app-0123456789-5"), None);
    }
}
