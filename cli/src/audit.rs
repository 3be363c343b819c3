//! `sluice audit`: what `enforce` would refuse of what is in the cluster now, so that nobody is surprised by turning it on.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::{CronJob, Job},
    core::v1::{Namespace, ReplicationController, Service},
    networking::v1::Ingress,
    policy::v1::PodDisruptionBudget,
};
use kube::{Client, Resource, core::ApiResource};
use serde::{Serialize, de::DeserializeOwned};
use sluice_api::{
    Action, Certainty, Finding, Mode, Policy, PolicyException, SYSTEM_NAMESPACE, finding, label,
};
use sluice_policies::{
    ExceptionBounds, Exceptions, NotJudged, Operation, PolicySet, PolicySource, Subject, view::Kind,
};
use sluice_runtime::config;
use sluice_tree::Value;

use crate::{
    check::{
        exceptions,
        facts::{Known, Reach},
        policies,
    },
    cluster::{Connection, explained, facts},
    console::{self, Style, Tone, one_line},
    outcome::Outcome,
    output::Output,
};

/// What `enforce` would refuse of what is in the cluster now (0 nothing, 1 something); of every namespace unless one is named.
#[derive(Args, Debug)]
pub struct Audit {
    /// Policy files or folders instead of the policies of the cluster
    #[arg(long, value_name = "PATH", num_args = 1..)]
    policies: Vec<String>,
    /// Files or folders with PolicyExceptions instead of the exceptions of the cluster
    #[arg(long, value_name = "PATH", num_args = 1..)]
    exceptions: Vec<String>,
    /// Sluice's configuration file, for how long exceptions may last
    #[arg(long, env = "SLUICE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// The whole answer. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    policy_set: String,
    namespaces: Vec<OfNamespace>,
    objects: Vec<Audited>,
    problems: Vec<String>,
}

/// One namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfNamespace {
    name: String,
    mode: Mode,
    judged: usize,
    refused: usize,
    warned: usize,
    unknown: usize,
    /// Objects that break a rule and would go in, because an exception lets them pass for a while.
    excepted: usize,
    /// Objects that are never judged: made by a controller, or being deleted.
    not_governed: usize,
}

