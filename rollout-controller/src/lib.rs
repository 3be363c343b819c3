//! `sluice-controller`: runs probes, judges gates, steps releases of Deployments, undoes them and proves the undoing.
//!
//! Decides nothing about releases itself: the planner does, from what is gathered here. One pass over one Deployment:
//!
//! ```text
//! watches ─► cache ─► queue ─► gather ─► planner::release::next ─► execute ─► report
//!               │                 ▲                                  (status first, then the one write)
//!               └► probing ─► probe engine ─► verdicts ─► gates, heartbeat
//! ```
//!
//! Invariants:
//! - Level-triggered: events only wake; every pass recomputes from live objects, so a crash between any two writes is recomputed.
//! - Only the holder of the lease writes, and asks right before every write whether it still is. Every write names what it was computed from.
//! - The decision to undo is stored before it is carried out.
//! - The heartbeat of the probe engine is beaten by what it proves (sampling, judging and storing), never by the lease.
//!
//! I/O: [`cache::watching`], [`execute`], [`report`], [`gather`] (what the tables do not hold), [`probing::pulse`], [`publish`]. Everything else is pure or
//! works on memory.

pub mod cache;
mod choice;
pub mod clock;
pub mod exceptions;
pub mod execute;
pub mod found;
pub mod gather;
pub mod history;
pub mod metrics;
pub mod ownership;
pub mod probing;
pub mod publish;
pub mod queue;
pub mod reconcile;
pub mod report;
mod run;
pub mod takeover;
pub mod validate;
pub mod wake;

pub use run::{Args, run};
