//! A memory limit that is hardly above what the container was seen to use.

use sluice_api::{Action, Certainty};

use crate::{
    capacity::Need,
    rule::{
        Case, Category, FactKind, Parameter, RatioParameter, RawFinding, Report, Rule, RuleInfo,
        ratio_text,
    },
    view::{Kind, Read},
};

static LEAST: RatioParameter = RatioParameter {
    name: "minPeakRatio",
    default: 120,
    least: 100,
    most: 10_000,
    meaning: "how many times the most memory that a container was seen to use its limit must be",
};

/// The name never changes in an update, so it is not among what is judged.
const NAME: Read = Read::object("metadata.name");

static INFO: RuleInfo = RuleInfo {
    code: "SLU2102",
    name: "memory-limit-near-peak",
    title: "a memory limit leaves no room above what was seen in use",
    category: Category::Capacity,
    severity: Action::Warn,
    // of these the names of pods tell whose they are
    kinds: &[
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::CronJob,
    ],
    parameters: &[Parameter::Ratio(&LEAST)],
    ordered: &[],
    facts: &[FactKind::ObservedPeaks],
    reads: &[
        Read::pod("containers[*].resources"),
        Read::pod("initContainers[*].resources"),
    ],
    document: include_str!("memory_limit_near_peak.md"),
};

struct MemoryLimitNearPeak;

pub(in crate::rules) const RULE: &dyn Rule = &MemoryLimitNearPeak;

impl Rule for MemoryLimitNearPeak {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let name = case.field(NAME);
        let Some(name) = name.text() else {
            // a name that is yet to be chosen was never seen
            return;
        };
        let least = case.hundredths(&LEAST);
        let peaks = &case.facts.peaks;
        for container in case.view.containers() {
            // what holds no quantity, and what has no limit, is the finding of others
            let need = Need::asked_by(&container);
            let Some(limit) = need.and_then(|need| need.limits.get("memory").copied()) else {
                continue;
            };
            let path = "resources.limits.memory";
            let Some(peak) = peaks.of(case.view.kind(), name, container.name()) else {
                let mut found = "whether it leaves room: no peak was observed".to_owned();
                if !peaks.missing.is_empty() {
                    found = format!("{found}, {}", peaks.missing);
                }
                report.add(RawFinding {
                    certainty: Certainty::Unknown,
                    ..RawFinding::of_container(
                        case.view,
                        &container,
                        path,
                        &found,
                        "a Prometheus server in the configuration that knows the container, or ObservedPeaks in a file of facts",
                    )
                });
                continue;
            };
            // compared in hundredths, so that nothing is rounded
            if limit.times(100) >= peak.times(least) {
                continue;
            }
            let wanted = peak.hundredths(least);
            let found = format!("{limit}, and {peak} were seen in use");
            let passes = format!("at least {wanted}, {} times the peak", ratio_text(least));
            report.container(case.view, &container, path, &found, passes);
            if let Some(finding) = report.last() {
                // a lower limit is a new finding
                finding.measure = Some(-limit.nanos());
            }
        }
    }
}
