//! The real Helm and the real promtool, with which the chart and the alerts are tested.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::{
    plane::{self, Access, Output, kubectl_command, users::User},
    programs,
};

/// The chart in this checkout.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/chart");

/// Helm, built if need be.
#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
}

impl Helm {
    /// Builds it when it is missing (minutes, once).
    ///
    /// # Errors
    /// As [`programs::helm`].
    pub async fn ready() -> anyhow::Result<Self> {
        let program = tokio::task::spawn_blocking(programs::helm).await??;
        Ok(Self { program })
    }

    /// Runs it without a cluster.
    ///
    /// # Errors
    /// When it cannot be started; a refusal is an [`Output`].
    pub async fn alone(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let home = home()?;
        let mut command = kubectl_command(&self.program, &home, Path::new("/nowhere"));
        command.args(arguments);
        plane::run(command, None).await
    }

    /// Runs it on a plane or cluster, as its administrator.
    ///
    /// # Errors
    /// When it cannot be started; a refusal is an [`Output`].
    pub async fn on(&self, access: &Access, arguments: &[&str]) -> anyhow::Result<Output> {
        let kubeconfig = access.kubeconfig(User::Admin);
        let mut command = kubectl_command(&self.program, access.folder(), &kubeconfig);
        command.args(arguments);
        plane::run(command, None).await
    }
}

/// Runs promtool, built if need be, in `folder`.
///
/// # Errors
/// When it cannot be built or started; a refusal is an [`Output`].
pub async fn promtool(folder: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let program = tokio::task::spawn_blocking(programs::promtool).await??;
    let mut command = kubectl_command(&program, &home()?, Path::new("/nowhere"));
    command.args(arguments).current_dir(folder);
    plane::run(command, None).await
}

/// A home for programs that keep what they know of nothing.
fn home() -> anyhow::Result<PathBuf> {
    let home = std::env::temp_dir().join(format!("sluice-helm-{}", std::process::id()));
    std::fs::create_dir_all(&home).context("cannot make a home for Helm")?;
    Ok(home)
}
