//! What a trace file holds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was done to one Deployment, and what the controllers made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub story: String,
    /// The version that was recorded.
    pub kubernetes: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub tells: String,
    #[serde(flatten)]
    pub act: Act,
    /// Every ReplicaSet once nothing moves any more, oldest first.
    pub settled: Vec<Set>,
    /// From the state before this step to the settled one, over every event of the watch.
    pub extremes: Extremes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// A merge patch of `spec`; the first one makes the Deployment.
    Write(Value),
    /// So many ready pods of this image stop being ready, for good.
    Sicken(Pods),
    /// So many pods of this image, none of them sick, are deleted.
    Delete(Pods),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pods {
    pub image: String,
    pub pods: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Set {
    pub image: String,
    /// `spec.replicas`.
    pub replicas: u32,
    pub min_ready_seconds: i64,
    /// Annotation `deployment.kubernetes.io/desired-replicas`.
    pub desired: u32,
    /// Annotation `deployment.kubernetes.io/max-replicas`.
    pub most: u32,
}

/// `[least, most]` of the wanted pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extremes {
    pub images: BTreeMap<String, [u32; 2]>,
    pub total: [u32; 2],
}

/// Where the traces are kept: beside the model that they judge.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../planner/traces")
}

/// The committed trace of a story.
///
/// # Errors
/// When there is none, or it does not read.
pub fn committed(story: &str) -> anyhow::Result<Trace> {
    let path = folder().join(format!("{story}.json"));
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("no trace {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}", path.display()))
}

/// Keeps a trace.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(trace: &Trace) -> anyhow::Result<()> {
    let path = folder().join(format!("{}.json", trace.story));
    let steps: Vec<String> = trace
        .steps
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    // a line for each step, so that a difference can be read
    let text = format!(
        "{{\n\"story\": {}, \"kubernetes\": {},\n\"steps\": [\n{}\n]\n}}\n",
        serde_json::to_string(&trace.story)?,
        serde_json::to_string(&trace.kubernetes)?,
        steps.join(",\n"),
    );
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
