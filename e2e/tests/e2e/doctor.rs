//! `sluice doctor` on a real installation: all is well, then one thing after the other is broken for real, told with what mends it, and mended.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};
use sluice_certs::{ServingNames, Terms, issue, secret};
use sluice_e2e::{
    Plane, PlaneOptions, User,
    installation::{Installation, NAMESPACE},
    plane::wait_for,
};
use tokio::task::JoinHandle;

/// What doctor said.
struct Said {
    code: i32,
    report: Value,
}

impl Said {
    /// Every finding of a check that is broken or unknown: what was seen, and what mends it.
    fn of(&self, check: &str) -> Vec<(String, String)> {
        let checks = self.report["checks"].as_array();
        let found = checks
            .into_iter()
            .flatten()
            .filter(|one| one["check"] == check);
        let findings = found.flat_map(|one| one["findings"].as_array().into_iter().flatten());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        findings
            .filter(|finding| finding["result"] != "Ok")
            .map(|finding| (text(&finding["seen"]), text(&finding["repair"])))
            .collect()
    }

    /// The checks that are broken.
    fn broken(&self) -> Vec<&str> {
        let checks = self.report["checks"].as_array().into_iter().flatten();
        let broken = checks.filter(|one| one["result"] == "Broken");
        broken.filter_map(|one| one["check"].as_str()).collect()
    }

    /// It exits 1, and this check says these words; what mends it is told.
    fn tells(&self, check: &str, words: &str) -> anyhow::Result<String> {
        let found = self.of(check);
        let repair = found.iter().find(|(seen, _)| seen.contains(words));
        let (_, repair) =
            repair.with_context(|| format!("no {words:?} of {check}: {:#}", self.report))?;
        ensure!(self.code == 1, "exit code {}", self.code);
        ensure!(!repair.is_empty(), "nothing mends it: {found:?}");
        Ok(repair.clone())
    }
}

async fn doctor(sluice: &Installation, plane: &Plane, more: &[&str]) -> anyhow::Result<Said> {
    let line = [&["doctor", "-o", "json"], more].concat();
    let output = sluice.sluice(plane, User::Admin, &line).await?;
    let report = serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
    Ok(Said {
        code: output.code.context("an exit code")?,
        report,
    })
}

/// Asks until all is well again.
async fn well(sluice: &Installation, plane: &Plane) -> anyhow::Result<()> {
    let waited = wait_for("doctor to find nothing", || async {
        let said = doctor(sluice, plane, &[]).await?;
        Ok((said.code == 0).then_some(()))
    })
    .await;
    if waited.is_err() {
        let said = doctor(sluice, plane, &[]).await?;
        return waited.with_context(|| format!("{:#}", said.report));
    }
    Ok(())
}

async fn patch(plane: &Plane, what: &str, kind: &str, patch: &Value) -> anyhow::Result<()> {
    let patch = patch.to_string();
    let line = what.split(' ').chain(["--type", kind, "-p", &patch]);
    let line = ["patch"].into_iter().chain(line);
    plane.kubectl(User::Admin, line, None).await?.ok().map(drop)
}

