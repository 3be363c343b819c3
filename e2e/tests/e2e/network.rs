//! Pods and Services over HTTP, and what Prometheus sees of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sluice_e2e::plane::wait_for;
use sluice_e2e::{Behaviour, Plane, Selector, User, in_namespace};

use crate::{deployment, service};

async fn apply(plane: &Plane, namespace: &str, manifest: &str) -> anyhow::Result<()> {
    plane
        .kubectl(
            User::Developer,
            ["-n", namespace, "apply", "-f", "-"],
            Some(manifest),
        )
        .await?
        .ok()
        .map(drop)
}

async fn roll_out(
    plane: &Plane,
    namespace: &str,
    name: &str,
    replicas: u32,
    image: &str,
) -> anyhow::Result<()> {
    apply(plane, namespace, &deployment(name, replicas, image)).await?;
    let wait = [
        "-n",
        namespace,
        "rollout",
        "status",
        &format!("deployment/{name}"),
        "--timeout=30s",
    ];
    plane
        .kubectl(User::Developer, wait, None)
        .await?
        .ok()
        .map(drop)
}

/// Asks the Service once; the answering pod's name, or None when nobody answers.
async fn who(plane: &Plane, url: &str) -> Option<String> {
    let answer = plane.dataplane().get(url).await.ok()?;
    let version: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    Some(version["pod"].as_str()?.to_owned())
}

