//! What Sluice costs while nothing happens: memory with many objects, and requests of a resting cluster of governed Deployments.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Secret},
};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    objects, process_cost,
    report::{Row, Section},
};
use crate::{
    AuditEntry, Plane, PlaneOptions, User,
    installation::{InstallOptions, Installation, NAMESPACE as SYSTEM},
    plane::wait_for,
};

const NAMESPACES: usize = 10;
const DEPLOYMENTS: usize = 1000;
const CONFIG_MAPS: usize = 2000;
const SECRETS: usize = 2000;
/// How long the cluster may take until every pod runs.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between the last pod and the start of the measurement: reports of what has just happened are no rest.
const SETTLE: Duration = Duration::from_secs(20);

/// Measures on a plane of its own; `length` is how long the resting cluster is watched.
///
/// # Errors
/// When something does not start or an object is refused.
pub async fn measure(length: Duration) -> anyhow::Result<Vec<Section>> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let options = InstallOptions {
        lease: Some("10s".to_owned()),
        ..InstallOptions::default()
    };
    let sluice = Installation::install_with(&plane, &options).await?;
    let client = plane.client(User::Admin).await?;
    populate(&plane, &client).await?;
    tokio::time::sleep(SETTLE).await;
    let at_rest = at_rest(&plane, &sluice, length).await?;
    let memory = memory(&sluice).await?;
    Ok(vec![at_rest, memory])
}

async fn populate(plane: &Plane, client: &Client) -> anyhow::Result<()> {
    let namespaces: Vec<String> = (0..NAMESPACES).map(|n| format!("team-{n}")).collect();
    let labelled = |name: &String| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"sluice.dev/mode": "enforce"}}});
    let mut first: Vec<Value> = namespaces.iter().map(labelled).collect();
    first.extend(namespaces.iter().map(|namespace| {
        // the one pod that every gate of the namespace asks about
        let mut front = objects::deployment("front", 1, "registry.test/bench/front:v1");
        front["metadata"]["namespace"] = namespace.as_str().into();
        front
    }));
    first.extend(namespaces.iter().map(|namespace| json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "front", "namespace": namespace},
        "spec": {"selector": {"app": "front"}, "ports": [{"port": 80, "targetPort": 8080}]},
    })));
    let components =
        json!({"kinds": ["Deployment"], "selector": {"matchLabels": {"team": "bench"}}});
    for namespace in &namespaces {
        first.push(objects::ours(
            "Probe",
            namespace,
            "front",
            &json!({
                "http": {"target": {"url": format!("http://front.{namespace}.svc/")}},
            }),
        ));
        first.push(objects::ours(
            "Gate",
            namespace,
            "front",
            &json!({"components": components, "before": {"probes": [{"name": "front"}]}}),
        ));
        first.push(objects::ours("RolloutPlan", namespace, "stepped", &json!({
            "components": components, "batches": [1, "10%", "50%", "100%"], "bake": "10s", "during": {"probes": [{"name": "front"}]},
        })));
    }
    objects::apply(plane, &first).await?;
    for namespace in &namespaces {
        objects::gate_opens(plane, namespace, "front").await?;
    }
    let app = |n: usize| objects::deployment(&format!("app-{n}"), 1, "registry.test/bench/app:v1");
    // a webhook that has just started has yet to see the probe engine beat, and until then no gate is open to it
    let first: Deployment = serde_json::from_value(app(0))?;
    let api: Api<Deployment> = Api::namespaced(client.clone(), &namespaces[0]);
    wait_for("the first Deployment to be let in", || async {
        match api.create(&PostParams::default(), &first).await {
            Ok(_) => Ok(Some(())),
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    objects::create_all::<Deployment>(
        client,
        (1..DEPLOYMENTS - NAMESPACES).map(|n| (namespaces[n % NAMESPACES].clone(), app(n))),
    )
    .await?;
    let text = |n: usize| format!("{n:04}: {}", "a line of some configuration\n".repeat(30));
    objects::create_all::<ConfigMap>(
        client,
        (0..CONFIG_MAPS).map(|n| {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("settings-{n}")}, "data": {"settings": text(n)}});
            (namespaces[n % NAMESPACES].clone(), object)
        }),
    )
    .await?;
    objects::create_all::<Secret>(
        client,
        (0..SECRETS).map(|n| {
            let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("key-{n}")}, "stringData": {"key": text(n)}});
            (namespaces[n % NAMESPACES].clone(), object)
        }),
    )
    .await?;
    all_run(client).await
}

