//! A workload whose pods the quota of the namespace cannot hold.

use sluice_api::{Action, Certainty};

use crate::{
    capacity::{
        Charge, ContainerDefaults, Peak, PodNeed, Quantity, Quota, ScopeMatch, Senseless,
        Unreadable, peak, running,
    },
    rule::{Case, Category, FactKind, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read, View},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU2003",
    name: "quota-breach",
    title: "the quota of the namespace cannot hold the workload at its peak",
    category: Category::Capacity,
    severity: Action::Deny,
    kinds: &[
        Kind::Pod,
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::ReplicaSet,
        Kind::ReplicationController,
        Kind::Job,
        Kind::CronJob,
    ],
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Quotas, FactKind::LimitRanges],
    reads: &[
        Read::object("spec.replicas"),
        Read::object("spec.strategy"),
        Read::object("spec.updateStrategy"),
        Read::object("spec.volumeClaimTemplates"),
        Read::job("parallelism"),
        Read::job("completions"),
        Read::pod("containers[*].resources"),
        Read::pod("initContainers[*].resources"),
        Read::pod("initContainers[*].restartPolicy"),
        Read::pod("resources"),
        Read::pod("overhead"),
        Read::pod("runtimeClassName"),
        Read::pod("priorityClassName"),
        Read::pod("activeDeadlineSeconds"),
        Read::pod("affinity"),
        Read::pod("volumes"),
    ],
    document: include_str!("quota_breach.md"),
};

struct QuotaBreach;

pub(in crate::rules) const RULE: &dyn Rule = &QuotaBreach;

/// What stops the prediction.
enum Stop {
    /// A field of the object can never be meant.
    Found(Box<RawFinding>),
    /// Something is not known: what, and where it could come from.
    Unknown(String, String),
}

impl Stop {
    fn found(finding: RawFinding) -> Self {
        Self::Found(Box::new(finding))
    }
}

impl Rule for QuotaBreach {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judges_scale(&self) -> bool {
        true
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        match predict(case, report) {
            Ok(()) => {}
            Err(Stop::Found(finding)) => report.add(*finding),
            Err(Stop::Unknown(missing, needs)) => report.unknown(missing, needs),
        }
    }
}

fn predict(case: &Case<'_>, report: &mut Report) -> Result<(), Stop> {
    let namespace = case.namespace;
    let unknown = |what: &str| {
        Stop::Unknown(
            format!("the {what} of namespace {namespace} are not known"),
            format!("the {what}, from the cluster or a file of facts"),
        )
    };
    let quotas = case.facts.quotas.ok_or_else(|| unknown("ResourceQuotas"))?;
    if quotas.is_empty() {
        return Ok(());
    }
    let mut limiting = Vec::new();
    for quota in quotas {
        let quota = Quota::of(quota)
            .map_err(|problem| Stop::Unknown(problem, "a quota that can be read".to_owned()))?;
        if quota.limits_pods() {
            limiting.push(quota);
        }
    }
    if limiting.is_empty() {
        return Ok(());
    }
    // of a workload that is scaled nothing may be known but its name
    let bare = |view: &View<'_>| view.part(Anchor::Pod).is_none();
    if bare(case.view) && case.old.is_some_and(bare) {
        return Err(Stop::Unknown(
            "what a pod of it needs is not known".to_owned(),
            "the workload as the cluster has it".to_owned(),
        ));
    }
    limiting.sort_by_key(|quota| quota.name);
    let ranges = case
        .facts
        .limit_ranges
        .ok_or_else(|| unknown("LimitRanges"))?;
    let defaults = ContainerDefaults::of(ranges)
        .map_err(|problem| Stop::Unknown(problem, "a LimitRange that can be read".to_owned()))?;
    let Some(peak) = peak(case.view).map_err(|senseless| stop_at(case.view, senseless))? else {
        return Ok(());
    };
    if peak.pods + peak.surge == 0 {
        return Ok(());
    }
    let need = PodNeed::of(case.view, &defaults).map_err(no_quantity)?;
    // an old object that cannot be read has no pods that could be charged
    let old = case
        .old
        .and_then(|old| Some((PodNeed::of(old, &defaults).ok()?, running(old))));
    let workload = Workload {
        view: case.view,
        peak,
        need,
        old,
    };
    for quota in &limiting {
        workload.against(quota, report);
    }
    Ok(())
}

