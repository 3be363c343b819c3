//! How many pods of a workload exist at once, at most.

use sluice_tree::Value;

use crate::view::{Field, Int, IntOrPercent, Kind, Read, View, lookup};

const REPLICAS: Read = Read::object("spec.replicas");
const STRATEGY: Read = Read::object("spec.strategy.type");
const MAX_SURGE: Read = Read::object("spec.strategy.rollingUpdate.maxSurge");
const MAX_UNAVAILABLE: Read = Read::object("spec.strategy.rollingUpdate.maxUnavailable");
const DAEMON_MAX_SURGE: Read = Read::object("spec.updateStrategy.rollingUpdate.maxSurge");
const DAEMON_MAX_UNAVAILABLE: Read =
    Read::object("spec.updateStrategy.rollingUpdate.maxUnavailable");
const POD: Read = Read::pod("");
const PARALLELISM: Read = Read::job("parallelism");
const COMPLETIONS: Read = Read::job("completions");

/// Pods beside one another at the peak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peak {
    /// Pods that stay.
    pub(crate) pods: i64,
    /// Pods that a rolling update adds.
    pub(crate) surge: i64,
    /// The field that sets the number.
    pub(crate) field: Read,
    /// Whether this is the least there can be, and more cannot be told.
    pub(crate) at_least: bool,
}

/// A field that holds no number that can be meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Senseless {
    pub(crate) read: Read,
    pub(crate) found: String,
    pub(crate) passes: &'static str,
}

/// The peak of a workload; `None` for a kind that makes no pods.
///
/// A Deployment is taken at its next rolling update: all replicas and the resolved surge. A StatefulSet takes a pod down before it makes the new one.
/// A CronJob is taken as one Job: how many run beside one another nobody can tell. A DaemonSet has the pods that its status counts; without one, at least one.
///
/// # Errors
/// The first field that holds no number that can be meant.
pub(crate) fn peak(view: &View<'_>) -> Result<Option<Peak>, Senseless> {
    match view.kind() {
        Kind::Deployment => deployment(view).map(Some),
        Kind::StatefulSet | Kind::ReplicaSet | Kind::ReplicationController => {
            fixed(count(view, REPLICAS)?.unwrap_or(1), REPLICAS)
        }
        Kind::Pod => fixed(1, POD),
        Kind::DaemonSet => daemon_set(view).map(Some),
        Kind::Job | Kind::CronJob => job(view).map(Some),
        _ => Ok(None),
    }
}

fn fixed(pods: i64, field: Read) -> Result<Option<Peak>, Senseless> {
    Ok(Some(Peak {
        pods,
        surge: 0,
        field,
        at_least: false,
    }))
}

fn daemon_set(view: &View<'_>) -> Result<Peak, Senseless> {
    let nodes = counted(view, "desiredNumberScheduled");
    let pods = nodes.unwrap_or(1);
    let surge = share(view, DAEMON_MAX_SURGE, pods, true)?;
    share(view, DAEMON_MAX_UNAVAILABLE, pods, false)?;
    Ok(Peak {
        pods,
        // the surge of one node says nothing about all of them
        surge: if nodes.is_some() { surge } else { 0 },
        field: POD,
        at_least: nodes.is_none(),
    })
}

/// A count of the status; `None` where there is none.
fn counted(view: &View<'_>, name: &str) -> Option<i64> {
    let status = view.written(Read::object("status"))?;
    lookup(status, name)?
        .as_i64()
        .map(|count| count.clamp(0, i64::from(i32::MAX)))
}

fn deployment(view: &View<'_>) -> Result<Peak, Senseless> {
    let pods = count(view, REPLICAS)?.unwrap_or(1);
    let surge = if pods == 0 || view.field(STRATEGY).text() == Some("Recreate") {
        0
    } else {
        // a percentage of surge rounds up, one of unavailability rounds down; when both come to nothing one pod is taken down, none added
        share(view, MAX_SURGE, pods, true)?
    };
    share(view, MAX_UNAVAILABLE, pods, false)?;
    Ok(Peak {
        pods,
        surge,
        field: REPLICAS,
        at_least: false,
    })
}

fn job(view: &View<'_>) -> Result<Peak, Senseless> {
    let parallelism = count(view, PARALLELISM)?.unwrap_or(1);
    let completions = count(view, COMPLETIONS)?;
    Ok(Peak {
        pods: completions.map_or(parallelism, |most| most.min(parallelism)),
        surge: 0,
        field: PARALLELISM,
        at_least: false,
    })
}

/// Pods of this workload that are already charged: those that the status counts, else those the spec asks for.
pub(crate) fn running(view: &View<'_>) -> i64 {
    match view.kind() {
        Kind::Pod => 1,
        Kind::Deployment | Kind::StatefulSet | Kind::ReplicaSet | Kind::ReplicationController => {
            counted(view, "replicas").unwrap_or_else(|| {
                // without any status nobody has counted yet
                let unseen = view.written(Read::object("status")).is_none();
                let asked = || count(view, REPLICAS).ok().flatten().unwrap_or(1);
                if unseen { asked() } else { 0 }
            })
        }
        // as many as the peak is taken to be
        Kind::DaemonSet => counted(view, "desiredNumberScheduled").unwrap_or(1),
        Kind::Job => counted(view, "active").unwrap_or(0),
        Kind::CronJob => {
            let jobs = view
                .written(Read::object("status"))
                .and_then(|status| lookup(status, "active"))
                .and_then(Value::as_array)
                .map_or(0, <[Value]>::len);
            let pods = job(view).map_or(0, |peak| peak.pods);
            i64::try_from(jobs).unwrap_or(i64::MAX).saturating_mul(pods)
        }
        _ => 0,
    }
    .clamp(0, i64::from(i32::MAX))
}

