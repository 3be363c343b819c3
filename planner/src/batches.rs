//! Cumulative batches of a plan, and whether a plan can work.
//!
//! Sizes are resolved against the replicas of the moment, so a workload that is scaled keeps the shares of its plan. The last batch is always everything;
//! a plan that does not say so gets it added. Batches that resolve to the same number of pods are one batch: whoever asks for the next one names the
//! pods that are there and gets the first batch that asks for more.

use sluice_api::{BatchSize, Duration, RolloutPlanSpec, gate::ProbeRef};

use crate::problem;

pub use crate::problem::Problem as PlanProblem;

/// The longest bake and the longest watch.
pub const LONGEST_BAKE: Duration = Duration::from_secs(720 * 3600);
/// The shortest progress deadline: below it a pod start is luck.
pub const SHORTEST_PROGRESS_DEADLINE: Duration = Duration::from_secs(1);
/// The longest progress deadline.
pub const LONGEST_PROGRESS_DEADLINE: Duration = Duration::from_secs(720 * 3600);
/// How many batches and how many probe references a plan may name.
pub const MOST_ENTRIES: usize = 32;

/// The batches of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    sizes: Vec<BatchSize>,
}

/// One batch, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its position in the plan, counted from one.
    pub index: u32,
    /// Pods that may run the new version in it.
    pub pods: u32,
}

impl Batches {
    /// The batches of a plan; what they leave out is a last batch of everything.
    #[must_use]
    pub fn of(plan: &RolloutPlanSpec) -> Self {
        let mut sizes = plan.batches.clone();
        if sizes.last() != Some(&BatchSize::Percent(100)) {
            sizes.push(BatchSize::Percent(100));
        }
        Self { sizes }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.sizes.len()).unwrap_or(u32::MAX)
    }

    /// Pods that may run the new version in each batch. Never goes down, whatever the mix of numbers and shares; the last is `replicas`.
    #[must_use]
    pub fn pods(&self, replicas: u32) -> Vec<u32> {
        self.sizes
            .iter()
            .scan(0, |most, size| {
                *most = size.pods(replicas).max(*most);
                Some(*most)
            })
            .collect()
    }

    /// The batch at a position of the plan, counted from one; the last one for a position beyond the plan, as after an edit that made it shorter.
    #[must_use]
    pub fn at(&self, index: u32, replicas: u32) -> Batch {
        let index = index.clamp(1, self.count());
        let pods = self.pods(replicas);
        Batch {
            index,
            pods: pods.get(index as usize - 1).copied().unwrap_or(replicas),
        }
    }

    /// The first batch that asks for more than the `new` pods that are there; `None` when everything is new.
    #[must_use]
    pub fn after(&self, new: u32, replicas: u32) -> Option<Batch> {
        (1..)
            .zip(self.pods(replicas))
            .find(|(_, pods)| *pods > new)
            .map(|(index, pods)| Batch { index, pods })
    }
}

/// Every reason why a plan cannot work; none means that it can.
#[must_use]
pub fn validate_plan(spec: &RolloutPlanSpec) -> Vec<PlanProblem> {
    let mut problems = Vec::new();
    if spec.batches.is_empty() || spec.batches.len() > MOST_ENTRIES {
        problems.push(PlanProblem::new(
            "spec.batches",
            format!("{} entries", spec.batches.len()),
            format!("1 to {MOST_ENTRIES} cumulative sizes"),
        ));
    }
    sizes_go_up(&spec.batches, &mut problems);
    let selector = spec.components.selector.as_ref();
    problem::of_selector("spec.components.selector", selector, &mut problems);
    for (path, found, shortest, longest) in [
        ("spec.bake", spec.bake, Duration::default(), LONGEST_BAKE),
        (
            "spec.progressDeadline",
            spec.progress_deadline,
            SHORTEST_PROGRESS_DEADLINE,
            LONGEST_PROGRESS_DEADLINE,
        ),
        (
            "spec.after.watch",
            spec.after.watch,
            Duration::default(),
            LONGEST_BAKE,
        ),
    ] {
        if !(shortest..=longest).contains(&found) {
            problems.push(PlanProblem::new(
                path,
                found,
                format!("{shortest} to {longest}"),
            ));
        }
    }
    probe_references("spec.during.probes", &spec.during.probes, &mut problems);
    probe_references("spec.after.probes", &spec.after.probes, &mut problems);
    problems
}

