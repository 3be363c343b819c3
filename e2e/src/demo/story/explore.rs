//! After the story, for whoever keeps the cluster: Sluice once more, with the gate and the plan of checkout.

use crate::{
    demo::stage::{Expect::Success, Stage},
    installation::Installation,
};

pub(in crate::demo) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("To be explored: Sluice installed once more, checkout behind its gate and its plan");
    let prometheus = stage.plane().prometheus().await?.url();
    let installation = Installation::install(stage.plane(), Some(&prometheus)).await?;
    stage.installed(installation);
    stage
        .kubectl(
            "apply -f checkout-gate.yaml -f checkout-plan.yaml",
            Success,
            &["created"],
        )
        .await?;
    Ok(())
}
