//! One real cluster on this machine: started, used, ended.
//!
//! The control plane is that of [`crate::plane`], started inside the network namespace of a node; the node is a process tree of its own (`cluster/enter.sh`,
//! `cluster/node.sh`) with containerd, runc, kubelet, kube-proxy and every pod inside its mount, network, process, host name, IPC and cgroup namespaces.
//! Nothing of it reaches this machine's network: there is no interface and no route between the two. The API server's port is opened on this machine's
//! loopback and served inside by `sluice-e2e-relay`, which gets the listening socket handed in.
//!
//! Ready means: the API server says so, the node is Ready, cluster DNS is available, the default ServiceAccount exists.
//!
//! However the harness ends, the kernel ends the node with it, and the folder's keeper (`cluster/keeper.sh`) takes cgroups and folder away.

pub mod load;
pub mod parts;
pub mod preflight;
pub mod prometheus;
pub mod reach;
mod settings;
mod start;

use std::{
    collections::BTreeMap,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};

use crate::{
    plane::{Access, Component, ports::Port},
    process::{Launch, Process},
};

/// How a cluster is made.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// Archives that the node has from the start, beside those of `scripts/images.sh test`: nothing is ever pulled.
    pub images: Vec<PathBuf>,
    /// Appended to the API server's command line.
    pub apiserver_arguments: Vec<String>,
    /// Rules of the audit policy that come before the last one, which logs the metadata of everything.
    pub audit_rules: Vec<serde_json::Value>,
}

/// A running cluster with one node. Everything of it ends on drop; its folder is kept when a test panicked.
#[derive(Debug)]
pub struct Cluster {
    // ended before the folder into which all of them write; nothing while it is rebooted
    running: Mutex<Option<Running>>,
    launches: Launches,
    ctr: PathBuf,
    _claims: Vec<Port>,
    ready_after: Duration,
    access: Access,
}

impl Cluster {
    /// From the first process started to ready; building programs is not in it.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The processes this one started; the node's own are below the last of them.
    pub fn pids(&self) -> Vec<u32> {
        let running = self.running();
        let parts = running.iter().flat_map(|running| {
            let components = running.components.values().map(Process::pid);
            components.chain([running.relay.pid(), running.node.pid()])
        });
        parts.collect()
    }

    /// The cgroups in which everything on the node runs, one per hierarchy.
    ///
    /// # Errors
    /// When the node has not come as far as making them.
    pub fn cgroups(&self) -> anyhow::Result<Vec<PathBuf>> {
        let list = self.folder().join("cgroups");
        let text = std::fs::read_to_string(&list)
            .with_context(|| format!("cannot read {}", list.display()))?;
        Ok(text.lines().map(PathBuf::from).collect())
    }

    /// The node's network namespace, as nsenter takes it; a reboot makes a new one.
    ///
    /// # Errors
    /// When the node has not come as far as making it.
    pub fn network(&self) -> anyhow::Result<PathBuf> {
        let name = self.folder().join(NETWORK);
        std::fs::read_link(&name).with_context(|| format!("cannot read {}", name.display()))
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In the folder, a link to the node's network namespace: command lines name it, and stay the same when the node is rebooted.
const NETWORK: &str = "network-namespace";

/// How its parts are started.
#[derive(Debug)]
struct Launches {
    node: Launch,
    relay: Launch,
    components: BTreeMap<Component, Launch>,
}

/// Its parts, in the order in which they end: who talks to the node, then the node.
#[derive(Debug)]
struct Running {
    components: BTreeMap<Component, Process>,
    relay: Process,
    node: Process,
}

impl Deref for Cluster {
    type Target = Access;

    /// A cluster is, before all else, an API server and its users.
    fn deref(&self) -> &Access {
        &self.access
    }
}

/// The archives that `scripts/images.sh KIND` packed, sorted.
///
/// # Errors
/// When there are none.
pub fn images(kind: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/images")
        .join(kind);
    let missing = || {
        format!(
            "no images in {}: run `scripts/images.sh {kind}`",
            folder.display()
        )
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(missing)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tar") {
            found.push(path);
        }
    }
    if found.is_empty() {
        bail!(missing());
    }
    found.sort();
    Ok(found)
}
