//! A pod as it runs on a fake node: what the data plane needs to answer for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::mpsc;

use super::behaviour::Behaviour;
use super::world::{Kill, map};

/// Told to the task that plays the pod.
#[derive(Debug)]
pub(super) enum Order {
    Kill(Kill),
}

/// What a request meets.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Something listens: the first container runs.
    pub up: bool,
    pub ready: bool,
    /// Answers 500 to everything.
    pub failing: bool,
    pub since: Timestamp,
    pub behaviour: Behaviour,
}

#[derive(Debug)]
pub struct LivePod {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub node: String,
    pub address: Ipv4Addr,
    /// Of the first container, which is the one that answers.
    pub image: String,
    /// The names of its containers.
    pub containers: Vec<String>,
    pub labels: BTreeMap<String, String>,
    annotations: RwLock<BTreeMap<String, String>>,
    /// The ports that listen: what the containers declare, or 8080.
    pub ports: BTreeSet<u16>,
    serving: RwLock<Serving>,
    counts: Mutex<BTreeMap<u16, u64>>,
    log: Mutex<VecDeque<String>>,
    orders: mpsc::UnboundedSender<Order>,
}

/// Lines kept per pod.
const LOG_LINES: usize = 1000;

impl LivePod {
    /// The pod's annotations as they are now.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.annotations
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes over the annotations of a newer version of the object; answers whether they differ.
    pub(super) fn annotate(&self, pod: &Pod) -> bool {
        let new = map(pod.metadata.annotations.as_ref());
        let mut old = self
            .annotations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let differ = *old != new;
        *old = new;
        differ
    }

    pub(super) fn new(pod: &Pod, address: Ipv4Addr, orders: mpsc::UnboundedSender<Order>) -> Self {
        let spec = pod.spec.clone().unwrap_or_default();
        let declared = spec
            .containers
            .iter()
            .flat_map(|container| container.ports.iter().flatten());
        let containers = (spec.containers.iter()).map(|one| one.name.clone());
        let containers = containers.collect();
        let mut ports: BTreeSet<u16> = declared
            .filter_map(|port| u16::try_from(port.container_port).ok())
            .collect();
        if ports.is_empty() {
            ports.insert(8080);
        }
        Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            node: spec.node_name.unwrap_or_default(),
            address,
            image: spec
                .containers
                .first()
                .and_then(|container| container.image.clone())
                .unwrap_or_default(),
            containers,
            labels: map(pod.metadata.labels.as_ref()),
            annotations: RwLock::new(map(pod.metadata.annotations.as_ref())),
            ports,
            serving: RwLock::new(Serving {
                up: false,
                ready: false,
                failing: false,
                since: Timestamp::UNIX_EPOCH,
                behaviour: Behaviour::default(),
            }),
            counts: Mutex::new(BTreeMap::new()),
            log: Mutex::new(VecDeque::new()),
            orders,
        }
    }

    /// The revision's hash, empty when the pod has none.
    pub fn template_hash(&self) -> &str {
        let label = |key| self.labels.get(key).map(String::as_str);
        label("pod-template-hash")
            .or_else(|| label("controller-revision-hash"))
            .unwrap_or_default()
    }

    pub fn serving(&self) -> Serving {
        self.serving
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn serve(&self, serving: Serving) {
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = serving;
    }

    pub(super) fn stop_serving(&self) {
        let mut serving = self.serving.write().unwrap_or_else(PoisonError::into_inner);
        serving.up = false;
        serving.ready = false;
    }

    /// Requests answered so far, by code.
    pub fn counts(&self) -> BTreeMap<u16, u64> {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn count(&self, code: u16) {
        *self
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(code)
            .or_default() += 1;
    }

    /// Its log, oldest line first.
    pub fn log_lines(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    pub(crate) fn log(&self, line: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        log.push_back(format!("{} {line}", Timestamp::now()));
    }

    pub(super) fn order(&self, order: Order) {
        // a pod whose task has ended is as good as killed
        let _ = self.orders.send(order);
    }
}
