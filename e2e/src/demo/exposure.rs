//! Which pods ever ran which image, from the watch of pods: never from what Sluice says of itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use tokio::task::JoinHandle;

/// Records, from the moment it is started, every pod of a namespace whose containers ever ran.
#[derive(Debug)]
pub struct Exposure {
    ran: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    task: JoinHandle<()>,
}

impl Exposure {
    /// Starts to watch.
    #[must_use]
    pub fn watch(client: Client, namespace: &str) -> Self {
        let ran = Arc::<Mutex<BTreeMap<String, BTreeSet<String>>>>::default();
        let seen = ran.clone();
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        let task = tokio::spawn(async move {
            let stream = watcher(pods, watcher::Config::default())
                .default_backoff()
                .applied_objects();
            let noted = stream.try_for_each(|pod| {
                note(&seen, &pod);
                futures::future::ready(Ok(()))
            });
            // the stream backs off and goes on by itself; it ends with the task
            let _ = noted.await;
        });
        Self { ran, task }
    }

    /// How many pods ever ran an image that ends with `tag`.
    #[must_use]
    pub fn of(&self, tag: &str) -> usize {
        let ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        ran.iter()
            .filter(|(image, _)| image.ends_with(tag))
            .map(|(_, pods)| pods.len())
            .sum()
    }
}

fn note(seen: &Mutex<BTreeMap<String, BTreeSet<String>>>, pod: &Pod) {
    let running = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        == Some("Running");
    if let (true, Some(spec)) = (running, pod.spec.as_ref()) {
        for container in &spec.containers {
            let image = container.image.clone().unwrap_or_default();
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry(image)
                .or_default()
                .insert(pod.uid().unwrap_or_default());
        }
    }
}

impl Drop for Exposure {
    fn drop(&mut self) {
        self.task.abort();
    }
}
