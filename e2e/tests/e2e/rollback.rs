//! Promise: a bad release is undone without a human, verified by the same probes; where that does not help, Sluice says so, locks, and does not loop.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_e2e::scenario::Shop;
use sluice_e2e::{AuditEntry, Behaviour, Installed, Selector, User, installed_plane};

const CONTROLLER: &str = "system:serviceaccount:sluice-system:sluice-controller";

/// Runs a test on the shared plane with Sluice; an error keeps the plane's evidence.
pub async fn on_installed<T>(test: T) -> anyhow::Result<()>
where
    T: AsyncFnOnce(&'static Installed) -> anyhow::Result<()>,
{
    let installed = installed_plane().await?;
    let outcome = test(installed).await;
    if outcome.is_err() {
        installed.plane.keep();
    }
    outcome
}

/// Every one of these moments is in the release's timeline, none before the one named before it.
pub fn in_order(release: &Value, moments: &[&str]) -> anyhow::Result<()> {
    let timeline = &release["status"]["timeline"];
    let mut before: Option<(&str, Timestamp)> = None;
    for name in moments {
        let text = timeline[*name]
            .as_str()
            .with_context(|| format!("no {name} in {timeline}"))?;
        let at: Timestamp = text.parse()?;
        if let Some((earlier, then)) = before {
            ensure!(then <= at, "{name} before {earlier}: {timeline}");
        }
        before = Some((*name, at));
    }
    Ok(())
}

/// The controller's writes to the shop's Deployment that were carried out since the log stood at `mark`.
pub fn writes_to_checkout(entries: Vec<AuditEntry>, namespace: &str) -> Vec<AuditEntry> {
    entries
        .into_iter()
        .filter(|entry| {
            entry.counts() && entry.writes() && entry.code == 200 && entry.user == CONTROLLER
        })
        .filter(|entry| {
            entry.namespace == namespace
                && entry.resource == "deployments"
                && entry.subresource.is_empty()
        })
        .filter(|entry| !entry.uri.contains("dryRun"))
        .collect()
}

#[tokio::test]
async fn a_bad_release_is_undone_verified_and_remembered() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let shop = Shop::new(&installed.plane, "undone", 6).await?;
        shop.open("v1", &["1", "50%"], "300ms").await?;
        let before = shop.deployment().await?["spec"].clone();
        shop.apply(&shop.checkout("v2--errors-100")).await?;
        let release = shop.release_in("RolledBack").await?;
        in_order(
            &release,
            &[
                "started",
                "occurred",
                "detected",
                "decided",
                "rolledBack",
                "verified",
                "finished",
            ],
        )?;
        ensure!(
            release["status"]["abort"]["reason"] == "ProbeFailed",
            "{}",
            release["status"]["abort"]
        );
        ensure!(
            release["status"]["exposure"] == 1,
            "exposure {}",
            release["status"]["exposure"]
        );
        let evidence = release["status"]["abort"]["evidence"].to_string();
        ensure!(
            evidence.contains("500"),
            "the evidence does not say what was seen: {evidence}"
        );
        shop.runs_everywhere("v1").await?;
        ensure!(
            shop.deployment().await?["spec"] == before,
            "the spec is not what it was"
        );
        let again = shop
            .apply_as(User::Admin, &shop.checkout("v2--errors-100"), &[])
            .await?;
        ensure!(!again.succeeded(), "the bad template went in again");
        let name = release["metadata"]["name"].as_str().unwrap_or_default();
        for text in ["SLU0002", name, "sluice release retry", "500"] {
            ensure!(
                again.stderr.contains(text),
                "the refusal does not name {text}: {}",
                again.stderr
            );
        }
        shop.kept_to(&["1", "50%"])
    })
    .await
}

