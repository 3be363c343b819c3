//! `Probe`: one check of reality: how, how often, and what counts as a pass.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, Duration, Verdict};

/// One check of reality. Exactly one check type is set.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Probe",
    namespaced,
    status = "ProbeStatus",
    derive = "PartialEq",
    shortname = "slprobe",
    category = "sluice",
    doc = "One check of reality: how, how often, and what counts as a pass. Gates and rollout plans refer to it by name.",
    printcolumn(
        name = "Verdict",
        type_ = "string",
        json_path = ".status.verdict",
        description = "What the probe last proved on its own schedule"
    ),
    printcolumn(
        name = "Since",
        type_ = "date",
        json_path = ".status.since",
        description = "When the verdict last changed"
    ),
    printcolumn(
        name = "Interval",
        type_ = "string",
        json_path = ".spec.interval",
        description = "How often it runs"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status",
        description = "Whether the probe can work at all"
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        json_path = ".status.message",
        description = "What was seen"
    ),
    validation = "self.metadata.name.size() <= 63"
)]
#[x_kube(validation = Rule::new("[has(self.http), has(self.prometheus)].filter(x, x).size() == 1").message("set exactly one check: http or prometheus"))]
#[serde(rename_all = "camelCase")]
pub struct ProbeSpec {
    /// An HTTP request whose answer is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,
    /// A PromQL query whose result is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusCheck>,
    /// Time between the starts of two samples of one target, 100ms to 1h.
    #[serde(default = "default_interval")]
    pub interval: Duration,
    /// Time one sample may take, at most the interval.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
    /// How many samples make a verdict.
    #[serde(default)]
    pub verdict: VerdictRule,
    /// What makes the probe run.
    #[serde(default = "default_triggers")]
    #[schemars(length(min = 1, max = 2))]
    pub triggers: Vec<Trigger>,
    /// How bad a failure is, for whoever is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub severity: Option<String>,
}

fn default_interval() -> Duration {
    Duration::from_secs(5)
}

fn default_timeout() -> Duration {
    Duration::from_secs(1)
}

fn default_triggers() -> Vec<Trigger> {
    vec![Trigger::Interval, Trigger::Release]
}

/// What makes a probe run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Trigger {
    /// All the time, at the probe's interval.
    Interval,
    /// While a release that names the probe is on; and for 5 minutes after a gate that requires it refused a release.
    Release,
}

/// How many samples in a row make a verdict. An error of the prober itself counts for neither side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictRule {
    /// Failing samples in a row that make `Fail`.
    #[serde(default = "default_fail_after")]
    #[schemars(range(min = 1, max = 100))]
    pub fail_after: u32,
    /// Passing samples in a row that make `Pass`.
    #[serde(default = "default_pass_after")]
    #[schemars(range(min = 1, max = 100))]
    pub pass_after: u32,
}

fn default_fail_after() -> u32 {
    3
}

fn default_pass_after() -> u32 {
    1
}

impl Default for VerdictRule {
    fn default() -> Self {
        Self {
            fail_after: default_fail_after(),
            pass_after: default_pass_after(),
        }
    }
}

/// An HTTP request. Every sample uses a new connection, so it never sticks to one pod of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpCheck {
    /// Whom to ask.
    pub target: HttpTarget,
    /// What a good answer is.
    #[serde(default)]
    pub expect: HttpExpectation,
}

/// Whom an HTTP check asks: every pod of a revision, each by its own address, or one URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.url) != has(self.pods)").message("set either url, or pods with port"))]
#[x_kube(validation = Rule::new("has(self.pods) == has(self.port)").message("pods and port belong together"))]
#[x_kube(validation = Rule::new("!has(self.url) || !has(self.path)").message("path belongs to pods; with url write the path into the url"))]
pub struct HttpTarget {
    /// Which pods of the component: each is asked directly and each must pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodSet>,
    /// The port of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// The path asked of the pods, `/` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub path: Option<String>,
    /// An absolute URL, for example of a Service. Bounded by the cluster-wide allow-list of the configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub url: Option<String>,
}

/// Pods of a component by revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PodSet {
    /// Pods of the version that is being released. Outside a release there are none.
    Canary,
    /// Pods of the version to which a rollback would return.
    Stable,
    /// Pods of every version.
    All,
}

/// What a good HTTP answer is. All that is set must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpExpectation {
    /// Accepted status codes.
    #[serde(default = "default_status")]
    #[schemars(length(min = 1, max = 16), inner(range(min = 100, max = 599)))]
    pub status: Vec<u16>,
    /// Text that must occur in the first 64 KiB of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub body_contains: Option<String>,
    /// The answer must be complete within this time, shorter than the probe's timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Duration>,
}

fn default_status() -> Vec<u16> {
    vec![200]
}

impl Default for HttpExpectation {
    fn default() -> Self {
        Self {
            status: default_status(),
            body_contains: None,
            within: None,
        }
    }
}

/// A PromQL query against a Prometheus of the configuration file. No data and NaN are `Unknown`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrometheusCheck {
    /// The name of the Prometheus in the configuration file.
    #[serde(default = "default_source")]
    #[schemars(length(min = 1, max = 63))]
    pub source: String,
    /// The query. `{{canaryHash}}` and `{{stableHash}}` become the pod-template-hash of the release's two versions.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
    /// What every sample of the result must satisfy: a comparison with a number, such as `< 0.01` or `>= 2`.
    #[schemars(length(min = 1, max = 64))]
    pub condition: String,
}

fn default_source() -> String {
    "main".to_owned()
}

/// What the probe proved on its own schedule. Written when the verdict changes, never per sample: by itself no proof of freshness.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeStatus {
    /// The verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What was seen when it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// When it changed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub since: Option<String>,
    /// The generation that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
}
