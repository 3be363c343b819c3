//! The Events a kubelet posts about containers that do not run.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use super::container::Notice;
use super::live::LivePod;
use super::status::time;

pub(super) async fn post(client: &Client, pod: &LivePod, notice: &Notice) -> kube::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (reason, message) = match notice {
        Notice::BackOff => (
            "BackOff",
            format!(
                "Back-off restarting failed container in pod {}_{}",
                pod.name, pod.namespace
            ),
        ),
        Notice::PullFailed(why) => (
            "Failed",
            format!("Failed to pull image \"{}\": {why}", pod.image),
        ),
        Notice::PullBackOff => (
            "BackOff",
            format!("Back-off pulling image \"{}\"", pod.image),
        ),
    };
    let now = Timestamp::now();
    let name = format!(
        "{}.{:x}.{:x}",
        pod.name,
        now.as_nanosecond(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let event = Event {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(pod.namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(pod.namespace.clone()),
            name: Some(pod.name.clone()),
            uid: Some(pod.uid.clone()),
            ..ObjectReference::default()
        },
        type_: Some("Warning".to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message),
        source: Some(EventSource {
            component: Some("kubelet".to_owned()),
            host: Some(pod.node.clone()),
        }),
        first_timestamp: Some(time(now)),
        last_timestamp: Some(time(now)),
        count: Some(1),
        ..Event::default()
    };
    let events: Api<Event> = Api::namespaced(client.clone(), &pod.namespace);
    events
        .create(&PostParams::default(), &event)
        .await
        .map(drop)
}
