//! Sluice cannot lock a cluster out: what goes on while it is gone, and that the cluster comes back.

use anyhow::{Context, ensure};
use sluice_e2e::{
    Cluster, ClusterOptions, User, cluster,
    plane::{Output, wait_for},
    shared::install_on,
};

/// One object of each kind that a cluster needs to come back, created as a trial.
const NEVER_REFUSED: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: newcomer}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: newcomer, namespace: kube-node-lease}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: agent}]}
---
apiVersion: v1
kind: Pod
metadata: {name: newcomer, namespace: NAMESPACE}
spec: {containers: [{name: main, image: main}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: unlabelled, namespace: default}
spec:
  schedule: "* * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: main}]}}}}
"#;

struct Place {
    cluster: Cluster,
    namespace: String,
}

impl Place {
    async fn kubectl(&self, line: &str, input: Option<&str>) -> anyhow::Result<Output> {
        self.cluster
            .kubectl(User::Admin, line.split(' '), input)
            .await
    }

    /// A CronJob of the demo, as a trial.
    async fn try_apply(&self, name: &str) -> anyhow::Result<Output> {
        let path = format!("{}/demo/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path)?
            .replace("namespace: shop", &format!("namespace: {}", self.namespace));
        self.kubectl("apply --dry-run=server -f -", Some(&text))
            .await
    }

    /// Waits until a trial goes as `right` says.
    async fn comes(
        &self,
        what: &str,
        name: &str,
        right: impl Fn(&Output) -> bool,
    ) -> anyhow::Result<()> {
        wait_for(what, || async {
            let output = self.try_apply(name).await?;
            Ok(right(&output).then_some(()))
        })
        .await
    }
}

async fn played(place: &Place) -> anyhow::Result<()> {
    place.try_apply("cronjob-bounded").await?.ok()?;
    let scale = async |to: u32| {
        let line = format!("-n sluice-system scale deployment --all --replicas={to}");
        place.kubectl(&line, None).await?.ok()
    };

    // gone altogether: what is judged is refused, what the cluster lives on is not
    scale(0).await?;
    place
        .comes(
            "without a webhook nothing is let through unchecked",
            "cronjob-bounded",
            |output| output.stderr.contains("failed calling webhook"),
        )
        .await?;
    let needed = NEVER_REFUSED.replace("NAMESPACE", &place.namespace);
    place
        .kubectl("create --dry-run=server -f -", Some(&needed))
        .await?
        .ok()
        .context("refused while Sluice was gone")?;
    // and Sluice's own pods come back through the API server that asks it
    scale(2).await?;
    place
        .comes("it judges again", "cronjob-unbounded", |output| {
            output.stderr.contains("SLU1001")
        })
        .await?;
    place.try_apply("cronjob-bounded").await?.ok()?;

    // its namespace deleted by hand: the webhook configurations belong to it and go with it
    place
        .kubectl("delete namespace sluice-system --wait=false", None)
        .await?
        .ok()?;
    place
        .comes(
            "nobody is asked any more",
            "cronjob-unbounded",
            Output::succeeded,
        )
        .await?;
    let line = "get mutatingwebhookconfigurations,validatingwebhookconfigurations -l app.kubernetes.io/part-of=sluice -o name";
    wait_for("the webhook configurations are gone", || async {
        let left = place.kubectl(line, None).await?.ok()?;
        Ok(left.trim().is_empty().then_some(()))
    })
    .await?;
    let nodes = place.kubectl("get nodes --no-headers", None).await?.ok()?;
    ensure!(nodes.contains(" Ready "), "{nodes}");
    Ok(())
}

#[tokio::test]
async fn the_cluster_lives_without_sluice_and_after_its_namespace() -> anyhow::Result<()> {
    let cluster = Cluster::start(ClusterOptions {
        images: cluster::images("product")?,
        ..ClusterOptions::default()
    })
    .await?;
    install_on(&cluster).await?;
    let namespace = cluster
        .namespace_with("judged", &[("sluice.dev/mode", "enforce")])
        .await?;
    let place = Place { cluster, namespace };
    let outcome = played(&place).await;
    if outcome.is_err() {
        place.cluster.keep();
    }
    outcome
}
