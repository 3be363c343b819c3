//! Promise: a controller that dies between any two writes of a release leaves nothing that the next one does not carry on from.
//!
//! A proxy between controller and API server ends the controller with -9 right before, or right after, one chosen write of a release. The next
//! controller must bring the release to the very end state that a release without a crash has, and the verifier must find nothing on the way.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};
use sluice_e2e::installation::{InstallOptions, Installation, NAMESPACE};
use sluice_e2e::interception::{Interception, Seen, Side};
use sluice_e2e::scenario::Shop;
use sluice_e2e::{Plane, PlaneOptions, User};

const BATCHES: [&str; 2] = ["1", "50%"];
const PODS: u32 = 4;

/// A write of a release.
#[derive(Clone, Copy, Debug)]
enum Write {
    /// C1: the Release is recorded.
    Record,
    /// C3: the first batch is let in.
    Start,
    /// C6: old pods may go.
    Retire,
    /// C6: further new pods may come.
    Surge,
    /// The user's ownership of fields is put right after a step.
    GiveBack,
    /// C7: the user's own values come back.
    Finish,
    /// C8: the end is stored.
    Succeed,
    /// A1: the decision to undo is stored.
    Decide,
    /// A2: the stable template comes back.
    Rollback,
    /// A3: the end of the way back is stored.
    Verified,
}

impl Write {
    const GOOD: [Self; 7] = [
        Self::Record,
        Self::Start,
        Self::Retire,
        Self::Surge,
        Self::GiveBack,
        Self::Finish,
        Self::Succeed,
    ];
    const BAD: [Self; 3] = [Self::Decide, Self::Rollback, Self::Verified];

