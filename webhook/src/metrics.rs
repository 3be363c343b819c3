//! What is counted of admission. Labels are bounded by code: hooks, outcomes, rules.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use sluice_api::Finding;
use sluice_runtime::metrics::Metrics;

/// The metrics of the webhook; clones share them.
#[derive(Clone, Debug)]
pub struct AdmissionMetrics {
    reviews: Family<ReviewLabels, Counter>,
    seconds: Family<WebhookLabel, Histogram, fn() -> Histogram>,
    findings: Family<FindingLabels, Counter>,
    refused_bodies: Family<CodeLabel, Counter>,
    panics: Counter,
    release_attempts: Family<AttemptLabels, Counter>,
    policy_set: Family<DigestLabel, Gauge>,
    broken_policies: Gauge,
    cache_objects: Family<CacheLabel, Gauge>,
    watch_errors: Family<CacheLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    webhook: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabel {
    webhook: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    rule: String,
    action: &'static str,
    certainty: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DigestLabel {
    digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabel {
    cache: &'static str,
}

/// The API server's own histogram starts at 5 ms, where ours ends to be interesting.
fn review_buckets() -> Histogram {
    Histogram::new([
        0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0,
    ])
}

impl AdmissionMetrics {
    /// Registers everything.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let of = Self {
            reviews: Family::default(),
            seconds: Family::new_with_constructor(review_buckets),
            findings: Family::default(),
            refused_bodies: Family::default(),
            panics: Counter::default(),
            release_attempts: Family::default(),
            policy_set: Family::default(),
            broken_policies: Gauge::default(),
            cache_objects: Family::default(),
            watch_errors: Family::default(),
        };
        metrics.register(
            "admission_reviews",
            "Reviews answered, by webhook and outcome",
            of.reviews.clone(),
        );
        metrics.register(
            "admission_review_seconds",
            "Time from the whole body to the whole answer",
            of.seconds.clone(),
        );
        metrics.register(
            "admission_findings",
            "Findings by rule, by what they led to and by how sure they are",
            of.findings.clone(),
        );
        metrics.register(
            "admission_refused_bodies",
            "Requests that were no reviews, or came before this process was ready, by status code",
            of.refused_bodies.clone(),
        );
        metrics.register(
            "admission_panics",
            "Reviews whose judging panicked: a defect, please report it",
            of.panics.clone(),
        );
        metrics.register(
            "release_attempts",
            "Requests that would start a release, dry-runs left out, by whether they were let in",
            of.release_attempts.clone(),
        );
        metrics.register(
            "policy_set_info",
            "The digest of the policies in force",
            of.policy_set.clone(),
        );
        metrics.register(
            "policy_problems",
            "What is wrong with policies that are therefore left out",
            of.broken_policies.clone(),
        );
        metrics.register(
            "cache_objects",
            "Objects known, by cache; absent until the first list is complete",
            of.cache_objects.clone(),
        );
        metrics.register(
            "cache_watch_errors",
            "Interrupted watches, by cache; each is taken up again",
            of.watch_errors.clone(),
        );
        of
    }

    /// One answered review.
    pub fn review(&self, webhook: &'static str, outcome: &'static str, seconds: f64) {
        self.reviews
            .get_or_create(&ReviewLabels { webhook, outcome })
            .inc();
        self.seconds
            .get_or_create(&WebhookLabel { webhook })
            .observe(seconds);
    }

    /// One finding, after everything that may weaken it.
    pub fn finding(&self, finding: &Finding) {
        self.findings
            .get_or_create(&FindingLabels {
                rule: finding.rule.clone(),
                action: finding.action.as_str(),
                certainty: match finding.certainty {
                    sluice_api::Certainty::Sure => "sure",
                    sluice_api::Certainty::Unknown => "unknown",
                },
            })
            .inc();
    }

    /// A request that was answered with an HTTP error.
    pub fn refused_body(&self, code: u16) {
        self.refused_bodies.get_or_create(&CodeLabel { code }).inc();
    }

    /// A review whose judging panicked.
    pub fn panic(&self) {
        self.panics.inc();
    }

    /// A request that would start a release.
    pub fn release_attempt(&self, let_in: bool) {
        let outcome = if let_in { "admitted" } else { "refused" };
        self.release_attempts
            .get_or_create(&AttemptLabels { outcome })
            .inc();
    }

    /// The policies in force.
    pub fn policies(&self, digest: &str, problems: usize) {
        self.policy_set.clear();
        self.policy_set
            .get_or_create(&DigestLabel {
                digest: digest.to_owned(),
            })
            .set(1);
        self.broken_policies
            .set(i64::try_from(problems).unwrap_or(i64::MAX));
    }

    /// How much a cache holds.
    pub fn cache(&self, cache: &'static str, objects: usize) {
        self.cache_objects
            .get_or_create(&CacheLabel { cache })
            .set(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// An interrupted watch.
    pub fn watch_error(&self, cache: &'static str) {
        self.watch_errors.get_or_create(&CacheLabel { cache }).inc();
    }
}