async fn all_run(client: &Client) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::all(client.clone());
    let until = Instant::now() + PATIENCE;
    loop {
        let list = deployments.list(&ListParams::default()).await?;
        let ready = list
            .items
            .iter()
            .filter_map(|deployment| deployment.status.as_ref())
            .filter(|status| status.ready_replicas == Some(1))
            .count();
        if ready >= DEPLOYMENTS {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("{ready} of {DEPLOYMENTS} Deployments are ready after {PATIENCE:?}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn at_rest(
    plane: &Plane,
    sluice: &Installation,
    length: Duration,
) -> anyhow::Result<Section> {
    let pids = [
        sluice.controller_pid().context("the controller runs")?,
        sluice.webhook_pid().context("the webhook runs")?,
    ];
    let cpu = || -> anyhow::Result<Vec<Duration>> {
        pids.iter().map(|pid| process_cost::cpu(*pid)).collect()
    };
    let mark = plane.audit().mark()?;
    let (began, before) = (Instant::now(), cpu()?);
    tokio::time::sleep(length).await;
    let entries = plane.audit().since(mark)?;
    let (seconds, after) = (began.elapsed().as_secs_f64(), cpu()?);
    let ours: Vec<&AuditEntry> = entries
        .iter()
        .filter(|entry| entry.counts() && is_ours(entry))
        .collect();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for entry in &ours {
        let of = entry.user.rsplit(':').next().unwrap_or_default();
        *kinds
            .entry(format!("{of} {} {}", entry.verb, entry.resource))
            .or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let share = |at: usize| {
        let spent = after[at].saturating_sub(before[at]).as_secs_f64();
        format!("{:.2} % of a core", 100.0 * spent / seconds)
    };
    Ok(Section {
        title: "1,000 governed Deployments at rest",
        how: format!(
            "{DEPLOYMENTS} Deployments of one pod in {NAMESPACES} namespaces of mode `enforce`, each under a rollout plan and a gate whose http probe runs every 5 s; \
             {CONFIG_MAPS} ConfigMaps and {SECRETS} Secrets; 12 fake nodes. Requests are counted in the API server's audit log over {seconds:.0} s, by the two \
             ServiceAccounts of Sluice, watches by their start. The leader lease is the default of 10 s."
        ),
        rows: vec![
            Row::at_most(
                "controller, resident",
                process_cost::megabytes(process_cost::resident(pids[0])?),
                100.0,
                "MB",
            ),
            Row::told(
                "controller, peak while the Deployments were made",
                format!(
                    "{:.1} MB",
                    process_cost::megabytes(process_cost::peak(pids[0])?)
                ),
            ),
            Row::at_most(
                "API requests of all of Sluice",
                ours.len() as f64 / seconds,
                2.0,
                "/s",
            ),
            Row::told("which they were", kinds.join(", ")),
            Row::told("CPU of the controller", share(0)),
            Row::told("CPU of the webhook", share(1)),
            Row::at_most(
                "the control plane of this test, ready after",
                plane.ready_after().as_secs_f64(),
                10.0,
                "s",
            ),
        ],
    })
}

fn is_ours(entry: &AuditEntry) -> bool {
    entry
        .user
        .strip_prefix("system:serviceaccount:")
        .is_some_and(|account| account.starts_with(&format!("{SYSTEM}:")))
}

async fn memory(sluice: &Installation) -> anyhow::Result<Section> {
    let resident = || -> anyhow::Result<(f64, f64)> {
        let pid = sluice.webhook_pid().context("the webhook runs")?;
        let megabytes = |bytes: u64| process_cost::megabytes(bytes);
        Ok((
            megabytes(process_cost::resident(pid)?),
            megabytes(process_cost::peak(pid)?),
        ))
    };
    let (lived, lived_peak) = resident()?;
    sluice.kill_webhook();
    sluice.start_webhook().await?;
    let (started, started_peak) = resident()?;
    Ok(Section {
        title: "Memory of the webhook with 1,000 Deployments, 2,000 ConfigMaps and 2,000 Secrets",
        how: "The webhook that saw all of them being made, its peak, and one that was started when they were there. Of ConfigMaps and Secrets it keeps the names, since the shipped rules ask whether what a pod template names is there."
            .to_owned(),
        rows: vec![
            Row::at_most("resident, having seen them being made", lived, 40.0, "MB"),
            Row::told("its peak", format!("{lived_peak:.1} MB")),
            Row::at_most("resident, started when they were there", started, 40.0, "MB"),
            Row::told("its peak", format!("{started_peak:.1} MB")),
        ],
    })
}
