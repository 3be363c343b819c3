//! After the story, for whoever keeps the cluster: Sluice once more, with the gate and the plan of checkout.

use crate::demo::stage::{Expect::Success, Stage};

pub(in crate::demo) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("To be explored: Sluice installed once more, checkout behind its gate and its plan");
    stage.install().await?;
    stage
        .kubectl(
            "apply -f checkout-gate.yaml -f checkout-plan.yaml",
            Success,
            &["created"],
        )
        .await?;
    Ok(())
}
