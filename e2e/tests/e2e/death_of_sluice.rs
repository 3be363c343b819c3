//! Promises: Sluice's own death harms nothing that runs, the way back works by hand, and nobody is locked out.
//!
//! Both programs are killed in the middle of a release, with the webhook configurations in place and failurePolicy Fail. Then everything that a cluster
//! does without Sluice is done.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::{Value, json};
use sluice_e2e::installation::{Installation, NAMESPACE};
use sluice_e2e::plane::wait_for;
use sluice_e2e::scenario::Shop;
use sluice_e2e::verifier::census;
use sluice_e2e::{Kill, Plane, PlaneOptions, User};

const BATCHES: [&str; 2] = ["2", "50%"];
const CONFIGURATIONS: &str = "mutatingwebhookconfigurations,validatingwebhookconfigurations";

#[tokio::test]
async fn the_death_of_sluice_harms_nothing_that_runs() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = run(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn run(plane: &Plane) -> anyhow::Result<()> {
    let sluice = Installation::install(plane, None).await?;
    let shop = Shop::new(plane, "death", 6).await?;
    // a job that was there before, every minute
    shop.apply(&every_minute(&shop)).await?;
    shop.open("v1", &BATCHES, "10m").await?;
    let stable = shop.deployment().await?["spec"].clone();
    shop.apply(&shop.checkout("v2")).await?;
    let release = shop.release_in("Baking").await?;
    let died = jiff::Timestamp::now();
    sluice.kill_controller();
    sluice.kill_webhook();

    // what must be refused now: only what the promise of batches depends on
    let refused = shop
        .apply_as(User::Developer, &shop.checkout("v3"), &[])
        .await?;
    ensure!(
        !refused.succeeded() && refused.stderr.contains("failed calling webhook"),
        "failurePolicy is not Fail: {refused:?}"
    );

    replaces_pods_and_scales(plane, &shop)
        .await
        .context("what runs")?;
    locks_nobody_out(plane, &shop)
        .await
        .context("who is locked out")?;
    jobs_run(&shop, died).await.context("jobs of a CronJob")?;
    shop.kept_to(&BATCHES).context("Sluice was dead")?;

    way_back_by_hand(plane, &shop, &release, &stable)
        .await
        .context("the way back by hand")?;
    installs_again(plane, &shop)
        .await
        .context("installed again")
}

fn every_minute(shop: &Shop<'_>) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report", "namespace": shop.namespace},
        "spec": {
            "schedule": "* * * * *", "startingDeadlineSeconds": 60, "concurrencyPolicy": "Forbid", "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {"activeDeadlineSeconds": 50, "backoffLimit": 1, "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "report", "image": "registry.test/shop/report:v1", "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}}}],
            }}}},
        },
    })
}

async fn replaces_pods_and_scales(plane: &Plane, shop: &Shop<'_>) -> anyhow::Result<()> {
    let pods: Api<k8s_openapi::api::core::v1::Pod> =
        Api::namespaced(shop.client(), &shop.namespace);
    let of = |tag: &'static str| {
        let pods = pods.clone();
        async move {
            let list = pods
                .list(&ListParams::default().labels("app=checkout"))
                .await?;
            let image = format!("registry.test/shop/checkout:{tag}");
            let names = list.items.into_iter().filter(|pod| {
                let spec = pod.spec.as_ref();
                let phase = pod
                    .status
                    .as_ref()
                    .and_then(|status| status.phase.as_deref());
                pod.metadata.deletion_timestamp.is_none()
                    && phase == Some("Running")
                    && spec.is_some_and(|spec| spec.containers[0].image.as_ref() == Some(&image))
            });
            anyhow::Ok(
                names
                    .filter_map(|pod| pod.metadata.name)
                    .collect::<Vec<_>>(),
            )
        }
    };
    let (old, new) = (of("v1").await?, of("v2").await?);
    let (dies, fails) = (
        old.first().context("no old pod")?,
        new.first().context("no new pod")?,
    );
    pods.delete(dies, &DeleteParams::default()).await?;
    plane.world().kill_pod(
        &shop.namespace,
        fails,
        Kill::Failed {
            reason: "Evicted".to_owned(),
        },
    )?;
    shop.wait("both dead pods are replaced", || async {
        let (now_old, now_new) = (of("v1").await?, of("v2").await?);
        let replaced = now_old.len() == old.len()
            && now_new.len() == new.len()
            && !now_old.contains(dies)
            && !now_new.contains(fails);
        Ok(if replaced {
            Ok(())
        } else {
            Err(format!("{now_old:?} {now_new:?}"))
        })
    })
    .await?;
    stands(plane, shop, 6)
        .await
        .context("after two pods died")?;
    for replicas in [9, 4, 6] {
        shop.kubectl(
            User::Developer,
            &format!("scale deployment checkout --replicas={replicas}"),
        )
        .await?
        .ok()?;
        stands(plane, shop, replicas)
            .await
            .with_context(|| format!("scaled to {replicas}"))?;
    }
    shop.kubectl(User::Developer, "annotate deployment checkout team=shop")
        .await?
        .ok()
        .map(drop)
        .or_else(|error| {
            // an update of the Deployment itself goes through the dead webhook: refused is right, ignored would be wrong
            if format!("{error:#}").contains("failed calling webhook") {
                Ok(())
            } else {
                Err(error)
            }
        })
}

