//! The test application in a pod: everything it can be told over HTTP while it runs, and that the kubelet sees what comes of it. Other tests lean on that.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{Cluster, User, cluster::reach::Answer, plane::wait_for, shared_cluster};

const LATENCY: Duration = Duration::from_millis(1500);
const STOP: Duration = Duration::from_secs(4);
const GRACE: Duration = Duration::from_secs(20);

struct App<'a> {
    cluster: &'a Cluster,
    namespace: String,
}

impl App<'_> {
    async fn kubectl(&self, line: &str) -> anyhow::Result<String> {
        let line = ["-n", &self.namespace].into_iter().chain(line.split(' '));
        self.cluster
            .kubectl(User::Developer, line, None)
            .await?
            .ok()
    }

    async fn pod(&self) -> anyhow::Result<Value> {
        let list: Value = serde_json::from_str(&self.kubectl("get pods -o json").await?)?;
        let pods = list["items"].as_array().context("a list")?;
        ensure!(pods.len() == 1, "{} pods", pods.len());
        Ok(pods[0].clone())
    }

    async fn address(&self) -> anyhow::Result<String> {
        let pod = self.pod().await?;
        Ok(pod["status"]["podIP"]
            .as_str()
            .context("an address")?
            .to_owned())
    }

    async fn tell(&self, behaviour: Value) -> anyhow::Result<()> {
        self.cluster.tell(&self.address().await?, &behaviour)
    }

    async fn ask(&self) -> anyhow::Result<Answer> {
        self.cluster.ask(&self.address().await?, "GET", "/", "")
    }

    /// Waits until its one container is as `right` says.
    async fn comes(&self, what: &str, right: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        wait_for(what, || async {
            let pod = self.pod().await?;
            let status = &pod["status"]["containerStatuses"][0];
            Ok(right(status).then(|| status.clone()))
        })
        .await
    }

    /// Waits until it runs and is ready, started again so many times.
    async fn is_back(&self, restarts: u64) -> anyhow::Result<Value> {
        self.comes("it is ready", |status| {
            status["ready"] == true && status["restartCount"] == restarts
        })
        .await
    }
}

#[tokio::test]
async fn a_pod_behaves_as_it_is_told_over_http() -> anyhow::Result<()> {
    let cluster = shared_cluster().await?;
    let app = App {
        cluster,
        namespace: cluster.namespace("told").await?,
    };
    let outcome = told(&app).await;
    if outcome.is_err() {
        cluster.keep();
    }
    outcome
}

async fn told(app: &App<'_>) -> anyhow::Result<()> {
    let mut workload = crate::releases::app(&app.namespace, "app", 1, "v1");
    let pod = &mut workload["spec"]["template"]["spec"];
    pod["terminationGracePeriodSeconds"] = json!(GRACE.as_secs());
    let line = ["apply", "-f", "-"];
    let text = workload.to_string();
    app.cluster
        .kubectl(User::Developer, line, Some(&text))
        .await?
        .ok()?;
    app.kubectl("expose deployment app --port=80 --target-port=8080")
        .await?;
    app.kubectl("rollout status deployment/app --timeout=60s")
        .await?;
    ensure!(app.ask().await?.code == 200);

    app.tell(json!({"errors": 1})).await?;
    ensure!(app.ask().await?.code == 500, "no error");
    app.tell(json!({"errors": 0, "latencyMillis": LATENCY.as_millis() as u64}))
        .await?;
    let slow = app.ask().await?;
    ensure!(
        slow.code == 200 && slow.took >= LATENCY,
        "not slow: {slow:?}"
    );
    app.tell(json!({"latencyMillis": 0})).await?;
    // a busy machine may be slow by itself, but not again and again
    wait_for("it is fast again", || async {
        Ok((app.ask().await?.took < LATENCY).then_some(()))
    })
    .await?;

    app.tell(json!({"ready": false})).await?;
    app.comes("it is not ready", |status| status["ready"] == false)
        .await?;
    let endpoints = "get endpointslices -l kubernetes.io/service-name=app -o jsonpath={.items[*].endpoints[*].conditions.ready}";
    wait_for("nobody is sent to it", || async {
        Ok((app.kubectl(endpoints).await?.trim() == "false").then_some(()))
    })
    .await?;
    app.tell(json!({"ready": true})).await?;
    app.is_back(0).await?;

    let pod = app.pod().await?;
    let uid = pod["metadata"]["uid"].as_str().context("a uid")?;
    let before = app.cluster.usage_of(uid)?.memory;
    app.tell(json!({"memoryMebibytes": 12})).await?;
    let after = app.cluster.usage_of(uid)?.memory;
    ensure!(
        after >= before + (12 << 20),
        "{before} bytes became {after}"
    );
    // twice its limit: whether it still answers is the kernel's choice
    let _ = app.tell(json!({"memoryMebibytes": 64})).await;
    let status = app.is_back(1).await?;
    ensure!(
        status["lastState"]["terminated"]["reason"] == "OOMKilled",
        "{status}"
    );

    // it ends in the middle of the answer
    let address = app.address().await?;
    let crashed = app.cluster.ask(&address, "POST", "/crash", "");
    ensure!(crashed.is_err(), "{crashed:?}");
    let status = app.is_back(2).await?;
    let ended = &status["lastState"]["terminated"];
    ensure!(
        ended["exitCode"] != 0 && ended["reason"] != "OOMKilled",
        "{status}"
    );

    app.tell(json!({"stopMillis": STOP.as_millis() as u64}))
        .await?;
    let pod = app.pod().await?;
    let name = pod["metadata"]["name"].as_str().context("a name")?;
    let asked = Instant::now();
    app.kubectl(&format!("delete pod {name}")).await?;
    let took = asked.elapsed();
    ensure!(
        took >= STOP && took < GRACE,
        "gone after {took:?}, and was to take {STOP:?} of its {GRACE:?}"
    );
    Ok(())
}
