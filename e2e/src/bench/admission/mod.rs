//! What a review costs, next to the bare server.
//!
//! [`rules`] adds many policies, [`large`] a review as large as is taken; all of them share one plane.

mod large;
mod rules;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    bare::Bare,
    load::{self, Outcome, Target},
    objects, process_cost,
    report::{Row, Section, median},
    reviews,
};
use crate::{
    Plane, PlaneOptions, User,
    installation::{Installation, NAMESPACE as SYSTEM},
    plane::wait_for,
};

/// Keep-alive connections at once.
const CONNECTIONS: usize = 8;
/// Each figure is the median of so many rounds, in which the bare server and the webhook take turns: what disturbs one of them disturbs the other.
const ROUNDS: usize = 5;
const NAMESPACE: &str = "bench";
/// The rules that judge a CronJob: used by two policies they make sixteen.
const CRONJOB_RULES: [&str; 8] = [
    "cronjob-without-deadline",
    "cronjob-allows-overlap",
    "cronjob-job-without-deadline",
    "cronjob-history-too-long",
    "job-backoff-too-high",
    "container-without-memory-limit",
    "container-without-requests",
    "quota-breach",
];

/// What of a review's cost is measured.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The reviews of every day, and the memory at start.
    pub everyday: bool,
    /// Many policies, and own rules.
    pub rules: bool,
    /// A review as large as is taken.
    pub large: bool,
}

/// Measures the webhook of a plane of its own; `round` is the length of one round.
///
/// # Errors
/// When something does not start, or an answer is not the expected one: a number of other work is no number.
pub async fn measure(round: Duration, asked: Asked) -> anyhow::Result<Vec<Section>> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let sluice = Installation::install(&plane, None).await?;
    let pid = sluice.webhook_pid().context("the webhook runs")?;
    let at_start = process_cost::resident(pid)?;
    let bare = Bare::start(&plane, sluice.programs()).await?;
    let bench = Bench {
        plane: &plane,
        sluice: &sluice,
        webhook: pid,
        bare: &bare,
        round,
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {"sluice.dev/mode": "enforce"}}});
    objects::apply(&plane, &[namespace]).await?;
    let mut sections = Vec::new();
    if asked.everyday {
        sections.push(bench.cronjob().await?);
        sections.push(bench.update().await?);
        sections.push(Section {
            title: "Memory of the webhook at start",
            how: "Resident memory right after every list was received, the certificate was loaded and the configurations were published.".to_owned(),
            rows: vec![
                Row::at_most("resident at start", process_cost::megabytes(at_start), 20.0, "MB"),
                Row::told(
                    "resident after the load above",
                    format!("{:.1} MB", process_cost::megabytes(process_cost::resident(pid)?)),
                ),
            ],
        });
    }
    if asked.rules {
        sections.push(bench.many_rules().await?);
        sections.push(bench.own_rules().await?);
    }
    if asked.large {
        sections.push(bench.large().await?);
    }
    Ok(sections)
}

struct Bench<'a> {
    plane: &'a Plane,
    sluice: &'a Installation,
    webhook: u32,
    bare: &'a Bare,
    round: Duration,
}

/// One kind of review against one server.
struct Cost {
    /// Milliseconds of CPU per review.
    cpu: f64,
    /// Reviews per second.
    rate: f64,
    /// The median of the latency, milliseconds.
    middle: f64,
    /// The 99th percentile of the latency, milliseconds.
    slow: f64,
    /// One of the answers.
    answer: Bytes,
}