/// At least N pods are ready, both versions run, and never more than N and the surge.
async fn stands(plane: &Plane, shop: &Shop<'_>, replicas: u32) -> anyhow::Result<()> {
    shop.wait(&format!("{replicas} pods stand"), || async {
        let live = shop.deployment().await?;
        let count = |name: &str| live["status"][name].as_u64().unwrap_or(0);
        let observed = live["status"]["observedGeneration"] == live["metadata"]["generation"];
        let settled = observed
            && count("readyReplicas") == count("replicas")
            && count("replicas") >= u64::from(replicas);
        Ok(if settled && live["spec"]["replicas"] == replicas {
            Ok(())
        } else {
            Err(live["status"].to_string())
        })
    })
    .await?;
    let census = census::ask(plane, &shop.client(), &shop.namespace, "app=checkout").await?;
    ensure!(census.len() == 2, "both versions run on: {census:?}");
    Ok(())
}

/// Everything here is done with the webhook configurations in place and nobody behind them.
async fn locks_nobody_out(plane: &Plane, shop: &Shop<'_>) -> anyhow::Result<()> {
    let nodes = plane.register_nodes(1).await.context("a node registers")?;
    let leases: Api<Lease> = Api::namespaced(shop.client(), "kube-node-lease");
    let renewed = |lease: Lease| lease.spec.and_then(|spec| spec.renew_time);
    let before = renewed(leases.get(&nodes[0]).await?);
    wait_for("the node's lease is renewed", || async {
        let now = renewed(leases.get(&nodes[0]).await?);
        Ok((now > before).then_some(()))
    })
    .await?;
    let workload = |namespace: &str| {
        let mut object = shop.checkout("v1");
        object["metadata"] = json!({"name": "rescue", "namespace": namespace});
        object
    };
    let objects = [
        workload("kube-system"),
        workload(NAMESPACE),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rescue", "namespace": "kube-system"}, "data": {"a": "b"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rescue", "namespace": NAMESPACE}, "data": {"a": "b"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "rescue", "namespace": shop.namespace}, "stringData": {"a": "b"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rescue", "namespace": shop.namespace}, "data": {"a": "b"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "rescue", "namespace": shop.namespace}, "spec": {"selector": {"app": "checkout"}, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "rescue", "namespace": shop.namespace}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "rescue"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "rescue-enforced", "labels": {"sluice.dev/mode": "enforce"}}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "rescue"}, "rules": []}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "rescue"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "rescue"}}),
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "rescue", "namespace": shop.namespace}}),
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "rescue", "namespace": shop.namespace}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "checkout"}}}}),
        // namespaces that are not enforced, and objects of our own, go by Ignore
        workload("rescue"),
        json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "RolloutPlan", "metadata": {"name": "rescue", "namespace": shop.namespace}, "spec": {"components": {"names": ["nobody"]}, "batches": [1]}}),
    ];
    for object in &objects {
        let what = format!(
            "{} {}/{}",
            object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]
        );
        let output = shop.apply_as(User::GitOps, object, &[]).await?;
        output
            .ok()
            .with_context(|| format!("locked out of {what}"))?;
    }
    // a bare pod is never seen
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "rescue", "namespace": shop.namespace}});
    pod["spec"] = shop.checkout("v1")["spec"]["template"]["spec"].clone();
    shop.apply_as(User::Developer, &pod, &[])
        .await?
        .ok()
        .context("locked out of a bare pod")?;
    for line in [
        "create token rescue",
        "label node --all rescue=yes",
        "label namespace rescue-enforced sluice.dev/mode=off --overwrite",
        "delete pod rescue --wait=false",
        "delete configmap rescue",
    ] {
        shop.kubectl(User::GitOps, line)
            .await?
            .ok()
            .with_context(|| format!("kubectl {line}"))?;
    }
    shop.kubectl(User::GitOps, &format!("cordon {}", nodes[0]))
        .await?
        .ok()?;
    Ok(())
}

