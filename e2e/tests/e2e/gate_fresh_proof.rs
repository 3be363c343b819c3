//! Promise: a gate opens on fresh proof only. What fails, is silent, is late or comes from somebody who may be dead keeps it closed.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use sluice_e2e::installation::Installation;
use sluice_e2e::scenario::Shop;
use sluice_e2e::{Installed, Plane, PlaneOptions, User};

use crate::rollback::on_installed;

/// How old the last heartbeat may be.
const HEARTBEAT_AGE: Duration = Duration::from_secs(8);

pub fn probe(shop: &Shop<'_>, name: &str, check: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Probe", "metadata": {"name": name, "namespace": shop.namespace},
        "spec": {"interval": "500ms", "timeout": "400ms"},
    });
    for (key, value) in check.as_object().into_iter().flatten() {
        object["spec"][key] = value.clone();
    }
    object
}

pub fn gate(shop: &Shop<'_>, name: &str, probes: &[&str], max_age: &str) -> Value {
    let probes: Vec<Value> = probes.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate", "metadata": {"name": name, "namespace": shop.namespace},
        "spec": {"components": {"kinds": ["Deployment"], "names": [name]}, "before": {"probes": probes, "maxAge": max_age}},
    })
}

pub fn service(shop: &Shop<'_>) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "checkout", "namespace": shop.namespace},
        "spec": {"selector": {"app": "checkout"}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
}

/// A release of a Deployment as `kubectl set image` makes it: what the API server answers.
pub async fn release(shop: &Shop<'_>, name: &str, tag: &str) -> Result<(), String> {
    let api: Api<Deployment> = Api::namespaced(shop.client(), &shop.namespace);
    let image = format!("registry.test/shop/checkout:{tag}");
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "checkout", "image": image}]}}}});
    let answer = api
        .patch(name, &PatchParams::default(), &Patch::Strategic(&patch))
        .await;
    answer.map(drop).map_err(|error| error.to_string())
}

pub async fn state(shop: &Shop<'_>, name: &str, wanted: &str) -> anyhow::Result<()> {
    shop.wait(&format!("gate {name} is {wanted}"), || async {
        let gate = shop.object("sluice.dev/v1alpha1", "gates", name).await?;
        let status = &gate["status"];
        let as_wanted = status["state"] == wanted
            && status["observedGeneration"] == gate["metadata"]["generation"];
        Ok(if as_wanted {
            Ok(())
        } else {
            Err(status.to_string())
        })
    })
    .await
}

#[tokio::test]
async fn what_cannot_be_proved_keeps_the_gate_closed() -> anyhow::Result<()> {
    on_installed(async |Installed { plane, sluice }| {
        let shop = Shop::new(plane, "unproved", 1).await?;
        shop.apply(&shop.checkout("v1")).await?;
        shop.apply(&service(&shop)).await?;
        let answers = json!({"http": {"target": {"url": format!("http://checkout.{}.svc/", shop.namespace)}, "expect": {"status": [200]}}});
        let nobody = json!({"http": {"target": {"url": format!("http://nobody.{}.svc/", shop.namespace)}, "expect": {"status": [200]}}});
        let asks = |query: &str| json!({"prometheus": {"query": query, "condition": "> 0"}});
        shop.apply(&probe(&shop, "good", &answers)).await?;
        // what its one probe is like, why the gate is then not open, and the exit code of `sluice gate get`
        let cases = [
            ("missing", None, "Unknown", "ProbeMissing", 2),
            ("refused", Some(nobody), "Closed", "ProbeFailing", 1),
            ("no-data", Some(asks("no_such_metric")), "Unknown", "ProbeUnknown", 2),
            ("nan", Some(asks("vector(0) / vector(0)")), "Unknown", "ProbeUnknown", 2),
            ("no-query", Some(asks("sum(")), "Unknown", "ProbeUnknown", 2),
            ("failing", Some(asks("vector(0)")), "Closed", "ProbeFailing", 1),
        ];
        let shop = &shop;
        try_join_all(cases.into_iter().map(|(name, check, closed, reason, code)| async move {
            shop.apply(&shop.workload(name, "v1")).await?;
            if let Some(check) = check {
                shop.apply(&probe(shop, name, &check)).await?;
            }
            // a second probe that passes opens nothing
            shop.apply(&gate(shop, name, &[name, "good"], "2s")).await?;
            state(shop, name, closed).await?;
            let named = format!("gate {name} names {reason}");
            shop.wait(&named, || async {
                let gate = shop.object("sluice.dev/v1alpha1", "gates", name).await?;
                let first = gate["status"]["reasons"][0]["reason"].clone();
                Ok(if first == reason { Ok(()) } else { Err(gate["status"].to_string()) })
            })
            .await?;
            shop.wait(&format!("a release behind gate {name} is refused for {reason}"), || async {
                match release(shop, name, "v2").await {
                    Ok(()) => anyhow::bail!("a release went in behind gate {name}"),
                    Err(refusal) if refusal.contains("SLU0001") && refusal.contains(reason) => Ok(Ok(())),
                    // the webhook may see the gate a moment later than we do
                    Err(refusal) => Ok(Err(refusal)),
                }
            })
            .await?;
            let answer = sluice.sluice(plane, User::Admin, &["gate", "get", name, "-n", &shop.namespace]).await?;
            ensure!(answer.code == Some(code), "`sluice gate get {name}`: {answer:?}");
            ensure!(answer.stdout.contains(closed), "`sluice gate get {name}` does not say {closed}: {answer:?}");
            anyhow::Ok(())
        }))
        .await?;
        // and the one that can be proved is open
        shop.apply(&gate(shop, "checkout", &["good"], "10s")).await?;
        state(shop, "checkout", "Open").await?;
        let answer = sluice.sluice(plane, User::Admin, &["gate", "get", "checkout", "-n", &shop.namespace]).await?;
        ensure!(answer.code == Some(0), "{answer:?}");
        release(shop, "checkout", "v2").await.map_err(anyhow::Error::msg)
    })
    .await
}

