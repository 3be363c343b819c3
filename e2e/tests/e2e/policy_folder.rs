//! Policies from a folder: a hundred changes of the files while requests are judged, and not one of them fails.
//!
//! The folder is swapped as the kubelet swaps a ConfigMap. Every request is a server-side dry-run; the API server's audit log counts them. Twice in
//! between a broken file comes along, and the last whole state goes on.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use anyhow::{Context, ensure};
use k8s_openapi::api::batch::v1::CronJob;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};
use sluice_e2e::{
    Plane, PlaneOptions, User,
    installation::{InstallOptions, Installation},
    plane::wait_for,
};

const CHANGES: usize = 100;
/// Requests at once.
const LOAD: usize = 4;
const BROKEN: &str = "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: folder}\nspec: {rules: [{use: cronjob-without-dedline}]}\n";

/// Alternates between two rules, so that what judges can be told from the outside.
fn policy(change: usize) -> String {
    let rule = ["cronjob-without-deadline", "cronjob-allows-overlap"][change % 2];
    format!(
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{name: folder}}\nspec: {{rules: [{{use: {rule}, action: Deny}}]}}\n"
    )
}

/// Breaks both rules.
fn cron_job() -> anyhow::Result<CronJob> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "reports"},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "r", "image": "registry.test/r:1"}]}}}}},
    }))?)
}

/// A folder as the kubelet mounts a ConfigMap.
struct Mounted(PathBuf);

