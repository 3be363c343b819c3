//! The probe engine's heartbeat: the proof that what a Gate's status says is still looked after.
//!
//! A Gate's status is written on change only, so a dead engine leaves an open gate behind. Whoever reads a gate therefore also asks whether
//! the engine still beats: it renews one Lease every [`INTERVAL`], and a reader takes it as alive for [`AGE_LIMIT`] after a beat.
//!
//! The writer ([`Heartbeat`]) belongs to the probing loop itself, not to the elector: a process whose probing hangs must stop beating.
//! The reader ([`HeartbeatReader`]) is pure: Lease objects and instants in, an answer out.

mod reader;
mod writer;

use std::time::Duration;

pub use reader::HeartbeatReader;
pub use writer::{Heartbeat, HeartbeatError};

/// The Lease's name in Sluice's own namespace.
pub const LEASE_NAME: &str = "sluice-probe-engine";
/// Time between beats. Costs one request to the API server each: 0.5 a second.
pub const INTERVAL: Duration = Duration::from_secs(2);
/// How old the last beat may be: three beats may be lost.
pub const AGE_LIMIT: Duration = Duration::from_secs(8);
