//! What really goes wrong with containers, as the new version of a stepped Deployment: one pod at most ever runs it, it is undone without a human, and the
//! undoing is proved.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{Cluster, scenario::Shop, shared::on_installed_cluster};

const BATCHES: [&str; 3] = ["1", "50%", "100%"];

/// Releases `bad` over a healthy v1 of 4 pods; `seen` says of a pod whether the real thing has happened to it.
async fn is_undone(
    cluster: &Cluster,
    shop: &Shop<'_>,
    bad: &Value,
    seen: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    shop.open("v1", &BATCHES, "500ms").await?;
    let before = shop.deployment().await?["spec"].clone();
    shop.apply(bad).await?;
    went_wrong(cluster, shop, &before, seen).await
}

/// It goes wrong as `seen` says of a pod, and is undone: what was before is again.
async fn went_wrong(
    cluster: &Cluster,
    shop: &Shop<'_>,
    before: &Value,
    seen: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    shop.wait("it goes wrong as it should", || async {
        let pods = shop.objects("v1", "pods").await?;
        let states: Vec<_> = pods.iter().map(|pod| pod["status"].to_string()).collect();
        Ok(pods
            .iter()
            .any(&seen)
            .then_some(())
            .ok_or_else(|| states.join("\n")))
    })
    .await?;
    let release = shop.release_in("RolledBack").await?;
    let status = &release["status"];
    let exposure = status["exposure"].as_u64().unwrap_or(0);
    ensure!(exposure <= 1, "{exposure} pods ran it");
    ensure!(
        status["timeline"]["verified"].is_string(),
        "not verified: {}",
        status["timeline"]
    );
    shop.runs_everywhere("v1").await?;
    let after = shop.deployment().await?["spec"].clone();
    ensure!(after == *before, "before: {before}\nafter: {after}");
    shop.kept_to(&BATCHES)?;
    let took = |moment: &str| -> anyhow::Result<f64> {
        let at = |name: &str| -> anyhow::Result<jiff::Timestamp> {
            let text = status["timeline"][name].as_str();
            Ok(text.with_context(|| format!("no {name}"))?.parse()?)
        };
        let since = release["metadata"]["creationTimestamp"].as_str();
        let since: jiff::Timestamp = since.context("no creationTimestamp")?.parse()?;
        Ok((at(moment)? - since).total(jiff::Unit::Second)?)
    };
    println!(
        "{}: {} after {:.1} s, verified after {:.1} s; cluster {}",
        shop.namespace,
        status["abort"]["reason"],
        took("decided")?,
        took("verified")?,
        cluster.folder().display(),
    );
    Ok(release)
}

fn container(workload: &mut Value) -> &mut Value {
    &mut workload["spec"]["template"]["spec"]["containers"][0]
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
}

/// `checkout` under a tag of its own, so that versions are told apart; the same bytes as v2.
fn version(cluster: &Cluster, shop: &Shop<'_>, tag: &str) -> anyhow::Result<Value> {
    let image = |tag: &str| format!("registry.test/shop/checkout:{tag}");
    cluster.tag_image(&image("v2"), &image(tag))?;
    Ok(shop.checkout(tag))
}

