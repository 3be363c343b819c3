//! Whether a `Probe` can work: what its schema cannot say. Pure; admission, controller and `sluice check` call it and print the same words.

use std::{collections::BTreeSet, fmt, time::Duration};

use sluice_api::{
    HttpCheck, ProbeSpec, PrometheusCheck,
    probe::{HttpTarget, Trigger},
};

use crate::{
    allow_list::{Admitted, TargetAllowList},
    condition::{self, Condition},
    outcome::plain,
    query,
};

/// The shortest interval: below it the prober's own noise decides.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// The longest interval: above it a verdict is an archive, not a proof.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// The cluster-wide rules that targets are judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetRules {
    /// Whom probes may ask.
    pub allow: TargetAllowList,
    /// The names of the Prometheus sources; `None` when they are not known, as offline.
    pub sources: Option<BTreeSet<String>>,
}

/// One reason why a probe cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeProblem {
    /// Path of the field in the object, such as `spec.http.target.url`.
    pub path: String,
    /// What was found there.
    pub found: String,
    /// What would pass.
    pub passes: String,
}

impl fmt::Display for ProbeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; passes: {}", self.path, self.found, self.passes)
    }
}

/// Every reason why the probe cannot work; none means that it can.
#[must_use]
pub fn validate(spec: &ProbeSpec, rules: &TargetRules) -> Vec<ProbeProblem> {
    let mut problems = Problems::default();
    match (&spec.http, &spec.prometheus) {
        (Some(http), None) => http_problems(&mut problems, http, spec.timeout.get(), rules),
        (None, Some(prometheus)) => prometheus_problems(&mut problems, prometheus, rules),
        (None, None) => problems.add("spec", "no check", "exactly one of http and prometheus"),
        (Some(_), Some(_)) => problems.add(
            "spec",
            "http and prometheus",
            "exactly one of http and prometheus",
        ),
    }
    let (interval, timeout) = (spec.interval.get(), spec.timeout.get());
    if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
        problems.add("spec.interval", spec.interval, "100ms to 1h");
    }
    if timeout.is_zero() {
        problems.add(
            "spec.timeout",
            spec.timeout,
            "above 0s, at most the interval",
        );
    } else if timeout > interval {
        problems.add(
            "spec.timeout",
            spec.timeout,
            format!("at most the interval, {}", spec.interval),
        );
    }
    for (path, count) in [
        ("spec.verdict.failAfter", spec.verdict.fail_after),
        ("spec.verdict.passAfter", spec.verdict.pass_after),
    ] {
        if !(1..=100).contains(&count) {
            problems.add(path, count, "1 to 100");
        }
    }
    if spec.triggers.is_empty() {
        problems.add("spec.triggers", "empty", "Interval, Release or both");
    } else if [Trigger::Interval, Trigger::Release]
        .iter()
        .any(|trigger| spec.triggers.iter().filter(|t| *t == trigger).count() > 1)
    {
        problems.add("spec.triggers", "a trigger twice", "each trigger once");
    }
    problems.0
}

#[derive(Default)]
struct Problems(Vec<ProbeProblem>);

impl Problems {
    fn add(&mut self, path: &str, found: impl fmt::Display, passes: impl Into<String>) {
        self.0.push(ProbeProblem {
            path: path.to_owned(),
            found: plain(&found.to_string()),
            passes: passes.into(),
        });
    }
}

fn http_problems(
    problems: &mut Problems,
    check: &HttpCheck,
    timeout: Duration,
    rules: &TargetRules,
) {
    let target = &check.target;
    match (&target.url, &target.pods) {
        (Some(url), None) => {
            if let Err(problem) = url_target(url, &rules.allow) {
                problems.add("spec.http.target.url", problem.found, problem.passes);
            }
            if target.port.is_some() {
                problems.add(
                    "spec.http.target.port",
                    "set beside url",
                    "the port in the url",
                );
            }
            if target.path.is_some() {
                problems.add(
                    "spec.http.target.path",
                    "set beside url",
                    "the path in the url",
                );
            }
        }
        (None, Some(_)) => pod_target_problems(problems, target),
        (None, None) => problems.add(
            "spec.http.target",
            "neither url nor pods",
            "either url, or pods with port",
        ),
        (Some(_), Some(_)) => problems.add(
            "spec.http.target",
            "url and pods",
            "either url, or pods with port",
        ),
    }
    let expect = &check.expect;
    if expect.status.is_empty() {
        problems.add(
            "spec.http.expect.status",
            "empty",
            "1 to 16 status codes, 100 to 599",
        );
    }
    for (at, status) in expect.status.iter().enumerate() {
        if !(100..=599).contains(status) {
            problems.add(
                &format!("spec.http.expect.status[{at}]"),
                status,
                "100 to 599",
            );
        }
    }
    if expect.body_contains.as_deref() == Some("") {
        problems.add(
            "spec.http.expect.bodyContains",
            "empty",
            "some text, or leave it out",
        );
    }
    if let Some(within) = expect.within
        && (within.is_zero() || within.get() >= timeout)
    {
        problems.add(
            "spec.http.expect.within",
            within,
            "above 0s, shorter than spec.timeout",
        );
    }
}

