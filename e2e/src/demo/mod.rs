//! The demo: the story of Sluice, played on a real control plane. Every step shows the command it runs and its real answer, then checks that answer;
//! a step that does not go as told ends the demo and says why.
//!
//! One file per step under `story/`; the manifests lie in `e2e/demo/`.

pub mod exposure;
pub mod stage;
mod story;
pub mod summary;

use std::path::Path;

use crate::{
    Plane, PlaneOptions,
    demo::{stage::Stage, summary::Summary},
};

/// Plays the whole story; with `keep` it leaves everything running until Ctrl-C.
///
/// # Errors
/// With the first step that did not go as told.
pub async fn play(manifests: &Path, keep: bool) -> anyhow::Result<()> {
    let plane = Plane::start(PlaneOptions::default()).await?;
    let mut stage = Stage::new(plane, manifests.to_owned())?;
    let mut summary = Summary::default();
    let outcome = story::all(&mut stage, &mut summary).await;
    if let Err(error) = &outcome {
        stage.plane().keep();
        stage.failed(error);
    } else {
        stage.print(&summary.text());
    }
    if keep {
        stage.print(&format!(
            "\nEverything is still running. In another terminal:\n  export KUBECONFIG={}\nCtrl-C here ends it.",
            stage.plane().kubeconfig(crate::User::Admin).display()
        ));
        tokio::signal::ctrl_c().await?;
    }
    outcome
}