    fn is(self, seen: &Seen, namespace: &str) -> bool {
        if seen.query.contains("dryRun")
            || !seen.path.contains(&format!("/namespaces/{namespace}/"))
        {
            return false;
        }
        let patches = |end: &str| seen.method == http::Method::PATCH && seen.path.ends_with(end);
        let on_deployment = patches("/deployments/checkout");
        let operation = |op: &str, path: &str| {
            let operations = seen.body.as_array().into_iter().flatten();
            operations
                .into_iter()
                .find(|found| found["op"] == op && found["path"] == path)
        };
        let pins = on_deployment
            && operation("add", "/spec/minReadySeconds")
                .is_some_and(|found| found["value"] == 2_147_483_646);
        let starts =
            pins && operation("add", "/metadata/annotations/sluice.dev~1originals").is_some();
        let surge = operation("add", "/spec/strategy")
            .map(|found| &found["value"]["rollingUpdate"]["maxSurge"]);
        let none = surge.is_some_and(|surge| *surge == 0);
        let returns = on_deployment && operation("replace", "/spec/template").is_some();
        let lets_go = on_deployment
            && operation("remove", "/metadata/annotations/sluice.dev~1hold").is_some();
        let stores = |phase: &str| {
            seen.path.contains("/releases/")
                && patches("/status")
                && operation("add", "/status").is_some_and(|found| found["value"]["phase"] == phase)
        };
        match self {
            Self::Record => seen.method == http::Method::POST && seen.path.ends_with("/releases"),
            Self::Start => starts,
            Self::Retire => pins && !starts && none,
            Self::Surge => pins && !starts && !none,
            Self::GiveBack => {
                on_deployment && operation("replace", "/metadata/managedFields").is_some()
            }
            Self::Finish => lets_go && !returns,
            Self::Succeed => stores("Succeeded"),
            Self::Decide => stores("Aborting"),
            Self::Rollback => returns,
            Self::Verified => stores("RolledBack"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_cut_off_around_each_write_changes_nothing_about_the_end() -> anyhow::Result<()>
{
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = run(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn run(plane: &Plane) -> anyhow::Result<()> {
    let proxy = Interception::start(plane).await?;
    let options = InstallOptions {
        controller_server: Some(proxy.url()),
        ..InstallOptions::default()
    };
    let sluice = Arc::new(Installation::install_with(plane, &options).await?);

    let cases: Vec<(Write, Side)> = Write::GOOD
        .into_iter()
        .chain(Write::BAD)
        .flat_map(|write| [(write, Side::Before), (write, Side::After)])
        .collect();
    let shops = try_join_all((0..cases.len() + 2).map(|_| open(plane))).await?;
    let [good, bad] = [&shops[0], &shops[1]];
    let good_end = release(good, false).await.context("without a crash")?;
    let bad_end = release(bad, true).await.context("without a crash")?;

    for ((write, side), shop) in cases.into_iter().zip(&shops[2..]) {
        let goes_bad = matches!(write, Write::Decide | Write::Rollback | Write::Verified);
        let end = crash(plane, &proxy, &sluice, shop, write, side)
            .await
            .with_context(|| format!("{side:?} {write:?} in {}", shop.namespace))?;
        let expected = if goes_bad { &bad_end } else { &good_end };
        ensure!(
            end == *expected,
            "{side:?} {write:?} in {}: it ended as {end:#} instead of {expected:#}",
            shop.namespace
        );
    }
    Ok(())
}

async fn open(plane: &Plane) -> anyhow::Result<Shop<'_>> {
    let shop = Shop::new(plane, "crash", PODS).await?;
    shop.open("v0", &BATCHES, "200ms").await?;
    Ok(shop)
}

/// A release to its end, and what is there then.
async fn release(shop: &Shop<'_>, bad: bool) -> anyhow::Result<Value> {
    shop.apply(&shop.checkout(tag(bad))).await?;
    ended(shop, bad).await
}

fn tag(bad: bool) -> &'static str {
    if bad { "v1--errors-100" } else { "v1" }
}

async fn ended(shop: &Shop<'_>, bad: bool) -> anyhow::Result<Value> {
    shop.release_in(if bad { "RolledBack" } else { "Succeeded" })
        .await?;
    shop.runs_everywhere(if bad { "v0" } else { "v1" }).await?;
    shop.kept_to(&BATCHES)?;
    // the last step of ownership may follow the end of the release
    shop.wait(
        "nothing of the controller stands among the field owners",
        || async {
            let live = shop.deployment().await?;
            Ok(
                if live["metadata"]["managedFields"]
                    .to_string()
                    .contains("sluice")
                {
                    Err(live["metadata"]["managedFields"].to_string())
                } else {
                    Ok(())
                },
            )
        },
    )
    .await?;
    end_state(shop, bad).await
}

async fn crash(
    plane: &Plane,
    proxy: &Interception,
    sluice: &Arc<Installation>,
    shop: &Shop<'_>,
    write: Write,
    side: Side,
) -> anyhow::Result<Value> {
    let goes_bad = matches!(write, Write::Decide | Write::Rollback | Write::Verified);
    let namespace = shop.namespace.clone();
    let victim = sluice.clone();
    let fired = proxy.cut(
        side,
        move |seen| write.is(seen, &namespace),
        move || victim.kill_controller(),
    );
    shop.apply(&shop.checkout(tag(goes_bad))).await?;
    tokio::time::timeout(Duration::from_secs(30), fired)
        .await
        .context("the write never came")??;
    ensure!(sluice.controller_pid().is_none(), "the controller lives");
    // whoever takes over would wait for the lease of the dead to run out; that wait is a test of its own elsewhere
    let leases: Api<Lease> = Api::namespaced(plane.client(User::Admin).await?, NAMESPACE);
    leases
        .delete("sluice-controller", &DeleteParams::default())
        .await?;
    sluice.start_controller()?;
    let end = ended(shop, goes_bad).await?;
    // the next case needs a controller that leads
    sluice.controller_ready().await?;
    Ok(end)
}

/// Everything about the end that may not depend on a crash: no times, no uids, no pod names.
async fn end_state(shop: &Shop<'_>, bad: bool) -> anyhow::Result<Value> {
    let deployment = shop.deployment().await?;
    let mut annotations = deployment["metadata"]["annotations"].clone();
    let denied: Value =
        serde_json::from_str(annotations["sluice.dev/denied"].as_str().unwrap_or("[]"))?;
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        let denied: Vec<Value> = denied
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| json!([entry["target"], entry["release"]]))
            .collect();
        annotations.insert("sluice.dev/denied".to_owned(), json!(denied));
    }
    let mut owners: Vec<Value> = deployment["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    owners.retain(|entry| entry["subresource"].is_null());
    for entry in &mut owners {
        entry["time"] = Value::Null;
    }
    owners.sort_by_key(Value::to_string);
    let mut sets: Vec<Value> = shop
        .replica_sets()
        .await?
        .iter()
        .map(|set| {
            json!([
                set["spec"]["template"]["spec"]["containers"][0]["image"],
                set["spec"]["replicas"],
                set["status"]["readyReplicas"]
            ])
        })
        .collect();
    sets.sort_by_key(Value::to_string);
    let releases: Vec<Value> = shop
        .releases()
        .await?
        .iter()
        .map(|release| {
            let status = &release["status"];
            let batches: Vec<Value> = status["batches"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|batch| {
                    // a canary that fails may be judged before it is seen to be ready, or after: with or without a crash
                    let ready = bad || batch["ready"].is_string();
                    json!([batch["index"], batch["pods"], ready, batch["verified"].is_string()])
                })
                .collect();
            let conditions: Vec<Value> = status["conditions"].as_array().into_iter().flatten().map(|c| json!([c["type"], c["status"], c["reason"]])).collect();
            json!({
                "name": release["metadata"]["name"], "phase": status["phase"], "exposure": status["exposure"], "batches": batches,
                "abort": status["abort"]["reason"], "conditions": conditions, "originals": release["spec"]["originals"]["strategy"],
                "stable": release["spec"]["stable"]["template"], "wayBack": status["wayBack"],
            })
        })
        .collect();
    Ok(
        json!({"spec": deployment["spec"], "annotations": annotations, "owners": owners, "sets": sets, "releases": releases}),
    )
}
