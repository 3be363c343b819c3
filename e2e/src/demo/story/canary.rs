//! A bad release is undone without a human, proved healthy, remembered.

use serde_json::Value;

use crate::demo::{
    exposure::Exposure,
    stage::{
        Expect::{Code, Refusal, Success},
        Stage,
    },
    summary::Summary,
};

pub(super) async fn play(stage: &mut Stage, summary: &mut Summary) -> anyhow::Result<()> {
    stage.step("A bad release: one canary, three bad samples, back by itself");
    let exposure = Exposure::watch(stage.client().await?, "shop");
    stage
        .kubectl("apply -f checkout-v3.yaml", Success, &["configured"])
        .await?;
    stage
        .sluice(
            "release wait deployment/checkout -n shop --timeout 60s",
            Code(1),
            &["RolledBack", "checkout-canary"],
        )
        .await?;

    let bad = exposure.of(":v3--errors-100");
    stage.check(
        "one pod of 20 ever ran v3, by the watch of pods",
        bad == 1,
        bad,
    )?;
    summary.exposure = Some((bad, 20));
    let releases = stage.object("-n shop releases.sluice.dev").await?;
    let empty = Vec::new();
    let rolled_back: Vec<&Value> = releases["items"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .filter(|release| release["status"]["phase"] == "RolledBack")
        .collect();
    stage.check(
        "one release is RolledBack",
        rolled_back.len() == 1,
        rolled_back.len(),
    )?;
    summary.read(rolled_back[0])?;
    let deployment = stage.object("-n shop deployment checkout").await?;
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    stage.check(
        "checkout runs v2 again",
        image == "registry.test/shop/checkout:v2",
        image,
    )?;
    let ready = &deployment["status"]["readyReplicas"];
    stage.check("20 of 20 pods are ready", ready == 20, ready)?;

    stage.say("The same template again, and by way of the revision history:");
    stage
        .kubectl(
            "apply -f checkout-v3.yaml",
            Refusal,
            &["denied the request", "sluice release retry"],
        )
        .await?;
    stage
        .kubectl(
            "-n shop rollout undo deployment/checkout",
            Refusal,
            &["denied the request"],
        )
        .await?;
    Ok(())
}