#[tokio::test]
async fn a_crash_loop_is_undone() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "crash-loop", 4).await?;
        let mut bad = version(cluster, &shop, "v2--crashes")?;
        // asks where nobody listens, and fails
        container(&mut bad)["args"] = json!(["get", "http://127.0.0.1:1/"]);
        let crashed = |pod: &Value| {
            statuses(pod).any(|container| {
                container["restartCount"].as_u64() >= Some(1)
                    && container["lastState"]["terminated"]["exitCode"] == 1
            })
        };
        is_undone(cluster, &shop, &bad, crashed).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_undone() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "no-image", 4).await?;
        let bad = shop.checkout("v2--nowhere");
        let missing = |pod: &Value| {
            statuses(pod).any(|container| {
                let reason = container["state"]["waiting"]["reason"].as_str();
                matches!(reason, Some("ErrImagePull" | "ImagePullBackOff"))
            })
        };
        let release = is_undone(cluster, &shop, &bad, missing).await?;
        let abort = &release["status"]["abort"];
        ensure!(abort["reason"] == "ProgressDeadlineExceeded", "{abort}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_version_that_is_killed_for_its_memory_is_undone() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "out-of-memory", 4).await?;
        let mut bad = version(cluster, &shop, "v2--memory")?;
        // twice its limit
        container(&mut bad)["env"] =
            json!([{"name": "BEHAVIOUR", "value": r#"{"memoryMebibytes": 64}"#}]);
        let killed = |pod: &Value| {
            statuses(pod).any(|container| {
                ["state", "lastState"]
                    .iter()
                    .any(|state| container[state]["terminated"]["reason"] == "OOMKilled")
            })
        };
        is_undone(cluster, &shop, &bad, killed).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_version_that_will_not_stop_does_not_keep_its_rollback_waiting() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "slow-stop", 4).await?;
        let mut bad = version(cluster, &shop, "v2--slow-stop")?;
        container(&mut bad)["env"] =
            json!([{"name": "BEHAVIOUR", "value": r#"{"errors": 1, "stopMillis": 60000}"#}]);
        bad["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(40);
        let going = |pod: &Value| {
            pod["metadata"]["deletionTimestamp"].is_string()
                && pod["spec"]["containers"][0]["image"]
                    .as_str()
                    .is_some_and(|image| image.ends_with("--slow-stop"))
        };
        is_undone(cluster, &shop, &bad, going).await?;
        // it is over while the bad pod still takes its time
        let pods = shop.objects("v1", "pods").await?;
        ensure!(
            pods.iter().any(going),
            "the bad pod is gone already: nothing was shown"
        );
        Ok(())
    })
    .await
}

/// The one pod of this tag runs, and is not ready.
fn runs_unready(tag: &'static str) -> impl Fn(&Value) -> bool {
    move |pod| {
        let image = pod["spec"]["containers"][0]["image"].as_str();
        image.is_some_and(|image| image.ends_with(tag))
            && statuses(pod).any(|container| {
                container["state"]["running"].is_object() && container["ready"] == false
            })
    }
}

#[tokio::test]
async fn a_version_that_runs_and_is_never_ready_is_undone() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "never-ready", 4).await?;
        let mut bad = version(cluster, &shop, "v2--unready")?;
        container(&mut bad)["env"] = json!([{"name": "BEHAVIOUR", "value": r#"{"ready": false}"#}]);
        let release = is_undone(cluster, &shop, &bad, runs_unready(":v2--unready")).await?;
        let abort = &release["status"]["abort"];
        ensure!(
            abort["reason"] == "ProgressDeadlineExceeded"
                && abort["message"]
                    .to_string()
                    .contains("0 of 1 new pods are ready"),
            "{abort}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_version_that_loses_its_readiness_in_the_bake_is_undone() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "lost-ready", 4).await?;
        // nothing but its readiness ends this release
        shop.open("v1", &BATCHES, "1h").await?;
        let mut plan = shop.plan(&BATCHES, "1h");
        plan["spec"]["progressDeadline"] = json!("20s");
        shop.apply(&plan).await?;
        let before = shop.deployment().await?["spec"].clone();
        let mut bad = version(cluster, &shop, "v2--fades")?;
        container(&mut bad)["readinessProbe"]["periodSeconds"] = json!(1);
        shop.apply(&bad).await?;
        shop.release_in("Baking").await?;
        let pods = shop.objects("v1", "pods").await?;
        let canary = pods.iter().find(|pod| {
            let image = pod["spec"]["containers"][0]["image"].as_str();
            image.is_some_and(|image| image.ends_with(":v2--fades"))
        });
        let address = canary.and_then(|pod| pod["status"]["podIP"].as_str());
        // it goes on to answer every request well
        cluster.tell(
            address.context("no canary with an address")?,
            &json!({"ready": false}),
        )?;
        let faded = runs_unready(":v2--fades");
        let release = went_wrong(cluster, &shop, &before, faded).await?;
        let abort = &release["status"]["abort"];
        ensure!(abort["reason"] == "ProgressDeadlineExceeded", "{abort}");
        Ok(())
    })
    .await
}
