//! A review as large as is taken.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Bench, NAMESPACE, allowed, built_in};
use crate::bench::{
    load, process_cost,
    report::{Row, Section},
    reviews,
};

/// The largest body that the webhook reads.
const LIMIT: usize = 8 << 20;
/// What the review may be shorter than that.
const SHORT: usize = LIMIT / 50;
/// Rules that look into every container and every setting of a Deployment.
const RULES: [&str; 7] = [
    "container-without-memory-limit",
    "container-without-requests",
    "deployment-without-readiness-probe",
    "secret-in-environment",
    "configmap-not-found",
    "secret-not-found",
    "quota-breach",
];

impl Bench<'_> {
    /// Reviews of eight megabytes, one after the other.
    pub(super) async fn large(&self) -> anyhow::Result<Section> {
        let target = self.webhook("workload").await?;
        self.policies(&[built_in(&RULES)]).await?;
        let round = self.round.max(Duration::from_secs(2));
        let mut rows = Vec::new();
        for (what, size) in [("settings of 1 KB", 1000), ("settings of 16 bytes", 16)] {
            let (old, new) = (deployment(size, "v1"), deployment(size, "v2"));
            let review = reviews::deployment_update(NAMESPACE, "large", &old, &new);
            ensure!(
                (LIMIT - SHORT..=LIMIT).contains(&review.len()),
                "a review of {} bytes",
                review.len()
            );
            let before = process_cost::resident(self.webhook)?;
            process_cost::forget_peak(self.webhook)?;
            let spent = process_cost::cpu(self.webhook)?;
            let outcome = load::run(&target, review, 1, round).await?;
            let spent = process_cost::cpu(self.webhook)?.saturating_sub(spent);
            let extra = process_cost::peak(self.webhook)?.saturating_sub(before);
            let kept = process_cost::resident(self.webhook)?.saturating_sub(before);
            let answer: Value = serde_json::from_slice(&outcome.sample)?;
            ensure!(
                allowed(&answer["response"]),
                "the webhook did not do the work that is measured: {answer}"
            );
            let milliseconds = |of: Duration| of.as_secs_f64() * 1e3;
            rows.extend([
                Row::at_most(
                    &format!("{what}: until the answer, median"),
                    milliseconds(outcome.percentile(50.0)),
                    100.0,
                    "ms",
                ),
                Row::at_most(
                    &format!("{what}: extra resident at the peak"),
                    process_cost::megabytes(extra),
                    64.0,
                    "MB",
                ),
                Row::told(
                    &format!("{what}: slowest, CPU per review, extra resident after"),
                    format!(
                        "{:.0} ms, {:.0} ms, {:.1} MB",
                        milliseconds(outcome.percentile(100.0)),
                        milliseconds(spent) / outcome.reviews as f64,
                        process_cost::megabytes(kept),
                    ),
                ),
            ]);
        }
        Ok(Section {
            title: "A review of 8 MiB",
            how: format!(
                "The update of a Deployment, the largest body that is read: both objects hold half of it in the environment of one container, which is more than an \
                 API server stores. Once in settings of 1 KB, once in as many small ones as fit. One connection sends the next as soon as the last is answered, for \
                 {} s; {} rules judge. Extra is what is resident beyond what was before the first of them.",
                round.as_secs(),
                RULES.len(),
            ),
            rows,
        })
    }
}

/// A Deployment of half a review, in settings with values of so many bytes.
fn deployment(size: usize, version: &str) -> Value {
    let mut object = reviews::deployment(NAMESPACE);
    let containers = &mut object["spec"]["template"]["spec"]["containers"];
    containers[0]["image"] = format!("registry.test/shop/checkout:{version}").into();
    let room = (LIMIT - SHORT / 2) / 2 - object.to_string().len();
    let setting =
        |number: usize| json!({"name": format!("SETTING_{number:06}"), "value": "v".repeat(size)});
    // and the comma behind it
    let count = room / (setting(0).to_string().len() + 1);
    object["spec"]["template"]["spec"]["containers"][0]["env"] = (0..count).map(setting).collect();
    object
}
