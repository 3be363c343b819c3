//! `make bench`: what Sluice costs, measured on a real control plane and held against its bars.
//!
//! | part | what is measured |
//! |---|---|
//! | [`admission`] | CPU and rate of reviews, next to a bare server that reads the same bytes over the same TLS with the same allocator, parses and answers |
//! | [`rest`] | memory with many objects, and what a resting cluster of governed Deployments costs |
//! | [`aborts`] | from a failing verdict to the stored decision and to the written rollback |
//! | [`pods`] | the installed pods on the real cluster, by their cgroups, and a webhook that is killed: `make bench-cluster` |
//!
//! Admission and the bare server run in the same run on the same machine, so there the ratio counts more than the single figure.
//! CPU and memory are what the kernel accounted to a program's process, requests are what the API server's audit log says: nothing is self-reported.

pub mod aborts;
pub mod admission;
pub mod bare;
pub mod load;
pub mod machine;
pub mod objects;
pub mod pods;
pub mod process_cost;
pub mod report;
pub mod rest;
pub mod reviews;
