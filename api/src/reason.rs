//! Typed reasons. Programs match on these words; conditions, events and metric labels use the same ones. The texts beside them are for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a gate is not open.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum GateReason {
    /// A probe says Fail.
    ProbeFailing,
    /// A probe has not proved anything yet, or its prober could not tell.
    ProbeUnknown,
    /// The last proof is older than `maxAge` or than the probe's own schedule allows.
    ProbeStale,
    /// A probe that the gate names does not exist, or its selector matches none.
    ProbeMissing,
    /// A probe that the gate names cannot work (`Accepted=False`).
    ProbeNotAccepted,
    /// The gate itself cannot work (`Accepted=False`).
    NotAccepted,
    /// No probe engine has judged this generation of the gate yet.
    NotYetJudged,
    /// The probe engine's heartbeat stopped: what was written last is no proof any more.
    HeartbeatStale,
}

/// What a release waits for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum WaitReason {
    /// A gate of the component is not open.
    GateNotOpen,
    /// A probe of the release has not passed since the batch became ready.
    ProbeNotPassed,
    /// New pods are missing or not ready.
    PodsNotReady,
    /// Pods are not created: a quota, an admission webhook or a missing account refuses them.
    PodsRefused,
    /// Old pods are still there.
    OldPodsRemain,
    /// The Deployment controller has not seen the last change yet.
    GenerationNotObserved,
    /// The batch is watched for its bake time.
    Baking,
    /// The finished release is watched for `after.watch`.
    Watching,
    /// A human paused the rollout.
    PausedByUser,
    /// The plan was deleted or cannot work: the batch is held.
    PlanMissing,
    /// A failure with `onFailure: Pause`: a human must abort or retry.
    HumanNeeded,
    /// The stable version is coming back.
    RollbackRunning,
    /// The stable version is back and is being proved healthy.
    RollbackUnverified,
}

/// Why a release was aborted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum AbortReason {
    /// A probe of the release failed.
    ProbeFailed,
    /// The batch did not get its pods running and ready in time.
    ProgressDeadlineExceeded,
    /// The way back was refused by the API server in its rehearsal before the first batch.
    NoWayBack,
    /// A human asked for it on the Release.
    Requested,
    /// A human put the stable template back.
    TemplateReverted,
}

/// Why a release is refused at admission.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum RefusalReason {
    /// A gate with `whenClosed: Deny` is not open.
    GateNotOpen,
    /// This very template was rolled back before.
    TemplateDenied,
    /// A rollback did not help: the component is locked until a human retries or the stable template itself changes.
    Locked,
    /// A hold that may last is refused over an unfinished native rollout, because scaling would grow the unfinished version.
    UnfinishedRollout,
    /// The template changed without the hold that the mutating webhook sets, so batches could not be kept.
    NotHeld,
    /// Annotations that only Sluice writes were changed.
    StateChanged,
    /// A guarded workload gets a controller as owner: from then on its releases are its owner's business. Warned of, never refused.
    BecomesOwned,
}

impl AbortReason {
    /// Whether it speaks against the template that was released.
    #[must_use]
    pub const fn blames_template(self) -> bool {
        !matches!(self, Self::TemplateReverted | Self::NoWayBack)
    }
}

/// Defines the text form of a reason: the word itself.
macro_rules! words {
    ($($kind:ty),*) => {$(
        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self:?}")
            }
        }
    )*};
}
words!(GateReason, WaitReason, AbortReason, RefusalReason);
