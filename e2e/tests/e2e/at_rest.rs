//! What Sluice costs the API server while nothing happens, by the API server's own audit log.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;
use sluice_e2e::{
    Plane, PlaneOptions, User,
    installation::{InstallOptions, Installation, NAMESPACE},
    plane::wait_for,
};

const DEPLOYMENTS: usize = 50;
const REST: Duration = Duration::from_secs(20);
/// Requests in one second of everything Sluice runs.
const MOST: f64 = 2.0;

#[tokio::test]
async fn fifty_governed_deployments_at_rest_cost_less_than_two_requests_a_second()
-> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = rest(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn rest(plane: &Plane) -> anyhow::Result<()> {
    // the lease as it is shipped: tests elsewhere renew it far more often
    let options = InstallOptions {
        lease: Some("10s".to_owned()),
        ..InstallOptions::default()
    };
    let _sluice = Installation::install_with(plane, &options).await?;
    let namespace = plane
        .namespace_with("rest", &[("sluice.dev/mode", "enforce")])
        .await?;
    let mut items: Vec<_> = (0..DEPLOYMENTS)
        .map(|i| {
            let labels = json!({"app": "rest", "number": i.to_string()});
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": format!("shop-{i}"), "labels": {"app": "rest"}},
                "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "main", "image": "registry.test/shop:v1",
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "8Mi"}}}]},
                }},
            })
        })
        .collect();
    let own = |kind: &str, spec| json!({"apiVersion": "sluice.dev/v1alpha1", "kind": kind, "metadata": {"name": "rest"}, "spec": spec});
    let selector = json!({"kinds": ["Deployment"], "selector": {"matchLabels": {"app": "rest"}}});
    items.push(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
        "spec": {"selector": {"app": "rest"}, "ports": [{"port": 80, "targetPort": 8080}]}}),
    );
    let url = format!("http://shop.{namespace}.svc/ready");
    // a sample a second, which costs the API server nothing
    items.push(own(
        "Probe",
        json!({"http": {"target": {"url": url}}, "interval": "1s", "timeout": "900ms"}),
    ));
    items.push(own(
        "Gate",
        json!({"components": selector, "before": {"probes": [{"name": "rest"}]}}),
    ));
    items.push(own(
        "RolloutPlan",
        json!({"components": selector, "batches": [1, "100%"]}),
    ));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    plane
        .kubectl(
            User::Admin,
            ["-n", &namespace, "create", "-f", "-"],
            Some(&list),
        )
        .await?
        .ok()?;
    let state = [
        "-n",
        &namespace,
        "get",
        "gates.sluice.dev",
        "rest",
        "-o",
        "jsonpath={.status.state}",
    ];
    wait_for("the gate to open", || async {
        let state = plane.kubectl(User::Admin, state, None).await?;
        Ok((state.stdout == "Open").then_some(()))
    })
    .await?;
    let ready = [
        "-n",
        &namespace,
        "get",
        "deployments",
        "-o",
        "jsonpath={.items[*].status.readyReplicas}",
    ];
    wait_for("every Deployment to be ready", || async {
        let ready = plane.kubectl(User::Admin, ready, None).await?;
        Ok((ready.stdout.split(' ').count() == DEPLOYMENTS).then_some(()))
    })
    .await?;

    // rest is what is measured, so it is waited for, not for a value
    let mark = plane.audit().mark()?;
    tokio::time::sleep(REST).await;
    let prefix = format!("system:serviceaccount:{NAMESPACE}:sluice-");
    let requests: Vec<String> = plane
        .audit()
        .since(mark)?
        .into_iter()
        .filter(|entry| entry.counts() && entry.user.starts_with(&prefix))
        .map(|entry| format!("{} {} {}", entry.user, entry.verb, entry.uri))
        .collect();
    let rate = requests.len() as f64 / REST.as_secs_f64();
    eprintln!("at rest with {DEPLOYMENTS} governed Deployments: {rate:.2} requests a second");
    ensure!(
        !requests.is_empty(),
        "no heartbeat in {REST:?}: nothing was measured"
    );
    ensure!(
        rate < MOST,
        "{rate:.2} requests a second:\n{}",
        requests.join("\n")
    );
    Ok(())
}
