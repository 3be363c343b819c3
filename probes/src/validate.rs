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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rules() -> TargetRules {
        TargetRules {
            allow: TargetAllowList::default(),
            sources: Some(BTreeSet::from(["main".to_owned()])),
        }
    }

    fn problems(spec: Value) -> Vec<String> {
        let spec: ProbeSpec = serde_json::from_value(spec).unwrap();
        let problems = validate(&spec, &rules());
        problems.iter().map(ToString::to_string).collect()
    }

    /// `base` with `with` laid over it; `null` takes a field away.
    fn merged(mut base: Value, with: &Value) -> Value {
        match (base.as_object_mut(), with.as_object()) {
            (Some(fields), Some(with)) => {
                for (name, value) in with {
                    let old = fields.remove(name).unwrap_or(Value::Null);
                    if !value.is_null() {
                        fields.insert(name.clone(), merged(old, value));
                    }
                }
                base
            }
            _ => with.clone(),
        }
    }

    fn pods() -> Value {
        json!({"http": {"target": {"pods": "Canary", "port": 8080, "path": "/ready"}, "expect": {"within": "300ms"}}})
    }

    fn url(url: &str) -> Value {
        json!({"http": {"target": {"url": url}}})
    }

    fn query() -> Value {
        json!({"prometheus": {"query": "e{h=\"{{canaryHash}}\"}", "condition": "< 0.01"}})
    }

    #[test]
    fn what_can_work_has_no_problems() {
        for spec in [
            pods(),
            query(),
            url("http://checkout.shop.svc/ready?deep=1"),
            url("https://checkout.shop.svc.cluster.local:8443"),
            merged(
                pods(),
                &json!({"interval": "100ms", "timeout": "100ms", "http": {"expect": {"within": "50ms"}}}),
            ),
            merged(pods(), &json!({"interval": "1h", "timeout": "1h"})),
            merged(
                pods(),
                &json!({"http": {"target": {"path": null}, "expect": null}}),
            ),
        ] {
            assert_eq!(problems(spec.clone()), Vec::<String>::new(), "{spec}");
        }
    }

    #[test]
    fn what_cannot_work_is_named_with_its_path_and_what_would_pass() {
        for (spec, expected) in [
            (
                json!({}),
                "spec: no check; passes: exactly one of http and prometheus",
            ),
            (
                merged(pods(), &query()),
                "spec: http and prometheus; passes: exactly one",
            ),
            (
                url("checkout.shop.svc/ready"),
                "spec.http.target.url: `checkout.shop.svc/ready`: relative URL without a base; passes: an absolute http or https URL",
            ),
            (
                url("http:///ready"),
                "spec.http.target.url: `http:///ready`: no host",
            ),
            (
                url("http://"),
                "spec.http.target.url: `http://`: empty host",
            ),
            (url("http:ready"), "`http:ready`: no host"),
            (
                url("ftp://checkout.shop.svc/"),
                "scheme ftp; passes: an absolute http or https",
            ),
            (
                url("http://u:secret@checkout.shop.svc/"),
                "user or password in the URL of checkout.shop.svc; passes: a URL without credentials",
            ),
            (
                url("http://checkout.shop.svc:0/"),
                "port 0; passes: a port from 1 to 65535",
            ),
            (
                url("http://checkout.shop.svc:99999/"),
                "invalid port number",
            ),
            (
                url("http://example.com/"),
                "host example.com is not an allowed probe target; passes: a host among *.svc, *.svc.cluster.local",
            ),
            (
                url("http://169.254.169.254/latest"),
                "host 169.254.169.254 is not an allowed",
            ),
            (
                merged(
                    url("http://a.b.svc/"),
                    &json!({"http": {"target": {"path": "/x"}}}),
                ),
                "spec.http.target.path: set beside url",
            ),
            (
                merged(
                    url("http://a.b.svc/"),
                    &json!({"http": {"target": {"pods": "All"}}}),
                ),
                "spec.http.target: url and pods",
            ),
            (
                json!({"http": {"target": {}}}),
                "spec.http.target: neither url nor pods; passes: either url, or pods with port",
            ),
            (
                merged(pods(), &json!({"http": {"target": {"port": null}}})),
                "spec.http.target.port: absent; passes: 1 to 65535",
            ),
            (
                merged(pods(), &json!({"http": {"target": {"path": "ready"}}})),
                "spec.http.target.path: `ready`; passes: a path that starts with /",
            ),
            (
                merged(pods(), &json!({"http": {"target": {"path": "/a b"}}})),
                "spec.http.target.path: `/a b`",
            ),
            (
                merged(pods(), &json!({"http": {"expect": {"status": []}}})),
                "spec.http.expect.status: empty",
            ),
            (
                merged(pods(), &json!({"http": {"expect": {"status": [200, 99]}}})),
                "spec.http.expect.status[1]: 99; passes: 100 to 599",
            ),
            (
                merged(pods(), &json!({"http": {"expect": {"bodyContains": ""}}})),
                "spec.http.expect.bodyContains: empty",
            ),
            (
                merged(pods(), &json!({"http": {"expect": {"within": "1s"}}})),
                "spec.http.expect.within: 1s; passes: above 0s, shorter than spec.timeout",
            ),
            (
                merged(pods(), &json!({"http": {"expect": {"within": "0s"}}})),
                "spec.http.expect.within: 0s",
            ),
            (
                merged(query(), &json!({"interval": "99ms", "timeout": "50ms"})),
                "spec.interval: 99ms; passes: 100ms to 1h",
            ),
            (
                merged(query(), &json!({"interval": "61m"})),
                "spec.interval: 1h1m; passes: 100ms to 1h",
            ),
            (
                merged(query(), &json!({"timeout": "6s"})),
                "spec.timeout: 6s; passes: at most the interval, 5s",
            ),
            (
                merged(query(), &json!({"timeout": "0"})),
                "spec.timeout: 0s; passes: above 0s",
            ),
            (
                merged(query(), &json!({"verdict": {"failAfter": 0}})),
                "spec.verdict.failAfter: 0; passes: 1 to 100",
            ),
            (
                merged(query(), &json!({"verdict": {"passAfter": 101}})),
                "spec.verdict.passAfter: 101",
            ),
            (
                merged(query(), &json!({"triggers": []})),
                "spec.triggers: empty",
            ),
            (
                merged(query(), &json!({"triggers": ["Release", "Release"]})),
                "spec.triggers: a trigger twice",
            ),
            (
                merged(query(), &json!({"prometheus": {"source": "other"}})),
                "spec.prometheus.source: `other`; passes: a Prometheus of the configuration file: main",
            ),
            (
                merged(query(), &json!({"prometheus": {"query": " "}})),
                "spec.prometheus.query: empty",
            ),
            (
                merged(query(), &json!({"prometheus": {"query": "{{hash}}"}})),
                "spec.prometheus.query: unknown placeholder {{hash}}; passes: {{canaryHash}} or {{stableHash}}",
            ),
            (
                merged(query(), &json!({"prometheus": {"query": "{{canaryHash"}})),
                "spec.prometheus.query: placeholder without an end",
            ),
            (
                merged(query(), &json!({"prometheus": {"condition": "below 1"}})),
                "spec.prometheus.condition: `below 1`; passes: one of <, <=, >, >=, ==, !=",
            ),
        ] {
            let found = problems(spec.clone());
            assert_eq!(found.len(), 1, "{spec}: {found:?}");
            assert!(found[0].contains(expected), "{spec}: {}", found[0]);
            assert!(!found[0].contains("secret"), "{}", found[0]);
        }
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let spec = merged(
            pods(),
            &json!({"interval": "1ms", "http": {"target": {"port": null, "path": "x"}}}),
        );
        let paths: Vec<String> = problems(spec);
        assert_eq!(paths.len(), 4, "{paths:?}");
    }

    #[test]
    fn offline_an_unknown_source_is_nobodys_fault() {
        let spec = merged(query(), &json!({"prometheus": {"source": "other"}}));
        let spec: ProbeSpec = serde_json::from_value(spec).unwrap();
        let rules = TargetRules {
            sources: None,
            ..rules()
        };
        assert_eq!(validate(&spec, &rules), []);
    }
}
