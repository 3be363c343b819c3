//! Conditions in the usual Kubernetes form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The object was read, understood and is in use. `False` says what is wrong with it; what depends on it is closed.
pub const ACCEPTED: &str = "Accepted";
/// A gate's requirements all pass.
pub const OPEN: &str = "Open";
/// Another object of the same kind wins for at least one workload.
pub const CONFLICTED: &str = "Conflicted";
/// An exception counts at this moment; `False` says whether it does not yet or no more.
pub const IN_FORCE: &str = "InForce";
/// An object that exists needs the exception.
pub const USED: &str = "Used";
/// A release reached all pods and was proved well.
pub const SUCCEEDED: &str = "Succeeded";
/// A release ended without success.
pub const FAILED: &str = "Failed";
/// A release ended, one way or the other.
pub const FINISHED: &str = "Finished";

/// One condition of an object, in the shape of `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which condition.
    #[serde(rename = "type")]
    #[schemars(length(max = 63))]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(length(max = 7))]
    pub status: String,
    /// One word that programs may match on.
    #[schemars(length(max = 63))]
    pub reason: String,
    /// One sentence for people.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// The generation of the object that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed, RFC 3339.
    #[schemars(length(max = 40))]
    pub last_transition_time: String,
}

impl Condition {
    /// Puts a condition into `conditions`, keeping the transition time of an entry whose status does not change.
    /// Returns whether anything but the time differs.
    pub fn set(conditions: &mut Vec<Self>, mut new: Self) -> bool {
        match conditions.iter_mut().find(|old| old.type_ == new.type_) {
            Some(old) => {
                if old.status == new.status {
                    new.last_transition_time
                        .clone_from(&old.last_transition_time);
                }
                let changed = *old != new;
                *old = new;
                changed
            }
            None => {
                conditions.push(new);
                true
            }
        }
    }

    /// Whether `conditions` holds `type_` with status `True`.
    #[must_use]
    pub fn is_true(conditions: &[Self], type_: &str) -> bool {
        conditions
            .iter()
            .any(|condition| condition.type_ == type_ && condition.status == "True")
    }
}
