//! The task that plays one pod, from bound to deleted.
//!
//! It looks at the pod as the API has it, at the switches of the world and at the clock, moves its containers, tells the
//! data plane first and the API second, and sleeps until something can change.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::behaviour::Behaviour;
use super::container::{Container, Notice, RestartPolicy, later};
use super::live::{LivePod, Order, Serving};
use super::notices;
use super::status::Picture;
use super::world::{Kill, World};

pub(super) struct Player {
    pub(super) client: Client,
    pub(super) world: World,
    pub(super) live: Arc<LivePod>,
    /// The pod as the API has it; closed when it is gone.
    pub(super) object: watch::Receiver<Arc<Pod>>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
}

/// A write that failed for a reason that may pass is tried again after this.
const RETRY: Duration = Duration::from_millis(200);

impl Player {
    /// Plays the pod until it is gone from the API.
    pub(super) async fn play(mut self) {
        let pod = Arc::clone(&self.object.borrow_and_update());
        let policy = restart_policy(&pod);
        let started = Timestamp::now();
        let mut changes = self.world.changes();
        let mut containers = containers(&pod, started);
        let mut failed: Option<String> = None;
        let mut stop_at: Option<Timestamp> = None;
        let mut written: Option<PodStatus> = None;

        loop {
            let now = Timestamp::now();
            let pod = Arc::clone(&self.object.borrow_and_update());
            changes.borrow_and_update();
            let mut heard = Vec::new();
            let mut wake: Option<Timestamp> = None;
            for (container, behaviour) in &mut containers {
                *behaviour = self.world.behaviour(&self.live, &container.image);
                if failed.is_none() {
                    let restarts = container.restarts;
                    let next = container.advance(now, behaviour, policy, &mut heard);
                    wake = wake.into_iter().chain(next).min();
                    if container.restarts > restarts {
                        self.live.log(&format!("{} started again", container.name));
                    }
                }
            }
            let ended = {
                let picture = self.picture(&pod, started, now, &containers, failed.as_deref());
                self.serve(&picture);
                matches!(picture.phase(), "Failed" | "Succeeded")
            };

            if pod.metadata.deletion_timestamp.is_some() {
                let grace = pod
                    .metadata
                    .deletion_grace_period_seconds
                    .and_then(|s| u64::try_from(s).ok())
                    .unwrap_or(30);
                let delay = containers
                    .iter()
                    .map(|(_, behaviour)| behaviour.stop_delay)
                    .max()
                    .unwrap_or_default();
                let at = *stop_at.get_or_insert(later(now, delay.min(Duration::from_secs(grace))));
                if ended || now >= at {
                    self.live.stop_serving();
                    if !ended {
                        let code = if policy == RestartPolicy::Always {
                            0
                        } else {
                            143
                        };
                        for (container, _) in &mut containers {
                            container.end(code, false, now, RestartPolicy::Never);
                        }
                        let last = self
                            .picture(&pod, started, now, &containers, failed.as_deref())
                            .status(written.as_ref());
                        // only for watchers that look at how it ended; the deletion below is what counts
                        let _ = self.write(&last).await;
                    }
                    self.delete(&pod).await;
                    return;
                }
                wake = Some(wake.map_or(at, |wake| wake.min(at)));
            }

            let status = self
                .picture(&pod, started, now, &containers, failed.as_deref())
                .status(written.as_ref());
            if written.as_ref() != Some(&status) {
                match self.write(&status).await {
                    Ok(()) => written = Some(status),
                    Err(kube::Error::Api(status)) if status.code == 404 => return,
                    Err(error) => {
                        tracing::debug!(pod = %self.live.name, %error, "status not written, again soon");
                        let again = later(now, RETRY);
                        wake = Some(wake.map_or(again, |wake| wake.min(again)));
                    }
                }
            }
            self.report(&heard).await;

            let sleep = async {
                match wake {
                    Some(at) => {
                        tokio::time::sleep(
                            Duration::try_from(at - Timestamp::now()).unwrap_or_default(),
                        )
                        .await
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.object.changed() => if changed.is_err() { return },
                Ok(()) = changes.changed() => {}
                Some(Order::Kill(how)) = self.orders.recv() => match how {
                    Kill::Failed { reason } => failed = Some(reason),
                    Kill::Exit { code } => {
                        for (container, _) in &mut containers {
                            container.end(code, false, Timestamp::now(), policy);
                        }
                    }
                },
                () = sleep => {}
            }
        }
    }

    fn picture<'a>(
        &self,
        pod: &'a Pod,
        started: Timestamp,
        now: Timestamp,
        containers: &'a [(Container, Behaviour)],
        failed: Option<&'a str>,
    ) -> Picture<'a> {
        Picture {
            pod,
            address: self.live.address.to_string(),
            started,
            now,
            containers,
            failed,
        }
    }

