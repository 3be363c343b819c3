//! Sluice is gone in the middle of a release: nothing that runs is harmed, the way back by hand works, and an uninstall leaves nothing.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::crash::new_pods;
use crate::demo::stage::{Expect::Success, Stage};

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("All of Sluice dies in the middle of a release: nothing that runs is harmed");
    stage
        .kubectl("-n shop patch rolloutplans.sluice.dev checkout --type=merge -p '{\"spec\":{\"bake\":\"10m\"}}'", Success, &["patched"])
        .await?;
    stage
        .kubectl("apply -f checkout-v5.yaml", Success, &["configured"])
        .await?;
    let access = stage.access();
    stage
        .until(
            "one pod runs v5 and bakes",
            Duration::from_secs(30),
            || async {
                let phase = stage
                    .quiet("-n shop get releases.sluice.dev -o jsonpath={.items[*].status.phase}")
                    .await?;
                Ok((
                    phase.contains("Baking") && new_pods(access, ":v5").await? == 1,
                    phase,
                ))
            },
        )
        .await?;
    stage.sluice_dies().await?;

    let name = stage
        .quiet("-n shop get pods -l app=checkout -o jsonpath={.items[0].metadata.name}")
        .await?;
    stage
        .kubectl(
            &format!("-n shop delete pod {name} --wait=false"),
            Success,
            &["deleted"],
        )
        .await?;
    ready(stage, 21).await?;
    stage
        .kubectl(
            "-n shop scale deployment/checkout --replicas=22",
            Success,
            &["scaled"],
        )
        .await?;
    ready(stage, 23).await?;
    stage
        .kubectl(
            "-n shop scale deployment/checkout --replicas=20",
            Success,
            &["scaled"],
        )
        .await?;

    stage.say("The way back by hand, two commands:");
    stage
        .kubectl(
            "delete mutatingwebhookconfigurations,validatingwebhookconfigurations -l app.kubernetes.io/part-of=sluice",
            Success,
            &["deleted"],
        )
        .await?;
    let releases = stage.object("-n shop releases.sluice.dev").await?;
    let empty = Vec::new();
    let release = releases["items"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .find(|release| release["status"]["phase"] == "Baking")
        .context("no release is baking")?;
    let way_back = &release["status"]["wayBack"];
    anyhow::ensure!(
        way_back.is_array(),
        "the release has no way back: {}",
        release["status"]
    );
    let file = access.folder().join("way-back.json");
    std::fs::write(&file, way_back.to_string())?;
    stage
        .kubectl(
            &format!(
                "-n shop patch deployment checkout --type=json --patch-file {}",
                file.display()
            ),
            Success,
            &["patched"],
        )
        .await?;
    stage
        .until(
            "checkout runs v4 everywhere again",
            Duration::from_secs(30),
            || async {
                let new = new_pods(access, ":v5").await?;
                let old = new_pods(access, ":v4").await?;
                Ok((
                    new == 0 && old == 20,
                    format!("{new} pods of v5, {old} of v4"),
                ))
            },
        )
        .await?;

    stage.step("Uninstall: every workload's spec is what the user applied, byte for byte");
    stage
        .sluice("uninstall --yes --abandon-releases", Success, &[])
        .await?;
    let left = stage.object("-n shop deployment checkout").await?;
    stage.quiet("create namespace untouched").await?;
    let manifest = std::fs::read_to_string(stage.manifests().join("checkout-v4.yaml"))?;
    let manifest = manifest.replace("namespace: shop", "namespace: untouched");
    let applied = stage
        .access()
        .kubectl(
            crate::User::Admin,
            ["create", "--dry-run=server", "-o", "json", "-f", "-"],
            Some(&manifest),
        )
        .await?
        .ok()?;
    let applied: Value = serde_json::from_str(&applied)?;
    let (left, applied) = (left["spec"].to_string(), applied["spec"].to_string());
    stage.check(
        "the spec of checkout equals what a cluster without Sluice makes of the manifest",
        left == applied,
        &left,
    )?;
    let crds = stage.quiet("get crd -o name").await?;
    stage.check(
        "no CustomResourceDefinition of Sluice is left",
        !crds.contains("sluice.dev"),
        &crds,
    )?;
    Ok(())
}

async fn ready(stage: &Stage, want: u32) -> anyhow::Result<()> {
    stage
        .until(
            &format!("{want} pods are ready"),
            Duration::from_secs(30),
            || async {
                let ready = stage
                    .quiet("-n shop get deployment checkout -o jsonpath={.status.readyReplicas}")
                    .await?;
                Ok((ready == want.to_string(), ready))
            },
        )
        .await
}
