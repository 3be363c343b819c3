//! The chart on real containers: what Helm starts is what runs, `sluice doctor` finds nothing to mend there, what others must understand is understood, and the
//! Job before an uninstall does what it says. On a cluster of its own.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{
    Cluster, ClusterOptions, User, cluster,
    helm::{CHART, Helm},
    plane::{self, Output, wait_for},
    programs,
    scenario::Shop,
};
use tokio::process::Command;

#[tokio::test]
async fn a_release_of_helm_runs_and_gives_everything_back() -> anyhow::Result<()> {
    let helm = Helm::ready().await?;
    let cluster = Cluster::start(ClusterOptions {
        images: cluster::images("product")?,
        ..ClusterOptions::default()
    })
    .await?;
    let outcome = come_and_go(&cluster, &helm).await;
    if outcome.is_err() {
        cluster.keep();
    }
    outcome
}

async fn webhooks(cluster: &Cluster) -> anyhow::Result<usize> {
    let line = [
        "get",
        "mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "-l",
        "app.kubernetes.io/part-of=sluice",
        "-o",
        "name",
    ];
    let found = cluster.kubectl(User::Admin, line, None).await?.ok()?;
    Ok(found.lines().count())
}

async fn doctor(cluster: &Cluster) -> anyhow::Result<Output> {
    let mut command = Command::new(programs::own("sluice")?);
    command
        .args(["doctor"])
        .env("KUBECONFIG", cluster.kubeconfig(User::Admin))
        .kill_on_drop(true);
    plane::run(command, None).await
}

/// Asks until all is well: what the leader publishes last may still be on its way.
async fn well(cluster: &Cluster) -> anyhow::Result<()> {
    let waited = wait_for("doctor to find nothing", || async {
        Ok((doctor(cluster).await?.code == Some(0)).then_some(()))
    })
    .await;
    match waited {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(doctor(cluster).await?.stdout)),
    }
}

async fn come_and_go(cluster: &Cluster, helm: &Helm) -> anyhow::Result<()> {
    let install = ["install", "sluice", CHART, "--wait", "--timeout", "120s"];
    helm.on(cluster, &install).await?.ok()?;
    wait_for("the webhooks to be in force", || async {
        Ok((webhooks(cluster).await? == 3).then_some(()))
    })
    .await?;

    well(cluster).await?;
    others_understand_it(cluster, helm).await?;

    // a real rolling update of Sluice itself, while a release is in the middle
    let shop = Shop::new(cluster, "shop", 3).await?;
    shop.open("v1", &["1", "100%"], "1h").await?;
    shop.apply(&shop.checkout("v2")).await?;
    let release = shop.release_in("Baking").await?;
    let upgrade = [
        "upgrade",
        "sluice",
        CHART,
        "--reuse-values",
        "--wait",
        "--timeout",
        "120s",
        "--set",
        "logging.level=debug",
    ];
    helm.on(cluster, &upgrade).await?.ok()?;
    shop.release_in("Baking").await?;
    well(cluster).await?;

    // while it is, the program of the command line's own image says no, Helm prints why, and nothing is removed
    let uninstall = ["uninstall", "sluice", "--wait", "--timeout", "120s"];
    let output = helm.on(cluster, &uninstall).await?;
    let said = format!("{}{}", output.stdout, output.stderr);
    println!("{said}");
    let name = release["metadata"]["name"].as_str().unwrap_or_default();
    ensure!(
        output.code != Some(0) && said.contains("a release is under way") && said.contains(name),
        "{output:?}"
    );
    let line = "-n sluice-system get pods -l app.kubernetes.io/name=sluice-uninstall -o json";
    let said = cluster
        .kubectl(User::Admin, line.split(' '), None)
        .await?
        .ok()?;
    let list: Value = serde_json::from_str(&said)?;
    let ran = &list["items"][0]["status"]["containerStatuses"][0];
    ensure!(
        ran["image"]
            .as_str()
            .is_some_and(|image| image.contains("sluice.dev/cli"))
            && ran["state"]["terminated"]["exitCode"] == 1,
        "{list}"
    );
    ensure!(webhooks(cluster).await? == 3, "the webhooks are gone");
    let again = shop.release_in("Baking").await?;
    ensure!(again["spec"] == release["spec"], "it was touched");

    // Helm takes it for half uninstalled from now on, and upgrades only what is not
    let back = ["rollback", "sluice", "3", "--wait", "--timeout", "120s"];
    helm.on(cluster, &back).await?.ok()?;
    let abandon = [&upgrade[..8], &["uninstall.abandonReleases=true"]].concat();
    helm.on(cluster, &abandon).await?.ok()?;
    helm.on(cluster, &uninstall).await?.ok()?;
    ensure!(webhooks(cluster).await? == 0, "webhooks are left");
    let line = ["get", "namespace", "sluice-system"];
    let said = cluster.kubectl(User::Admin, line, None).await?.refused()?;
    ensure!(said.contains("not found"), "{said}");
    let line = [
        "get",
        "clusterroles,clusterrolebindings,validatingadmissionpolicies,flowschemas",
        "-o",
        "name",
    ];
    let left = cluster.kubectl(User::Admin, line, None).await?.ok()?;
    ensure!(!left.contains("sluice"), "{left}");

    // the workload is its owner's again, and its release goes on without Sluice
    shop.runs_everywhere("v2").await?;
    let live = shop
        .kubectl(User::Admin, "get deployment checkout -o json")
        .await?
        .ok()?;
    let live: Value = serde_json::from_str(&live)?;
    ensure!(
        live["spec"]["minReadySeconds"].is_null()
            && live["spec"]["paused"].is_null()
            && !live["metadata"]["annotations"]
                .to_string()
                .contains("sluice.dev/"),
        "{live}"
    );
    Ok(())
}

