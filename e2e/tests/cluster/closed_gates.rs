//! What is kept out, on real pods: a release behind a gate that is closed, and a version that was undone before.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    Cluster, User,
    plane::{Output, run},
    programs::own,
    scenario::Shop,
    shared::on_installed_cluster,
};

const BATCHES: [&str; 2] = ["1", "100%"];

/// The pods of `checkout` by their names, but for those on their way out, and the template they are made from.
async fn state(shop: &Shop<'_>) -> anyhow::Result<(Vec<String>, Value)> {
    let pods = shop.objects("v1", "pods").await?;
    let ours = pods.iter().filter(|pod| {
        pod["metadata"]["labels"]["app"] == "checkout"
            && pod["metadata"]["deletionTimestamp"].is_null()
    });
    let mut names: Vec<String> = ours
        .filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned))
        .collect();
    names.sort();
    let template = shop.deployment().await?["spec"]["template"].clone();
    Ok((names, template))
}

/// What was refused left everything as it was.
async fn untouched(shop: &Shop<'_>, before: &(Vec<String>, Value)) -> anyhow::Result<()> {
    let after = state(shop).await?;
    ensure!(after == *before, "before: {before:?}\nafter: {after:?}");
    Ok(())
}

async fn gate_is(shop: &Shop<'_>, state: &str) -> anyhow::Result<()> {
    shop.wait(&format!("the gate is {state}"), || async {
        let gate = shop
            .object("sluice.dev/v1alpha1", "gates", "checkout")
            .await?;
        let status = &gate["status"];
        Ok((status["state"] == state)
            .then_some(())
            .ok_or_else(|| status.to_string()))
    })
    .await
}

async fn gate_get(cluster: &Cluster, shop: &Shop<'_>) -> anyhow::Result<Output> {
    let mut command = tokio::process::Command::new(own("sluice")?);
    command
        .args(["gate", "get", "checkout", "-n", &shop.namespace])
        .env("KUBECONFIG", cluster.kubeconfig(User::Admin))
        .kill_on_drop(true);
    run(command, None).await
}

#[tokio::test]
async fn a_closed_gate_keeps_a_release_out_until_what_it_asks_is_well() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "closed", 2).await?;
        shop.open("v1", &BATCHES, "500ms").await?;
        let mut stock = shop.workload("stock", "v1");
        stock["spec"]["replicas"] = json!(1);
        shop.apply(&stock).await?;
        for line in [
            "expose deployment stock --port=80 --target-port=8080",
            "rollout status deployment/stock --timeout=60s",
        ] {
            shop.kubectl(User::Developer, line).await?.ok()?;
        }
        let line = "get pods -l app=stock -o jsonpath={.items[0].status.podIP}";
        let stock = shop.kubectl(User::Admin, line).await?.ok()?;
        cluster.tell(&stock, &json!({"errors": 1}))?;
        let url = format!("http://stock.{}.svc/", shop.namespace);
        shop.apply(&json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Probe",
            "metadata": {"name": "stock", "namespace": shop.namespace},
            "spec": {
                "http": {"target": {"url": url}, "expect": {"status": [200]}},
                "interval": "500ms", "timeout": "400ms",
            },
        }))
        .await?;
        shop.apply(&json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate",
            "metadata": {"name": "checkout", "namespace": shop.namespace},
            "spec": {
                "components": {"kinds": ["Deployment"], "names": ["checkout"]},
                "before": {"probes": [{"name": "stock"}]},
            },
        }))
        .await?;
        gate_is(&shop, "Closed").await?;

        let before = state(&shop).await?;
        let next = shop.checkout("v2");
        for _ in 0..3 {
            let refusal = shop
                .apply_as(User::Developer, &next, &[])
                .await?
                .refused()?;
            for text in ["SLU0001", "stock", "500", "sluice gate get"] {
                ensure!(refusal.contains(text), "no {text} in: {refusal}");
            }
        }
        untouched(&shop, &before).await?;
        ensure!(shop.releases().await?.is_empty(), "a release is on record");
        let said = gate_get(cluster, &shop).await?;
        ensure!(
            said.code == Some(1) && said.stdout.contains("Closed"),
            "{said:?}"
        );
        // what starts no release goes in
        let line = "label deployment checkout team=shop";
        shop.kubectl(User::Developer, line).await?.ok()?;

        cluster.tell(&stock, &json!({"errors": 0}))?;
        gate_is(&shop, "Open").await?;
        let said = gate_get(cluster, &shop).await?;
        ensure!(said.code == Some(0), "{said:?}");
        shop.apply_as(User::Developer, &next, &[]).await?.ok()?;
        shop.recorded(1).await?;
        shop.release_in("Succeeded").await?;
        shop.runs_everywhere("v2").await?;
        shop.kept_to(&BATCHES)
    })
    .await
}

#[tokio::test]
async fn a_version_that_was_undone_is_not_let_in_again() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "again", 2).await?;
        shop.open("v1", &BATCHES, "500ms").await?;
        let bad = shop.checkout("v2--errors-100");
        shop.apply(&bad).await?;
        let release = shop.release_in("RolledBack").await?;
        let name = release["metadata"]["name"].as_str().context("a name")?;
        shop.runs_everywhere("v1").await?;

        let before = state(&shop).await?;
        let refusal = shop.apply_as(User::Developer, &bad, &[]).await?.refused()?;
        for text in ["SLU0002", name, "sluice release retry"] {
            ensure!(refusal.contains(text), "no {text} in: {refusal}");
        }
        // the other way to the same template
        let line = "rollout undo deployment/checkout";
        let refusal = shop.kubectl(User::Developer, line).await?.refused()?;
        ensure!(refusal.contains("SLU0002"), "{refusal}");
        untouched(&shop, &before).await?;

        shop.apply(&shop.checkout("v2")).await?;
        shop.recorded(2).await?;
        shop.release_in("Succeeded").await?;
        shop.runs_everywhere("v2").await?;
        shop.kept_to(&BATCHES)
    })
    .await
}
