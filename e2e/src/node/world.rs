//! The switches of the fake world, for test code: how pods act from now on, which one dies, what traffic there is.
//!
//! It also is the table of running pods that the kubelet writes and the data plane reads.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::Context;
use tokio::sync::watch;

use super::behaviour::Behaviour;
use super::live::{LivePod, Order};

/// Which pods a switch is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Containers of exactly this image.
    Image(String),
    Pod {
        namespace: String,
        name: String,
    },
    Label {
        namespace: String,
        key: String,
        value: String,
    },
    Namespace(String),
}

/// How test code ends a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kill {
    /// The pod becomes Failed with this reason, as after an eviction; its owner replaces it.
    Failed { reason: String },
    /// Its containers exit with this code and are restarted as the restart policy says.
    Exit { code: i32 },
}

/// Cheap to clone; all clones are the same world.
#[derive(Clone, Debug, Default)]
pub struct World(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    switches: Mutex<Vec<(Selector, Behaviour)>>,
    changed: watch::Sender<()>,
    pods: RwLock<Pods>,
}

#[derive(Debug, Default)]
struct Pods {
    by_address: HashMap<Ipv4Addr, Arc<LivePod>>,
    next_address: u16,
}

impl World {
    /// From now on, pods that match act like this, whatever their tag and annotations say; running ones change at once.
    /// When several selectors match, the one set last wins.
    pub fn set_behaviour(&self, selector: Selector, behaviour: Behaviour) {
        let mut switches = self.switches();
        switches.retain(|(existing, _)| *existing != selector);
        switches.push((selector, behaviour));
        drop(switches);
        self.0.changed.send_replace(());
    }

    /// Takes a switch back: tag and annotations hold again.
    pub fn clear_behaviour(&self, selector: &Selector) {
        self.switches().retain(|(existing, _)| existing != selector);
        self.0.changed.send_replace(());
    }

    /// Ends a pod without deleting it.
    ///
    /// # Errors
    /// When no such pod runs on the fake nodes.
    pub fn kill_pod(&self, namespace: &str, name: &str, how: Kill) -> anyhow::Result<()> {
        let pod = self
            .pod(namespace, name)
            .with_context(|| format!("no pod {namespace}/{name} on the fake nodes"))?;
        pod.order(Order::Kill(how));
        Ok(())
    }

    /// The pod as it runs, or None when no fake node has it.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<Arc<LivePod>> {
        let pods = self.0.pods.read().unwrap_or_else(PoisonError::into_inner);
        pods.by_address
            .values()
            .find(|pod| pod.namespace == namespace && pod.name == name)
            .cloned()
    }

    /// The pod that has this address.
    pub fn pod_at(&self, address: Ipv4Addr) -> Option<Arc<LivePod>> {
        let pods = self.0.pods.read().unwrap_or_else(PoisonError::into_inner);
        pods.by_address.get(&address).cloned()
    }

    /// Every pod on the fake nodes, terminating ones too, in no order.
    pub fn pods(&self) -> Vec<Arc<LivePod>> {
        let pods = self.0.pods.read().unwrap_or_else(PoisonError::into_inner);
        pods.by_address.values().cloned().collect()
    }

    /// Running containers look at their behaviour again.
    pub(super) fn announce(&self) {
        self.0.changed.send_replace(());
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// How a container of `pod` with `image` acts now.
    pub(super) fn behaviour(&self, pod: &LivePod, image: &str) -> Behaviour {
        let matches = |selector: &Selector| match selector {
            Selector::Image(wanted) => wanted == image,
            Selector::Pod { namespace, name } => *namespace == pod.namespace && *name == pod.name,
            Selector::Label {
                namespace,
                key,
                value,
            } => *namespace == pod.namespace && pod.labels.get(key) == Some(value),
            Selector::Namespace(namespace) => *namespace == pod.namespace,
        };
        let switched = self
            .switches()
            .iter()
            .rev()
            .find(|(selector, _)| matches(selector))
            .map(|(_, b)| b.clone());
        switched.unwrap_or_else(|| Behaviour::of(image, &pod.annotations()))
    }

    /// Gives the pod a free address of 10.244.0.0/16 and lists it.
    pub(super) fn admit(
        &self,
        make: impl FnOnce(Ipv4Addr) -> LivePod,
    ) -> anyhow::Result<Arc<LivePod>> {
        let mut pods = self.0.pods.write().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..u16::MAX {
            pods.next_address = pods.next_address.wrapping_add(1);
            let [high, low] = pods.next_address.to_be_bytes();
            let address = Ipv4Addr::new(10, 244, high, low);
            // network, gateway and broadcast of each node's slice are not for pods
            if matches!(low, 0 | 1 | 255) || pods.by_address.contains_key(&address) {
                continue;
            }
            let pod = Arc::new(make(address));
            pods.by_address.insert(address, Arc::clone(&pod));
            return Ok(pod);
        }
        anyhow::bail!("every address of 10.244.0.0/16 is taken")
    }

    pub(super) fn forget(&self, pod: &LivePod) {
        let mut pods = self.0.pods.write().unwrap_or_else(PoisonError::into_inner);
        pods.by_address.remove(&pod.address);
    }

    fn switches(&self) -> MutexGuard<'_, Vec<(Selector, Behaviour)>> {
        self.0
            .switches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Labels and the like, never absent.
pub(super) fn map(of: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
    of.cloned().unwrap_or_default()
}
