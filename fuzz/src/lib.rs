//! Texts that nobody would write, given to everything that reads what somebody else wrote: quantities, schedules, expressions, policy files, manifests and
//! the bodies of admission reviews.
//!
//! Decides: how cases are made ([`mutation`]), what has to hold for each ([`targets`]), and what a case may cost ([`measure`]). Leaves everything that is
//! judged to the crates that judge it: a target calls what the webhook or the command line calls, and no other door.
//!
//! A case is broken when it panics, takes more than a second of processor time or more memory than its target allows, or when a promise of the target does
//! not hold. Cases that were answered as none before them are mutated again, so a run finds its way deeper without a compiler's help.
//!
//! ```text
//!   documents of rules, verdicts, tables ──seeds──▶ mutation ──case──▶ target ──▶ product
//!   fuzz/corpus, fuzz/regressions ──────────────────▲    ▲                │ Seen: a fingerprint of the answer
//!                                                        └──new answer────┘ Broken: the case is written to a file
//! ```
//!
//! Invariants: the same seed makes the same cases; processor time is measured, never the clock, so a busy machine breaks nothing.

pub mod corpus;
pub mod measure;
pub mod mutation;
pub mod random;
pub mod run;
pub mod target;
pub mod targets;
pub mod under_way;
