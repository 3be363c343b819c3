//! Pods of every behaviour, as the API shows them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use sluice_e2e::plane::wait_for;
use sluice_e2e::{Behaviour, Kill, Plane, Selector, User, in_namespace};

use crate::deployment;

async fn pods(plane: &Plane, namespace: &str) -> anyhow::Result<Api<Pod>> {
    Ok(Api::namespaced(plane.client(User::Admin).await?, namespace))
}

async fn make(
    plane: &Plane,
    namespace: &str,
    name: &str,
    spec: serde_json::Value,
) -> anyhow::Result<Api<Pod>> {
    let pods = pods(plane, namespace).await?;
    let pod =
        serde_json::json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec});
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?)
        .await?;
    Ok(pods)
}

async fn make_with_image(
    plane: &Plane,
    namespace: &str,
    name: &str,
    image: &str,
) -> anyhow::Result<Api<Pod>> {
    make(
        plane,
        namespace,
        name,
        serde_json::json!({"containers": [{"name": "main", "image": image}]}),
    )
    .await
}

fn main_container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

async fn until(
    pods: &Api<Pod>,
    name: &str,
    what: &str,
    holds: impl Fn(&Pod) -> bool,
) -> anyhow::Result<Pod> {
    wait_for(what, || async {
        Ok(pods.get_opt(name).await?.filter(|pod| holds(pod)))
    })
    .await
}

