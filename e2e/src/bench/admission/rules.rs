//! What many rules cost, and rules of one's own.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Bench, CRONJOB_RULES, NAMESPACE, allowed, built_in, refuses};
use crate::bench::{
    report::{Row, Section},
    reviews,
};

/// Kinds whose rules a CronJob has nothing to do with.
const OTHERS: [&str; 5] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Service",
    "Ingress",
];
/// Rules of one policy.
const EACH: usize = 10;
/// Rules in all, the one that judges among them.
const RULES: usize = 1000;

impl Bench<'_> {
    /// A thousand rules of which one judges.
    pub(super) async fn many_rules(&self) -> anyhow::Result<Section> {
        let review = reviews::cronjob(NAMESPACE);
        let target = self.webhook("workload").await?;
        let policies = thousand();
        self.policies(&policies).await?;
        refuses(&target, &reviews::unbounded_cronjob(NAMESPACE), "1 finding").await?;
        let (bare, many) = self.side_by_side(&target, &review, allowed).await?;
        Ok(Section {
            title: "A CronJob review with 1,000 rules loaded",
            how: format!(
                "The review of the first section, in turns with the bare server as there, with {} policies in force that hold {RULES} rules: {} rules in CEL for \
                 {}, {} for CronJobs of namespaces with other labels, and `{}`, the one that judges.",
                policies.len(),
                RULES / 2,
                OTHERS.join(", "),
                RULES / 2 - 1,
                CRONJOB_RULES[0],
            ),
            rows: vec![
                Row::at_most("CPU per review, one of 1,000 rules", many.cpu, 0.2, "ms"),
                Row::told("CPU per review, bare server", format!("{:.4} ms", bare.cpu)),
                Row::told(
                    "latency: median, p99",
                    format!("{:.2} ms, {:.2} ms", many.middle, many.slow),
                ),
            ],
        })
    }

    /// Ten rules in CEL on a Deployment of 8 KB.
    pub(super) async fn own_rules(&self) -> anyhow::Result<Section> {
        let object = reviews::deployment(NAMESPACE);
        let review = create(&object);
        let target = self.webhook("workload").await?;
        let policy = ten();
        self.policies(std::slice::from_ref(&policy)).await?;
        refuses(&target, &create(&broken(&object)), "10 findings").await?;
        let (bare, own) = self.side_by_side(&target, &review, allowed).await?;
        Ok(Section {
            title: "A Deployment review by ten rules in CEL",
            how: format!(
                "The create of a Deployment of two containers, {} bytes of JSON with managedFields and kubectl's annotation, that passes ten own rules in CEL: four \
                 of them look at each container, two at every setting of every container, one matches a pattern, one compares quantities. In turns with the bare \
                 server as above.",
                object.to_string().len(),
            ),
            rows: vec![
                Row::at_most("CPU per review, ten rules in CEL", own.cpu, 0.15, "ms"),
                Row::told("CPU per review, bare server", format!("{:.4} ms", bare.cpu)),
                Row::told(
                    "reviews per second: bare, ten rules in CEL",
                    format!("{:.0}, {:.0}", bare.rate, own.rate),
                ),
            ],
        })
    }
}

fn create(object: &Value) -> Bytes {
    reviews::deployment_create(NAMESPACE, "checkout", object)
}

/// Policies with a thousand rules, one of which judges the CronJob of the benchmark.
fn thousand() -> Vec<Value> {
    let own = |kind: &str, number: usize| {
        json!({
            "name": format!("rule-{number}"), "kinds": [kind], "action": "Deny",
            "cel": format!("has(object.metadata.labels) && object.metadata.labels.?team.orValue('') != 'team-{number}'"),
            "message": "{{ object.metadata.name }} belongs to nobody",
        })
    };
    let mut policies = vec![built_in(&CRONJOB_RULES[..1])];
    for first in (0..RULES / 2).step_by(EACH) {
        let rules: Vec<Value> = (first..first + EACH)
            .map(|number| own(OTHERS[number % OTHERS.len()], number))
            .collect();
        policies.push(json!({"rules": rules}));
    }
    for first in (RULES / 2 + 1..RULES).step_by(EACH) {
        let rules: Vec<Value> = (first..RULES.min(first + EACH))
            .map(|number| own("CronJob", number))
            .collect();
        let elsewhere = json!({"matchLabels": {"team": format!("team-{first}")}});
        policies.push(json!({"match": {"namespaces": elsewhere}, "rules": rules}));
    }
    policies
}

/// A policy of ten own rules, all of which [`reviews::deployment`] passes and [`broken`] breaks, each once.
fn ten() -> Value {
    let object = |name: &str, cel: &str| json!({"name": name, "kinds": ["Deployment"], "action": "Deny", "cel": cel, "message": format!("{{{{ object.metadata.name }}}}: {name}")});
    let container = |name: &str, cel: &str| {
        let mut rule = object(name, cel);
        rule["each"] = "container".into();
        rule["message"] = format!("{{{{ container.name }}}}: {name}").into();
        rule
    };
    let mut summed = object(
        "too-much-memory",
        "variables.memory.all(m, quantity(m).isLessThan(quantity(params.memory)))",
    );
    summed["variables"] = json!([{"name": "memory", "expression": "object.spec.template.spec.containers.map(c, c.resources.limits.memory)"}]);
    json!({
        "params": {"registry": "registry.test/", "memory": "2Gi", "most": 20},
        "rules": [
            object("replicas", "object.spec.replicas >= 2 && object.spec.replicas <= params.most"),
            object("labels", "['app', 'team'].all(l, l in object.metadata.labels)"),
            object("rolling", "object.spec.strategy.type == 'RollingUpdate' && object.spec.strategy.rollingUpdate.maxUnavailable != '100%'"),
            object("grace", "pod.spec.?terminationGracePeriodSeconds.orValue(30) >= 10"),
            object("settings-have-values", "pod.spec.containers.all(c, c.env.all(e, has(e.value) && e.value != ''))"),
            summed,
            container("registry", "container.image.startsWith(params.registry)"),
            container("version", "container.image.matches('^[a-z0-9./-]+:v[0-9]+([.][0-9]+)*$')"),
            container("privileged", "container.?securityContext.?privileged.orValue(false) == false"),
            container("password-in-the-open", "container.env.all(e, !e.name.endsWith('_PASSWORD'))"),
        ],
    })
}

/// The same Deployment with everything wrong that the ten rules look for, in its first container where they look at containers.
fn broken(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["labels"] = json!({"app": "checkout"});
    let spec = &mut object["spec"];
    spec["replicas"] = 1.into();
    spec["strategy"] = json!({"type": "Recreate"});
    let pod = &mut spec["template"]["spec"];
    pod["terminationGracePeriodSeconds"] = 1.into();
    let container = &mut pod["containers"][0];
    container["image"] = "elsewhere.test/checkout:latest".into();
    container["resources"]["limits"]["memory"] = "8Gi".into();
    container["securityContext"] = json!({"privileged": true});
    container["env"][0] = json!({"name": "DB_PASSWORD", "value": ""});
    object
}
