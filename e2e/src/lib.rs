//! The test control planes. [`Plane`]: real etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and Prometheus,
//! with fake nodes whose pods answer real HTTP: for speed, scale and chaos. [`Cluster`]: the same with a real node, so with containers, Services and
//! DNS: what a user runs.
//!
//! What it decides: how the programs are built and started, who may do what on them, how a pod of a given behaviour
//! acts, how an address inside the cluster is reached. What it leaves to others: everything about Sluice. Nothing here
//! names a Sluice kind, and nothing in Sluice can tell that the nodes are fake: it gets an API server and, for its
//! probes, an ordinary HTTP proxy.
//!
//! ```text
//!   Plane ── process (every child dies with us) ── etcd, apiserver, controller-manager, scheduler, prometheus
//!     ├── node       fake kubelet: Nodes, Leases, pod status          ── as system:node:fake
//!     ├── dataplane  forward proxy, Services, metrics, traffic        ── as system:kube-proxy
//!     └── world      switches for tests: behaviour, kill, traffic
//!   Cluster ── the same control plane inside the node's network namespace; containerd, kubelet, kube-proxy, pods inside all of the node's
//! ```
//!
//! Invariants: a plane owns its folder, ports and processes; nothing is shared between two planes; a process that a
//! plane started never outlives the test process, whatever way that one ends. This crate only serves tests and the
//! demo, its errors are read by people: `anyhow` throughout.

pub mod audit;
pub mod bench;
pub mod cluster;
pub mod dataplane;
pub mod demo;
pub mod fetch;
pub mod helm;
pub mod installation;
pub mod interception;
pub mod node;
pub mod plane;
pub mod process;
pub mod programs;
pub mod prometheus;
pub mod rights;
pub mod scenario;
pub mod shared;
pub mod verifier;

pub use audit::{AuditEntry, AuditLog};
pub use cluster::{Cluster, ClusterOptions};
pub use node::behaviour::Behaviour;
pub use node::world::{Kill, Selector, World};
pub use plane::users::User;
pub use plane::{Component, Plane, PlaneOptions};
pub use shared::{
    Installed, in_namespace, installed_cluster, installed_plane, shared_cluster, shared_plane,
};