fn pod_target_problems(problems: &mut Problems, target: &HttpTarget) {
    match target.port {
        None => problems.add("spec.http.target.port", "absent", "1 to 65535"),
        Some(0) => problems.add("spec.http.target.port", 0, "1 to 65535"),
        Some(_) => {}
    }
    if let Some(path) = &target.path
        && request_path(path).is_none()
    {
        problems.add(
            "spec.http.target.path",
            format!("`{path}`"),
            "a path that starts with / and holds only characters of a URL, such as /ready?deep=1",
        );
    }
}

/// The request target that `path` is; `None` when it is none.
pub(crate) fn request_path(path: &str) -> Option<http::uri::PathAndQuery> {
    if !path.starts_with('/') || path.contains('#') {
        return None;
    }
    path.parse().ok()
}

/// Why a URL cannot be asked.
#[derive(Debug)]
pub(crate) struct UrlProblem {
    pub(crate) found: String,
    passes: String,
    /// Whether it is a good URL that the allow-list forbids.
    pub(crate) forbidden: bool,
}

/// Reads the URL of a check, which the allow-list must admit.
pub(crate) fn url_target(
    text: &str,
    allow: &TargetAllowList,
) -> Result<(reqwest::Url, Admitted), UrlProblem> {
    let unusable = |found: String| UrlProblem {
        found,
        passes: "an absolute http or https URL with a host, such as http://checkout.shop.svc/ready"
            .to_owned(),
        forbidden: false,
    };
    let url = reqwest::Url::parse(text).map_err(|error| unusable(format!("`{text}`: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable(format!("`{text}`: scheme {}", url.scheme())));
    }
    // the URL standard reads `http:///path` as host `path`; nobody means that
    let after_scheme = text
        .trim_start()
        .get(url.scheme().len()..)
        .and_then(|rest| rest.strip_prefix("://"));
    let has_host = after_scheme.is_some_and(|rest| !rest.starts_with(['/', '\\', '?', '#']));
    let Some(host) = url.host_str().filter(|host| has_host && !host.is_empty()) else {
        return Err(unusable(format!("`{text}`: no host")));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlProblem {
            found: format!("user or password in the URL of {host}"),
            passes: "a URL without credentials".to_owned(),
            forbidden: false,
        });
    }
    if url.port() == Some(0) {
        return Err(UrlProblem {
            found: format!("`{text}`: port 0"),
            passes: "a port from 1 to 65535".to_owned(),
            forbidden: false,
        });
    }
    match allow.admits(host) {
        Some(admitted) => Ok((url, admitted)),
        None => Err(UrlProblem {
            found: format!("host {host} is not an allowed probe target"),
            passes: format!("a host among {allow} (allow-list of the configuration file)"),
            forbidden: true,
        }),
    }
}

fn prometheus_problems(problems: &mut Problems, check: &PrometheusCheck, rules: &TargetRules) {
    if let Some(sources) = &rules.sources
        && !sources.contains(&check.source)
    {
        let known: Vec<&str> = sources.iter().map(String::as_str).collect();
        let passes = if known.is_empty() {
            "a Prometheus of the configuration file, which names none".to_owned()
        } else {
            format!(
                "a Prometheus of the configuration file: {}",
                known.join(", ")
            )
        };
        problems.add(
            "spec.prometheus.source",
            format!("`{}`", check.source),
            passes,
        );
    }
    if check.query.trim().is_empty() {
        problems.add("spec.prometheus.query", "empty", "a PromQL query");
    }
    if let Err(error) = query::check(&check.query) {
        problems.add("spec.prometheus.query", error, query::PASSES);
    }
    if check.condition.parse::<Condition>().is_err() {
        problems.add(
            "spec.prometheus.condition",
            format!("`{}`", check.condition),
            condition::PASSES,
        );
    }
}
