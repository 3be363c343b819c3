//! Events that one program of ours reads from another. An Event is a note for people and a hint for us, never a record: it may be lost, doubled or forged,
//! and nothing is decided by it.

/// Who the webhook is in the Events it writes.
pub const WEBHOOK: &str = "sluice-webhook";
/// On a gate: it refused a release. Its probes are asked at once.
pub const RELEASE_ATTEMPTED: &str = "ReleaseAttempted";
