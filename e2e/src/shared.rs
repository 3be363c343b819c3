//! One plane or cluster for all tests of a binary.
//!
//! It is never dropped: the end of the process ends its processes (see [`crate::process`]) and its folder's keeper
//! removes the folder. Each test takes a namespace of its own; a test that stops components, adds webhooks to the whole
//! cluster or reads its total load starts a plane of its own instead.

use std::path::PathBuf;

use anyhow::Context;
use tokio::sync::OnceCell;

use crate::{
    User,
    cluster::{self, Cluster, ClusterOptions},
    installation::Installation,
    plane::{self, Plane, PlaneOptions},
    programs::own,
};

/// A plane with Sluice on it.
#[derive(Debug)]
pub struct Installed {
    /// The plane.
    pub plane: Plane,
    /// Sluice's programs on it.
    pub sluice: Installation,
}

impl Installed {
    /// A plane of the caller's own with Sluice on it, for a test that other tests' policies would disturb.
    ///
    /// # Errors
    /// When the plane or Sluice does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let plane = Plane::start(PlaneOptions::default()).await?;
        let prometheus = plane.prometheus().await?.url();
        let sluice = Installation::install(&plane, Some(&prometheus))
            .await
            .inspect_err(|_| plane.keep())?;
        Ok(Self { plane, sluice })
    }
}

/// A second plane, with Prometheus and Sluice, shared by all tests that leave Sluice's programs alone.
///
/// # Errors
/// As [`Plane::start`] and [`Installation::install`].
pub async fn installed_plane() -> anyhow::Result<&'static Installed> {
    static INSTALLED: OnceCell<Installed> = OnceCell::const_new();
    INSTALLED
        .get_or_try_init(Installed::start)
        .await
        .context("no shared plane with Sluice")
}

/// The plane shared by all tests of this process, started by whoever asks first.
///
/// # Errors
/// As [`Plane::start`].
pub async fn shared_plane() -> anyhow::Result<&'static Plane> {
    static PLANE: OnceCell<Plane> = OnceCell::const_new();
    PLANE
        .get_or_try_init(|| Plane::start(PlaneOptions::default()))
        .await
        .context("no shared plane")
}

/// Runs a test on the shared plane in a namespace of its own; an error keeps the plane's evidence, as a panic does.
///
/// # Errors
/// Whatever the test says.
pub async fn in_namespace<T>(prefix: &str, test: T) -> anyhow::Result<()>
where
    T: AsyncFnOnce(&'static Plane, &str) -> anyhow::Result<()>,
{
    let plane = shared_plane().await?;
    let namespace = plane.namespace(prefix).await?;
    let outcome = test(plane, &namespace).await;
    if outcome.is_err() {
        plane.keep();
    }
    outcome.with_context(|| format!("in namespace {namespace}"))
}

/// The real cluster shared by all tests of this process, started by whoever asks first, with Sluice's images on its node.
///
/// # Errors
/// As [`Cluster::start`], or when the images are not packed.
pub async fn shared_cluster() -> anyhow::Result<&'static Cluster> {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER
        .get_or_try_init(cluster_with_images)
        .await
        .context("no shared cluster")
}

async fn cluster_with_images() -> anyhow::Result<Cluster> {
    cluster_with(&[]).await
}

async fn cluster_with(further: &[PathBuf]) -> anyhow::Result<Cluster> {
    let mut images = cluster::images("product")?;
    images.extend_from_slice(further);
    Cluster::start(ClusterOptions {
        images,
        ..ClusterOptions::default()
    })
    .await
}

/// What a cluster of a test's own has beside the usual.
#[derive(Clone, Debug, Default)]
pub struct Further<'a> {
    /// Archives on its node.
    pub images: Vec<PathBuf>,
    /// Sections of the configuration file.
    pub config: Option<&'a str>,
}

/// A cluster of the caller's own with Sluice on it, for a test that does things to either.
///
/// # Errors
/// As [`shared_cluster`] and [`install_on`].
pub async fn own_cluster() -> anyhow::Result<Cluster> {
    own_cluster_with(&Further::default()).await
}

async fn own_cluster_with(further: &Further<'_>) -> anyhow::Result<Cluster> {
    let cluster = cluster_with(&further.images).await?;
    install_with(&cluster, further.config).await?;
    Ok(cluster)
}

/// Runs a test on a cluster of its own with Sluice on it; an error keeps its evidence.
///
/// # Errors
/// Whatever the test says.
pub async fn on_own_cluster(
    test: impl AsyncFnOnce(&Cluster) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    on_own_cluster_with(Further::default(), test).await
}

/// As [`on_own_cluster`], with more than the usual.
///
/// # Errors
/// Whatever the test says.
pub async fn on_own_cluster_with(
    further: Further<'_>,
    test: impl AsyncFnOnce(&Cluster) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let cluster = own_cluster_with(&further).await?;
    let outcome = test(&cluster).await;
    if outcome.is_err() {
        cluster.keep();
    }
    outcome
}

/// Runs a test on the shared cluster with Sluice on it; an error keeps its evidence.
///
/// # Errors
/// Whatever the test says.
pub async fn on_installed_cluster(
    test: impl AsyncFnOnce(&'static Cluster) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let cluster = installed_cluster().await?;
    let outcome = test(cluster).await;
    if outcome.is_err() {
        cluster.keep();
    }
    outcome
}

/// The shared cluster with Sluice on it.
///
/// # Errors
/// As [`shared_cluster`] and [`install_on`].
pub async fn installed_cluster() -> anyhow::Result<&'static Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = shared_cluster().await?;
    INSTALLED.get_or_try_init(|| install_on(cluster)).await?;
    Ok(cluster)
}

/// Sluice on a cluster that has its images, installed by its own command from its own manifests; the command returns once its webhooks are in force.
///
/// # Errors
/// With the command's own words; the cluster's evidence is kept.
pub async fn install_on(cluster: &Cluster) -> anyhow::Result<()> {
    install_with(cluster, None).await
}

async fn install_with(cluster: &Cluster, config: Option<&str>) -> anyhow::Result<()> {
    let mut command = tokio::process::Command::new(own("sluice")?);
    command
        .args(["install", "--timeout", "120s"])
        .env("KUBECONFIG", cluster.kubeconfig(User::Admin))
        .kill_on_drop(true);
    if let Some(config) = config {
        let file = cluster.folder().join("sluice.yaml");
        std::fs::write(&file, config).context("cannot write the configuration file")?;
        command.arg("--config").arg(file);
    }
    let installed = async { plane::run(command, None).await?.ok() };
    installed
        .await
        .inspect_err(|_| cluster.keep())
        .context("Sluice does not work on the cluster")?;
    Ok(())
}
