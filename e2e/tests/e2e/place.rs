//! A namespace of a given mode on the shared plane with Sluice, and the two programs people use there.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_e2e::{Installed, Plane, User, installed_plane, plane::Output};

/// A namespace in which one test works.
pub struct Place {
    pub installed: &'static Installed,
    pub namespace: String,
}

/// Runs a test in a new namespace whose label says `mode` (no label when that is empty); an error keeps the plane's evidence.
///
/// # Errors
/// Whatever the test says.
pub async fn in_place<T>(prefix: &str, mode: &str, test: T) -> anyhow::Result<()>
where
    T: AsyncFnOnce(&Place) -> anyhow::Result<()>,
{
    let installed = installed_plane().await?;
    let label = [("sluice.dev/mode", mode)];
    let labels = if mode.is_empty() { &[][..] } else { &label[..] };
    let namespace = installed.plane.namespace_with(prefix, labels).await?;
    let place = Place {
        installed,
        namespace,
    };
    let outcome = test(&place).await;
    if outcome.is_err() {
        installed.plane.keep();
    }
    outcome.with_context(|| format!("in namespace {}", place.namespace))
}

impl Place {
    pub fn plane(&self) -> &'static Plane {
        &self.installed.plane
    }

    /// `kubectl` in the namespace.
    pub async fn kubectl(&self, user: User, line: &str) -> anyhow::Result<Output> {
        self.feed(user, line, "").await
    }

    /// `kubectl` in the namespace with a manifest as its input (`-f -`).
    pub async fn feed(&self, user: User, line: &str, manifest: &str) -> anyhow::Result<Output> {
        let arguments = ["-n", &self.namespace]
            .into_iter()
            .chain(line.split_whitespace());
        self.plane().kubectl(user, arguments, Some(manifest)).await
    }

    /// `sluice` in the namespace.
    pub async fn sluice(&self, user: User, line: &str) -> anyhow::Result<Output> {
        let arguments: Vec<&str> = ["-n", &self.namespace]
            .into_iter()
            .chain(line.split_whitespace())
            .collect();
        self.installed
            .sluice
            .sluice(self.plane(), user, &arguments)
            .await
    }

    /// What `sluice check` says to manifests, as JSON, with the configuration of the installation and facts from the server.
    pub async fn check(&self, manifests: &str) -> anyhow::Result<Value> {
        let file = self.written("check.yaml", manifests)?;
        let config = self.plane().folder().join("sluice.yaml");
        let line = format!(
            "check --server -o json --config {} {file}",
            config.display()
        );
        let output = self.sluice(User::Admin, &line).await?;
        ensure!(matches!(output.code, Some(0 | 1)), "{output:?}");
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))
    }

    /// Writes a file of this test's own; returns its path.
    pub fn written(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self
            .plane()
            .folder()
            .join(format!("{}-{name}", self.namespace));
        std::fs::write(&path, text)
            .with_context(|| format!("cannot write {}", Path::new(&path).display()))?;
        Ok(path.display().to_string())
    }

    /// An object as JSON.
    pub async fn object(&self, what: &str) -> anyhow::Result<Value> {
        let text = self
            .kubectl(User::Admin, &format!("get {what} -o json"))
            .await?
            .ok()?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Sets the mode of the namespace; returns when the webhooks go by it.
    pub async fn set_mode(&self, mode: &str) -> anyhow::Result<()> {
        let label = format!(
            "label namespace {} sluice.dev/mode={mode} --overwrite",
            self.namespace
        );
        self.kubectl(User::Admin, &label).await?.ok().map(drop)
    }
}