impl Bench<'_> {
    async fn cronjob(&self) -> anyhow::Result<Section> {
        let review = reviews::cronjob(NAMESPACE);
        let target = self.webhook("workload").await?;

        let unbounded = reviews::unbounded_cronjob(NAMESPACE);

        self.policies(&[built_in(&CRONJOB_RULES[..1])]).await?;
        refuses(&target, &unbounded, "1 finding").await?;
        let (bare, one) = self.side_by_side(&target, &review, allowed).await?;

        let eight = built_in(&CRONJOB_RULES);
        self.policies(&[eight.clone(), eight]).await?;
        refuses(&target, &unbounded, "9 findings").await?;
        self.bounds().await?;
        let (bare_again, sixteen) = self.side_by_side(&target, &review, allowed).await?;

        Ok(Section {
            title: "A CronJob review",
            how: format!(
                "The create of a CronJob that passes ({} bytes) is sent to `/admit/workload` over {CONNECTIONS} keep-alive connections that send the next review as \
                 soon as the last is answered; the load generator shares the processor with the server. Median of {ROUNDS} rounds of {} s, in turns with a bare axum \
                 server on the same TLS, accept loop and allocator that reads the same bytes, parses them and answers. CPU is what the kernel accounted to the \
                 server's process, divided by the reviews it answered. One rule is a policy that uses `{}`; sixteen are two policies that use the same eight rules, \
                 all there are for CronJobs, in a namespace with a quota and a LimitRange. The shape check, which nobody can switch off, runs too.",
                review.len(),
                self.round.as_secs(),
                CRONJOB_RULES[0],
            ),
            rows: vec![
                Row::at_most("CPU per review, one rule", one.cpu, 0.055, "ms"),
                Row::at_most("CPU per review, sixteen rules", sixteen.cpu, 0.10, "ms"),
                Row::told(
                    "CPU per review, bare server",
                    format!("{:.4} ms", median(vec![bare.cpu, bare_again.cpu])),
                ),
                Row::at_least(
                    "reviews per second of the bare server's, one rule",
                    100.0 * one.rate / bare.rate,
                    60.0,
                    "%",
                ),
                Row::told(
                    "reviews per second: bare, one rule, sixteen",
                    format!("{:.0}, {:.0}, {:.0}", bare.rate, one.rate, sixteen.rate),
                ),
                Row::told(
                    "latency, one rule: median, p99",
                    format!("{:.2} ms, {:.2} ms", one.middle, one.slow),
                ),
            ],
        })
    }

    async fn update(&self) -> anyhow::Result<Section> {
        let name = "checkout";
        let (old, new) = self.governed(name).await?;
        let review = reviews::deployment_update(NAMESPACE, name, &old, &new);
        let target = self.webhook("release").await?;
        let (bare, held) = self.side_by_side(&target, &review, patched).await?;
        // what the validating webhook is asked afterwards has the patch in it
        let answer: Value = serde_json::from_slice(&held.answer)?;
        let patch: k8s_openapi::ByteString =
            serde_json::from_value(answer["response"]["patch"].clone())?;
        let mut stored = new;
        json_patch::patch(
            &mut stored,
            &serde_json::from_slice::<json_patch::Patch>(&patch.0)?,
        )?;
        let judged_review = reviews::deployment_update(NAMESPACE, name, &old, &stored);
        let target = self.webhook("workload").await?;
        let (_, judged) = self.side_by_side(&target, &judged_review, allowed).await?;
        Ok(Section {
            title: "A Deployment update",
            how: format!(
                "A new image for a Deployment with a gate that is open and a rollout plan, in turns with the bare server as above. Both objects are the live one as \
                 the API server has it, {} bytes of JSON with managedFields and kubectl's last-applied annotation; the review has {} bytes. `/admit/release` reads \
                 both, compares and hashes the templates, asks the gate and answers the patch that holds the release.",
                old.to_string().len(),
                review.len(),
            ),
            rows: vec![
                Row::at_most("CPU per review, /admit/release", held.cpu, 0.25, "ms"),
                Row::told(
                    "CPU per review, /admit/workload",
                    format!("{:.4} ms", judged.cpu),
                ),
                Row::told("CPU per review, bare server", format!("{:.4} ms", bare.cpu)),
                Row::told(
                    "reviews per second: bare, /admit/release",
                    format!("{:.0}, {:.0}", bare.rate, held.rate),
                ),
            ],
        })
    }

    /// A quota and a LimitRange in the namespace: without them the quota rule has nothing to work out.
    async fn bounds(&self) -> anyhow::Result<()> {
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "bounds", "namespace": NAMESPACE},
            "spec": {"hard": {"pods": "500", "requests.cpu": "50", "requests.memory": "64Gi", "limits.memory": "128Gi"}}});
        let range = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "bounds", "namespace": NAMESPACE},
            "spec": {"limits": [{"type": "Container", "default": {"memory": "256Mi"}, "defaultRequest": {"cpu": "50m", "memory": "64Mi"}}]}});
        objects::apply(self.plane, &[quota, range]).await?;
        wait_for(
            "the quota's status and the webhook's knowledge of it",
            || async {
                let quota = objects::get(self.plane, NAMESPACE, "resourcequota/bounds").await?;
                let metrics = self.sluice.webhook_metrics().await?;
                let known = ["resourcequotas", "limitranges"].iter().all(|cache| {
                    metrics.contains(&format!("sluice_cache_objects{{cache=\"{cache}\"}} 1"))
                });
                Ok((quota["status"]["used"].is_object() && known).then_some(()))
            },
        )
        .await
    }

    /// A real Deployment with a gate that is open and a plan, and the same with a new image.
    async fn governed(&self, name: &str) -> anyhow::Result<(Value, Value)> {
        let components = json!({"kinds": ["Deployment"], "names": [name]});
        let mut deployment = objects::deployment(name, 2, "registry.test/bench/checkout:v1");
        deployment["metadata"]["namespace"] = NAMESPACE.into();
        // as many settings as it takes to 10 KB: each stands in the template, in managedFields and in kubectl's annotation
        deployment["spec"]["template"]["spec"]["containers"][0]["env"] = (0..38)
            .map(|i| json!({"name": format!("SETTING_{i:02}"), "value": format!("value {i:02} of this installation")}))
            .collect();
        objects::apply(
            self.plane,
            &[
                deployment,
                objects::ours("Probe", NAMESPACE, "answers", &json!({
                    "http": {"target": {"pods": "All", "port": 8080, "path": "/"}}, "interval": "1s", "timeout": "900ms",
                })),
                objects::ours("Gate", NAMESPACE, name, &json!({"components": components, "before": {"probes": [{"name": "answers"}]}})),
                objects::ours("RolloutPlan", NAMESPACE, name, &json!({
                    "components": components, "batches": [1, "100%"], "bake": "1s", "during": {"probes": [{"name": "answers"}]},
                })),
            ],
        )
        .await?;
        objects::gate_opens(self.plane, NAMESPACE, name).await?;
        let old = objects::get(self.plane, NAMESPACE, &format!("deployment/{name}")).await?;
        let mut new: Value =
            serde_json::from_str(&old.to_string().replace("checkout:v1", "checkout:v2"))?;
        // the API server has counted up by the time it asks
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(1) + 1;
        new["metadata"]["generation"] = generation.into();
        Ok((old, new))
    }

    /// Makes these specs the only policies of the cluster and waits until the webhook judges by them.
    async fn policies(&self, specs: &[Value]) -> anyhow::Result<()> {
        let before = self.policies_in_force().await?;
        let delete = ["delete", "policies.sluice.dev", "--all", "-n", SYSTEM];
        self.plane.kubectl(User::Admin, delete, None).await?.ok()?;
        let policies: Vec<Value> = specs
            .iter()
            .enumerate()
            .map(|(at, spec)| objects::ours("Policy", SYSTEM, &format!("bench-{at}"), spec))
            .collect();
        objects::apply(self.plane, &policies).await?;
        let count = format!("sluice_cache_objects{{cache=\"policies\"}} {}", specs.len());
        wait_for("the policies of the benchmark", || async {
            let metrics = self.sluice.webhook_metrics().await?;
            let now = self.policies_in_force().await?;
            Ok((metrics.contains(&count) && now != before).then_some(()))
        })
        .await
    }

    async fn policies_in_force(&self) -> anyhow::Result<String> {
        let metrics = self.sluice.webhook_metrics().await?;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("sluice_policy_set_info{"));
        Ok(line
            .context("the webhook says which policies are in force")?
            .to_owned())
    }

    /// The same review to the bare server and to the webhook, in turns.
    async fn side_by_side(
        &self,
        target: &Target,
        review: &Bytes,
        expected: fn(&Value) -> bool,
    ) -> anyhow::Result<(Cost, Cost)> {
        let bare = self.bare.target();
        let servers = [(&bare, self.bare.pid()), (target, self.webhook)];
        for (target, _) in servers {
            load::run(target, review.clone(), CONNECTIONS, Duration::from_secs(1)).await?;
        }
        let (mut of_bare, mut of_webhook) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for (at, (target, pid)) in servers.into_iter().enumerate() {
                let before = process_cost::cpu(pid)?;
                let outcome = load::run(target, review.clone(), CONNECTIONS, self.round).await?;
                let spent = process_cost::cpu(pid)?.saturating_sub(before);
                if at == 0 {
                    of_bare.push((spent, outcome));
                } else {
                    let answer: Value = serde_json::from_slice(&outcome.sample)?;
                    ensure!(
                        expected(&answer["response"]),
                        "the webhook did not do the work that is measured: {answer}"
                    );
                    of_webhook.push((spent, outcome));
                }
            }
        }
        Ok((cost(&of_bare), cost(&of_webhook)))
    }

    /// Where the API server would send reviews of this hook.
    async fn webhook(&self, hook: &str) -> anyhow::Result<Target> {
        let path = format!("/admit/{hook}");
        let published = objects::get(
            self.plane,
            "default",
            "mutatingwebhookconfigurations,validatingwebhookconfigurations",
        )
        .await?;
        let client = published["items"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|configuration| configuration["webhooks"].as_array().into_iter().flatten())
            .map(|webhook| &webhook["clientConfig"])
            .find(|client| {
                client["url"]
                    .as_str()
                    .is_some_and(|url| url.ends_with(&path))
            })
            .with_context(|| format!("no webhook is published at {path}"))?;
        let url: http::Uri = client["url"].as_str().unwrap_or_default().parse()?;
        let authority = url.authority().context("the URL has a host")?;
        let address: SocketAddr = authority.as_str().parse().context("by address")?;
        let ca = client["caBundle"].as_str().context("a CA is published")?;
        let ca: k8s_openapi::ByteString = serde_json::from_value(ca.into())?;
        Ok(Target {
            address,
            path,
            ca: ca.0,
            name: authority.host().to_owned(),
        })
    }
}