/// One object with findings.
#[derive(Clone, Debug, Serialize)]
struct Audited {
    namespace: String,
    kind: String,
    name: String,
    findings: Vec<Finding>,
    /// What an `enforce` namespace would answer if it were applied anew; absent when it would go in.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When something of the cluster cannot be read: half an audit is none.
pub async fn run(audit: Audit, connection: &Connection) -> anyhow::Result<Outcome> {
    let client = connection.client().await?;
    let only = connection.namespace.as_deref();
    let config = audit.config.as_deref().map(config::load_file).transpose()?;
    let bounds = exceptions::bounds(config.as_ref());
    let (set, mut problems) = if audit.policies.is_empty() {
        of_cluster(&client).await?
    } else {
        let loaded = policies::load(&audit.policies);
        (
            loaded.set,
            loaded.problems.iter().map(ToString::to_string).collect(),
        )
    };
    let excepted = if audit.exceptions.is_empty() {
        let (excepted, broken) = exceptions_of_cluster(&client, bounds).await?;
        // one that cannot work counts for nothing; the audit is whole without it
        for said in broken {
            eprintln!("warning: {said}");
        }
        excepted
    } else {
        let loaded = exceptions::load(&audit.exceptions, bounds);
        problems.extend(loaded.problems.iter().map(ToString::to_string));
        loaded.exceptions
    };
    let namespaces = match only {
        Some(name) => one_namespace(&client, name).await?,
        None => facts::namespaces(&client).await?,
    };
    let mut known = Known::default();
    known.learn(&namespaces, Reach::Cluster, "default");
    facts::learn(&client, &mut known, &set, only).await?;

    let mut objects = Vec::new();
    for (kind, resource) in audited() {
        if kind.is_workload() || set.judges(kind) {
            objects.extend(facts::all(&client, &resource, only).await?);
        }
    }
    let judges = Judges {
        set: &set,
        exceptions: &excepted,
        now: Timestamp::now(),
        known: &known,
    };
    let report = judge(judges, &namespaces, &objects, problems);
    let style = Style::of_stdout();
    console::print(&audit.output.output.show(&report, || text(&report, style))?)?;
    let refused = report
        .namespaces
        .iter()
        .any(|namespace| namespace.refused > 0);
    Ok(match (report.problems.is_empty(), refused) {
        (false, _) => Outcome::CannotTell,
        (true, true) => Outcome::No,
        (true, false) => Outcome::Yes,
    })
}

/// The kinds that the webhook sees.
fn audited() -> [(Kind, ApiResource); 10] {
    [
        (Kind::Deployment, ApiResource::erase::<Deployment>(&())),
        (Kind::StatefulSet, ApiResource::erase::<StatefulSet>(&())),
        (Kind::DaemonSet, ApiResource::erase::<DaemonSet>(&())),
        (Kind::CronJob, ApiResource::erase::<CronJob>(&())),
        (Kind::Job, ApiResource::erase::<Job>(&())),
        (
            Kind::ReplicationController,
            ApiResource::erase::<ReplicationController>(&()),
        ),
        (Kind::Service, ApiResource::erase::<Service>(&())),
        (Kind::Ingress, ApiResource::erase::<Ingress>(&())),
        (
            Kind::HorizontalPodAutoscaler,
            ApiResource::erase::<HorizontalPodAutoscaler>(&()),
        ),
        (
            Kind::PodDisruptionBudget,
            ApiResource::erase::<PodDisruptionBudget>(&()),
        ),
    ]
}

async fn one_namespace(client: &Client, name: &str) -> anyhow::Result<Vec<Value>> {
    let api: kube::Api<Namespace> = kube::Api::all(client.clone());
    let found = explained(
        api.get(name).await,
        &format!("namespace {name} cannot be read"),
    )?;
    let mut found = serde_json::to_value(found)?;
    found["apiVersion"] = serde_json::json!("v1");
    found["kind"] = serde_json::json!("Namespace");
    Ok(vec![found.into()])
}

/// The policies in force, and why others are not.
async fn of_cluster(client: &Client) -> anyhow::Result<(PolicySet, Vec<String>)> {
    let (policies, mut problems) = stored::<Policy>(client, "policy").await?;
    let (set, left_out) =
        PolicySet::compile(
            policies
                .iter()
                .map(|(namespace, name, policy)| PolicySource {
                    namespace,
                    name,
                    spec: &policy.spec,
                    cluster_wide: namespace == SYSTEM_NAMESPACE,
                }),
        );
    problems.extend(left_out.iter().map(ToString::to_string));
    if policies.is_empty() {
        problems.push("there is no policy in the cluster: nothing can be found (`sluice install` applies the shipped ones)".to_owned());
    }
    Ok((set, problems))
}

/// The exceptions of the cluster, and why others count for nothing.
async fn exceptions_of_cluster(
    client: &Client,
    bounds: ExceptionBounds,
) -> anyhow::Result<(Exceptions, Vec<String>)> {
    let (found, mut problems) = stored::<PolicyException>(client, "exception").await?;
    let specs: Vec<_> = found
        .into_iter()
        .map(|(namespace, name, exception)| (namespace, name, exception.spec))
        .collect();
    let (exceptions, left_out) = exceptions::compile(&specs, bounds);
    problems.extend(left_out);
    Ok((exceptions, problems))
}

/// An object with its namespace and name.
type Placed<K> = (String, String, K);

/// Every object of a kind, and why one cannot be read; `called` is the kind for people.
async fn stored<K>(client: &Client, called: &str) -> anyhow::Result<(Vec<Placed<K>>, Vec<String>)>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    for object in facts::all(client, &ApiResource::erase::<K>(&()), None).await? {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        match sluice_tree::from_value::<K>(object) {
            Ok(object) => objects.push((namespace, name, object)),
            Err(error) => problems.push(format!(
                "{called} {namespace}/{name} cannot be read: {error}"
            )),
        }
    }
    Ok((objects, problems))
}

/// What judges.
#[derive(Clone, Copy)]
struct Judges<'a> {
    set: &'a PolicySet,
    exceptions: &'a Exceptions,
    now: Timestamp,
    known: &'a Known,
}