#[tokio::test]
async fn a_good_release_tells_when_what_happened() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let shop = Shop::new(&installed.plane, "story", 4).await?;
        shop.open("v1", &["1", "50%"], "200ms").await?;
        shop.apply(&shop.checkout("v2")).await?;
        let release = shop.release_in("Succeeded").await?;
        in_order(&release, &["started", "completed", "verified", "finished"])?;
        let batches = release["status"]["batches"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        ensure!(
            batches
                .iter()
                .map(|batch| batch["pods"].clone())
                .collect::<Vec<_>>()
                == [1, 2, 4].map(Value::from),
            "{batches:?}"
        );
        let mut last: Option<Timestamp> = None;
        for batch in &batches {
            for moment in ["started", "ready", "verified"] {
                let at: Timestamp = batch[moment]
                    .as_str()
                    .with_context(|| format!("no {moment} in {batch}"))?
                    .parse()?;
                ensure!(
                    last.is_none_or(|last| last <= at),
                    "{moment} out of order: {batches:?}"
                );
                last = Some(at);
            }
            ensure!(
                batch["evidence"][0]["verdict"] == "Pass",
                "a batch was passed without a Pass: {batch}"
            );
        }
        let bake = |batch: &Value| -> anyhow::Result<i64> {
            let at = |name: &str| -> anyhow::Result<Timestamp> {
                Ok(batch[name].as_str().unwrap_or_default().parse()?)
            };
            Ok(at("verified")?.as_millisecond() - at("ready")?.as_millisecond())
        };
        for batch in &batches {
            ensure!(bake(batch)? >= 200, "a batch was not baked: {batch}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_rollback_that_does_not_help_is_said_locked_and_not_repeated() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let Installed { plane, sluice } = installed;
        let shop = Shop::new(plane, "ineffective", 4).await?;
        shop.open("v1", &["1", "50%"], "60s").await?;
        shop.apply(&shop.checkout("v2")).await?;
        shop.release_in("Baking").await?;
        let mark = plane.audit().mark()?;
        let everything = Selector::Namespace(shop.namespace.clone());
        // what both versions need breaks: the new one is not to blame
        plane
            .world()
            .set_behaviour(everything.clone(), Behaviour::parse("errors-100")?);
        let broken = Instant::now();
        let release = shop.release_in("RollbackIneffective").await?;
        ensure!(
            broken.elapsed() < Duration::from_secs(60),
            "{:?} until it was said",
            broken.elapsed()
        );
        in_order(
            &release,
            &[
                "started",
                "occurred",
                "detected",
                "decided",
                "rolledBack",
                "verified",
                "finished",
            ],
        )?;
        let message = release["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains("rolled back, still failing"), "{message}");
        shop.wait("v1 is everywhere", || async {
            let live = shop.deployment().await?;
            Ok(
                if live["status"]["updatedReplicas"] == 4 && live["status"]["replicas"] == 4 {
                    Ok(())
                } else {
                    Err(live["status"].to_string())
                },
            )
        })
        .await?;

        // everything keeps failing: a loop would write again
        let name = release["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let settled = shop.deployment().await?["metadata"]["generation"].clone();
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = shop.deployment().await?["metadata"]["generation"].clone();
            ensure!(
                now == settled,
                "the Deployment was changed after the rollback: generation {settled}, then {now}"
            );
        }
        let rollbacks = writes_to_checkout(plane.audit().since(mark)?, &shop.namespace);
        ensure!(
            rollbacks.len() <= 2,
            "one rollback and at most one return of ownership, not {rollbacks:?}"
        );
        ensure!(
            shop.releases().await?.len() == 1,
            "a further release was made"
        );

        let next = shop
            .apply_as(User::Admin, &shop.checkout("v3"), &[])
            .await?;
        ensure!(
            !next.succeeded(),
            "a release went in although the workload is locked"
        );
        for text in ["SLU0003", &name, "sluice release retry", "still fails"] {
            ensure!(
                next.stderr.contains(text),
                "the refusal does not name {text}: {}",
                next.stderr
            );
        }
        // recovery alone does not unlock: somebody has to have looked
        plane.world().clear_behaviour(&everything);
        let next = shop
            .apply_as(User::Admin, &shop.checkout("v3"), &[])
            .await?;
        ensure!(
            !next.succeeded() && next.stderr.contains("SLU0003"),
            "unlocked without a human: {next:?}"
        );
        sluice
            .sluice(
                plane,
                User::Admin,
                &[
                    "release",
                    "retry",
                    &name,
                    "-n",
                    &shop.namespace,
                    "--reason",
                    "the database is back",
                ],
            )
            .await?
            .ok()?;
        shop.apply(&shop.plan(&["1", "50%"], "200ms")).await?;
        shop.wait("the retry lets the next release in", || async {
            let next = shop
                .apply_as(User::Admin, &shop.checkout("v3"), &[])
                .await?;
            Ok(if next.succeeded() {
                Ok(())
            } else {
                Err(next.stderr)
            })
        })
        .await?;
        shop.recorded(2).await?;
        shop.release_in("Succeeded").await?;
        shop.runs_everywhere("v3").await
    })
    .await
}

#[tokio::test]
async fn a_version_that_never_ran_is_nothing_to_roll_back_to() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let shop = Shop::new(&installed.plane, "first", 3).await?;
        shop.apply(&shop.checkout("v0--never-ready")).await?;
        shop.apply(&shop.canary_probe()).await?;
        shop.apply(&shop.plan(&["1", "50%"], "200ms")).await?;
        shop.accepted("rolloutplans", "checkout").await?;
        shop.accepted("probes", "canary").await?;
        shop.apply(&shop.checkout("v1--errors-100")).await?;
        let release = shop.release_in("Paused").await?;
        ensure!(
            release["spec"]["stable"].is_null(),
            "{} became the way back",
            release["spec"]["stable"]
        );
        ensure!(
            release["status"]["waitingOn"][0]["reason"] == "HumanNeeded",
            "{}",
            release["status"]["waitingOn"]
        );
        // the fix goes in over it
        shop.apply(&shop.checkout("v2")).await?;
        let release = shop.release_in("Succeeded").await?;
        shop.runs_everywhere("v2").await?;
        ensure!(release["status"]["exposure"] == 3, "{}", release["status"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_first_release_of_a_workload_that_fails_is_said_to_have_no_way_back()
-> anyhow::Result<()> {
    on_installed(async |installed| {
        let shop = Shop::new(&installed.plane, "firstever", 2).await?;
        let mut probe = shop.canary_probe();
        probe["metadata"]["name"] = json!("backend");
        probe["spec"]["http"]["target"] = json!({"url": format!("http://backend.{}.svc/", shop.namespace)});
        probe["spec"]["triggers"] = json!(["Interval", "Release"]);
        shop.apply(&probe).await?;
        shop.apply(&shop.canary_probe()).await?;
        shop.apply(&shop.plan(&["1", "50%"], "200ms")).await?;
        shop.apply(&json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate", "metadata": {"name": "checkout", "namespace": shop.namespace},
            "spec": {"components": {"kinds": ["Deployment"], "names": ["checkout"]}, "whenClosed": "Hold", "before": {"probes": [{"name": "backend"}], "maxAge": "10s"}},
        }))
        .await?;
        for (resource, name) in [("gates", "checkout"), ("rolloutplans", "checkout"), ("probes", "backend"), ("probes", "canary")] {
            shop.accepted(resource, name).await?;
        }
        shop.apply(&shop.checkout("v1--errors-100")).await?;
        let held = shop.release_in("Probing").await?;
        ensure!(held["status"]["waitingOn"][0]["reason"] == "GateNotOpen", "{}", held["status"]);
        ensure!(shop.replica_sets().await?.is_empty(), "pods were asked for behind a closed gate");
        // what the gate waits for comes up
        shop.apply(&shop.workload("backend", "v1")).await?;
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "backend", "namespace": shop.namespace}, "spec": {"selector": {"app": "backend"}, "ports": [{"port": 80, "targetPort": 8080}]}});
        shop.apply(&service).await?;
        let failed = shop.release_in("Failed").await?;
        let message = failed["status"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains("there is no stable version to roll back to"), "{message}");
        shop.wait("nothing of the release stands on the workload", || async {
            let live = shop.deployment().await?;
            let annotations = &live["metadata"]["annotations"];
            let free = annotations["sluice.dev/hold"].is_null() && live["spec"]["paused"].is_null() && live["spec"]["minReadySeconds"].is_null();
            Ok(if free { Ok(()) } else { Err(live.to_string()) })
        })
        .await?;
        shop.apply(&shop.checkout("v2")).await?;
        shop.recorded(2).await?;
        shop.release_in("Succeeded").await?;
        shop.runs_everywhere("v2").await
    })
    .await
}

