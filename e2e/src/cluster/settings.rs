//! What the node's programs are told: the files below `e2e/cluster/`, with the paths of this cluster in them.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::{plane::pki, programs::NodePrograms};

/// The cluster's DNS, to be applied.
pub(super) const DNS: &str = include_str!("../../cluster/dns.yaml");

/// Writes everything the node reads from the folder.
pub(super) fn write(
    folder: &Path,
    programs: &NodePrograms,
    images: &[PathBuf],
) -> anyhow::Result<()> {
    let files = [
        (
            "containerd.toml",
            include_str!("../../cluster/containerd.toml"),
        ),
        ("kubelet.yaml", include_str!("../../cluster/kubelet.yaml")),
        (
            "kube-proxy.yaml",
            include_str!("../../cluster/kube-proxy.yaml"),
        ),
        (
            "network.d/pods.conflist",
            include_str!("../../cluster/pods.conflist"),
        ),
        // no name server but the cluster's own
        ("resolv.conf", ""),
    ];
    std::fs::create_dir(folder.join("network.d")).context("cannot make network.d")?;
    let text_of = |path: &Path| path.display().to_string();
    for (name, text) in files {
        let text = text
            .replace("@FOLDER@", &text_of(folder))
            .replace("@RUNC@", &text_of(&programs.runc))
            .replace("@NETWORK@", &text_of(&programs.network));
        pki::write(&folder.join(name), &text)?;
    }
    let mut list = String::new();
    for image in images {
        let image = image
            .canonicalize()
            .with_context(|| format!("no image {}", image.display()))?;
        list.push_str(&format!("{}\n", image.display()));
    }
    pki::write(&folder.join("images"), &list)
}