impl Mounted {
    fn swap(&self, revision: usize, text: &str) -> anyhow::Result<()> {
        let name = format!("..2026_{revision:04}");
        fs::create_dir_all(self.0.join(&name))?;
        fs::write(self.0.join(&name).join("policy.yaml"), text)?;
        let new = self.0.join("..data_tmp");
        symlink(&name, &new)?;
        fs::rename(&new, self.0.join("..data"))?;
        if revision > 0 {
            fs::remove_dir_all(self.0.join(format!("..2026_{:04}", revision - 1)))?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn no_request_fails_while_policies_are_reloaded_a_hundred_times() -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let outcome = reloaded(&plane).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome
}

async fn reloaded(plane: &Plane) -> anyhow::Result<()> {
    let mounted = Mounted(plane.folder().join("policies"));
    fs::create_dir_all(&mounted.0)?;
    mounted.swap(0, &policy(0))?;
    let options = InstallOptions {
        policies: Some(mounted.0.clone()),
        ..InstallOptions::default()
    };
    let sluice = Installation::install_with(plane, &options).await?;
    // only the folder judges
    plane
        .kubectl(
            User::Admin,
            ["delete", "policies.sluice.dev", "-A", "--all"],
            None,
        )
        .await?
        .ok()?;
    let namespace = plane
        .namespace_with("folder", &[("sluice.dev/mode", "enforce")])
        .await?;
    wait_for("the folder alone to judge", || async {
        let told = sluice.webhook_policies().await?;
        Ok((told["policies"] == 1).then_some(()))
    })
    .await?;

    let client = plane.client(User::Developer).await?;
    let mark = plane.audit().mark()?;
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = async {
        let workers = (0..LOAD).map(|_| ask(&client, &namespace, &stop, &asked));
        futures::future::try_join_all(workers).await.map(drop)
    };
    let changes = async {
        let outcome = change(&sluice, &mounted, plane).await;
        stop.store(true, Ordering::Relaxed);
        outcome
    };
    tokio::try_join!(load, changes)?;

    let asked = asked.load(Ordering::Relaxed);
    let entries: Vec<_> = plane
        .audit()
        .since(mark)?
        .into_iter()
        .filter(|entry| {
            entry.counts() && entry.resource == "cronjobs" && entry.namespace == namespace
        })
        .collect();
    let strange: Vec<_> = entries.iter().filter(|entry| entry.code != 403).collect();
    ensure!(
        strange.is_empty(),
        "{} of {}: {:?}",
        strange.len(),
        entries.len(),
        strange[0]
    );
    ensure!(
        entries.len() == asked,
        "{} in the audit log, {asked} asked",
        entries.len()
    );
    eprintln!("policy folder: {CHANGES} changes under {asked} requests, none failed");
    ensure!(asked >= CHANGES, "only {asked} requests");
    Ok(())
}

/// Dry-runs one after the other. Each is refused by exactly one of the two rules: a request that were let in, or that met both or an error, fails the test.
async fn ask(
    client: &kube::Client,
    namespace: &str,
    stop: &AtomicBool,
    asked: &AtomicUsize,
) -> anyhow::Result<()> {
    let jobs: Api<CronJob> = Api::namespaced(client.clone(), namespace);
    let parameters = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let job = cron_job()?;
    while !stop.load(Ordering::Relaxed) {
        asked.fetch_add(1, Ordering::Relaxed);
        match jobs.create(&parameters, &job).await {
            Err(kube::Error::Api(status)) if status.code == 403 => {
                let rules = ["SLU1001", "SLU1002"].map(|code| status.message.contains(code));
                ensure!(rules[0] != rules[1], "{}", status.message);
            }
            other => anyhow::bail!("not refused by the policies: {other:?}"),
        }
    }
    Ok(())
}

async fn change(sluice: &Installation, mounted: &Mounted, plane: &Plane) -> anyhow::Result<()> {
    let mut digests = [Value::Null, Value::Null];
    for revision in 1..=CHANGES {
        if revision % 50 == 0 {
            let before = sluice.webhook_policies().await?;
            mounted.swap(revision, BROKEN)?;
            let told = wait_for("the broken file to be quarantined", || async {
                let told = sluice.webhook_policies().await?;
                Ok((told["quarantined"][0]["file"] == "policy.yaml").then_some(told))
            })
            .await?;
            ensure!(told["digest"] == before["digest"], "{told}");
            ensure!(
                told["quarantined"][0]["problems"][0]
                    .as_str()
                    .is_some_and(|said| said.contains("did you mean cronjob-without-deadline?")),
                "{told}"
            );
            let metrics = sluice.webhook_metrics().await?;
            ensure!(
                metrics.contains("sluice_policy_file_quarantined{file=\"policy.yaml\"} 1"),
                "{metrics}"
            );
            continue;
        }
        mounted.swap(revision, &policy(revision))?;
        let wanted = format!("..2026_{revision:04}");
        let told = wait_for("the change to judge", || async {
            let told = sluice.webhook_policies().await?;
            let folder = &told["sources"]["folder"];
            Ok((folder["revision"] == wanted.as_str()).then_some(told))
        })
        .await?;
        ensure!(told["quarantined"] == json!([]), "{told}");
        let known = &mut digests[revision % 2];
        if known.is_null() {
            *known = told["digest"].clone();
            same_offline(sluice, plane, &mounted.0, &told).await?;
        }
        ensure!(
            told["digest"] == *known,
            "the same files, another digest: {told}"
        );
    }
    ensure!(digests[0] != digests[1], "two policies, one digest");
    wait_for("an event that names the file", || async {
        let events = plane
            .kubectl(
                User::Admin,
                [
                    "-n",
                    "sluice-system",
                    "get",
                    "events",
                    "-o",
                    "jsonpath={.items[*].reason} {.items[*].message}",
                ],
                None,
            )
            .await?
            .ok()?;
        Ok(
            (events.contains("PolicyFileQuarantined") && events.contains("policy.yaml"))
                .then_some(()),
        )
    })
    .await
}

/// The digest of the replica is the one that the command prints of the same files.
async fn same_offline(
    sluice: &Installation,
    plane: &Plane,
    folder: &Path,
    told: &Value,
) -> anyhow::Result<()> {
    let file = folder.join("..data/policy.yaml");
    let file = file.to_str().context("a path that is not UTF-8")?;
    let output = sluice
        .sluice(plane, User::Admin, &["policy", "digest", file])
        .await?
        .ok()?;
    ensure!(told["digest"] == output.trim(), "{output} and {told}");
    Ok(())
}