#[tokio::test]
async fn a_failure_under_on_failure_pause_waits_for_a_human() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let Installed { plane, sluice } = installed;
        let shop = Shop::new(plane, "human", 4).await?;
        shop.open("v1", &["1", "50%"], "200ms").await?;
        let mut plan = shop.plan(&["1", "50%"], "200ms");
        plan["spec"]["onFailure"] = json!("Pause");
        shop.apply(&plan).await?;
        shop.accepted("rolloutplans", "checkout").await?;

        shop.apply(&shop.checkout("v2--errors-100")).await?;
        let release = shop.release_in("Paused").await?;
        ensure!(
            release["status"]["waitingOn"][0]["reason"] == "HumanNeeded",
            "{}",
            release["status"]["waitingOn"]
        );
        ensure!(release["status"]["exposure"] == 1, "{}", release["status"]);
        let name = release["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        sluice
            .sluice(
                plane,
                User::Admin,
                &["release", "abort", &name, "-n", &shop.namespace],
            )
            .await?
            .ok()?;
        let release = shop.release_in("RolledBack").await?;
        ensure!(
            release["status"]["abort"]["reason"] == "Requested",
            "{}",
            release["status"]["abort"]
        );
        shop.runs_everywhere("v1").await?;

        shop.apply(&shop.checkout("v3")).await?;
        let mine = Selector::Label {
            namespace: shop.namespace.clone(),
            key: "app".to_owned(),
            value: "checkout".to_owned(),
        };
        plane
            .world()
            .set_behaviour(mine.clone(), Behaviour::parse("errors-100")?);
        let release = shop.release_in("Paused").await?;
        let name = release["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        plane.world().clear_behaviour(&mine);
        sluice
            .sluice(
                plane,
                User::Admin,
                &["release", "retry", &name, "-n", &shop.namespace],
            )
            .await?
            .ok()?;
        shop.release_in("Succeeded").await?;
        shop.runs_everywhere("v3").await?;
        shop.kept_to(&["1", "50%"])
    })
    .await
}