/// A count of pods: not negative, within the 32 bits of the API.
fn count(view: &View<'_>, read: Read) -> Result<Option<i64>, Senseless> {
    let field = view.field(read);
    match field.int() {
        Int::Absent => Ok(None),
        Int::Is(value) if (0..=i64::from(i32::MAX)).contains(&value) => Ok(Some(value)),
        _ => Err(senseless(read, &field, "a whole number, not negative")),
    }
}

/// A number or percentage of the pods.
fn share(view: &View<'_>, read: Read, pods: i64, up: bool) -> Result<i64, Senseless> {
    let field = view.field(read);
    let most = i64::from(i32::MAX);
    match field.int_or_percent() {
        IntOrPercent::Absent => Ok(0),
        IntOrPercent::Int(value) if (0..=most).contains(&value) => Ok(value),
        IntOrPercent::Percent(percent) if percent <= most => {
            let hundredfold = pods * percent;
            Ok(if up {
                (hundredfold + 99) / 100
            } else {
                hundredfold / 100
            })
        }
        _ => Err(senseless(
            read,
            &field,
            "a whole number or a percentage, not negative",
        )),
    }
}

fn senseless(read: Read, field: &Field<'_>, passes: &'static str) -> Senseless {
    Senseless {
        read,
        found: field.found(),
        passes,
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    fn of(kind: &str, version: &str, spec: Value) -> Result<(i64, i64), String> {
        let object = json!({"apiVersion": version, "kind": kind, "spec": spec});
        peak(&View::lift(&object).unwrap())
            .map(|peak| peak.map_or((-1, -1), |peak| (peak.pods, peak.surge)))
            .map_err(|senseless| senseless.read.path.to_owned())
    }

    #[test]
    fn surge_rounds_up_and_defaults_count() {
        let rolling = |surge: Value, unavailable: Value| json!({"maxSurge": surge, "maxUnavailable": unavailable});
        for (spec, peak) in [
            (json!({}), Ok((1, 1))),
            (json!({"replicas": 10}), Ok((10, 3))),
            (json!({"replicas": 20}), Ok((20, 5))),
            (json!({"replicas": 0}), Ok((0, 0))),
            (
                json!({"replicas": 10, "strategy": {"type": "Recreate"}}),
                Ok((10, 0)),
            ),
            (
                json!({"replicas": 10, "strategy": {"rollingUpdate": rolling(json!(4), json!(0))}}),
                Ok((10, 4)),
            ),
            (
                json!({"replicas": 10, "strategy": {"rollingUpdate": rolling(json!("11%"), json!(0))}}),
                Ok((10, 2)),
            ),
            (
                json!({"replicas": 10, "strategy": {"rollingUpdate": rolling(json!("0%"), json!("0%"))}}),
                Ok((10, 0)),
            ),
            (
                json!({"replicas": 2_147_483_647, "strategy": {"rollingUpdate": rolling(json!("2147483647%"), json!(0))}}),
                Ok((2_147_483_647, 46_116_860_141_324_207)),
            ),
            (json!({"replicas": -1}), Err("spec.replicas".to_owned())),
            (json!({"replicas": "3"}), Err("spec.replicas".to_owned())),
            (
                json!({"replicas": 3, "strategy": {"rollingUpdate": rolling(json!("many"), json!(0))}}),
                Err("spec.strategy.rollingUpdate.maxSurge".to_owned()),
            ),
        ] {
            assert_eq!(of("Deployment", "apps/v1", spec.clone()), peak, "{spec}");
        }
    }

    #[test]
    fn jobs_run_no_more_pods_than_they_complete() {
        for (spec, pods) in [
            (json!({}), 1),
            (json!({"parallelism": 5}), 5),
            (json!({"parallelism": 5, "completions": 3}), 3),
            (json!({"completions": 3}), 1),
            (json!({"parallelism": 0}), 0),
        ] {
            assert_eq!(of("Job", "batch/v1", spec.clone()), Ok((pods, 0)), "{spec}");
            let cronjob = json!({"jobTemplate": {"spec": spec}});
            assert_eq!(of("CronJob", "batch/v1", cronjob), Ok((pods, 0)), "{spec}");
        }
        assert_eq!(of("PodTemplate", "v1", json!({})), Ok((-1, -1)));
    }

    #[test]
    fn what_takes_down_before_it_makes_has_no_surge() {
        for (kind, version) in [
            ("StatefulSet", "apps/v1"),
            ("ReplicaSet", "apps/v1"),
            ("ReplicationController", "v1"),
        ] {
            assert_eq!(of(kind, version, json!({"replicas": 7})), Ok((7, 0)));
            assert_eq!(of(kind, version, json!({})), Ok((1, 0)));
            assert!(of(kind, version, json!({"replicas": -7})).is_err());
        }
        assert_eq!(of("Pod", "v1", json!({})), Ok((1, 0)));
    }

    #[test]
    fn daemon_sets_have_the_pods_that_their_status_counts() {
        let of = |status: Value, surge: Value| {
            let object = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "status": status, "spec": {
                "updateStrategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0}}}});
            let peak = peak(&View::lift(&object).unwrap()).unwrap().unwrap();
            (peak.pods, peak.surge, peak.at_least)
        };
        let counted = json!({"desiredNumberScheduled": 30});
        assert_eq!(of(counted.clone(), json!("25%")), (30, 8, false));
        assert_eq!(of(counted, json!(0)), (30, 0, false));
        assert_eq!(of(json!({}), json!("25%")), (1, 0, true));
        assert_eq!(
            of(json!({"desiredNumberScheduled": "x"}), json!(1)),
            (1, 0, true)
        );
        assert_eq!(
            of(json!({"desiredNumberScheduled": -4}), json!(0)),
            (0, 0, false)
        );
    }
}
