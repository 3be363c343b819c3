//! Whose installation this is: Helm marks what it makes, and two that write the same objects would undo each other's work at every turn.

use anyhow::bail;
use serde_json::json;
use sluice_api::SYSTEM_NAMESPACE;

use super::apply::Applier;

const RELEASE: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// The Helm release that Sluice's namespace belongs to, as its name and namespace.
///
/// # Errors
/// When the namespace cannot be read.
pub async fn release(applier: &mut Applier) -> anyhow::Result<Option<(String, String)>> {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}});
    let live = applier.live(&namespace).await?;
    let annotations = live.and_then(|live| live.metadata.annotations);
    Ok(annotations.and_then(|mut annotations| {
        let name = annotations.remove(RELEASE)?;
        let namespace = annotations.remove(RELEASE_NAMESPACE).unwrap_or_default();
        Some((name, namespace))
    }))
}

/// Refuses to remove what a Helm release made. Nothing was changed then.
///
/// # Errors
/// When there is one, with the command that is meant; or when it cannot be told.
pub async fn refuse_uninstall(applier: &mut Applier) -> anyhow::Result<()> {
    if let Some((name, namespace)) = release(applier).await? {
        bail!(
            "Sluice is installed by the Helm release {name} in namespace {namespace}: `helm uninstall {name} --namespace {namespace}` does all this and removes what it made; --keep-objects does the first half alone"
        );
    }
    Ok(())
}