async fn jobs_run(shop: &Shop<'_>, died: jiff::Timestamp) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(75);
    loop {
        for job in shop.objects("batch/v1", "jobs").await? {
            let started = job["status"]["startTime"]
                .as_str()
                .and_then(|at| at.parse::<jiff::Timestamp>().ok());
            if started.is_some_and(|at| at > died) && job["status"]["succeeded"] == 1 {
                return Ok(());
            }
        }
        ensure!(
            Instant::now() < until,
            "no job of the CronJob ran: {:?}",
            shop.objects("batch/v1", "jobs").await?
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The two documented commands.
async fn way_back_by_hand(
    plane: &Plane,
    shop: &Shop<'_>,
    release: &Value,
    stable: &Value,
) -> anyhow::Result<()> {
    let delete = [
        "delete",
        CONFIGURATIONS,
        "-l",
        "app.kubernetes.io/part-of=sluice",
    ];
    plane.kubectl(User::Admin, delete, None).await?.ok()?;
    let name = release["metadata"]["name"].as_str().unwrap_or_default();
    let stored = shop.object("sluice.dev/v1alpha1", "releases", name).await?;
    let file = plane.folder().join("way-back.json");
    std::fs::write(&file, stored["status"]["wayBack"].to_string())?;
    let line = format!(
        "patch deployment checkout --type=json --patch-file {}",
        file.display()
    );
    shop.kubectl(User::Developer, &line).await?.ok()?;
    shop.runs_everywhere("v1").await?;
    let live = shop.deployment().await?;
    let (is, wanted) = (live["spec"].to_string(), stable.to_string());
    ensure!(
        is == wanted,
        "the spec is {} instead of {stable}",
        live["spec"]
    );
    let annotations = live["metadata"]["annotations"].to_string();
    ensure!(
        !annotations.contains("sluice.dev"),
        "left behind: {annotations}"
    );
    let census = census::ask(plane, &shop.client(), &shop.namespace, "app=checkout").await?;
    ensure!(
        census.get("registry.test/shop/checkout:v1") == Some(&6) && census.len() == 1,
        "the pods say {census:?}"
    );
    Ok(())
}

/// Over what was left: releases are stepped again, and the one that was ended by hand is closed.
async fn installs_again(plane: &Plane, shop: &Shop<'_>) -> anyhow::Result<()> {
    let sluice = Installation::install(plane, None).await?;
    let release = shop.release_in("RolledBack").await?;
    ensure!(
        release["status"]["abort"]["reason"] == "TemplateReverted",
        "{}",
        release["status"]["abort"]
    );
    shop.apply(&shop.plan(&BATCHES, "200ms")).await?;
    shop.apply(&shop.checkout("v4")).await?;
    shop.recorded(2).await?;
    let release = shop.release_in("Succeeded").await?;
    ensure!(
        release["status"]["batches"]
            .as_array()
            .is_some_and(|batches| batches.len() == 3),
        "{}",
        release["status"]
    );
    shop.runs_everywhere("v4").await?;
    drop(sluice);
    Ok(())
}