#[tokio::test]
async fn each_thing_that_can_break_is_told_with_what_mends_it() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = broken_one_by_one(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn broken_one_by_one(plane: &Plane) -> anyhow::Result<()> {
    let sluice = Installation::install(plane, None).await?;
    well(&sluice, plane).await?;
    // somebody who may not read it gets "cannot tell", not "well"
    let output = sluice.sluice(plane, User::Developer, &["doctor"]).await?;
    ensure!(
        output.code == Some(2) && output.stdout.contains("cannot be listed"),
        "{output:?}"
    );

    nobody_leads(plane, &sluice).await?;
    a_right_is_missing(plane, &sluice).await?;
    a_replica_differs(plane, &sluice).await
}

/// While no controller leads nothing repairs what is published: the authority, the table and the certificate are broken one after the other.
async fn nobody_leads(plane: &Plane, sluice: &Installation) -> anyhow::Result<()> {
    sluice.kill_controller();
    let said = doctor(sluice, plane, &[]).await?;
    said.tells("leader", "did not renew its Lease while we looked")?;
    said.tells("leader", "the probe engine does not beat")?;
    ensure!(said.broken() == ["leader"], "{:#}", said.report);

    // an entry that sees what every node writes
    let lease = json!([{"op": "add", "path": "/webhooks/2/rules/-", "value": {
        "apiGroups": ["coordination.k8s.io"], "apiVersions": ["v1"], "resources": ["leases"], "operations": ["UPDATE"], "scope": "*",
    }}]);
    patch(
        plane,
        "validatingwebhookconfiguration sluice-admission",
        "json",
        &lease,
    )
    .await?;
    let said = doctor(sluice, plane, &[]).await?;
    said.tells(
        "admission-table",
        "sees UPDATE leases.coordination.k8s.io/v1, which a cluster needs to come up",
    )?;
    said.tells("admission-table", "beyond namespaces")?;
    ensure!(
        said.broken() == ["admission-table", "leader"],
        "{:#}",
        said.report
    );

    // an authority that never signed the certificate
    let names = ServingNames::of_service("sluice-webhook", NAMESPACE);
    let names = names.and_host("127.0.0.1");
    let other = issue(Timestamp::now(), &names, &Terms::default())?
        .ca
        .cert_pem;
    let other = k8s_openapi::ByteString(other.into_bytes());
    for (configuration, entries) in [
        ("mutatingwebhookconfiguration zz-sluice", 1),
        ("validatingwebhookconfiguration sluice-admission", 3),
        ("validatingwebhookconfiguration sluice-objects", 1),
    ] {
        let replace = (0..entries).map(|at| {
            json!({"op": "replace", "path": format!("/webhooks/{at}/clientConfig/caBundle"), "value": other})
        });
        let replace = Value::Array(replace.collect());
        patch(plane, configuration, "json", &replace).await?;
    }
    // a moment until the API server has taken it in
    let said = wait_for("the API server to distrust the webhook", || async {
        let said = doctor(sluice, plane, &[]).await?;
        Ok(said.broken().contains(&"webhook").then_some(said))
    })
    .await?;
    said.tells("webhook", "went through")?;
    said.tells("certificates", "does not accept the served certificate")?;

    // whoever leads repairs all of it
    sluice.start_controller()?;
    sluice.controller_ready().await?;
    well(sluice, plane).await?;

    // a certificate that was not renewed in time, and one that is over
    sluice.kill_controller();
    for (age, words, also) in [
        (70, "should have been renewed", false),
        (91, "serving certificate: expired", true),
    ] {
        age_certificate(plane, &names, age).await?;
        if also {
            // connections that are open go on: only a new one is refused
            sluice.kill_webhook();
            sluice.start_webhook().await?;
        }
        let said = wait_for("doctor to see the certificate", || async {
            let said = doctor(sluice, plane, &[]).await?;
            let reached = said.broken().contains(&"webhook");
            Ok((reached == also && said.broken().contains(&"certificates")).then_some(said))
        })
        .await?;
        said.tells("certificates", words)?;
        if also {
            said.tells("webhook", "went through")?;
        }
    }
    sluice.start_controller()?;
    sluice.controller_ready().await?;
    well(sluice, plane).await
}

/// Puts a serving certificate into the Secret that the stored authority made so many days ago.
async fn age_certificate(plane: &Plane, names: &ServingNames, days: i64) -> anyhow::Result<()> {
    let secrets: Api<Secret> = Api::namespaced(plane.client(User::Admin).await?, NAMESPACE);
    let found = secrets.get(secret::SECRET_NAME).await?;
    let mut material = secret::material(&found)?;
    let then = Timestamp::now() - SignedDuration::from_hours(24 * days);
    material.leaf = issue::leaf(then, names, &material.ca, &Terms::default())?;
    let aged = secret::with_material(Some(&found), NAMESPACE, &material);
    secrets
        .replace(secret::SECRET_NAME, &PostParams::default(), &aged)
        .await?;
    Ok(())
}

async fn a_right_is_missing(plane: &Plane, sluice: &Installation) -> anyhow::Result<()> {
    let line = ["get", "clusterrole", "sluice-controller", "-o", "json"];
    let role: Value = serde_json::from_str(&plane.kubectl(User::Admin, line, None).await?.ok()?)?;
    let rules: Vec<&Value> = role["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|rule| rule["resources"] != json!(["jobs", "cronjobs"]))
        .collect();
    let fewer = json!({"rules": rules});
    patch(plane, "clusterrole sluice-controller", "merge", &fewer).await?;
    let said = doctor(sluice, plane, &[]).await?;
    let repair = said.tells(
        "rights",
        "sluice-controller may not get jobs.batch, list jobs.batch",
    )?;
    ensure!(said.broken() == ["rights"], "{:#}", said.report);
    ensure!(repair.starts_with("sluice install"), "{repair}");
    let config = plane.folder().join("sluice.yaml");
    let config = config.to_str().context("a path in UTF-8")?;
    let install = ["install", "--without-workloads", "--config", config];
    sluice.sluice(plane, User::Admin, &install).await?.ok()?;
    well(sluice, plane).await
}

/// A replica of another version that judges by another set and whose clock is an hour ahead.
async fn a_replica_differs(plane: &Plane, sluice: &Installation) -> anyhow::Result<()> {
    let stranger = Stranger::start(plane).await?;
    let said = doctor(sluice, plane, &[]).await?;
    said.tells("versions", "webhook sluice-webhook-old 0.0.9")?;
    said.tells("clocks", "s ahead of the API server")?;
    said.tells("policies", "replica sluice-webhook-old enforces policy set")?;
    stranger.end(plane).await?;
    well(sluice, plane).await
}

/// Takes the word of a replica from the Lease.
async fn forget(plane: &Plane, replica: &str) -> anyhow::Result<()> {
    let nothing =
        json!({"metadata": {"annotations": {format!("replica.sluice.dev/{replica}"): null}}});
    let lease = "-n sluice-system lease sluice-webhook-replicas";
    patch(plane, lease, "merge", &nothing).await
}

/// A replica that says every second that it is of another version and that it is an hour later.
struct Stranger(JoinHandle<()>);

impl Stranger {
    async fn start(plane: &Plane) -> anyhow::Result<Self> {
        let client = plane.client(User::Admin).await?;
        let leases: Api<k8s_openapi::api::coordination::v1::Lease> =
            Api::namespaced(client, NAMESPACE);
        let task = tokio::spawn(async move {
            loop {
                let at = Timestamp::now() + SignedDuration::from_hours(1);
                let word = json!({"replica": "sluice-webhook-old", "digest": "d", "policies": 1, "exceptionsDigest": "e", "version": "0.0.9", "at": at});
                let patch = json!({"metadata": {"annotations": {"replica.sluice.dev/sluice-webhook-old": word.to_string()}}});
                let patch = kube::api::Patch::Merge(patch);
                // one that is lost is said again
                let _ = leases
                    .patch(
                        "sluice-webhook-replicas",
                        &kube::api::PatchParams::default(),
                        &patch,
                    )
                    .await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Ok(Self(task))
    }

    async fn end(self, plane: &Plane) -> anyhow::Result<()> {
        self.0.abort();
        // no word of it may come after this
        let _ = self.0.await;
        forget(plane, "sluice-webhook-old").await
    }
}
