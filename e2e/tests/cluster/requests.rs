//! What callers of a Service notice of a release: nothing.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::ensure;
use futures::future::try_join;
use serde_json::json;
use sluice_e2e::{User, rights, scenario::Shop, shared::on_installed_cluster};

const BATCHES: [&str; 3] = ["1", "50%", "100%"];
/// Callers, and how often each asks at least.
const CALLERS: [u64; 2] = [3000, 3000];

#[tokio::test]
async fn a_release_through_its_gate_loses_no_request_of_six_thousand() -> anyhow::Result<()> {
    on_installed_cluster(async |cluster| {
        let shop = Shop::new(cluster, "requests", 4).await?;
        let version = |tag: &str| {
            let mut checkout = shop.checkout(tag);
            let pod = &mut checkout["spec"]["template"]["spec"];
            // told to end, it serves on until nobody is sent to it any more
            pod["containers"][0]["env"] = json!([{"name": "BEHAVIOUR", "value": r#"{"stopMillis": 3000}"#}]);
            pod["containers"][0]["readinessProbe"]["periodSeconds"] = json!(1);
            pod["terminationGracePeriodSeconds"] = json!(10);
            checkout
        };
        shop.apply(&version("v1")).await?;
        let mut caller = shop.workload("caller", "v1");
        caller["spec"]["replicas"] = json!(1);
        shop.apply(&caller).await?;
        shop.kubectl(User::Developer, "expose deployment checkout --port=80 --target-port=8080").await?.ok()?;
        shop.runs_everywhere("v1").await?;
        shop.kubectl(User::Developer, "rollout status deployment/caller --timeout=60s").await?.ok()?;
        shop.apply(&shop.canary_probe()).await?;
        shop.apply(&shop.plan(&BATCHES, "1s")).await?;
        shop.apply(&json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Probe",
            "metadata": {"name": "front", "namespace": shop.namespace},
            "spec": {"http": {"target": {"url": format!("http://checkout.{}.svc/", shop.namespace)}}, "interval": "500ms", "timeout": "400ms"},
        }))
        .await?;
        shop.apply(&json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate",
            "metadata": {"name": "checkout", "namespace": shop.namespace},
            "spec": {"components": {"kinds": ["Deployment"], "names": ["checkout"]}, "before": {"probes": [{"name": "front"}]}},
        }))
        .await?;
        shop.wait("the gate opens", || async {
            let gate = shop.object("sluice.dev/v1alpha1", "gates", "checkout").await?;
            let state = &gate["status"]["state"];
            Ok((state == "Open").then_some(()).ok_or_else(|| gate["status"].to_string()))
        })
        .await?;

        let over = AtomicBool::new(false);
        let asked = async |at_least: u64| -> anyhow::Result<BTreeMap<String, u64>> {
            let mut seen: BTreeMap<String, u64> = BTreeMap::new();
            while !over.load(Ordering::Relaxed) || seen.values().sum::<u64>() < at_least {
                let said = shop
                    .kubectl(User::Developer, "exec deployment/caller -- /sluice-test-app get http://checkout/ 500")
                    .await?;
                for line in said.stdout.lines() {
                    // `200 v1 checkout-…`
                    let answer = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
                    ensure!(answer.starts_with("200 v"), "lost after {seen:?}: {line}");
                    *seen.entry(answer).or_default() += 1;
                }
                ensure!(said.succeeded(), "lost after {seen:?}: {}", said.stderr);
            }
            Ok(seen)
        };
        let release = async {
            shop.apply(&version("v2")).await?;
            shop.release_in("Succeeded").await?;
            shop.runs_everywhere("v2").await?;
            over.store(true, Ordering::Relaxed);
            anyhow::Ok(())
        };
        let callers = try_join(asked(CALLERS[0]), asked(CALLERS[1]));
        let ((one, two), ()) = try_join(callers, release).await?;
        println!("{one:?} {two:?}");
        for seen in [&one, &two] {
            ensure!(seen.contains_key("200 v1") && seen.contains_key("200 v2"), "not under the release: {seen:?}");
        }
        ensure!(one.values().chain(two.values()).sum::<u64>() >= CALLERS.iter().sum());
        shop.kept_to(&BATCHES)?;
        let forbidden = rights::forbidden(&cluster.audit())?;
        ensure!(forbidden.is_empty(), "Sluice may not: {forbidden:?}");
        Ok(())
    })
    .await
}
