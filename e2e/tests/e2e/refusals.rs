//! What people read when Sluice refuses, and when it only warns.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sluice_e2e::{User, plane::wait_for};

use crate::{
    answers::{lines, refusal, refused, warnings},
    place::{Place, in_place},
};

/// How long a refusal may be, and how many findings it may print.
const LONGEST: usize = 4096;
const PRINTED: usize = 10;

fn cron_job(name: &str, spec: &Value) -> String {
    let mut whole = json!({
        "schedule": "0 3 * * *", "startingDeadlineSeconds": 600, "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1,
        "jobTemplate": {"spec": {"activeDeadlineSeconds": 600, "backoffLimit": 1, "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "report", "image": "registry.test/report:1",
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}}],
        }}}},
    });
    json_patch::merge(&mut whole, spec);
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": whole})
        .to_string()
}

fn deployment(image: &str, resources: &Value) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "shop", "labels": {"app": "shop"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "shop"}}, "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "shop", "image": image, "resources": resources,
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}}}]},
        }},
    })
    .to_string()
}

fn bounded() -> Value {
    json!({"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}})
}

/// Every line of a refusal says which rule, where, what was found and what would pass.
fn explains_itself(message: &str) -> anyhow::Result<()> {
    let found = lines(message);
    ensure!(!found.is_empty(), "no finding in: {message}");
    for line in found {
        let parts = (|| {
            let (head, rest) = line.split_once(": ")?;
            let mut words = head.split(' ');
            let (code, rule, at, path) =
                (words.next()?, words.next()?, words.next()?, words.next()?);
            let (what, passes) = rest.split_once("; passes: ")?;
            let digits = code.strip_prefix("SLU")?;
            Some(
                digits.len() == 4
                    && digits.bytes().all(|digit| digit.is_ascii_digit())
                    && rule.contains('-')
                    && at == "at"
                    && !path.is_empty()
                    && !what.is_empty()
                    && !passes.is_empty(),
            )
        })();
        ensure!(parts == Some(true), "it does not explain itself: {line}");
    }
    Ok(())
}

#[tokio::test]
async fn one_message_holds_ten_findings_and_counts_the_rest() -> anyhow::Result<()> {
    in_place("bounds", "enforce", async |place| {
        let containers: Vec<Value> = (0..30)
            .map(|i| json!({"name": format!("c{i}"), "image": "registry.test/c:1"}))
            .collect();
        let mut job: Value = serde_json::from_str(&cron_job("many", &json!({})))?;
        job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"] = json!(containers);
        let output = place
            .feed(User::Developer, "create -f -", &job.to_string())
            .await?;
        let message = refused(&output)?;
        explains_itself(message)?;
        ensure!(message.len() <= LONGEST, "{} bytes", message.len());
        // a limit and two requests for each container
        ensure!(lines(message).len() == PRINTED, "{message}");
        ensure!(message.contains(": 90 findings (policy set "), "{message}");
        ensure!(
            message.contains("… and 80 more: `sluice check`"),
            "{message}"
        );
        let all = place.check(&job.to_string()).await?;
        ensure!(
            all["summary"]["deny"] == 90,
            "check does not print all of them: {}",
            all["summary"]
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_message_stays_within_4_kib() -> anyhow::Result<()> {
    in_place("long", "enforce", async |place| {
        let quotas: Vec<Value> = (0..9)
            .map(|i| {
                let name = format!("{i}-{}", "quota-with-a-long-name.".repeat(9) + "end");
                json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name},
                    "spec": {"hard": {"pods": "0"}}})
            })
            .collect();
        let quotas = json!({"apiVersion": "v1", "kind": "List", "items": quotas}).to_string();
        place
            .feed(User::Admin, "create -f -", &quotas)
            .await?
            .ok()?;
        let manifest = deployment("registry.test/shop:v1", &bounded());
        let message = wait_for("the webhook to have heard of nine quotas", || async {
            let output = place
                .feed(User::Developer, "create -f -", &manifest)
                .await?;
            if output.succeeded() {
                place.kubectl(User::Admin, "delete deployment shop").await?;
                return Ok(None);
            }
            let message = refused(&output)?;
            Ok(message.contains(": 9 findings").then(|| message.to_owned()))
        })
        .await?;
        explains_itself(&message)?;
        ensure!(message.len() <= LONGEST, "{} bytes", message.len());
        let printed = lines(&message).len();
        ensure!((4..9).contains(&printed), "{printed} of 9 printed");
        ensure!(
            message.contains(&format!("… and {} more", 9 - printed)),
            "{message}"
        );
        Ok(())
    })
    .await
}

/// A gate that nothing opens: its probe does not exist.
fn closed_gate() -> String {
    json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Gate", "metadata": {"name": "shop"},
        "spec": {"components": {"kinds": ["Deployment"], "names": ["shop"]}, "before": {"probes": [{"name": "nobody"}]}}})
    .to_string()
}

/// A running Deployment, then a gate in front of it that is closed, and the webhook knows.
async fn guarded(place: &Place) -> anyhow::Result<()> {
    let running = deployment("registry.test/shop:v1", &bounded());
    place
        .feed(User::Developer, "apply -f -", &running)
        .await?
        .ok()?;
    place
        .feed(User::Admin, "apply -f -", &closed_gate())
        .await?
        .ok()?;
    let next = deployment("registry.test/shop:v2", &bounded());
    wait_for("the webhook to know the gate", || async {
        let output = place
            .feed(User::Developer, "apply --dry-run=server -f -", &next)
            .await?;
        Ok((!warnings(&output).is_empty()).then_some(()))
    })
    .await
}

#[tokio::test]
async fn gate_and_manifest_speak_in_one_message_and_dry_run_lets_the_gate_pass()
-> anyhow::Result<()> {
    in_place("together", "enforce", async |place| {
        guarded(place).await?;
        let faulty = deployment(
            "registry.test/shop:v2",
            &json!({"requests": {"cpu": "10m"}}),
        );
        let output = place.feed(User::Developer, "apply -f -", &faulty).await?;
        let message = refused(&output)?;
        explains_itself(message)?;
        let found = lines(message);
        let told = |code: &str| found.iter().any(|line| line.starts_with(code));
        ensure!(
            told("SLU0001") && told("SLU2001") && told("SLU2002"),
            "{message}"
        );
        ensure!(
            message.contains("gate-not-open at spec.template: gate "),
            "{message}"
        );
        ensure!(
            message.contains(&format!("sluice gate get shop -n {}", place.namespace)),
            "no way out: {message}"
        );

        // GitOps dry-runs everything it owns: the manifest's faults are refused there too, the gate is only warned of
        let dry = place
            .feed(User::Developer, "apply --dry-run=server -f -", &faulty)
            .await?;
        let message = refused(&dry)?;
        let found = lines(message);
        ensure!(
            found.iter().any(|line| line.starts_with("SLU2001"))
                && !found.iter().any(|line| line.starts_with("SLU0")),
            "{message}"
        );
        ensure!(
            warnings(&dry)
                .iter()
                .any(|line| line.starts_with("SLU0001 gate-not-open")),
            "{dry:?}"
        );
        let fine = deployment("registry.test/shop:v2", &bounded());
        let dry = place
            .feed(User::Developer, "apply --dry-run=server -f -", &fine)
            .await?;
        ensure!(
            dry.succeeded()
                && warnings(&dry)
                    .iter()
                    .any(|line| line.starts_with("SLU0001 gate-not-open")),
            "{dry:?}"
        );
        let real = place.feed(User::Developer, "apply -f -", &fine).await?;
        ensure!(lines(refused(&real)?).len() == 1, "{real:?}");

        // what starts no release is no business of the gate
        for line in [
            "scale deployment shop --replicas=2",
            "label deployment shop tier=web",
        ] {
            let output = place.kubectl(User::Developer, line).await?;
            ensure!(
                output.succeeded() && warnings(&output).is_empty(),
                "{output:?}"
            );
        }
        let live = place.object("deployment shop").await?;
        let image = &live["spec"]["template"]["spec"]["containers"][0]["image"];
        ensure!(image == "registry.test/shop:v1", "{image}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn old_sins_only_warn_and_new_ones_are_refused() -> anyhow::Result<()> {
    in_place("ratchet", "off", async |place| {
        let unbounded = cron_job(
            "old",
            &json!({"startingDeadlineSeconds": null, "concurrencyPolicy": null, "successfulJobsHistoryLimit": null}),
        );
        let output = place.feed(User::Developer, "create -f -", &unbounded).await?;
        ensure!(output.succeeded() && warnings(&output).is_empty(), "mode off: {output:?}");
        place.set_mode("enforce").await?;

        let patch = |patch: &str| format!("patch cronjob old --type=merge -p {patch}");
        // a change that no rule reads is not even judged
        let output = place
            .kubectl(User::Developer, &patch(r#"{"spec":{"schedule":"0\u00204\u0020*\u0020*\u0020*"}}"#))
            .await?;
        ensure!(output.succeeded() && warnings(&output).is_empty(), "{output:?}");
        // one old finding is judged again, and only warned of
        let output = place
            .kubectl(User::Developer, &patch(r#"{"spec":{"failedJobsHistoryLimit":0}}"#))
            .await?;
        ensure!(
            output.succeeded()
                && warnings(&output)
                    == ["SLU1004 cronjob-history-too-long at spec.successfulJobsHistoryLimit: 3 (API default); passes: at most 1"],
            "{output:?}"
        );
        // a new sin is refused, and the old ones are not held against it
        let output = place
            .kubectl(User::Developer, &patch(r#"{"spec":{"jobTemplate":{"spec":{"backoffLimit":9}}}}"#))
            .await?;
        let found = lines(refused(&output)?);
        ensure!(
            found.len() == 1 && found[0].starts_with("SLU1005 job-backoff-too-high"),
            "{output:?}"
        );
        // an old sin that is touched is still an old one
        let output = place
            .kubectl(
                User::Developer,
                &patch(r#"{"spec":{"successfulJobsHistoryLimit":2}}"#),
            )
            .await?;
        ensure!(
            output.succeeded()
                && warnings(&output)
                    == ["SLU1004 cronjob-history-too-long at spec.successfulJobsHistoryLimit: 2; passes: at most 1"],
            "{output:?}"
        );
        // what was mended cannot come back
        let mended = r#"{"spec":{"startingDeadlineSeconds":600}}"#;
        place.kubectl(User::Developer, &patch(mended)).await?.ok()?;
        let output = place
            .kubectl(User::Developer, &patch(r#"{"spec":{"startingDeadlineSeconds":null}}"#))
            .await?;
        ensure!(
            lines(refused(&output)?)[0].starts_with("SLU1001 cronjob-without-deadline"),
            "{output:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_mode_of_the_namespace_decides_what_a_finding_leads_to() -> anyhow::Result<()> {
    let manifest = cron_job("unbounded", &json!({"startingDeadlineSeconds": null}));
    let line = "SLU1001 cronjob-without-deadline at spec.startingDeadlineSeconds: absent; passes: 10 to 3600 seconds (10s to 1h)";
    for (mode, created, warned, noted) in [
        ("off", true, false, None),
        ("audit", true, false, Some("Audit")),
        ("", true, false, Some("Audit")),
        ("nonsense", true, false, Some("Audit")),
        ("warn", true, true, Some("Warn")),
        ("enforce", false, false, Some("Deny")),
    ] {
        in_place("mode", mode, async |place| {
            let log = place.plane().audit();
            let mark = log.mark()?;
            let output = place
                .feed(User::Developer, "create -f -", &manifest)
                .await?;
            ensure!(output.succeeded() == created, "mode {mode}: {output:?}");
            ensure!(
                warnings(&output)
                    == if warned {
                        vec![line.to_owned()]
                    } else {
                        Vec::new()
                    },
                "mode {mode}: {output:?}"
            );
            let entry = log
                .since(mark)?
                .into_iter()
                .find(|entry| {
                    entry.namespace == place.namespace
                        && entry.resource == "cronjobs"
                        && entry.verb == "create"
                        && entry.stage == "ResponseComplete"
                })
                .context("the create is in the audit log")?;
            let findings = entry
                .annotations
                .iter()
                .find(|(key, _)| key.ends_with("/findings"))
                .map(|(_, text)| text.as_str());
            let wanted =
                noted.map(|action| format!("SLU1001 {action} at spec.startingDeadlineSeconds"));
            ensure!(
                findings == wanted.as_deref(),
                "mode {mode}: the audit log says {findings:?}"
            );
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_never_judged_goes_in() -> anyhow::Result<()> {
    in_place("spared", "off", async |place| {
        let unbounded = cron_job(
            "old",
            &json!({"jobTemplate": {"spec": {"activeDeadlineSeconds": null, "backoffLimit": 9}}}),
        );
        place.feed(User::Developer, "create -f -", &unbounded).await?.ok()?;
        place
            .kubectl(User::Developer, r#"patch cronjob old --type=merge -p {"metadata":{"finalizers":["shop.test/slow"]}}"#)
            .await?
            .ok()?;
        place.set_mode("enforce").await?;

        // its Jobs belong to the CronJob: it is judged, they are not
        let output = place
            .kubectl(User::Developer, "create job by-hand --from=cronjob/old")
            .await?;
        ensure!(output.succeeded() && warnings(&output).is_empty(), "{output:?}");
        let job = place.object("job by-hand").await?;
        ensure!(job["spec"]["backoffLimit"] == 9, "{}", job["spec"]);
        // the same Job without an owner is judged
        let mut own = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "own"}, "spec": job["spec"]});
        for server_set in ["selector", "manualSelector"] {
            own["spec"].as_object_mut().context("spec")?.remove(server_set);
        }
        own["spec"]["template"]["metadata"] = json!({});
        let output = place.feed(User::Developer, "create -f -", &own.to_string()).await?;
        explains_itself(refused(&output)?)?;

        // what is being deleted may always be finished
        place
            .kubectl(User::Developer, "delete cronjob old --wait=false")
            .await?
            .ok()?;
        let worse = r#"patch cronjob old --type=merge -p {"spec":{"failedJobsHistoryLimit":50},"metadata":{"finalizers":null}}"#;
        let output = place.kubectl(User::Developer, worse).await?;
        ensure!(output.succeeded() && warnings(&output).is_empty(), "{output:?}");

        // a kind that no rule knows is passed over, and check says so
        let map = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"flags"},"data":{"a":"b"}}"#;
        let output = place.feed(User::Developer, "create -f -", map).await?;
        ensure!(output.succeeded() && warnings(&output).is_empty(), "{output:?}");
        let said = place.check(map).await?;
        ensure!(
            said["passedOver"][0]["reason"] == "no rule knows ConfigMap of v1",
            "{said}"
        );
        ensure!(refusal(&output).is_none());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_controller_as_owner_excuses_no_request_and_is_heard_of() -> anyhow::Result<()> {
    in_place("owned", "enforce", async |place| {
        guarded(place).await?;
        place
            .kubectl(User::Developer, "create configmap mine")
            .await?
            .ok()?;
        let owner = place.object("configmap mine").await?;
        let owners = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "mine",
            "uid": owner["metadata"]["uid"], "controller": true}]);

        // both at once: the release meets the gate
        let mut next: Value =
            serde_json::from_str(&deployment("registry.test/shop:v2", &bounded()))?;
        next["metadata"]["ownerReferences"] = owners.clone();
        let output = place
            .feed(User::Developer, "apply -f -", &next.to_string())
            .await?;
        let message = refused(&output)?;
        ensure!(message.contains("SLU0001 gate-not-open"), "{message}");

        // the owner alone goes in, and whoever adds it reads what that means
        let adopted = json!({"metadata": {"ownerReferences": owners}});
        let patch = format!("patch deployment shop --type=merge -p {adopted}");
        let output = place.kubectl(User::Developer, &patch).await?;
        ensure!(
            output.succeeded()
                && warnings(&output)
                    .iter()
                    .any(|line| line.starts_with("SLU0007 becomes-owned")),
            "{output:?}"
        );
        wait_for("the event", || async {
            let events = place.object("events").await?;
            let told = events["items"].as_array().into_iter().flatten();
            Ok(told
                .filter(|event| event["reason"] == "NotGoverned")
                .map(drop)
                .next())
        })
        .await
    })
    .await
}
