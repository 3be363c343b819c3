//! Releases of real pods: stepped, proved by probes that ask the canary pods themselves, undone.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_e2e::{scenario::Shop, shared::on_installed_cluster};

/// A Deployment of the test application, as a namespace of Pod Security `restricted` takes it.
pub fn app(namespace: &str, name: &str, replicas: u32, tag: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                    "terminationGracePeriodSeconds": 5,
                    "containers": [{
                        "name": name, "image": format!("registry.test/shop/checkout:{tag}"),
                        "ports": [{"containerPort": 8080}],
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
                        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
                        "securityContext": {
                            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                        },
                    }],
                },
            },
        },
    })
}

const BATCHES: [&str; 3] = ["1", "50%", "100%"];

#[tokio::test]
async fn a_good_release_steps_and_a_bad_one_is_undone() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "shop", 4).await?;
        shop.open("v1", &BATCHES, "500ms").await?;
        shop.apply(&shop.checkout("v2")).await?;
        let release = shop.release_in("Succeeded").await?;
        let pods: Vec<u64> = release["status"]["batches"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|batch| batch["pods"].as_u64())
            .collect();
        ensure!(
            pods == [1, 2, 4],
            "batches of {pods:?}: {}",
            release["status"]
        );
        shop.runs_everywhere("v2").await?;

        let before = shop.deployment().await?["spec"].clone();
        shop.apply(&shop.checkout("v2--errors-100")).await?;
        shop.recorded(2).await?;
        let release = shop.release_in("RolledBack").await?;
        let status = &release["status"];
        ensure!(
            status["abort"]["reason"] == "ProbeFailed",
            "{}",
            status["abort"]
        );
        ensure!(
            status["abort"]["evidence"].to_string().contains("500"),
            "{}",
            status["abort"]
        );
        ensure!(
            status["exposure"] == 1,
            "{} pods ran it",
            status["exposure"]
        );
        shop.runs_everywhere("v2").await?;
        let after = shop.deployment().await?["spec"].clone();
        ensure!(after == before, "before: {before}\nafter: {after}");
        shop.kept_to(&BATCHES)
    })
    .await
}
