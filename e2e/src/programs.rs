//! Where the programs of control plane and node are: built once by `programs/build.sh` and `programs/build-node.sh`, cached outside the checkout.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The programs of one control plane, all present on disk.
#[derive(Clone, Debug)]
pub struct Programs {
    pub etcd: PathBuf,
    pub apiserver: PathBuf,
    pub controller_manager: PathBuf,
    pub scheduler: PathBuf,
    pub kubectl: PathBuf,
}

impl Programs {
    /// Builds what is missing (minutes, once) and says where the programs are.
    ///
    /// # Errors
    /// When Go is missing or of another line than 1.26, or when the build fails; its output went to stderr.
    pub fn ready() -> anyhow::Result<Self> {
        let [folder] = build("build.sh", ["kubernetes"])?;
        Ok(Self {
            etcd: program(&folder, "etcd")?,
            apiserver: program(&folder, "kube-apiserver")?,
            controller_manager: program(&folder, "kube-controller-manager")?,
            scheduler: program(&folder, "kube-scheduler")?,
            kubectl: program(&folder, "kubectl")?,
        })
    }
}

/// Builds Prometheus when it is missing and says where it is.
///
/// # Errors
/// As [`Programs::ready`].
pub fn prometheus() -> anyhow::Result<PathBuf> {
    let [folder] = build("build.sh", ["prometheus"])?;
    program(&folder, "prometheus")
}

/// Builds Helm when it is missing and says where it is.
///
/// # Errors
/// As [`Programs::ready`].
pub fn helm() -> anyhow::Result<PathBuf> {
    let [folder] = build("build-chart.sh", ["helm"])?;
    program(&folder, "helm")
}

/// Builds promtool when it is missing and says where it is.
///
/// # Errors
/// As [`Programs::ready`].
pub fn promtool() -> anyhow::Result<PathBuf> {
    let [folder] = build("build-chart.sh", ["promtool"])?;
    program(&folder, "promtool")
}

/// What a real node is made of, all present on disk.
#[derive(Clone, Debug)]
pub struct NodePrograms {
    /// Unpacked Debian packages, with `nft` at its top.
    pub debian: PathBuf,
    pub kubelet: PathBuf,
    pub containerd: PathBuf,
    pub runc: PathBuf,
    /// The folder of the CNI plugins.
    pub network: PathBuf,
}

impl NodePrograms {
    /// Builds what is missing (minutes, once) and says where the programs are.
    ///
    /// # Errors
    /// When Go, a C compiler or apt is missing, or when the build fails; its output went to stderr.
    pub fn ready() -> anyhow::Result<Self> {
        let parts = ["debian", "kubelet", "containerd", "runc", "network"];
        let [debian, kubelet, containerd, runc, network] = build("build-node.sh", parts)?;
        program(&kubelet, "kube-proxy")?;
        program(&network, "ptp")?;
        program(&debian, "nft")?;
        Ok(Self {
            debian,
            kubelet: program(&kubelet, "kubelet")?,
            containerd: program(&containerd, "containerd")?,
            runc: program(&runc, "runc")?,
            network,
        })
    }

    /// The folders in which the node finds programs by name.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.kubelet, &self.containerd, &self.runc];
        let folders = files.into_iter().filter_map(|file| file.parent());
        folders.chain([self.debian.as_path(), self.network.as_path()])
    }
}

/// One of this crate's own programs: where the running test or program was built to.
///
/// # Errors
/// When it is not built.
pub fn own(name: &str) -> anyhow::Result<PathBuf> {
    let running = std::env::current_exe().context("cannot tell where this program is")?;
    running
        .ancestors()
        .skip(1)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not built: run `make build`"))
}

/// The folders of these parts, built by a script below `programs/`.
fn build<const N: usize>(script: &str, parts: [&str; N]) -> anyhow::Result<[PathBuf; N]> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("programs")
        .join(script);
    let output = Command::new(&script)
        .args(parts)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !output.status.success() {
        bail!(
            "{} {} failed ({}), see above",
            script.display(),
            parts.join(" "),
            output.status
        );
    }
    let folders = String::from_utf8(output.stdout)
        .context("the build script printed a folder that is not UTF-8")?;
    let folders: Vec<PathBuf> = folders.lines().map(PathBuf::from).collect();
    folders
        .try_into()
        .map_err(|found| anyhow::anyhow!("the build script printed {found:?} for {parts:?}"))
}

fn program(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    if !path.is_file() {
        bail!(
            "{} is missing: remove {} and run again",
            path.display(),
            folder.display()
        );
    }
    Ok(path)
}
