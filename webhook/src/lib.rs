//! The admission webhooks: one mutating, which holds releases, and validating ones, which refuse.
//!
//! Decides: how reviews come in and go out ([`http`], [`envelope`]), what is kept in memory of the cluster ([`index`]), and which functions judge which
//! request ([`mod@judge`]); which policies of a folder judge beside those of the cluster ([`folder`]); what is noted of a release that was refused ([`attempts`]). Leaves to others: what is wrong with a manifest (`sluice-policies`), what a release may do (`sluice-planner`), which requests
//! are sent here at all (`sluice_api::admission_table`).
//!
//! Invariants:
//! - no API call in the request path: every answer comes from memory;
//! - no answer before every cache is complete and a certificate is loaded;
//! - a panic, a malformed body or an oversized one harms that request only;
//! - the mutating webhook never refuses, the validating ones never change anything.
//!
//! I/O is in [`index::feed`] (watches), [`folder::follow`] (files), [`attempts`] and [`folder::tell`] (Events), [`enforced`] (what this replica says of itself), [`run`] (start and
//! end) and the server of `sluice-runtime`.
//!
//! ```text
//!   API server ──review──▶ http ──▶ envelope ──▶ judge ──▶ policies, planner, probes::validate
//!                                                  ▲ reads
//!   API server ──watches─▶ index::feed ──▶ index ──┘
//! ```

pub mod admin;
pub mod attempts;
pub mod enforced;
pub mod envelope;
#[cfg(test)]
mod fixtures;
pub mod folder;
pub mod http;
pub mod index;
pub mod judge;
pub mod metrics;
pub mod rings;
pub mod run;
pub mod vitals;

pub use run::{Args, run};
