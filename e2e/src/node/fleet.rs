//! The Nodes: registered ready, kept alive by Leases as a kubelet does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{
    DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus,
    NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::status::time;

/// All nodes live here: the API server reaches the kubelet's port on it.
pub(super) const NODE_ADDRESS: &str = "127.0.0.1";

const RENEW_EVERY: Duration = Duration::from_secs(10);
const LEASE_SECONDS: i32 = 40;
/// A kubelet posts an unchanged status every five minutes.
const RENEWALS_PER_STATUS: u32 = 30;

#[derive(Clone)]
pub(super) struct Fleet {
    client: Client,
    kubelet_port: u16,
    count: Arc<AtomicUsize>,
    names: Arc<Mutex<Vec<String>>>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Fleet {
    pub(super) fn new(client: Client, kubelet_port: u16) -> Self {
        Self {
            client,
            kubelet_port,
            count: Arc::default(),
            names: Arc::default(),
        }
    }

    /// Registers `count` further nodes, each with its Lease; returns their names.
    pub(super) async fn register(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let first = self.count.fetch_add(count, Ordering::SeqCst);
        let nodes = (first..first + count).map(|index| async move {
            let name = format!("node-{:02}", index + 1);
            self.create(&name, index)
                .await
                .with_context(|| format!("cannot register {name}"))?;
            anyhow::Ok(name)
        });
        let names = futures::future::try_join_all(nodes).await?;
        self.names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(names.iter().cloned());
        Ok(names)
    }

    async fn create(&self, name: &str, index: usize) -> anyhow::Result<()> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let zone = format!("zone-{}", ["a", "b", "c"][index % 3]);
        let labels = [
            ("kubernetes.io/hostname", name),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
            ("topology.kubernetes.io/region", "test"),
            ("topology.kubernetes.io/zone", &zone),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let node = Node {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(labels.into()),
                ..ObjectMeta::default()
            },
            spec: Some(NodeSpec {
                provider_id: Some(format!("fake://{name}")),
                ..NodeSpec::default()
            }),
            status: Some(self.status(name)),
        };
        let created = nodes.create(&PostParams::default(), &node).await?;
        let owner = OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            name: name.to_owned(),
            uid: created.metadata.uid.unwrap_or_default(),
            ..OwnerReference::default()
        };
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some("kube-node-lease".to_owned()),
                owner_references: Some(vec![owner]),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(name.to_owned()),
                lease_duration_seconds: Some(LEASE_SECONDS),
                renew_time: Some(MicroTime(Timestamp::now())),
                ..LeaseSpec::default()
            }),
        };
        // the API server makes this namespace a moment after it is ready
        crate::plane::wait_for("the namespace kube-node-lease", || async {
            match self.leases().create(&PostParams::default(), &lease).await {
                Ok(_) => Ok(Some(())),
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Renews all Leases, and now and then the status, for as long as the plane lives.
    pub(super) async fn renew(self) {
        let mut timer = tokio::time::interval(RENEW_EVERY);
        let mut round = 0_u32;
        loop {
            timer.tick().await;
            round = round.wrapping_add(1);
            let names = self
                .names
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let renewals = names
                .iter()
                .map(|name| self.renew_one(name, round.is_multiple_of(RENEWALS_PER_STATUS)));
            for (name, outcome) in names.iter().zip(futures::future::join_all(renewals).await) {
                if let Err(error) = outcome {
                    tracing::debug!(node = %name, %error, "heartbeat failed, again in 10 s");
                }
            }
        }
    }

    async fn renew_one(&self, name: &str, with_status: bool) -> kube::Result<()> {
        let renewal = json!({"spec": {"renewTime": MicroTime(Timestamp::now())}});
        self.leases()
            .patch(name, &PatchParams::default(), &Patch::Merge(renewal))
            .await?;
        if with_status {
            let nodes: Api<Node> = Api::all(self.client.clone());
            let status = json!({"status": {"conditions": conditions()}});
            nodes
                .patch_status(name, &PatchParams::default(), &Patch::Strategic(status))
                .await?;
        }
        Ok(())
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), "kube-node-lease")
    }

    fn status(&self, name: &str) -> NodeStatus {
        let resources = [
            ("cpu", "16"),
            ("memory", "64Gi"),
            ("pods", "250"),
            ("ephemeral-storage", "100Gi"),
        ];
        let resources: BTreeMap<String, Quantity> = resources
            .into_iter()
            .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
            .collect();
        let address = |type_: &str, address: &str| NodeAddress {
            type_: type_.to_owned(),
            address: address.to_owned(),
        };
        NodeStatus {
            capacity: Some(resources.clone()),
            allocatable: Some(resources),
            addresses: Some(vec![
                address("InternalIP", NODE_ADDRESS),
                address("Hostname", name),
            ]),
            conditions: Some(conditions()),
            daemon_endpoints: Some(NodeDaemonEndpoints {
                kubelet_endpoint: Some(DaemonEndpoint {
                    port: i32::from(self.kubelet_port),
                }),
            }),
            node_info: Some(NodeSystemInfo {
                kubelet_version: "v1.36.3".to_owned(),
                container_runtime_version: "fake://1".to_owned(),
                operating_system: "linux".to_owned(),
                architecture: "amd64".to_owned(),
                os_image: "none".to_owned(),
                ..NodeSystemInfo::default()
            }),
            ..NodeStatus::default()
        }
    }
}

fn conditions() -> Vec<NodeCondition> {
    let now = time(Timestamp::now());
    let condition = |type_: &str, status: &str, reason: &str| NodeCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        last_heartbeat_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
        ..NodeCondition::default()
    };
    vec![
        condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID"),
        condition("Ready", "True", "KubeletReady"),
    ]
}
