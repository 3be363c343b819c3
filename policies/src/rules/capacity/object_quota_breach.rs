//! An object that the quota of the namespace does not count in, or that makes more objects than it allows.

use sluice_api::{Action, Certainty};

use crate::{
    capacity::{Quantity, Quota},
    rule::{Case, Category, FactKind, RawFinding, Report, Rule, RuleInfo},
    view::{Int, Kind, Read, View},
};

const SUCCESSFUL: Read = Read::object("spec.successfulJobsHistoryLimit");
const FAILED: Read = Read::object("spec.failedJobsHistoryLimit");
const TEMPLATE: Read = Read::object("spec.template");

static INFO: RuleInfo = RuleInfo {
    code: "SLU2013",
    name: "object-quota-breach",
    title: "the quota of the namespace does not hold the objects that a workload makes",
    category: Category::Capacity,
    severity: Action::Deny,
    kinds: &[
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::ReplicaSet,
        Kind::ReplicationController,
        Kind::Job,
        Kind::CronJob,
        Kind::PodTemplate,
    ],
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Quotas],
    reads: &[SUCCESSFUL, FAILED, TEMPLATE, Read::object("metadata.name")],
    document: include_str!("object_quota_breach.md"),
};

struct ObjectQuotaBreach;

pub(in crate::rules) const RULE: &dyn Rule = &ObjectQuotaBreach;

/// Objects of one sort that a workload is or makes.
struct Objects {
    resource: &'static str,
    /// All of them that are there at once.
    all: i64,
    /// Those that are not there yet.
    more: i64,
    /// What they are, in words.
    what: String,
    path: String,
}

impl Rule for ObjectQuotaBreach {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let namespace = case.namespace;
        let Some(quotas) = case.facts.quotas else {
            report.unknown(
                format!("the ResourceQuotas of namespace {namespace} are not known"),
                "the ResourceQuotas, from the cluster or a file of facts",
            );
            return;
        };
        if quotas.is_empty() {
            return;
        }
        let objects = objects(case.view, case.old);
        for quota in quotas {
            match Quota::of(quota) {
                // scopes are of pods: nothing else is counted then
                Ok(quota) if quota.is_scoped() => {}
                Ok(quota) => objects
                    .iter()
                    .for_each(|made| against(&quota, made, report)),
                Err(problem) => report.unknown(problem, "a quota that can be read"),
            }
        }
    }
}

fn objects(view: &View<'_>, old: Option<&View<'_>>) -> Vec<Objects> {
    let mut all = Vec::new();
    if old.is_none() {
        for resource in own(view.kind()) {
            all.push(Objects {
                resource,
                all: 1,
                more: 1,
                what: "itself".to_owned(),
                path: "metadata.name".to_owned(),
            });
        }
    }
    let revision = match view.kind() {
        Kind::Deployment => Some(("count/replicasets.apps", "ReplicaSet")),
        Kind::StatefulSet | Kind::DaemonSet => {
            Some(("count/controllerrevisions.apps", "ControllerRevision"))
        }
        _ => None,
    };
    if let Some((resource, what)) = revision
        && old.is_none_or(|old| view.differs(old, TEMPLATE))
    {
        // the one before stays as long as its pods do
        let before = i64::from(old.is_some());
        all.push(Objects {
            resource,
            all: 1 + before,
            more: 1,
            what: match before {
                0 => format!("one {what}"),
                _ => format!("one {what} more beside the one before"),
            },
            path: view.path(TEMPLATE),
        });
    }
    if view.kind() == Kind::CronJob {
        let (kept, before) = (history(view), old.map_or(-1, history));
        if kept > before {
            all.push(Objects {
                resource: "count/jobs.batch",
                all: kept.saturating_add(1),
                // one that runs, and the history in the course of time
                more: kept.saturating_sub(before),
                what: format!("{kept} kept as history and one that runs"),
                path: view.path(SUCCESSFUL),
            });
        }
    }
    all
}

/// How many finished Jobs a CronJob keeps.
fn history(view: &View<'_>) -> i64 {
    [SUCCESSFUL, FAILED]
        .into_iter()
        .map(|read| match view.field(read).int() {
            Int::Is(count) => count.clamp(0, i64::from(i32::MAX)),
            _ => 0,
        })
        .sum()
}

/// Under which names a quota counts an object of this kind.
fn own(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Deployment => &["count/deployments.apps"],
        Kind::StatefulSet => &["count/statefulsets.apps"],
        Kind::DaemonSet => &["count/daemonsets.apps"],
        Kind::ReplicaSet => &["count/replicasets.apps"],
        Kind::ReplicationController => &["replicationcontrollers", "count/replicationcontrollers"],
        Kind::Job => &["count/jobs.batch"],
        Kind::CronJob => &["count/cronjobs.batch"],
        Kind::PodTemplate => &["count/podtemplates"],
        // pods are counted with what they need, by quota-breach
        _ => &[],
    }
}

fn against(quota: &Quota<'_>, made: &Objects, report: &mut Report) {
    let Some(hard) = quota.hard.get(made.resource).copied() else {
        return;
    };
    let (name, resource, what) = (quota.name, made.resource, &made.what);
    let (all, more) = (Quantity::units(made.all), Quantity::units(made.more));
    let finding = |bound: &str, found: String, passes: String| RawFinding {
        identity: format!("{name}/{resource}/{bound}"),
        measure: Some(all.nanos()),
        way_out: Some(format!("more {resource} in ResourceQuota {name}")),
        ..RawFinding::at(made.path.clone(), found, passes)
    };
    if all > hard {
        report.add(finding(
            "hard",
            format!("{all} of {resource} ({what}), ResourceQuota {name} has {hard} in all"),
            format!("at most {hard} of {resource}"),
        ));
        return;
    }
    let mut rest = match &quota.used {
        None => RawFinding {
            certainty: Certainty::Unknown,
            ..finding(
                "used",
                format!(
                    "{all} of {resource} ({what}), ResourceQuota {name} has {hard} in all, and nobody says how much of it is used"
                ),
                format!("status.used of ResourceQuota {name}"),
            )
        },
        Some(used) => {
            let used = used.get(resource).copied().unwrap_or(Quantity::ZERO);
            let left = hard.minus(used);
            if more <= left {
                return;
            }
            finding(
                "left",
                format!(
                    "{more} more of {resource} ({what}), ResourceQuota {name} has {left} left ({hard} in all - {used} used)"
                ),
                format!("at most {left} of {resource}"),
            )
        }
    };
    // others come and go
    rest.ceiling = Action::Warn;
    report.add(rest);
}
