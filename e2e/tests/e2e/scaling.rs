//! More pods by `kubectl scale`: judged by what quotas hold, as a changed manifest would be; fewer are never judged, and no autoscaler is refused.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_e2e::{Installed, Plane, User, installed_plane, plane::wait_for};

use crate::answers::warnings;

/// A workload of which two pods fit into a quota of five.
fn workload(kind: &str, name: &str, more: &[(&str, Value)]) -> String {
    let mut spec = json!({
        "replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{
                "name": "main", "image": "registry.test/main:1",
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
            }]},
        },
    });
    for (field, value) in more {
        spec[*field] = value.clone();
    }
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
        .to_string()
}

fn quota(name: &str, pods: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": {"pods": pods}}})
        .to_string()
}

struct Scaled {
    refused: Option<String>,
    warned: Vec<String>,
}

async fn scale(
    plane: &Plane,
    namespace: &str,
    user: User,
    arguments: &[&str],
) -> anyhow::Result<Scaled> {
    let mut all = vec!["-n", namespace, "scale"];
    all.extend(arguments);
    let output = plane.kubectl(user, all, None).await?;
    let warned = warnings(&output);
    let refused = (!output.succeeded()).then_some(output.stderr);
    Ok(Scaled { refused, warned })
}

#[tokio::test]
async fn a_quota_is_held_against_more_pods_and_no_autoscaler_is_refused() -> anyhow::Result<()> {
    let Installed { plane, .. } = installed_plane().await?;
    let namespace = plane
        .namespace_with("scaling", &[("sluice.dev/mode", "enforce")])
        .await?;
    let outcome = story(plane, &namespace).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn story(plane: &Plane, namespace: &str) -> anyhow::Result<()> {
    let surge = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    for object in [
        quota("team", "9"),
        workload("Deployment", "web", &[("strategy", surge)]),
        workload("StatefulSet", "db", &[("serviceName", json!("db"))]),
    ] {
        let arguments = ["-n", namespace, "create", "-f", "-"];
        plane
            .kubectl(User::Admin, arguments, Some(&object))
            .await?
            .ok()?;
    }
    let people = User::Developer;
    for (target, sum, enough) in [
        ("deployment/web", "9 replicas + 1 surge = 10 pods", "8"),
        ("statefulset/db", "10 replicas", "9"),
    ] {
        let most: u32 = enough.parse()?;
        let (fits, too_many) = (
            format!("--replicas={}", most - 5),
            format!("--replicas={}", most + 1),
        );
        let expected = format!(
            "SLU2003 quota-breach at spec.replicas: needs 10 of pods at its peak ({sum}), ResourceQuota team has 9 in all; passes: at most 9 of pods; or more pods in ResourceQuota team"
        );
        // the webhook hears of the workload and of what the quota holds; a dry-run is never refused
        let dry = "--dry-run=server";
        wait_for("the webhook to know the workload", || async {
            let said = scale(plane, namespace, people, &[target, &too_many, dry]).await?;
            let small = scale(plane, namespace, people, &[target, &fits, dry]).await?;
            let known = said.refused.is_none() && said.warned == [expected.as_str()];
            Ok((known && small.warned.is_empty()).then_some(()))
        })
        .await?;
        let said = scale(plane, namespace, people, &[target, &too_many]).await?;
        let refused = said.refused.unwrap_or_default();
        ensure!(
            refused.contains("scale.sluice.dev") && refused.contains(&expected),
            "kubectl says {refused:?}"
        );
        // an autoscaler of another maker is told, that of Kubernetes is not asked about
        let account = format!("--as=system:serviceaccount:{namespace}:autoscaler");
        let masters = "--as-group=system:masters";
        let said = scale(
            plane,
            namespace,
            User::Admin,
            &[target, &too_many, &account, masters],
        )
        .await?;
        ensure!(said.refused.is_none() && said.warned == [expected.as_str()]);
        let native = "--as=system:serviceaccount:kube-system:horizontal-pod-autoscaler";
        let more = format!("--replicas={}", most + 2);
        let said = scale(
            plane,
            namespace,
            User::Admin,
            &[target, &more, native, masters],
        )
        .await?;
        ensure!(said.refused.is_none() && said.warned.is_empty());
        // still more than the quota holds, and fewer than there were asked for
        for fewer in [&too_many, &fits] {
            let said = scale(plane, namespace, people, &[target, fewer]).await?;
            let silent = said.refused.is_none() && said.warned.is_empty();
            ensure!(
                silent,
                "{target} {fewer}: {:?} {:?}",
                said.refused,
                said.warned
            );
        }
    }
    Ok(())
}
