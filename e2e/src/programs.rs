//! Where the control plane's programs are: built once by `programs/build.sh`, cached outside the checkout.

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
        let folder = build("kubernetes")?;
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
    program(&build("prometheus")?, "prometheus")
}

fn build(module: &str) -> anyhow::Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/build.sh");
    let output = Command::new(&script)
        .arg(module)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !output.status.success() {
        bail!(
            "{} {module} failed ({}), see above",
            script.display(),
            output.status
        );
    }
    let folder = String::from_utf8(output.stdout)
        .context("the build script printed a folder that is not UTF-8")?;
    Ok(PathBuf::from(folder.trim()))
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
