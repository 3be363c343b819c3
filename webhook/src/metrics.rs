//! What is counted of admission. Labels are bounded by code: hooks, outcomes, rules.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use sluice_api::Finding;
use sluice_runtime::metrics::Metrics;

use crate::{folder::Content, index::rulebook::Rulebook};

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
    exception_set: Family<DigestLabel, Gauge>,
    broken_exceptions: Gauge,
    policy_files: Family<StateLabel, Gauge>,
    quarantined: Family<FileLabel, Gauge>,
    reloads: Family<OutcomeLabel, Counter>,
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabel {
    file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// What became of a change of the policy folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// It judges.
    Taken,
    /// A file of it is broken: an earlier state judges.
    Quarantined,
    /// The folder could not be read.
    Unreadable,
}

/// How many broken files are named: label values must stay few.
const NAMED_FILES: usize = 20;

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
            exception_set: Family::default(),
            broken_exceptions: Gauge::default(),
            policy_files: Family::default(),
            quarantined: Family::default(),
            reloads: Family::default(),
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
            "Findings by rule, by what they led to (Excepted where an exception let them pass) and by how sure they are",
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
            "policy_exceptions",
            "Exceptions that can work, by their digest; whether one counts depends on the time",
            of.exception_set.clone(),
        );
        metrics.register(
            "policy_exception_problems",
            "What is wrong with exceptions that therefore count for nothing",
            of.broken_exceptions.clone(),
        );
        metrics.register(
            "policy_files",
            "Files of the policy folder by state: in_force, or quarantined while an earlier state of the folder judges",
            of.policy_files.clone(),
        );
        metrics.register(
            "policy_file_quarantined",
            "1 for each file of the policy folder that cannot be used as it is now; the first 20",
            of.quarantined.clone(),
        );
        metrics.register(
            "policy_folder_reloads",
            "Changes of the policy folder by what became of them, and looks at it that failed",
            of.reloads.clone(),
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
                action: match finding.excepted {
                    Some(_) => "Excepted",
                    None => finding.action.as_str(),
                },
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

    /// What judges from now on.
    pub fn rulebook(&self, rulebook: &Rulebook) {
        for (family, digest, value) in [
            (&self.policy_set, rulebook.policies.digest(), 1),
            (
                &self.exception_set,
                rulebook.exceptions.digest(),
                rulebook.exceptions.len(),
            ),
        ] {
            family.clear();
            family
                .get_or_create(&DigestLabel {
                    digest: digest.to_owned(),
                })
                .set(gauge(value));
        }
        self.broken_policies
            .set(gauge(rulebook.broken_policies.len()));
        self.broken_exceptions
            .set(gauge(rulebook.broken_exceptions.len()));
    }

    /// What the policy folder holds.
    pub fn files(&self, content: &Content) {
        for (state, count) in [
            ("in_force", content.files.len()),
            ("quarantined", content.quarantined.len()),
        ] {
            self.policy_files
                .get_or_create(&StateLabel { state })
                .set(gauge(count));
        }
        self.quarantined.clear();
        for broken in content.quarantined.iter().take(NAMED_FILES) {
            let file = broken.file.chars().take(200).collect();
            self.quarantined.get_or_create(&FileLabel { file }).set(1);
        }
    }

    /// A change of the policy folder, or a look at it that failed.
    pub fn reload(&self, outcome: Reload) {
        let outcome = match outcome {
            Reload::Taken => "taken",
            Reload::Quarantined => "quarantined",
            Reload::Unreadable => "unreadable",
        };
        self.reloads.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// How much a cache holds.
    pub fn cache(&self, cache: &'static str, objects: usize) {
        self.cache_objects
            .get_or_create(&CacheLabel { cache })
            .set(gauge(objects));
    }

    /// An interrupted watch.
    pub fn watch_error(&self, cache: &'static str) {
        self.watch_errors.get_or_create(&CacheLabel { cache }).inc();
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