#[tokio::test]
async fn a_gate_closes_when_nobody_proves_it_any_more() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = nobody_proves_it(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn nobody_proves_it(plane: &Plane) -> anyhow::Result<()> {
    let prometheus = plane.prometheus().await?;
    let sluice = Installation::install(plane, Some(&prometheus.url())).await?;
    let shop = Shop::new(plane, "proof", 1).await?;
    shop.apply(&shop.checkout("v1")).await?;
    shop.runs_everywhere("v1").await?;
    shop.apply(&service(&shop)).await?;
    let check = json!({"http": {"target": {"url": format!("http://checkout.{}.svc/", shop.namespace)}, "expect": {"status": [200]}}});
    shop.apply(&probe(&shop, "answers", &check)).await?;
    shop.apply(&probe(
        &shop,
        "metric",
        &json!({"prometheus": {"query": "vector(1)", "condition": "== 1"}}),
    ))
    .await?;
    shop.apply(&gate(&shop, "checkout", &["answers", "metric"], "10s"))
        .await?;
    state(&shop, "checkout", "Open").await?;
    let mut versions = 1;
    opens(&shop, &mut versions).await?;

    // Prometheus hangs: nobody knows, so the gate is not open
    prometheus.pause()?;
    let refusal = closes(&shop, &mut versions, Duration::from_secs(15))
        .await
        .context("Prometheus hangs")?;
    ensure!(
        refusal.contains("metric")
            && (refusal.contains("ProbeUnknown") || refusal.contains("ProbeStale")),
        "{refusal}"
    );
    state(&shop, "checkout", "Unknown").await?;
    prometheus.resume()?;
    opens(&shop, &mut versions)
        .await
        .context("Prometheus answers again")?;

    // a webhook that has just started has seen no heartbeat move, however young the stored one is
    sluice.kill_controller();
    sluice.kill_webhook();
    sluice.start_webhook().await?;
    let gate = shop
        .object("sluice.dev/v1alpha1", "gates", "checkout")
        .await?;
    ensure!(
        gate["status"]["state"] == "Open",
        "the stored state was to be Open: {}",
        gate["status"]
    );
    versions += 1;
    let refusal = release(&shop, "checkout", &format!("v{versions}"))
        .await
        .err()
        .context("a fresh webhook trusted a stored state")?;
    ensure!(refusal.contains("HeartbeatStale"), "{refusal}");
    sluice.start_controller()?;
    opens(&shop, &mut versions)
        .await
        .context("the controller is back")?;

    // every controller dead: the stored state stays Open, and is no proof any more
    sluice.kill_controller();
    let dead = Instant::now();
    let refusal = closes(&shop, &mut versions, HEARTBEAT_AGE + Duration::from_secs(2))
        .await
        .context("every controller is dead")?;
    println!(
        "refused {:.1} s after the last controller died",
        dead.elapsed().as_secs_f32()
    );
    ensure!(
        refusal.contains("HeartbeatStale") && refusal.contains("sluice gate get"),
        "{refusal}"
    );
    let gate = shop
        .object("sluice.dev/v1alpha1", "gates", "checkout")
        .await?;
    ensure!(
        gate["status"]["state"] == "Open",
        "somebody wrote the gate although every controller is dead: {}",
        gate["status"]
    );
    let answer = sluice
        .sluice(
            plane,
            User::Admin,
            &["gate", "get", "checkout", "-n", &shop.namespace],
        )
        .await?;
    ensure!(
        answer.code == Some(2) && answer.stdout.contains("HeartbeatStale"),
        "{answer:?}"
    );
    for _ in 0..10 {
        versions += 1;
        ensure!(
            release(&shop, "checkout", &format!("v{versions}"))
                .await
                .is_err(),
            "it opened again with every controller dead"
        );
    }
    sluice.start_controller()?;
    opens(&shop, &mut versions)
        .await
        .context("a controller is back")
}

/// Releases until one is let in.
async fn opens(shop: &Shop<'_>, versions: &mut u32) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        *versions += 1;
        match release(shop, "checkout", &format!("v{versions}")).await {
            Ok(()) => return Ok(()),
            Err(refusal) if Instant::now() > until => {
                anyhow::bail!("still refused after 30 s: {refusal}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Releases until one is refused, which must be within `limit`.
async fn closes(shop: &Shop<'_>, versions: &mut u32, limit: Duration) -> anyhow::Result<String> {
    let until = Instant::now() + limit;
    loop {
        *versions += 1;
        match release(shop, "checkout", &format!("v{versions}")).await {
            Err(refusal) => return Ok(refusal),
            Ok(()) if Instant::now() > until => {
                anyhow::bail!("a release was let in {limit:?} after the proof had ended")
            }
            Ok(()) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}