#[tokio::test]
async fn pods_that_do_not_come_up_in_time_are_a_failure() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let cases = [
            ("never-ready", &["ProgressDeadlineExceeded"][..]),
            ("image-pull-error", &["ProgressDeadlineExceeded"]),
            // one that keeps crashing is asked too: whoever notices first
            ("crash-loop", &["ProgressDeadlineExceeded", "ProbeFailed"]),
            ("oom-killed", &["ProgressDeadlineExceeded", "ProbeFailed"]),
        ];
        try_join_all(cases.into_iter().map(|(word, reasons)| async move {
            let shop = Shop::new(&installed.plane, "late", 3).await?;
            shop.open("v1", &["1", "50%"], "200ms").await?;
            let mut plan = shop.plan(&["1", "50%"], "200ms");
            plan["spec"]["progressDeadline"] = json!("5s");
            shop.apply(&plan).await?;
            shop.accepted("rolloutplans", "checkout").await?;
            shop.apply(&shop.checkout(&format!("v2--{word}"))).await?;
            let release = shop
                .release_in("RolledBack")
                .await
                .with_context(|| word.to_owned())?;
            let reason = release["status"]["abort"]["reason"]
                .as_str()
                .unwrap_or_default();
            ensure!(
                reasons.contains(&reason),
                "{word}: {}",
                release["status"]["abort"]
            );
            in_order(
                &release,
                &[
                    "started",
                    "detected",
                    "decided",
                    "rolledBack",
                    "verified",
                    "finished",
                ],
            )?;
            ensure!(
                release["status"]["exposure"] == 1,
                "{word}: {}",
                release["status"]
            );
            shop.runs_everywhere("v1").await?;
            shop.kept_to(&["1", "50%"]).with_context(|| word.to_owned())
        }))
        .await
        .map(drop)
    })
    .await
}