    fn serve(&self, picture: &Picture<'_>) {
        let Some((first, behaviour)) = picture.containers.first() else {
            return;
        };
        let since = if picture.failed.is_some() {
            None
        } else {
            first.running_since()
        };
        let was = self.live.serving();
        if since.is_some() != was.up {
            self.live.log(if since.is_some() {
                "listening"
            } else {
                "no longer listening"
            });
        }
        self.live.serve(Serving {
            up: since.is_some(),
            ready: picture.is_ready(),
            failing: first.is_failing(picture.now, behaviour),
            since: since.unwrap_or(Timestamp::UNIX_EPOCH),
            behaviour: behaviour.clone(),
        });
    }

    async fn write(&self, status: &PodStatus) -> kube::Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.live.namespace);
        // the uid makes the write fail on a namesake that came after this pod
        let mut patch = json!({"metadata": {"uid": self.live.uid}, "status": status});
        // a merge keeps what is not named; these come and go
        for container in patch
            .pointer_mut("/status/containerStatuses")
            .and_then(|list| list.as_array_mut())
            .into_iter()
            .flatten()
        {
            if let Some(fields) = container.as_object_mut() {
                fields.entry("lastState").or_insert_with(|| json!({}));
            }
        }
        pods.patch_status(
            &self.live.name,
            &PatchParams::default(),
            &Patch::Strategic(patch),
        )
        .await
        .map(drop)
    }

    async fn delete(&self, pod: &Pod) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.live.namespace);
        let preconditions = Preconditions {
            uid: pod.metadata.uid.clone(),
            resource_version: None,
        };
        let params = DeleteParams {
            preconditions: Some(preconditions),
            ..DeleteParams::default().grace_period(0)
        };
        loop {
            match pods.delete(&self.live.name, &params).await {
                Ok(_) => return,
                Err(error) if is_gone(&error) => return,
                Err(error) => {
                    tracing::debug!(pod = %self.live.name, %error, "not deleted, again soon")
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn report(&self, heard: &[Notice]) {
        for notice in heard {
            if let Err(error) = notices::post(&self.client, &self.live, notice).await {
                // as with a kubelet, Events are best effort
                tracing::debug!(pod = %self.live.name, %error, "event not posted");
            }
        }
    }
}

// for a deletion guarded by the uid, a conflict means another pod of that name
fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}

fn restart_policy(pod: &Pod) -> RestartPolicy {
    match pod
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref())
    {
        Some("Never") => RestartPolicy::Never,
        Some("OnFailure") => RestartPolicy::OnFailure,
        _ => RestartPolicy::Always,
    }
}

fn containers(pod: &Pod, now: Timestamp) -> Vec<(Container, Behaviour)> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let made = containers.map(|container| {
        let image = container.image.as_deref().unwrap_or_default();
        (
            Container::new(
                &container.name,
                image,
                container.readiness_probe.is_some(),
                now,
            ),
            Behaviour::default(),
        )
    });
    made.collect()
}