fn cost(rounds: &[(Duration, Outcome)]) -> Cost {
    let middle = |of: &dyn Fn(&(Duration, Outcome)) -> f64| median(rounds.iter().map(of).collect());
    Cost {
        cpu: middle(&|(spent, outcome)| spent.as_secs_f64() * 1e3 / outcome.reviews as f64),
        rate: middle(&|(_, outcome)| outcome.rate()),
        middle: middle(&|(_, outcome)| outcome.percentile(50.0).as_secs_f64() * 1e3),
        slow: middle(&|(_, outcome)| outcome.percentile(99.0).as_secs_f64() * 1e3),
        answer: rounds
            .last()
            .map(|(_, outcome)| outcome.sample.clone())
            .unwrap_or_default(),
    }
}

/// A policy that uses built-in rules.
fn built_in(rules: &[&str]) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| json!({"use": rule, "action": "Deny"}))
        .collect();
    json!({"rules": rules})
}

/// Sees that the rules are at work: a review that breaks them is refused for what they find.
async fn refuses(target: &Target, review: &Bytes, said: &str) -> anyhow::Result<()> {
    let answer = load::run(target, review.clone(), 1, Duration::from_millis(50)).await?;
    let answer: Value = serde_json::from_slice(&answer.sample)?;
    let message = answer["response"]["status"]["message"]
        .as_str()
        .unwrap_or_default();
    ensure!(
        message.contains(said),
        "the object of the review should get {said}: {answer}"
    );
    Ok(())
}

fn allowed(response: &Value) -> bool {
    response["allowed"] == true && response["warnings"].is_null()
}

fn patched(response: &Value) -> bool {
    response["allowed"] == true && response["patch"].is_string()
}
