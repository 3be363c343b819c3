//! The fake kubelet: one for all nodes of a plane.
//!
//! It registers Nodes, renews their Leases, and plays every pod that is bound to a node: address, start, readiness,
//! crash, end and graceful termination, as its [`behaviour`] says. What a request to a pod gets is the data plane's
//! business; both share the table in [`world`]. Its only I/O is the API server, and a port for `kubectl logs`.

pub mod behaviour;
mod container;
mod fleet;
pub mod live;
mod logs;
mod notices;
mod pod;
mod status;
pub mod world;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};

use fleet::Fleet;
use live::LivePod;
use pod::Player;
pub use world::World;

/// A handle to the running kubelet; its tasks live on the runtime that started it.
#[derive(Clone, Debug)]
pub struct Kubelet {
    fleet: Fleet,
}

impl Kubelet {
    /// Starts watching pods and serving logs; there are no nodes yet.
    ///
    /// # Errors
    /// When no port is free or the certificate cannot be read.
    pub(crate) async fn start(
        client: Client,
        world: World,
        certificate: &Path,
        key: &Path,
    ) -> anyhow::Result<Self> {
        let port = logs::serve(world.clone(), certificate, key).await?;
        let fleet = Fleet::new(client.clone(), port);
        tokio::spawn(fleet.clone().renew());
        tokio::spawn(watch_pods(client, world));
        Ok(Self { fleet })
    }

    /// Registers further nodes; must run on the plane's runtime.
    pub(crate) async fn register(&self, count: usize) -> anyhow::Result<Vec<String>> {
        self.fleet.register(count).await
    }
}

async fn watch_pods(client: Client, world: World) {
    let mut seen: HashMap<String, (watch::Sender<Arc<Pod>>, Arc<LivePod>)> = HashMap::new();
    let mut listed: Vec<String> = Vec::new();
    let bound = watcher::Config::default().fields("spec.nodeName!=");
    let mut events = watcher(Api::<Pod>::all(client.clone()), bound)
        .default_backoff()
        .boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(pod)) => observe(&client, &world, &mut seen, pod),
            Ok(watcher::Event::Delete(pod)) => {
                // dropping the sender ends the pod's task
                seen.remove(pod.metadata.uid.as_deref().unwrap_or_default());
            }
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(pod)) => {
                listed.extend(pod.metadata.uid.clone());
                observe(&client, &world, &mut seen, pod);
            }
            Ok(watcher::Event::InitDone) => {
                let still: std::collections::HashSet<String> = listed.drain(..).collect();
                seen.retain(|uid, _| still.contains(uid));
            }
            // expected while the API server is down: the watch goes on when it is back
            Err(error) => tracing::debug!(%error, "watch of pods broke"),
        }
    }
}

fn observe(
    client: &Client,
    world: &World,
    seen: &mut HashMap<String, (watch::Sender<Arc<Pod>>, Arc<LivePod>)>,
    pod: Pod,
) {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let pod = Arc::new(pod);
    if let Some((object, live)) = seen.get(&uid) {
        if live.annotate(&pod) {
            world.announce();
        }
        object.send_replace(pod);
        return;
    }
    let (order, orders) = mpsc::unbounded_channel();
    let live = match world.admit(|address| LivePod::new(&pod, address, order)) {
        Ok(live) => live,
        Err(error) => {
            tracing::warn!(%error, "a pod gets no address and stays Pending");
            return;
        }
    };
    let (object, updates) = watch::channel(pod);
    seen.insert(uid, (object, Arc::clone(&live)));
    let player = Player {
        client: client.clone(),
        world: world.clone(),
        live: Arc::clone(&live),
        object: updates,
        orders,
    };
    let world = world.clone();
    tokio::spawn(async move {
        player.play().await;
        live.stop_serving();
        world.forget(&live);
    });
}