#[tokio::test]
async fn crash_loop_shows_terminated_most_of_the_time() -> anyhow::Result<()> {
    in_namespace("crash", async |plane, namespace| {
        let pods = make_with_image(plane, namespace, "loop", "a:v1--crash-loop").await?;
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        let begin = Instant::now();
        let mut last = None;
        while begin.elapsed() < Duration::from_secs(11) {
            let pod = pods.get("loop").await?;
            let state = main_container(&pod)
                .and_then(|status| status.state.clone())
                .unwrap_or_default();
            let waiting = state.waiting.and_then(|waiting| waiting.reason);
            let ended = state.terminated.and_then(|terminated| terminated.reason);
            *seen
                .entry(waiting.or(ended).unwrap_or_else(|| "running".to_owned()))
                .or_default() += 1;
            ensure!(phase(&pod) != "Failed", "a crash loop stays Running");
            last = Some(pod);
            // a sampling period, not a wait for something to happen
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let count = |reason: &str| seen.get(reason).copied().unwrap_or_default();
        ensure!(
            count("Error") > 2 * count("CrashLoopBackOff") && count("CrashLoopBackOff") > 0,
            "{seen:?}"
        );
        let pod = last.context("sampled")?;
        let status = main_container(&pod).context("has a status")?;
        ensure!(status.restart_count >= 3, "{}", status.restart_count);
        let before = status
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref())
            .context("lastState")?;
        ensure!(
            before.exit_code == 1 && before.reason.as_deref() == Some("Error"),
            "{before:?}"
        );
        let events: Api<Event> = Api::namespaced(plane.client(User::Admin).await?, namespace);
        let posted = events
            .list(&ListParams::default().fields("involvedObject.name=loop,reason=BackOff"))
            .await?;
        ensure!(
            posted.items.len() >= 3,
            "{} BackOff events",
            posted.items.len()
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn oom_kill_is_seen_in_the_last_state() -> anyhow::Result<()> {
    in_namespace("oom", async |plane, namespace| {
        let pods = make_with_image(plane, namespace, "greedy", "a:v1--oom-killed").await?;
        let pod = until(&pods, "greedy", "a restart", |pod| {
            main_container(pod).is_some_and(|c| c.restart_count > 0)
        })
        .await?;
        let last = main_container(&pod)
            .and_then(|c| c.last_state.clone())
            .and_then(|state| state.terminated);
        ensure!(last.is_some_and(
            |exit| exit.exit_code == 137 && exit.reason.as_deref() == Some("OOMKilled")
        ));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn image_pull_error_keeps_the_pod_pending_until_switched_off() -> anyhow::Result<()> {
    in_namespace("pull", async |plane, namespace| {
        let pods = make_with_image(plane, namespace, "absent", "a:v1--image-pull-error").await?;
        for reason in ["ErrImagePull", "ImagePullBackOff"] {
            let waits = |pod: &Pod| {
                let state = main_container(pod).and_then(|c| c.state.clone());
                state
                    .and_then(|state| state.waiting)
                    .and_then(|waiting| waiting.reason)
                    .as_deref()
                    == Some(reason)
            };
            let pod = until(&pods, "absent", reason, waits).await?;
            ensure!(phase(&pod) == "Pending", "{}", phase(&pod));
        }
        let selector = Selector::Pod {
            namespace: namespace.to_owned(),
            name: "absent".to_owned(),
        };
        plane.world().set_behaviour(selector, Behaviour::healthy());
        until(&pods, "absent", "ready after the switch", is_ready).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn readiness_follows_switches_on_running_pods() -> anyhow::Result<()> {
    in_namespace("switch", async |plane, namespace| {
        let pods = make_with_image(plane, namespace, "one", "a:v1").await?;
        until(&pods, "one", "ready", is_ready).await?;
        let selector = Selector::Label {
            namespace: namespace.to_owned(),
            key: "app".to_owned(),
            value: "one".to_owned(),
        };
        plane
            .world()
            .set_behaviour(selector.clone(), Behaviour::parse("never-ready")?);
        let pod = until(&pods, "one", "not ready", |pod| !is_ready(pod)).await?;
        ensure!(phase(&pod) == "Running");
        plane.world().clear_behaviour(&selector);
        until(&pods, "one", "ready again", is_ready).await?;
        plane
            .world()
            .set_behaviour(selector, Behaviour::parse("crash-loop")?);
        until(&pods, "one", "a crash", |pod| {
            main_container(pod).is_some_and(|c| c.restart_count > 0)
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn readiness_gate_keeps_the_pod_unready() -> anyhow::Result<()> {
    in_namespace("gate", async |plane, namespace| {
        let spec = serde_json::json!({
            "containers": [{"name": "main", "image": "a:v1"}],
            "readinessGates": [{"conditionType": "example.test/traffic"}],
        });
        let pods = make(plane, namespace, "gated", spec).await?;
        let running = |pod: &Pod| main_container(pod).is_some_and(|c| c.ready);
        let pod = until(&pods, "gated", "containers ready", running).await?;
        ensure!(!is_ready(&pod), "a gate that nobody has opened");
        let open = serde_json::json!({"status": {"conditions": [{"type": "example.test/traffic", "status": "True"}]}});
        pods.patch_status("gated", &Default::default(), &kube::api::Patch::Strategic(open)).await?;
        until(&pods, "gated", "ready", is_ready).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn job_completes_and_failing_job_fails() -> anyhow::Result<()> {
    in_namespace("jobs", async |plane, namespace| {
        for (name, image, condition) in [("good", "a:v1--run-1s", "Complete"), ("bad", "a:v1--exit-3", "Failed")] {
            let job = serde_json::json!({
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name},
                "spec": {
                    "backoffLimit": 0,
                    "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}},
                },
            });
            plane.kubectl(User::Developer, ["-n", namespace, "apply", "-f", "-"], Some(&job.to_string())).await?.ok()?;
            let condition = format!("--for=condition={condition}");
            let wait = ["-n", namespace, "wait", &condition, &format!("job/{name}"), "--timeout=20s"];
            plane.kubectl(User::Developer, wait, None).await?.ok()?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn slow_stop_takes_its_time_within_the_grace_period() -> anyhow::Result<()> {
    in_namespace("stop", async |plane, namespace| {
        for (name, image, grace, least, most) in [
            ("slow", "a:v1--slow-stop-2s", 30, 1.9, 10.0),
            ("cut", "a:v1--slow-stop-60s", 1, 0.9, 10.0),
        ] {
            let pods = make_with_image(plane, namespace, name, image).await?;
            let pod = until(&pods, name, "ready", is_ready).await?;
            let begin = Instant::now();
            pods.delete(name, &DeleteParams::default().grace_period(grace))
                .await?;
            until(&pods, name, "terminating", |pod| {
                pod.metadata.deletion_timestamp.is_some()
            })
            .await?;
            let url = format!(
                "http://{}:8080/",
                pod.status
                    .and_then(|status| status.pod_ip)
                    .context("an address")?
            );
            ensure!(
                plane.dataplane().get(&url).await?.code == 200,
                "it answers while it terminates"
            );
            wait_for("gone", || async {
                Ok(pods.get_opt(name).await?.is_none().then_some(()))
            })
            .await?;
            let took = begin.elapsed().as_secs_f64();
            ensure!((least..most).contains(&took), "{name} took {took} s");
            ensure!(
                plane.dataplane().get(&url).await.is_err(),
                "nobody answers for a pod that is gone"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn killed_pod_is_replaced_and_killed_container_restarted() -> anyhow::Result<()> {
    in_namespace("kill", async |plane, namespace| {
        let manifest = deployment("web", 2, "a:v1");
        plane
            .kubectl(
                User::Developer,
                ["-n", namespace, "apply", "-f", "-"],
                Some(&manifest),
            )
            .await?
            .ok()?;
        let pods = pods(plane, namespace).await?;
        let ready = || async {
            let list = pods.list(&ListParams::default()).await?;
            let ready: Vec<String> = list
                .iter()
                .filter(|pod| is_ready(pod))
                .map(ResourceExt::name_any)
                .collect();
            Ok((ready.len() == 2).then_some(ready))
        };
        let names = wait_for("two ready pods", ready).await?;
        plane.world().kill_pod(
            namespace,
            &names[0],
            Kill::Failed {
                reason: "Evicted".to_owned(),
            },
        )?;
        let failed = until(&pods, &names[0], "failed", |pod| phase(pod) == "Failed").await?;
        ensure!(failed.status.and_then(|status| status.reason).as_deref() == Some("Evicted"));
        let now = wait_for("a replacement", ready).await?;
        ensure!(!now.contains(&names[0]), "{now:?}");
        plane
            .world()
            .kill_pod(namespace, &names[1], Kill::Exit { code: 9 })?;
        until(&pods, &names[1], "restarted", |pod| {
            is_ready(pod) && main_container(pod).is_some_and(|c| c.restart_count == 1)
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn logs_come_through_kubectl() -> anyhow::Result<()> {
    in_namespace("logs", async |plane, namespace| {
        let pods = make_with_image(plane, namespace, "talker", "a:v1").await?;
        let pod = until(&pods, "talker", "ready", is_ready).await?;
        let address = pod
            .status
            .and_then(|status| status.pod_ip)
            .context("an address")?;
        plane
            .dataplane()
            .get(&format!("http://{address}:8080/hello"))
            .await?;
        let said = plane
            .kubectl(User::Developer, ["-n", namespace, "logs", "talker"], None)
            .await?
            .ok()?;
        ensure!(said.contains("GET /hello 200"), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn stateful_and_daemon_sets_roll_out() -> anyhow::Result<()> {
    in_namespace("sets", async |plane, namespace| {
        let template = serde_json::json!({
            "metadata": {"labels": {"app": "set"}},
            "spec": {"containers": [{"name": "main", "image": "a:v1"}]},
        });
        let selector = serde_json::json!({"matchLabels": {"app": "set"}});
        let stateful = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "stateful"},
            "spec": {"replicas": 2, "serviceName": "none", "selector": selector, "template": template},
        });
        let daemon = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "daemon"},
            "spec": {"selector": selector, "template": template},
        });
        for (what, manifest) in [("statefulset/stateful", stateful), ("daemonset/daemon", daemon)] {
            plane.kubectl(User::Developer, ["-n", namespace, "apply", "-f", "-"], Some(&manifest.to_string())).await?.ok()?;
            let wait = ["-n", namespace, "rollout", "status", what, "--timeout=30s"];
            plane.kubectl(User::Developer, wait, None).await?.ok()?;
        }
        Ok(())
    })
    .await
}
