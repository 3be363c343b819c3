//! The controller dies in the middle of a release and comes back.

use std::time::Duration;

use crate::demo::stage::{Expect::Success, Stage};

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("kill -9 of the controllers in the middle of a release");
    stage
        .kubectl("apply -f checkout-v4.yaml", Success, &["configured"])
        .await?;
    let access = stage.access();
    stage
        .until("two pods run v4", Duration::from_secs(30), || async {
            let new = new_pods(access, ":v4").await?;
            Ok((new >= 2, format!("{new} pods of v4")))
        })
        .await?;
    stage.kill_controllers()?;
    let before = new_pods(access, ":v4").await?;
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = new_pods(access, ":v4").await?;
        anyhow::ensure!(
            now <= 10,
            "{now} pods of v4 while the controller is dead: more than the batch that was allowed"
        );
    }
    let after = new_pods(access, ":v4").await?;
    stage.check(
        &format!("3 s without a controller: {before} pods of v4 before, {after} now, never more than the batch allows"),
        after <= 10,
        after,
    )?;
    stage.controllers_return().await?;
    stage
        .sluice(
            "release wait deployment/checkout -n shop --timeout 60s",
            Success,
            &["Succeeded"],
        )
        .await?;
    Ok(())
}

/// Pods that are asked to run an image with this tag and are not going.
pub(super) async fn new_pods(access: &crate::plane::Access, tag: &str) -> anyhow::Result<usize> {
    let template = "jsonpath={range .items[*]}{.metadata.deletionTimestamp}|{.spec.containers[0].image}{\"\\n\"}{end}";
    let pods = access.kubectl(
        crate::User::Admin,
        [
            "-n",
            "shop",
            "get",
            "pods",
            "-l",
            "app=checkout",
            "-o",
            template,
        ],
        None,
    );
    let pods = pods.await?.ok()?;
    Ok(pods
        .lines()
        .filter(|line| line.starts_with('|') && line.ends_with(tag))
        .count())
}
