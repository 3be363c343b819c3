//! What a reconcile pass leads to. Nothing is left to decide for whoever carries it out.

use std::time::Duration;

use serde_json::Value;
use sluice_api::release::{ReleaseSpec, ReleaseStatus};

/// The outcome of one pass. The order is fixed: first `status` is stored (if it differs from what is stored), then `action` is carried out.
/// If storing fails, the action is not carried out: decision first, then act.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The status the Release must have before the action; `None` when there is no Release (yet).
    pub status: Option<ReleaseStatus>,
    /// The one write or question of this pass.
    pub action: Action,
    /// Look again after this long even if nothing happens: a bake or a deadline ends.
    pub wake: Option<Duration>,
    /// Releases of this workload that a newer one has superseded: their status must become the given one.
    pub close: Vec<(String, ReleaseStatus)>,
}

/// One write to, or one question of, the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing to write; `status.waitingOn` says why.
    None,
    /// Create the Release of this name. AlreadyExists with the same workload uid and target is success.
    CreateRelease {
        /// Its name, from the hold.
        name: String,
        /// What it says.
        spec: Box<ReleaseSpec>,
    },
    /// Dry-run this JSON Patch on the Deployment, then decide again with the answer.
    Rehearse {
        /// The patch.
        patch: Vec<Value>,
        /// The target hash the answer belongs to.
        target: String,
    },
    /// JSON Patch the Deployment. The first operation tests `metadata.resourceVersion`; a refusal of that test means: look again.
    Patch {
        /// What the write is, for logs, metrics and tests.
        write: Write,
        /// The operations.
        patch: Vec<Value>,
    },
}

/// Which write of the release's life a patch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// The pin goes in, the hold at zero ends, the first pods come up (C3).
    Start,
    /// New pods may come up beside the old ones (C6, first half).
    Surge,
    /// As many old pods may go (C6, second half).
    Retire,
    /// Foreign values of the stepped fields are put right.
    Correct,
    /// The user's own values come back, the Deployment controller finishes (C7).
    Finish,
    /// The stable template and the user's own values come back (A2).
    Rollback,
    /// Annotations of a release that is over are removed.
    CleanUp,
    /// A human's retry: a denied template is forgotten.
    Forgive,
    /// The memory of denied templates cannot be read: it is written anew from the records of releases.
    Remember,
}
