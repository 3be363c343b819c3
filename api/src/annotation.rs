//! Annotations on workloads. Their values are small JSON; only Sluice writes them, and readers trust only what was there *before* a foreign request.
//!
//! Every value names the workload's uid and the template it speaks of, and is ignored if either differs: the Deployment controller copies annotations
//! to ReplicaSets, and `kubectl rollout undo` brings those copies back.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A release is held or under way: [`Hold`]. Set by the mutating webhook, removed when the release ends.
pub const HOLD: &str = "sluice.dev/hold";
/// What the user's spec says where Sluice's values stand during a release: [`Originals`].
pub const ORIGINALS: &str = "sluice.dev/originals";
/// Templates that were rolled back and may not come in again: a list of [`Denied`].
pub const DENIED: &str = "sluice.dev/denied";

/// Every key that only Sluice may change.
pub const OWN: [&str; 3] = [HOLD, ORIGINALS, DENIED];

/// How many denied templates are remembered per workload; the oldest goes first.
pub const DENIED_KEPT: usize = 8;

/// Marks a workload whose release is held at zero or is being stepped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The uid of the workload.
    pub uid: String,
    /// The template hash that is being released.
    pub target: String,
    /// The template hash of the last release that succeeded, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// The name of the Release, fixed here once and for all.
    pub release: String,
    /// What the user wants `spec.paused` to be, before and during the release.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// The user's own values of the fields that Sluice sets during a release, exactly as they stood: `None` is an absent field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Originals {
    /// The uid of the workload.
    pub uid: String,
    /// The template hash that is being released.
    pub target: String,
    /// `spec.strategy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Value>,
    /// `spec.minReadySeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ready_seconds: Option<Value>,
    /// `spec.progressDeadlineSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<Value>,
}

/// One template that was rolled back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// The uid of the workload.
    pub uid: String,
    /// The template hash.
    pub target: String,
    /// The Release that tells the story.
    pub release: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// An annotation that does not hold what Sluice writes there.
#[derive(Debug, thiserror::Error)]
#[error("annotation {key} is not readable")]
pub struct AnnotationError {
    /// The annotation key.
    pub key: &'static str,
    /// What the parser said.
    #[source]
    pub source: serde_json::Error,
}

/// Reads one of our annotations from an annotation map value.
///
/// # Errors
/// When the text is not what Sluice writes; callers must not read that as absence.
pub fn read<T: DeserializeOwned>(
    key: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, AnnotationError> {
    text.map(|text| serde_json::from_str(text).map_err(|source| AnnotationError { key, source }))
        .transpose()
}

/// The text of one of our annotations.
#[must_use]
pub fn write<T: Serialize>(value: &T) -> String {
    // strings, numbers, options and lists of them: serialisation has nothing to fail on
    serde_json::to_string(value).unwrap_or_default()
}
