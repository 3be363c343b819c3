//! StatefulSets and DaemonSets are gated like Deployments: a probe of their own pods opens and closes their gate, though nothing steps them.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_e2e::scenario::Shop;
use sluice_e2e::{Installed, User};

use crate::gate_fresh_proof::{probe, state};
use crate::rollback::on_installed;

fn set(shop: &Shop<'_>, kind: &str, name: &str, tag: &str) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": shop.namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "main", "image": format!("registry.test/shop/store:{tag}"), "ports": [{"containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
                }]},
            },
        },
    });
    if kind == "StatefulSet" {
        object["spec"]["replicas"] = json!(2);
        object["spec"]["serviceName"] = json!(name);
    }
    object
}

#[tokio::test]
async fn probes_of_their_own_pods_open_and_close_the_gate_of_sets() -> anyhow::Result<()> {
    on_installed(async |Installed { plane, .. }| {
        let shop = Shop::new(plane, "sets-gated", 1).await?;
        let pods = json!({"http": {"target": {"pods": "All", "port": 8080}, "expect": {"status": [200]}}});
        shop.apply(&probe(&shop, "pods", &pods)).await?;
        for (kind, name) in [("StatefulSet", "store"), ("DaemonSet", "agent")] {
            let apply = async |tag: &str| {
                let manifest = set(&shop, kind, name, tag).to_string();
                let line = ["-n", &shop.namespace, "apply", "-f", "-"];
                plane.kubectl(User::Developer, line, Some(&manifest)).await
            };
            apply("v1").await?.ok()?;
            let gate = json!({
                "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate", "metadata": {"name": name, "namespace": shop.namespace},
                "spec": {"components": {"kinds": [kind], "names": [name]}, "before": {"probes": [{"name": "pods"}], "maxAge": "5s"}},
            });
            shop.apply(&gate).await?;
            state(&shop, name, "Open").await?;

            let annotate = format!("annotate pods -l app={name}");
            shop.kubectl(User::Admin, &format!("{annotate} fake.sluice.test/behaviour=errors-100")).await?.ok()?;
            state(&shop, name, "Closed").await?;
            shop.wait(&format!("a release of {kind} {name} is refused"), || async {
                let answer = apply("v2").await?;
                ensure!(answer.code != Some(0), "a release went in behind a closed gate: {answer:?}");
                let named = answer.stderr.contains("SLU0001") && answer.stderr.contains("ProbeFailing");
                Ok(if named { Ok(()) } else { Err(answer.stderr) })
            })
            .await?;

            shop.kubectl(User::Admin, &format!("{annotate} fake.sluice.test/behaviour-")).await?.ok()?;
            state(&shop, name, "Open").await?;
            shop.wait(&format!("{kind} {name} is let in"), || async {
                let answer = apply("v2").await?;
                Ok(if answer.code == Some(0) { Ok(()) } else { Err(answer.stderr) })
            })
            .await?;
        }
        Ok(())
    })
    .await
}
