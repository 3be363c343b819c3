//! The demo: the story of Sluice, played on a real cluster, or on a real control plane with fake nodes. Every step shows the command it runs and its real
//! answer, then checks that answer; a step that does not go as told ends the demo and says why.
//!
//! One file per step under `story/`; the manifests lie in `e2e/demo/`.

pub mod exposure;
pub mod ground;
pub mod stage;
mod story;
pub mod summary;

use std::path::Path;

use crate::{
    demo::{
        ground::{Ground, Place},
        stage::Stage,
        summary::Summary,
    },
    programs::own,
};

/// Plays the whole story; with `keep` it leaves everything running until Ctrl-C.
///
/// # Errors
/// With the first step that did not go as told.
pub async fn play(place: Place, manifests: &Path, keep: bool) -> anyhow::Result<()> {
    let ground = Ground::start(place).await?;
    let title = format!("The story of Sluice, on {}.", ground.title());
    let mut stage = Stage::new(ground, manifests.to_owned())?;
    stage.print(&title);
    let mut summary = Summary::default();
    let outcome = story::all(&mut stage, &mut summary).await;
    if let Err(error) = &outcome {
        stage.access().keep();
        stage.failed(error);
    } else {
        stage.print(&summary.text());
    }
    if keep {
        if outcome.is_ok() {
            story::explore::play(&mut stage).await?;
        }
        stage.print(&left_running(&stage)?);
        tokio::signal::ctrl_c().await?;
    }
    outcome
}

/// What a person needs to look around.
fn left_running(stage: &Stage) -> anyhow::Result<String> {
    let sluice = own("sluice")?;
    let folders = [sluice.parent(), stage.access().kubectl_path().parent()];
    let folders: Vec<String> = folders
        .into_iter()
        .flatten()
        .map(|folder| folder.display().to_string())
        .collect();
    Ok(format!(
        "\nEverything is still running. In another terminal:\n  export KUBECONFIG={}\n  export PATH={}:$PATH\n\
         then, for example:\n  kubectl apply -f {}\n  sluice release watch deployment/checkout -n shop\n\
         Ctrl-C here ends it.",
        stage.access().kubeconfig(crate::User::Admin).display(),
        folders.join(":"),
        stage.manifests().join("checkout-v2.yaml").display(),
    ))
}
