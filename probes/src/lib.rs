//! The probe engine: runs checks of reality on a schedule and says, at any moment, what is proved: `Pass`, `Fail` or `Unknown`.
//!
//! Decides: what one sample saw ([`outcome`]), what a row of samples proves ([`tally`]), whether that is still fresh ([`answer`]), and whether a probe can
//! work at all ([`validate()`]). Leaves to others: which probes exist, which pods they ask, and what follows from a verdict.
//!
//! Invariants:
//! - Only samples that saw the target count. Whatever goes wrong on the prober's own side (overload, a late start, its proxy, its resolver, its sockets, a
//!   silent Prometheus) is `Unknown`: never a fail, never a pass.
//! - A verdict older than its own schedule allows is `Unknown`, judged when it is asked for, so a stopped process leaves no stale pass behind.
//! - Unchanged runs are not disturbed by [`Engine::apply`]; a changed run starts again from `Unknown`.
//!
//! I/O is in `sample` only; [`mod@validate`], [`condition`], [`query`], [`allow_list`] and [`tally`] are pure and may be used by programs that never probe.
//!
//! ```text
//! apply(desired runs) ─► targets, each with a phase of its own ─► due ─► sample (bounded in flight) ─► tally ─► answer
//!                                                                                              changed verdict ─► changes
//! ```

pub mod allow_list;
pub mod answer;
pub mod condition;
pub mod engine;
pub mod moment;
pub mod outcome;
pub mod query;
pub mod run;
mod sample;
pub mod tally;
pub mod validate;

pub use allow_list::TargetAllowList;
pub use answer::{Answer, Evidence};
pub use engine::{
    BearerToken, Counts, Engine, EngineError, EngineOptions, EngineTask, PrometheusSource, Pulse,
};
pub use outcome::{Blindness, Outcome};
pub use run::{Check, DesiredRuns, PodTarget, Run, RunId, Targets};
pub use sample::{PrometheusServer, Series};
pub use validate::{ProbeProblem, TargetRules, validate};
