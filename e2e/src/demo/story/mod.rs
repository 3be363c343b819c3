//! The steps, in order.

mod bounded_jobs;
mod canary;
mod crash;
pub(super) mod explore;
mod gated;
mod install;
mod quota;
mod way_back;

use crate::demo::{stage::Stage, summary::Summary};

/// Plays every step.
///
/// # Errors
/// With the first step that did not go as told.
pub(super) async fn all(stage: &mut Stage, summary: &mut Summary) -> anyhow::Result<()> {
    install::play(stage).await?;
    bounded_jobs::play(stage).await?;
    quota::play(stage).await?;
    gated::play(stage).await?;
    canary::play(stage, summary).await?;
    crash::play(stage).await?;
    way_back::play(stage).await
}