fn stop_at(view: &View<'_>, senseless: Senseless) -> Stop {
    Stop::found(RawFinding::at(
        view.path(senseless.read),
        senseless.found,
        senseless.passes,
    ))
}

fn no_quantity(unreadable: Unreadable) -> Stop {
    Stop::found(RawFinding::at(
        unreadable.path,
        unreadable.problem,
        "a quantity, such as 500m or 1Gi",
    ))
}

struct Workload<'a> {
    view: &'a View<'a>,
    peak: Peak,
    need: PodNeed<'a>,
    /// What a pod of the object before was charged, and how many of them are.
    old: Option<(PodNeed<'a>, i64)>,
}

impl Workload<'_> {
    fn against(&self, quota: &Quota<'_>, report: &mut Report) {
        let applies = quota.applies(self.view, &self.need);
        if applies == ScopeMatch::No {
            return;
        }
        let mut findings = Report::default();
        for (resource, hard) in &quota.hard {
            let Some(charge) = Charge::of(resource) else {
                continue;
            };
            // the scopes of pods mean nothing for claims
            if charge.of_claims() && quota.is_scoped() {
                continue;
            }
            if charge.required()
                && !self.need.pod_level
                && self.missing(quota, resource, charge, &mut findings)
            {
                continue;
            }
            self.fits(quota, resource, charge, *hard, &mut findings);
        }
        for mut finding in findings.findings {
            if let ScopeMatch::Perhaps(on_what) = applies
                && finding.certainty == Certainty::Sure
            {
                finding.certainty = Certainty::Unknown;
                finding.found = format!(
                    "{}, if quota {} applies to these pods",
                    finding.found, quota.name
                );
                finding.passes =
                    format!("to know {on_what}; {} passes in any case", finding.passes);
            }
            report.add(finding);
        }
    }

    /// A quota that names cpu or memory refuses every pod with a container that does not set it.
    fn missing(
        &self,
        quota: &Quota<'_>,
        resource: &str,
        charge: Charge<'_>,
        report: &mut Report,
    ) -> bool {
        let before = report.findings.len();
        for (container, need) in &self.need.containers {
            if !charge.set_by(need) {
                let passes = format!(
                    "an amount: quota {} has {resource}, so it refuses pods without one",
                    quota.name
                );
                report.container(self.view, container, &charge.path(), "absent", passes);
            }
        }
        report.findings.len() > before
    }

    fn fits(
        &self,
        quota: &Quota<'_>,
        resource: &str,
        charge: Charge<'_>,
        hard: Quantity,
        report: &mut Report,
    ) {
        let pod = charge.pod(&self.need);
        let old = self.old.as_ref().map(|(old, _)| charge.pod(old));
        let (needed, sum) = self.needed(charge, pod, old);
        let name = quota.name;
        let finding = |bound: &str, certainty, found, passes| RawFinding {
            path: if let Some(claim) = self.need.claims.first().filter(|_| charge.of_claims()) {
                claim.path.clone()
            } else if pod > hard {
                self.view.prefix(Anchor::Pod).unwrap_or_default().to_owned()
            } else {
                self.view.path(self.peak.field)
            },
            identity: format!("{name}/{resource}/{bound}"),
            measure: Some(needed.nanos()),
            certainty,
            ceiling: if bound == "hard" {
                Action::Deny
            } else {
                Action::Warn
            },
            found,
            passes,
            way_out: Some(format!("more {resource} in ResourceQuota {name}")),
        };
        if needed > hard {
            report.add(finding(
                "hard",
                Certainty::Sure,
                format!("needs {needed} of {resource} at its peak ({sum}), ResourceQuota {name} has {hard} in all"),
                format!("at most {hard} of {resource}"),
            ));
            return;
        }
        let by_default = charge.by_default_class(&self.need).times(self.peak.pods);
        if needed.plus(by_default) > hard {
            report.add(finding(
                "class",
                Certainty::Unknown,
                format!("needs {} of {resource} where that class is the default of the cluster, ResourceQuota {name} has {hard} in all", needed.plus(by_default)),
                "a storageClassName in every claim".to_owned(),
            ));
        }
        if needed.is_zero() {
            return;
        }
        if self.peak.at_least {
            report.add(finding(
                "nodes",
                Certainty::Unknown,
                format!("needs {needed} of {resource} on every node it runs on, ResourceQuota {name} has {hard} in all, and the number of these nodes is not known"),
                "status.desiredNumberScheduled, which the cluster has once it is there".to_owned(),
            ));
        }
        if let Some(class) = &self.need.unknown_overhead
            && matches!(charge, Charge::Request(_))
        {
            report.add(finding(
                "overhead",
                Certainty::Unknown,
                format!("needs {needed} of {resource} at its peak ({sum}) and the overhead of RuntimeClass {class}, which is not known"),
                format!("the overhead of RuntimeClass {class} in overhead of the pod"),
            ));
        }
        let Some(used) = &quota.used else {
            report.add(finding(
                "used",
                Certainty::Unknown,
                format!("needs {needed} of {resource} at its peak ({sum}), ResourceQuota {name} has {hard} in all, and nobody says how much of it is used"),
                format!("status.used of ResourceQuota {name}"),
            ));
            return;
        };
        let used = used.get(resource).copied().unwrap_or(Quantity::ZERO);
        let own = match (&self.old, old) {
            (Some((_, pods)), Some(old)) => old.times(*pods),
            _ => Quantity::ZERO,
        };
        let left = hard.minus(used).plus(own);
        if needed > left {
            let own = if own.is_zero() {
                String::new()
            } else {
                format!(" + {own} of its own")
            };
            report.add(finding(
                "left",
                Certainty::Sure,
                format!("needs {needed} of {resource} at its peak ({sum}), ResourceQuota {name} has {left} left ({hard} in all - {used} used{own})"),
                format!("at most {left} of {resource}"),
            ));
        }
    }

    /// What the peak needs, and the arithmetic in words.
    fn needed(
        &self,
        charge: Charge<'_>,
        pod: Quantity,
        old: Option<Quantity>,
    ) -> (Quantity, String) {
        let Peak { pods, surge, .. } = self.peak;
        let all = pods.saturating_add(surge);
        // while the update runs the pods that stay are still the old ones
        if let Some(old) = old
            && surge > 0
            && old > pod
        {
            let mixed = old.times(pods).plus(pod.times(surge));
            return (
                mixed,
                format!(
                    "{pods} old {} x {old} + {surge} surge x {pod}",
                    self.called(pods)
                ),
            );
        }
        let mut sum = format!("{pods} {}", self.called(pods));
        if surge > 0 {
            sum.push_str(&format!(" + {surge} surge = {all} pods"));
        }
        if charge != Charge::Pods {
            sum.push_str(&format!(" x {pod}"));
        }
        (pod.times(all), sum)
    }

    /// What so many pods are called.
    fn called(&self, pods: i64) -> &'static str {
        match (self.view.kind(), pods) {
            (
                Kind::Deployment
                | Kind::StatefulSet
                | Kind::ReplicaSet
                | Kind::ReplicationController,
                count,
            ) => {
                if count == 1 {
                    "replica"
                } else {
                    "replicas"
                }
            }
            (Kind::DaemonSet, 1) => "node",
            (Kind::DaemonSet, _) => "nodes",
            (Kind::CronJob, 1) => "pod of one Job",
            (Kind::CronJob, _) => "parallel pods of one Job",
            (_, 1) => "pod",
            _ => "parallel pods",
        }
    }
}