#[tokio::test]
async fn a_quota_hit_in_the_middle_is_named_and_waited_for() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let shop = Shop::new(&installed.plane, "quota", 4).await?;
        shop.open("v1", &["1", "50%"], "200ms").await?;
        // somebody else's pods take what the surge needs
        let mut other = shop.checkout("v1");
        other["metadata"]["name"] = json!("other");
        other["spec"]["replicas"] = json!(1);
        other["spec"]["selector"] = json!({"matchLabels": {"app": "other"}});
        other["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
        shop.apply(&other).await?;
        shop.apply(&json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "pods", "namespace": shop.namespace}, "spec": {"hard": {"pods": "5"}}})).await?;
        shop.wait("the quota is full", || async {
            let quota = shop.object("v1", "resourcequotas", "pods").await?;
            Ok(if quota["status"]["used"]["pods"] == "5" { Ok(()) } else { Err(quota["status"].to_string()) })
        })
        .await?;
        shop.apply(&shop.checkout("v2")).await?;
        shop.wait("the release names the quota", || async {
            let releases = shop.releases().await?;
            let waiting = releases.last().map(|release| release["status"]["waitingOn"][0].clone()).unwrap_or_default();
            let named = waiting["reason"] == "PodsRefused" && waiting["message"].as_str().unwrap_or_default().contains("quota");
            Ok(if named { Ok(()) } else { Err(waiting.to_string()) })
        })
        .await?;
        shop.kubectl(User::Admin, "delete deployment other").await?.ok()?;
        shop.release_in("Succeeded").await?;
        shop.runs_everywhere("v2").await?;
        shop.kept_to(&["1", "50%"])
    })
    .await
}

#[tokio::test]
async fn without_its_plan_a_release_is_held_and_never_finished() -> anyhow::Result<()> {
    on_installed(async |installed| {
        let shop = Shop::new(&installed.plane, "planless", 6).await?;
        shop.open("v1", &["1", "50%"], "2s").await?;
        shop.apply(&shop.checkout("v2")).await?;
        shop.release_in("Baking").await?;
        shop.kubectl(User::Admin, "delete rolloutplans.sluice.dev checkout")
            .await?
            .ok()?;
        let release = shop.release_in("Paused").await?;
        ensure!(
            release["status"]["waitingOn"][0]["reason"] == "PlanMissing",
            "{}",
            release["status"]["waitingOn"]
        );
        let new = release["status"]["pods"]["new"].clone();
        // beyond the bake that was left
        let until = Instant::now() + Duration::from_secs(4);
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let releases = shop.releases().await?;
            let status = &releases.last().context("the release is gone")?["status"];
            ensure!(
                status["phase"] == "Paused" && status["pods"]["new"] == new,
                "it went on without a plan: {status}"
            );
        }
        shop.apply(&shop.plan(&["1", "50%"], "200ms")).await?;
        shop.release_in("Succeeded").await?;
        shop.runs_everywhere("v2").await?;
        shop.kept_to(&["1", "50%"])
    })
    .await
}
