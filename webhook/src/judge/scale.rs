//! Scaling: `kubectl scale`, and whoever else asks the sub-resource `scale` for more pods without touching the workload.
//!
//! The object of such a request is a number. What the pods need is taken from the workload as it is watched; where that is not known, nobody can tell.
//! A ServiceAccount is warned and never refused: it may be an autoscaler, and one that asks for too much must not be left with what it has.

use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_api::{Action, Mode, WorkloadKind};
use sluice_policies::{
    Facts, Operation, Subject, cap,
    scale::{Scalable, is_scaled},
};

use super::{JudgeError, Judged, Knowledge, Now, Outcome, telling, workload};
use crate::envelope::Review;

/// The object of the request.
#[derive(Default, Deserialize)]
struct Scale {
    #[serde(default)]
    spec: Wanted,
    #[serde(default)]
    status: There,
}

#[derive(Default, Deserialize)]
struct Wanted {
    /// Left out when it is zero.
    #[serde(default)]
    replicas: i64,
}

#[derive(Default, Deserialize)]
struct There {
    replicas: Option<i64>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

pub(super) fn judge(
    knowledge: &Knowledge,
    review: &Review<'_>,
    mode: Mode,
    now: Now,
) -> Result<Judged, JudgeError> {
    let not_judged = || Ok(Judged::nothing(Outcome::NotJudged));
    let (Some(kind), true) = (kind(review), mode != Mode::Off) else {
        return not_judged();
    };
    let new = read(review.object, "object")?;
    let old = read(review.old_object, "oldObject")?;
    if new.spec.replicas <= old.spec.replicas {
        return not_judged();
    }
    let indexes = &knowledge.indexes;
    let namespace = review.namespace.as_deref().unwrap_or_default();
    let name = review.name.as_deref().unwrap_or_default();
    let known = indexes
        .beside
        .scalable(kind, namespace, name)
        .unwrap_or_else(|| Scalable::unknown(kind, name));
    let running = old.status.replicas;
    let (after, before) = (
        known.with(new.spec.replicas, running),
        known.with(old.spec.replicas, running),
    );

    let rulebook = indexes.rulebook();
    let labels = indexes.namespace_labels(namespace);
    let quotas = indexes.quotas.bucket(namespace);
    let limit_ranges = indexes.limit_ranges.bucket(namespace);
    let facts = Facts {
        namespace_labels: labels.as_deref(),
        // the lists are complete, or nothing would be answered: none here is none
        quotas: Some(quotas.as_deref().map_or(&[], |bucket| bucket.values())),
        limit_ranges: Some(
            limit_ranges
                .as_deref()
                .map_or(&[], |bucket| bucket.values()),
        ),
        ..Facts::default()
    };
    let subject = Subject {
        operation: Operation::Update,
        namespace,
        object: &after,
        old: Some(&before),
        dry_run: review.is_dry_run(),
    };
    let judgement = rulebook
        .policies
        .judge_scale(&subject, &facts, &rulebook.exceptions, now.time);
    if judgement.not_judged.is_some() {
        return not_judged();
    }
    let mut findings = judgement.findings;
    let at_most = if by_service_account(review) {
        Action::Warn
    } else {
        Action::Deny
    };
    for finding in &mut findings {
        finding.action = cap(finding.action, mode).min(at_most);
    }
    let (reply, outcome) = telling::tell(
        &workload::title(kind.as_str(), name, namespace),
        &findings,
        rulebook.policies.digest(),
    );
    Ok(Judged {
        reply,
        findings,
        ..Judged::nothing(outcome)
    })
}

/// The kind of the workload that is scaled.
fn kind(review: &Review<'_>) -> Option<WorkloadKind> {
    let kind = match (
        review.resource.group.as_ref(),
        review.resource.resource.as_ref(),
    ) {
        ("apps", "deployments") => WorkloadKind::Deployment,
        ("apps", "statefulsets") => WorkloadKind::StatefulSet,
        _ => return None,
    };
    is_scaled(kind).then_some(kind)
}

fn read(raw: Option<&RawValue>, what: &'static str) -> Result<Scale, JudgeError> {
    raw.map_or(Ok(Scale::default()), |raw| {
        serde_json::from_str(raw.get()).map_err(|source| JudgeError::Object { what, source })
    })
}

fn by_service_account(review: &Review<'_>) -> bool {
    let user = review.user_info.map(RawValue::get);
    user.and_then(|user| serde_json::from_str::<User>(user).ok())
        .is_some_and(|user| user.username.starts_with("system:serviceaccount:"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sluice_policies::facts::PodTemplate;

    use super::*;
    use crate::{
        fixtures::{Cluster, deployment, review},
        index::bucket::{Change, Key},
        judge::{Hook, judge as judge_review},
    };

    const ENOUGH: &str = "needs 6 of pods at its peak (5 replicas + 1 surge = 6 pods), ResourceQuota quota has 5 in all";

    /// Pods of a namespace `shop` are limited to five; `checkout` is known when it is said to be.
    fn cluster(known: bool) -> Cluster {
        let rules = json!([{"use": "quota-breach"}]);
        let cluster = Cluster::new()
            .policy("shop", "quotas", &rules)
            .quota("shop", &json!({"pods": "5"}));
        let templates = &cluster.0.indexes.beside.pod_templates[WorkloadKind::Deployment as usize];
        templates.change(Change::ListBegins);
        if known {
            let mut object = deployment("1");
            object["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = json!(1);
            let key = Key {
                bucket: "shop".into(),
                name: "checkout".into(),
            };
            let kept = PodTemplate::with_scalable(&sluice_tree::Value::from(object)).unwrap();
            templates.change(Change::Listed(key, kept));
        }
        templates.change(Change::ListEnds);
        cluster
    }

    fn scaled(from: i64, to: i64) -> Value {
        let scale = |replicas: i64| {
            let mut scale = json!({
                "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "checkout", "namespace": "shop"},
                "spec": {}, "status": {"replicas": from},
            });
            // as the API server writes it
            if replicas > 0 {
                scale["spec"]["replicas"] = json!(replicas);
            }
            scale
        };
        let mut review = review(&scale(to), Some(&scale(from)), false);
        review["request"]["subResource"] = json!("scale");
        review["request"]["resource"] =
            json!({"group": "apps", "version": "v1", "resource": "deployments"});
        review
    }

    fn told(cluster: &Cluster, hook: Hook, review: &Value) -> (Outcome, String) {
        let body = serde_json::to_vec(review).unwrap();
        let review = Review::parse(&body).unwrap();
        let judged = judge_review(&cluster.0, hook, &review, Now::read()).unwrap();
        let said = [
            judged.reply.refused.into_iter().collect(),
            judged.reply.warnings,
        ]
        .concat();
        (judged.outcome, said.join("\n"))
    }

    #[test]
    fn more_pods_than_a_quota_can_hold_are_refused_and_fewer_are_never_judged() {
        let cluster = cluster(true);
        for (from, to, outcome, says) in [
            (2, 5, Outcome::Denied, ENOUGH),
            (2, 4, Outcome::Allowed, ""),
            (9, 8, Outcome::NotJudged, ""),
            (9, 9, Outcome::NotJudged, ""),
            (9, 0, Outcome::NotJudged, ""),
            (0, 0, Outcome::NotJudged, ""),
            (0, 5, Outcome::Denied, ENOUGH),
        ] {
            let (found, said) = told(&cluster, Hook::Workload, &scaled(from, to));
            assert_eq!(found, outcome, "{from} -> {to}: {said}");
            assert!(said.contains(says), "{from} -> {to}: {said}");
            assert_eq!(said.is_empty(), says.is_empty(), "{said}");
        }
    }

    #[test]
    fn nobody_is_refused_where_that_would_harm() {
        let enforced = cluster(true);
        let mut by_account = scaled(2, 5);
        by_account["request"]["userInfo"]["username"] = json!("system:serviceaccount:shop:keda");
        let mut dry = scaled(2, 5);
        dry["request"]["dryRun"] = json!(true);
        for (review, hook) in [
            (&by_account, Hook::Workload),
            (&dry, Hook::Workload),
            (&scaled(2, 5), Hook::Observe),
        ] {
            let (outcome, said) = told(&enforced, hook, review);
            assert_eq!(outcome, Outcome::Warned, "{said}");
            assert!(said.contains(ENOUGH), "{said}");
        }
        // what was too much before is told, and no reason to refuse
        let (outcome, _) = told(&enforced, Hook::Workload, &scaled(7, 8));
        assert_eq!(outcome, Outcome::Denied, "it is worse than before");
        let off = cluster(true).namespace("shop", "off");
        let (outcome, _) = told(&off, Hook::Observe, &scaled(2, 5));
        assert_eq!(outcome, Outcome::NotJudged);
        let mut replica_set = scaled(2, 5);
        replica_set["request"]["resource"]["resource"] = json!("replicasets");
        let (outcome, _) = told(&enforced, Hook::Workload, &replica_set);
        assert_eq!(outcome, Outcome::NotJudged);
    }

    #[test]
    fn of_a_workload_that_is_not_known_nobody_can_tell() {
        let (outcome, said) = told(&cluster(false), Hook::Workload, &scaled(2, 5));
        assert_eq!(outcome, Outcome::Warned, "{said}");
        assert!(
            said.contains("cannot tell: what a pod of it needs"),
            "{said}"
        );
        // without a quota there is nothing to tell
        let rules = json!([{"use": "quota-breach"}]);
        let free = Cluster::new().policy("shop", "quotas", &rules);
        let (outcome, said) = told(&free, Hook::Workload, &scaled(2, 5));
        assert_eq!((outcome, said.as_str()), (Outcome::Allowed, ""));
    }
}