/// Pure: the report on objects of namespaces.
fn judge(
    judges: Judges<'_>,
    namespaces: &[Value],
    objects: &[Value],
    problems: Vec<String>,
) -> Report {
    let Judges {
        set,
        exceptions,
        now,
        known,
    } = judges;
    let mut rows: BTreeMap<String, OfNamespace> = namespaces
        .iter()
        .map(|namespace| {
            let name = namespace["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let mode = Mode::of_label(namespace["metadata"]["labels"][label::MODE].as_str());
            (
                name.clone(),
                OfNamespace {
                    name,
                    mode,
                    ..OfNamespace::default()
                },
            )
        })
        .collect();
    let mut audited = Vec::new();
    for object in objects {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (namespace, kind, name) = (
            text("/metadata/namespace"),
            text("/kind"),
            text("/metadata/name"),
        );
        let row = rows
            .entry(namespace.clone())
            .or_insert_with(|| OfNamespace {
                name: namespace.clone(),
                ..OfNamespace::default()
            });
        if row.mode == Mode::Off {
            continue;
        }
        let judgement = set.judge_excepting(
            &Subject {
                operation: Operation::Create,
                namespace: &namespace,
                object,
                old: None,
                dry_run: false,
            },
            &known.of(&namespace),
            exceptions,
            now,
        );
        match judgement.not_judged {
            Some(NotJudged::OwnedByController { .. } | NotJudged::BeingDeleted) => {
                row.not_governed += 1
            }
            Some(_) => {}
            None => row.judged += 1,
        }
        let of = |wanted: Action| {
            judgement
                .findings
                .iter()
                .filter(|finding| finding.action == wanted && finding.certainty == Certainty::Sure)
                .filter(|finding| finding.excepted.is_none())
                .collect::<Vec<_>>()
        };
        let denying = of(Action::Deny);
        row.refused += usize::from(!denying.is_empty());
        row.warned += usize::from(!of(Action::Warn).is_empty());
        row.excepted += usize::from(
            denying.is_empty()
                && judgement
                    .findings
                    .iter()
                    .any(|finding| finding.excepted.is_some()),
        );
        row.unknown += usize::from(
            judgement
                .findings
                .iter()
                .any(|finding| finding.certainty == Certainty::Unknown),
        );
        let title = format!("{}/{name} in namespace {namespace}", kind.to_lowercase());
        let refusal =
            (!denying.is_empty()).then(|| finding::refusal(&title, &denying, set.digest()));
        if !judgement.findings.is_empty() {
            audited.push(Audited {
                namespace,
                kind,
                name,
                refusal,
                findings: judgement.findings,
            });
        }
    }
    audited.sort_by(|a, b| (&a.namespace, &a.kind, &a.name).cmp(&(&b.namespace, &b.kind, &b.name)));
    Report {
        policy_set: set.digest().to_owned(),
        namespaces: rows.into_values().collect(),
        objects: audited,
        problems,
    }
}

fn text(report: &Report, style: Style) -> String {
    let mut text = String::new();
    for problem in &report.problems {
        text.push_str(&format!("{}\n", style.paint(Tone::Bad, &one_line(problem))));
    }
    for object in &report.objects {
        for finding in &object.findings {
            let (word, tone) = match (finding.certainty, finding.action) {
                _ if finding.excepted.is_some() => ("excepted", Tone::Quiet),
                (Certainty::Unknown, _) => ("unknown", Tone::Doubtful),
                (Certainty::Sure, Action::Deny) => ("deny", Tone::Bad),
                (Certainty::Sure, Action::Warn) => ("warn", Tone::Doubtful),
                (Certainty::Sure, Action::Audit) => ("audit", Tone::Quiet),
            };
            let title = format!(
                "{} {}/{}",
                object.namespace,
                object.kind.to_lowercase(),
                object.name
            );
            text.push_str(&format!(
                "{}: {}: {}\n",
                style.paint(Tone::Strong, &title),
                style.paint(tone, word),
                one_line(&finding.line())
            ));
        }
    }
    let rows: Vec<Vec<String>> = report
        .namespaces
        .iter()
        .filter(|row| row.judged + row.not_governed > 0 || row.mode != Mode::Audit)
        .map(|row| {
            let numbers = [
                row.judged,
                row.refused,
                row.warned,
                row.unknown,
                row.excepted,
                row.not_governed,
            ]
            .map(|number| number.to_string());
            [
                vec![row.name.clone(), row.mode.to_string()],
                numbers.to_vec(),
            ]
            .concat()
        })
        .collect();
    text.push_str(&console::table(
        &[
            "NAMESPACE",
            "MODE",
            "JUDGED",
            "REFUSED",
            "WARNED",
            "CANNOT TELL",
            "EXCEPTED",
            "NOT GOVERNED",
        ],
        &rows,
    ));
    let refused: usize = report.namespaces.iter().map(|row| row.refused).sum();
    let short = report.policy_set.get(..12).unwrap_or(&report.policy_set);
    text.push_str(&if refused == 0 {
        format!("{}nothing that is there would be refused in mode enforce (policy set {short})\n", style.icon("✔", Tone::Good))
    } else {
        format!(
            "{}{refused} of these would be refused if they were applied anew in mode enforce; what is there keeps running and may still be edited (policy set {short})\n",
            style.icon("✖", Tone::Bad)
        )
    });
    text
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn counts_by_namespace_what_would_be_refused() {
        let set = policies::load(&[]).set;
        let namespaces = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "labels": {"sluice.dev/mode": "off"}}}),
        ];
        let mut known = Known::default();
        known.learn(&namespaces, Reach::Cluster, "default");
        let job = |namespace: &str, owned: bool| {
            let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "namespace": namespace},
                "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}}});
            if owned {
                job["metadata"]["ownerReferences"] =
                    json!([{"kind": "CronJob", "name": "c", "controller": true}]);
            }
            job
        };
        let report = judge(
            Judges {
                set: &set,
                exceptions: &Exceptions::default(),
                now: Timestamp::now(),
                known: &known,
            },
            &namespaces,
            &[
                job("shop", false),
                job("shop", true),
                job("kube-system", false),
            ],
            Vec::new(),
        );
        let shop = report
            .namespaces
            .iter()
            .find(|row| row.name == "shop")
            .unwrap();
        assert_eq!((shop.judged, shop.refused, shop.not_governed), (1, 1, 1));
        assert_eq!(report.objects.len(), 1);
        assert!(
            report.objects[0]
                .refusal
                .as_ref()
                .unwrap()
                .starts_with("job/a in namespace shop: ")
        );
        let text = text(&report, Style { terminal: false });
        assert!(
            text.contains("shop job/a: deny: SLU1006 job-without-deadline"),
            "{text}"
        );
        assert!(text.contains("1 of these would be refused"), "{text}");
    }

    #[test]
    fn what_an_exception_covers_is_not_refused_and_counted_apart() {
        let set = policies::load(&[]).set;
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let spec = sluice_tree::from_value(json!({
            "subject": {"kind": "Job", "name": "a"}, "rule": "SLU1006", "reason": "r", "owner": "team-a",
            "expires": "2026-06-02T00:00:00Z",
        }))
        .unwrap();
        let specs = [("shop".to_owned(), "e".to_owned(), spec)];
        let (exceptions, broken) = exceptions::compile(&specs, ExceptionBounds::default());
        assert_eq!(broken, Vec::<String>::new());
        let job = |name: &str| {
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "shop"},
                "spec": {"ttlSecondsAfterFinished": 60, "backoffLimit": 1, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a",
                    "image": "registry.test/a@sha256:0", "resources": {"requests": {"cpu": "1", "memory": "1Mi"}, "limits": {"memory": "1Mi"}}}]}}}})
        };
        let mut known = Known::default();
        known.learn([], Reach::Cluster, "default");
        let of = |now| {
            let judges = Judges {
                set: &set,
                exceptions: &exceptions,
                now,
                known: &known,
            };
            judge(judges, &[], &[job("a"), job("b")], Vec::new())
        };
        let report = of(now);
        let row = &report.namespaces[0];
        assert_eq!(
            (row.judged, row.refused, row.excepted),
            (2, 1, 1),
            "{report:?}"
        );
        let told = text(&report, Style { terminal: false });
        assert!(
            told.contains("shop job/a: excepted: SLU1006 ")
                && told.contains("shop job/b: deny: SLU1006 "),
            "{told}"
        );
        let after = of("2026-06-02T00:00:00Z".parse().unwrap());
        assert_eq!(
            (after.namespaces[0].refused, after.namespaces[0].excepted),
            (2, 0)
        );
    }
}
