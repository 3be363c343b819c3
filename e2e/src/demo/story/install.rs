//! Before the story: a cluster with something in it, then Sluice.

use crate::demo::stage::{Expect::Success, Stage};

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("A cluster that is in use already, then Sluice");
    stage.kubectl("get nodes", Success, &["Ready"]).await?;
    stage
        .kubectl(
            "apply -f namespaces.yaml -f cronjob-legacy.yaml -f payments.yaml",
            Success,
            &["created"],
        )
        .await?;
    stage.install().await?;
    stage
        .kubectl(
            "get mutatingwebhookconfigurations,validatingwebhookconfigurations -l app.kubernetes.io/part-of=sluice",
            Success,
            &["zz-sluice", "sluice-admission", "sluice-objects"],
        )
        .await?;
    stage
        .kubectl("get policies.sluice.dev -A", Success, &["True"])
        .await?;
    Ok(())
}