/// What the Prometheus operator defines, in as much as the chart writes of it: what is not here is pruned, what is required is missed.
const OPERATOR: &str = include_str!("operator.yaml");

/// Objects that only others act on: the API server takes them as they are rendered, and nothing in them is unknown to their definitions.
async fn others_understand_it(cluster: &Cluster, helm: &Helm) -> anyhow::Result<()> {
    let line = ["apply", "-f", "-"];
    cluster
        .kubectl(User::Admin, line, Some(OPERATOR))
        .await?
        .ok()?;
    let line = "wait --for=condition=Established crd/servicemonitors.monitoring.coreos.com crd/prometheusrules.monitoring.coreos.com";
    cluster
        .kubectl(User::Admin, line.split(' '), None)
        .await?
        .ok()?;
    let values = json!({
        "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": true, "labels": {"release": "prometheus"}},
        "networkPolicy": {
            "enabled": true,
            "apiServer": [{"ipBlock": {"cidr": "10.99.0.1/32"}}],
            "monitoring": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        },
    });
    let file = cluster.folder().join("values.yaml");
    std::fs::write(&file, values.to_string())?;
    let file = file.to_str().context("a path in UTF-8")?;
    let upgrade = [
        "upgrade",
        "sluice",
        CHART,
        "--values",
        file,
        "--wait",
        "--timeout",
        "120s",
    ];
    helm.on(cluster, &upgrade).await?.ok()?;
    let rendered = helm
        .on(cluster, &["get", "manifest", "sluice"])
        .await?
        .ok()?;
    let mut found = 0;
    for text in rendered.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(text)?;
        let kind = object["kind"].as_str().unwrap_or_default();
        if !["ServiceMonitor", "PrometheusRule", "NetworkPolicy"].contains(&kind) {
            continue;
        }
        found += 1;
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let line = ["-n", "sluice-system", "get", kind, name, "-o", "json"];
        let live = cluster.kubectl(User::Admin, line, None).await?.ok()?;
        let live: Value = serde_json::from_str(&live)?;
        holds(&live["spec"], &object["spec"]).with_context(|| format!("{kind} {name}: {live}"))?;
    }
    ensure!(found == 4, "{found} of them in: {rendered}");
    // the pods behind the headless Service that the ServiceMonitor names
    let line = "-n sluice-system get endpointslices -l kubernetes.io/service-name=sluice-metrics -o jsonpath={.items[*].endpoints[*].addresses[0]}";
    wait_for("four pods to be scraped", || async {
        let said = cluster
            .kubectl(User::Admin, line.split(' '), None)
            .await?
            .ok()?;
        Ok((said.split_whitespace().count() == 4).then_some(()))
    })
    .await?;
    well(cluster).await
}

/// Everything of `wanted` is in `live`, which may have defaults besides.
fn holds(live: &Value, wanted: &Value) -> anyhow::Result<()> {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            for (key, wanted) in wanted {
                let live = live.get(key).with_context(|| format!("no {key}"))?;
                holds(live, wanted).with_context(|| key.clone())?;
            }
        }
        (Value::Array(live), Value::Array(wanted)) => {
            ensure!(
                live.len() == wanted.len(),
                "{} entries of {}",
                live.len(),
                wanted.len()
            );
            for (live, wanted) in live.iter().zip(wanted) {
                holds(live, wanted)?;
            }
        }
        _ => ensure!(live == wanted, "{live} instead of {wanted}"),
    }
    Ok(())
}