#[tokio::test]
async fn service_reaches_ready_pods_only() -> anyhow::Result<()> {
    in_namespace("service", async |plane, namespace| {
        roll_out(plane, namespace, "web", 3, "a:v1").await?;
        apply(plane, namespace, &service("web")).await?;
        let url = format!("http://web.{namespace}.svc/version");
        let draw = || async {
            let mut seen: BTreeMap<String, u32> = BTreeMap::new();
            for _ in 0..60 {
                *seen
                    .entry(
                        who(plane, &url)
                            .await
                            .unwrap_or_else(|| "nobody".to_owned()),
                    )
                    .or_default() += 1;
            }
            seen
        };
        wait_for("all three pods behind the Service", || async {
            let seen = draw().await;
            Ok((seen.len() == 3 && !seen.contains_key("nobody")).then_some(()))
        })
        .await?;

        let name = draw()
            .await
            .into_keys()
            .next()
            .context("somebody answered")?;
        let selector = Selector::Pod {
            namespace: namespace.to_owned(),
            name: name.clone(),
        };
        plane
            .world()
            .set_behaviour(selector, Behaviour::parse("never-ready")?);
        wait_for("two pods behind the Service", || async {
            let seen = draw().await;
            Ok((seen.len() == 2 && !seen.contains_key(&name)).then_some(()))
        })
        .await?;
        // asked directly, the pod that is not ready answers and says so
        let pod = plane.world().pod(namespace, &name).context("runs")?;
        let code = plane
            .dataplane()
            .get(&format!("http://{}:8080/ready", pod.address))
            .await?
            .code;
        ensure!(code == 503, "{code}");

        plane.world().set_behaviour(
            Selector::Namespace(namespace.to_owned()),
            Behaviour::parse("never-ready")?,
        );
        wait_for("nobody behind the Service", || async {
            Ok(who(plane, &url).await.is_none().then_some(()))
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn service_is_reached_by_name_domain_and_address() -> anyhow::Result<()> {
    in_namespace("names", async |plane, namespace| {
        roll_out(plane, namespace, "web", 1, "a:v7").await?;
        apply(plane, namespace, &service("web")).await?;
        let address = [
            "-n",
            namespace,
            "get",
            "service",
            "web",
            "-o",
            "jsonpath={.spec.clusterIP}",
        ];
        let address = plane.kubectl(User::Developer, address, None).await?.ok()?;
        let hosts = [
            format!("web.{namespace}.svc"),
            format!("web.{namespace}.svc.cluster.local:80"),
            address,
        ];
        for host in hosts {
            let url = format!("http://{host}/");
            let answer = wait_for(&url, || async {
                Ok(plane.dataplane().get(&url).await.ok())
            })
            .await?;
            ensure!(
                answer.code == 200 && answer.text().ends_with("v7\n"),
                "{url}: {answer:?}"
            );
        }
        for nobody in [
            "http://absent.nowhere.svc/",
            "http://10.244.255.254:8080/",
            "http://example.test/",
        ] {
            ensure!(
                plane.dataplane().get(nobody).await.is_err(),
                "{nobody} answered"
            );
        }
        let pod = plane
            .world()
            .pods()
            .into_iter()
            .find(|pod| pod.namespace == *namespace)
            .context("runs")?;
        let wrong_port = format!("http://{}:8081/", pod.address);
        ensure!(
            plane.dataplane().get(&wrong_port).await.is_err(),
            "a port nobody listens on answered"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn errors_and_latency_do_not_touch_readiness() -> anyhow::Result<()> {
    in_namespace("errors", async |plane, namespace| {
        // the rollout ends only when the pods are ready
        roll_out(plane, namespace, "bad", 1, "a:v3--errors-100").await?;
        roll_out(plane, namespace, "slow", 1, "a:v4--latency-400ms").await?;
        let address = |app: &str| {
            let of = |pod: &sluice_e2e::node::live::LivePod| {
                pod.namespace == *namespace && pod.labels["app"] == app
            };
            plane
                .world()
                .pods()
                .into_iter()
                .find(|pod| of(pod))
                .map(|pod| pod.address)
        };
        let bad = address("bad").context("runs")?;
        ensure!(
            plane
                .dataplane()
                .get(&format!("http://{bad}:8080/"))
                .await?
                .code
                == 500
        );
        ensure!(
            plane
                .dataplane()
                .get(&format!("http://{bad}:8080/version"))
                .await?
                .code
                == 200
        );
        let slow = address("slow").context("runs")?;
        let begin = Instant::now();
        ensure!(
            plane
                .dataplane()
                .get(&format!("http://{slow}:8080/"))
                .await?
                .code
                == 200
        );
        ensure!(
            begin.elapsed() >= Duration::from_millis(400),
            "{:?}",
            begin.elapsed()
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn prometheus_sees_error_rates_by_template_hash() -> anyhow::Result<()> {
    in_namespace("metrics", async |plane, namespace| {
        roll_out(plane, namespace, "web", 2, "a:v1").await?;
        apply(plane, namespace, &service("web")).await?;
        let traffic = plane.dataplane().traffic(namespace, "web", "/", 100.0);
        let prometheus = plane.prometheus().await?;
        let rate = |code: &str| {
            format!(
                "sum(rate(http_requests_total{{namespace=\"{namespace}\",code=\"{code}\"}}[5s]))"
            )
        };
        wait_for("a success rate", || async {
            Ok(prometheus
                .value(&rate("200"))
                .await?
                .filter(|rate| *rate > 10.0))
        })
        .await?;
        ensure!(
            prometheus.value(&rate("500")).await? == Some(0.0),
            "zero errors are a number, not an absence"
        );

        plane.world().set_behaviour(
            Selector::Namespace(namespace.to_owned()),
            Behaviour::parse("errors-100")?,
        );
        wait_for("an error rate", || async {
            Ok(prometheus
                .value(&rate("500"))
                .await?
                .filter(|rate| *rate > 10.0))
        })
        .await?;
        let pod = plane
            .world()
            .pods()
            .into_iter()
            .find(|pod| pod.namespace == *namespace)
            .context("runs")?;
        let by_hash = format!(
            "sum(http_requests_total{{namespace=\"{namespace}\",pod_template_hash=\"{}\"}})",
            pod.template_hash()
        );
        ensure!(
            prometheus
                .value(&by_hash)
                .await?
                .is_some_and(|total| total > 0.0)
        );
        ensure!(traffic.answered() > 0 && traffic.errors() > 0);
        ensure!(
            prometheus
                .value("http_requests_total{pod=\"nobody\"}")
                .await?
                .is_none(),
            "no data is none"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn annotation_switches_a_running_pod() -> anyhow::Result<()> {
    in_namespace("annotated", async |plane, namespace| {
        roll_out(plane, namespace, "web", 1, "a:v1").await?;
        let (_, url) = plane
            .world()
            .pods()
            .into_iter()
            .find(|pod| pod.namespace == namespace)
            .map(|pod| (pod.name.clone(), format!("http://{}:8080/", pod.address)))
            .context("a pod runs")?;
        for (annotation, code) in [
            ("fake.sluice.test/behaviour=errors-100", 500),
            ("fake.sluice.test/behaviour-", 200),
        ] {
            let line = ["-n", namespace, "annotate", "pods", "--all", annotation];
            plane.kubectl(User::Developer, line, None).await?.ok()?;
            wait_for("the pod answers otherwise", || async {
                let answer = plane.dataplane().get(&url).await?;
                Ok((answer.code == code).then_some(()))
            })
            .await?;
        }
        Ok(())
    })
    .await
}