fn sizes_go_up(sizes: &[BatchSize], problems: &mut Vec<PlanProblem>) {
    let (mut pods, mut percent) = (1, 1);
    for (position, size) in sizes.iter().enumerate() {
        let path = || format!("spec.batches[{position}]");
        match *size {
            // after everything there is nothing left to add
            BatchSize::Pods(found) if percent == 100 => {
                problems.push(PlanProblem::new(path(), found, "nothing after 100%"));
            }
            BatchSize::Pods(found) if found < pods => problems.push(PlanProblem::new(
                path(),
                found,
                format!("at least {pods}: batches are cumulative and may not go down"),
            )),
            BatchSize::Pods(found) => pods = found,
            BatchSize::Percent(found) if found < percent || found > 100 => {
                problems.push(PlanProblem::new(
                    path(),
                    format!("{found}%"),
                    format!("{percent}% to 100%: batches are cumulative and may not go down"),
                ));
            }
            BatchSize::Percent(found) => percent = found,
        }
    }
}

/// What a schema cannot say about references to probes.
pub(crate) fn probe_references(path: &str, probes: &[ProbeRef], problems: &mut Vec<PlanProblem>) {
    if probes.len() > MOST_ENTRIES {
        problems.push(PlanProblem::new(
            path,
            format!("{} entries", probes.len()),
            format!("at most {MOST_ENTRIES}"),
        ));
    }
    for (position, probe) in probes.iter().enumerate() {
        let selector = format!("{path}[{position}].selector");
        problem::of_selector(&selector, probe.selector.as_ref(), problems);
        let found = match (&probe.name, &probe.selector) {
            (Some(_), Some(_)) => "name and selector",
            (None, None) => "neither name nor selector",
            (Some(name), None) if name.is_empty() => "an empty name",
            _ => continue,
        };
        problems.push(PlanProblem::new(
            format!("{path}[{position}]"),
            found,
            "either name or selector",
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(spec: serde_json::Value) -> RolloutPlanSpec {
        let mut whole = json!({"components": {}});
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn batches_are_cumulative_and_end_with_everything() {
        for (sizes, replicas, pods) in [
            (json!([1, "10%", "50%", "100%"]), 20, vec![1, 2, 10, 20]),
            (json!([1, "10%", "50%", "100%"]), 3, vec![1, 1, 1, 3]),
            (json!(["10%"]), 20, vec![2, 20]),
            (json!([5, "10%"]), 20, vec![5, 5, 20]),
            (json!([7]), 5, vec![5, 5]),
            (json!(["100%"]), 4, vec![4]),
            (json!([1, "50%"]), 0, vec![0, 0, 0]),
        ] {
            let batches = Batches::of(&plan(json!({"batches": sizes})));
            assert_eq!(batches.pods(replicas), pods, "{sizes} of {replicas}");
            assert_eq!(batches.count() as usize, pods.len());
        }
    }

    #[test]
    fn the_next_batch_asks_for_more_than_is_there() {
        let batches = Batches::of(&plan(json!({"batches": [1, "10%", "50%", "100%"]})));
        for (new, replicas, next) in [
            (0, 20, Some((1, 1))),
            (1, 20, Some((2, 2))),
            (2, 20, Some((3, 10))),
            (5, 20, Some((3, 10))),
            (10, 20, Some((4, 20))),
            (20, 20, None),
            (1, 3, Some((4, 3))),
            // scaled from 3 to 20 after the first pod was proved: no share is skipped
            (1, 20, Some((2, 2))),
            (0, 0, None),
        ] {
            let found = batches
                .after(new, replicas)
                .map(|batch| (batch.index, batch.pods));
            assert_eq!(found, next, "{new} of {replicas}");
        }
        assert_eq!(batches.at(9, 20), Batch { index: 4, pods: 20 });
        assert_eq!(batches.at(3, 20), Batch { index: 3, pods: 10 });
    }

    #[test]
    fn a_plan_that_cannot_work_is_told_where_and_what_would_pass() {
        for (spec, paths) in [
            (json!({}), vec![]),
            (json!({"batches": [1, 1, "10%", 5, "10%"]}), vec![]),
            (json!({"batches": [5, 3]}), vec!["spec.batches[1]"]),
            (
                json!({"batches": ["50%", 1, "10%"]}),
                vec!["spec.batches[2]"],
            ),
            (json!({"batches": ["100%", 5]}), vec!["spec.batches[1]"]),
            (json!({"batches": []}), vec!["spec.batches"]),
            (json!({"bake": "721h"}), vec!["spec.bake"]),
            (
                json!({"progressDeadline": "0s"}),
                vec!["spec.progressDeadline"],
            ),
            (
                json!({"after": {"watch": "721h"}}),
                vec!["spec.after.watch"],
            ),
            (
                json!({"during": {"probes": [{}]}}),
                vec!["spec.during.probes[0]"],
            ),
            (
                json!({"after": {"probes": [{"name": "a"}, {"name": "a", "selector": {}}]}}),
                vec!["spec.after.probes[1]"],
            ),
        ] {
            let problems = validate_plan(&plan(spec.clone()));
            let found: Vec<&str> = problems
                .iter()
                .map(|problem| problem.path.as_str())
                .collect();
            assert_eq!(found, paths, "{spec}: {problems:?}");
        }
    }
}
